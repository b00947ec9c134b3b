"""Partial least squares: components of largest covariance with the target, as many as folds like.

Improved kernel PLS, algorithm 1 (Dayal & MacGregor 1997, doi:10.1002/(SICI)1099-128X(199701)11:1
<73::AID-CEM435>3.0.CO;2-#), by ikpls; values are centred and not scaled, as is usual for spectra.
"""

import dataclasses
import functools
import warnings

import ikpls.numpy
import numpy as np

from spectra_jax.chemometrics import linear, nested

TASKS = (nested.REGRESSION,)
MOST = 30


@dataclasses.dataclass(frozen=True, eq=False)
class Components:
  """PLS with 1, 2, ... components."""

  model: ikpls.numpy.PLS

  def predict(self, values_BxL: np.ndarray) -> np.ndarray:
    return self.model.predict(values_BxL)

  def coefficients(self, place: int) -> tuple[np.ndarray, np.ndarray]:
    slope_LxM = self.model.B[place]
    return slope_LxM, (self.model.Y_mean - self.model.X_mean @ slope_LxM)[0]


def path(values_NxL: np.ndarray, targets_NxM: np.ndarray, most: int) -> Components:
  """PLS2 of 1 to `most` components; those beyond the rank of the values repeat the last one."""
  model = ikpls.numpy.PLS(algorithm=1, scale_X=False, scale_Y=False)
  with warnings.catch_warnings():
    # It warns where the covariance is used up: then more components change nothing.
    warnings.simplefilter('ignore', UserWarning)
    model.fit(values_NxL, targets_NxM, most)
  return Components(model)


def fit(
  values_NxL: np.ndarray,
  targets_N: np.ndarray,
  groups_N: np.ndarray,
  seed: int,
  most: int = MOST,
  folds: int = nested.FOLDS,
  rule: str = 'least',
) -> linear.Linear:
  """PLS1 whose number of components grouped folds of these rows choose.

  Args:
    values_NxL: training spectra.
    targets_N: numbers.
    groups_N: what is never on both sides of a fold.
    seed: of the folds.
    most: components that are tried: 1 to `most`.
    folds: their number.
    rule: one of `linear.RULES`.
  """
  values_NxL, targets_N = nested.checked(values_NxL, targets_N, groups_N, TASKS)
  return choose(values_NxL, targets_N, groups_N, seed, most, folds, rule)


def choose(
  values_NxL: np.ndarray,
  targets_N: np.ndarray,
  groups_N: np.ndarray,
  seed: int,
  most: int,
  folds: int,
  rule: str,
) -> linear.Linear:
  """`fit` of numbers or classes that were checked before."""
  most = min(most, *values_NxL.shape)
  fit_path = functools.partial(path, most=most)
  rest = (values_NxL, targets_N, groups_N, seed, folds, rule)
  return linear.choose(fit_path, 'components', range(1, most + 1), *rest)
