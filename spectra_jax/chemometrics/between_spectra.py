"""One whole spectrum from another without a network: PLS2, ridge, kernel ridge.

A method takes training spectra [N, L], the spectra that belong to them [N, M] and its candidates,
and gives a prediction function for each of these in turn, so that no more than one need be kept.
`choose` picks the candidate in grouped folds of the training side.
"""

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import scipy.linalg

from spectra_jax.chemometrics import nested
from spectra_jax.chemometrics import pls as pls1
from spectra_jax.chemometrics import ridge as ridge1

KEPT_VARIANCE = 0.9999  # of the targets of PLS2
Predict = Callable[[np.ndarray], np.ndarray]  # [B, L] -> [B, M]
Method = Callable[[np.ndarray, np.ndarray, Sequence[Any]], Iterator[Predict]]


class Chosen(NamedTuple):
  """A method fitted to the whole training side, and the candidate that the folds preferred."""

  predict: Predict
  candidate: Any


def pls(
  values_NxL: np.ndarray, targets_NxM: np.ndarray, components: Sequence[int]
) -> Iterator[Predict]:
  """PLS2 of each number of components (ikpls), values and targets centred and not scaled.

  It is fitted to the principal components of the targets, since PLS2 turns with them and costs
  their number cubed; those of the last 0.01 % of the variance are left at their mean.
  """
  most, mean_M = min(max(components), *values_NxL.shape), targets_NxM.mean(0)
  _, size_R, turn_RxM = np.linalg.svd(targets_NxM - mean_M, full_matrices=False)
  kept = 1 + np.searchsorted(np.cumsum(size_R**2), KEPT_VARIANCE * (size_R**2).sum())
  turn_RxM = turn_RxM[:kept]
  model = pls1.path(values_NxL, (targets_NxM - mean_M) @ turn_RxM.T, most).model

  def predict(values_BxL, count):
    return mean_M + model.predict(values_BxL, n_components=count) @ turn_RxM

  for count in components:
    yield functools.partial(predict, count=min(count, most))


def ridge(
  values_NxL: np.ndarray, targets_NxM: np.ndarray, shrinkages: Sequence[float]
) -> Iterator[Predict]:
  """Ridge of each shrinkage, relative to the mean squared singular value of the values."""
  path = ridge1.path(values_NxL, targets_NxM, shrinkages)
  for place in range(len(shrinkages)):
    slope_LxM, intercept_M = path.coefficients(place)
    yield lambda values, b=slope_LxM, b_0=intercept_M: values @ b + b_0


def kernel_ridge(
  values_NxL: np.ndarray, targets_NxM: np.ndarray, candidates: Sequence[tuple[float, float]]
) -> Iterator[Predict]:
  """y = mean + K(x, X) (K(X, X) + shrinkage I)^-1 (Y - mean), K = exp(-|x - x'|^2 / (2 width s)).

  s is the median squared distance of two training spectra, so that a width means the same for
  spectra of any scale; a shrinkage does too, as the kernel of a spectrum with itself is 1.

  Args:
    values_NxL, targets_NxM: what is fitted.
    candidates: (width, shrinkage) of each.
  """
  mean_M, square_NxN = targets_NxM.mean(0), _squared_distances(values_NxL, values_NxL)
  unit = 2 * np.median(square_NxN[np.triu_indices(len(values_NxL), 1)])
  for width, shrinkage in candidates:
    system_NxN = np.exp(-square_NxN / (width * unit))
    system_NxN[np.diag_indices(len(system_NxN))] += shrinkage
    factor = scipy.linalg.cho_factor(system_NxN, overwrite_a=True)
    dual_NxM = scipy.linalg.cho_solve(factor, targets_NxM - mean_M)

    def predict(values_BxL, dual_NxM=dual_NxM, scale=width * unit):
      return mean_M + np.exp(-_squared_distances(values_BxL, values_NxL) / scale) @ dual_NxM

    yield predict


def _squared_distances(a_BxL: np.ndarray, b_NxL: np.ndarray) -> np.ndarray:
  squares = (a_BxL**2).sum(1)[:, None] + (b_NxL**2).sum(1)
  return np.maximum(squares - 2 * a_BxL @ b_NxL.T, 0.0)


def choose(
  method: Method,
  candidates: Sequence[Any],
  values_NxL: np.ndarray,
  targets_NxM: np.ndarray,
  groups_N: np.ndarray,
  folds: int,
  seed: int,
) -> Chosen:
  """The candidate of least squared error in grouped folds of these rows, fitted to all of them.

  A single candidate is taken as it is.

  Args:
    method: `pls`, `ridge` or `kernel_ridge`.
    candidates: what it takes; the earlier ones win ties.
    values_NxL, targets_NxM, groups_N: the training side, and what is never on both sides of a fold.
    folds: their number.
    seed: of the deal.

  Raises:
    ValueError: no candidate, or fewer groups than folds.
  """
  if not candidates:
    raise ValueError(
      f'{method.__name__} has no candidates, expected at least one; give numbers to choose from'
    )
  if len(candidates) > 1:
    fold_N = nested.fold_numbers(groups_N, folds, seed)
    errors = [
      _errors(method, candidates, values_NxL, targets_NxM, fold_N == fold) for fold in range(folds)
    ]
    candidates = [candidates[int(np.sum(errors, 0).argmin())]]
  return Chosen(next(method(values_NxL, targets_NxM, candidates)), candidates[0])


def _errors(
  method: Method,
  candidates: Sequence[Any],
  values_NxL: np.ndarray,
  targets_NxM: np.ndarray,
  held_out_N: np.ndarray,
) -> list[float]:
  """Squared error of each candidate, summed over the rows held out of its fit."""
  fitted = method(values_NxL[~held_out_N], targets_NxM[~held_out_N], candidates)
  values_BxL, true_BxM = values_NxL[held_out_N], targets_NxM[held_out_N]
  return [float(((predict(values_BxL) - true_BxM) ** 2).sum()) for predict in fitted]
