"""From the files of a data set to a folder that a run can name: load or take, verify, convert.

DATA_DIR/NAME is either a whole prepared data set (`spectra_jax.prepared`) or not there: it is
written beside its place and renamed when it is done. A second call checks it and writes nothing.
"""

import contextlib
import fcntl
import os
import pathlib
import shutil
import tempfile
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np

from spectra_jax import data_files, download, model, native, prepared, r_files
from spectra_jax.data_files import Info

FORMATS = ('shards', 'tfds')


def prepare(name: str, data_dir: str, source: str = '', form: str = 'shards') -> dict[str, Any]:
  """Makes data set `name` in DATA_DIR/NAME, or DATA_DIR/tfds/NAME for tensorflow_datasets.

  Args:
    name: of a file in spectra_jax/datasets.
    data_dir: folder of prepared data sets; downloads are kept in its folder 'downloads'.
    source: folder of the data set's files, or one such file; '' = download them.
    form: 'shards' or 'tfds'.

  Returns:
    {'name', 'spectra', 'axis': [first, last], 'axis_unit', 'sha256', 'path'}; the axis is the
    union's where grids differ.

  Raises:
    ValueError, OSError: a sentence that says what is wrong and what to do.
  """
  dataset = _dataset(name)
  if form not in FORMATS:
    raise ValueError(f'format is {form!r}, expected one of {", ".join(FORMATS)}')
  if not data_dir:
    raise ValueError('data_dir is empty, expected a folder of your own for prepared data sets')
  root = pathlib.Path(data_dir).expanduser()
  target = root / name if form == 'shards' else root / 'tfds' / name
  target.parent.mkdir(parents=True, exist_ok=True)
  with _alone(target), _files(dataset, root, target, source) as place:
    spectra = dataset.read(place)
    if form == 'shards':
      _write(target, spectra, dataset.INFO)
    else:
      from spectra_jax import tfds_builder  # takes seconds to import

      tfds_builder.build(dataset.INFO, spectra, target.parent)
  return {**_summary(name, spectra), 'path': str(target)}


def _dataset(name: str) -> ModuleType:
  dataset = model.component('datasets', name)
  if not hasattr(dataset, 'read'):
    raise ValueError(
      f'data set {name} ships with the package, expected one that needs files; there is nothing to '
      'prepare'
    )
  return dataset


@contextlib.contextmanager
def _files(
  dataset: ModuleType, root: pathlib.Path, target: pathlib.Path, source: str
) -> Iterator[pathlib.Path]:
  """Where the data set's files are: prepared before, given, or downloaded."""
  info = dataset.INFO
  if not source and prepared.is_one(target):
    yield target
  elif not source:
    yield _downloaded(info, root)
  else:
    place = pathlib.Path(source).expanduser()
    if not place.exists():
      raise FileNotFoundError(f'source {place} is not there, expected a file or folder; correct it')
    if place.is_dir() or not info['files']:
      yield place
    else:
      with tempfile.TemporaryDirectory() as folder:
        yield _under_its_name(place, dataset, pathlib.Path(folder))


def _under_its_name(file: pathlib.Path, dataset: ModuleType, folder: pathlib.Path) -> pathlib.Path:
  """`folder` with what the data set wants to find, made from `file` or a link to it."""
  info = dataset.INFO
  if file.suffix.lower() in r_files.SUFFIXES and hasattr(dataset, 'from_r'):
    (name,) = info['files']
    np.savez(folder / name, **_from_r(file, dataset))
    return folder
  found = data_files.sha256(file)
  names = [name for name, recorded in info['files'].items() if recorded in (found, '')]
  if not names or len(info['files']) > 1:
    wanted = ', '.join(f'{name} ({sha[:12]}...)' for name, sha in info['files'].items())
    raise ValueError(
      f'source {file} has sha256 {found[:12]}..., expected {wanted} of data set {info["name"]}; '
      'give that file, or the folder of all of them'
    )
  (folder / names[0]).symlink_to(file.resolve())
  return folder


def _from_r(file: pathlib.Path, dataset: ModuleType) -> dict[str, np.ndarray]:
  stored = r_files.read(file)
  try:
    return dataset.from_r(stored)
  except (KeyError, TypeError, ValueError) as error:
    raise ValueError(
      f'{file} holds {", ".join(map(str, stored))}, but not what {dataset.INFO["name"]} is made of '
      f'({error}); {dataset.INFO["manual"]}'
    ) from error


def _downloaded(info: Info, root: pathlib.Path) -> pathlib.Path:
  if info['manual']:
    raise ValueError(f'{info["name"]} was not downloaded: {info["manual"]}, then give --source=...')
  folder = root / 'downloads' / info['name']
  for url, (name, sha256) in zip(info['urls'], info['files'].items(), strict=True):
    download.fetch(url, folder / name, sha256)
  return folder


def _write(target: pathlib.Path, spectra: native.Native, info: Info) -> None:
  """Writes `target` unless it holds the same data."""
  source = native.as_list(spectra)[0].source
  if prepared.is_one(target):
    there = prepared.manifest(target, info)['source']
    if there != source:
      raise ValueError(
        f'{target} holds other data (sha256 {there[:12]}..., not {source[:12]}...), expected the '
        'same or nothing; delete it or use another --data_dir'
      )
    prepared.read(target, info)  # is it still whole?
    return
  if target.exists():
    raise ValueError(
      f'{target} exists and was not made by prepare, expected an empty place; use another '
      '--data_dir'
    )
  draft = target.with_name(f'.{target.name}.draft')
  shutil.rmtree(draft, ignore_errors=True)  # of a call that was killed
  draft.mkdir()
  prepared.write(draft, spectra, info)
  os.replace(draft, target)


@contextlib.contextmanager
def _alone(target: pathlib.Path) -> Iterator[None]:
  """One process prepares a data set at a time, others wait; the lock goes with the process."""
  with open(target.with_name(f'.{target.name}.lock'), 'w') as lock:
    fcntl.flock(lock, fcntl.LOCK_EX)
    yield


def _summary(name: str, spectra: native.Native) -> dict[str, Any]:
  spectra = native.as_list(spectra)
  units = sorted({one.axis_unit for one in spectra})
  ends = np.array([one.axis[[0, -1]] for one in spectra])
  return {
    'name': name,
    'spectra': sum(len(one) for one in spectra),
    'axis': [float(ends[:, 0].min()), float(ends[:, 1].max())],
    'axis_unit': ' and '.join(units),
    'sha256': spectra[0].source,
  }
