"""Files of a data set: found, and the very ones that its INFO names.

INFO['files'] maps a path inside the data set's folder to the sha256 of the file; '' stands for a
file whose sha256 nobody has published. Where it is empty the files are the user's own.
"""

import functools
import hashlib
import pathlib
from collections.abc import Iterable, Mapping
from typing import Any

Info = Mapping[str, Any]


def sha256(path: pathlib.Path) -> str:
  """sha256 of a file in hexadecimal; computed once as long as the file does not change."""
  stat = path.stat()
  return _sha256(path.resolve(), stat.st_size, stat.st_mtime_ns)


@functools.lru_cache(maxsize=65536)
def _sha256(path: pathlib.Path, size: int, mtime_ns: int) -> str:
  with open(path, 'rb') as file:
    return hashlib.file_digest(file, 'sha256').hexdigest()


def place(path: str | pathlib.Path, info: Info) -> pathlib.Path:
  """The folder (or archive) of a data set.

  Raises:
    FileNotFoundError: no path was given, or there is nothing; says how to get the data.
  """
  if not str(path):
    raise FileNotFoundError(
      f'the path is empty, expected the folder of data set {info["name"]}; {_remedy(info)}'
    )
  path = pathlib.Path(path).expanduser()
  if not path.exists():
    raise FileNotFoundError(
      f'{path} is not there, expected the folder of data set {info["name"]}; {_remedy(info)}'
    )
  return path


def verify(folder: pathlib.Path, info: Info) -> str:
  """The sha256 that stands for all files of a data set, each of which has the recorded one.

  Raises:
    FileNotFoundError: a file that INFO names is missing.
    ValueError: a file is another one.
  """
  if not info['files']:
    return own_source(folder)
  for name, recorded in info['files'].items():
    path = folder / name
    if not path.is_file():
      raise FileNotFoundError(f'{path} is missing from data set {info["name"]}; {_remedy(info)}')
    if recorded and sha256(path) != recorded:
      raise ValueError(
        f'{path} has sha256 {sha256(path)[:12]}..., expected {recorded[:12]}... of data set '
        f'{info["name"]} {info["version"]}; {_remedy(info)}'
      )
  return joint_sha256(folder, [folder / name for name in info['files']])


def own_source(path: pathlib.Path) -> str:
  """The sha256 of a file, or of all files in a folder, hidden ones left out."""
  return sha256(path) if path.is_file() else joint_sha256(path, visible_files(path))


def visible_files(folder: pathlib.Path) -> list[pathlib.Path]:
  """All files below `folder` by path, without those that are hidden or in a hidden folder."""
  hidden = lambda path: any(part.startswith('.') for part in path.relative_to(folder).parts)
  return sorted(path for path in folder.rglob('*') if path.is_file() and not hidden(path))


def joint_sha256(folder: pathlib.Path, files: Iterable[pathlib.Path]) -> str:
  """sha256 of the list of these files, by name, with the sha256 of each; of one file its own."""
  files = sorted(files)
  if len(files) == 1:
    return sha256(files[0])
  lines = [f'{sha256(path)}  {path.relative_to(folder).as_posix()}\n' for path in files]
  return hashlib.sha256(''.join(lines).encode()).hexdigest()


def _remedy(info: Info) -> str:
  command = f'python -m experiments.prepare {info["name"]} --data_dir=DIR'
  return (
    f'{info["manual"]}, then `{command} --source=...`' if info['manual'] else f'run `{command}`'
  )
