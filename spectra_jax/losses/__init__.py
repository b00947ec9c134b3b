"""Losses return per-example values [B]; their weighted sum is made here and nowhere else.

The losses of a law are dimensionless: a violation over the size of what violates it, so that the
same violation of a spectrum ten times as strong counts the same. They and their gradients are zero
where the law holds. Each names the signals that it may be asked of (`spectra_jax.signals`).
"""

import math
from collections.abc import Mapping

import jax
import jax.numpy as jnp

# A number, or pairs (step, weight) between which the weight is interpolated linearly.
Schedule = float | tuple[tuple[int, float], ...]
LEAST_RATIO = 1e-3  # below it the logarithm of a ratio goes on as a straight line


def weight_at(schedule: Schedule, step: jax.Array) -> jax.Array:
  """The weight at `step`; constant before the first and after the last pair."""
  if isinstance(schedule, int | float):
    return jnp.float32(schedule)
  steps, weights = zip(*schedule, strict=True)
  return jnp.interp(step, jnp.array(steps, jnp.float32), jnp.array(weights, jnp.float32))


def _speaks(schedule: Schedule) -> bool:
  return schedule != 0 if isinstance(schedule, int | float) else any(w for _, w in schedule)


def weighted_sum(
  weights: Mapping[str, Schedule], terms: Mapping[str, jax.Array], step: jax.Array
) -> jax.Array:
  """sum_term weight(step) mean_B term.

  A term whose part the model does not have may keep a weight of 0, so that a sweep can take both
  away.

  Raises:
    ValueError: another weight is of no term, or a term has none.
  """
  silent = {name for name in set(weights) - set(terms) if not _speaks(weights[name])}
  if set(weights) - silent != set(terms):
    raise ValueError(
      f'loss.weights names {sorted(weights)}, but the task returns {sorted(terms)}; '
      'give every term a weight (0 switches it off) and no other'
    )
  return sum(weight_at(weights[name], step) * terms[name].mean() for name in sorted(terms))


def relative(violation: jax.Array, size: jax.Array) -> jax.Array:
  """violation / size, size >= 0 held constant, so that nothing is gained by growing.

  Where size = 0, the violation itself, so that 0 / 0 = 0.
  """
  size = jax.lax.stop_gradient(size)
  return violation / jnp.where(size > 0, size, 1)


def log_ratio(value: jax.Array, reference: jax.Array) -> jax.Array:
  """ln(value / reference), reference > 0; below a ratio of 1e-3 its tangent there.

  So that a value of zero or less is finitely wrong and is pulled back.
  """
  ratio = value / reference
  below = math.log(LEAST_RATIO) + (ratio - LEAST_RATIO) / LEAST_RATIO
  return jnp.where(ratio > LEAST_RATIO, jnp.log(jnp.maximum(ratio, LEAST_RATIO)), below)


def check_tolerance(tolerance: float) -> None:
  """Raises a ValueError unless 0 <= tolerance < 1."""
  if not 0 <= tolerance < 1:
    raise ValueError(
      f'tolerance is {tolerance}, expected 0 to 1, a relative deviation that is not punished; '
      'give what the data or the method leave open'
    )
