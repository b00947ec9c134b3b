"""Features -> one logit a class."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from spectra_jax.pooling import Pool


class Head(nn.Module):
  """Pool, then a linear or a cosine classifier.

  Cosine: logit_c = scale cos(f, w_c), so that no class wins by the length of its weights, which
  helps where classes have few spectra (Gidaris and Komodakis 2018, arXiv 1804.09458).

  Attributes:
    outputs: C, classes of the data.
    pool, norm, hidden, dropout: of `spectra_jax.pooling.Pool`.
    cosine_scale: of the cosine classifier; 0 = a linear one.
  """

  outputs: int
  pool: str = 'mean'
  norm: bool = True
  hidden: int = 0
  dropout: float = 0.0
  cosine_scale: float = 0.0

  @nn.compact
  def __call__(self, x_BxTxD: jax.Array, nu_L: np.ndarray, train: bool = False) -> jax.Array:
    """features -> logits_BxC float32; the axis is not used."""
    del nu_L
    x_BxF = Pool(self.pool, self.norm, self.hidden, self.dropout, name='pool')(x_BxTxD, train)
    if not self.cosine_scale:
      return nn.Dense(self.outputs, name='classes')(x_BxF)
    initialise = nn.initializers.normal(1.0)
    weight_FxC = self.param('classes', initialise, (x_BxF.shape[-1], self.outputs))
    unit = lambda x, axis: x * jax.lax.rsqrt((x**2).sum(axis, keepdims=True) + 1e-12)
    return self.cosine_scale * jnp.matmul(unit(x_BxF, -1), unit(weight_FxC, 0))

  @staticmethod
  def together(logits_BxMxC: jax.Array) -> jax.Array:
    """[B, C] logarithm of the mean over members of their probabilities."""
    members = logits_BxMxC.shape[1]
    return jax.nn.logsumexp(jax.nn.log_softmax(logits_BxMxC), axis=1) - jnp.log(members)
