"""Several spectra from the same tokens, each free: what heads with laws are compared with."""

import flax.linen as nn
import jax
import numpy as np

from spectra_jax.heads import reconstruct


class Head(nn.Module):
  """One `reconstruct.Head` for each name; no law holds by construction.

  Attributes:
    step_cm: token spacing [cm^-1], the tokeniser's.
    knots_per_step: splines a token is responsible for, the tokeniser's.
    names: of the spectra, such as ('n', 'k') or ('ir', 'raman').
  """

  step_cm: float
  knots_per_step: int
  names: tuple[str, ...] = ('n', 'k')

  @nn.compact
  def __call__(self, x_BxTxD: jax.Array, nu_L: np.ndarray) -> dict[str, jax.Array]:
    """tokens -> {name: values_BxL float32}; `nu_L` is a host array of wavenumbers [cm^-1]."""
    return {
      name: reconstruct.Head(self.step_cm, self.knots_per_step, name=name)(x_BxTxD, nu_L)
      for name in self.names
    }
