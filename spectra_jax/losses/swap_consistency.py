"""One sample's chemistry with another spectrum's instrument is that sample on that instrument."""

import jax

from spectra_jax.losses import relative


def swap_consistency(swapped_BxL: jax.Array, measured_BxL: jax.Array) -> jax.Array:
  """sum_L (swapped - measured)^2 / stopgrad sum_L measured^2: [B].

  Args:
    swapped_BxL: decoded from z_chem of sample a on one instrument and z_inst of a spectrum of
      sample b on another.
    measured_BxL: sample a on that other instrument, without noise or measured.

  With a = b this can be had by writing the sample into z_inst, whose chemistry nobody then asks
  for; so b is to be another sample.
  """
  wrong_B = ((swapped_BxL - measured_BxL) ** 2).sum(-1)
  return relative(wrong_B, (measured_BxL**2).sum(-1))
