"""Tokens -> a non-negative spectrum whose integral is a given number, exactly.

The number is the strength of a band: an integrated absorption, the F-sum of a molecule, a
concentration times a known area. Where it is not known the head reads it from the tokens.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from spectra_jax.heads import reconstruct
from spectra_jax.physics.sum_rules import cell_weights
from spectra_jax.spectra import check_axis


class Head(nn.Module):
  """total * s / int nu^power s dnu, s = softplus(spline): a shape, and one number for its size.

  The integral runs over the points from low_cm to high_cm; what is outside of them is scaled by the
  same factor and does not count.

  Attributes:
    step_cm: token spacing [cm^-1], the tokeniser's.
    knots_per_step: splines a token is responsible for, the tokeniser's.
    low_cm: first wavenumber that counts [cm^-1]; 0 = that of the axis.
    high_cm: last one [cm^-1]; 0 = that of the axis.
    power: 0 for absorbances and intensities per cm^-1, 1 for the f-sum of k.
  """

  step_cm: float
  knots_per_step: int
  low_cm: float = 0.0
  high_cm: float = 0.0
  power: int = 0

  def __call__(self, x_BxTxD: jax.Array, nu_L: np.ndarray) -> jax.Array:
    """tokens -> values_BxL float32, of an integral that the tokens say; as `given`."""
    shape_BxL, weight_L, mean_B = self.parts(x_BxTxD, nu_L)
    return matched(shape_BxL, weight_L, mean_B * weight_L.sum())

  def given(self, x_BxTxD: jax.Array, nu_L: np.ndarray, known_B: jax.Array) -> jax.Array:
    """tokens -> values_BxL float32 with int nu^power values dnu = known_B >= 0.

    Raises:
      ValueError: an axis that is none, limits that hold no two points of it, or a power that is
        neither 0 nor 1. A negative `known_B` is traced, cannot be checked and gives -values.
    """
    shape_BxL, weight_L, _ = self.parts(x_BxTxD, nu_L)
    return matched(shape_BxL, weight_L, known_B)

  @nn.compact
  def parts(self, x_BxTxD: jax.Array, nu_L: np.ndarray) -> tuple[jax.Array, np.ndarray, jax.Array]:
    """(shape_BxL > 0, weights of the integral [L], mean value over it [B])."""
    weight_L = weights(nu_L, self.low_cm, self.high_cm, self.power)
    spline = reconstruct.Head(self.step_cm, self.knots_per_step, name='spline')
    shape_BxL = nn.softplus(spline(x_BxTxD, nu_L))
    x = nn.RMSNorm(dtype=x_BxTxD.dtype, name='norm')(x_BxTxD).mean(1)
    mean_B = nn.softplus(nn.Dense(1, dtype=x.dtype, name='mean')(x).astype(jnp.float32))[:, 0]
    return shape_BxL, weight_L, mean_B


def matched(shape_BxL: jax.Array, weight_L: np.ndarray, total_B: jax.Array) -> jax.Array:
  """shape * total / (shape @ weight): its weighted sum is `total` to rounding."""
  weight_L = jnp.asarray(weight_L, shape_BxL.dtype)
  sum_B = jnp.matmul(shape_BxL, weight_L, precision='highest')
  return shape_BxL * (total_B / jnp.maximum(sum_B, jnp.finfo(sum_B.dtype).tiny))[:, None]


def weights(nu_L: np.ndarray, low_cm: float, high_cm: float, power: int) -> np.ndarray:
  """w with values @ w = int nu^power values dnu between the limits, [L] float64, on the host.

  Values are straight lines between points, as in `physics.sum_rules.partial_sums`.

  Raises:
    ValueError: an axis that is none, limits that hold no two points of it, or another power.
  """
  check_axis(nu_L)
  if power not in (0, 1):
    raise ValueError(
      f'power is {power}, expected 0 (absorbances, intensities) or 1 (the f-sum of k); choose one'
    )
  nu_L = np.asarray(nu_L, np.float64)
  inside_L = (nu_L >= low_cm) & (nu_L <= (high_cm or nu_L[-1]))
  if inside_L.sum() < 2:
    raise ValueError(
      f'low_cm = {low_cm:g} and high_cm = {high_cm:g} hold {inside_L.sum()} points of an axis from '
      f'{nu_L[0]:g} to {nu_L[-1]:g} cm^-1, expected 2 or more; widen the limits (0 = its end)'
    )
  whole = inside_L[:-1] & inside_L[1:]
  left, right = cell_weights(nu_L, power)
  weight_L = np.zeros(len(nu_L))
  weight_L[:-1] += whole * left
  weight_L[1:] += whole * right
  return weight_L
