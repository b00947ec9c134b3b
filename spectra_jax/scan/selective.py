"""Selective scans, the time-varying diagonal recurrence of Mamba: no parameters, no flax.

E channels with N states each (Gu & Dao 2023, arXiv 2312.00752, section 3.2), A < 0 discretised by
zero-order hold and B by Euler with a step delta_n per token and channel, as in the published code:

  h_n = exp(delta_n A) h_{n-1} + delta_n u_n b_n,     y_n = sum_N c_n h_n + d u_n.

With a_n = exp(delta_n A) and w_n = delta_n u_n b_n, the cotangents mu_n of h_n by all paths are the
same recurrence the other way, mu_n = a_{n+1} mu_{n+1} + c_n dL/dy_n, and dL/dw_n = mu_n, dL/da_n =
mu_n h_{n-1}. Arrays are [T, B, N, E] inside, so that the channels are contiguous.
"""

import functools

import jax
import jax.numpy as jnp
from jax import lax

from spectra_jax.scan.chunks import check

# Tokens in one chunk. Short ones keep its states in a cache, but leave more starts to store.
_CHUNK_LOOP, _CHUNK_ASSOCIATIVE = 16, 64


def selective_scan(
  state: jax.Array | None,
  delta_BxLxE: jax.Array,
  A_ExN: jax.Array,
  b_BxLxN: jax.Array,
  c_BxLxN: jax.Array,
  d_E: jax.Array,
  u_BxLxE: jax.Array,
  *,
  algorithm: str = 'auto',
  reverse: bool = False,
  chunk: int | None = None,
) -> tuple[jax.Array, jax.Array]:
  """E channels of N states driven by the next L tokens; the equations are those of the module.

  All algorithms compute the same:

    sequential           one `lax.scan` over L; the reference.
    associative          one `lax.associative_scan` over L; its memory is O(B L E N).
    chunked              a loop over the tokens of a chunk inside a loop over chunks.
    chunked_associative  an associative scan over the tokens of a chunk inside a loop over chunks.
    auto                 chunked where the default backend is the CPU, else chunked_associative.

  The gradient of both chunked ones keeps the state before each chunk and computes the others again,
  so that its memory is O(B L E + B E N (L / chunk + chunk)). All can be differentiated in reverse
  mode as often as needed; the chunked ones have no forward mode, on which `jax.jvp` raises a
  TypeError.

  Args:
    state: h_BxNxE after the token before these, from an earlier call; None is at rest.
    delta_BxLxE: [B, L, E] steps, positive, dimensionless.
    A_ExN: [E, N] negative rates per unit of step.
    b_BxLxN: [B, L, N] input weights, the same for all channels.
    c_BxLxN: [B, L, N] output weights, the same for all channels.
    d_E: [E] feed-through.
    u_BxLxE: [B, L, E] input. States and sums are float32 where it is narrower.
    algorithm: one of the above.
    reverse: run from the last token to the first.
    chunk: tokens in one chunk; None takes 16 in `chunked` and 64 in `chunked_associative`.

  Returns:
    the state after the last token (the first if `reverse`), and y_BxLxE in the dtype of u.

  Raises:
    ValueError: the algorithm is unknown, `chunk` is no positive integer, or L is 0.
  """
  check(algorithm, _ALGORITHMS, u_BxLxE.shape[1], chunk)
  dtype = jnp.promote_types(u_BxLxE.dtype, jnp.float32)
  if state is None:
    state = jnp.zeros((u_BxLxE.shape[0], *A_ExN.shape[::-1]), dtype)
  time_first = lambda a_BxLxC: jnp.swapaxes(a_BxLxC.astype(dtype), 0, 1)
  tokens = tuple(map(time_first, (delta_BxLxE, b_BxLxN, c_BxLxN, u_BxLxE)))
  weights = (A_ExN.astype(dtype).T, d_E.astype(dtype))
  state, y_LxBxE = _ALGORITHMS[algorithm](state.astype(dtype), weights, tokens, reverse, chunk)
  return state, jnp.swapaxes(y_LxBxE, 0, 1).astype(u_BxLxE.dtype)


def _elements(A_NxE, delta_TxBxE, b_TxBxN, u_TxBxE):
  """(a, w) of the recurrence, each [T, B, N, E]; also for one token, without T."""
  a = jnp.exp(delta_TxBxE[..., None, :] * A_NxE)
  return a, (delta_TxBxE * u_TxBxE)[..., None, :] * b_TxBxN[..., None]


def _read(d_E, c_TxBxN, h_TxBxNxE, u_TxBxE):
  return jnp.sum(c_TxBxN[..., None] * h_TxBxNxE, axis=-2) + d_E * u_TxBxE


def _sequential(state, weights, tokens, reverse, chunk):
  del chunk
  A_NxE, d_E = weights

  def step(h_BxNxE, token):
    delta_BxE, b_BxN, c_BxN, u_BxE = token
    a, w = _elements(A_NxE, delta_BxE, b_BxN, u_BxE)
    h_BxNxE = a * h_BxNxE + w
    return h_BxNxE, _read(d_E, c_BxN, h_BxNxE, u_BxE)

  return lax.scan(step, state, tokens, reverse=reverse)


def _associative(state, weights, tokens, reverse, chunk):
  del chunk
  (A_NxE, d_E), (delta, b, c, u) = weights, tokens
  h_LxBxNxE = _scan_associative(*_elements(A_NxE, delta, b, u), state, reverse)
  return h_LxBxNxE[0 if reverse else -1], _read(d_E, c, h_LxBxNxE, u)


def _scan_loop(a_TxBxNxE, w_TxBxNxE, state, reverse):
  """h of h_n = a_n h_{n-1} + w_n, all tokens."""

  def step(h, element):
    h = element[0] * h + element[1]
    return h, h

  return lax.scan(step, state, (a_TxBxNxE, w_TxBxNxE), reverse=reverse)[1]


def _compose(first, second):
  """The affine maps h -> a h + w, one after the other."""
  return second[0] * first[0], second[0] * first[1] + second[1]


def _scan_associative(a_TxBxNxE, w_TxBxNxE, state, reverse):
  first = -1 if reverse else 0
  w_TxBxNxE = w_TxBxNxE.at[first].add(a_TxBxNxE[first] * state)
  return lax.associative_scan(_compose, (a_TxBxNxE, w_TxBxNxE), reverse=reverse)[1]


def _chunks(inner, state, weights, tokens, reverse, chunk):
  """Equal chunks, then what is left over."""
  length = tokens[0].shape[0]
  if chunk is None:
    chunk = _CHUNK_LOOP if inner is _scan_loop else _CHUNK_ASSOCIATIVE
  chunks = -(-length // chunk)
  whole = length // chunks * chunks
  cuts = [(0, whole, chunks), (whole, length, 1)] if whole < length else [(0, whole, chunks)]
  outputs = []
  for low, high, count in reversed(cuts) if reverse else cuts:
    part = [a[low:high].reshape(count, -1, *a.shape[1:]) for a in tokens]
    state, y = _chunked(inner, reverse, state, weights, tuple(part))
    outputs.append(y.reshape(high - low, *y.shape[2:]))
  return state, jnp.concatenate(outputs[::-1] if reverse else outputs)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _chunked(inner, reverse, state, weights, tokens):
  return _chunked_forward(inner, reverse, state, weights, tokens)[0]


def _chunked_forward(inner, reverse, state, weights, tokens):
  def one_chunk(state, chunk):
    one = _sequential if inner is _scan_loop else _associative
    end, y_TxBxE = one(state, weights, chunk, reverse, None)
    return end, (y_TxBxE, state)

  end, (y_KxTxBxE, starts) = lax.scan(one_chunk, state, tokens, reverse=reverse)
  return (end, y_KxTxBxE), (weights, tokens, starts)


def _earlier(first, a_TxBxNxE, reverse):
  """One token earlier in the order of the recurrence, `first` before the first."""
  if reverse:
    return jnp.concatenate((a_TxBxNxE[1:], first[None]))
  return jnp.concatenate((first[None], a_TxBxNxE[:-1]))


def _chunked_backward(inner, reverse, residuals, cotangents):
  (A_NxE, d_E), tokens, starts = residuals
  to_state, dy_KxTxBxE = cotangents

  def one_chunk(carry, chunk):
    to_state, dA_NxE, dd_E = carry
    (delta, b, c, u), start, dy = chunk
    a, w = _elements(A_NxE, delta, b, u)
    h = inner(a, w, start, reverse)
    later_a = _earlier(jnp.ones_like(start), a, not reverse)
    mu = inner(later_a, c[..., None] * dy[..., None, :], to_state, not reverse)
    da = mu * _earlier(start, h, reverse) * a  # by delta A, the exponent
    dw_TxBxE = jnp.sum(mu * b[..., None], axis=-2)  # by delta u
    ddelta = jnp.sum(da * A_NxE, axis=-2) + dw_TxBxE * u
    db = jnp.sum(mu * (delta * u)[..., None, :], axis=-1)
    dc = jnp.sum(h * dy[..., None, :], axis=-1)
    dA_NxE = dA_NxE + jnp.sum(da * delta[..., None, :], axis=(0, 1))
    last = -1 if reverse else 0
    carry = (a[last] * mu[last], dA_NxE, dd_E + jnp.sum(u * dy, axis=(0, 1)))
    return carry, (ddelta, db, dc, dw_TxBxE * delta + d_E * dy)

  start = (to_state, jnp.zeros_like(A_NxE), jnp.zeros_like(d_E))
  chunks = (tokens, starts, dy_KxTxBxE)
  (to_state, *to_weights), to_tokens = lax.scan(one_chunk, start, chunks, reverse=not reverse)
  return to_state, tuple(to_weights), to_tokens


_chunked.defvjp(_chunked_forward, _chunked_backward)


def _auto(*args):
  name = 'chunked' if jax.default_backend() == 'cpu' else 'chunked_associative'
  return _ALGORITHMS[name](*args)


_ALGORITHMS = {
  'auto': _auto,
  'sequential': _sequential,
  'associative': _associative,
  'chunked': functools.partial(_chunks, _scan_loop),
  'chunked_associative': functools.partial(_chunks, _scan_associative),
}
