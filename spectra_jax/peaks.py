"""Peaks: where they are, and how many of them a prediction has right, matched one to one."""

from collections.abc import Sequence

import numpy as np
import scipy.signal

from spectra_jax.forms import Terms
from spectra_jax.spectra import check_axis


def find_peaks(
  values_L: np.ndarray, axis_L: np.ndarray, prominence: float, separation: float
) -> np.ndarray:
  """[K] positions of the local maxima of one spectrum, in the unit of its axis, increasing.

  The top of the parabola through a maximum and its neighbours: off by less than a twentieth of a
  step for a Lorentz line whose full width at half height is four steps or more.

  Args:
    values_L: one spectrum.
    axis_L: evenly spaced or not.
    prominence: how far a maximum must stand above the higher of the minima beside it, relative to
      the range of the values.
    separation: of two peaks, in the unit of the axis; the higher one stays.

  Raises:
    ValueError: values that are not finite, or an axis that is none.
  """
  values_L, axis_L = np.asarray(values_L, np.float64), np.asarray(axis_L, np.float64)
  check_axis(axis_L)
  if values_L.shape != axis_L.shape or not np.isfinite(values_L).all():
    raise ValueError(
      f'values have shape {values_L.shape} on {len(axis_L)} points, or are not finite; expected '
      'one finite spectrum; cut it to what was measured'
    )
  span = np.ptp(values_L)
  if span == 0:
    return np.empty(0)
  distance = max(1.0, separation / np.median(np.diff(axis_L)))
  place_K, _ = scipy.signal.find_peaks(values_L, prominence=prominence * span, distance=distance)
  return _tops(values_L, axis_L, place_K)


def _tops(values_L: np.ndarray, axis_L: np.ndarray, place_K: np.ndarray) -> np.ndarray:
  """Top of the parabola through three points, Newton's divided differences on any axis."""
  left, middle, right = (axis_L[place_K + k] for k in (-1, 0, 1))
  rise, fall = (
    (values_L[place_K + k + 1] - values_L[place_K + k])
    / (axis_L[place_K + k + 1] - axis_L[place_K + k])
    for k in (-1, 0)
  )
  bend = (fall - rise) / (right - left)
  flat = bend >= 0  # a plateau: its middle is what scipy gives
  return np.where(flat, middle, (left + middle) / 2 - rise / (2 * np.where(flat, -1.0, bend)))


def match(found_K: np.ndarray, true_M: np.ndarray, tolerance: float) -> np.ndarray:
  """[P, 2] places (in found, in true) of peaks that belong together, each used once at most.

  Two pointers run along both sorted lists; peaks within `tolerance` are matched, else the lower one
  is given up. No matching has more pairs: let f and t be the lowest that are left. If they are
  within tolerance, pairs (f, t') and (f', t) of another matching can be changed to (f, t) and
  (f', t'), for f' - t' <= f' - t and t' - f' <= t' - f. Else the lower one is too far below all
  that is left on the other side.

  Raises:
    ValueError: positions that are not finite, or a negative tolerance.
  """
  found_K, true_M = np.asarray(found_K, np.float64), np.asarray(true_M, np.float64)
  if not (np.isfinite(found_K).all() and np.isfinite(true_M).all() and tolerance >= 0):
    raise ValueError(
      f'peaks are to be matched within {tolerance}, expected finite positions and a tolerance '
      'of at least 0; look at the positions'
    )
  order_K, order_M = np.argsort(found_K, kind='stable'), np.argsort(true_M, kind='stable')
  pairs, i, j = [], 0, 0
  while i < len(found_K) and j < len(true_M):
    distance = found_K[order_K[i]] - true_M[order_M[j]]
    if abs(distance) <= tolerance:
      pairs.append((order_K[i], order_M[j]))
    i, j = i + (distance <= tolerance), j + (distance >= -tolerance)
  return np.array(pairs, int).reshape(-1, 2)


def peak_scores(
  found: Sequence[np.ndarray], true: Sequence[np.ndarray], tolerance: float
) -> dict[str, Terms]:
  """'precision', 'recall' and 'f1' of peaks, each a ratio of sums over all spectra.

  Precision is matched / found, recall matched / true, F1 2 matched / (found + true). Recall alone
  rewards a spectrum full of peaks.

  Args:
    found: positions in each predicted spectrum.
    true: positions in each reference.
    tolerance: of a match, in the unit of the positions.

  Raises:
    ValueError: not one reference a prediction.
  """
  if len(found) != len(true):
    raise ValueError(
      f'peaks of {len(found)} predictions and {len(true)} references were given, expected as '
      'many of both, row for row'
    )
  pairs = zip(found, true, strict=True)
  matched_N = np.array([len(match(*pair, tolerance)) for pair in pairs], float)
  found_N, true_N = (np.array([len(x) for x in lists], float) for lists in (found, true))
  sums = {'precision': found_N, 'recall': true_N, 'f1': (found_N + true_N) / 2}
  return {name: Terms('ratio', np.stack([matched_N, of_N])) for name, of_N in sums.items()}
