"""Tabulated n and k of liquids and glasses, from the refractiveindex.info database.

Each material has its own grid, which is the published one in micrometres turned into cm^-1.
n and k are two kinds, row for row the same materials.
"""

import pathlib

import numpy as np
import yaml

from spectra_jax import native
from spectra_jax.spectra import Spectra

_DATABASE = (
  'https://raw.githubusercontent.com/polyanskiy/refractiveindex.info-database/'
  'ff11b5897ef0754b15d939d921eb6c745693cbd1/database/data/'
)
INFO = {
  'name': 'optical_constants',
  'version': '2026.6.14',
  'licence': 'CC0-1.0',
  'citation': 'Polyanskiy 2024, Refractiveindex.info database of optical constants, '
  'doi:10.1038/s41597-023-02898-2; and the references inside each file',
  'urls': (  # of the files, in their order
    f'{_DATABASE}main/H2O/nk/Hale.yml',
    f'{_DATABASE}main/H2O/nk/Rowe-273K.yml',
    f'{_DATABASE}main/H2O/nk/Segelstein.yml',
    f'{_DATABASE}main/MgF2/nk/Franta.yml',
    f'{_DATABASE}main/SiO2/nk/Franta-25C.yml',
    f'{_DATABASE}organic/C6H6%20-%20benzene/nk/Myers.yml',
    f'{_DATABASE}organic/C2H6O%20-%20ethanol/nk/Myers.yml',
    f'{_DATABASE}organic/(C8H8)n%20-%20polystyrene/nk/Myers.yml',
    f'{_DATABASE}organic/C3H8O%20-%20propanol/nk/Myers.yml',
  ),
  'files': {
    'H2O_Hale.yml': 'df1af6b4352c3378cf81b149ac2280de30d80e2941d147786d5e7cd5044a8847',
    'H2O_Rowe-273K.yml': 'c4bb53b5af850ae0488701087ff876701cec221e275a368db9d76051e06eb13f',
    'H2O_Segelstein.yml': '27005e9b485366a02dde84e467a972595e0a4a98db36951ddcfeaf38dd9011b2',
    'MgF2_Franta.yml': 'c51389d0430c21d8959388605266bc160abe14a04242cfa7ba8d1812bde2e58e',
    'SiO2_Franta-25C.yml': '264d9c11bd19802cab5201e63a63f92b7d5e0a299ced817a3c9493302cdb1eab',
    'benzene_Myers.yml': '1bac8035ed2f9607104d03799105d2d9738031d1b7b01b4336f304cea4c8e7ca',
    'ethanol_Myers.yml': 'c5a6edc22db5b1893df1e1035698628321c62a7f4c05a312955c66209b7ceee6',
    'polystyrene_Myers.yml': '9e271ba0dece43334ca0c10af35acdd99fa42dcb2808d2736b1073b6e433075b',
    'propanol_Myers.yml': '16a03f807007fdeffe7cba94c93062de5e51a0af8b8b07bdf371b6dd4aa01f06',
  },
  'content': {},
  'manual': '',
  'units': {'axis': 'cm^-1', 'n': '1', 'k': '1, absorbing media have k > 0'},
}
UM_PER_CM = 1e4  # nu [cm^-1] = 1e4 / lambda [um]
TABULATED = 'tabulated nk'


def _parse(folder: pathlib.Path, source: str) -> list[Spectra]:
  tables = {name: _table(folder / name) for name in INFO['files']}
  return [
    _spectra(name, nu, values, kind, source)
    for kind in ('n', 'k')
    for name, (nu, values) in tables.items()
  ]


def _table(path: pathlib.Path) -> tuple[np.ndarray, dict[str, np.ndarray]]:
  """(nu [L] cm^-1, {'n': [L], 'k': [L]}); rows that repeat a wavelength are dropped."""
  # The loader in Python takes half a second a file.
  document = yaml.load(path.read_text(), yaml.CSafeLoader)
  blocks = [block for block in document['DATA'] if block['type'] == TABULATED]
  if len(blocks) != 1:
    raise ValueError(
      f'{path} has {len(blocks)} blocks of type {TABULATED!r}, expected one; take another page of '
      'this material'
    )
  rows = np.array([line.split() for line in blocks[0]['data'].split('\n') if line], float)
  nu, first = np.unique(UM_PER_CM / rows[:, 0], return_index=True)
  return nu, {'n': rows[first, 1], 'k': rows[first, 2]}


def _spectra(name: str, nu: np.ndarray, values: dict, kind: str, source: str) -> Spectra:
  page = name.removesuffix('.yml')
  material, author = page.split('_')
  meta = {
    'id': np.array([page]),
    'group': np.array([material]),
    'label': np.array([material]),
    'author': np.array([author]),
  }
  row = np.float32(values[kind])[None]
  return Spectra(row, nu, 'cm^-1', kind, 'measured', np.ones(row.shape, bool), meta, source)


read, load, there = native.bind(INFO, _parse)
