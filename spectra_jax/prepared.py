"""A data set in one folder of memory-mapped files, on its native grids, whole or not there.

  manifest.json   name, version, source, sha256 of every file
  values.npy      [sum of N L] float32, block after block
  mask.npy        likewise, bool; absent where every point was measured
  blocks.npz      per block: kind, state, axis_unit, rows, grid; and the distinct grids end to end
  meta.npz        columns over all rows

A block is one `Spectra`: rows on one grid. Reading maps the values and touches the disk only to
check sha256.
"""

import json
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np

from spectra_jax import data_files
from spectra_jax.data_files import Info
from spectra_jax.spectra import Spectra
from spectra_jax.workdir import write_json_atomic

MANIFEST = 'manifest.json'
FORMAT = 'spectra_jax native 1'


def is_one(folder: pathlib.Path) -> bool:
  """Whether `folder` says that it was written by `write`."""
  return (folder / MANIFEST).is_file()


def write(folder: pathlib.Path, spectra: Spectra | Sequence[Spectra], info: Info) -> None:
  """Writes all spectra into the empty `folder`; the manifest comes last.

  Raises:
    ValueError: blocks whose meta columns or sources differ.
  """
  blocks = [spectra] if isinstance(spectra, Spectra) else list(spectra)
  _check_alike(blocks)
  _write_flat(folder / 'values.npy', [one.values for one in blocks], np.float32)
  if not all(np.asarray(one.mask).all() for one in blocks):
    _write_flat(folder / 'mask.npy', [one.mask for one in blocks], bool)
  grids = list({one.axis.tobytes(): one.axis for one in blocks}.values())
  number = {grid.tobytes(): i for i, grid in enumerate(grids)}
  np.savez(
    folder / 'blocks.npz',
    kind=np.array([one.kind for one in blocks]),
    state=np.array([one.state for one in blocks]),
    axis_unit=np.array([one.axis_unit for one in blocks]),
    rows=np.array([len(one) for one in blocks]),
    grid=np.array([number[one.axis.tobytes()] for one in blocks]),
    grid_points=np.array([len(grid) for grid in grids]),
    grids=np.concatenate(grids),
  )
  names = blocks[0].meta
  np.savez(
    folder / 'meta.npz', **{k: np.concatenate([one.meta[k] for one in blocks]) for k in names}
  )
  written = sorted(path for path in folder.iterdir() if path.suffix in ('.npy', '.npz'))
  document = {
    'format': FORMAT,
    'name': info['name'],
    'version': info['version'],
    'source': blocks[0].source,
    'list': not isinstance(spectra, Spectra),
    'files': {path.name: data_files.sha256(path) for path in written},
  }
  write_json_atomic(folder / MANIFEST, document)


def manifest(folder: pathlib.Path, info: Info) -> dict:
  """The manifest of a folder, checked to be of this data set and version.

  Raises:
    ValueError: it is of something else.
  """
  path = folder / MANIFEST
  try:
    document = json.loads(path.read_text())
    found = tuple(document[key] for key in ('format', 'name', 'version'))
  except (ValueError, KeyError, TypeError):
    found = ('something else', '', '')
  wanted = (FORMAT, info['name'], info['version'])
  if found != wanted:
    raise ValueError(
      f'{path} is of {" ".join(found).strip()}, expected {" ".join(wanted)}; give the folder of '
      f'this data set or prepare it anew in another one'
    )
  return document


def read(folder: pathlib.Path, info: Info) -> Spectra | list[Spectra]:
  """The spectra that were written; their values stay on disk.

  Raises:
    ValueError: a folder of another data set, or a file that is missing or damaged.
  """
  document = manifest(folder, info)
  for name, recorded in document['files'].items():
    path = folder / name
    if not path.is_file() or data_files.sha256(path) != recorded:
      what = 'damaged: its sha256 is not the recorded one' if path.is_file() else 'missing'
      raise ValueError(
        f'{path} is {what}; expected the file as it was prepared; delete {folder} and run '
        f'`python -m experiments.prepare {info["name"]}` again'
      )
  blocks = _arrays(folder / 'blocks.npz')
  spectra = _cut(folder, blocks, _arrays(folder / 'meta.npz'), document['source'])
  return spectra if document['list'] else spectra[0]


def _arrays(path: pathlib.Path) -> dict[str, np.ndarray]:
  with np.load(path, allow_pickle=False) as stored:
    return {name: stored[name] for name in stored.files}


def _cut(
  folder: pathlib.Path,
  blocks: Mapping[str, np.ndarray],
  columns: Mapping[str, np.ndarray],
  source: str,
) -> list[Spectra]:
  flat = np.asarray(np.load(folder / 'values.npy', mmap_mode='r'))
  masked = (folder / 'mask.npy').exists()
  flags = np.asarray(np.load(folder / 'mask.npy', mmap_mode='r')) if masked else None
  grids = np.split(blocks['grids'], np.cumsum(blocks['grid_points'])[:-1])
  spectra, value, row = [], 0, 0
  for i, rows in enumerate(blocks['rows'].tolist()):
    axis = grids[blocks['grid'][i]]
    shape = (rows, len(axis))
    here = slice(value, value + rows * len(axis))
    mask = flags[here].reshape(shape) if masked else np.broadcast_to(np.True_, shape)
    about = [str(blocks[name][i]) for name in ('axis_unit', 'kind', 'state')]
    meta = {name: column[row : row + rows] for name, column in columns.items()}
    spectra.append(Spectra(flat[here].reshape(shape), axis, *about, mask, meta, source))
    value, row = here.stop, row + rows
  return spectra


def _write_flat(path: pathlib.Path, parts: Sequence[np.ndarray], dtype: type) -> None:
  """One .npy file of all parts end to end, without holding them all."""
  size = sum(part.shape[0] * part.shape[1] for part in parts)
  flat = np.lib.format.open_memmap(path, mode='w+', dtype=dtype, shape=(size,))
  at = 0
  for part in parts:
    count = part.shape[0] * part.shape[1]
    flat[at : at + count] = np.asarray(part).reshape(-1)
    at += count
  flat.flush()


def _check_alike(blocks: Sequence[Spectra]) -> None:
  for one in blocks:
    if set(one.meta) != set(blocks[0].meta) or one.source != blocks[0].source:
      raise ValueError(
        f'the spectra have columns {sorted(one.meta)} and {sorted(blocks[0].meta)}, or come from '
        'different files; expected the same columns and one source of all'
      )
