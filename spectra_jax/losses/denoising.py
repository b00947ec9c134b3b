"""Visible points are to be given back without their noise."""

import jax

from spectra_jax.losses.masked_mse import masked_mse


def denoising(predicted_BxL: jax.Array, clean_BxL: jax.Array, visible_BxL: jax.Array) -> jax.Array:
  """`masked_mse` over the points that were seen: [B]; the noise-free spectrum is the target.

  A second measurement of the same sample by the same instrument serves as well: its noise adds its
  variance to the mean of the loss and nothing to the mean of the gradient (Lehtinen et al. 2018,
  arXiv:1803.04189). To give back what came in costs the variance of its noise.

  Args:
    predicted_BxL: the prediction from the noisy spectrum.
    clean_BxL: the same spectrum without noise, or measured again.
    visible_BxL: bool, points that the prediction was made from.
  """
  return masked_mse(predicted_BxL, clean_BxL, visible_BxL)
