"""Cosine and divergence against loops over the formulas and their invariances."""

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import KNeighborsClassifier

from spectra_jax.likeness import cosine, nearest_of_classes, spectral_information_divergence


def made(seed):
  return np.random.default_rng(seed).gamma(1.0, size=(2, 5, 40))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.01, 100))
def test_both_ask_for_shape_and_not_for_scale(seed, scale):
  p, y = made(seed)
  for score in (cosine, lambda a, b: spectral_information_divergence(a, b, 1e-3)):
    assert score(scale * p, y).value == pytest.approx(score(p, y).value, rel=1e-6)
    assert score(y, p).value == pytest.approx(score(p, y).value)
  assert cosine(scale * y, y).value == pytest.approx(1.0)
  assert spectral_information_divergence(scale * y, y, 1e-3).value == pytest.approx(0.0, abs=1e-9)
  assert cosine(p, y).value < 1
  assert spectral_information_divergence(p, y, 1e-3).value > 0


def test_divergence_is_two_relative_entropies():
  p, y = made(1)
  each = [
    scipy.stats.entropy(*(x + 1e-3 * x.mean() for x in pair))
    + scipy.stats.entropy(*(x + 1e-3 * x.mean() for x in pair[::-1]))
    for pair in zip(p, y, strict=True)
  ]
  assert spectral_information_divergence(p, y, 1e-3).value == pytest.approx(np.mean(each))


def test_zeros_and_signs():
  y = np.array([[0.0, 1.0, 0.0]])
  floors = [
    spectral_information_divergence(np.array([[1.0, 0, 0]]), y, f).value for f in (1e-2, 1e-4)
  ]
  assert floors[0] < floors[1] < np.inf
  empty = spectral_information_divergence(-y, y, 1e-3).value
  flat = spectral_information_divergence(np.ones((1, 3)), y, 1e-3).value
  assert empty == pytest.approx(flat)
  with pytest.raises(ValueError, match='reference 0 is -1 somewhere'):
    spectral_information_divergence(y, -y, 1e-3)
  with pytest.raises(ValueError, match='spectrum 0 is zero everywhere'):
    cosine(0 * y, y)
  with pytest.raises(ValueError, match=r'shapes \(1, 3\) and \(1, 2\)'):
    cosine(y, y[:, :2])
  with pytest.raises(ValueError, match='floor is 0, expected a positive share'):
    spectral_information_divergence(y, y, 0)


def test_the_nearest_spectrum_is_scikit_learns_and_a_class_without_one_is_last():
  rng = np.random.default_rng(3)
  values, library, class_N = rng.normal(size=(9, 20)), rng.normal(size=(30, 20)), np.arange(30) % 4
  found = nearest_of_classes(values, library, class_N, 5)
  nearest = KNeighborsClassifier(1, metric='cosine').fit(library, class_N)
  np.testing.assert_array_equal(found.argmax(1), nearest.predict(values))
  np.testing.assert_allclose(1 - found.max(1), nearest.kneighbors(values)[0][:, 0])
  assert (found[:, 4] == -1).all()
  np.testing.assert_allclose(nearest_of_classes(7 * values, library / 3, class_N, 5), found)
