"""Probes find what is there, are no better than chance where nothing is, and never see a group."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from spectra_jax import probes

RNG = np.random.default_rng(0)
GROUP = np.repeat(np.arange(60), 10).astype(str)
LABEL = RNG.integers(0, 4, 600)


def test_a_planted_class_is_found_and_noise_is_chance():
  noise = RNG.normal(size=(600, 12))
  assert abs(probes.told_class(noise, LABEL, GROUP, 4).value - 0.25) < 0.06
  planted = noise + 4.0 * np.eye(12)[LABEL]
  assert probes.told_class(planted, LABEL, GROUP, 4).value > 0.9


def test_a_class_in_a_product_is_seen_by_the_nonlinear_probe_alone():
  x = RNG.normal(size=(600, 2))
  label = (x.prod(1) > 0).astype(int)
  assert probes.told_class(x, label, GROUP, 2).value < 0.6
  assert probes.told_class(x, label, GROUP, 2, nonlinear=True).value > 0.85


def test_a_class_that_is_known_by_the_group_alone_is_not_told():
  """Features that name the group, classes that belong to groups: other groups say nothing."""
  features = np.eye(60)[np.repeat(np.arange(60), 10)]
  label = np.repeat(RNG.integers(0, 4, 60), 10)
  assert probes.told_class(features, label, GROUP, 4).value < 0.45
  assert probes.told_class(np.eye(4)[label], label, GROUP, 4).value == 1.0


def test_numbers_are_told_as_far_as_noise_allows():
  x = RNG.normal(size=(600, 5))
  exact = x @ RNG.normal(size=(5, 2))
  assert probes.told_numbers(x, exact, GROUP).value < 0.02
  noisy = exact + exact.std(0) * RNG.normal(size=exact.shape)
  np.testing.assert_allclose(probes.told_numbers(x, noisy, GROUP).value, np.sqrt(0.5), atol=0.05)
  still = np.concatenate([exact, np.ones((600, 1))], 1)
  assert probes.told_numbers(x, still, GROUP).value == probes.told_numbers(x, exact, GROUP).value
  with pytest.raises(ValueError, match='no property varies over these rows'):
    probes.told_numbers(x, np.ones((600, 1)), GROUP)


def test_the_ridge_is_that_of_scikit_learn():
  x, y, test = RNG.normal(size=(80, 6)), RNG.normal(size=(80, 3)), RNG.normal(size=(9, 6))
  found = probes._ridge(x, y, test, nonlinear=False)
  standard = lambda some: (some - x.mean(0)) / x.std(0)
  fits = [Ridge(alpha=80 * s).fit(standard(x), y).predict(standard(test)) for s in probes.STRENGTHS]
  assert min(np.abs(found - fit).max() for fit in fits) < 1e-10


def test_units_that_never_move_are_not_active():
  mean = np.concatenate([RNG.normal(size=(100, 3)), 0.01 * RNG.normal(size=(100, 5))], 1)
  assert probes.active_units(mean + 7.0) == 3
  assert probes.active_units(np.ones((10, 4))) == 0
