"""Ridge regression, b = (X^T X + a I)^-1 X^T y of centred X and y, by one singular value problem.

a = shrinkage * sum(s^2) / R, s the R singular values of X: the candidates mean the same for spectra
of any scale. Classes are told apart by their indicators.
"""

from collections.abc import Sequence

import numpy as np

from spectra_jax.chemometrics import linear, nested

TASKS = (nested.REGRESSION, nested.CLASSIFICATION)
SHRINKAGES = tuple((10.0 ** np.arange(2.0, -12.1, -0.5)).tolist())  # the stiffest first


def path(
  values_NxL: np.ndarray, targets_NxM: np.ndarray, shrinkages: Sequence[float]
) -> linear.Filtered:
  """f = s / (s^2 + a)."""
  strength_Px1 = np.asarray(shrinkages)[:, None]
  gains = lambda s_R: s_R / (s_R**2 + strength_Px1 * (s_R**2).mean())
  return linear.filtered(values_NxL, targets_NxM, gains)


def fit(
  values_NxL: np.ndarray,
  targets_N: np.ndarray,
  groups_N: np.ndarray,
  seed: int,
  shrinkages: Sequence[float] = SHRINKAGES,
  folds: int = nested.FOLDS,
  rule: str = 'least',
) -> linear.Linear:
  """Ridge whose shrinkage grouped folds choose; the other arguments are those of `pls.fit`."""
  values_NxL, targets_N = nested.checked(values_NxL, targets_N, groups_N, TASKS)
  fit_path = lambda values, targets: path(values, targets, shrinkages)
  rest = (values_NxL, targets_N, groups_N, seed, folds, rule)
  return linear.choose(fit_path, 'shrinkage', shrinkages, *rest)
