"""Filling in masked points without a network: the baselines of masked reconstruction.

All take and return scaled spectra in float64 on the host; `visible` says what may be looked at.
Spectra that share a mask share the work, so a few distinct masks make all of this cheap.
"""

import dataclasses
from collections.abc import Iterator

import numpy as np
import scipy.linalg

from spectra_jax.shards import Rows, blocks
from spectra_jax.splits import folds

SHRINKAGES = tuple(10.0 ** np.arange(-5.5, -1.4, 0.5))


def linear(values_BxL: np.ndarray, visible_BxL: np.ndarray, nu_L: np.ndarray) -> np.ndarray:
  """Straight lines between visible neighbours; constant beyond the outermost ones."""
  filled = [
    np.interp(nu_L, nu_L[seen], row[seen])
    for row, seen in zip(values_BxL, visible_BxL, strict=True)
  ]
  return np.stack(filled)


def nearest(values_BxL: np.ndarray, visible_BxL: np.ndarray, library_NxL: Rows) -> np.ndarray:
  """The library spectrum with the least squared distance on the visible points."""
  query_BxL, count = np.where(visible_BxL, values_BxL, 0.0), len(values_BxL)
  least_B, found_BxL = np.full(count, np.inf), np.empty(values_BxL.shape)
  for block in blocks(library_NxL, np.arange(len(library_NxL))):
    distance_BxM = visible_BxL @ (block**2).T - 2 * query_BxL @ block.T
    best_B = distance_BxM.argmin(1)
    distance_B = distance_BxM[np.arange(count), best_B]
    nearer = distance_B < least_B
    least_B[nearer], found_BxL[nearer] = distance_B[nearer], block[best_B[nearer]]
  return found_BxL


def by_mask(visible_BxL: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
  """(visible_L, rows) for each distinct mask."""
  masks, which = np.unique(visible_BxL, axis=0, return_inverse=True)
  for i, visible_L in enumerate(masks):
    yield visible_L, np.flatnonzero(which.ravel() == i)


@dataclasses.dataclass(frozen=True)
class ConditionalGaussian:
  """E[hidden | visible] = m_h + S_hv (S_vv + shrinkage tr(S)/L I)^-1 (visible - m_v)."""

  mean_L: np.ndarray
  covariance_LxL: np.ndarray
  shrinkage: float

  def predict(self, values_BxL: np.ndarray, visible_BxL: np.ndarray) -> np.ndarray:
    filled = values_BxL.copy()
    for seen, rows in by_mask(visible_BxL):
      s_VxV, s_VxH = self._parts(seen)
      ridge = self.shrinkage * self._scale * np.eye(len(s_VxV))
      gain_VxH = scipy.linalg.cho_solve(scipy.linalg.cho_factor(s_VxV + ridge), s_VxH)
      centred = values_BxL[rows][:, seen] - self.mean_L[seen]
      filled[np.ix_(rows, ~seen)] = self.mean_L[~seen] + centred @ gain_VxH
    return filled

  def errors(
    self, values_BxL: np.ndarray, seen: np.ndarray, shrinkages: tuple[float, ...]
  ) -> np.ndarray:
    """Squared error on the hidden points at each of many shrinkages, from one eigenproblem."""
    s_VxV, s_VxH = self._parts(seen)
    eigenvalue_V, basis_VxV = scipy.linalg.eigh(s_VxV)
    centred_BxL = values_BxL - self.mean_L
    along_BxV, out_VxH = centred_BxL[:, seen] @ basis_VxV, basis_VxV.T @ s_VxH
    error = lambda ridge: (along_BxV / (eigenvalue_V + ridge)) @ out_VxH - centred_BxL[:, ~seen]
    return np.array([(error(s * self._scale) ** 2).sum() for s in shrinkages])

  @property
  def _scale(self) -> float:
    return np.trace(self.covariance_LxL) / len(self.mean_L)

  def _parts(self, seen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return self.covariance_LxL[np.ix_(seen, seen)], self.covariance_LxL[np.ix_(seen, ~seen)]


def fit_gaussian(
  train_NxL: Rows, shrinkage: float, rows: np.ndarray | None = None
) -> ConditionalGaussian:
  """Mean and covariance of the training spectra, or of these rows of them, block by block."""
  rows = np.arange(len(train_NxL)) if rows is None else rows
  mean_L = sum(block.sum(0) for block in blocks(train_NxL, rows)) / len(rows)
  products = ((block - mean_L).T @ (block - mean_L) for block in blocks(train_NxL, rows))
  return ConditionalGaussian(mean_L, sum(products) / len(rows), shrinkage)


def choose_shrinkage(
  train_NxL: Rows,
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
    (best, {shrinkage: summed squared error on hidden points}).
  """
  error = np.zeros(len(shrinkages))
  for held_out in folds(groups_N, fold_count):
    kept = np.setdiff1d(np.arange(len(train_NxL)), held_out)
    fitted = fit_gaussian(train_NxL, 0.0, kept)
    for c, seen in enumerate(masks_CxL):
      rows = held_out[c :: len(masks_CxL)]
      error += fitted.errors(train_NxL[rows], seen, shrinkages)
  return shrinkages[int(error.argmin())], dict(zip(shrinkages, error.tolist(), strict=True))
