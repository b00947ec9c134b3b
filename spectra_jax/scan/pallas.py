"""The filter of `spectra_jax.scan.oscillator` as a Pallas kernel over segments of the sequence.

One program steps through one segment of one example for a block of channels: first from rest, to
find what each segment leaves behind; then, when the states between segments are known
(`doubling.carry`), again from the right state. So w is read twice, x is written once, and nothing
else has the size of the sequence. The kernel goes through Triton on a GPU and is interpreted on a
CPU; it was never run on a GPU or TPU. The gradient is the adjoint filter through the same passes.
"""

import functools

import jax
import jax.numpy as jnp
from jax import lax
from jax.experimental import pallas as pl
from jax.experimental.pallas import triton

from spectra_jax.scan.doubling import (
  advance,
  carry,
  default_chunk,
  deflated_power,
  generator,
  parity,
)
from spectra_jax.scan.filters import filter_step, flip, rest

_BLOCK = 128  # channels of one program, at most


def pallas(state, g_P, c_P, e_P, b_QxD, c_out_DxQ, d_D, u_BxLxD, reverse, chunk):
  """b-matmul of all tokens -> kernel -> c_out-matmul of all tokens."""
  batch, length, _ = u_BxLxD.shape
  tokens = min(length, default_chunk(length) if chunk is None else chunk)
  state = rest(batch, b_QxD.shape[0], u_BxLxD.dtype) if state is None else state
  w_BxLxQ = jnp.einsum('bld,qd->blq', u_BxLxD, b_QxD)
  end, x_BxLxQ = _filter(tokens, reverse, flip(g_P, c_P, e_P), state, w_BxLxQ)
  return end, jnp.einsum('blq,dq->bld', x_BxLxQ, c_out_DxQ) + d_D * u_BxLxD


# ---- the filter, its adjoint and its gradient -------------------------------


def _forward_step(s_Q, g_Q, k_Q):
  step = filter_step(s_Q, g_Q, k_Q)

  def emit_state(state, w_Q):
    state, _ = step(state, w_Q)
    return state, state

  return emit_state


def _adjoint_step(s_Q, g_Q, k_Q):
  """(cotangents of zeta and x) one token back; emits mu, as in `spectra_jax.scan.fused`."""

  def emit_mu(cotangents, dx_Q):
    to_zeta, to_x = cotangents
    to_x = to_x + dx_Q
    mu_Q = to_zeta + to_x
    return (s_Q * (mu_Q - g_Q * mu_Q), s_Q * (to_x - k_Q * mu_Q)), (mu_Q,)

  return emit_mu


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _filter(tokens, reverse, dynamics, state, w_BxLxQ):
  matrix = generator(*dynamics[1:])
  end, (x_BxLxQ,) = _segmented(_forward_step, 1, tokens, reverse, matrix, dynamics, state, w_BxLxQ)
  return end, x_BxLxQ


def _filter_forward(tokens, reverse, dynamics, state, w_BxLxQ):
  matrix = generator(*dynamics[1:])
  end, states = _segmented(_forward_step, 2, tokens, reverse, matrix, dynamics, state, w_BxLxQ)
  return (end, states[1]), (dynamics, state, states)


def _filter_backward(tokens, reverse, residuals, cotangents):
  dynamics, state, states = residuals
  matrix = jnp.swapaxes(generator(*dynamics[1:]), 0, 1)
  to_start, (mu_BxLxQ,) = _segmented(
    _adjoint_step, 1, tokens, not reverse, matrix, dynamics, *cotangents
  )
  now, before = (slice(-1), slice(1, None)) if reverse else (slice(1, None), slice(-1))
  first = -1 if reverse else 0

  def sum_mu_before(start_BxQ, a_BxLxQ):
    inner_Q = jnp.einsum(
      'blq,blq->q', mu_BxLxQ[:, now], a_BxLxQ[:, before], precision=lax.Precision.HIGHEST
    )
    return inner_Q + jnp.sum(mu_BxLxQ[:, first] * start_BxQ, axis=0)

  s_Q = dynamics[0]
  dg_Q, dk_Q = (-s_Q * sum_mu_before(*pair) for pair in zip(state, states, strict=True))
  return (jnp.zeros_like(s_Q), dg_Q, dk_Q), to_start, mu_BxLxQ


_filter.defvjp(_filter_forward, _filter_backward)


# ---- the two passes ---------------------------------------------------------


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1, 2, 3))
def _segmented(step, outputs, tokens, reverse, matrix, dynamics, start, w_BxLxQ):
  """(state after all tokens, the last `outputs` arrays that `step` emits, [B, L, Q] each).

  Args:
    step: of (s, g, k), a `lax.scan` body.
    outputs: 1 or 2.
    tokens: in one segment.
    matrix: [2, 2, Q], E of its state's own motion, M = s (I + E).
  """
  batch, length, channels = w_BxLxQ.shape
  segments = -(-length // tokens)
  padding = segments * tokens - length  # behind the last token in order of processing
  left, block = tokens - padding, min(_BLOCK, pl.next_power_of_2(channels))
  aligned = lambda a, *rows: jnp.pad(a, (*rows, (0, -channels % block)))
  w_BxLxQ = aligned(w_BxLxQ, (0, 0), (padding, 0) if reverse else (0, padding))
  arrays = (aligned(jnp.stack(dynamics), (0, 0)), w_BxLxQ)
  grid = (batch, segments, w_BxLxQ.shape[2] // block)
  ends_BxNxVxQ = _pass(step, 0, tokens, left, reverse, grid, *arrays)[..., :channels]

  order = slice(None, None, -1) if reverse else slice(None)
  ends_VxQxBxN = ends_BxNxVxQ[:, order].transpose(2, 3, 0, 1)
  power = functools.partial(deflated_power, matrix)
  start_VxQxB = jnp.stack(start).transpose(0, 2, 1)
  s_Q = dynamics[0]
  starts = carry(parity(s_Q, tokens), power(tokens), start_VxQxB, ends_VxQxBxN[..., :-1])
  end = advance(parity(s_Q, left), power(left), starts[..., -1]) + ends_VxQxBxN[..., -1]
  starts_BxNxVxQ = starts.transpose(2, 3, 0, 1)[:, order]

  starts_BxNxVxQ = aligned(starts_BxNxVxQ, (0, 0), (0, 0), (0, 0))
  emitted = _pass(step, outputs, tokens, left, reverse, grid, *arrays, starts_BxNxVxQ)
  inside = slice(padding, None) if reverse else slice(length)
  return tuple(jnp.swapaxes(end, 1, 2)), tuple(a[:, inside, :channels] for a in emitted)


def _refuse_derivative(*_):
  raise ValueError(
    "the scan algorithm 'pallas' was differentiated twice: expected once at most, as its kernels "
    "have no derivative of their own; set `algorithm` to 'chunked'"
  )


_segmented.defvjp(_refuse_derivative, _refuse_derivative)


def _pass(step, outputs, tokens, left, reverse, grid, *arrays):
  """One kernel over (batch, segment, block): end states from rest, or `outputs` arrays like w."""
  batch, segments, blocks = grid
  w_BxLxQ = arrays[1]
  block = w_BxLxQ.shape[2] // blocks
  rows = pl.BlockSpec((3, block), lambda b, i, q: (0, q))
  tokenwise = pl.BlockSpec((1, tokens, block), lambda b, i, q: (b, i, q))
  boundary = pl.BlockSpec((1, 1, 2, block), lambda b, i, q: (b, i, 0, q))
  like_w = jax.ShapeDtypeStruct(w_BxLxQ.shape, w_BxLxQ.dtype)
  ends = jax.ShapeDtypeStruct((batch, segments, 2, w_BxLxQ.shape[2]), w_BxLxQ.dtype)
  kernel = _emit if outputs else functools.partial(_local_end, left=left)
  call = functools.partial(
    pl.pallas_call,
    functools.partial(kernel, step=step, tokens=tokens, reverse=reverse),
    grid=grid,
    in_specs=[rows, tokenwise, boundary][: len(arrays)],
    out_specs=[tokenwise] * outputs if outputs else boundary,
    out_shape=[like_w] * outputs if outputs else ends,
  )
  return lax.platform_dependent(
    *arrays,
    cpu=call(interpret=True),
    tpu=call(),
    default=call(compiler_params=triton.CompilerParams()),
  )


def _local_end(dynamics_ref, w_ref, end_ref, *, left, step, tokens, reverse):
  """State after this segment from rest; the segment processed last has `left` tokens."""
  step = step(*(dynamics_ref[row, :] for row in range(3)))
  last = 0 if reverse else pl.num_programs(1) - 1
  count = jnp.where(pl.program_id(1) == last, left, tokens)

  def body(i, state):
    return step(state, w_ref[0, tokens - 1 - i if reverse else i, :])[0]

  zeros = jnp.zeros_like(dynamics_ref[0, :])
  end_ref[0, 0, 0, :], end_ref[0, 0, 1, :] = lax.fori_loop(0, count, body, (zeros, zeros))


def _emit(dynamics_ref, w_ref, start_ref, *out_refs, step, tokens, reverse):
  """All tokens of this segment from the right state."""
  step = step(*(dynamics_ref[row, :] for row in range(3)))

  def body(i, state):
    t = tokens - 1 - i if reverse else i
    state, emitted = step(state, w_ref[0, t, :])
    for ref, value in zip(out_refs, emitted[-len(out_refs) :], strict=True):
      ref[0, t, :] = value
    return state

  lax.fori_loop(0, tokens, body, (start_ref[0, 0, 0, :], start_ref[0, 0, 1, :]))
