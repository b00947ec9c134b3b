"""NIRSoil: 825 soils of the Chimiometrie 2006 challenge; nitrogen, carbon, exchange capacity."""

import pathlib
from collections.abc import Mapping

import numpy as np

from spectra_jax import native
from spectra_jax.spectra import Spectra

INFO = {
  'name': 'nirsoil',
  'version': '1.0.0',
  'licence': 'MIT (R package prospectr)',
  'citation': 'Fernandez Pierna and Dardenne 2008, doi:10.1016/j.chemolab.2007.06.002',
  'urls': ('https://cran.r-project.org/package=prospectr',),
  'files': {'NIRsoil.npz': '3ba6128c718d71167ce140908a60bf1e268f2db1840918673b16b37c21728fe0'},
  'content': {'NIRsoil.npz': 'b8a8b2ae3c2f855b1f886558e95bdc040f6a7cc46da85bf6b2800e90a2b8c48a'},
  'manual': 'get NIRsoil.RData of the R package prospectr, and give it as --source: prepare makes '
  'NIRsoil.npz of it',
  'units': {
    'axis': 'nm',
    'log_reflectance': 'log10(1/R)',
    'target/Nt': 'g total nitrogen per kg of dry soil',
    'target/Ciso': 'g carbon per 100 g of dry soil',
    'target/CEC': 'meq per 100 g of dry soil',
  },
}
TARGETS = ('Nt', 'Ciso', 'CEC')


def from_r(stored: Mapping[str, Mapping]) -> dict[str, np.ndarray]:
  """The arrays of NIRsoil.npz from the data frame in prospectr's NIRsoil.RData."""
  frame = stored['NIRsoil']
  return {
    'X': np.float32(frame['spc']),
    'wavelength_nm': np.arange(1100.0, 2500.0, 2.0),
    **{name: np.asarray(frame[name], np.float64) for name in (*TARGETS, 'train')},
  }


def _parse(folder: pathlib.Path, source: str) -> Spectra:
  with np.load(folder / 'NIRsoil.npz', allow_pickle=False) as stored:
    values, axis = np.float32(stored['X']), stored['wavelength_nm'].astype(np.float64)
    names = np.array([f'soil-{i}' for i in range(len(values))])
    meta = {
      'id': names,
      'group': names,  # which soils come from one site is not known
      'side': np.where(stored['train'] == 1, 'train', 'test'),
      **{f'target/{name}': _known(stored[name]) for name in TARGETS},
    }
  about = ('nm', 'log_reflectance', 'measured')
  return Spectra(values, axis, *about, np.ones(values.shape, bool), meta, source)


def _known(target: np.ndarray) -> np.ndarray:
  # R's NA is a signalling NaN, of whose cast numpy warns.
  return np.where(np.isnan(target), np.nan, target).astype(np.float32)


read, load, there = native.bind(INFO, _parse)
