"""NIRSoil: 825 soils of the Chimiometrie 2006 challenge; nitrogen, carbon, exchange capacity."""

import pathlib

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
  'manual': "NIRsoil.npz holds prospectr's NIRsoil: spc as X (float32), wavelength_nm, Nt, Ciso, "
  'CEC and train, NaN where a value is missing',
  'units': {
    'axis': 'nm',
    'log_reflectance': 'log10(1/R)',
    'target/Nt': 'g total nitrogen per kg of dry soil',
    'target/Ciso': 'g carbon per 100 g of dry soil',
    'target/CEC': 'meq per 100 g of dry soil',
  },
}
TARGETS = ('Nt', 'Ciso', 'CEC')


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
