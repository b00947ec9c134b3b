"""Scores as functions of sums over examples: what a metric has to be for intervals and tests.

An example adds `parts_KxN[:, n]` to the K sums of a score, and its `form` turns the sums into the
number: RMSEP is sqrt(sum e^2 / n), macro-F1 is made of counts. So a group's sums are all that has
to be kept of it: groups drawn again are sums with weights, and merged test sides are sums added.
The last sum says how much there was to judge; where it is 0, a group says nothing of the score.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

Form = Callable[[np.ndarray], np.ndarray]


def divided(above: np.ndarray, below: np.ndarray) -> np.ndarray:
  """above / below, NaN where below is not positive: nothing there to judge."""
  above, below = np.broadcast_arrays(np.float64(above), np.float64(below))
  return np.divide(above, below, out=np.full(above.shape, np.nan), where=below > 0)


def ratio(sums: np.ndarray) -> np.ndarray:
  """s_0 / s_last."""
  return divided(sums[0], sums[-1])


def root_ratio(sums: np.ndarray) -> np.ndarray:
  """sqrt(s_0 / s_1)."""
  return np.sqrt(divided(sums[0], sums[1]))


def sep(sums: np.ndarray) -> np.ndarray:
  """sqrt((s_ee - s_e^2 / n) / (n - 1)) of the sums (s_ee, s_e, n)."""
  return np.sqrt(divided(_about_mean(sums[0], sums[1], sums[2]), sums[2] - 1))


def r2(sums: np.ndarray) -> np.ndarray:
  """1 - s_ee / (s_yy - s_y^2 / n) of the sums (s_ee, s_yy, s_y, n)."""
  return 1 - divided(sums[0], _about_mean(*sums[1:]))


def rpd(sums: np.ndarray) -> np.ndarray:
  """sqrt((s_yy - s_y^2 / n) / (n - 1)) / sqrt(s_ee / n) of the sums (s_ee, s_yy, s_y, n)."""
  spread = divided(_about_mean(*sums[1:]), sums[3] - 1)
  return np.sqrt(divided(spread * sums[3], sums[0]))


def correlation(sums: np.ndarray) -> np.ndarray:
  """Pearson's r of the sums (s_xy, s_xx, s_yy, s_x, s_y, n)."""
  x, y, count = sums[3], sums[4], sums[5]
  spread = _about_mean(sums[1], x, count) * _about_mean(sums[2], y, count)
  return divided(sums[0] - divided(x * y, count), np.sqrt(spread))


def macro_f1(sums: np.ndarray) -> np.ndarray:
  """Mean of 2 hits / (said + true) over the classes that occur, of (hits_C, said_C, true_C, n)."""
  hits_C, said_C, true_C = _by_class(sums, 3)
  return _class_mean(divided(2 * hits_C, said_C + true_C), true_C)


def balanced_accuracy(sums: np.ndarray) -> np.ndarray:
  """Mean of hits / true over the classes that occur, of (hits_C, true_C, n)."""
  hits_C, true_C = _by_class(sums, 2)
  return _class_mean(divided(hits_C, true_C), true_C)


def expected_calibration_error(sums: np.ndarray) -> np.ndarray:
  """sum_b |s_b| / n of (s_1 .. s_B, n), s_b = sum of confidence - hit in bin b."""
  return divided(np.abs(sums[:-1]).sum(0), sums[-1])


_ALL = (
  *(ratio, root_ratio, sep, r2, rpd, correlation),
  *(macro_f1, balanced_accuracy, expected_calibration_error),
)
FORMS: dict[str, Form] = {form.__name__: form for form in _ALL}
OF_ONE_GROUP = ('ratio', 'root_ratio')  # numbers that a group has on its own, however small


class Terms(NamedTuple):
  """A score before its examples are added up; `spectra_jax/metrics.py` makes them.

  Attributes:
    form: name of the function of the sums.
    parts_KxN: what each example adds to them.
  """

  form: str
  parts_KxN: np.ndarray

  @property
  def value(self) -> float:
    """The number, of all examples."""
    return float(FORMS[self.form](self.parts_KxN.sum(1)))

  def __float__(self) -> float:
    return self.value

  def where(self, mask_N: np.ndarray) -> 'Terms':
    """The score of these examples alone; the others stay in place and add nothing."""
    return Terms(self.form, np.where(mask_N, self.parts_KxN, 0.0))

  def by_group(self, group_N: Sequence) -> np.ndarray:
    """[K, G] sums a group, the groups sorted by name.

    Raises:
      ValueError: not one group an example.
    """
    if len(group_N) != self.parts_KxN.shape[1]:
      raise ValueError(
        f'{len(group_N)} groups were given for {self.parts_KxN.shape[1]} examples, expected one an '
        'example; give meta columns of the rows that were predicted'
      )
    names_G, place_N = np.unique(np.asarray(group_N, str), return_inverse=True)
    return np.stack([np.bincount(place_N, part, len(names_G)) for part in self.parts_KxN])

  def interval(
    self, group_N: Sequence, resamples: int = 2000, level: float = 0.95, seed: int = 0
  ) -> tuple[float, float]:
    """Percentile interval of `value` over groups drawn again with replacement, see `draws`.

    Args:
      group_N: group of each example; its own name where each example is one.
      resamples: how often groups are drawn.
      level: share of the draws inside.
      seed: of the draws.

    Raises:
      ValueError: fewer than two groups with something to judge, or most draws without a number.
    """
    sums_KxG = self.by_group(group_N)
    sums_KxG = sums_KxG[:, sums_KxG[-1] > 0]
    groups = sums_KxG.shape[1]
    if groups < 2:
      raise ValueError(
        f'{groups} test groups have something to judge, expected at least 2 for an interval; name '
        'the groups (samples, specimens) that could have been others'
      )
    drawn_R = FORMS[self.form](sums_KxG @ draws(np.random.default_rng(seed), groups, resamples).T)
    return percentiles(drawn_R, level)


def draws(rng: np.random.Generator, count: int, resamples: int) -> np.ndarray:
  """[resamples, count] weights of units drawn again with replacement, `count` in sum.

  Of n units n - 1 are drawn, so that the spread of a mean is s^2 / n and not (n - 1) / n of it (Rao
  & Wu 1988, doi:10.1080/01621459.1988.10478591). One unit is not drawn: its weight is 1.
  """
  if count == 1:
    return np.ones((resamples, 1))
  drawn = rng.multinomial(count - 1, np.full(count, 1 / count), size=resamples)
  return drawn * (count / (count - 1))


def percentiles(drawn_R: np.ndarray, level: float) -> tuple[float, float]:
  """The middle `level` of what was drawn; draws without a number are left out.

  Raises:
    ValueError: more than half of them have none.
  """
  there = np.isfinite(drawn_R)
  if there.mean() < 0.5:
    raise ValueError(
      f'{(~there).sum()} of {len(there)} draws of groups have no such score, expected most to have '
      'one; it needs more test groups'
    )
  tail = 50 * (1 - level)
  low, high = np.percentile(drawn_R[there], [tail, 100 - tail])
  return float(low), float(high)


def _about_mean(square: np.ndarray, total: np.ndarray, count: np.ndarray) -> np.ndarray:
  """Sum of squares about the mean; rounding below 0 is 0."""
  return np.maximum(square - total * divided(total, count), 0.0)


def _by_class(sums: np.ndarray, kinds: int) -> np.ndarray:
  return sums[:-1].reshape(kinds, -1, *sums.shape[1:])


def _class_mean(score_C: np.ndarray, true_C: np.ndarray) -> np.ndarray:
  there_C = true_C > 0
  return divided(np.where(there_C, score_C, 0.0).sum(0), there_C.sum(0))
