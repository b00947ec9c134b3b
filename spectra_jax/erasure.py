"""A concept taken out of features by the least change that hides it from every linear reader.

LEACE (Belrose et al. 2023, arXiv:2306.03819, theorem 4.3): with W = S_xx^(-1/2), its pseudoinverse
where S_xx has none, and the orthogonal projection P onto the columns of W S_xz,

  r(x) = x - W^+ P W (x - E x)

has no covariance with z, so that no linear classifier of r(x) does better than one that knows no x,
and of all affine maps of which that is true it has the least E |r(x) - x|^2. For C classes P has
rank C - 1 at most. A nonlinear reader may still find what is left in higher moments.
"""

import dataclasses

import numpy as np

NEGLIGIBLE = 1e-9  # variance, over the largest, of a direction in which nothing varies


@dataclasses.dataclass(frozen=True, eq=False)
class Erasure:
  """r(x) = x - taken (x - mean).

  Attributes:
    mean_F: of the features that it was fitted to.
    taken_FxF: W^+ P W, an oblique projection; of rank 0 where there was nothing to take.
  """

  mean_F: np.ndarray
  taken_FxF: np.ndarray

  def __call__(self, features: np.ndarray) -> np.ndarray:
    """Features [..., F] without the concept; float64."""
    return features - (np.float64(features) - self.mean_F) @ self.taken_FxF.T


def fit(features_NxF: np.ndarray, label_N: np.ndarray) -> Erasure:
  """The erasure of a class from features; what it is asked of later should be other samples.

  Args:
    features_NxF: finite.
    label_N: class of each row.

  Raises:
    ValueError: rows and labels of two lengths, or a feature that is not finite.
  """
  features_NxF, label_N = np.float64(features_NxF), np.asarray(label_N)
  if len(features_NxF) != len(label_N) or not len(label_N):
    raise ValueError(
      f'there are {len(features_NxF)} rows of features and {len(label_N)} labels, expected as many '
      'of both and at least one'
    )
  if not np.isfinite(features_NxF).all():
    bad = np.argwhere(~np.isfinite(features_NxF))[0]
    raise ValueError(
      f'feature {bad[1]} of row {bad[0]} is {features_NxF[tuple(bad)]}, expected finite features; '
      'leave the row out'
    )
  mean_F = features_NxF.mean(0)
  centred_NxF = features_NxF - mean_F
  onehot_NxC = np.float64(label_N[:, None] == np.unique(label_N))
  covariance_FxF = centred_NxF.T @ centred_NxF / len(label_N)
  shared_FxC = centred_NxF.T @ (onehot_NxC - onehot_NxC.mean(0)) / len(label_N)
  variance_F, axes_FxF = np.linalg.eigh(covariance_FxF)
  there = variance_F > NEGLIGIBLE * max(variance_F[-1], np.finfo(float).tiny)
  axes_FxR, spread_R = axes_FxF[:, there], np.sqrt(variance_F[there])
  told_RxK = _columns((axes_FxR / spread_R).T @ shared_FxC)  # of the whitened features
  whiten_KxF, colour_FxK = told_RxK.T @ (axes_FxR / spread_R).T, axes_FxR * spread_R @ told_RxK
  return Erasure(mean_F, colour_FxK @ whiten_KxF)


def _columns(x_RxC: np.ndarray) -> np.ndarray:
  """[R, K] orthonormal basis of the columns; those of rounding left out."""
  basis_RxK, size_K, _ = np.linalg.svd(x_RxC, full_matrices=False)
  return basis_RxK[:, size_K > NEGLIGIBLE]
