"""Single wheat kernels in near-infrared transmission: 415 for calibration, 108 for validation."""

import pathlib

import numpy as np
import scipy.io

from spectra_jax import native
from spectra_jax.spectra import Spectra

INFO = {
  'name': 'wheat_kernels',
  'version': '2002.4.17',  # date in the file's header
  'licence': 'unknown; given away by the University of Copenhagen without a licence',
  'citation': 'Nielsen, Pedersen and Munck 2003, doi:10.1094/CCHEM.2003.80.3.274',
  'urls': ('http://www.models.kvl.dk/wheat_kernels',),
  'files': {
    'NITSingleSeed.MAT': '68b3bcbe0526bb223c062f09ef2ecf748f07befde21f9edf42b68f0b5ce30cb6'
  },
  'content': {},
  'manual': 'no licence allows a download for you: get NITSingleSeed.MAT from '
  'http://www.models.kvl.dk/wheat_kernels',
  'units': {'axis': 'nm', 'absorbance': 'log10(1/T)', 'target/protein': '% by mass'},
}
PARTS = {'Calibration': 'train', 'Validation': 'test'}


def _parse(folder: pathlib.Path, source: str) -> Spectra:
  stored = scipy.io.loadmat(folder / 'NITSingleSeed.MAT')
  values = np.concatenate([np.float32(stored[f'{part}_X']) for part in PARTS])
  names = [(part, i) for part in PARTS for i in range(len(stored[f'{part}_X']))]
  ids = np.array([f'{part.lower()}-{i}' for part, i in names])
  meta = {
    'id': ids,
    'group': ids,  # the file does not tell the varieties
    'side': np.array([PARTS[part] for part, _ in names]),
    'target/protein': np.concatenate([np.float32(stored[f'{part}_Y'][:, 0]) for part in PARTS]),
  }
  axis = np.array([float(label) for label in stored['VarLabels_X']])
  about = ('nm', 'absorbance', 'measured')
  return Spectra(values, axis, *about, np.ones(values.shape, bool), meta, source)


read, load, there = native.bind(INFO, _parse)
