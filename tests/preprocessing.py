"""Spectra and one example of every preprocessing step, which tests go through."""

import numpy as np

from spectra_jax.preprocess import codec
from spectra_jax.spectra import Spectra

AXIS = np.linspace(500.0, 700.0, 61)  # cm^-1


def spectra(values, axis=AXIS, *, kind='absorbance', state='measured', unit='cm^-1'):
  values = np.asarray(values)
  full = np.ones(values.shape, bool)
  return Spectra(values, axis, unit, kind, state, full, {'id': np.arange(len(values))}, 'source')


def drawn(rows=6, axis=AXIS, seed=0, **about):
  """Two bands of random height on a tilted background with noise: all between 0.1 and 0.9."""
  rng = np.random.default_rng(seed)
  place = (axis - axis[0]) / (axis[-1] - axis[0])
  bands = [np.exp(-(((place - centre) / 0.06) ** 2)) for centre in (0.3, 0.7)]
  height = rng.uniform(0.1, 0.25, (4, rows, 1))
  values = height[0] * bands[0] + height[1] * bands[1] + height[2] * place + height[3]
  return spectra(values + 0.003 * rng.normal(size=values.shape), axis, **about)


OPTIONS = {
  'absorbance': ({'floor': 1e-6}, 'transmittance'),
  'arpls': ({'lam': 1e3, 'iterations': 20}, 'raman'),
  'asls': ({'lam': 1e3, 'p': 0.02, 'iterations': 20}, 'raman'),
  'autoscale': ({'by': 'sd'}, 'absorbance'),
  'calibrate': (
    {
      'coefficients': (600.3, 100.1, 0.02),
      'centre': 600.0,
      'half_range': 100.0,
      'axis_unit': 'cm^-1',
    },
    'raman',
  ),
  'crop': ({'low': 520.0, 'high': 680.0}, 'absorbance'),
  'despike': ({'threshold': 4.0, 'reach': 3}, 'raman'),
  'detrend': ({'degree': 2}, 'absorbance'),
  'emsc': (
    {'degree': 2, 'logarithm': True, 'interferent_KxL': np.cos(AXIS / 9)[None]},
    'absorbance',
  ),
  'gap_segment': ({'segment': 3, 'gap': 5, 'derivative': 1}, 'absorbance'),
  'kubelka_munk': ({'floor': 1e-3}, 'reflectance'),
  'msc': ({}, 'absorbance'),
  'normalise': ({'by': 'area'}, 'absorbance'),
  'project': ({'components': 3}, 'absorbance'),
  'resample': ({'axis': np.linspace(510.0, 690.0, 25), 'axis_unit': 'cm^-1'}, 'absorbance'),
  'rnv': ({'percentile': 30.0}, 'absorbance'),
  'savitzky_golay': ({'window': 7, 'degree': 2, 'derivative': 1, 'per': 'axis'}, 'absorbance'),
  'snv': ({}, 'absorbance'),
  'transmittance': ({}, 'absorbance'),
}
# Name of a step -> (the step, kind of the spectra that it takes).
EXAMPLES = {name: (codec.make_step(name, given), kind) for name, (given, kind) in OPTIONS.items()}
