"""Mamba backbone: residual selective state-space blocks along the token axis.

Step, input and output weights of the recurrence depend on the token (Gu & Dao 2023, arXiv
2312.00752), so that a layer can keep or forget by content; it has no transfer function.
"""

import functools
import math
from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp

from spectra_jax import blocks
from spectra_jax.dropout import ExampleDropout
from spectra_jax.scan.selective import selective_scan


def causal_conv(
  buffer_BxKxE: jax.Array, x_BxTxE: jax.Array, kernel_JxE: jax.Array, reverse: bool
) -> tuple[jax.Array, jax.Array]:
  """Depthwise y_n = sum_j kernel_j x_{n-j}, and x_{n+j} if `reverse`; J = K + 1 taps.

  Args:
    buffer_BxKxE: the K tokens before these (after these if `reverse`), in the order of the axis.
    x_BxTxE: the next T tokens.
    kernel_JxE: weight of the token itself first.
    reverse: the direction.

  Returns:
    the buffer of the next call, and y_BxTxE.
  """
  kept, length = buffer_BxKxE.shape[1], x_BxTxE.shape[1]
  pair = (x_BxTxE, buffer_BxKxE) if reverse else (buffer_BxKxE, x_BxTxE)
  padded = jnp.concatenate(pair, axis=1)
  starts = range(kept + 1) if reverse else range(kept, -1, -1)
  taps = zip(kernel_JxE, starts, strict=True)
  y_BxTxE = sum(tap_E * padded[:, start : start + length] for tap_E, start in taps)
  return padded[:, :kept] if reverse else padded[:, length:], y_BxTxE


def _dynamics(key, channels, states, dt_min, dt_max):
  """S4D-Real: A = -(1, ..., N) in each channel; softplus(step_bias) log-uniform."""
  low, high = math.log(dt_min), math.log(dt_max)
  dt_E = jnp.exp(jax.random.uniform(key, (channels,), minval=low, maxval=high))
  A_log_N = jnp.log(jnp.arange(1, states + 1, dtype=dt_E.dtype))
  return {
    'A_log': jnp.tile(A_log_N, (channels, 1)),
    'step_bias': dt_E + jnp.log(-jnp.expm1(-dt_E)),
  }


def _uniform(fan_in):
  """U(+-1/sqrt(fan_in)), the initialisation of convolution and steps in the published code."""
  bound = fan_in**-0.5
  return lambda key, shape, dtype=None: jax.random.uniform(
    key, shape, dtype or jnp.zeros(()).dtype, minval=-bound, maxval=bound
  )


class Selective(nn.Module):
  """One direction of Mamba mixer, u_BxLxD -> [B, L, D], on E = expand D channels.

    (x, z) = in_proj u,     x = SiLU(conv x),     (s, b, c) = x_proj x,
    delta = softplus(dt_proj s + step_bias),     y = out_proj (scan(delta, A, b, c, d, x) * SiLU z).

  Parameters: dynamics/{A_log [E, N], step_bias [E]} with A = -exp(A_log); kernels of in_proj
  [D, 2E], conv [J, E], x_proj [E, R + 2N], dt_proj [R, E], out_proj [E, D]; conv_bias [E]; D [E],
  which starts at 1. The state is the last J - 1 inputs of the convolution and h_BxNxE of the scan.
  """

  state: int
  expand: int
  conv_width: int
  dt_rank: int
  dt_min: float
  dt_max: float
  algorithm: str
  reverse: bool

  def __call__(self, u_BxLxD: jax.Array) -> jax.Array:
    return self.advance(None, u_BxLxD)[1]

  @nn.compact
  def advance(self, state: blocks.State, u_BxTxD: jax.Array) -> tuple[blocks.State, jax.Array]:
    """The next T tokens; the contract of `spectra_jax.blocks`."""
    self._check()
    (batch, _, width), dtype = u_BxTxD.shape, u_BxTxD.dtype
    channels, kept = self.expand * width, self.conv_width - 1
    dense = functools.partial(nn.Dense, use_bias=False, dtype=dtype)
    both_BxTx2E = dense(2 * channels, name='in_proj')(u_BxTxD)
    x_BxTxE, z_BxTxE = jnp.split(both_BxTx2E, 2, axis=-1)
    rest = (jnp.zeros((batch, kept, channels), dtype), None)
    buffer_BxKxE, h_BxNxE = rest if state is None else state
    taps = _uniform(self.conv_width)
    kernel_JxE = self.param('conv', taps, (self.conv_width, channels)).astype(dtype)
    bias_E = self.param('conv_bias', taps, (channels,)).astype(dtype)
    buffer_BxKxE, x_BxTxE = causal_conv(buffer_BxKxE, x_BxTxE, kernel_JxE, self.reverse)
    x_BxTxE = nn.silu(x_BxTxE + bias_E)
    h_BxNxE, y_BxTxE = self._scan(h_BxNxE, x_BxTxE, self.dt_rank or -(-width // 16), dense)
    y_BxTxD = dense(width, name='out_proj')(y_BxTxE * nn.silu(z_BxTxE))
    return (buffer_BxKxE, h_BxNxE), y_BxTxD

  def _scan(self, h_BxNxE, x_BxTxE, rank, dense):
    channels, states = x_BxTxE.shape[-1], self.state
    options = (channels, states, self.dt_min, self.dt_max)
    dynamics = self.param('dynamics', _dynamics, *options)
    d_E = self.param('D', nn.initializers.ones, (channels,))
    selected = dense(rank + 2 * states, name='x_proj')(x_BxTxE)
    s_BxTxR, b_BxTxN, c_BxTxN = jnp.split(selected, (rank, rank + states), axis=-1)
    steps = dense(channels, kernel_init=_uniform(rank), name='dt_proj')(s_BxTxR)
    delta_BxTxE = nn.softplus(steps.astype(d_E.dtype) + dynamics['step_bias'])
    A_ExN = -jnp.exp(dynamics['A_log'])
    arrays = (delta_BxTxE, A_ExN, b_BxTxN, c_BxTxN, d_E, x_BxTxE)
    return selective_scan(h_BxNxE, *arrays, algorithm=self.algorithm, reverse=self.reverse)

  @nn.nowrap
  def _check(self):
    least = {'state': 1, 'expand': 1, 'conv_width': 1, 'dt_rank': 0}
    for name, low in least.items():
      if getattr(self, name) < low:
        raise ValueError(
          f'Mamba has {name} = {getattr(self, name)}; expected at least {low}; raise it'
        )
    if not 0 < self.dt_min <= self.dt_max:
      raise ValueError(
        f'Mamba has steps from dt_min = {self.dt_min} to dt_max = {self.dt_max}; expected '
        '0 < dt_min <= dt_max; change either'
      )


class Block(nn.Module):
  """x + dropout(mixer(norm(x))); the directions are summed, each with parameters of its own.

  Attributes: those of `spectra_jax.blocks.Block`.
  """

  layer: Callable[..., nn.Module]
  bidirectional: bool
  dropout: float
  normalisation: str

  @nn.compact
  def advance(
    self, state: blocks.State, x_BxTxD: jax.Array, train: bool
  ) -> tuple[blocks.State, jax.Array]:
    """The next T tokens from `state`, [B, T, D] -> [B, T, D]; None starts at rest."""
    u_BxTxD = blocks.normalise(self.normalisation, x_BxTxD.dtype, 'norm')(x_BxTxD)
    state, y_BxTxD = self.layer(reverse=False, name='forward').advance(state, u_BxTxD)
    if self.bidirectional:
      y_BxTxD += self.layer(reverse=True, name='backward').advance(None, u_BxTxD)[1]
    return state, x_BxTxD + ExampleDropout(self.dropout, name='dropout')(y_BxTxD, train)


class Backbone(blocks.Recurrent):
  """Stack of Mamba blocks, x_BxLxD -> x_BxLxD.

  Attributes (others: `spectra_jax.blocks.Recurrent`):
    state: N, states of each channel.
    expand: E / D, channels of the scan over the width.
    conv_width: taps of the causal convolution before the scan, tokens.
    dt_rank: R, rank of the token's part in the steps; 0 takes ceil(D / 16), as published.
    dt_min, dt_max: initial steps at a zero input are log-uniform between them, dimensionless.
    algorithm: of `spectra_jax.scan.selective.selective_scan`.
  """

  state: int = 16
  expand: int = 2
  conv_width: int = 4
  dt_rank: int = 0
  dt_min: float = 0.001
  dt_max: float = 0.1
  algorithm: str = 'auto'

  @nn.nowrap
  def layer(self) -> Callable[..., Selective]:
    names = ('state', 'expand', 'conv_width', 'dt_rank', 'dt_min', 'dt_max', 'algorithm')
    return functools.partial(Selective, **{name: getattr(self, name) for name in names})

  @nn.nowrap
  def block(self) -> type[nn.Module]:
    return Block
