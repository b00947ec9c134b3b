"""Where a run's spectra lie: in memory, or as memory-mapped shards that are written once.

Both give the same values in the same order, so `config.data` is no part of a run's identity: a run
that was started one way goes on the other way.
"""

import contextlib
import fcntl
import hashlib
import inspect
import json
import pathlib
import shutil
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from spectra_jax import align, native, shards
from spectra_jax.model import component, options
from spectra_jax.spectra import Spectra, uniform_axis
from spectra_jax.workdir import write_json_atomic

STORAGES = ('memory', 'memmap')
MANIFEST = 'manifest.json'
META = 'meta.npz'


def load(config: ConfigDict) -> Mapping[str, Spectra]:
  """The spectra of `config.dataset` on `config.axis`, stored as `config.data` says.

  Raises:
    ValueError: an unknown storage, a shard of no rows, or a damaged one; and what the data set
      refuses.
  """
  settings, dataset = config.data.to_dict(), component('datasets', config.dataset.name)
  axis = _axis(config, dataset)
  if settings['storage'] not in STORAGES:
    raise ValueError(
      f'data.storage is {settings["storage"]!r}, expected one of {", ".join(STORAGES)}'
    )
  if settings['shard_rows'] < 1:
    raise ValueError(f'data.shard_rows is {settings["shard_rows"]}, expected at least 1')
  if settings['storage'] == 'memory':
    return dataset.load(axis, **options(config.dataset))
  cache = pathlib.Path(settings['cache'] or '~/.cache/spectra_jax/shards').expanduser()
  folder = cache / _key(dataset, axis, options(config.dataset), settings['shard_rows'])
  with _alone(folder):
    if not (folder / MANIFEST).exists():
      _write(folder, dataset, axis, options(config.dataset), settings['shard_rows'])
  return read(folder, settings['verify'])


def _axis(config: ConfigDict, dataset: ModuleType) -> np.ndarray:
  """[L] cm^-1, evenly spaced or the points of the data.

  Raises:
    ValueError: the data have several grids, none that is measured, or one that lies elsewhere.
  """
  low_cm, high_cm, points = (config.axis[name] for name in ('low_cm', 'high_cm', 'points'))
  if points:
    return uniform_axis(low_cm, high_cm, points)
  measured = hasattr(dataset, 'read')  # computed spectra have no grid of their own
  chosen = config.dataset[config.dataset.name]
  spectra = native.as_list(dataset.read(chosen.path)) if measured else []
  grids = {one.axis.tobytes(): (one.axis, one.axis_unit) for one in spectra}
  if len(grids) != 1:
    raise ValueError(
      f'axis.points is 0 and data set {config.dataset.name} has {len(grids)} grids, expected one, '
      'whose points are taken; give a number of points'
    )
  axis, _ = align.grid_in(*grids.popitem()[1], 'cm^-1')
  inside = (axis >= low_cm) & (axis <= high_cm)
  if inside.sum() < 2:
    raise ValueError(
      f'axis.low_cm to axis.high_cm is {low_cm:g} to {high_cm:g} and the data go from '
      f'{axis[0]:.6g} to {axis[-1]:.6g} cm^-1, expected a range that they share; give it in cm^-1, '
      'also for data in nm'
    )
  return axis[inside]


def read(folder: pathlib.Path, verify: bool) -> dict[str, Spectra]:
  """The spectra of a folder of shards; their values stay on disk."""
  document = json.loads((folder / MANIFEST).read_text())
  with np.load(folder / META, allow_pickle=False) as stored:
    columns = {name: stored[name] for name in stored.files}
  axis = columns.pop('axis')
  spectra = {}
  for kind, entry in document['kinds'].items():
    values = shards.read(folder, entry['values'], verify)
    full = np.broadcast_to(np.True_, values.shape)
    mask = shards.read(folder, entry['mask'], verify) if entry['mask'] else full
    about = (document['axis_unit'], kind, entry['state'])
    spectra[kind] = Spectra(values, axis, *about, mask, columns, document['source'])
  return spectra


def there(dataset: ModuleType, chosen: Mapping[str, Any]) -> tuple[str, int]:
  """(hash, rows) of what a data set has: in its files by `path`, or drawn by these options."""
  return dataset.there(
    **{name: chosen[name] for name in inspect.signature(dataset.there).parameters}
  )


def _key(dataset: ModuleType, axis: np.ndarray, chosen: dict[str, Any], shard_rows: int) -> str:
  """Names all that decides the files: other data, another axis or option, another folder."""
  name, (source, _) = dataset.INFO['name'], there(dataset, chosen)
  said = [name, dataset.INFO['version'], source, chosen, shard_rows]
  text = json.dumps(said, sort_keys=True).encode() + axis.tobytes()
  return f'{name}-{hashlib.sha256(text).hexdigest()[:16]}'


@contextlib.contextmanager
def _alone(folder: pathlib.Path) -> Iterator[None]:
  """One process writes, those that come at the same time wait; the lock goes with the process."""
  folder.parent.mkdir(parents=True, exist_ok=True)
  with open(folder.with_suffix('.lock'), 'w') as lock:
    fcntl.flock(lock, fcntl.LOCK_EX)
    yield


def _write(
  folder: pathlib.Path, dataset: ModuleType, axis: np.ndarray, chosen: dict[str, Any], size: int
) -> None:
  """Writes the folder shard by shard; the manifest comes last, so that it is whole or not there."""
  shutil.rmtree(folder, ignore_errors=True)  # of a start that died half way
  folder.mkdir()
  source, count = there(dataset, chosen)
  kinds, columns = {}, []
  for number, start in enumerate(range(0, count, size)):
    part = dataset.load(axis, slice(start, min(start + size, count)), **chosen)
    if start and not len(next(iter(part.values()))):
      break  # options chose some of the rows that are there
    for kind, spectra in part.items():
      entry = kinds.setdefault(kind, {'state': spectra.state, 'values': [], 'mask': []})
      entry['values'].append(shards.write(folder, f'{kind}-{number:05d}', spectra.values))
      entry['mask'].append(shards.write(folder, f'{kind}-mask-{number:05d}', spectra.mask))
    columns.append(spectra.meta)
  for entry in kinds.values():
    entry['mask'] = _unless_full(folder, entry['mask'])
  meta = {name: np.concatenate([part[name] for part in columns]) for name in columns[0]}
  np.savez(folder / META, axis=axis, **meta)
  about = {'axis_unit': spectra.axis_unit, 'source': source}
  write_json_atomic(folder / MANIFEST, {**about, 'kinds': kinds})


def _unless_full(folder: pathlib.Path, masks: list[dict]) -> list[dict]:
  """The mask's shards, or none when every point was measured: they are then deleted."""
  if not all(np.load(folder / entry['file']).all() for entry in masks):
    return masks
  for entry in masks:
    (folder / entry['file']).unlink()
  return []
