"""Losses return per-example values [B]; their weighted sum is made here and nowhere else."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp

# A number, or pairs (step, weight) between which the weight is interpolated linearly.
Schedule = float | tuple[tuple[int, float], ...]


def weight_at(schedule: Schedule, step: jax.Array) -> jax.Array:
  """The weight at `step`; constant before the first and after the last pair."""
  if isinstance(schedule, int | float):
    return jnp.float32(schedule)
  steps, weights = zip(*schedule, strict=True)
  return jnp.interp(step, jnp.array(steps, jnp.float32), jnp.array(weights, jnp.float32))


def weighted_sum(
  weights: Mapping[str, Schedule], terms: Mapping[str, jax.Array], step: jax.Array
) -> jax.Array:
  """sum_term weight(step) mean_B term.

  Raises:
    ValueError: the weighted terms are not exactly the terms there are.
  """
  if set(weights) != set(terms):
    raise ValueError(
      f'loss.weights names {sorted(weights)}, but the task returns {sorted(terms)}; '
      'give every term a weight (0 switches it off) and no other'
    )
  return sum(weight_at(weights[name], step) * terms[name].mean() for name in sorted(terms))
