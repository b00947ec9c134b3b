"""QM9S: computed IR and Raman spectra of 129,817 small molecules, broadened (B3LYP/def2-TZVP).

Two published tables, ir_boraden.csv and raman_boraden.csv (their spelling), of 8 GB each: a header
with an empty cell and 3,501 wavenumbers, 500 to 4000 cm^-1; then the molecule's number and its
intensities. Rows are paired by that number, whatever their order, and that the pairs are right is
checked on the spectra themselves (`spectra_jax.pairing`).

The layout is as others who use the files describe it; the files were not at hand here. They name
no molecule, so the group is the number. HDF5 versions of the set are other people's and are not
read; the published list of molecules (qm9s.pt) needs PyTorch and has one molecule more.
"""

import pathlib

import numpy as np

from spectra_jax import native, pairing
from spectra_jax.spectra import Spectra

INFO = {
  'name': 'qm9s',
  'version': '24235333',  # figshare article
  'licence': 'CC-BY-4.0',
  'citation': 'Zou et al. 2023, doi:10.1038/s43588-023-00550-y',
  'urls': ('https://doi.org/10.6084/m9.figshare.24235333',),
  'files': {'ir_boraden.csv': '', 'raman_boraden.csv': ''},  # no sha256 was published
  'content': {},
  'manual': 'figshare has no stable address of a file: get ir_boraden.csv and raman_boraden.csv '
  'from https://doi.org/10.6084/m9.figshare.24235333',
  'units': {'axis': 'cm^-1', 'ir': 'as published', 'raman': 'as published'},
  'not_verified': 'layout, counts and the absence of damage; checked are shapes, numbers and pairs',
}
KINDS = {'ir': 'ir_boraden.csv', 'raman': 'raman_boraden.csv'}


def _parse(folder: pathlib.Path, source: str) -> list[Spectra]:
  tables = {kind: read_table(folder / name) for kind, name in KINDS.items()}
  (axis, numbers, ir), (other_axis, other_numbers, raman) = tables['ir'], tables['raman']
  if not np.array_equal(axis, other_axis):
    raise ValueError(f'{folder}: IR and Raman have different axes, expected one; get them again')
  raman = raman[_rows(folder, numbers, other_numbers)]
  pairing.check(axis, ir, raman, str(folder))
  names = np.array([f'qm9s-{number}' for number in numbers])
  meta = {'id': names, 'group': names}
  mask = np.broadcast_to(np.True_, ir.shape)
  return [
    Spectra(values, axis, 'cm^-1', kind, 'computed', mask, dict(meta), source)
    for kind, values in zip(KINDS, (ir, raman), strict=True)
  ]


def read_table(path: pathlib.Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """(axis [L], numbers [N], values [N, L] float32) of a table, line by line.

  Raises:
    ValueError: a line that has not as many numbers as the header, or a number that is there twice.
  """
  with open(path, 'rb') as file:
    count = sum(1 for _ in file) - 1
  with open(path) as file:
    axis = np.array([float(cell) for cell in file.readline().split(',')[1:]])
    numbers, values = np.empty(count, np.int64), np.empty((count, len(axis)), np.float32)
    for row, line in enumerate(file):
      cells = _numbers(line)
      if len(cells) != 1 + len(axis):
        raise ValueError(
          f'{path} line {row + 2} has not the {1 + len(axis)} finite numbers that the header asks '
          f'for ({len(line)} characters); get the file again'
        )
      numbers[row], values[row] = cells[0], cells[1:]
  if len(np.unique(numbers)) != count:
    raise ValueError(f'{path} has a molecule twice, expected different numbers; get it again')
  return axis, numbers, values


def _numbers(line: str) -> np.ndarray:
  """The numbers of a line; none where one of them is no finite number."""
  try:
    cells = np.array(line.split(','), np.float64)
  except ValueError:
    return np.empty(0)
  return cells if np.isfinite(cells).all() else np.empty(0)


def _rows(folder: pathlib.Path, numbers: np.ndarray, others: np.ndarray) -> np.ndarray:
  """Where the Raman table has each molecule of the IR table."""
  alone = np.setxor1d(numbers, others)
  if len(alone):
    raise ValueError(
      f'{folder}: {len(alone)} molecules are in one table only (IR has {len(numbers)}, Raman '
      f'{len(others)}), the first is {alone[0]}; expected the same ones; get the files again'
    )
  order = np.argsort(others)
  return order[np.searchsorted(others, numbers, sorter=order)]


read, load, there = native.bind(INFO, _parse)
