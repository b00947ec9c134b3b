"""The published LinOSS scan: `lax.associative_scan` over affine maps with 2x2 matrices."""

import jax
import jax.numpy as jnp
from jax import lax


def _compose(first, second):
  """The affine maps s -> M s + f, one after the other: M [.., 4P] as rows of a 2x2, f [.., 2P]."""
  m11, m12, m21, m22 = jnp.split(first[0], 4, axis=-1)
  n11, n12, n21, n22 = jnp.split(second[0], 4, axis=-1)
  f1, f2 = jnp.split(first[1], 2, axis=-1)
  m = (n11 * m11 + n12 * m21, n11 * m12 + n12 * m22, n21 * m11 + n22 * m21, n21 * m12 + n22 * m22)
  f = jnp.concatenate((n11 * f1 + n12 * f2, n21 * f1 + n22 * f2), axis=-1)
  return jnp.concatenate(m, axis=-1), f + second[1]


def associative(state, g_P, c_P, e_P, b_QxD, c_out_DxQ, d_D, u_BxLxD, reverse, chunk):
  """The published algorithm (arXiv 2410.03943, section 3): real M, complex f, whole sequence."""
  del chunk
  length, oscillators = u_BxLxD.shape[1], g_P.shape[0]
  first, last = (-1, 0) if reverse else (0, -1)
  b_PxD = lax.complex(*jnp.split(b_QxD, 2, axis=0))
  c_re_DxP, minus_c_im_DxP = jnp.split(c_out_DxQ, 2, axis=1)
  c_DxP = lax.complex(c_re_DxP, -minus_c_im_DxP)
  m_R = jnp.concatenate((1 - g_P, -c_P, 1 - g_P, 1 - c_P))
  m_LxR = jnp.tile(m_R, (length, 1))

  def one_example(u_LxD, start_Q):
    bu_LxP = jax.vmap(lambda u_D: b_PxD @ u_D)(u_LxD)
    f_LxQ = jnp.concatenate((bu_LxP, bu_LxP), axis=-1)
    if start_Q is not None:
      f_LxQ = f_LxQ.at[first].set(_compose((m_R, start_Q), (m_R, f_LxQ[first]))[1])
    _, states_LxQ = lax.associative_scan(_compose, (m_LxR, f_LxQ), reverse=reverse)
    y_LxD = jax.vmap(lambda x_P: (c_DxP @ x_P).real)(states_LxQ[:, oscillators:])
    return states_LxQ[last], y_LxD

  start_BxQ = None if state is None else _unflip(state, c_P > e_P)
  end_BxQ, y_BxLxD = jax.vmap(one_example)(u_BxLxD, start_BxQ)
  return _flip(end_BxQ, c_P > e_P), y_BxLxD + d_D * u_BxLxD


def _unflip(state, beyond_P):
  """(zeta, x) of the filter, real over imaginary parts, as complex [zeta, x] with s = 1 [B, 2P]."""
  zeta_BxP, x_BxP = (lax.complex(*jnp.split(a_BxQ, 2, axis=-1)) for a_BxQ in state)
  zeta_BxP = jnp.where(beyond_P, 2 * x_BxP - zeta_BxP, zeta_BxP)  # x_n -+ s x_{n-1}
  return jnp.concatenate((zeta_BxP, x_BxP), axis=-1)


def _flip(end_BxQ, beyond_P):
  zeta_BxP, x_BxP = jnp.split(end_BxQ, 2, axis=-1)
  zeta_BxP = jnp.where(beyond_P, 2 * x_BxP - zeta_BxP, zeta_BxP)
  return tuple(jnp.concatenate((a.real, a.imag), axis=-1) for a in (zeta_BxP, x_BxP))
