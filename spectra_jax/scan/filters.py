"""The real filter that every LinOSS scheme is, and its step; see `spectra_jax.scan.oscillator`."""

import jax.numpy as jnp


def flip(g_P, c_P, e_P):
  """(s, g, k) of the filter's second form for real and imaginary channels, each [2P]."""
  beyond_P = c_P > e_P
  s_P = jnp.where(beyond_P, -1, 1).astype(c_P.dtype)
  return tuple(jnp.tile(a_P, 2) for a_P in (s_P, g_P, jnp.where(beyond_P, e_P, c_P)))


def filter_step(s_Q, g_Q, k_Q):
  """The recurrence as a `lax.scan` body on (zeta, x) that emits x_n."""

  def step(state, w_BxQ):
    zeta, x = state
    zeta = s_Q * (zeta - (g_Q * zeta + k_Q * x)) + w_BxQ
    x = s_Q * x + zeta
    return (zeta, x), x

  return step


def rest(batch, channels, dtype):
  """(zeta, x) before the first token, two arrays [B, Q]."""
  return (jnp.zeros((batch, channels), dtype),) * 2
