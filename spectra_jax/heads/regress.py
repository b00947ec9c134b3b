"""Features -> numbers a spectrum: concentrations, properties."""

import flax.linen as nn
import jax
import numpy as np

from spectra_jax.pooling import Pool


class Head(nn.Module):
  """Pool, then a linear layer; targets are standardised by the task, so it starts at their mean.

  Attributes:
    outputs: Y, targets of the data.
    pool, norm, hidden, dropout: of `spectra_jax.pooling.Pool`. 'mean' and 'flatten' are linear in
      the features, as Beer's law is in concentrations; 'max' is not.
  """

  outputs: int
  pool: str = 'flatten'
  norm: bool = True
  hidden: int = 0
  dropout: float = 0.0

  @nn.compact
  def __call__(self, x_BxTxD: jax.Array, nu_L: np.ndarray, train: bool = False) -> jax.Array:
    """features -> targets_BxY float32, standardised as the task does; the axis is not used."""
    del nu_L
    x_BxF = Pool(self.pool, self.norm, self.hidden, self.dropout, name='pool')(x_BxTxD, train)
    small = nn.initializers.variance_scaling(0.01, 'fan_in', 'truncated_normal')
    return nn.Dense(self.outputs, kernel_init=small, name='targets')(x_BxF)

  @staticmethod
  def together(targets_BxMxY: jax.Array) -> jax.Array:
    """[B, Y] mean over members."""
    return targets_BxMxY.mean(1)
