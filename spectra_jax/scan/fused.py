"""The filter of `spectra_jax.scan.oscillator` as a loop over chunks, with an adjoint of its own."""

import functools

import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_derivatives import SymbolicZero

from spectra_jax.scan.chunks import cut, paste, plan
from spectra_jax.scan.filters import filter_step, flip, rest


def fused(state, g_P, c_P, e_P, b_QxD, c_out_DxQ, d_D, u_BxLxD, reverse, chunk):
  """b-matmul -> filter -> c_out-matmul, chunk after chunk; equal chunks, then what is left over."""
  batch, length, _ = u_BxLxD.shape
  state = rest(batch, b_QxD.shape[0], u_BxLxD.dtype) if state is None else state
  weights, outputs = (flip(g_P, c_P, e_P), b_QxD, c_out_DxQ, d_D), []
  parts = plan(length, batch, chunk)
  for tokens, part in reversed(parts) if reverse else parts:
    state, y_BxLxD = _chunked(tokens, reverse, state, *weights, u_BxLxD[:, part])
    outputs.append(y_BxLxD)
  return state, jnp.concatenate(outputs[::-1] if reverse else outputs, axis=1)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _chunked(tokens, reverse, state, dynamics, b_QxD, c_out_DxQ, d_D, u_BxLxD):
  return _chunked_forward(tokens, reverse, state, dynamics, b_QxD, c_out_DxQ, d_D, u_BxLxD)[0]


def _chunked_forward(tokens, reverse, state, dynamics, b_QxD, c_out_DxQ, d_D, u_BxLxD):
  batch, length, _ = u_BxLxD.shape
  step = filter_step(*dynamics)

  def one_chunk(carry, i):
    state, y_BxLxD = carry
    u_RxD = cut(u_BxLxD, i, tokens)
    w_TxBxQ = (u_RxD @ b_QxD.T).reshape(tokens, batch, -1)
    end, x_TxBxQ = lax.scan(step, state, w_TxBxQ, reverse=reverse)
    y_RxD = x_TxBxQ.reshape(tokens * batch, -1) @ c_out_DxQ.T + d_D * u_RxD
    return (end, paste(y_BxLxD, y_RxD, i, tokens)), state

  order = jnp.arange(length // tokens)
  start = (state, jnp.zeros_like(u_BxLxD))
  outputs, states = lax.scan(one_chunk, start, order, reverse=reverse)
  return outputs, (dynamics, b_QxD, c_out_DxQ, d_D, u_BxLxD, states)


def _chunked_forward_rule(tokens, reverse, *primals):
  """Unwraps what `symbolic_zeros` wraps."""
  is_primal = lambda node: hasattr(node, 'perturbed')
  values = jax.tree.map(lambda primal: primal.value, primals, is_leaf=is_primal)
  return _chunked_forward(tokens, reverse, *values)


def _adjoint_from_rest(s_Q, g_Q, k_Q):
  """Adjoint of outputs alone: the same filter run the other way, whose x is mu = dL/dzeta.

  (step, finish): `step` emits mu; its carry is the filter's state and the sums over tokens of mu
  times the state before its token. `finish` takes the last state and returns mu of the first token
  and the cotangents of the (zeta, x) before it.
  """
  filtered = filter_step(s_Q, g_Q, k_Q)

  def step(carry, per_token):
    state, (mu_zeta, mu_x) = carry
    dx_BxQ, zeta_BxQ, x_BxQ = per_token  # after this token: what mu of the token behind it met
    sums = (mu_zeta + state[1] * zeta_BxQ, mu_x + state[1] * x_BxQ)
    state, mu_BxQ = filtered(state, dx_BxQ)
    return (state, sums), mu_BxQ

  def finish(state):
    zeta, mu = state
    to_x = zeta - g_Q * zeta + g_Q * mu
    return mu, (s_Q * (mu - g_Q * mu), s_Q * (to_x - k_Q * mu))

  return step, finish


def _adjoint_from_end(s_Q, g_Q, k_Q):
  """The same from cotangents of the end state, which no state of the filter need correspond to."""

  def step(carry, per_token):
    ((to_zeta, to_x), mu_BxQ), (mu_zeta, mu_x) = carry
    dx_BxQ, zeta_BxQ, x_BxQ = per_token
    sums = (mu_zeta + mu_BxQ * zeta_BxQ, mu_x + mu_BxQ * x_BxQ)
    to_x = to_x + dx_BxQ
    mu_BxQ = to_zeta + to_x
    before = (s_Q * (mu_BxQ - g_Q * mu_BxQ), s_Q * (to_x - k_Q * mu_BxQ))
    return ((before, mu_BxQ), sums), mu_BxQ

  def finish(state):
    before, mu_BxQ = state
    return mu_BxQ, before

  return step, finish


def _instantiate(cotangent, like):
  return jnp.zeros_like(like) if isinstance(cotangent, SymbolicZero) else cotangent


def _chunked_backward(tokens, reverse, residuals, cotangents):
  dynamics, b_QxD, c_out_DxQ, d_D, u_BxLxD, states = residuals
  to_end, dy_BxLxD = cotangents
  batch, length, _ = u_BxLxD.shape
  zero = rest(batch, b_QxD.shape[0], u_BxLxD.dtype)
  if all(isinstance(a, SymbolicZero) for a in to_end):  # nobody used the end state
    (adjoint_step, finish), adjoint = _adjoint_from_rest(*dynamics), zero
  else:
    to_end = tuple(map(_instantiate, to_end, zero))
    (adjoint_step, finish), adjoint = _adjoint_from_end(*dynamics), (to_end, zero[0])
  dy_BxLxD = _instantiate(dy_BxLxD, u_BxLxD)
  step = filter_step(*dynamics)

  def states_step(state, w_BxQ):
    state, _ = step(state, w_BxQ)
    return state, state

  def one_chunk(carry, chunk):
    adjoint, db_DxQ, dc_out_DxQ, dd_D, dy_du_BxLxD = carry
    i, state = chunk
    u_RxD, dy_RxD = cut(u_BxLxD, i, tokens), cut(dy_du_BxLxD, i, tokens)
    w_TxBxQ = (u_RxD @ b_QxD.T).reshape(tokens, batch, -1)
    dx_TxBxQ = (dy_RxD @ c_out_DxQ).reshape(tokens, batch, -1)
    _, (zeta_TxBxQ, x_TxBxQ) = lax.scan(states_step, state, w_TxBxQ, reverse=reverse)
    per_token = (dx_TxBxQ, zeta_TxBxQ, x_TxBxQ)
    adjoint, mu_TxBxQ = lax.scan(adjoint_step, adjoint, per_token, reverse=not reverse)
    mu_RxQ, x_RxQ = (a.reshape(tokens * batch, -1) for a in (mu_TxBxQ, x_TxBxQ))
    # du takes the place of dy, which is not needed again.
    dy_du_BxLxD = paste(dy_du_BxLxD, mu_RxQ @ b_QxD + d_D * dy_RxD, i, tokens)
    # u.T @ mu and not mu.T @ u: the matmul of fewer rows is the faster one.
    sums = (db_DxQ + u_RxD.T @ mu_RxQ, dc_out_DxQ + dy_RxD.T @ x_RxQ)
    return (adjoint, *sums, dd_D + jnp.sum(u_RxD * dy_RxD, axis=0), dy_du_BxLxD), None

  start = ((adjoint, zero), *map(jnp.zeros_like, (b_QxD.T, c_out_DxQ, d_D)), dy_BxLxD)
  order = (jnp.arange(length // tokens), states)
  (adjoint, db_DxQ, *gradients), _ = lax.scan(one_chunk, start, order, reverse=not reverse)
  mu_BxQ, to_start = finish(adjoint[0])
  first = jax.tree.map(lambda a: a[-1 if reverse else 0], states)
  pairs = zip(adjoint[1], first, strict=True)
  s_Q, *_ = dynamics
  dg_dk = (-s_Q * jnp.sum(total + mu_BxQ * state, axis=0) for total, state in pairs)
  return (to_start, (jnp.zeros_like(s_Q), *dg_dk), db_DxQ.T, *gradients)


_chunked.defvjp(_chunked_forward_rule, _chunked_backward, symbolic_zeros=True)
