"""What a latent says of its spectrum beyond the free bits has a price."""

import jax
import jax.numpy as jnp
from jax import lax

from spectra_jax.gather import mapped_axes


def information_bottleneck(
  mean_BxD: jax.Array, log_variance_BxD: jax.Array, *, free: float
) -> jax.Array:
  """sum_d max(KL_d - free, 0) [nats], of which this is each example's part: [B].

    KL_bd = (mean^2 + variance - 1 - log variance) / 2,  KL_d its mean over the whole batch,

  the divergence of q(z | x) = N(mean, variance) from N(0, 1), which bounds what z says of x (Alemi
  et al. 2017, arXiv:1612.00410). A dimension that says no more than `free` on average is left alone
  (Kingma et al. 2016, arXiv:1606.04934), so that the price cannot close it. The mean over the batch
  of what is returned is the sum above; the batch is that of all devices. The weight goes up from
  zero with the step (`config.loss.weights`): paid from the start, the price closes every dimension
  before any is of use.

  Raises:
    ValueError: free is negative.
  """
  if not free >= 0:
    raise ValueError(f'free is {free} nats, expected 0 (nothing is free) or more; give 0.05 or so')
  divergence_BxD = 0.5 * (mean_BxD**2 + jnp.expm1(log_variance_BxD) - log_variance_BxD)
  mean_D, axes = lax.stop_gradient(divergence_BxD).mean(0), mapped_axes()
  priced_D = (lax.pmean(mean_D, axes) if axes else mean_D) > free
  return jnp.where(priced_D, divergence_BxD - free, 0.0).sum(-1)
