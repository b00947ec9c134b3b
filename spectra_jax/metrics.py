"""Exact masked sums, their ratios, bootstrap intervals over test groups, intervals over seeds."""

import numpy as np
import scipy.stats


def ratio(numerator_N: np.ndarray, denominator_N: np.ndarray) -> float:
  """sum numerator / sum denominator: a ratio of means over all examples, not a mean of ratios."""
  return float(numerator_N.sum() / denominator_N.sum())


def bootstrap_ratio(
  numerator_N: np.ndarray,
  denominator_N: np.ndarray,
  resamples: int = 2000,
  level: float = 0.95,
  seed: int = 0,
) -> tuple[float, float]:
  """Percentile interval of `ratio` over examples (molecules) drawn again with replacement."""
  rng = np.random.default_rng(seed)
  count = len(numerator_N)
  weights = rng.multinomial(count, np.full(count, 1 / count), size=resamples)
  ratios = (weights @ numerator_N) / (weights @ denominator_N)
  tail = 50 * (1 - level)
  low, high = np.percentile(ratios, [tail, 100 - tail])
  return float(low), float(high)


def mean_interval(values_S: np.ndarray, level: float = 0.95) -> tuple[float, float, float]:
  """(mean, low, high) over seeds: Student's t interval of the mean, as for normal deviates.

  Raises:
    ValueError: fewer than two values, which say nothing about their spread.
  """
  count = len(values_S)
  if count < 2:
    raise ValueError(f'there are {count} values, expected at least 2 for an interval; add seeds')
  mean, error = float(np.mean(values_S)), float(np.std(values_S, ddof=1)) / np.sqrt(count)
  half = float(scipy.stats.t.ppf(0.5 + level / 2, count - 1)) * error
  return mean, mean - half, mean + half
