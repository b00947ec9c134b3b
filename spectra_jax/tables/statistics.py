"""Intervals over seeds and test groups, paired tests of two rows, Holm's correction.

A score is a function of sums over test groups (`spectra_jax/forms.py`): a ratio, RMSEP, macro-F1; a
row's number is its mean over seeds. Groups (say, molecular formulas), not spectra, are the unit:
spectra of one group are alike.
"""

import functools
import itertools
from typing import NamedTuple

import numpy as np
import scipy.stats

from spectra_jax.forms import FORMS, OF_ONE_GROUP, draws, percentiles

TESTS = ('permutation', 'wilcoxon')
SWAPS = 9999  # random ones; all there are where these are fewer


class Sums(NamedTuple):
  """What groups add to one score: [K, S, G], a row a seed; the last of K is what was judged."""

  parts_KxSxG: np.ndarray
  form: str


class Interval(NamedTuple):
  value: float
  low: float
  high: float


def mean_score(sums: Sums) -> float:
  """Mean over seeds of the score of all groups."""
  return float(FORMS[sums.form](sums.parts_KxSxG.sum(-1)).mean())


def bootstrap(sums: Sums, resamples: int, level: float, seed: int = 0) -> Interval | None:
  """Percentile interval of `mean_score` when seeds and groups are both drawn again.

  Of n units n - 1 are drawn (`forms.draws`), which three seeds would feel. All seeds share the
  groups that were drawn; both factors at once is slightly conservative (Owen 2007,
  doi:10.1214/07-AOAS122). What there is one of is not drawn.

  Returns:
    None where neither seeds nor groups can be drawn again, or most draws have no such score.
  """
  sums = judged(sums)
  _, seeds, groups = sums.parts_KxSxG.shape
  if max(seeds, groups) < 2:
    return None
  drawn_R = _drawn(sums, _weights(groups, resamples, seed), _weights(seeds, resamples, seed, 1))
  if np.isfinite(drawn_R).mean() < 0.5:
    return None
  return Interval(mean_score(sums), *percentiles(drawn_R, level))


def difference(
  ours: Sums, theirs: Sums, resamples: int, level: float, seed: int = 0
) -> Interval | None:
  """Percentile interval of the difference of two `mean_score`, seeds and groups drawn as above.

  Both rows share the groups that are drawn; their seeds are drawn apart. A test by groups takes the
  trained models as given, and two seeds of one config pass it: this says whether seeds would do.

  Returns:
    None where most draws have no such score.
  """
  both_G = shared(ours, theirs)
  rows = [Sums(sums.parts_KxSxG[..., both_G], sums.form) for sums in (ours, theirs)]
  weight_RxG = _weights(int(both_G.sum()), resamples, seed)
  drawn = [
    _drawn(sums, weight_RxG, _weights(sums.parts_KxSxG.shape[1], resamples, seed, stream))
    for stream, sums in enumerate(rows, start=1)
  ]
  drawn_R = drawn[0] - drawn[1]
  if np.isfinite(drawn_R).mean() < 0.5:
    return None
  return Interval(mean_score(rows[0]) - mean_score(rows[1]), *percentiles(drawn_R, level))


@functools.lru_cache(maxsize=8)  # all cells of a table draw alike
def _weights(count: int, resamples: int, seed: int, stream: int = 0) -> np.ndarray:
  return draws(np.random.default_rng((seed, stream)), count, resamples)


def _drawn(sums: Sums, weight_RxG: np.ndarray, weight_RxS: np.ndarray) -> np.ndarray:
  """[R] means over the drawn seeds of the scores of the drawn groups."""
  score_RxS = FORMS[sums.form](weight_RxG @ sums.parts_KxSxG.swapaxes(1, 2))
  return (score_RxS * weight_RxS).mean(1)


def shared(ours: Sums, theirs: Sums) -> np.ndarray:
  """[G] bool: groups that every run of both rows was judged by."""
  return (ours.parts_KxSxG[-1] > 0).all(0) & (theirs.parts_KxSxG[-1] > 0).all(0)


def judged(sums: Sums) -> Sums:
  """Without the groups that the score says nothing of."""
  where_G = (sums.parts_KxSxG[-1] > 0).any(0)
  return Sums(sums.parts_KxSxG[..., where_G], sums.form)


def paired(ours: Sums, theirs: Sums, test: str, seed: int = 0) -> float:
  """Two-sided p that two rows are equally good on the groups of this test side.

  Seeds are averaged first: the question is about new groups, with these trained models.

  Args:
    ours, theirs: sums over the same groups in the same order.
    test: 'permutation': the groups' sums change sides at random, and the difference of the two
      scores is compared with what that gives; 'wilcoxon': signed ranks of the differences of the
      groups' own ratios.
    seed: of the random swaps.

  Raises:
    ValueError: another test, fewer than two groups, two scores of different forms, or one that a
      group alone does not have.
  """
  if test not in TESTS:
    raise ValueError(f'test is {test!r}, expected one of {", ".join(TESTS)}; correct the table')
  if ours.form != theirs.form:
    raise ValueError(
      f'one row has a score of form {ours.form} and the other of {theirs.form}, expected one form; '
      'evaluate the older run again'
    )
  if test == 'wilcoxon' and ours.form not in OF_ONE_GROUP:
    raise ValueError(
      f'test wilcoxon compares groups one by one, which have no {ours.form} of their own, expected '
      f'{" or ".join(OF_ONE_GROUP)}; use the permutation test'
    )
  ours_KxG, theirs_KxG = (sums.parts_KxSxG.mean(1) for sums in (ours, theirs))
  used_G = shared(ours, theirs)
  if used_G.sum() < 2:
    raise ValueError(
      f'there are {used_G.sum()} test groups with this score, expected at least 2 to compare rows; '
      'leave out the test of this column'
    )
  return _TEST[test](ours_KxG[:, used_G], theirs_KxG[:, used_G], ours.form, seed)


def _permutation(ours_KxG: np.ndarray, theirs_KxG: np.ndarray, form: str, seed: int) -> float:
  """Twice the smaller tail; what was found counts as one of the random swaps."""
  swap_RxG = _swaps(ours_KxG.shape[1], seed, SWAPS)
  moved_KxR = (theirs_KxG - ours_KxG) @ swap_RxG.T
  score = lambda total_KxR: FORMS[form](total_KxR)
  total = lambda part_KxG: part_KxG.sum(1, keepdims=True)
  drawn_R = score(total(ours_KxG) + moved_KxR) - score(total(theirs_KxG) - moved_KxR)
  found = float((score(total(ours_KxG)) - score(total(theirs_KxG)))[0])
  rounding = 1e-12 * max(abs(found), np.abs(drawn_R).max())
  one = int(len(swap_RxG) == SWAPS)
  tails = [(side * (drawn_R - found) >= -rounding).sum() + one for side in (-1, 1)]
  return min(1.0, 2 * float(min(tails)) / (len(swap_RxG) + one))


@functools.lru_cache(maxsize=2)
def _swaps(groups: int, seed: int, most: int) -> np.ndarray:
  """[R, G] zeros and ones: every way to swap groups, or `most` random ones where that is fewer."""
  if 2**groups <= most:
    return np.array(list(itertools.product((0.0, 1.0), repeat=groups)))
  return np.random.default_rng(seed).integers(0, 2, (most, groups)).astype(float)


def _wilcoxon(ours_KxG: np.ndarray, theirs_KxG: np.ndarray, form: str, seed: int) -> float:
  difference_G = FORMS[form](ours_KxG) - FORMS[form](theirs_KxG)
  if not difference_G.any():
    return 1.0
  return float(scipy.stats.wilcoxon(difference_G).pvalue)


_TEST = {'permutation': _permutation, 'wilcoxon': _wilcoxon}


def holm(p_N: np.ndarray) -> np.ndarray:
  """P values that allow for their number (Holm 1979, Scand. J. Statist. 6, 65).

  p'_(i) = max over j <= i of min(1, (N - j + 1) p_(j)), p_(1) <= ... <= p_(N).
  """
  p_N = np.asarray(p_N, float)
  order = np.argsort(p_N, kind='stable')
  raised = np.minimum(1.0, p_N[order] * np.arange(len(p_N), 0, -1))
  adjusted = np.empty_like(p_N)
  adjusted[order] = np.maximum.accumulate(raised)
  return adjusted
