"""Spectra whose structure along the axis is known: fringes of one period that lose their phase.

A Gaussian process with the covariance

  <x(nu) x(nu + d)> = exp(-|d| / decay) cos(2 pi d / period)

on top of a flat background: interference fringes of an etalon whose faces are not quite parallel.
Given its past, only one pole matters to what comes d further on, exp(-d / decay + 2 pi i d /
period): a linear layer of tokens every dnu that predicts it has a pole lambda with |lambda| =
exp(-dnu / decay) and angle 2 pi dnu / period. Through noise the best filter forgets sooner, at
nearly the same angle (the Kalman filter: tests/test_pole_drift.py). So it can be seen whether poles
are learned.
"""

import hashlib
import json
from collections.abc import Mapping

import numpy as np

from spectra_jax.spectra import Spectra

ALL = slice(None)
INFO = {
  'name': 'planted',
  'urls': (),  # drawn from its options
  'version': '1.0.0',
  'licence': 'Apache-2.0',
  'citation': 'Drawn by spectra_jax/datasets/planted.py',
  'units': {'ir': 'of the background'},
}


def there(
  count: int,
  period_cm: float,
  decay_cm: float,
  contrast: float,
  noise: float,
  seed: int,
) -> tuple[str, int]:
  """(hash of what draws the spectra, how many they are)."""
  told = [count, period_cm, decay_cm, contrast, noise, seed, INFO['version']]
  return hashlib.sha256(json.dumps(told).encode()).hexdigest(), count


def load(
  axis: np.ndarray,
  rows: slice = ALL,
  *,
  count: int = 1000,
  period_cm: float = 180.0,
  decay_cm: float = 600.0,
  contrast: float = 0.2,
  noise: float = 0.02,
  seed: int = 0,
) -> Mapping[str, Spectra]:
  """(1 + contrast x + noise e)^2 on `axis` [cm^-1]; square roots of it are what is planted.

  Args:
    axis: ascending wavenumbers.
    rows: some of the spectra alone, with the values that they have among all.
    count: spectra.
    period_cm: of the fringes.
    decay_cm: along which they lose their phase.
    contrast: standard deviation of x's part.
    noise: standard deviation of e, white.
    seed: of all of it.

  Raises:
    ValueError: a length that is not positive, or a contrast so large that roots have two signs.
  """
  _check(count, period_cm, decay_cm, contrast, noise)
  rng = np.random.default_rng(seed)
  x_NxL = fringes(rng, np.asarray(axis, np.float64), count, period_cm, decay_cm)
  roots = 1 + contrast * x_NxL + noise * rng.normal(size=x_NxL.shape)
  values = (roots**2).astype(np.float32)[rows]
  ids = np.array([f'planted-{row:05d}' for row in range(count)])[rows]
  source, _ = there(count, period_cm, decay_cm, contrast, noise, seed)
  about = (np.ones(values.shape, bool), {'id': ids, 'group': ids}, source)
  return {'ir': Spectra(values, axis, 'cm^-1', 'ir', 'computed', *about)}


def fringes(
  rng: np.random.Generator, nu_L: np.ndarray, count: int, period_cm: float, decay_cm: float
) -> np.ndarray:
  """[count, L] draws of the process: the real part of z_{i+1} = rho_i z_i + sqrt(1 - |rho_i|^2) e,
  rho_i = exp(-(nu_{i+1} - nu_i) (1 / decay - 2 pi i / period)), which is exact on any axis.
  """
  draw = lambda: rng.normal(size=count) + 1j * rng.normal(size=count)
  rho_L = np.exp(-np.diff(nu_L) * (1 / decay_cm - 2j * np.pi / period_cm))
  z_L = [draw()]
  for rho in rho_L:
    z_L.append(rho * z_L[-1] + np.sqrt(1 - np.abs(rho) ** 2) * draw())
  return np.stack(z_L, 1).real


def pole(period_cm: float, decay_cm: float, dnu: float) -> complex:
  """The planted pole of a layer of tokens every `dnu` [cm^-1]."""
  return complex(np.exp(-dnu * (1 / decay_cm - 2j * np.pi / period_cm)))


def _check(count: int, period_cm: float, decay_cm: float, contrast: float, noise: float) -> None:
  if count < 1 or min(period_cm, decay_cm) <= 0 or noise < 0:
    raise ValueError(
      f'count, period, decay and noise are {count}, {period_cm:g}, {decay_cm:g} and {noise:g}, '
      'expected at least 1, two positive lengths in cm^-1, and no negative noise; correct them'
    )
  if not 0 < contrast <= 0.22:  # 4.5 standard deviations
    raise ValueError(
      f'contrast is {contrast:g}, expected more than 0 and at most 0.22, beyond which roots change '
      'sign; lower it'
    )
