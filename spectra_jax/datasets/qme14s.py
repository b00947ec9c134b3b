"""QMe14S: computed IR and Raman spectra of 186,102 small molecules of 14 elements, broadened.

Two folders of text files, IR_broaden/IR_<number>.csv and Raman_broaden/Raman_<number>.csv. Each has
the SMILES in the first line, then a line `Z,x,y,z` for each atom, then the intensities, one or
several a line. A pair is right if number, SMILES and atoms of the two files agree; maxima are
compared as well (`spectra_jax.pairing`). The group is the molecular formula.

The layout is as others who use the files describe it; the files were not at hand here. They do not
state an axis: 500 + i cm^-1 is assumed, and refused unless there are 3,500 or 3,501 points.
"""

import collections
import pathlib

import numpy as np

from spectra_jax import data_files, native, pairing
from spectra_jax.spectra import Spectra

INFO = {
  'name': 'qme14s',
  'version': '2025',
  'licence': 'see the figshare page',
  'citation': 'QMe14S: A comprehensive and efficient spectral data set for small organic '
  'molecules, J. Phys. Chem. Lett. 2025, doi:10.1021/acs.jpclett.5c00839',
  'urls': ('https://figshare.com/s/889262a4e999b5c9a5b3',),
  'files': {},  # hundreds of thousands, whose sha256 nobody has published
  'content': {},
  'manual': 'figshare has no stable address of a file: get IR_broaden and Raman_broaden from '
  'https://figshare.com/s/889262a4e999b5c9a5b3 and unpack them into one folder',
  'units': {'axis': 'cm^-1, assumed', 'ir': 'as published', 'raman': 'as published'},
  'not_verified': 'layout, axis and counts; others report spectra that are zero throughout',
}
KINDS = {'ir': ('IR_broaden', 'IR_'), 'raman': ('Raman_broaden', 'Raman_')}
POINTS = (3500, 3501)
FIRST_CM = 500.0
SYMBOLS = {
  **{1: 'H', 5: 'B', 6: 'C', 7: 'N', 8: 'O', 9: 'F', 13: 'Al', 14: 'Si', 15: 'P', 16: 'S'},
  **{17: 'Cl', 33: 'As', 34: 'Se', 35: 'Br'},
}
Molecule = tuple[str, np.ndarray, np.ndarray]  # SMILES, atoms [A, 4], intensities [L]


def _parse(folder: pathlib.Path, source: str) -> list[Spectra]:
  files = {kind: _files(folder, *where) for kind, where in KINDS.items()}
  alone = set(files['ir']) ^ set(files['raman'])
  if alone:
    raise ValueError(
      f'{folder}: {len(alone)} molecules have one file only, the first is number {min(alone)}; '
      'expected IR and Raman of each; unpack both archives anew'
    )
  numbers, rows = sorted(files['ir']), {'ir': [], 'raman': []}
  smiles, formulas = [], []
  for number in numbers:
    ir, raman = (read_molecule(files[kind][number]) for kind in KINDS)
    _check_pair(number, ir, raman)
    smiles.append(ir[0])
    formulas.append(formula(ir[1][:, 0].astype(int)))
    rows['ir'].append(np.float32(ir[2]))
    rows['raman'].append(np.float32(raman[2]))
  values = {kind: np.stack(of_kind) for kind, of_kind in rows.items()}
  axis = FIRST_CM + np.arange(values['ir'].shape[1])
  pairing.check(axis, values['ir'], values['raman'], str(folder))
  names = np.array([f'qme14s-{number}' for number in numbers])
  meta = {'id': names, 'group': np.array(formulas), 'smiles': np.array(smiles)}
  mask = np.broadcast_to(np.True_, values['ir'].shape)
  return [
    Spectra(values[kind], axis, 'cm^-1', kind, 'computed', mask, dict(meta), source)
    for kind in KINDS
  ]


def read_molecule(path: pathlib.Path) -> Molecule:
  """(SMILES, atoms [A, 4] of Z, x, y, z, intensities [L]) of one file.

  Raises:
    ValueError: no atoms, or another number of intensities than 3,500 or 3,501.
  """
  smiles, *lines = path.read_text().split('\n')
  cells = [[cell for cell in line.split(',') if cell.strip()] for line in lines]
  filled = [line for line in cells if line]
  count = next((i for i, line in enumerate(filled) if len(line) != 4), len(filled))
  atoms = np.array(filled[:count], float)
  intensities = np.array([cell for line in filled[count:] for cell in line], float)
  if not count or len(intensities) not in POINTS:
    raise ValueError(
      f'{path} has {count} atoms and {len(intensities)} intensities, expected atoms and '
      f'{" or ".join(map(str, POINTS))} intensities; unpack the archive anew'
    )
  return smiles.strip(), atoms, intensities


def formula(atomic_numbers: np.ndarray) -> str:
  """The formula in Hill order: C, H, then by name; without C all by name."""
  counts = collections.Counter(SYMBOLS.get(z, f'[{z}]') for z in atomic_numbers.tolist())
  first = [name for name in ('C', 'H') if name in counts and 'C' in counts]
  names = first + sorted(set(counts) - set(first))
  return ''.join(f'{name}{counts[name] if counts[name] > 1 else ""}' for name in names)


def _files(folder: pathlib.Path, name: str, prefix: str) -> dict[int, pathlib.Path]:
  found = {
    int(path.stem.removeprefix(prefix)): path
    for path in data_files.visible_files(folder / name)
    if path.suffix == '.csv' and path.stem.removeprefix(prefix).isdigit()
  }
  if not found:
    raise ValueError(
      f'{folder / name} has no {prefix}<number>.csv, expected one a molecule; {INFO["manual"]}'
    )
  return found


def _check_pair(number: int, ir: Molecule, raman: Molecule) -> None:
  same = ir[0] == raman[0] and np.array_equal(ir[1], raman[1]) and len(ir[2]) == len(raman[2])
  if not same:
    raise ValueError(
      f'molecule {number} is {ir[0]} with {len(ir[1])} atoms in the IR file and {raman[0]} with '
      f'{len(raman[1])} in the Raman file, expected the same atoms, positions and points; unpack '
      'both archives anew'
    )


read, load, there = native.bind(INFO, _parse)
