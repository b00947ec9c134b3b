"""Spectra and one example of every preprocessing step, which tests go through."""

import numpy as np

from spectra_jax.preprocess.steps import (
  absorbance,
  arpls,
  asls,
  autoscale,
  calibrate,
  crop,
  despike,
  detrend,
  emsc,
  gap_segment,
  kubelka_munk,
  msc,
  normalise,
  project,
  resample,
  rnv,
  savitzky_golay,
  snv,
  transmittance,
)
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


EXAMPLES = {
  'absorbance': (absorbance.Step(1e-6), 'transmittance'),
  'arpls': (arpls.Step(1e3, iterations=20), 'raman'),
  'asls': (asls.Step(1e3, 0.02, iterations=20), 'raman'),
  'autoscale': (autoscale.Step('sd'), 'absorbance'),
  'calibrate': (calibrate.Step((600.3, 100.1, 0.02), 600.0, 100.0, 'cm^-1'), 'raman'),
  'crop': (crop.Step(520.0, 680.0), 'absorbance'),
  'despike': (despike.Step(4.0, 3), 'raman'),
  'detrend': (detrend.Step(2), 'absorbance'),
  'emsc': (emsc.Step(2, logarithm=True, interferent_KxL=np.cos(AXIS / 9)[None]), 'absorbance'),
  'gap_segment': (gap_segment.Step(3, 5, 1), 'absorbance'),
  'kubelka_munk': (kubelka_munk.Step(1e-3), 'reflectance'),
  'msc': (msc.Step(), 'absorbance'),
  'normalise': (normalise.Step('area'), 'absorbance'),
  'project': (project.Step(3), 'absorbance'),
  'resample': (resample.Step(np.linspace(510.0, 690.0, 25), 'cm^-1'), 'absorbance'),
  'rnv': (rnv.Step(30.0), 'absorbance'),
  'savitzky_golay': (savitzky_golay.Step(7, 2, 1, per='axis'), 'absorbance'),
  'snv': (snv.Step(), 'absorbance'),
  'transmittance': (transmittance.Step(), 'absorbance'),
}
