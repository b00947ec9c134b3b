"""Spectra of the UCR time-series archive: Beef and Coffee, with the original sides.

Their wavelengths are lost: the axis counts points, so nothing that works in cm^-1 takes them, and
every series was brought to mean 0 and standard deviation 1 (n - 1 in the denominator).
"""

import pathlib

import numpy as np

from spectra_jax import native
from spectra_jax.spectra import Spectra

INFO = {
  'name': 'ucr',
  'version': '2018',
  'licence': 'unknown; the archive asks to be cited',
  'citation': 'Dau et al. 2018, The UCR time series archive, arXiv:1810.07758; Beef: Al-Jowder, '
  'Kemsley and Wilson 2002, doi:10.1021/jf0110697; Coffee: Briandet, Kemsley and Wilson 1996, '
  'doi:10.1021/jf950305a',
  'urls': ('https://www.cs.ucr.edu/~eamonn/time_series_data_2018/',),
  'files': {
    'Beef_TRAIN.tsv': 'a62197379ea58236e8b9dea739a821b309ab6782d1521d5e5758cadefe90b3fe',
    'Beef_TEST.tsv': '17cd4d7c06d71d5a6685923e82c222e418746693a02b83e30d11a979a209461f',
    'Coffee_TRAIN.tsv': 'a722ab8acd6c18b11b8fa835fbe523fc072e6ce4434b44d7919fa95152d377bf',
    'Coffee_TEST.tsv': '07f25cedb9fd819a201e7de6abbdc444695b4b16ee70295010e401f18c38babd',
  },
  'content': {},
  'manual': 'no licence allows a download for you: get Beef and Coffee from '
  'https://www.cs.ucr.edu/~eamonn/time_series_data_2018/',
  'units': {'axis': 'index', 'absorbance': 'standardised, no unit'},
}
SETS = ('Beef', 'Coffee')


def _parse(folder: pathlib.Path, source: str) -> list[Spectra]:
  return [_set(folder, name, source) for name in SETS]


def _set(folder: pathlib.Path, name: str, source: str) -> Spectra:
  sides = {side: np.loadtxt(folder / f'{name}_{side.upper()}.tsv') for side in ('train', 'test')}
  table = np.concatenate(list(sides.values()))
  ids = np.array([f'{name}-{side}-{i}' for side, rows in sides.items() for i in range(len(rows))])
  meta = {
    'id': ids,
    'group': ids,  # which series are of one sample is lost
    'set': np.full(len(table), name),
    'label': np.array([f'{name}-{int(label)}' for label in table[:, 0]]),
    'side': np.repeat(list(sides), [len(rows) for rows in sides.values()]),
  }
  values = np.float32(table[:, 1:])
  axis = np.arange(values.shape[1], dtype=np.float64)
  about = ('index', 'absorbance', 'snv')
  return Spectra(values, axis, *about, np.ones(values.shape, bool), meta, source)


read, load, there = native.bind(INFO, _parse)
