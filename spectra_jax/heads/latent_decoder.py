"""Latents -> a whole spectrum on any axis within a range, out of what the latents say alone."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from spectra_jax.tokenize import spline_basis


class Head(nn.Module):
  """value(nu) = sum_j c_j(z) B((nu - knot_j) / spacing), c by two hidden layers.

  The knots are the tokeniser's, the multiples of `spacing = step_cm / knots_per_step`, so that the
  spectrum is a function of wavenumber and the axis is only where it is read.

  Attributes:
    step_cm: token spacing [cm^-1], the tokeniser's.
    knots_per_step: splines in one token spacing, the tokeniser's.
    hidden: channels between latents and splines.
    low_cm, high_cm: range that any axis must lie in [cm^-1].
  """

  step_cm: float
  knots_per_step: int
  hidden: int = 256
  low_cm: float = 350.0
  high_cm: float = 4050.0

  @nn.compact
  def __call__(self, x_BxTxD: jax.Array, nu_L: np.ndarray) -> jax.Array:
    """latents as one token (of more their mean) -> values_BxL float32; `nu_L` on the host [cm^-1].

    Raises:
      ValueError: the axis leaves the range.
    """
    if nu_L[0] < self.low_cm or nu_L[-1] > self.high_cm:
      raise ValueError(
        f"the axis is {nu_L[0]:g} to {nu_L[-1]:g} cm^-1, expected one within the decoder's "
        f'{self.low_cm:g} to {self.high_cm:g}; cut it, or widen head.latent_decoder and train'
      )
    z_BxD = x_BxTxD.astype(jnp.float32).mean(1)
    h_BxH = nn.gelu(nn.Dense(self.hidden, name='in')(z_BxD))
    h_BxH += nn.gelu(nn.Dense(self.hidden, name='mix')(h_BxH))
    spacing = self.step_cm / self.knots_per_step
    first, last = np.floor(self.low_cm / spacing) - 1, np.ceil(self.high_cm / spacing) + 1
    knots_J = np.arange(first, last + 1) * spacing
    coefficients_BxJ = nn.Dense(len(knots_J), name='splines')(h_BxH)
    return coefficients_BxJ @ spline_basis(nu_L, knots_J, spacing).T
