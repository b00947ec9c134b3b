"""Exact masked sums, their ratios, and bootstrap intervals over test groups."""

import numpy as np


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
