"""Intervals over seeds and test groups, paired tests of two rows, Holm's correction.

A score is sum(numerators) / sum(denominators) over test groups; a row's number is its mean over
seeds. Groups (say, molecular formulas), not spectra, are the unit: spectra of one group are alike.
"""

from typing import NamedTuple

import numpy as np
import scipy.stats

TESTS = ('permutation', 'wilcoxon')
SWAPS = 9999  # random ones; all there are where these are fewer


class Sums(NamedTuple):
  """Numerators and denominators of one score: [S, G], a row a seed."""

  numerator_SxG: np.ndarray
  denominator_SxG: np.ndarray


class Interval(NamedTuple):
  value: float
  low: float
  high: float


def mean_ratio(sums: Sums) -> float:
  """Mean over seeds of sum(numerators) / sum(denominators)."""
  return float((sums.numerator_SxG.sum(1) / sums.denominator_SxG.sum(1)).mean())


def bootstrap(sums: Sums, resamples: int, level: float, seed: int = 0) -> Interval | None:
  """Percentile interval of `mean_ratio` when seeds and groups are both drawn again.

  Of n units n - 1 are drawn, so that the spread is that of a mean of n and not (n - 1) / n of it,
  which three seeds would feel (Rao & Wu 1988, doi:10.1080/01621459.1988.10478591). All seeds share
  the groups that were drawn; both factors at once is slightly conservative (Owen 2007,
  doi:10.1214/07-AOAS122). What there is one of is not drawn.

  Returns:
    None where neither seeds nor groups can be drawn again, or most draws have no denominator.
  """
  sums = judged(sums)
  seeds, groups = sums.numerator_SxG.shape
  if max(seeds, groups) < 2:
    return None
  rng = np.random.default_rng(seed)
  weight_RxG, weight_RxS = _weights(rng, groups, resamples), _weights(rng, seeds, resamples)
  numerator_RxS = weight_RxG @ sums.numerator_SxG.T
  denominator_RxS = weight_RxG @ sums.denominator_SxG.T
  whole_R = (denominator_RxS > 0).all(1)
  if whole_R.mean() < 0.5:
    return None
  ratio_RxS = numerator_RxS[whole_R] / denominator_RxS[whole_R]
  drawn_R = (ratio_RxS * weight_RxS[whole_R]).sum(1)
  tail = 50 * (1 - level)
  return Interval(mean_ratio(sums), *map(float, np.percentile(drawn_R, [tail, 100 - tail])))


def difference(ours: Sums, theirs: Sums, resamples: int, level: float, seed: int = 0) -> Interval:
  """Percentile interval of the difference of two `mean_ratio`, seeds and groups drawn as above.

  Both rows share the groups that are drawn; their seeds are drawn apart. A test by groups takes the
  trained models as given, and two seeds of one config pass it: this says whether seeds would do.
  """
  both_G = shared(ours, theirs)
  rows = [Sums(*(part[:, both_G] for part in sums)) for sums in (ours, theirs)]
  rng = np.random.default_rng(seed)
  weight_RxG = _weights(rng, int(both_G.sum()), resamples)
  drawn = []
  for sums in rows:
    weight_RxS = _weights(rng, len(sums.numerator_SxG), resamples)
    ratio_RxS = (weight_RxG @ sums.numerator_SxG.T) / (weight_RxG @ sums.denominator_SxG.T)
    drawn.append((ratio_RxS * weight_RxS).sum(1))
  tail = 50 * (1 - level)
  low, high = np.percentile(drawn[0] - drawn[1], [tail, 100 - tail])
  return Interval(mean_ratio(rows[0]) - mean_ratio(rows[1]), float(low), float(high))


def shared(ours: Sums, theirs: Sums) -> np.ndarray:
  """[G] bool: groups that every run of both rows was judged by."""
  return (ours.denominator_SxG > 0).all(0) & (theirs.denominator_SxG > 0).all(0)


def judged(sums: Sums) -> Sums:
  """Without the groups that the score says nothing of."""
  where_G = (sums.denominator_SxG > 0).any(0)
  return Sums(sums.numerator_SxG[:, where_G], sums.denominator_SxG[:, where_G])


def _weights(rng: np.random.Generator, count: int, resamples: int) -> np.ndarray:
  """[resamples, count] shares of count - 1 draws with replacement; 1 where there is one unit."""
  if count == 1:
    return np.ones((resamples, 1))
  return rng.multinomial(count - 1, np.full(count, 1 / count), size=resamples) / (count - 1)


def paired(ours: Sums, theirs: Sums, test: str, seed: int = 0) -> float:
  """Two-sided p that two rows are equally good on the groups of this test side.

  Seeds are averaged first: the question is about new groups, with these trained models.

  Args:
    ours, theirs: sums over the same groups in the same order.
    test: 'permutation': the groups' sums change sides at random, and the difference of the two
      ratios is compared with what that gives; 'wilcoxon': signed ranks of the differences of the
      groups' own ratios.
    seed: of the random swaps.

  Raises:
    ValueError: another test, or fewer than two groups.
  """
  if test not in TESTS:
    raise ValueError(f'test is {test!r}, expected one of {", ".join(TESTS)}; correct the table')
  ours_2xG, theirs_2xG = (np.stack([part.mean(0) for part in sums]) for sums in (ours, theirs))
  used_G = shared(ours, theirs)
  if used_G.sum() < 2:
    raise ValueError(
      f'there are {used_G.sum()} test groups with this score, expected at least 2 to compare rows; '
      'leave out the test of this column'
    )
  return _TEST[test](ours_2xG[:, used_G], theirs_2xG[:, used_G], seed)


def _permutation(ours_2xG: np.ndarray, theirs_2xG: np.ndarray, seed: int) -> float:
  both_2xN = np.concatenate([ours_2xG, theirs_2xG], 1)
  groups = ours_2xG.shape[1]

  def difference(a, b, axis):
    ratio = lambda place: both_2xN[0][place].sum(axis) / both_2xN[1][place].sum(axis)
    return ratio(a) - ratio(b)

  places = (np.arange(groups), np.arange(groups) + groups)
  options = {'permutation_type': 'samples', 'vectorized': True, 'batch': 1000}
  rng = np.random.default_rng(seed)
  found = scipy.stats.permutation_test(places, difference, n_resamples=SWAPS, rng=rng, **options)
  return float(found.pvalue)


def _wilcoxon(ours_2xG: np.ndarray, theirs_2xG: np.ndarray, seed: int) -> float:
  difference_G = ours_2xG[0] / ours_2xG[1] - theirs_2xG[0] / theirs_2xG[1]
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
