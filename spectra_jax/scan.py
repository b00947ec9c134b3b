"""Linear recurrences of oscillator state-space layers: no parameters, no flax.

Every LinOSS scheme (Rusch & Rus 2025, arXiv 2410.03943; Boyer, Rusch & Rus 2025, arXiv 2505.12171)
is one real filter. With zeta = h z (step times velocity) and x (position), per channel

  zeta_n = zeta_{n-1} - (g zeta_{n-1} + c x_{n-1}) + w_n,     x_n = x_{n-1} + zeta_n,

where g >= 0 is the damping and c >= 0 the stiffness of one step. The poles are the eigenvalues of
M = [[1 - g, -c], [1 - g, 1 - c]], so det M = 1 - g and tr M = 2 - g - c. Real and imaginary part of
a complex input are two channels of the same filter: no complex arithmetic. The adjoint is the same
filter run the other way, mu = filter(reversed dL/dx), with dL/dw = mu, dL/dg = -sum mu_n zeta_{n-1}
and dL/dc = -sum mu_n x_{n-1}.

g and c enter as they are, never as 1 - (1 - g): forms that carry the poles or powers of M lose up
to 2e-2 in float32 on slow, lightly damped oscillators and break down at critical damping.

A pole near theta = pi would multiply each rounding, also that of c near 4, by 1/(pi - theta).
There the time-alternating states (-1)^n x_n and (-1)^n zeta_n are slow: with s = -1 and k = e =
4 - 2g - c where c > e (theta beyond about pi/2), and s = 1 and k = c elsewhere, the same x is

  zeta_n = s (zeta_{n-1} - (g zeta_{n-1} + k x_{n-1})) + w_n,     x_n = s x_{n-1} + zeta_n,

whose k is small at either end of the angles and keeps its digits if e is computed without
cancellation. Its adjoint is itself in reverse: dL/dg = -s sum mu_n zeta_{n-1}, dL/dk = -s sum mu_n
x_{n-1}. `sequential` and `fused` run this form.
"""

import functools

import jax
import jax.numpy as jnp
from jax import lax

_CHUNK_ROWS = 2048  # tokens times batch in one chunk: its channels then stay in the L2 cache
_CHUNK_MIN, _CHUNK_MAX = 16, 512


def oscillator_ssm(
  g_P: jax.Array,
  c_P: jax.Array,
  b_QxD: jax.Array,
  c_out_DxQ: jax.Array,
  d_D: jax.Array,
  u_BxLxD: jax.Array,
  *,
  e_P: jax.Array | None = None,
  algorithm: str = 'auto',
  reverse: bool = False,
  chunk: int | None = None,
) -> jax.Array:
  """Output of P oscillators driven by u along L, y_n = c_out x_n + d u_n with x from the filter.

  The filter (see the module) is driven by w_n = b u_n and at rest before the first token. All
  algorithms compute the same y:

    sequential   one `lax.scan` over L; the reference.
    associative  the published parallel scan over 2x2 elements, O(log L) deep, complex inputs.
    fused        chunks of L, each b-matmul -> filter -> c_out-matmul; the gradient recomputes the
                 states of a chunk, so memory is O(B D L) and not O(B P L).
    auto         fused where the default backend is the CPU, associative elsewhere.

  All can be differentiated in reverse mode as often as needed; `fused` has no forward mode, on
  which `jax.jvp` raises a TypeError.

  Args:
    g_P: [P] damping per step, dimensionless.
    c_P: [P] stiffness per step, dimensionless.
    b_QxD: [Q = 2P, D] input matrix, real parts over imaginary parts, scaled by the scheme's f.
    c_out_DxQ: [D, Q] output matrix [C_re, -C_im].
    d_D: [D] feed-through.
    u_BxLxD: [B, L, D] input. States and sums are float32 where it is narrower.
    e_P: [P] 4 - 2g - c with all its digits, the stiffness seen from theta = pi; None takes it from
      g and c. `associative` does not use it.
    algorithm: one of the above.
    reverse: run from the last token to the first.
    chunk: tokens in one chunk of `fused`; None takes clip(2048 / B, 16, 512).

  Returns:
    y_BxLxD: [B, L, D] in the dtype of u.

  Raises:
    ValueError: the algorithm is unknown.
  """
  if algorithm not in _ALGORITHMS:
    raise ValueError(
      f'unknown scan algorithm {algorithm!r}: expected one of {sorted(_ALGORITHMS)}; '
      'set `algorithm` to one of them'
    )
  dtype = jnp.promote_types(u_BxLxD.dtype, jnp.float32)
  if e_P is None:
    e_P = (4 - c_P) - 2 * g_P  # 4 - c is exact for c in [2, 8]
  arrays = (a.astype(dtype) for a in (g_P, c_P, e_P, b_QxD, c_out_DxQ, d_D, u_BxLxD))
  return _ALGORITHMS[algorithm](*arrays, reverse, chunk).astype(u_BxLxD.dtype)


def _auto(*args):
  return (_fused if jax.default_backend() == 'cpu' else _associative)(*args)


def _flip(g_P, c_P, e_P):
  """(s, g, k) of the module's second form, for the real and the imaginary channels [2P]."""
  beyond_P = c_P > e_P
  s_P = jnp.where(beyond_P, -1, 1).astype(c_P.dtype)
  return tuple(jnp.tile(a_P, 2) for a_P in (s_P, g_P, jnp.where(beyond_P, e_P, c_P)))


def _filter_step(s_Q, g_Q, k_Q):
  """The recurrence as a `lax.scan` body that emits x_n."""

  def step(state, w_BxQ):
    zeta, x = state
    zeta = s_Q * (zeta - (g_Q * zeta + k_Q * x)) + w_BxQ
    x = s_Q * x + zeta
    return (zeta, x), x

  return step


def _rest(u_BxLxD, b_QxD):
  zero = jnp.zeros((u_BxLxD.shape[0], b_QxD.shape[0]), u_BxLxD.dtype)
  return zero, zero


def _sequential(g_P, c_P, e_P, b_QxD, c_out_DxQ, d_D, u_BxLxD, reverse, chunk):
  del chunk
  w_LxBxQ = jnp.einsum('bld,qd->lbq', u_BxLxD, b_QxD)
  step = _filter_step(*_flip(g_P, c_P, e_P))
  _, x_LxBxQ = lax.scan(step, _rest(u_BxLxD, b_QxD), w_LxBxQ, reverse=reverse)
  return jnp.einsum('lbq,dq->bld', x_LxBxQ, c_out_DxQ) + d_D * u_BxLxD


def _compose(first, second):
  """The affine maps s -> M s + f, one after the other: M [.., 4P] as rows of a 2x2, f [.., 2P]."""
  m11, m12, m21, m22 = jnp.split(first[0], 4, axis=-1)
  n11, n12, n21, n22 = jnp.split(second[0], 4, axis=-1)
  f1, f2 = jnp.split(first[1], 2, axis=-1)
  m = (n11 * m11 + n12 * m21, n11 * m12 + n12 * m22, n21 * m11 + n22 * m21, n21 * m12 + n22 * m22)
  f = jnp.concatenate((n11 * f1 + n12 * f2, n21 * f1 + n22 * f2), axis=-1)
  return jnp.concatenate(m, axis=-1), f + second[1]


def _associative(g_P, c_P, e_P, b_QxD, c_out_DxQ, d_D, u_BxLxD, reverse, chunk):
  """The published algorithm (arXiv 2410.03943, section 3): real M, complex f, whole sequence."""
  del e_P, chunk
  length, oscillators = u_BxLxD.shape[1], g_P.shape[0]
  b_PxD = lax.complex(*jnp.split(b_QxD, 2, axis=0))
  c_re_DxP, minus_c_im_DxP = jnp.split(c_out_DxQ, 2, axis=1)
  c_DxP = lax.complex(c_re_DxP, -minus_c_im_DxP)
  m_LxR = jnp.tile(jnp.concatenate((1 - g_P, -c_P, 1 - g_P, 1 - c_P)), (length, 1))

  def one_example(u_LxD):
    bu_LxP = jax.vmap(lambda u_D: b_PxD @ u_D)(u_LxD)
    f_LxQ = jnp.concatenate((bu_LxP, bu_LxP), axis=-1)
    _, states_LxQ = lax.associative_scan(_compose, (m_LxR, f_LxQ), reverse=reverse)
    return jax.vmap(lambda x_P: (c_DxP @ x_P).real)(states_LxQ[:, oscillators:])

  return jax.vmap(one_example)(u_BxLxD) + d_D * u_BxLxD


def _fused(g_P, c_P, e_P, b_QxD, c_out_DxQ, d_D, u_BxLxD, reverse, chunk):
  batch, length, _ = u_BxLxD.shape
  default = min(max(_CHUNK_ROWS // batch, _CHUNK_MIN), _CHUNK_MAX)
  chunks = -(-length // (default if chunk is None else chunk))
  tokens = -(-length // chunks)  # equal chunks: at most `chunks - 1` tokens of padding
  # Zero tokens after the end change nothing: run forward they come last, run in reverse they come
  # first and leave the oscillators at rest.
  padded = jnp.pad(u_BxLxD, ((0, 0), (0, chunks * tokens - length), (0, 0)))
  dynamics = _flip(g_P, c_P, e_P)
  return _chunked(tokens, reverse, dynamics, b_QxD, c_out_DxQ, d_D, padded)[:, :length]


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _chunked(tokens, reverse, dynamics, b_QxD, c_out_DxQ, d_D, u_BxLxD):
  return _chunked_forward(tokens, reverse, dynamics, b_QxD, c_out_DxQ, d_D, u_BxLxD)[0]


def _cut(a_BxLxD, i, tokens):
  """Chunk i as rows [tokens * B, D], time first."""
  part_BxTxD = lax.dynamic_slice_in_dim(a_BxLxD, i * tokens, tokens, axis=1)
  return jnp.swapaxes(part_BxTxD, 0, 1).reshape(-1, a_BxLxD.shape[2])


def _paste(a_BxLxD, rows_RxD, i, tokens):
  part_TxBxD = rows_RxD.reshape(tokens, -1, a_BxLxD.shape[2])
  return lax.dynamic_update_slice_in_dim(a_BxLxD, jnp.swapaxes(part_TxBxD, 0, 1), i * tokens, 1)


def _chunked_forward(tokens, reverse, dynamics, b_QxD, c_out_DxQ, d_D, u_BxLxD):
  batch, length, _ = u_BxLxD.shape
  step = _filter_step(*dynamics)

  def one_chunk(carry, i):
    state, y_BxLxD = carry
    u_RxD = _cut(u_BxLxD, i, tokens)
    w_TxBxQ = (u_RxD @ b_QxD.T).reshape(tokens, batch, -1)
    end, x_TxBxQ = lax.scan(step, state, w_TxBxQ, reverse=reverse)
    y_RxD = x_TxBxQ.reshape(tokens * batch, -1) @ c_out_DxQ.T + d_D * u_RxD
    return (end, _paste(y_BxLxD, y_RxD, i, tokens)), state

  start = (_rest(u_BxLxD, b_QxD), jnp.zeros_like(u_BxLxD))
  order = jnp.arange(length // tokens)
  (_, y_BxLxD), states = lax.scan(one_chunk, start, order, reverse=reverse)
  return y_BxLxD, (dynamics, b_QxD, c_out_DxQ, d_D, u_BxLxD, states)


def _chunked_backward(tokens, reverse, residuals, dy_BxLxD):
  dynamics, b_QxD, c_out_DxQ, d_D, u_BxLxD, states = residuals
  batch, length, _ = u_BxLxD.shape
  step = _filter_step(*dynamics)

  def states_step(state, w_BxQ):
    state, _ = step(state, w_BxQ)
    return state, state

  def adjoint_step(carry, per_token):
    adjoint, mu_zeta_BxQ, mu_x_BxQ = carry
    dx_BxQ, zeta_BxQ, x_BxQ = per_token
    _, mu_BxQ = adjoint  # of token n + 1, which meets the states of token n
    sums = (mu_zeta_BxQ + mu_BxQ * zeta_BxQ, mu_x_BxQ + mu_BxQ * x_BxQ)
    adjoint, mu_BxQ = step(adjoint, dx_BxQ)
    return (adjoint, *sums), mu_BxQ

  def one_chunk(carry, chunk):
    adjoint, db_QxD, dc_out_DxQ, dd_D, du_BxLxD = carry
    i, state = chunk
    u_RxD, dy_RxD = _cut(u_BxLxD, i, tokens), _cut(dy_BxLxD, i, tokens)
    w_TxBxQ = (u_RxD @ b_QxD.T).reshape(tokens, batch, -1)
    dx_TxBxQ = (dy_RxD @ c_out_DxQ).reshape(tokens, batch, -1)
    _, (zeta_TxBxQ, x_TxBxQ) = lax.scan(states_step, state, w_TxBxQ, reverse=reverse)
    per_token = (dx_TxBxQ, zeta_TxBxQ, x_TxBxQ)
    adjoint, mu_TxBxQ = lax.scan(adjoint_step, adjoint, per_token, reverse=not reverse)
    mu_RxQ, x_RxQ = (a.reshape(tokens * batch, -1) for a in (mu_TxBxQ, x_TxBxQ))
    du_BxLxD = _paste(du_BxLxD, mu_RxQ @ b_QxD + d_D * dy_RxD, i, tokens)
    dd_D = dd_D + jnp.sum(u_RxD * dy_RxD, axis=0)
    return (adjoint, db_QxD + mu_RxQ.T @ u_RxD, dc_out_DxQ + dy_RxD.T @ x_RxQ, dd_D, du_BxLxD), None

  zeros = jax.tree.map(jnp.zeros_like, (b_QxD, c_out_DxQ, d_D, u_BxLxD))
  rest = _rest(u_BxLxD, b_QxD)
  start = ((rest, *rest), *zeros)
  chunks = (jnp.arange(length // tokens), states)
  (adjoint, *gradients), _ = lax.scan(one_chunk, start, chunks, reverse=not reverse)
  _, mu_zeta_BxQ, mu_x_BxQ = adjoint
  s_Q, *_ = dynamics
  ds_dg_dk = (jnp.zeros_like(s_Q), -s_Q * mu_zeta_BxQ.sum(0), -s_Q * mu_x_BxQ.sum(0))
  return (ds_dg_dk, *gradients)


_chunked.defvjp(_chunked_forward, _chunked_backward)

_ALGORITHMS = {
  'auto': _auto,
  'sequential': _sequential,
  'associative': _associative,
  'fused': _fused,
}
