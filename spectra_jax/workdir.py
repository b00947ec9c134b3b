"""One run on disk: which run a folder belongs to, and that only one process at a time works in it.

A run is its config without `parallel`, `log`, `checkpoint` and `data` (they change no number) plus
the hash of its data, so a run of eight devices goes on with four and another config is refused.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import pathlib
from collections.abc import Iterator
from typing import Any

from ml_collections import ConfigDict

from spectra_jax import distributed

NOT_IDENTITY = ('parallel', 'log', 'checkpoint', 'data')
RESULTS = ('checkpoints', 'metrics.jsonl', 'report.json')


def identity(config: ConfigDict, data_hash: str) -> str:
  """sha256 (hex) of everything that decides the numbers of a run."""
  text = json.dumps(_identifying(config, data_hash), sort_keys=True)
  return hashlib.sha256(text.encode()).hexdigest()


@contextlib.contextmanager
def claim(workdir: str | os.PathLike, config: ConfigDict, data_hash: str) -> Iterator[None]:
  """Holds `workdir` for this run; creates it with config.json, or checks that it is this run's.

  Nothing in the folder changes when the claim is refused. The lock goes with the process.

  Raises:
    ValueError: the folder belongs to another config or other data, or to nothing recognisable.
    BlockingIOError: another process works in it.
    OSError: it cannot be written.
  """
  workdir, lock = pathlib.Path(workdir), None

  def take():
    nonlocal lock
    _check_owner(workdir, config, data_hash)
    lock = _lock(workdir)
    _check_owner(workdir, config, data_hash)  # again: it may have been taken in between
    if not (workdir / 'config.json').exists():
      document = {
        'identity': identity(config, data_hash),
        'data_hash': data_hash,
        'config': _plain(config),
      }
      write_json_atomic(workdir / 'config.json', document)

  distributed.on_first_process(take, f'claim the workdir {workdir}')
  try:
    yield
  finally:
    if lock is not None:
      os.close(lock)


def write_json_atomic(path: str | os.PathLike, document: Any) -> None:
  """Replaces `path` by `document` as JSON, whole or not at all, also when the machine stops."""
  text = json.dumps(document, indent=2, allow_nan=False) + '\n'
  write_bytes_atomic(path, text.encode())


def write_bytes_atomic(path: str | os.PathLike, content: bytes) -> None:
  """Replaces `path` by `content`, whole or not at all, also when the machine stops."""
  path = pathlib.Path(path)
  draft = path.with_name(f'.{path.name}.tmp')
  with open(draft, 'wb') as file:
    file.write(content)
    file.flush()
    os.fsync(file.fileno())
  os.replace(draft, path)
  _sync_folder(path.parent)


def _sync_folder(folder: pathlib.Path) -> None:
  handle = os.open(folder, os.O_RDONLY)
  try:
    os.fsync(handle)
  finally:
    os.close(handle)


def _plain(config: ConfigDict) -> dict[str, Any]:
  # Through JSON, since a config read back has lists where this one has tuples.
  return json.loads(json.dumps(config.to_dict()))


def _identifying(config: ConfigDict | dict, data_hash: str) -> dict[str, Any]:
  config = config if isinstance(config, dict) else _plain(config)
  kept = {key: value for key, value in config.items() if key not in NOT_IDENTITY}
  return {'config': kept, 'data': data_hash}


def _lock(workdir: pathlib.Path) -> int:
  try:
    workdir.mkdir(parents=True, exist_ok=True)
    handle = os.open(workdir / '.lock', os.O_RDWR | os.O_CREAT, 0o666)
  except OSError as error:
    raise type(error)(
      f'workdir {workdir} cannot be written ({error.strerror}); expected a folder of your own; '
      'use another --workdir'
    ) from None
  try:
    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
  except BlockingIOError:
    os.close(handle)
    raise BlockingIOError(
      f'workdir {workdir} is in use by another process; expected one run at a time; wait for it, '
      'stop it or use another --workdir'
    ) from None
  return handle


def _check_owner(workdir: pathlib.Path, config: ConfigDict, data_hash: str) -> None:
  path = workdir / 'config.json'
  if not path.exists():
    found = [name for name in RESULTS if (workdir / name).exists()]
    if found:
      raise ValueError(
        f'workdir {workdir} has {" and ".join(found)} but no config.json; expected the folder of '
        'this run or an empty one; use another --workdir'
      )
    return
  try:
    document = json.loads(path.read_text())
    theirs = _identifying(document['config'], document['data_hash'])
  except (ValueError, KeyError, TypeError, AttributeError):
    raise ValueError(
      f'{path} is not the config of a run; expected JSON written by this program; use another '
      '--workdir'
    ) from None
  differences = _differences(theirs, _identifying(config, data_hash))
  if differences:
    raise ValueError(
      f'workdir {workdir} belongs to another run: {"; ".join(differences)}; '
      'use another --workdir or the same config'
    )


def _differences(theirs: Any, ours: Any, name: str = '') -> list[str]:
  if isinstance(theirs, dict) and isinstance(ours, dict):
    keys = sorted(theirs.keys() | ours.keys())
    absent = '(absent)'
    return [
      line
      for key in keys
      for line in _differences(
        theirs.get(key, absent), ours.get(key, absent), f'{name}.{key}' if name else key
      )
    ]
  if theirs == ours and type(theirs) is type(ours):
    return []
  return [f'{name.removeprefix("config.")} is {theirs!r} there and {ours!r} here']
