"""Meat on a Tecator Infratec: 215 spectra, moisture, fat and protein.

22 spectra are there twice, with the same targets; seven of these pairs lie across the customary
split in file order. They are kept: `group` is the first of the pair, so that grouped splits keep
them together, and 'side' is the customary split.
"""

import pathlib
from collections.abc import Mapping

import numpy as np

from spectra_jax import native
from spectra_jax.spectra import Spectra

INFO = {
  'name': 'tecator',
  'version': '1.0.0',
  'licence': 'free to use as long as the Tecator note is kept (StatLib)',
  'citation': 'Borggaard and Thodberg 1992, doi:10.1021/ac00029a018; recorded on a Tecator '
  'Infratec Food and Feed Analyzer',
  'urls': ('http://lib.stat.cmu.edu/datasets/tecator',),
  'files': {'tecator.npz': 'f8242c5d6e47544a03de254821394e0a442852560b471a61376f4322b09ef8c7'},
  'content': {'tecator.npz': '74f64b681a154ea07b7be22260f362bd82312fb8f2aeae31a229b37a87d128a1'},
  'manual': 'get tecator.RData of the R package caret, and give it as --source: prepare makes '
  'tecator.npz of it',
  'units': {
    'axis': 'nm, nominal: the first and last wavelength are known, the steps are assumed equal',
    'absorbance': '-log10 of the transmittance',
    'targets': '% by mass',
  },
  'duplicates': (  # rows that are equal in every spectral value and target
    *((11, 47), (12, 187), (14, 50), (15, 53), (16, 189), (25, 137), (27, 28), (35, 109)),
    *((36, 115), (37, 116), (38, 141), (39, 122), (57, 134), (58, 191), (60, 61), (63, 149)),
    *((74, 135), (85, 179), (88, 180), (138, 203), (144, 175), (185, 214)),
  ),
}
TARGETS = ('moisture', 'fat', 'protein')
SIDES = (('train', 129), ('validation', 43), ('test', 43))  # in file order


def from_r(stored: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
  """The arrays of tecator.npz from those of caret's tecator.RData."""
  return {
    'X': np.asarray(stored['absorp']),
    'Y': np.asarray(stored['endpoints']),
    'y_names': np.array(TARGETS),
    'wavelength_nm': np.linspace(850, 1050, 100),
  }


def _parse(folder: pathlib.Path, source: str) -> Spectra:
  with np.load(folder / 'tecator.npz', allow_pickle=False) as stored:
    values, targets = np.float32(stored['X']), np.float32(stored['Y'])
    axis = stored['wavelength_nm'].astype(np.float64)
  first = np.arange(len(values))
  for one, other in INFO['duplicates']:
    first[other] = one
  meta = {
    'id': np.array([f'tecator-{i}' for i in range(len(values))]),
    'group': np.array([f'tecator-{i}' for i in first]),
    'side': np.repeat(*zip(*SIDES, strict=True)),
    **{f'target/{name}': targets[:, i] for i, name in enumerate(TARGETS)},
  }
  about = ('nm', 'absorbance', 'measured')
  return Spectra(values, axis, *about, np.ones(values.shape, bool), meta, source)


read, load, there = native.bind(INFO, _parse)
