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
x_{n-1}. All but `associative` run this form, and a state is its (zeta, x).
"""

import jax
import jax.numpy as jnp
from jax import lax

from spectra_jax.scan.associative import associative
from spectra_jax.scan.chunks import check
from spectra_jax.scan.doubling import chunked
from spectra_jax.scan.fft import fft
from spectra_jax.scan.filters import filter_step, flip, rest
from spectra_jax.scan.fused import fused
from spectra_jax.scan.pallas import pallas

State = tuple[jax.Array, jax.Array]


def oscillator_ssm(*arrays: jax.Array, **options) -> jax.Array:
  """y_BxLxD of a whole sequence from rest; the arguments of `advance_oscillators` after `state`."""
  return advance_oscillators(None, *arrays, **options)[1]


def advance_oscillators(
  state: State | None,
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
) -> tuple[State, jax.Array]:
  """P oscillators driven by the next L tokens: y_n = c_out x_n + d u_n with x from the filter.

  The filter (see the module) goes on from `state`, driven by w_n = b u_n. All algorithms compute
  the same y:

    sequential   one `lax.scan` over L; the reference.
    associative  the published parallel scan over 2x2 elements, O(log L) deep, complex inputs.
    fused        chunks of L, each b-matmul -> filter -> c_out-matmul; the gradient recomputes the
                 states of a chunk, so memory is O(B D L) and not O(B P L).
    chunked      chunks of L side by side, each a batched matmul with the impulse response; for
                 accelerators.
    fft          one convolution of the whole sequence with the impulse response, by real FFTs.
    pallas       a kernel that steps through segments of L, compiled for a GPU, interpreted
                 (slowly) on a CPU.
    auto         the one that `choose` names for the default backend.

  All can be differentiated in reverse mode as often as needed, except `pallas`, once. `fused` and
  `pallas` have no forward mode, on which `jax.jvp` raises a TypeError.

  Args:
    state: (zeta_BxQ, x_BxQ) after the token before these, from an earlier call; None is at rest.
    g_P: [P] damping per step, dimensionless.
    c_P: [P] stiffness per step, dimensionless.
    b_QxD: [Q = 2P, D] input matrix, real parts over imaginary parts, scaled by the scheme's f.
    c_out_DxQ: [D, Q] output matrix [C_re, -C_im].
    d_D: [D] feed-through.
    u_BxLxD: [B, L, D] input. States and sums are float32 where it is narrower.
    e_P: [P] 4 - 2g - c with all its digits, the stiffness seen from theta = pi; None takes it from
      g and c.
    algorithm: one of the above.
    reverse: run from the last token to the first.
    chunk: tokens in one chunk of `fused`, `chunked` or `pallas`, at least 1, any L; None takes
      clip(2048 / B, 16, 512) for `fused` and a power of two near sqrt(L), 16 to 128, for the
      others.

  Returns:
    the state after the last token (the first if `reverse`), and y_BxLxD in the dtype of u.

  Raises:
    ValueError: the algorithm is unknown, the chunk is not a positive integer, or there is no token.
  """
  check(algorithm, _ALGORITHMS, u_BxLxD.shape[1], chunk)
  dtype = jnp.promote_types(u_BxLxD.dtype, jnp.float32)
  if e_P is None:
    e_P = (4 - c_P) - 2 * g_P  # 4 - c is exact for c in [2, 8]
  arrays = (a.astype(dtype) for a in (g_P, c_P, e_P, b_QxD, c_out_DxQ, d_D, u_BxLxD))
  state, y_BxLxD = _ALGORITHMS[algorithm](state, *arrays, reverse, chunk)
  return state, y_BxLxD.astype(u_BxLxD.dtype)


def choose(backend: str, batch: int, length: int, channels: int, dtype: jnp.dtype) -> str:
  """The algorithm of 'auto'. From the first row that fits:

    one token, L = 1              sequential   nothing to do in parallel (streaming)
    float64                       fused        for checks: each step as it is written
    backend 'cpu'                 fused        fastest measured, smallest memory
    any other                     chunked      matmuls, O(log L) steps; not measured on any

  Args:
    backend: of `jax.default_backend`.
    batch, length, channels: B, L and Q = 2P; the rule does not depend on B and Q.
    dtype: that the filter runs in.
  """
  del batch, channels
  if length == 1:
    return 'sequential'
  return 'fused' if backend == 'cpu' or dtype == jnp.float64 else 'chunked'


def _auto(state, *arrays_and_options):
  *_, b_QxD, _, _, u_BxLxD, _, _ = arrays_and_options
  sizes = (*u_BxLxD.shape[:2], b_QxD.shape[0])
  name = choose(jax.default_backend(), *sizes, u_BxLxD.dtype)
  return _ALGORITHMS[name](state, *arrays_and_options)


def _sequential(state, g_P, c_P, e_P, b_QxD, c_out_DxQ, d_D, u_BxLxD, reverse, chunk):
  del chunk
  w_LxBxQ = jnp.einsum('bld,qd->lbq', u_BxLxD, b_QxD)
  state = rest(u_BxLxD.shape[0], b_QxD.shape[0], u_BxLxD.dtype) if state is None else state
  step = filter_step(*flip(g_P, c_P, e_P))
  state, x_LxBxQ = lax.scan(step, state, w_LxBxQ, reverse=reverse)
  return state, jnp.einsum('lbq,dq->bld', x_LxBxQ, c_out_DxQ) + d_D * u_BxLxD


_ALGORITHMS = {
  'auto': _auto,
  'sequential': _sequential,
  'associative': associative,
  'fused': fused,
  'chunked': chunked,
  'fft': fft,
  'pallas': pallas,
}
