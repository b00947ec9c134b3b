"""Tokens -> n and k of a passive causal medium: k >= 0, and n is the transform of k."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from spectra_jax.heads import reconstruct
from spectra_jax.physics import kramers_kronig

SOFTPLUS_ONE = float(np.log(np.e - 1))  # softplus of it is 1


class Head(nn.Module):
  """k = scale softplus(spline), n = c0 - c1 (a / nu)^2 + c2 (nu / b)^2 + T k, c0, c1, c2 >= 0.

  a and b are the ends of the axis, T is `physics.kramers_kronig.transform` on it. c1 and c2 are the
  dispersion of all that absorbs far below and far above the window, and their signs are those of
  absorption; c0 is what electrons add. So Kramers-Kronig, passivity and the signs of what is not
  seen hold for any weights, before any training.

  Attributes:
    step_cm: token spacing [cm^-1], the tokeniser's.
    knots_per_step: splines a token is responsible for, the tokeniser's.
    tails: what T assumes of k outside the window: 'none' or 'power_law'.
    index: c0 where tokens are zero.
    scale: of k, c1 and c2.
  """

  step_cm: float
  knots_per_step: int
  tails: str = 'power_law'
  index: float = 1.4
  scale: float = 0.05

  @nn.compact
  def __call__(self, x_BxTxD: jax.Array, nu_L: np.ndarray) -> dict[str, jax.Array]:
    """tokens -> {'n', 'k'} [B, L] float32; `nu_L` is a host array of wavenumbers [cm^-1].

    Raises:
      ValueError: the axis or the tails are none that `physics.kramers_kronig.plan` takes.
    """
    # Made where the head is traced: once a compilation, in whatever precision that runs.
    plan = kramers_kronig.plan(nu_L, tails=self.tails)
    spline = reconstruct.Head(self.step_cm, self.knots_per_step, name='spline')
    k_BxL = self.scale * nn.softplus(spline(x_BxTxD, nu_L))
    far_BxL = self._outside(x_BxTxD, np.asarray(nu_L, np.float64))
    return {'n': far_BxL + kramers_kronig.transform(plan, k_BxL), 'k': k_BxL}

  def _outside(self, x_BxTxD, nu_L) -> jax.Array:
    """c0 - c1 (a / nu)^2 + c2 (nu / b)^2, [B, L]."""
    x = nn.RMSNorm(dtype=x_BxTxD.dtype, name='norm')(x_BxTxD).mean(1)
    # From zero: n varies by hundredths of what a random start adds to c0 and has to unlearn.
    dense = nn.Dense(3, kernel_init=nn.initializers.zeros_init(), dtype=x.dtype, name='outside')
    raw_Bx3 = dense(x).astype(jnp.float32)
    c_Bx3 = nn.softplus(raw_Bx3 + np.float32([SOFTPLUS_ONE, 0, 0]))
    size_3 = np.array([self.index, -self.scale, self.scale])
    shape_3xL = np.stack([np.ones_like(nu_L), (nu_L[0] / nu_L) ** 2, (nu_L / nu_L[-1]) ** 2])
    return c_Bx3 @ np.float32(size_3[:, None] * shape_3xL)
