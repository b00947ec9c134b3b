"""Ratios of sums, and bootstrap intervals that cover as often as they say."""

import numpy as np
import pytest

from spectra_jax.metrics import bootstrap_ratio, mean_interval, ratio


def test_ratio_is_of_sums_and_merges():
  a, b = np.array([1.0, 2.0, 3.0]), np.array([2.0, 2.0, 4.0])
  assert ratio(a, b) == 0.75
  halves = [ratio(a[s], b[s]) * b[s].sum() for s in (slice(0, 1), slice(1, 3))]
  assert sum(halves) / b.sum() == ratio(a, b)


def test_interval_is_reproducible_and_holds_the_estimate():
  rng = np.random.default_rng(0)
  a, b = rng.gamma(1.0, 1.0, (2, 200))
  low, high = bootstrap_ratio(a, b)
  assert (low, high) == bootstrap_ratio(a, b)
  assert low < ratio(a, b) < high


def test_interval_of_a_constant_ratio_has_no_width():
  b = np.random.default_rng(0).gamma(1.0, 1.0, 50)
  low, high = bootstrap_ratio(0.3 * b, b)
  assert abs(low - 0.3) < 1e-12
  assert abs(high - 0.3) < 1e-12


def test_interval_covers_the_truth_about_as_often_as_it_says():
  rng = np.random.default_rng(1)
  covered = 0
  for _ in range(200):
    a, b = rng.gamma(2.0, 0.5, 120), rng.gamma(2.0, 1.0, 120)
    low, high = bootstrap_ratio(a, b, resamples=400)
    covered += low <= 0.5 <= high
  assert 178 <= covered <= 200  # 95 % nominal; below 178 has probability under 1e-4


def test_interval_over_seeds_covers_the_mean_as_often_as_it_says():
  values = np.random.default_rng(2).normal(1.0, 0.3, (2000, 3))
  covered = [low <= 1.0 <= high for _, low, high in map(mean_interval, values)]
  assert abs(np.mean(covered) - 0.95) < 0.02  # four standard errors
  mean, low, high = mean_interval([1.0, 2.0, 3.0])  # 4.303 = t of two degrees of freedom
  np.testing.assert_allclose((mean, high - mean, mean - low), (2.0, 4.3027 / 3**0.5, 2.4841), 1e-4)
  with pytest.raises(ValueError, match='there are 1 values, expected at least 2'):
    mean_interval([1.0])
