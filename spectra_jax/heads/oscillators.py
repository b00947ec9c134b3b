"""Tokens -> a causal susceptibility: each token gives Voigt oscillators near itself."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from spectra_jax.physics import oscillators
from spectra_jax.tokenize import token_positions

QUIET = 4.0  # below 0, where the area before its softplus starts: a hundredth of a line


class Head(nn.Module):
  """n + i k = sqrt(eps_inf + chi), chi a sum of causal lines, `knots_per_step` of them a token.

  Kramers-Kronig, passivity, f-sum and static sum hold whatever the parameters
  (`physics.oscillators`). A line has its centre within one spacing of its knot, as `reconstruct`
  has its splines, gamma = gamma_min_cm + width_cm softplus, sigma = width_cm softplus, and
  absorbs int Im chi dnu of about width_cm softplus [cm^-1].

  Attributes:
    step_cm: token spacing [cm^-1], the tokeniser's.
    knots_per_step: lines a token is responsible for, the tokeniser's.
    gamma_min_cm: least FWHM of a line [cm^-1]; at least 2.5 steps of every axis it is asked for,
      since points further apart do not determine n.
    width_cm: what widths and areas are counted in [cm^-1].
    eps_inf: eps above all lines; n^2 far from absorption.
  """

  step_cm: float
  knots_per_step: int
  gamma_min_cm: float = 12.0
  width_cm: float = 16.0
  eps_inf: float = 2.0

  def __call__(self, x_BxTxD: jax.Array, nu_L: np.ndarray) -> dict[str, jax.Array]:
    """tokens -> {'n', 'k'}: refractive index and extinction on a host axis [cm^-1], [B, L] float32.

    Raises:
      ValueError: the axis is too coarse for lines of gamma_min_cm.
    """
    index_BxL = oscillators.refractive_index(self.susceptibility(x_BxTxD, nu_L), self.eps_inf)
    return {'n': jnp.real(index_BxL), 'k': jnp.imag(index_BxL)}

  def susceptibility(self, x_BxTxD: jax.Array, nu_L: np.ndarray) -> jax.Array:
    """tokens -> chi_BxL complex64, on the axis that made the tokens.

    Raises:
      ValueError: as `__call__`.
    """
    return oscillators.voigt(nu_L, self.lines(x_BxTxD, nu_L))

  @nn.compact
  def lines(self, x_BxTxD: jax.Array, nu_L: np.ndarray) -> oscillators.Oscillators:
    """tokens -> parameters [B, T knots_per_step] float32, for `oscillators.voigt` on any axis.

    Raises:
      ValueError: as `__call__`.
    """
    self._check(nu_L)
    x = nn.RMSNorm(dtype=x_BxTxD.dtype)(x_BxTxD)
    x = nn.Dense(4 * self.knots_per_step, dtype=x.dtype)(x).astype(jnp.float32)
    shift, gamma, sigma, area = jnp.moveaxis(x.reshape(x.shape[0], -1, 4), -1, 0)
    spacing = self.step_cm / self.knots_per_step
    nu_T = token_positions(nu_L, self.step_cm)
    knots_K = nu_T[0] + np.arange(len(nu_T) * self.knots_per_step) * spacing
    knots_K = np.maximum(knots_K, 2 * spacing).astype(np.float32)  # a centre is > 0
    centre = knots_K + spacing * jnp.tanh(shift)
    area = self.width_cm * jax.nn.softplus(area - QUIET)
    return oscillators.Oscillators(
      plasma=2 / np.pi * centre * area,
      centre=centre,
      gamma=self.gamma_min_cm + self.width_cm * jax.nn.softplus(gamma),
      sigma=self.width_cm * jax.nn.softplus(sigma),
    )

  def _check(self, nu_L: np.ndarray) -> None:
    least = oscillators.narrowest(nu_L)
    if not self.gamma_min_cm >= least:
      raise ValueError(
        f'head.oscillators.gamma_min_cm is {self.gamma_min_cm:g} cm^-1, expected at least '
        f'{least:.4g}, 2.5 steps of this axis, below which points do not determine n; raise it or '
        'take a finer axis'
      )
