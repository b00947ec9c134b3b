"""Scores that may be reported: never without regime, split and interval."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import scipy.stats

from spectra_jax import splits
from spectra_jax.forms import Terms


@dataclasses.dataclass(frozen=True)
class Score:
  """A number that may be reported: with its interval and with what it is a number of.

  Attributes:
    value: the number.
    low, high: ends of its interval.
    over: what the interval is over: 'groups' or 'splits'.
    regime: one of `splits.REGIMES`.
    split: hash of who was on which side.
    seeds: of the models that it is the mean of, () where nothing was drawn.

  Raises:
    ValueError: no regime, no split, or an interval that is none.
  """

  value: float
  low: float
  high: float
  over: str
  regime: str
  split: str
  seeds: tuple[int, ...]

  def __post_init__(self):
    splits.check_told(self.regime, self.split)
    if not (np.isfinite(self.value) and self.low <= self.high):
      raise ValueError(
        f'a score is {self.value} with interval [{self.low}, {self.high}], expected finite numbers '
        'in order; look at the predictions'
      )

  def __str__(self) -> str:
    seeds = f', {len(self.seeds)} seeds' if self.seeds else ''
    number = f'{self.value:.4g} [{self.low:.4g}, {self.high:.4g}] over {self.over}'
    return f'{number} ({self.regime}, {self.split}{seeds})'


def score(
  terms: Terms, group_N: Sequence, split: splits.Split, seeds: tuple[int, ...] = ()
) -> Score:
  """The score of the test side of `split`, with its interval over test groups.

  Raises:
    ValueError: not one prediction a test row, or too few groups for an interval.
  """
  if terms.parts_KxN.shape[1] != len(split.test):
    raise ValueError(
      f'{terms.parts_KxN.shape[1]} predictions were scored, expected those of the '
      f'{len(split.test)} test rows of split {split.hash}; predict the whole test side and '
      'nothing else'
    )
  low, high = terms.interval(group_N)
  return Score(terms.value, low, high, 'groups', split.regime, split.hash, seeds)


def repeated_score(
  values_J: Sequence[float], repeats: Sequence[splits.Split], seeds: tuple[int, ...] = ()
) -> Score:
  """Mean over repeated splits with the corrected interval of Nadeau & Bengio (2003).

  Training sides of repeats share most of their rows, so that their numbers are alike: the variance
  of the mean is taken as s^2 (1 / J + n_test / n_train) instead of s^2 / J, with Student's t of
  J - 1 degrees of freedom. doi:10.1023/A:1024068626366

  Args:
    values_J: the number of each split.
    repeats: the splits, of one regime.
    seeds: of the models.

  Raises:
    ValueError: fewer than two splits, not one value each, or several regimes.
  """
  if len(values_J) != len(repeats) or len(repeats) < 2:
    raise ValueError(
      f'{len(values_J)} numbers were given of {len(repeats)} splits, expected one each of at least '
      '2; give splits.repeated(...)'
    )
  ratio_of_sides = np.mean([len(split.test) / len(split.train) for split in repeats])
  error = np.std(values_J, ddof=1) * np.sqrt(1 / len(repeats) + ratio_of_sides)
  half = float(scipy.stats.t.ppf(0.975, len(repeats) - 1) * error)
  mean, regime = float(np.mean(values_J)), splits.common_regime(repeats)
  return Score(mean, mean - half, mean + half, 'splits', regime, splits.joint_hash(repeats), seeds)
