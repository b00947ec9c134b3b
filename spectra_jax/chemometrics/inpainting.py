"""Filling in masked points without a network: the baselines of masked reconstruction.

All take and return scaled spectra in float64 on the host; `visible` says what may be looked at.
Spectra that share a mask share the work, so a few distinct masks make all of this cheap.
"""

import dataclasses
from collections.abc import Iterator

import numpy as np
import scipy.linalg

from spectra_jax.splits import folds

SHRINKAGES = tuple(10.0 ** np.arange(-5.5, -1.4, 0.5))


def linear(values_BxL: np.ndarray, visible_BxL: np.ndarray, nu_L: np.ndarray) -> np.ndarray:
  """Straight lines between visible neighbours; constant beyond the outermost ones."""
  filled = [
    np.interp(nu_L, nu_L[seen], row[seen])
    for row, seen in zip(values_BxL, visible_BxL, strict=True)
  ]
  return np.stack(filled)


def by_mask(visible_BxL: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
  """(visible_L, rows) for each distinct mask."""
  masks, which = np.unique(visible_BxL, axis=0, return_inverse=True)
  for i, visible_L in enumerate(masks):
    yield visible_L, np.flatnonzero(which.ravel() == i)


def nearest(values_BxL: np.ndarray, visible_BxL: np.ndarray, library_NxL: np.ndarray) -> np.ndarray:
  """The library spectrum with the least squared distance on the visible points."""
  filled = np.empty_like(values_BxL)
  for seen, rows in by_mask(visible_BxL):
    query, book = values_BxL[rows][:, seen], library_NxL[:, seen]
    distance = (book**2).sum(1) - 2 * query @ book.T
    filled[rows] = library_NxL[distance.argmin(1)]
  return filled


@dataclasses.dataclass(frozen=True)
class ConditionalGaussian:
  """E[masked | visible] = m_h + S_hv (S_vv + shrinkage tr(S)/L I)^-1 (visible - m_v)."""

  mean_L: np.ndarray
  covariance_LxL: np.ndarray
  shrinkage: float

  def predict(self, values_BxL: np.ndarray, visible_BxL: np.ndarray) -> np.ndarray:
    filled = values_BxL.copy()
    for seen, rows in by_mask(visible_BxL):
      centred = values_BxL[rows][:, seen] - self.mean_L[seen]
      filled[np.ix_(rows, ~seen)] = self.mean_L[~seen] + centred @ self._gain(seen)
    return filled

  def _gain(self, seen: np.ndarray) -> np.ndarray:
    ridge = self.shrinkage * np.trace(self.covariance_LxL) / len(self.mean_L)
    visible = self.covariance_LxL[np.ix_(seen, seen)] + ridge * np.eye(seen.sum())
    return scipy.linalg.solve(visible, self.covariance_LxL[np.ix_(seen, ~seen)], assume_a='pos')


def fit_gaussian(train_NxL: np.ndarray, shrinkage: float) -> ConditionalGaussian:
  """Mean and covariance of the training spectra."""
  mean_L = train_NxL.mean(0)
  centred = train_NxL - mean_L
  return ConditionalGaussian(mean_L, centred.T @ centred / len(train_NxL), shrinkage)


def choose_shrinkage(
  train_NxL: np.ndarray,
  groups_N: np.ndarray,
  masks_CxL: np.ndarray,
  fold_count: int,
  shrinkages: tuple[float, ...] = SHRINKAGES,
) -> tuple[float, dict[float, float]]:
  """The shrinkage with the least masked error in grouped cross-validation on the training set.

  Args:
    train_NxL: scaled training spectra.
    groups_N: their groups; none is on both sides of a fold.
    masks_CxL: visible points (True) of the masks dealt to the held-out rows in turn.
    fold_count: folds.
    shrinkages: candidates.

  Returns:
    (best, {shrinkage: summed squared error on masked points}).
  """
  error = dict.fromkeys(shrinkages, 0.0)
  for held_out in folds(groups_N, fold_count):
    kept = np.setdiff1d(np.arange(len(train_NxL)), held_out)
    visible_BxL = masks_CxL[np.arange(len(held_out)) % len(masks_CxL)]
    fitted = fit_gaussian(train_NxL[kept], 0.0)
    for shrinkage in shrinkages:
      model = dataclasses.replace(fitted, shrinkage=shrinkage)
      residual = model.predict(train_NxL[held_out], visible_BxL) - train_NxL[held_out]
      error[shrinkage] += float((residual[~visible_BxL] ** 2).sum())
  return min(error, key=error.get), error
