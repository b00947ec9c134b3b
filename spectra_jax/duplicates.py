"""Copies of a spectrum, also scaled, offset, smoothed or shifted: what no split may separate.

Two measurements never have the same noise, not even of one sample. So B is a copy of A when A
explains it to less than the noise of B, for some lag t and five taps around it:

  min over a, c of  sum (B - a - sum_k c_k A(. - t + k))^2 / (n - 6)  <=  r^2 s_B^2,

where s_B is the standard deviation of the noise, told from fourth differences, which no broad band
survives. Where B has noise of its own the left side is s_B^2 at least; with r = 1/2 chance falls
below a quarter of it in 1 of 1e14 pairs of 100 points, in 4 of 1e5 pairs of 32. Shifts by fractions
of a point, interpolated linearly or cubically, are sums of taps, and so is smoothing: it is tried
both ways round.

All pairs are compared at all lags: first on every d-th point, where a copy is no worse than on all
of them, then what is left on all. Beside the spectra, memory is some blocks of 512 x 512 numbers.
"""

import hashlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from spectra_jax.spectra import Spectra

RATIO = 0.5  # r above
SHIFT_POINTS = 32  # largest lag
BLOCK = 512  # rows
COARSE_POINTS = 128  # of a spectrum on the first pass, about
TAPS = 5
BESIDE = 0.6  # points beside a lag that the first pass lets through: half of one and some more
LEAST_SHIFT = 0.1  # points; below it is no shift
LEAST_POINTS = 32  # that two spectra must share, and half of the fewer
EXACT, SCALED, SHIFTED = 'exact', 'scaled', 'shifted'


class Pair(NamedTuple):
  """Two rows that are one measurement.

  `ratio` is the residual over the noise, 0 of exact copies; `shift` is how far the second lies to
  the right of the first [points].
  """

  first: int
  second: int
  kind: str
  shift: float
  ratio: float


def find_copies(
  spectra: Spectra, shift_points: int = SHIFT_POINTS, ratio: float = RATIO
) -> list[Pair]:
  """All pairs of rows that are copies of each other, ordered.

  Args:
    spectra: measured; points that are masked in either one are not compared.
    shift_points: largest shift that is looked for [points of the axis].
    ratio: of the residual to the noise below which a pair is a copy. With 1.7 it also finds
      replicates that differ by their noise alone.

  Raises:
    ValueError: fewer points than can tell a copy, or a shift that leaves none.
  """
  points = len(spectra.axis)
  if shift_points < 0 or points - shift_points < LEAST_POINTS:
    raise ValueError(
      f'shifts of {shift_points} points on an axis of {points} were asked for, expected 0 to '
      f'{points - LEAST_POINTS}: {LEAST_POINTS} points must be left to compare; use fewer'
    )
  exact = exact_copies(spectra)
  known = {(pair.first, pair.second) for pair in exact}
  rows = _Rows(spectra)
  # Taps can take up most of the noise of one side: none are used on the first pass.
  near = [key for key in _candidates(rows, shift_points, max(1.0, ratio)) if key[:2] not in known]
  return sorted(exact + [pair for pair in _compared(rows, near) if pair.ratio <= ratio])


def exact_copies(spectra: Spectra) -> list[Pair]:
  """Pairs of rows with the same bytes where measured: quick, whatever their number."""
  place: dict[bytes, list[int]] = {}
  pairs = []
  for row in range(len(spectra)):
    mask = np.asarray(spectra.mask[row])
    values = np.where(mask, np.asarray(spectra.values[row]), 0) + 0.0  # -0.0 is 0.0
    key = hashlib.sha256(mask.tobytes() + values.tobytes()).digest()
    pairs += [Pair(other, row, EXACT, 0.0, 0.0) for other in place.get(key, [])]
    place.setdefault(key, []).append(row)
  return sorted(pairs)


def merged_groups(groups: np.ndarray, pairs: Sequence[Pair]) -> np.ndarray:
  """Groups of rows that hang together by their names or by copies, each named by its first one.

  A split by them cannot separate copies, nor what is in one group with a copy.
  """
  names, group_N = np.unique(np.asarray(groups, str), return_inverse=True)
  links = np.array([(group_N[p.first], group_N[p.second]) for p in pairs], int).reshape(-1, 2)
  graph = coo_array((np.ones(len(links)), links.T), shape=(len(names), len(names)))
  _, component = connected_components(graph, directed=False)
  _, first = np.unique(component, return_index=True)
  return names[first][component][group_N]


# ---- noise ---------------------------------------------------------------------


def noise(values_NxL: np.ndarray, mask_NxL: np.ndarray) -> np.ndarray:
  """[N] standard deviation of the noise, from the median of |fourth differences|.

  White noise of deviation s has fourth differences of deviation sqrt(70) s, and the median of their
  absolute value is 0.6745 of that. Correlated noise looks smaller, lines of few points larger.
  Rounding to float32 is a floor; where nothing is left of a spectrum it is all that is known.
  """
  values_NxL = np.float64(values_NxL)
  fourth_NxL = np.abs(np.diff(values_NxL, 4, axis=1))
  whole_NxL = np.lib.stride_tricks.sliding_window_view(mask_NxL, 5, axis=1).all(-1)
  middle_N = np.zeros(len(values_NxL))
  for row in np.flatnonzero(whole_NxL.any(1)):
    middle_N[row] = np.median(fourth_NxL[row, whole_NxL[row]])
  floor_N = np.finfo(np.float32).eps * np.abs(np.where(mask_NxL, values_NxL, 0.0)).max(1)
  return np.maximum(middle_N / (0.6745 * np.sqrt(70)), floor_N)


class _Rows:
  """What is needed of all rows: values about their means, masks, noise, squared slopes."""

  def __init__(self, spectra: Spectra):
    mask_NxL, values_NxL = np.asarray(spectra.mask), np.float64(np.asarray(spectra.values))
    values_NxL = np.where(mask_NxL, values_NxL, 0.0)
    self.noise_N = noise(values_NxL, mask_NxL)
    mean_N = values_NxL.sum(1) / np.maximum(mask_NxL.sum(1), 1)
    self.values_NxL = np.where(mask_NxL, values_NxL - mean_N[:, None], 0.0)
    self.mask_NxL = mask_NxL
    self.slope_NxL = np.gradient(self.values_NxL, axis=1) ** 2
    self.points = mask_NxL.shape[1]


def _overlap(points: int, lag: int) -> tuple[slice, slice]:
  """Points of the first and of the second where the second lies `lag` points to the right."""
  left, right = max(0, -lag), max(0, lag)
  return slice(left, points - right), slice(right, points - left)


# ---- first pass: all pairs, all lags, some points --------------------------------


def _candidates(rows: _Rows, shift_points: int, ratio: float) -> list[tuple[int, int, int]]:
  """(first, second, lag) of pairs that may be copies, each at the lag where it is most alike."""
  found, count = [], len(rows.values_NxL)
  for i in range(0, count, BLOCK):
    for j in range(i, count, BLOCK):
      ours, theirs = (np.arange(k, min(k + BLOCK, count)) for k in (i, j))
      best = np.where(ours[:, None] < theirs, 1.0, -1.0)  # what is no pair has nothing better
      lag_at = np.full(best.shape, shift_points + 1)
      for lag in sorted(range(-shift_points, shift_points + 1), key=abs):
        unlike = _unlike(rows, ours, theirs, lag, ratio)
        better = unlike < best
        best[better], lag_at[better] = unlike[better], lag
      places = zip(*np.nonzero(lag_at <= shift_points), strict=True)
      found += [(int(ours[a]), int(theirs[b]), int(lag_at[a, b])) for a, b in places]
  return found


def _unlike(
  rows: _Rows, ours: np.ndarray, theirs: np.ndarray, lag: int, ratio: float
) -> np.ndarray:
  """[I, J] unexplained variance over the largest that a copy has on every d-th point.

  At most 1 of copies that lie at most half a point beside this lag, where f A' is unexplained for
  |f| <= 1/2 and terms of second order are small. inf where the two share too few points.
  """
  step = max(1, rows.points // COARSE_POINTS)
  here, there = _overlap(rows.points, lag)
  some = lambda x_NxL, side, place: x_NxL[side, place][:, ::step]
  sides = ((ours, here), (theirs, there))
  (a, b), masks, slopes = (
    [some(x, *side) for side in sides] for x in (rows.values_NxL, rows.mask_NxL, rows.slope_NxL)
  )
  n, a_a, b_b, a_b = _moments(a, masks[0], b, masks[1])
  judged = (n * step >= LEAST_POINTS) & (n * step >= rows.points / 4)
  judged &= (a_a > 0) & (b_b > 0) & (a_b > 0)
  over = lambda x, y: np.divide(x, y, out=np.full(x.shape, np.inf), where=judged)
  unexplained = np.maximum(1 - over(a_b**2, a_a * b_b), 0.0)
  of_noise = lambda side: ratio**2 * n * step * side**2
  beside = np.maximum(
    over(slopes[0].sum(1)[:, None] + 0 * n, a_a), over(slopes[1].sum(1) + 0 * n, b_b)
  )
  allowed = over(of_noise(rows.noise_N[ours, None]), a_a) + over(
    of_noise(rows.noise_N[theirs]), b_b
  )
  return over(unexplained, allowed + BESIDE**2 * beside)


def _moments(
  a: np.ndarray, mask_a: np.ndarray, b: np.ndarray, mask_b: np.ndarray
) -> tuple[np.ndarray, ...]:
  """[I, J] number of shared points, and sums about the means there: a a, b b, a b."""
  if mask_a.all() and mask_b.all():
    n = np.full((len(a), len(b)), float(a.shape[1]))
    a, b = (x - x.mean(1, keepdims=True) for x in (a, b))
    return n, (a**2).sum(1)[:, None] + 0 * n, (b**2).sum(1) + 0 * n, a @ b.T
  mask_a, mask_b = np.float64(mask_a), np.float64(mask_b)
  n = mask_a @ mask_b.T
  mean = lambda x: x / np.maximum(n, 1)
  sum_a, sum_b = a @ mask_b.T, mask_a @ b.T
  a_a, b_b = (a**2) @ mask_b.T - sum_a * mean(sum_a), mask_a @ (b**2).T - sum_b * mean(sum_b)
  return n, a_a, b_b, a @ b.T - sum_a * mean(sum_b)


# ---- second pass: what is left, all points ----------------------------------------


def _compared(rows: _Rows, near: Sequence[tuple[int, int, int]]) -> Iterator[Pair]:
  """The pairs with the smaller of their two residuals."""
  forth = _explained(rows, near)
  back = _explained(rows, [(second, first, -lag) for first, second, lag in near])
  for first, second, _ in near:
    ratio, shift = min(forth[first, second], back[second, first], key=lambda found: found[0])
    shift = shift if (ratio, shift) == forth[first, second] else -shift
    yield Pair(first, second, SHIFTED if abs(shift) >= LEAST_SHIFT else SCALED, shift, ratio)


def _explained(
  rows: _Rows, near: Sequence[tuple[int, int, int]]
) -> dict[tuple[int, int], tuple[float, float]]:
  """(by, row) -> (residual over the noise of the row, its shift), of triples (by, row, lag).

  Rows explained by one spectrum at one lag are solved together if they have one mask.
  """
  together: dict[tuple, list[int]] = {}
  for by, row, lag in near:
    together.setdefault((by, lag, rows.mask_NxL[row].tobytes()), []).append(row)
  found = {}
  for (by, lag, _), mine in together.items():
    ratio_J, shift_J = _residuals(rows, by, np.array(mine), lag)
    pairs = zip(ratio_J.tolist(), shift_J.tolist(), strict=True)
    found |= dict(zip([(by, row) for row in mine], pairs, strict=True))
  return found


def _residuals(rows: _Rows, by: int, mine: np.ndarray, lag: int) -> tuple[np.ndarray, np.ndarray]:
  """(residual over noise [J], shift [J]) of rows with one mask, by the taps of another row."""
  half = TAPS // 2
  here, there = _overlap(rows.points, lag)
  windows = lambda x_NxL: np.lib.stride_tricks.sliding_window_view(x_NxL[by, here], TAPS)
  inner = slice(there.start + half, there.stop - half)
  used = windows(rows.mask_NxL).all(1) & rows.mask_NxL[mine[0], inner]
  if used.sum() < LEAST_POINTS:
    return np.full(len(mine), np.inf), np.zeros(len(mine))
  b_MxJ = rows.values_NxL[mine, inner][:, used].T
  x_MxK = np.column_stack([np.ones(used.sum()), windows(rows.values_NxL)[used]])
  tap_KxJ = np.linalg.lstsq(x_MxK, b_MxJ)[0]
  residual_J = ((b_MxJ - x_MxK @ tap_KxJ) ** 2).sum(0) / (used.sum() - TAPS - 1)
  gain_J = tap_KxJ[1:].sum(0)
  moment_J = (np.arange(TAPS) - half) @ tap_KxJ[1:] / np.where(gain_J == 0, 1.0, gain_J)
  return np.sqrt(residual_J) / rows.noise_N[mine], lag - moment_J
