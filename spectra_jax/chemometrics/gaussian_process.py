"""Gaussian process regression on principal component scores, one length scale a component.

k(t, t') = a exp(-sum_j (t_j - t'_j)^2 / 2 l_j^2) + n [t = t'], t the scores divided by their
standard deviations. a, l and n maximise the marginal likelihood of the training targets (Rasmussen
& Williams 2006, chapter 5), by scikit-learn. How many components there are is chosen by what the
model says of each fold's rows from all the others, with a, l and n as they are: their residuals are
r_F = ([K^-1]_FF)^-1 [K^-1 y]_F (ibid., section 5.4.2, for blocks).
"""

import dataclasses
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import scipy.linalg
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

from spectra_jax.chemometrics import nested

TASKS = (nested.REGRESSION,)
COMPONENTS = (6, 10, 13, 16, 20)
LENGTHS = (1e-1, 1e4)  # bounds of l; a component of the largest one does not matter


@dataclasses.dataclass(frozen=True, eq=False)
class GaussianProcess:
  """Scores, the process on them, and what grouped folds said of it."""

  scores: PCA
  process: GaussianProcessRegressor
  chosen: Mapping[str, Any]
  error: float

  def predict(self, values_BxL: np.ndarray) -> np.ndarray:
    """[B]: the mean of the process."""
    return self.process.predict(self._scores(values_BxL))

  def deviation(self, values_BxL: np.ndarray) -> np.ndarray:
    """[B]: the standard deviation of a new measurement of the target, its noise included."""
    return self.process.predict(self._scores(values_BxL), return_std=True)[1]

  def _scores(self, values_BxL: np.ndarray) -> np.ndarray:
    return self.scores.transform(np.asarray(values_BxL, np.float64))


def residuals(kernel_NxN: np.ndarray, targets_N: np.ndarray, fold_N: np.ndarray) -> np.ndarray:
  """[N]: target less prediction of each row by a zero-mean process that lacks the row's fold."""
  inverse_NxN = scipy.linalg.inv(kernel_NxN)
  weights_N, residual_N = inverse_NxN @ targets_N, np.empty(len(targets_N))
  for number in np.unique(fold_N):
    rows = np.flatnonzero(fold_N == number)
    residual_N[rows] = scipy.linalg.solve(
      inverse_NxN[np.ix_(rows, rows)], weights_N[rows], assume_a='pos'
    )
  return residual_N


def fit(
  values_NxL: np.ndarray,
  targets_N: np.ndarray,
  groups_N: np.ndarray,
  seed: int,
  components: Sequence[int] = COMPONENTS,
  folds: int = nested.FOLDS,
) -> GaussianProcess:
  """A process on as many scores as grouped folds like; arguments as those of `pls.fit`.

  Args:
    components: candidates; those beyond what the rows allow are left out.
  """
  values_NxL, targets_N = nested.checked(values_NxL, targets_N, groups_N, TASKS)
  fold_N = nested.fold_numbers(groups_N, folds, seed)
  most = min(values_NxL.shape[1], len(values_NxL) - 1)
  tried = sorted({min(count, most) for count in components})
  return min(
    (_of_scores(values_NxL, targets_N, fold_N, count) for count in tried),
    key=lambda model: model.error,
  )


def _of_scores(
  values_NxL: np.ndarray, targets_N: np.ndarray, fold_N: np.ndarray, count: int
) -> GaussianProcess:
  scores = PCA(count, whiten=True, svd_solver='full')
  score_NxK = scores.fit_transform(values_NxL)
  signal = ConstantKernel(10.0, (1e-3, 1e5)) * RBF(np.full(count, 5.0), LENGTHS)
  kernel = signal + WhiteKernel(1e-3, (1e-8, 1e1))
  process = GaussianProcessRegressor(kernel, alpha=1e-10, normalize_y=True)
  with warnings.catch_warnings():
    # Length scales of components that do not matter end at their bound: that is what it is for.
    warnings.simplefilter('ignore', ConvergenceWarning)
    process.fit(score_NxK, targets_N)
  normal_N = (targets_N - targets_N.mean()) / targets_N.std()
  residual_N = residuals(process.kernel_(score_NxK), normal_N, fold_N) * targets_N.std()
  return GaussianProcess(scores, process, {'components': count}, float((residual_N**2).mean()))
