"""Pharmaceutical tablets on two near-infrared instruments: the IDRC 2002 shootout.

655 tablets, each measured on both instruments; weight, hardness and assay (200 mg nominal). One row
is one measurement, its group is the tablet.
"""

import pathlib
from collections.abc import Mapping

import numpy as np

from spectra_jax import native
from spectra_jax.spectra import Spectra

INFO = {
  'name': 'tablets',
  'version': '2002',
  'licence': 'unknown; a copy is in the R package ChemometricsWithRData (GPL-2 or later)',
  'citation': 'Shootout of the International Diffuse Reflectance Conference 2002; Wehrens 2011, '
  'Chemometrics with R, doi:10.1007/978-3-642-17841-2',
  'urls': ('https://cran.r-project.org/package=ChemometricsWithRData',),
  'files': {'shootout.npz': '79a7192ba1a912a0826322fc796b3abafbab61ae7c09dd6b55ab3c8b1738b08f'},
  'content': {'shootout.npz': 'dacf85aae91f3df94293e6f562300c62b21a6777ee71d3df73b248520fc5958d'},
  'manual': 'no licence allows a download for you: get shootout.RData of the R package '
  'ChemometricsWithRData, and give it as --source: prepare makes shootout.npz of it',
  'units': {
    'axis': 'nm',
    'absorbance': 'log10(1/T)',
    'target/weight': 'mg',
    # The order of the columns is read from their sizes, as the file does not name them.
    'target/hardness': 'arbitrary',
    'target/assay': 'mg of active ingredient',
  },
  'outliers': 'calibration rows 18, 121, 125 and 126, which published work leaves out, are marked '
  'in the column outlier and kept',
}
SIDES = {'calibrate': 'train', 'validate': 'validation', 'test': 'test'}
INSTRUMENTS = ('1', '2')
TARGETS = ('weight', 'hardness', 'assay')
OUTLIERS = {'calibrate': (18, 121, 125, 126)}


def from_r(stored: Mapping[str, Mapping]) -> dict[str, np.ndarray]:
  """The arrays of shootout.npz from the list in ChemometricsWithRData's shootout.RData."""
  parts = {name.replace('.', '_'): np.asarray(part) for name, part in stored['shootout'].items()}
  return {**parts, 'wavelength_nm': np.arange(600, 1900, 2)}


def _parse(folder: pathlib.Path, source: str) -> Spectra:
  with np.load(folder / 'shootout.npz', allow_pickle=False) as stored:
    parts = [_part(stored, side, one) for one in INSTRUMENTS for side in SIDES]
    axis = stored['wavelength_nm'].astype(np.float64)
  values = np.concatenate([part for part, _ in parts])
  meta = {name: np.concatenate([columns[name] for _, columns in parts]) for name in parts[0][1]}
  about = ('nm', 'absorbance', 'measured')
  return Spectra(values, axis, *about, np.ones(values.shape, bool), meta, source)


def _part(stored: dict, side: str, instrument: str) -> tuple[np.ndarray, dict[str, np.ndarray]]:
  values, targets = np.float32(stored[f'{side}_{instrument}']), np.float32(stored[f'{side}_Y'])
  count = len(values)
  columns = {
    'id': np.array([f'{side}-{i}-{instrument}' for i in range(count)]),
    'group': np.array([f'{side}-{i}' for i in range(count)]),
    'instrument': np.full(count, instrument),
    'side': np.full(count, SIDES[side]),
    'outlier': np.isin(np.arange(count), OUTLIERS.get(side, ())),
    **{f'target/{name}': targets[:, i] for i, name in enumerate(TARGETS)},
  }
  return values, columns


read, load, there = native.bind(INFO, _parse)
