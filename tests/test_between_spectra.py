"""One spectrum from another without a network: planted relations are found, by closed forms."""

import numpy as np
import pytest
from sklearn.cross_decomposition import PLSRegression
from sklearn.gaussian_process.kernels import RBF
from sklearn.kernel_ridge import KernelRidge

from spectra_jax.chemometrics import between_spectra

GROUPS = np.arange(60) // 2
PLANTED = np.random.default_rng(7).normal(size=(12, 9))


def spectra(rows, seed=0, noise=0.0):
  """[rows, 12] and the [rows, 9] that follow from it by a linear map, with an offset."""
  rng = np.random.default_rng(seed)
  values = rng.normal(size=(rows, 12))
  return values, values @ PLANTED + 2.0 + noise * rng.normal(size=(rows, 9))


def choose(name, candidates, seed=0, noise=0.0):
  method = getattr(between_spectra, name)
  return between_spectra.choose(method, candidates, *spectra(60, seed, noise), GROUPS, 3, 0)


@pytest.mark.parametrize(
  ('name', 'candidates', 'wanted'),
  [('pls', (2, 12), 12), ('pls', (3, 99), 99), ('ridge', (1.0, 1e-12), 1e-12)],
)
def test_a_linear_relation_is_found(name, candidates, wanted):
  found = choose(name, candidates)
  values, true = spectra(20, seed=1)
  assert found.candidate == wanted
  np.testing.assert_allclose(found.predict(values), true, atol=1e-6)


def test_pls_of_turned_targets_is_pls2(monkeypatch):
  """scikit-learn's NIPALS iterates to the same weights; all principal components are kept."""
  monkeypatch.setattr(between_spectra, 'KEPT_VARIANCE', 1.0)
  (values, true), (others, _) = spectra(60, noise=1.0), spectra(20, seed=1)
  for count, ours in zip((1, 4), between_spectra.pls(values, true, (1, 4)), strict=True):
    theirs = PLSRegression(count, scale=False, tol=1e-14, max_iter=10_000).fit(values, true)
    np.testing.assert_allclose(ours(others), theirs.predict(others), atol=1e-4)


def test_the_folds_prefer_shrinkage_where_there_is_nothing_but_noise():
  rng = np.random.default_rng(0)
  noise = rng.normal(size=(60, 12)), rng.normal(size=(60, 9))
  stiff = between_spectra.choose(between_spectra.ridge, (1e-9, 1e3), *noise, GROUPS, 3, 0)
  assert stiff.candidate == 1e3
  np.testing.assert_allclose(stiff.predict(noise[0]) - noise[1].mean(0), 0.0, atol=0.05)


def test_kernel_ridge_is_that_of_scikit_learn():
  (values, true), (others, _) = spectra(60), spectra(20, seed=1)
  square = ((values[:, None] - values) ** 2).sum(-1)
  length = np.sqrt(2.0 * np.median(square[np.triu_indices(60, 1)]))
  theirs = KernelRidge(alpha=0.1, kernel=RBF(length))
  theirs.fit(values, true - true.mean(0))
  ours = next(between_spectra.kernel_ridge(values, true, [(2.0, 0.1)]))
  np.testing.assert_allclose(ours(others), theirs.predict(others) + true.mean(0), rtol=1e-8)


def test_kernel_ridge_bends_where_ridge_cannot():
  rng = np.random.default_rng(0)
  values, others = rng.uniform(-2, 2, (200, 1)), rng.uniform(-2, 2, (50, 1))
  rest = (values, values**2, np.arange(200), 3, 0)
  kernel = between_spectra.choose(between_spectra.kernel_ridge, [(1.0, 1e-3), (0.1, 1e-3)], *rest)
  ridge = between_spectra.choose(between_spectra.ridge, [1e-6], *rest)
  error = lambda fit: np.abs(fit.predict(others) - others**2).max()
  assert error(kernel) < 0.02
  assert error(ridge) > 1.0


def test_candidates_are_judged_on_rows_that_no_fit_saw_and_groups_stay_whole():
  values, true = spectra(60)
  fitted, judged = [], []
  rows = lambda of: {tuple(row) for row in of}

  def zeros(values_BxL):
    judged.append(rows(values_BxL))
    return np.zeros((len(values_BxL), 9))

  def method(values_NxL, targets_NxM, candidates):
    fitted.append(rows(values_NxL))
    return iter([zeros] * len(candidates))

  between_spectra.choose(method, [1, 2], values, true, GROUPS, 3, 0)
  *folds, whole = fitted
  assert whole == rows(values) == set.union(*judged)
  assert len(folds) == 3
  for fold, *held_out in zip(folds, judged[::2], judged[1::2], strict=True):
    assert held_out[0] == held_out[1] == whole - fold
    kept = np.array([tuple(row) in fold for row in values])
    np.testing.assert_array_equal(kept[::2], kept[1::2])  # neighbours are one group


def test_no_candidates_are_refused():
  with pytest.raises(ValueError, match='ridge has no candidates, expected at least one'):
    choose('ridge', ())
