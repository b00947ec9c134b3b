"""Features -> a unit vector a spectrum, to be compared by cosine: what retrieval searches."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

LEAST_SQUARE = 1e-12  # of a length: keeps the slope finite where features vanish


class Head(nn.Module):
  """Mean over tokens, linear without bias, divided by its length.

  Attributes:
    outputs: numbers of the embedding.
  """

  outputs: int

  @nn.compact
  def __call__(self, x_BxTxD: jax.Array, nu_L: np.ndarray) -> jax.Array:
    """features, or a latent as one token -> [B, outputs] float32 of length 1; no axis is used."""
    del nu_L
    x_BxD = x_BxTxD.astype(jnp.float32).mean(1)
    e_BxY = nn.Dense(self.outputs, use_bias=False, name='linear')(x_BxD)
    return e_BxY * jax.lax.rsqrt((e_BxY**2).sum(-1, keepdims=True) + LEAST_SQUARE)
