"""Tokens of one instrument's spectrum -> the same sample on another: a Fourier neural operator.

Each block is (Li et al. 2021, arXiv 2010.08895)

  y(nu) = W x(nu) + sum_m Re[ R_m X_m exp(2 pi i delta_m nu) ],   delta_m = m / period, m < modes,
  X_m = (2 - [m = 0]) / period int x(nu) exp(-2 pi i delta_m nu) dnu over the tokens,

a convolution along wavenumber, written in retardations delta [cm]. The weights belong to fixed
retardations and the sums run over wavenumbers, not over an index: the same weights serve any token
spacing and any axis shorter than the period. R_m is one complex number a channel; W mixes channels.

What an instrument does to a line is a product in retardation (the transform of its line shape), so
the latents of the instrument to be imitated enter as factors 1 + gain_m on X_m.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from spectra_jax.blocks import RMSNorm
from spectra_jax.tokenize import spline_values, token_positions


def waves(nu_T: np.ndarray, modes: int, period_cm: float) -> np.ndarray:
  """cos, then sin of 2 pi m nu / period for m < modes: [2, T, M] float32; cm^-1.

  Raises:
    ValueError: the period is no longer than the axis, or there are more modes than tokens can tell.
  """
  span, step = float(nu_T[-1] - nu_T[0]), float(np.max(np.diff(nu_T)))
  if not span < period_cm or not 1 <= modes <= 0.5 * period_cm / step:
    raise ValueError(
      f'the operator has {modes} modes of a period of {period_cm:g} cm^-1 on {span:g} cm^-1 in '
      f'steps of {step:g}, expected a longer period than the axis and at most '
      f'{0.5 * period_cm / step:.0f} modes; change head.transfer_operator'
    )
  turns_TxM = np.asarray(nu_T, np.float64)[:, None] * (np.arange(modes) / period_cm)
  phase_TxM = 2 * np.pi * (turns_TxM - np.floor(turns_TxM))
  return np.stack([np.cos(phase_TxM), np.sin(phase_TxM)]).astype(np.float32)


class SpectralConvolution(nn.Module):
  """x_BxTxC -> y_BxTxC, the sum over modes above; parameters real and imaginary [M, C].

  Attributes:
    modes: M, retardations below modes / period.
    period_cm: on which the convolution closes [cm^-1].
  """

  modes: int
  period_cm: float

  @nn.compact
  def __call__(
    self, x_BxTxC: jax.Array, nu_T: np.ndarray, gain_BxM: jax.Array | None = None
  ) -> jax.Array:
    """`nu_T` evenly spaced, on the host [cm^-1]; `gain_BxM` complex, None is none."""
    cos_TxM, sin_TxM = waves(nu_T, self.modes, self.period_cm)
    shape, start = (self.modes, x_BxTxC.shape[-1]), nn.initializers.normal(1.0)
    re_MxC, im_MxC = (self.param(name, start, shape) for name in ('real', 'imaginary'))
    weight_T = np.full(len(nu_T), (nu_T[1] - nu_T[0]) / self.period_cm)
    weight_T[[0, -1]] /= 2  # the trapezoid rule: the same range whatever the step
    weight_TxM = weight_T[:, None] * np.where(np.arange(self.modes) > 0, 2.0, 1.0)
    into = lambda wave_TxM: jnp.einsum('btc,tm->bmc', x_BxTxC, np.float32(wave_TxM * weight_TxM))
    mode_BxMxC = lax.complex(into(cos_TxM), -into(sin_TxM)) * lax.complex(re_MxC, im_MxC)
    if gain_BxM is not None:
      mode_BxMxC *= 1 + gain_BxM[..., None]
    out = lambda x_BxMxC, wave_TxM: jnp.einsum('bmc,tm->btc', x_BxMxC, wave_TxM)
    return out(mode_BxMxC.real, cos_TxM) - out(mode_BxMxC.imag, sin_TxM)


class Operator(nn.Module):
  """x_BxTxD -> linear -> blocks, GELU between them -> linear, [B, T, outputs]; fields as in `Head`.

  One block is linear: a convolution of each channel, and what local weights add to it.
  """

  outputs: int
  width: int
  blocks: int
  modes: int
  period_cm: float

  @nn.compact
  def __call__(
    self, x_BxTxD: jax.Array, nu_T: np.ndarray, known_BxZ: jax.Array | None = None
  ) -> jax.Array:
    """`known_BxZ` sets the gains of the first block; None leaves them at 1."""
    h_BxTxC = nn.Dense(self.width, name='in')(x_BxTxD)
    gain_BxM = None if known_BxZ is None else self._gain(known_BxZ)
    for i in range(self.blocks):
      h_BxTxC = nn.gelu(h_BxTxC) if i else h_BxTxC
      convolve = SpectralConvolution(self.modes, self.period_cm, name=f'spectral_{i}')
      local_BxTxC = nn.Dense(self.width, name=f'local_{i}')(h_BxTxC)
      h_BxTxC = local_BxTxC + convolve(h_BxTxC, nu_T, None if i else gain_BxM)
    return nn.Dense(self.outputs, name='out')(h_BxTxC)

  def _gain(self, known_BxZ):
    small = nn.initializers.variance_scaling(0.01, 'fan_in', 'truncated_normal')
    parts = nn.Dense(2 * self.modes, kernel_init=small, name='gain')(known_BxZ)
    return lax.complex(*jnp.split(parts, 2, -1))


class Head(nn.Module):
  """norm -> operator -> splines on the axis.

  Attributes:
    step_cm: token spacing [cm^-1], the tokeniser's.
    knots_per_step: splines a token is responsible for, the tokeniser's.
    width: C, channels of the operator.
    blocks: spectral convolutions; 1 is a linear operator on the normed tokens.
    modes: of each, at most half a period of tokens.
    period_cm: more than the axis is long; what is beyond its ends is the margin [cm^-1].
  """

  step_cm: float
  knots_per_step: int
  width: int = 32
  blocks: int = 2
  modes: int = 128
  period_cm: float = 4608.0

  def __call__(self, x_BxTxD: jax.Array, nu_L: np.ndarray) -> jax.Array:
    """tokens -> values_BxL float32 as the instrument of the tokens gives them."""
    return self.given(x_BxTxD, nu_L, None)

  @nn.compact
  def given(self, x_BxTxD: jax.Array, nu_L: np.ndarray, known_BxZ: jax.Array | None) -> jax.Array:
    """tokens, latents of the instrument to imitate -> values_BxL float32.

    Raises:
      ValueError: as `waves`.
    """
    x_BxTxD = RMSNorm(jnp.dtype('float32'), name='norm')(x_BxTxD)
    sizes = (self.knots_per_step, self.width, self.blocks, self.modes, self.period_cm)
    operator = Operator(*sizes, name='operator')
    knots_BxTxK = operator(x_BxTxD, token_positions(nu_L, self.step_cm), known_BxZ)
    return spline_values(knots_BxTxK, nu_L, self.step_cm)
