"""Principal component regression: least squares on the scores of largest variance."""

import numpy as np

from spectra_jax.chemometrics import linear, nested

TASKS = (nested.REGRESSION,)
MOST = 40


def path(values_NxL: np.ndarray, targets_NxM: np.ndarray, most: int) -> linear.Filtered:
  """f = 1/s for the first p singular values and 0 for the others, p = 1 to `most`."""
  return linear.filtered(
    values_NxL, targets_NxM, lambda s_R: np.tri(most, len(s_R), dtype=np.float64) / s_R
  )


def fit(
  values_NxL: np.ndarray,
  targets_N: np.ndarray,
  groups_N: np.ndarray,
  seed: int,
  most: int = MOST,
  folds: int = nested.FOLDS,
  rule: str = 'least',
) -> linear.Linear:
  """PCR whose number of components grouped folds choose; the arguments are those of `pls.fit`."""
  values_NxL, targets_N = nested.checked(values_NxL, targets_N, groups_N, TASKS)
  most = min(most, *values_NxL.shape)
  fit_path = lambda values, targets: path(values, targets, most)
  rest = (values_NxL, targets_N, groups_N, seed, folds, rule)
  return linear.choose(fit_path, 'components', range(1, most + 1), *rest)
