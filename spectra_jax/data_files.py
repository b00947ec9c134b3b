"""Files of a data set: found, and the very ones that its INFO names.

INFO['files'] maps a path inside the data set's folder to the sha256 of the file; '' stands for a
file whose sha256 nobody has published. Where it is empty the files are the user's own. An .npz that
is made from somebody else's file is another file each time it is made: INFO['content'] has the
digest of its arrays.
"""

import functools
import hashlib
import pathlib
import zipfile
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

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
    if recorded and not _is_the_one(path, recorded, info):
      raise ValueError(
        f'{path} has sha256 {sha256(path)[:12]}..., expected {recorded[:12]}... of data set '
        f'{info["name"]} {info["version"]}; {_remedy(info)}'
      )
  return _joint(
    {name: recorded or sha256(folder / name) for name, recorded in info['files'].items()}
  )


def _is_the_one(path: pathlib.Path, recorded: str, info: Info) -> bool:
  if sha256(path) == recorded:
    return True
  return path.name in info['content'] and content_digest(path) == info['content'][path.name]


def content_digest(path: pathlib.Path) -> str:
  """sha256 of the names, shapes and values of the arrays in an .npz; '' where it is none.

  Numbers count as little-endian float64 and every NaN as the same, so that neither the type nor
  R's NA makes a difference.
  """
  digest = hashlib.sha256()
  try:
    with np.load(path, allow_pickle=False) as stored:
      for name in sorted(stored.files):
        digest.update(f'{name}{stored[name].shape}'.encode())
        digest.update(_canonical(stored[name]))
  except (ValueError, OSError, zipfile.BadZipFile):
    return ''
  return digest.hexdigest()


def _canonical(array: np.ndarray) -> bytes:
  if array.dtype.kind in 'US':
    return '\n'.join(map(str, array.ravel())).encode()
  numbers = array.astype('<f8')
  return np.where(np.isnan(numbers), np.nan, numbers).tobytes()


def own_source(path: pathlib.Path) -> str:
  """The sha256 of a file, or of all files in a folder, hidden ones left out."""
  return sha256(path) if path.is_file() else joint_sha256(path, visible_files(path))


def visible_files(folder: pathlib.Path) -> list[pathlib.Path]:
  """All files below `folder` by path, without those that are hidden or in a hidden folder."""
  hidden = lambda path: any(part.startswith('.') for part in path.relative_to(folder).parts)
  return sorted(path for path in folder.rglob('*') if path.is_file() and not hidden(path))


def joint_sha256(folder: pathlib.Path, files: Iterable[pathlib.Path]) -> str:
  """sha256 of the list of these files, by name, with the sha256 of each; of one file its own."""
  return _joint({path.relative_to(folder).as_posix(): sha256(path) for path in files})


def _joint(found: Mapping[str, str]) -> str:
  if len(found) == 1:
    return next(iter(found.values()))
  lines = [f'{found[name]}  {name}\n' for name in sorted(found)]
  return hashlib.sha256(''.join(lines).encode()).hexdigest()


def _remedy(info: Info) -> str:
  command = f'python -m experiments.prepare {info["name"]} --data_dir=DIR'
  return (
    f'{info["manual"]}, then `{command} --source=...`' if info['manual'] else f'run `{command}`'
  )
