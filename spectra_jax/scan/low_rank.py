"""State spaces of single channels with a diagonal plus low-rank A: x' = A x + B u, y = C x.

A `ChannelSystem` of `spectra_jax.scan.convolution`: no parameters, no flax. A = Lambda - p p* with
the bilinear rule (Gu, Goel & Re 2021, arXiv 2111.00396). All of it comes in conjugate pairs, of
which one half is stored: complex [D, P], P = N/2. As real numbers, real over imaginary parts, a
state is packed, and the map from one token to the next a real matrix.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

_PRODUCTS = 16  # the most with one power and a vector, see `power_change`
_exactly = functools.partial(jnp.einsum, precision=lax.Precision.HIGHEST)  # no TF32, no bfloat16


def _pair(a_P, b_P):
  """a* b over both halves of the pairs, 2 Re(sum_P conj(a) b): real."""
  return 2 * jnp.sum(a_P.real * b_P.real + a_P.imag * b_P.imag, axis=-1)


def pack(x_P):
  """Half of the pairs as real numbers: complex [.., P] -> real [.., N], an isometry up to 2^1/2."""
  return jnp.concatenate((x_P.real, x_P.imag), axis=-1)


def unpack(x_N):
  return lax.complex(*jnp.split(x_N, 2, axis=-1))


def power_change(e_DxNxN: jax.Array, x_BxDxN: jax.Array, power: int) -> jax.Array:
  """((1 + E)^power - 1) x, [B, D, N]; `power` a positive integer.

  Squares, (1 + E)^2 - 1 = 2E + E^2, which keeps the digits of slow modes, and leaves the last few
  doublings, each N times the work of E x, to products with the vector.
  """
  apply = lambda change: change + _exactly('dnm,bdm->bdn', e_DxNxN, x_BxDxN + change)
  change_BxDxN = jnp.zeros_like(x_BxDxN)
  while power > _PRODUCTS:
    change_BxDxN = apply(change_BxDxN) if power % 2 else change_BxDxN
    e_DxNxN = 2 * e_DxNxN + _exactly('dnm,dmk->dnk', e_DxNxN, e_DxNxN)
    power //= 2
  return lax.fori_loop(0, power, lambda _, change: apply(change), change_BxDxN)


class Resolvent(NamedTuple):
  """(1 - z Abar)^-1 (1 - H)^-1 at z = exp(-2i half) of F angles, for a `LowRank` system.

  With c, s = cos, sin(half), (1 - H) (1 - z Abar) = 2 exp(-i half) (i s - c H), and i s - c H =
  diag(i s - c h) + c q q* is inverted by Woodbury from sums of v / (i s - c h), the Cauchy kernel.
  This form, unlike the published one, never divides by 1 + z; c and s are rounded from float64.

  turn_F: exp(i half)/2; c_F; near_DxPxF and far_DxPxF: 1/(i s - c h) for h and its conjugate.
  """

  turn_F: jax.Array
  c_F: jax.Array
  near_DxPxF: jax.Array
  far_DxPxF: jax.Array

  @classmethod
  def at(cls, half_F: np.ndarray, h_DxP: jax.Array) -> 'Resolvent':
    """Half angles on the host, [0, pi) rad."""
    c_F, s_F = (jnp.asarray(a, h_DxP.real.dtype) for a in (np.cos(half_F), np.sin(half_F)))
    inverse = lambda h: 1 / lax.complex(*jnp.broadcast_arrays(-c_F * h.real, s_F - c_F * h.imag))
    h_DxPx1 = h_DxP[..., None]
    return cls(lax.complex(c_F, s_F) / 2, c_F, inverse(h_DxPx1), inverse(jnp.conj(h_DxPx1)))

  def sum(self, v_BxDxP: jax.Array) -> jax.Array:
    """Sum of v / (i s - c h) over both halves of the pairs, [B, D, F]."""
    near = _exactly('...dp,dpf->...df', v_BxDxP, self.near_DxPxF)
    return near + _exactly('...dp,dpf->...df', jnp.conj(v_BxDxP), self.far_DxPxF)

  def share(self, q_DxP: jax.Array, right_BxDxP: jax.Array) -> jax.Array:
    """Woodbury's factor of the low-rank part, c (q* R right) / (1 + c q* R q)."""
    q_right, q_q = self.sum(jnp.conj(q_DxP) * right_BxDxP), self.sum(jnp.conj(q_DxP) * q_DxP)
    return self.c_F * q_right / (1 + self.c_F * q_q)


class LowRank(NamedTuple):
  """The bilinear rule on A = Lambda - p p*: a `ChannelSystem` with complex states [B, D, P].

  With H = dt A/2 = diag(h) - q q*, x_n = (1 - H)^-1 ((1 + H) x_{n-1} + b u_n), y = 2 Re(sum_P c x),
  where h = dt Lambda/2, q = (dt/2)^1/2 p, b = dt B; complex [D, P].
  """

  h_DxP: jax.Array
  q_DxP: jax.Array
  b_DxP: jax.Array
  c_DxP: jax.Array

  def rest(self, batch: int) -> jax.Array:
    return jnp.zeros((batch, *self.b_DxP.shape), self.b_DxP.dtype)

  def step(self, x_BxDxP: jax.Array, u_BxD: jax.Array) -> tuple[jax.Array, jax.Array]:
    """O(N) a token: x + (1 - H)^-1 (2 H x + b u), with no dense matrix."""
    x_BxDxP = x_BxDxP + self.solve(self._twice_h(x_BxDxP) + self.b_DxP * u_BxD[..., None])
    return x_BxDxP, _pair(jnp.conj(self.c_DxP), x_BxDxP)

  def _twice_h(self, x_P):
    return 2 * (self.h_DxP * x_P - self.q_DxP * _pair(self.q_DxP, x_P)[..., None])

  def solve(self, v_P):
    """(1 - H)^-1 v by Woodbury: 1 - H = diag(1 - h) + q q*."""
    r_DxP = 1 / (1 - self.h_DxP)
    share = _pair(self.q_DxP, r_DxP * v_P) / (1 + _pair(self.q_DxP, r_DxP * self.q_DxP))
    return r_DxP * (v_P - self.q_DxP * share[..., None])

  def change(self) -> jax.Array:
    """E = Abar - 1 on packed states, dense, [D, N, N]."""
    width, pairs = self.h_DxP.shape
    basis_NxDxP = jnp.broadcast_to(
      unpack(jnp.eye(2 * pairs, dtype=self.h_DxP.real.dtype))[:, None], (2 * pairs, width, pairs)
    )
    return jnp.moveaxis(pack(self.solve(self._twice_h(basis_NxDxP))), 0, -1)

  def kernel(self, tokens: int) -> jax.Array:
    """k_n = C Abar^n Bbar for n < T."""
    return self._outputs(self.b_DxP[None], tokens)[0].T

  def free(self, x_BxDxP: jax.Array, tokens: int) -> jax.Array:
    """C Abar^n (Abar x) for n < T."""
    return self._outputs(x_BxDxP + self._twice_h(x_BxDxP) / 2, tokens)

  def _outputs(self, right_BxDxP, tokens):
    """C Abar^n (1 - H)^-1 right for n < T, [B, T, D], from its spectrum at the T-th roots of unity.

    sum_{n<T} z^n C Abar^n = C (1 - Abar^T) (1 - z Abar)^-1 where z^T = 1.
    """
    row_1xDxN = 2 * pack(jnp.conj(self.c_DxP))[None]  # C as real numbers on packed states
    left_1xDxN = -power_change(jnp.swapaxes(self.change(), 1, 2), row_1xDxN, tokens)
    left_DxP = jnp.conj(unpack(left_1xDxN[0])) / 2
    resolvent = Resolvent.at(np.pi * np.arange(tokens // 2 + 1) / tokens, self.h_DxP)
    low_BxDxF = resolvent.sum(left_DxP * self.q_DxP) * resolvent.share(self.q_DxP, right_BxDxP)
    spectrum_BxDxF = resolvent.turn_F * (resolvent.sum(left_DxP * right_BxDxP) - low_BxDxF)
    return jnp.swapaxes(jnp.fft.irfft(spectrum_BxDxF, tokens), 1, 2)

  def after(self, x_BxDxP: jax.Array, u_BxTxD: jax.Array) -> jax.Array:
    """Abar^T x + sum_n Abar^n Bbar u_{T-1-n}.

    The sum over n is one over the T-th roots of unity (Parseval), (1 - Abar^T) w with w the state
    that an input repeated for ever leads to.
    """
    tokens = u_BxTxD.shape[1]
    resolvent = Resolvent.at(np.pi * np.arange(tokens) / tokens, self.h_DxP)
    u_BxDxF = jnp.conj(jnp.fft.fft(jnp.swapaxes(u_BxTxD[:, ::-1], 1, 2))) / tokens
    u_BxDxF = resolvent.turn_F * u_BxDxF
    over = lambda u: _exactly('bdf,dpf->bdp', u, resolvent.near_DxPxF)
    w_BxDxP = self.b_DxP * over(u_BxDxF)
    w_BxDxP -= self.q_DxP * over(resolvent.share(self.q_DxP, self.b_DxP) * u_BxDxF)
    return x_BxDxP + unpack(power_change(self.change(), pack(x_BxDxP - w_BxDxP), tokens))

  def response(self, angles_W: np.ndarray) -> jax.Array:
    """C (1 - z Abar)^-1 Bbar at z = exp(-i angle), complex [D, W]; host angles [rad per token]."""
    resolvent = Resolvent.at(np.remainder(angles_W, 2 * np.pi) / 2, self.h_DxP)
    low_DxW = resolvent.sum(self.c_DxP * self.q_DxP) * resolvent.share(self.q_DxP, self.b_DxP)
    return resolvent.turn_F * (resolvent.sum(self.c_DxP * self.b_DxP) - low_DxW)
