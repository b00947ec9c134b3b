"""Time-invariant filters of single channels along the tokens: one convolution, or step by step.

A causal filter with kernel k turns a whole sequence u into y_t = sum_{s <= t} k_{t-s} u_s, which
the FFT does in O(L log L) where a recurrence has to go through all L tokens in turn.
"""

import functools
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import scipy.fft
from jax import lax

State = Any
_SHORT = 16  # tokens; below, going through them in turn is faster than the FFT and its powers


def causal_convolution(k_DxK: jax.Array, u_BxTxD: jax.Array, *, reverse: bool = False) -> jax.Array:
  """y_t = sum_j k_j u_{t-j} for each channel, from zeros before the first token.

  By FFT, padded with zeros to a fast length of at least T + K - 1, so that nothing wraps around.
  In float32 (float64 if an argument is). The error is that of the FFT, about 1e-7 of the largest
  output that |k| and |u| allow, also where y is small.

  Args:
    k_DxK: [D, K] kernel of each channel, K tokens long; any K >= 1.
    u_BxTxD: [B, T, D] input; any T >= 1.
    reverse: y_t = sum_j k_j u_{t+j}, from zeros after the last token.

  Returns:
    y_BxTxD in the dtype of u.

  Raises:
    ValueError: kernel and input differ in their channels.
  """
  (channels, taps), (_, tokens, width) = k_DxK.shape, u_BxTxD.shape
  if channels != width:
    raise ValueError(
      f'the kernel has {channels} channels, expected {width} as the input has; '
      'pass k_DxK with one row for each channel of u_BxTxD'
    )
  dtype = jnp.promote_types(jnp.promote_types(k_DxK.dtype, u_BxTxD.dtype), jnp.float32)
  length = scipy.fft.next_fast_len(tokens + taps - 1, real=True)
  transform = lambda a: jnp.fft.rfft(a.astype(dtype), length)  # along the last, contiguous axis
  k_DxF, u_BxDxF = transform(k_DxK), transform(jnp.swapaxes(u_BxTxD, 1, 2))
  k_DxF = jnp.conj(k_DxF) if reverse else k_DxF  # a kernel that runs the other way round the circle
  y_BxDxT = jnp.fft.irfft(k_DxF * u_BxDxF, length)[..., :tokens]
  return jnp.swapaxes(y_BxDxT, 1, 2).astype(u_BxTxD.dtype)


class ChannelSystem(Protocol):
  """A linear time-invariant state space for each of D channels, with states of its own making."""

  def rest(self, batch: int) -> State:
    """The state zero."""

  def step(self, state: State, u_BxD: jax.Array) -> tuple[State, jax.Array]:
    """The next token: (state, y_BxD)."""

  def kernel(self, tokens: int) -> jax.Array:
    """k_DxT, the outputs from rest after an input of 1 at the first of `tokens` tokens."""

  def free(self, state: State, tokens: int) -> jax.Array:
    """y_BxTxD, the outputs of the next `tokens` tokens without input."""

  def after(self, state: State, u_BxTxD: jax.Array) -> State:
    """The state after T tokens of input."""


@functools.partial(jax.jit, static_argnames='reverse')
def advance_channels(
  system: ChannelSystem,
  state: State | None,
  u_BxTxD: jax.Array,
  d_D: jax.Array,
  *,
  reverse: bool = False,
) -> tuple[State, jax.Array]:
  """The next T tokens of a system: y = its outputs + d u.

  Up to 16 tokens by the recurrence itself; more by convolution with the kernel, plus the free
  response of the state that came in. Both are exact. Compiled as a whole, once for all the layers
  of one shape, also where the caller is not.

  Args:
    system: the state spaces.
    state: after the token before these, from an earlier call; None is at rest.
    u_BxTxD: [B, T, D] input. States and sums are float32 where it is narrower.
    d_D: [D] feed-through.
    reverse: run from the last token to the first.

  Returns:
    the state after the last token (the first if `reverse`), and y_BxTxD in the dtype of u.
  """
  narrow, tokens = u_BxTxD.dtype, u_BxTxD.shape[1]
  u_BxTxD = u_BxTxD.astype(jnp.promote_types(narrow, jnp.float32))
  if tokens <= _SHORT:
    start = system.rest(u_BxTxD.shape[0]) if state is None else state
    u_TxBxD = jnp.swapaxes(u_BxTxD, 0, 1)
    state, y_TxBxD = lax.scan(system.step, start, u_TxBxD, reverse=reverse)
    y_BxTxD = jnp.swapaxes(y_TxBxD, 0, 1)
  else:
    y_BxTxD = causal_convolution(system.kernel(tokens), u_BxTxD, reverse=reverse)
    turn = lambda a: a[:, ::-1] if reverse else a
    if state is not None:
      y_BxTxD += turn(system.free(state, tokens))
    start = system.rest(u_BxTxD.shape[0]) if state is None else state
    state = system.after(start, turn(u_BxTxD))
  return state, (y_BxTxD + d_D * u_BxTxD).astype(narrow)
