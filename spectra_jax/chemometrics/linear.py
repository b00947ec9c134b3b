"""Linear models that form a path: one fit gives all candidates, from the stiffest to the freest.

PLS, PCR and ridge are paths over the number of components or the shrinkage. Where a path ends is
chosen in grouped folds of the training side; classes are told apart by regression on their
indicators, y in {0, 1}^C, the largest prediction wins.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from spectra_jax.chemometrics import nested

RULES = ('least', 'one_standard_error')


class Path(Protocol):
  """All candidates, fitted to the same rows."""

  def predict(self, values_BxL: np.ndarray) -> np.ndarray:
    """[P, B, M]: of every candidate."""

  def coefficients(self, place: int) -> tuple[np.ndarray, np.ndarray]:
    """[L, M] and [M]: slope and intercept of one candidate."""


Fit = Callable[[np.ndarray, np.ndarray], Path]  # of values [N, L] and targets [N, M]


@dataclasses.dataclass(frozen=True, eq=False)
class Linear:
  """y = x b + b_0; `classes` are those of its columns, none where it predicts a number."""

  coefficients_LxM: np.ndarray
  intercept_M: np.ndarray
  classes: np.ndarray | None
  chosen: Mapping[str, Any]
  error: float

  def scores(self, values_BxL: np.ndarray) -> np.ndarray:
    """[B, M]: the predicted numbers, or indicators of classes."""
    return np.asarray(values_BxL, np.float64) @ self.coefficients_LxM + self.intercept_M

  def predict(self, values_BxL: np.ndarray) -> np.ndarray:
    """[B] numbers or classes."""
    found_BxM = self.scores(values_BxL)
    return found_BxM[:, 0] if self.classes is None else self.classes[found_BxM.argmax(1)]


def choose(
  fit: Fit,
  name: str,
  candidates: Sequence[Any],
  values_NxL: np.ndarray,
  targets_N: np.ndarray,
  groups_N: np.ndarray,
  seed: int,
  folds: int = nested.FOLDS,
  rule: str = 'least',
) -> Linear:
  """The candidate that grouped folds prefer, fitted to all rows.

  Args:
    fit: gives the path; its candidates are `candidates`, the stiffest first.
    name: of what the candidates are values of.
    candidates: one for each place of the path.
    values_NxL, targets_N, groups_N: the training side, `nested.checked`.
    seed: of the folds.
    folds: their number.
    rule: 'least' error, or the stiffest candidate within one standard error of it (over the folds;
      Hastie, Tibshirani & Friedman 2009, section 7.10).
  """
  if rule not in RULES:
    raise ValueError(f'rule is {rule!r}, expected one of {", ".join(RULES)}; correct it')
  classes, targets_NxM = _indicators(targets_N)
  fold_N = nested.fold_numbers(groups_N, folds, seed)
  error_FxP = np.stack(
    [
      errors(fit, values_NxL, targets_NxM, classes is not None, fold_N == k).mean(1)
      for k in range(folds)
    ]
  )
  place = _place(error_FxP, np.bincount(fold_N) / len(fold_N), rule)
  path = fit(values_NxL, targets_NxM)
  error = float(np.average(error_FxP[:, place], weights=np.bincount(fold_N)))
  return Linear(*path.coefficients(place), classes, {name: candidates[place]}, error)


def errors(
  fit: Fit, values_NxL: np.ndarray, targets_NxM: np.ndarray, classes: bool, held_out_N: np.ndarray
) -> np.ndarray:
  """[P, B]: squared error, or whether the class is wrong, of the rows held out of the path."""
  path = fit(values_NxL[~held_out_N], targets_NxM[~held_out_N])
  found_PxBxM, true_BxM = path.predict(values_NxL[held_out_N]), targets_NxM[held_out_N]
  if classes:
    return (found_PxBxM.argmax(2) != true_BxM.argmax(1)).astype(np.float64)
  return ((found_PxBxM - true_BxM) ** 2).sum(2)


def _indicators(targets_N: np.ndarray) -> tuple[np.ndarray | None, np.ndarray]:
  if nested.task(targets_N) == nested.REGRESSION:
    return None, targets_N.astype(np.float64)[:, None]
  classes_C, place_N = np.unique(targets_N, return_inverse=True)
  return classes_C, np.eye(len(classes_C))[place_N]


def _place(error_FxP: np.ndarray, share_F: np.ndarray, rule: str) -> int:
  mean_P = share_F @ error_FxP
  best = int(mean_P.argmin())
  if rule == 'least':
    return best
  spread = error_FxP[:, best].std(ddof=1) / np.sqrt(len(error_FxP))
  return int(np.flatnonzero(mean_P <= mean_P[best] + spread)[0])


@dataclasses.dataclass(frozen=True, eq=False)
class Filtered:
  """Least squares in the singular vectors of the centred values: b_p = V diag(f_p) U^T y.

  Attributes:
    mean_L, mean_M: of values and targets.
    basis_LxR: V.
    along_RxM: U^T (y - mean).
    filter_PxR: f of each candidate; 1/s is least squares.
  """

  mean_L: np.ndarray
  mean_M: np.ndarray
  basis_LxR: np.ndarray
  along_RxM: np.ndarray
  filter_PxR: np.ndarray

  def predict(self, values_BxL: np.ndarray) -> np.ndarray:
    score_BxR = (values_BxL - self.mean_L) @ self.basis_LxR
    gain_PxRxM = self.filter_PxR[:, :, None] * self.along_RxM
    return score_BxR @ gain_PxRxM + self.mean_M

  def coefficients(self, place: int) -> tuple[np.ndarray, np.ndarray]:
    slope_LxM = self.basis_LxR @ (self.filter_PxR[place][:, None] * self.along_RxM)
    return slope_LxM, self.mean_M - self.mean_L @ slope_LxM


def filtered(
  values_NxL: np.ndarray,
  targets_NxM: np.ndarray,
  gains: Callable[[np.ndarray], np.ndarray],
) -> Filtered:
  """The path of a filter of singular values.

  Args:
    values_NxL, targets_NxM: what is fitted.
    gains: singular values [R], none of them zero -> f [P, R].
  """
  mean_L, mean_M = values_NxL.mean(0), targets_NxM.mean(0)
  u_NxR, s_R, vt_RxL = np.linalg.svd(values_NxL - mean_L, full_matrices=False)
  there = s_R > s_R[0] * max(values_NxL.shape) * np.finfo(np.float64).eps
  along_RxM = u_NxR[:, there].T @ (targets_NxM - mean_M)
  return Filtered(mean_L, mean_M, vt_RxL[there].T, along_RxM, gains(s_R[there]))
