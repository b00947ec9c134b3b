"""Mean squared error over the masked points of each spectrum."""

import jax
import jax.numpy as jnp


def masked_mse(predicted_BxL: jax.Array, true_BxL: jax.Array, masked_BxL: jax.Array) -> jax.Array:
  """sum_l masked (predicted - true)^2 / sum_l masked: [B]; 0 where nothing is masked."""
  error_BxL = jnp.where(masked_BxL, (predicted_BxL - true_BxL) ** 2, 0.0)
  return error_BxL.sum(-1) / jnp.maximum(masked_BxL.sum(-1), 1)
