"""Wide-kernel convolutional backbone: the state-space layers' residual frame around a short kernel.

The width of a kernel is given in cm^-1, so that another token spacing changes the number of taps
and not what a block sees.
"""

import functools
from collections.abc import Callable

import flax.linen as nn
import jax
import numpy as np

from spectra_jax import blocks
from spectra_jax.short_convolution import convolve

_EVEN = 1e-6  # relative deviation of a token step from the mean one that rounding may leave


def token_step(nu_T: np.ndarray | None) -> float:
  """The spacing of evenly spaced tokens in cm^-1, from their wavenumbers [T] on the host.

  Raises:
    ValueError: there are no wavenumbers, fewer than two, or uneven ones.
  """
  if nu_T is None or len(nu_T) < 2:
    raise ValueError(
      f'nu_L is {nu_T}, expected the wavenumbers of two tokens or more: the width of a kernel is '
      'given in cm^-1; pass them as a host array'
    )
  steps = np.diff(np.asarray(nu_T, np.float64))
  mean = steps.mean()
  if not np.abs(steps - mean).max() <= _EVEN * abs(mean):
    raise ValueError(
      f'the tokens are {steps.min():.6g} to {steps.max():.6g} cm^-1 apart, expected one spacing '
      'for a kernel of fixed taps; tokenise or resample onto an even axis'
    )
  return abs(float(mean))


def taps(kernel_cm: float, step_cm: float) -> int:
  """The odd number nearest to kernel_cm / step_cm, at least 1; both in cm^-1.

  Raises:
    ValueError: the width is not positive.
  """
  if not kernel_cm > 0:
    raise ValueError(f'kernel_cm is {kernel_cm} cm^-1, expected a positive width; widen it')
  return 2 * max(round((kernel_cm / step_cm - 1) / 2), 0) + 1


class Convolution(nn.Module):
  """One layer, u_BxLxD -> y_BxLxD: the sums of `spectra_jax.short_convolution` plus a bias.

  Parameters: kernel [K, D, D], or [K, D] if depthwise; bias [D].

  Attributes:
    taps: K, odd.
    dilation: tokens between neighbouring taps.
    depthwise: each channel has its own taps and sees no other channel.
    causal: all taps look back (ahead if `reverse`); else half of them look ahead.
    forward, gradient: algorithms of `spectra_jax.short_convolution.convolve`.
    reverse: the mirror image of the layer.
  """

  taps: int
  dilation: int
  depthwise: bool
  causal: bool
  forward: str
  gradient: str
  reverse: bool

  @nn.compact
  def advance(self, state: blocks.State, u_BxTxD: jax.Array) -> tuple[blocks.State, jax.Array]:
    """The contract of `spectra_jax.blocks` for a whole sequence: `state` is None and stays so."""
    width = u_BxTxD.shape[-1]
    shape = (self.taps, width) if self.depthwise else (self.taps, width, width)
    kernel = self.param('kernel', nn.initializers.lecun_normal(), shape)
    bias_D = self.param('bias', nn.initializers.zeros, (width,))
    reach = (self.taps - 1) * self.dilation
    before = reach if self.causal else reach // 2
    options = {'dilation': self.dilation, 'forward': self.forward, 'gradient': self.gradient}
    if self.reverse:
      kernel, before = kernel[::-1], reach - before
    y_BxTxD = convolve(u_BxTxD, kernel, before=before, **options)
    return state, y_BxTxD + bias_D.astype(y_BxTxD.dtype)


class Backbone(nn.Module):
  """Stack of convolutional blocks, x_BxLxD -> x_BxLxD with every width equal to D.

  Block i sees dilations[i] * kernel_cm around a token, to the nearest odd number of taps; the stack
  sees the sum over its blocks. Masked tokens are convolved like any other, as in
  `spectra_jax.blocks.Recurrent`, and zeros stand beyond both ends. Weights trained at one token
  spacing do not fit another: the number of taps follows from it.

  Attributes:
    blocks: number of blocks.
    kernel_cm: width of an undilated kernel, taps times token spacing [cm^-1].
    dilations: token distances between taps, cycled over the blocks; (1, 2, 4) doubles the width
      from block to block, at the same number of taps.
    depthwise: taps for each channel alone, mixed by the block's GLU; else dense over channels.
    bidirectional: kernels are centred on the token; else they look back only (causal).
    dropout: rate of the two dropouts of a block, dimensionless.
    normalisation: 'rms' or 'layer', before each layer.
    forward, gradient: algorithms of `spectra_jax.short_convolution.convolve`.
  """

  blocks: int = 2
  kernel_cm: float = 126.0
  dilations: tuple[int, ...] = (1,)
  depthwise: bool = False
  bidirectional: bool = True
  dropout: float = 0.0
  normalisation: str = 'rms'
  forward: str = 'auto'
  gradient: str = 'auto'

  @nn.nowrap
  def layer(self, block: int, step_cm: float) -> Callable[..., Convolution]:
    """(reverse=, name=) -> the convolution of one block."""
    return functools.partial(
      Convolution,
      taps=taps(self.kernel_cm, step_cm),
      dilation=self.dilations[block % len(self.dilations)],
      depthwise=self.depthwise,
      causal=not self.bidirectional,
      forward=self.forward,
      gradient=self.gradient,
    )

  @nn.compact
  def __call__(
    self, x_BxLxD: jax.Array, nu_L: np.ndarray, mask_BxL: jax.Array, train: bool
  ) -> jax.Array:
    """[B, L, D] -> [B, L, D]; nu_L [cm^-1] gives the token spacing, mask_BxL is not used.

    Raises:
      ValueError: nu_L is missing or uneven, an option is unknown or out of range, or dropout runs
        without per-example keys.
    """
    del mask_BxL
    if not self.dilations:
      raise ValueError('dilations is (), expected one token distance or more; (1,) is undilated')
    step_cm = token_step(nu_L)
    for i in range(self.blocks):
      parts = (self.layer(i, step_cm), False, self.dropout, self.normalisation)
      x_BxLxD = blocks.Block(*parts, name=f'block_{i}').advance(None, x_BxLxD, train)[1]
    return x_BxLxD
