"""Tokens -> two Gaussians a spectrum: of its chemistry and of the instrument that measured it.

  x_T -> share_q = softmax_T(query_q . norm(x)),  read_q = sum_T share_qT norm(x_T)
  (mean, log variance) = linear(read_1 .. read_Q),  sample = mean + exp(log variance / 2) noise

A variational information bottleneck (Alemi et al. 2017, arXiv 1612.00410) of two parts. What makes
one part chemistry and the other instrument is the loss, not this module.
"""

from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from spectra_jax.blocks import RMSNorm
from spectra_jax.dropout import layer_keys

# Of a latent before training: with a variance of 1 all is noise at first, and what reads it learns
# to do without.
START_LOG_VARIANCE = -4.0


class Gaussian(NamedTuple):
  """A diagonal Gaussian for each example, all [B, Z] float32; the sample is the mean in evaluation.

  Tree of arrays.
  """

  mean: jax.Array
  log_variance: jax.Array
  sample: jax.Array


class Latent(nn.Module):
  """features_BxF -> Gaussian of `size` numbers an example."""

  size: int

  @nn.compact
  def __call__(self, features_BxF: jax.Array, train: bool) -> Gaussian:
    mean_BxZ = nn.Dense(self.size, name='mean')(features_BxF)
    small = nn.initializers.variance_scaling(0.01, 'fan_in', 'truncated_normal')
    spread = nn.Dense(self.size, kernel_init=small, name='log_variance')
    log_variance_BxZ = START_LOG_VARIANCE + spread(features_BxF)
    if not train:
      return Gaussian(mean_BxZ, log_variance_BxZ, mean_BxZ)
    keys_B = layer_keys(self, len(features_BxF))
    noise_BxZ = jax.vmap(lambda key: jax.random.normal(key, (self.size,)))(keys_B)
    sample_BxZ = mean_BxZ + jnp.exp(0.5 * log_variance_BxZ) * noise_BxZ
    return Gaussian(mean_BxZ, log_variance_BxZ, sample_BxZ)


class Bottleneck(nn.Module):
  """x_BxTxD -> (chem, inst) Gaussians, float32 whatever the tokens are.

  Noise is drawn per example from (seed, step, row) and the module's path, as in
  `spectra_jax.dropout`; in evaluation there is none. The sums over tokens are shares of 1, so that
  no number depends on how many tokens there are.

  Attributes:
    chem: size of the chemistry's latent.
    inst: size of the instrument's; 0 = there is none, and `inst` is None.
    queries: weighted means of the tokens that are read.
  """

  chem: int = 128
  inst: int = 64
  queries: int = 8

  @nn.compact
  def __call__(self, x_BxTxD: jax.Array, train: bool) -> tuple[Gaussian, Gaussian | None]:
    """Raises a ValueError when training without per-example keys."""
    u_BxTxD = RMSNorm(jnp.dtype('float32'), name='norm')(x_BxTxD)
    share_BxTxQ = jax.nn.softmax(nn.Dense(self.queries, name='query')(u_BxTxD), axis=1)
    read_BxQxD = jnp.einsum('btq,btd->bqd', share_BxTxQ, u_BxTxD)
    features_BxF = read_BxQxD.reshape(len(x_BxTxD), -1)
    chem = Latent(self.chem, name='chem')(features_BxF, train)
    return chem, Latent(self.inst, name='inst')(features_BxF, train) if self.inst else None
