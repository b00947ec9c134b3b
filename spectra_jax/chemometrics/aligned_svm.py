"""A support vector machine that lets two spectra slide along the axis before it compares them.

  c(x, y) = max over lags l of  sum_t x'_{t+l} y'_t / (|x'| |y'|) - slope |l|
  kernel(x, y) = exp(-gamma (2 - 2 c)), c averaged over windows of the derivative

x' is the Savitzky-Golay derivative d as sign(d) |d|^0.7, cut at three times its root mean square:
baselines do not count, weak lines count beside strong ones and a step does not count for much. Sums
and norms are over what overlaps. Axes that are off by a few wavenumbers make much of the difference
between two measurements of one mineral; the slope says how unlikely a large lag is. Folds of a few
hundred spectra cannot tell windows apart, so all of them are in the mean and none is chosen. A
maximum of kernels need not be one: libsvm then finds a stationary point (Haasdonk 2005,
doi:10.1109/TPAMI.2005.78), whose worth the folds judge.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from scipy.signal import savgol_filter
from sklearn.svm import SVC

from spectra_jax.chemometrics import nested

TASKS = (nested.CLASSIFICATION,)
POWER, CUT = 0.7, 3.0
WINDOWS = (11, 21, 31)  # of the derivative of a parabola [points]
SLOPE = 0.003  # cost of a lag [1/point]
GAMMAS = (0.1, 0.3, 1.0)
COSTS = (10.0, 100.0)
LAGS = 45  # the largest [points]


def fit(
  values_NxL: np.ndarray,
  targets_N: np.ndarray,
  groups_N: np.ndarray,
  seed: int,
  gammas: Sequence[float] = GAMMAS,
  costs: Sequence[float] = COSTS,
  slope: float = SLOPE,
  windows: Sequence[int] = WINDOWS,
  lags: int = LAGS,
  folds: int = nested.FOLDS,
) -> nested.OnFeatures:
  """SVC of aligned spectra; grouped folds choose gamma and cost.

  Args:
    values_NxL: training spectra on an even axis.
    targets_N: classes; each weighs as much as any other.
    groups_N: what is never on both sides of a fold.
    seed: of the folds.
    gammas, costs: candidates; the earlier ones win ties.
    slope: cost of a lag [1/point].
    windows: of the derivatives [points].
    lags: the largest lag [points].
    folds: their number.
  """
  values_NxL, targets_N = nested.checked(values_NxL, targets_N, groups_N, TASKS)
  machine = SVC(kernel='precomputed', class_weight='balanced')
  alike_NxN = likeness(values_NxL, values_NxL, slope, windows, lags)
  found = {
    gamma: nested.tune(
      machine, {'C': costs}, kernel(alike_NxN, gamma), targets_N, groups_N, seed, folds
    )
    for gamma in gammas
  }
  gamma = min(found, key=lambda gamma: found[gamma].error)
  best = dataclasses.replace(found[gamma], chosen={**found[gamma].chosen, 'gamma': gamma})
  compared = lambda x_BxL: kernel(likeness(x_BxL, values_NxL, slope, windows, lags), gamma)
  return nested.OnFeatures(compared, best)


def likeness(
  a_NxL: np.ndarray, b_MxL: np.ndarray, slope: float, windows: Sequence[int], lags: int
) -> np.ndarray:
  """[N, M]: c of each pair of spectra, averaged over the windows.

  Raises:
    ValueError: a lag that leaves less than half of the axis to compare.
  """
  points = a_NxL.shape[1]
  if not 0 <= lags <= points // 2:
    raise ValueError(
      f'lags is {lags} for {points} points, expected 0 to {points // 2}, so that half of the axis '
      'is compared; lower it'
    )
  each = [_best(edges(a_NxL, window), edges(b_MxL, window), slope, lags) for window in windows]
  return sum(each) / len(each)


def edges(values_NxL: np.ndarray, window: int) -> np.ndarray:
  """x' of each spectrum, by the derivative of a parabola through `window` points."""
  slope_NxL = savgol_filter(np.asarray(values_NxL, np.float64), window, 2, deriv=1, axis=1)
  edges_NxL = np.sign(slope_NxL) * np.abs(slope_NxL) ** POWER
  most_Nx1 = CUT * np.sqrt((edges_NxL**2).mean(1, keepdims=True))
  return np.clip(edges_NxL, -most_Nx1, most_Nx1)


def kernel(alike: np.ndarray, gamma: float) -> np.ndarray:
  """exp(-gamma (2 - 2 c)), 1 of equal spectra."""
  return np.exp(-2 * gamma * (1 - alike))


def _best(a_NxL: np.ndarray, b_MxL: np.ndarray, slope: float, lags: int) -> np.ndarray:
  points = a_NxL.shape[1]
  best = np.full((len(a_NxL), len(b_MxL)), -np.inf)
  for lag in range(-lags, lags + 1):
    a = a_NxL[:, max(lag, 0) : points + min(lag, 0)]
    b = b_MxL[:, max(-lag, 0) : points - max(lag, 0)]
    np.maximum(best, _unit(a) @ _unit(b).T - slope * abs(lag), out=best)
  return best


def _unit(x_NxL: np.ndarray) -> np.ndarray:
  return x_NxL / np.maximum(np.linalg.norm(x_NxL, axis=1, keepdims=True), 1e-300)
