"""Tokens -> values on any grid: each token gives the coefficients of the splines around it."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from spectra_jax.tokenize import spline_values


class Head(nn.Module):
  """value(nu) = sum_j c_j B((nu - knot_j) / spacing), c from the tokens: the tokeniser's adjoint.

  Attributes:
    step_cm: token spacing [cm^-1], the tokeniser's.
    knots_per_step: splines a token is responsible for, the tokeniser's.
  """

  step_cm: float
  knots_per_step: int

  @nn.compact
  def __call__(self, x_BxTxD: jax.Array, nu_L: np.ndarray) -> jax.Array:
    """tokens -> values_BxL float32; `nu_L` is a host array of wavenumbers [cm^-1]."""
    x = nn.RMSNorm(dtype=x_BxTxD.dtype)(x_BxTxD)
    x = nn.Dense(self.knots_per_step, dtype=x.dtype)(x).astype(jnp.float32)
    return spline_values(x, nu_L, self.step_cm)
