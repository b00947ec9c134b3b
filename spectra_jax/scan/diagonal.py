"""Diagonal complex recurrences, as of S5: no parameters, no flax.

P complex states driven by the tokens through b and read out through c_out,

  x_n = poles x_{n-1} + b u_n,     y_n = Re(c_out x_n) + d u_n.

With poles = a + i w this is, on real and imaginary parts (r, s),

  r_n = a r_{n-1} - w s_{n-1} + Re(b) u_n,     s_n = w r_{n-1} + a s_{n-1} + Im(b) u_n,

whose adjoint is the transposed rotation run the other way: with (mu, nu) the cotangents of
(r_n, s_n) by all paths, dL/d(b u) = (mu, nu), dL/da = sum mu_n r_{n-1} + nu_n s_{n-1} and
dL/dw = sum nu_n r_{n-1} - mu_n s_{n-1}.

A float32 pole is off by up to 6e-8, which moves the decay of a state by 6e-8 / (1 - |pole|) of
itself; `spectra_jax.scan.oscillator` has a form that keeps slower states than that allows.
"""

import functools

import jax
import jax.numpy as jnp
from jax import lax

from spectra_jax.scan.chunks import check, cut, paste, plan


def advance_diagonal(
  state: jax.Array | None,
  poles_P: jax.Array,
  b_PxD: jax.Array,
  c_out_DxP: jax.Array,
  d_D: jax.Array,
  u_BxLxD: jax.Array,
  *,
  algorithm: str = 'auto',
  reverse: bool = False,
  chunk: int | None = None,
) -> tuple[jax.Array, jax.Array]:
  """P diagonal states driven by the next L tokens: y_n = Re(c_out x_n) + d u_n.

  All algorithms compute the same:

    sequential   one complex `lax.scan` over L; the reference.
    associative  the published scan of S5 (Smith, Warrington & Linderman 2022, arXiv 2208.04933,
      section 3.3 and appendix H) over complex elements (pole, b u), one example at a time, vmapped.
    fused        chunks of L in real arithmetic, each b-matmul -> recurrence -> c_out-matmul; the
      gradient recomputes the states of a chunk, so memory is O(B D L) and not O(B P L).
    auto         fused where the default backend is the CPU, associative elsewhere.

  All can be differentiated in reverse mode as often as needed, also by the states; `fused` has no
  forward mode, on which `jax.jvp` raises a TypeError.

  Args:
    state: x_BxP, complex, after the token before these, from an earlier call; None is at rest.
    poles_P: [P] complex, per token, dimensionless.
    b_PxD: [P, D] complex input matrix of the discretised system.
    c_out_DxP: [D, P] complex output matrix; a system that keeps one of each conjugate pair has its
      factor of 2 in here.
    d_D: [D] real feed-through.
    u_BxLxD: [B, L, D] real input. States and sums are complex64 where it is narrower than float64.
    algorithm: one of the above.
    reverse: run from the last token to the first.
    chunk: tokens in one chunk of `fused`; None takes clip(2048 / B, 16, 512).

  Returns:
    the state after the last token (the first if `reverse`), and y_BxLxD in the dtype of u.

  Raises:
    ValueError: the algorithm is unknown, `chunk` is no positive integer, or L is 0.
  """
  check(algorithm, _ALGORITHMS, u_BxLxD.shape[1], chunk)
  real = jnp.promote_types(u_BxLxD.dtype, jnp.float32)
  complex_ = jnp.promote_types(real, jnp.complex64)
  state = None if state is None else state.astype(complex_)
  arrays = (a.astype(complex_) for a in (poles_P, b_PxD, c_out_DxP))
  arrays = (*arrays, d_D.astype(real), u_BxLxD.astype(real))
  state, y_BxLxD = _ALGORITHMS[algorithm](state, *arrays, reverse, chunk)
  return state, y_BxLxD.astype(u_BxLxD.dtype)


def _auto(*args):
  return (_fused if jax.default_backend() == 'cpu' else _associative)(*args)


def _rest(batch, poles_P):
  return jnp.zeros((batch, poles_P.shape[0]), poles_P.dtype)


def _sequential(state, poles_P, b_PxD, c_out_DxP, d_D, u_BxLxD, reverse, chunk):
  del chunk
  state = _rest(u_BxLxD.shape[0], poles_P) if state is None else state

  def step(x_BxP, u_BxD):
    x_BxP = poles_P * x_BxP + u_BxD @ b_PxD.T
    return x_BxP, (x_BxP @ c_out_DxP.T).real + d_D * u_BxD

  state, y_LxBxD = lax.scan(step, state, jnp.swapaxes(u_BxLxD, 0, 1), reverse=reverse)
  return state, jnp.swapaxes(y_LxBxD, 0, 1)


def _compose(first, second):
  """The affine maps x -> a x + f, one after the other."""
  return second[0] * first[0], second[0] * first[1] + second[1]


def _associative(state, poles_P, b_PxD, c_out_DxP, d_D, u_BxLxD, reverse, chunk):
  del chunk
  first, last = (-1, 0) if reverse else (0, -1)
  poles_LxP = poles_P * jnp.ones((u_BxLxD.shape[1], poles_P.shape[0]), poles_P.dtype)

  def one_example(start_P, u_LxD):
    bu_LxP = jax.vmap(lambda u_D: b_PxD @ u_D)(u_LxD)
    if start_P is not None:
      bu_LxP = bu_LxP.at[first].add(poles_P * start_P)
    _, x_LxP = lax.associative_scan(_compose, (poles_LxP, bu_LxP), reverse=reverse)
    return x_LxP[last], jax.vmap(lambda x_P: (c_out_DxP @ x_P).real)(x_LxP)

  state, y_BxLxD = jax.vmap(one_example)(state, u_BxLxD)
  return state, y_BxLxD + d_D * u_BxLxD


def _fused(state, poles_P, b_PxD, c_out_DxP, d_D, u_BxLxD, reverse, chunk):
  """Equal chunks, then what is left over."""
  batch, length, _ = u_BxLxD.shape
  b_QxD = jnp.concatenate((b_PxD.real, b_PxD.imag), axis=0)
  c_out_DxQ = jnp.concatenate((c_out_DxP.real, -c_out_DxP.imag), axis=1)
  weights, outputs = ((poles_P.real, poles_P.imag), b_QxD, c_out_DxQ, d_D), []
  state = _rest(batch, poles_P) if state is None else state
  state = (state.real, state.imag)
  parts = plan(length, batch, chunk)
  for tokens, part in reversed(parts) if reverse else parts:
    state, y_BxLxD = _chunked(tokens, reverse, state, *weights, u_BxLxD[:, part])
    outputs.append(y_BxLxD)
  return lax.complex(*state), jnp.concatenate(outputs[::-1] if reverse else outputs, axis=1)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _chunked(tokens, reverse, state, poles, b_QxD, c_out_DxQ, d_D, u_BxLxD):
  return _chunked_forward(tokens, reverse, state, poles, b_QxD, c_out_DxQ, d_D, u_BxLxD)[0]


def _recur(poles, state, rows_RxQ, reverse):
  """States driven by rows [R = T * B, Q]: (re, im) after the last, and both at each [T, B, P]."""
  a_P, w_P = poles
  drive = _halves(rows_RxQ, state[0].shape[0])

  def step(state, drive):
    (r, s), (drive_r, drive_s) = state, drive
    after = (a_P * r - w_P * s + drive_r, w_P * r + a_P * s + drive_s)
    return after, after

  return lax.scan(step, state, drive, reverse=reverse)


def _halves(rows_RxQ, batch):
  """Real and imaginary part, each [T, B, P]."""
  rows = rows_RxQ.reshape(-1, batch, rows_RxQ.shape[1])
  return tuple(jnp.split(rows, 2, axis=-1))


def _rows(re_TxBxP, im_TxBxP):
  both = jnp.concatenate((re_TxBxP, im_TxBxP), axis=-1)
  return both.reshape(-1, both.shape[-1])


def _chunked_forward(tokens, reverse, state, poles, b_QxD, c_out_DxQ, d_D, u_BxLxD):
  def one_chunk(carry, i):
    state, y_BxLxD = carry
    u_RxD = cut(u_BxLxD, i, tokens)
    end, x = _recur(poles, state, u_RxD @ b_QxD.T, reverse)
    y_RxD = _rows(*x) @ c_out_DxQ.T + d_D * u_RxD
    return (end, paste(y_BxLxD, y_RxD, i, tokens)), state

  order = jnp.arange(u_BxLxD.shape[1] // tokens)
  outputs, starts = lax.scan(one_chunk, (state, jnp.zeros_like(u_BxLxD)), order, reverse=reverse)
  return outputs, (poles, b_QxD, c_out_DxQ, d_D, u_BxLxD, starts)


def _adjoint(poles, to_state, rows_RxQ, reverse):
  """Cotangents (mu, nu) of each state from those of the outputs; `reverse` is the forward's."""
  a_P, w_P = poles

  def step(to_state, from_output):
    mu, nu = (a + b for a, b in zip(to_state, from_output, strict=True))
    return (a_P * mu + w_P * nu, a_P * nu - w_P * mu), (mu, nu)

  return lax.scan(step, to_state, _halves(rows_RxQ, to_state[0].shape[0]), reverse=not reverse)


def _before(start, x_TxBxP, reverse):
  """The states one token earlier in the order of the recurrence."""
  if reverse:
    return jnp.concatenate((x_TxBxP[1:], start[None]))
  return jnp.concatenate((start[None], x_TxBxP[:-1]))


def _chunked_backward(tokens, reverse, residuals, cotangents):
  poles, b_QxD, c_out_DxQ, d_D, u_BxLxD, starts = residuals
  to_state, dy_BxLxD = cotangents

  def one_chunk(carry, chunk):
    to_state, (da_P, dw_P), db_QxD, dc_out_DxQ, dd_D, dy_du_BxLxD = carry
    i, start = chunk
    u_RxD, dy_RxD = cut(u_BxLxD, i, tokens), cut(dy_du_BxLxD, i, tokens)
    _, x = _recur(poles, start, u_RxD @ b_QxD.T, reverse)
    to_state, (mu, nu) = _adjoint(poles, to_state, dy_RxD @ c_out_DxQ, reverse)
    r, s = (_before(*pair, reverse) for pair in zip(start, x, strict=True))
    dpoles = (da_P + (mu * r + nu * s).sum((0, 1)), dw_P + (nu * r - mu * s).sum((0, 1)))
    mu_RxQ = _rows(mu, nu)
    db_QxD, dc_out_DxQ = db_QxD + mu_RxQ.T @ u_RxD, dc_out_DxQ + dy_RxD.T @ _rows(*x)
    dd_D = dd_D + jnp.sum(u_RxD * dy_RxD, axis=0)
    # du takes the place of dy, which is not needed again.
    dy_du_BxLxD = paste(dy_du_BxLxD, mu_RxQ @ b_QxD + d_D * dy_RxD, i, tokens)
    return (to_state, dpoles, db_QxD, dc_out_DxQ, dd_D, dy_du_BxLxD), None

  zeros = jax.tree.map(jnp.zeros_like, (poles, b_QxD, c_out_DxQ, d_D))
  order = (jnp.arange(u_BxLxD.shape[1] // tokens), starts)
  start = (to_state, *zeros, dy_BxLxD)
  return lax.scan(one_chunk, start, order, reverse=not reverse)[0]


_chunked.defvjp(_chunked_forward, _chunked_backward)

_ALGORITHMS = {
  'auto': _auto,
  'sequential': _sequential,
  'associative': _associative,
  'fused': _fused,
}
