"""What tests augment: lines on axes in cm^-1 and nm, every augmentation switched on."""

import functools

import jax
import numpy as np
import pytest

from configs import default
from spectra_jax import augment
from spectra_jax.augment import frame
from spectra_jax.spectra import Spectra

NU = 600.0 + 2.0 * np.arange(400)  # cm^-1
NM = 1100.0 + 2.0 * np.arange(300)
SPAN = {'cm^-1': NU, 'nm': NM, 'index': np.arange(400.0)}
OPTIONS = default.get_config().augment
ON = {
  'drift': {'position_cm': 4.0, 'width_cm': 6.0},
  'exponential': {'height': 0.5},
  'polynomial': {'height': 0.3},
  'etalon': {'contrast': 0.05},
  'response': {'fraction': 0.1},
  'resolution': {'fwhm_cm': 20.0},
  'shift': {'max_cm': 15.0},
  'shot': {'fraction': 0.01},
  'flicker': {'fraction': 0.01},
  'read': {'fraction': 0.01},
  'crop': {'edge_cm': 50.0, 'keep_cm': ((1000.0, 1100.0),)},
}


def frame_of(kind='raman', state='measured', unit='cm^-1'):
  return frame.Frame(SPAN[unit], unit, kind, state)


def spectra(kind='raman', state='measured', unit='cm^-1'):
  axis = SPAN[unit]
  mask = np.ones((1, len(axis)), bool)
  return Spectra(0 * mask.astype(np.float32), axis, unit, kind, state, mask, {}, 'test')


def options(*names, **changes):
  """config.augment of these augmentations, switched on."""
  return {name: {**OPTIONS[name].to_dict(), **ON[name], **changes} for name in names}


def lorentz(nu, centre, fwhm):
  half = fwhm / 2
  return half**2 / ((nu - centre) ** 2 + half**2)


LINE = np.float32(lorentz(NU, 1001.3, 20.0))
SLOW = pytest.mark.slow
SEEN = np.ones(len(NU), bool)
KEYS = jax.random.split(jax.random.key(0), 256)


@functools.cache
def many(name, kind, unit='cm^-1', **changes):
  """(values, mask) -> values and masks [256, L] of one augmentation, one for each key; jitted."""
  step, _ = augment.STEPS[name]
  given = options(name, **changes)[name]
  run = lambda key, values, mask: step(key, values, mask, frame_of(kind, unit=unit), **given)
  every = jax.jit(jax.vmap(run, in_axes=(0, None, None)))
  return lambda values, mask: tuple(map(np.asarray, every(KEYS, values, mask)))
