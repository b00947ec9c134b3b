"""Concepts are taken out of features, by no more than it takes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spectra_jax import erasure, probes


def rows(seed, count=400, features=6, classes=3):
  """(features that tell the class, class of each row)."""
  rng = np.random.default_rng(seed)
  label_N = rng.integers(0, classes, count)
  x_NxF = rng.normal(size=(count, features)) @ rng.normal(size=(features, features))
  return x_NxF + 2 * rng.normal(size=(classes, features))[label_N], label_N


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10**6), st.integers(2, 5))
def test_means_of_classes_coincide_and_it_is_a_projection(seed, classes):
  x_NxF, label_N = rows(seed, classes=classes)
  erased = erasure.fit(x_NxF, label_N)
  found_NxF = erased(x_NxF)
  for one in range(classes):
    np.testing.assert_allclose(found_NxF[label_N == one].mean(0), x_NxF.mean(0), atol=1e-9)
  np.testing.assert_allclose(erased(found_NxF), found_NxF, atol=1e-9)
  assert np.linalg.matrix_rank(erased.taken_FxF, tol=1e-9) == classes - 1


def test_no_other_map_that_hides_it_changes_less():
  """Against orthogonal erasure of the means, and LEACE's maps disturbed within those that hide."""
  x_NxF, label_N = rows(1)
  change = lambda r_NxF: ((r_NxF - x_NxF) ** 2).sum(1).mean()
  least = change(erasure.fit(x_NxF, label_N)(x_NxF))
  mean_F = x_NxF.mean(0)
  means = np.stack([x_NxF[label_N == one].mean(0) - mean_F for one in range(3)], 1)
  onto = np.linalg.svd(means)[0][:, :2]
  assert least < change(x_NxF - (x_NxF - mean_F) @ onto @ onto.T)
  rng = np.random.default_rng(0)
  taken = erasure.fit(x_NxF, label_N).taken_FxF
  hidden = np.eye(6) - onto @ onto.T  # B hidden is 0 on the means of classes: it hides as well
  for scale in (0.1, -0.1):
    other = taken + scale * rng.normal(size=(6, 6)) @ hidden
    np.testing.assert_allclose((np.eye(6) - other) @ means, 0, atol=1e-9)
    assert least < change(x_NxF - (x_NxF - mean_F) @ other.T)


def test_a_linear_probe_of_other_rows_is_at_chance_and_other_numbers_stay():
  x_NxF, label_N = rows(2, count=4000, features=12)
  number_Nx1 = x_NxF @ np.random.default_rng(5).normal(size=(12, 1))
  number_Nx1 -= np.stack([number_Nx1[label_N == k].mean(0) for k in range(3)])[label_N]
  erased = erasure.fit(x_NxF[:2000], label_N[:2000])
  asked, label, group = x_NxF[2000:], label_N[2000:], np.arange(2000)
  assert probes.told_class(asked, label, group, 3).value > 0.6
  assert probes.told_class(erased(asked), label, group, 3).value < 1 / 3 + 0.05
  error = lambda x_NxF: probes.told_numbers(x_NxF, number_Nx1[2000:], group).value
  assert error(erased(asked)) < error(asked) + 0.05


def test_what_does_not_vary_or_is_not_told_is_left():
  x_NxF, label_N = rows(3)
  flat_NxF = np.concatenate([x_NxF, np.ones((400, 1)), x_NxF[:, :1]], 1)  # a constant, a copy
  found_NxF = erasure.fit(flat_NxF, label_N)(flat_NxF)
  np.testing.assert_allclose(found_NxF[:, 6], 1.0)
  np.testing.assert_allclose(found_NxF[:, 7], found_NxF[:, 0], atol=1e-7)
  np.testing.assert_array_equal(erasure.fit(x_NxF, np.zeros(400))(x_NxF), x_NxF)


def test_bad_rows_are_named():
  x_NxF, label_N = rows(4)
  with pytest.raises(ValueError, match='400 rows of features and 399 labels'):
    erasure.fit(x_NxF, label_N[1:])
  x_NxF[3, 2] = np.nan
  with pytest.raises(ValueError, match='feature 2 of row 3 is nan, expected finite features'):
    erasure.fit(x_NxF, label_N)
