"""The baselines are what they say: exact on data made for them, blind to what is hidden."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spectra_jax import shards
from spectra_jax.chemometrics.inpainting import (
  by_mask,
  choose_shrinkage,
  fit_gaussian,
  linear,
  nearest,
)

NU = np.linspace(400, 800, 40)


def hidden_bands(rows, seed=0):
  rng = np.random.default_rng(seed)
  visible = np.ones((rows, len(NU)), bool)
  for row in visible[:: max(rows // 6, 1)]:
    start = rng.integers(1, 30)
    row[start : start + 8] = False
  visible[:, 20:24] = False
  return visible


@given(st.floats(-3, 3), st.floats(-3, 3))
@settings(max_examples=20, deadline=None)
def test_linear_is_exact_on_lines(slope, offset):
  values = (offset + slope * (NU - 600) / 200)[None]
  visible = hidden_bands(1)
  np.testing.assert_allclose(linear(values, visible, NU), values, atol=1e-12)


def test_linear_extends_the_ends_flat():
  visible = np.ones((1, 40), bool)
  visible[0, :5] = False
  values = np.arange(40.0)[None]
  np.testing.assert_array_equal(linear(values, visible, NU)[0, :5], np.full(5, 5.0))


def test_nearest_finds_a_library_spectrum_from_any_mask():
  library = np.random.default_rng(0).normal(size=(50, 40))
  query, visible = library[[7, 3, 41, 7, 9, 11]], hidden_bands(6)
  hidden = np.where(visible, query, 1e9)
  np.testing.assert_array_equal(nearest(hidden, visible, library), query)


def test_blocks_of_a_library_give_what_the_whole_gives(monkeypatch):
  train, query, visible = low_rank(50, 0), low_rank(12, 1), hidden_bands(12)
  rows = np.arange(0, 50, 3)
  whole = nearest(query, visible, train), fit_gaussian(train, 0.1, rows)
  monkeypatch.setattr(shards, 'BLOCK', 7)
  read = []

  def compute(some):
    read.append(len(some))
    return train[some]

  library = shards.Computed(50, compute)
  np.testing.assert_array_equal(nearest(query, visible, library), whole[0])
  fitted = fit_gaussian(library, 0.1, rows)
  np.testing.assert_allclose(fitted.mean_L, train[rows].mean(0), rtol=1e-12)
  covariance = np.cov(train[rows].T, bias=True)
  np.testing.assert_allclose(fitted.covariance_LxL, covariance, atol=1e-12 * np.trace(covariance))
  np.testing.assert_allclose(whole[1].covariance_LxL, covariance, atol=1e-12 * np.trace(covariance))
  assert max(read) == 7


def test_masks_are_grouped_without_loss():
  visible = hidden_bands(12)
  rows = np.concatenate([rows for _, rows in by_mask(visible)])
  assert sorted(rows) == list(range(12))
  assert all((visible[rows] == mask).all() for mask, rows in by_mask(visible))


def low_rank(rows, seed):
  rng = np.random.default_rng(seed)
  shapes = np.stack([np.exp(-(((NU - c) / 60) ** 2)) for c in (450, 560, 640, 760)])
  return 2.0 + rng.normal(size=(rows, 4)) @ shapes


def test_gaussian_recovers_low_rank_spectra():
  model = fit_gaussian(low_rank(400, 0), shrinkage=1e-10)
  truth, visible = low_rank(6, 1), hidden_bands(6)
  filled = model.predict(np.where(visible, truth, 0.0), visible)
  np.testing.assert_allclose(filled, truth, atol=1e-4)


def test_gaussian_equals_the_textbook_conditional():
  rng = np.random.default_rng(2)
  train = rng.normal(size=(300, 40)) @ rng.normal(size=(40, 40))
  model, seen = fit_gaussian(train, 1e-3), hidden_bands(1)[0]
  ridge = 1e-3 * np.trace(model.covariance_LxL) / 40
  s = model.covariance_LxL + ridge * np.eye(40)
  gain = np.linalg.inv(s[np.ix_(seen, seen)]) @ s[np.ix_(seen, ~seen)]
  want = model.mean_L[~seen] + (train[:1, seen] - model.mean_L[seen]) @ gain
  np.testing.assert_allclose(model.predict(train[:1], seen[None])[:, ~seen], want, rtol=1e-8)


def test_much_shrinkage_gives_the_mean():
  model = fit_gaussian(low_rank(50, 0), shrinkage=1e9)
  visible = hidden_bands(3)
  filled = model.predict(low_rank(3, 1), visible)
  np.testing.assert_allclose(
    filled[~visible], np.broadcast_to(model.mean_L, (3, 40))[~visible], rtol=1e-6
  )


@pytest.mark.parametrize('noise', [0.0, 1.0])
def test_shrinkage_grows_with_noise(noise):
  rng = np.random.default_rng(0)
  train = low_rank(120, 0) + noise * rng.normal(size=(120, 40))
  groups = np.array([f'g{i // 3}' for i in range(120)])
  best, error = choose_shrinkage(train, groups, hidden_bands(8), 3)
  assert len(error) >= 8
  assert best == min(error, key=error.get)
  assert best <= 1e-5 if noise == 0 else best >= 1e-2


def test_errors_of_many_shrinkages_equal_their_predictions():
  model, seen = fit_gaussian(low_rank(100, 0), 0.0), hidden_bands(1)[0]
  truth, shrinkages = low_rank(5, 1) + 0.1, (1e-4, 1e-2, 1.0)
  for shrinkage, error in zip(shrinkages, model.errors(truth, seen, shrinkages), strict=True):
    one = dataclasses.replace(model, shrinkage=shrinkage)
    residual = one.predict(truth, np.tile(seen, (5, 1))) - truth
    np.testing.assert_allclose(error, (residual**2).sum(), rtol=1e-6)
