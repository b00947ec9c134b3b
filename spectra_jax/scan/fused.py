"""The filter of `spectra_jax.scan.oscillator` as a loop over chunks, with an adjoint of its own."""

import functools

import jax
import jax.numpy as jnp
from jax import lax

from spectra_jax.scan.filters import filter_step, flip, rest

_CHUNK_ROWS = 2048  # tokens times batch in one chunk: its channels then stay in the L2 cache
_CHUNK_MIN, _CHUNK_MAX = 16, 512


def fused(state, g_P, c_P, e_P, b_QxD, c_out_DxQ, d_D, u_BxLxD, reverse, chunk):
  """b-matmul -> filter -> c_out-matmul, chunk after chunk; equal chunks, then what is left over."""
  batch, length, _ = u_BxLxD.shape
  default = min(max(_CHUNK_ROWS // batch, _CHUNK_MIN), _CHUNK_MAX)
  chunks = -(-length // (default if chunk is None else chunk))
  whole = length // chunks * chunks
  parts = [(length // chunks, u_BxLxD[:, :whole]), (length - whole, u_BxLxD[:, whole:])]
  parts = parts if whole < length else parts[:1]
  state = rest(batch, b_QxD.shape[0], u_BxLxD.dtype) if state is None else state
  weights, outputs = (flip(g_P, c_P, e_P), b_QxD, c_out_DxQ, d_D), []
  for tokens, part_BxLxD in reversed(parts) if reverse else parts:
    state, y_BxLxD = _chunked(tokens, reverse, state, *weights, part_BxLxD)
    outputs.append(y_BxLxD)
  return state, jnp.concatenate(outputs[::-1] if reverse else outputs, axis=1)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _chunked(tokens, reverse, state, dynamics, b_QxD, c_out_DxQ, d_D, u_BxLxD):
  return _chunked_forward(tokens, reverse, state, dynamics, b_QxD, c_out_DxQ, d_D, u_BxLxD)[0]


def _cut(a_BxLxD, i, tokens):
  """Chunk i as rows [tokens * B, D], time first."""
  part_BxTxD = lax.dynamic_slice_in_dim(a_BxLxD, i * tokens, tokens, axis=1)
  return jnp.swapaxes(part_BxTxD, 0, 1).reshape(-1, a_BxLxD.shape[2])


def _paste(a_BxLxD, rows_RxD, i, tokens):
  part_TxBxD = rows_RxD.reshape(tokens, -1, a_BxLxD.shape[2])
  return lax.dynamic_update_slice_in_dim(a_BxLxD, jnp.swapaxes(part_TxBxD, 0, 1), i * tokens, 1)


def _chunked_forward(tokens, reverse, state, dynamics, b_QxD, c_out_DxQ, d_D, u_BxLxD):
  batch, length, _ = u_BxLxD.shape
  step = filter_step(*dynamics)

  def one_chunk(carry, i):
    state, y_BxLxD = carry
    u_RxD = _cut(u_BxLxD, i, tokens)
    w_TxBxQ = (u_RxD @ b_QxD.T).reshape(tokens, batch, -1)
    end, x_TxBxQ = lax.scan(step, state, w_TxBxQ, reverse=reverse)
    y_RxD = x_TxBxQ.reshape(tokens * batch, -1) @ c_out_DxQ.T + d_D * u_RxD
    return (end, _paste(y_BxLxD, y_RxD, i, tokens)), state

  order = jnp.arange(length // tokens)
  start = (state, jnp.zeros_like(u_BxLxD))
  outputs, states = lax.scan(one_chunk, start, order, reverse=reverse)
  return outputs, (dynamics, b_QxD, c_out_DxQ, d_D, u_BxLxD, states)


def _adjoint_step(s_Q, g_Q, k_Q):
  """The transposed filter: (cotangents of zeta and x, sums), one token back; emits mu.

  mu_n = dL/dzeta_n by all paths. It equals the filter run the other way, and in this form it can
  start from the cotangent of a last state.
  """

  def step(carry, per_token):
    to_zeta, to_x, mu_zeta, mu_x = carry
    dx_BxQ, zeta_BxQ, x_BxQ = per_token  # zeta, x before this token
    to_x = to_x + dx_BxQ
    mu_BxQ = to_zeta + to_x
    sums = (mu_zeta + mu_BxQ * zeta_BxQ, mu_x + mu_BxQ * x_BxQ)
    return (s_Q * (mu_BxQ - g_Q * mu_BxQ), s_Q * (to_x - k_Q * mu_BxQ), *sums), mu_BxQ

  return step


def _chunked_backward(tokens, reverse, residuals, cotangents):
  dynamics, b_QxD, c_out_DxQ, d_D, u_BxLxD, states = residuals
  (to_zeta, to_x), dy_BxLxD = cotangents
  batch, length, _ = u_BxLxD.shape
  step, adjoint_step = filter_step(*dynamics), _adjoint_step(*dynamics)

  def states_step(state, w_BxQ):
    after, x_BxQ = step(state, w_BxQ)
    return after, (*state, x_BxQ)

  def one_chunk(carry, chunk):
    adjoint, db_QxD, dc_out_DxQ, dd_D, du_BxLxD = carry
    i, state = chunk
    u_RxD, dy_RxD = _cut(u_BxLxD, i, tokens), _cut(dy_BxLxD, i, tokens)
    w_TxBxQ = (u_RxD @ b_QxD.T).reshape(tokens, batch, -1)
    dx_TxBxQ = (dy_RxD @ c_out_DxQ).reshape(tokens, batch, -1)
    _, (*before, x_TxBxQ) = lax.scan(states_step, state, w_TxBxQ, reverse=reverse)
    adjoint, mu_TxBxQ = lax.scan(adjoint_step, adjoint, (dx_TxBxQ, *before), reverse=not reverse)
    mu_RxQ, x_RxQ = (a.reshape(tokens * batch, -1) for a in (mu_TxBxQ, x_TxBxQ))
    du_BxLxD = _paste(du_BxLxD, mu_RxQ @ b_QxD + d_D * dy_RxD, i, tokens)
    dd_D = dd_D + jnp.sum(u_RxD * dy_RxD, axis=0)
    return (adjoint, db_QxD + mu_RxQ.T @ u_RxD, dc_out_DxQ + dy_RxD.T @ x_RxQ, dd_D, du_BxLxD), None

  zeros = jax.tree.map(jnp.zeros_like, (b_QxD, c_out_DxQ, d_D, u_BxLxD))
  start = ((to_zeta, to_x, *rest(batch, b_QxD.shape[0], u_BxLxD.dtype)), *zeros)
  chunks = (jnp.arange(length // tokens), states)
  (adjoint, *gradients), _ = lax.scan(one_chunk, start, chunks, reverse=not reverse)
  *to_state, mu_zeta_BxQ, mu_x_BxQ = adjoint
  s_Q, *_ = dynamics
  ds_dg_dk = (jnp.zeros_like(s_Q), -s_Q * mu_zeta_BxQ.sum(0), -s_Q * mu_x_BxQ.sum(0))
  return (tuple(to_state), ds_dg_dk, *gradients)


_chunked.defvjp(_chunked_forward, _chunked_backward)
