"""Features along the axis -> one vector a spectrum: what heads that classify and regress share."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from spectra_jax.dropout import ExampleDropout

POOLS = ('mean', 'max', 'flatten')


class Pool(nn.Module):
  """x_BxTxD -> norm -> pool over T -> [dense -> leaky ReLU] -> dropout, [B, F].

  Attributes:
    pool: 'mean' or 'max' over places, which forget where a feature was (F = D); 'flatten' keeps
      all (F = T D).
    norm: RMSNorm of the features before, for backbones that end without one.
    hidden: channels of a dense layer after the pool; 0 = none.
    dropout: rate of what comes last, dimensionless.
  """

  pool: str
  norm: bool
  hidden: int
  dropout: float

  @nn.compact
  def __call__(self, x_BxTxD: jax.Array, train: bool) -> jax.Array:
    """Float32 whatever the features are; raises a ValueError for another pool."""
    if self.pool not in POOLS:
      raise ValueError(f'pool is {self.pool!r}, expected one of {", ".join(POOLS)}')
    x = x_BxTxD.astype(jnp.float32)
    x = nn.RMSNorm(name='norm')(x) if self.norm else x
    pools = {'mean': lambda: x.mean(1), 'max': lambda: x.max(1)}
    x_BxF = pools[self.pool]() if self.pool in pools else x.reshape(len(x), -1)
    if self.hidden:
      x_BxF = nn.leaky_relu(nn.Dense(self.hidden, name='hidden')(x_BxF))
    # The dropout of this project has one mask a channel of a sequence; here each is of length 1.
    return ExampleDropout(self.dropout, name='dropout')(x_BxF[:, None], train)[:, 0]
