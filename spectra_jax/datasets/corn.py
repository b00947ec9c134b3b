"""Corn on three near-infrared instruments: 80 samples, four properties, glass standards.

`corn.mat` as Cargill and Eigenvector Research gave it away: m5, mp5 and mp6 have each measured the
same 80 samples at 700 wavelengths. One row is one measurement, its group is the sample.
"""

import pathlib

import numpy as np
import scipy.io

from spectra_jax import data_files, native
from spectra_jax.spectra import Spectra

INFO = {
  'name': 'corn',
  'version': '2005.6.1',  # date in the file's header
  'licence': 'unknown; given away by Eigenvector Research without a licence',
  'citation': 'Corn data of M. Blackburn, Cargill, courtesy of Eigenvector Research',
  'urls': ('https://eigenvector.com/resources/data-sets/',),
  'files': {'corn.mat': 'e28fd4be274a54ca57b1f2c67ef5a8bf4981f8314bcc73e4c64836fe658c46b5'},
  'content': {},
  'manual': 'no licence allows a download for you: get corn.mat from '
  'https://eigenvector.com/resources/data-sets/',
  # The file does not say; instruments of this type (m5: FOSS NIRSystems) give log10(1/R).
  'units': {'axis': 'nm', 'log_reflectance': 'log10(1/R)', 'targets': '% by mass'},
}
INSTRUMENTS = ('m5', 'mp5', 'mp6')
TARGETS = ('moisture', 'oil', 'protein', 'starch')


def _parse(folder: pathlib.Path, source: str) -> Spectra:
  stored = scipy.io.loadmat(folder / 'corn.mat')
  values = np.concatenate([_data(stored, f'{name}spec') for name in INSTRUMENTS])
  targets = np.float32(_data(stored, 'propvals'))
  sample = np.array([f'corn-{i + 1:02d}' for i in range(len(targets))])
  instrument = np.repeat(INSTRUMENTS, len(sample))
  groups = np.tile(sample, len(INSTRUMENTS))
  meta = {
    'id': np.array([f'{g}-{i}' for g, i in zip(groups, instrument, strict=True)]),
    'group': groups,
    'instrument': instrument,
    **{f'target/{name}': np.tile(targets[:, i], 3) for i, name in enumerate(TARGETS)},
  }
  return _spectra(stored, values, meta, source)


read, load, there = native.bind(INFO, _parse)


def standards(path: str | pathlib.Path) -> Spectra:
  """The glass standards that each instrument has measured: 3 on m5, 4 on mp5 and on mp6."""
  folder = data_files.place(path, INFO)
  source = data_files.verify(folder, INFO)
  stored = scipy.io.loadmat(folder / 'corn.mat')
  parts = {name: _data(stored, f'{name}nbs') for name in INSTRUMENTS}
  names = [(name, f'glass-{i + 1}') for name, part in parts.items() for i in range(len(part))]
  meta = {
    'id': np.array([f'{glass}-{name}' for name, glass in names]),
    'group': np.array([glass for _, glass in names]),
    'instrument': np.array([name for name, _ in names]),
  }
  return _spectra(stored, np.concatenate(list(parts.values())), meta, source)


def _data(stored: dict, name: str) -> np.ndarray:
  return stored[name]['data'][0, 0]


def _spectra(stored: dict, values: np.ndarray, meta: dict, source: str) -> Spectra:
  axis = stored['m5spec']['axisscale'][0, 0][1, 0].ravel().astype(np.float64)
  mask = np.ones(values.shape, bool)
  about = ('nm', 'log_reflectance', 'measured')
  return Spectra(np.float32(values), axis, *about, mask, meta, source)
