"""The recovery of planted lines in cm^-1, without noise and at the Cramer-Rao bound."""

import numpy as np
import pytest

from spectra_jax.line_recovery import estimate, matrix_pencil, refine
from tests.planted_lines import AREA, AXIS, CENTRE, GAMMA, lorentzians, mirrored


def assert_lines(found, centre_atol, gamma_atol, area_rtol):
  np.testing.assert_allclose(found.centre_K, CENTRE, rtol=0, atol=centre_atol)
  np.testing.assert_allclose(found.gamma_K, GAMMA, rtol=0, atol=gamma_atol)
  np.testing.assert_allclose(found.area_K, AREA, rtol=area_rtol)


def test_the_pencil_is_exact_for_lines_with_all_their_tails():
  wide = mirrored(CENTRE, GAMMA + 20, AREA, AXIS)
  found = estimate(wide, AXIS, 5, 400)
  np.testing.assert_allclose(found.centre_K, CENTRE, rtol=0, atol=1e-7)
  np.testing.assert_allclose(found.gamma_K, GAMMA + 20, rtol=0, atol=1e-7)


def test_planted_lines_are_recovered():
  """On a finite window the pencil is 0.05 cm^-1 off; least squares then leaves only rounding."""
  spectrum = lorentzians(CENTRE, GAMMA, AREA, AXIS)
  start = estimate(spectrum, AXIS, 5, 400)
  assert_lines(start, 0.05, 0.1, 0.01)
  assert np.abs(start.centre_K - CENTRE).max() > 1e-3
  assert_lines(refine(spectrum, AXIS, start), 1e-6, 1e-6, 1e-7)


def standard_errors(sigma):
  """Cramer-Rao: square roots of the diagonal of sigma^2 (J^T J)^-1 for centres and widths."""
  p = np.concatenate([CENTRE, GAMMA, AREA])
  shift = lambda k: np.eye(15)[k] * 1e-4
  model = lambda p: lorentzians(*np.split(p, 3), AXIS)
  slope = np.stack([(model(p + shift(k)) - model(p - shift(k))) / 2e-4 for k in range(15)], -1)
  return sigma * np.sqrt(np.diag(np.linalg.inv(slope.T @ slope)))


def test_with_noise_of_one_percent_the_lines_are_as_good_as_noise_allows():
  clean = lorentzians(CENTRE, GAMMA, AREA, AXIS)
  sigma = 0.01 * clean.max()
  errors = []
  for seed in range(8):
    noisy = clean + sigma * np.random.default_rng(seed).normal(size=clean.shape)
    found = refine(noisy, AXIS, estimate(noisy, AXIS, 5, 400))
    errors.append(np.concatenate([found.centre_K - CENTRE, found.gamma_K - GAMMA]))
  scaled = np.array(errors) / standard_errors(sigma)[:10]
  assert np.abs(scaled).max() < 4.5
  assert 0.7 < np.sqrt((scaled**2).mean()) < 1.3
  assert np.abs(errors).max() < 1.0  # cm^-1


def test_too_few_samples_and_too_many_lines_are_refused():
  with pytest.raises(ValueError, match='8 samples cannot tell 4 poles'):
    matrix_pencil(np.ones(8), 4)
  with pytest.raises(ValueError, match='poles of the interferogram ring and decay'):
    estimate(-AXIS, AXIS, 9, 60)
