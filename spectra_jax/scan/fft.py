"""The filter of `spectra_jax.scan.oscillator` as a convolution with its impulse response."""

import jax.numpy as jnp
from scipy.fft import next_fast_len

from spectra_jax.scan.doubling import (
  deflated_powers,
  drive,
  end_state,
  free_motion,
  generator,
  join,
  read,
  responses,
  split,
)
from spectra_jax.scan.filters import flip, rest


def fft(state, g_P, c_P, e_P, b_QxD, c_out_DxQ, d_D, u_BxLxD, reverse, chunk):
  """x = h * w by real transforms over at least 2 L - 1 points, plus the start state's own motion.

  h_t is the second component of M^t [1, 1], t < L, from deflated powers (`spectra_jax.scan
  .doubling`), so that it has its digits at either end of the angles. The transform spreads a
  rounding of the largest |x| evenly over the sequence: an error is small against the maximum of x
  and not against a quiet stretch of it. Derivatives are those of JAX.
  """
  del chunk
  batch, length, _ = u_BxLxD.shape
  state = split(rest(batch, b_QxD.shape[0], u_BxLxD.dtype) if state is None else state)
  s_P, g_P, k_P = (a_Q[: g_P.size] for a_Q in flip(g_P, c_P, e_P))
  powers = deflated_powers(generator(g_P, k_P), length)
  impulse_VxLxP, free_VxLxP = responses(s_P, powers)
  w_Px2xBxL = drive(b_QxD, u_BxLxD)
  x_Px2xBxL = _convolve(impulse_VxLxP[1].T, w_Px2xBxL, reverse)
  x_Px2xBxL = x_Px2xBxL + free_motion(free_VxLxP, state, reverse)
  end = end_state(s_P, powers, state, w_Px2xBxL, reverse)
  return join(end), read(c_out_DxQ, x_Px2xBxL) + d_D * u_BxLxD


def _convolve(h_PxL, w_Px2xBxL, reverse):
  """sum_j h_{n-j} w_j over j <= n; over j >= n with h_{j-n} if `reverse`."""
  length = h_PxL.shape[1]
  points = next_fast_len(2 * length - 1, real=True)
  h_PxF, w_Px2xBxF = (jnp.fft.rfft(a, points) for a in (h_PxL, w_Px2xBxL))
  h_PxF = jnp.conj(h_PxF) if reverse else h_PxF
  return jnp.fft.irfft(h_PxF[:, None, None] * w_Px2xBxF, points)[..., :length]
