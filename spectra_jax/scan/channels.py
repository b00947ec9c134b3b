"""Diagonal state spaces of single channels: x' = A x + B u, y = 2 Re(C x), one for each channel.

A `ChannelSystem` of `spectra_jax.scan.convolution`: no parameters, no flax. Powers of the poles are
taken from their polar form, a whole sequence of them as products of two short ones.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

_TURN = 4096  # parts of a turn that are counted in integers, see `Poles.powers`
_exactly = functools.partial(jnp.einsum, precision=lax.Precision.HIGHEST)  # no TF32, no bfloat16


def _zoh(z):
  """(log|lambda|, angle less half a turn, whether that was in it) of lambda = exp(z), z = dt A."""
  halves = lax.stop_gradient(jnp.round(z.imag / jnp.pi))
  return z.real, z.imag - jnp.pi * halves, halves % 2 == 1


def _bilinear(z):
  """The same of lambda = (1 + z/2)/(1 - z/2).

  |lambda|^2 = 1 + 4 Re h / |1 - h|^2 with h = z/2, kept off zero, whose logarithm is infinite. An h
  outside the unit circle has a pole beside -1, -lambda(1/h).
  """
  h = z / 2
  beyond = h.real**2 + h.imag**2 > 1
  h = jnp.where(beyond, 1 / h, h)
  re, im = _parts(h)
  excess = 4 * re / ((1 - re) ** 2 + im**2)
  log_radius = jnp.log1p(jnp.maximum(excess, -1 + 1e-6)) / 2
  return log_radius, jnp.arctan2(2 * im, 1 - re**2 - im**2), beyond


DISCRETISATIONS = {'zoh': _zoh, 'bilinear': _bilinear}


class Poles(NamedTuple):
  """lambda = +-exp(log_radius + 2 pi i turns), |turns| <= 1/4, minus where `flipped`; [D, P] each.

  Poles near 1 and near -1 keep their digits in this form and no other.
  """

  log_radius_DxP: jax.Array
  turns_DxP: jax.Array
  flipped_DxP: jax.Array

  def powers(self, stride: int, count: int) -> jax.Array:
    """lambda^(stride i) for i < count, complex [D, P, count].

    The angle of a long power is many turns, of which float32 would leave few digits: 4096ths of a
    turn go around in integers, exactly, and only what is left of `turns` is multiplied in floats.
    """
    n, turns_DxP = stride * jnp.arange(count), self.turns_DxP
    parts_DxP = lax.stop_gradient(jnp.round(turns_DxP * _TURN))
    rest_DxP = turns_DxP - parts_DxP / _TURN
    parts_DxP = parts_DxP.astype(n.dtype) + jnp.where(self.flipped_DxP, _TURN // 2, 0)
    around = (parts_DxP[..., None] * n) & (_TURN - 1)  # 4096 divides the 2^32 at which they wrap
    angle = 2 * jnp.pi * (around.astype(turns_DxP.dtype) / _TURN + rest_DxP[..., None] * n)
    radius = jnp.exp(self.log_radius_DxP[..., None] * n)
    return lax.complex(radius * jnp.cos(angle), radius * jnp.sin(angle))


class Diagonal(NamedTuple):
  """x_n = lambda x_{n-1} + b u_n, y = Re(sum_P c x): a `ChannelSystem` with states [B, D, P].

  lambda x is sign (x + m x) with m = sign lambda - 1, which keeps the digits of slow poles; b_DxP
  and c_DxP (twice C, for the conjugate) complex.
  """

  poles: Poles
  sign_DxP: jax.Array
  m_DxP: jax.Array
  b_DxP: jax.Array
  c_DxP: jax.Array

  def rest(self, batch: int) -> jax.Array:
    return jnp.zeros((batch, *self.b_DxP.shape), self.b_DxP.dtype)

  def step(self, x_BxDxP: jax.Array, u_BxD: jax.Array) -> tuple[jax.Array, jax.Array]:
    x_BxDxP = self._turn(x_BxDxP) + self.b_DxP * u_BxD[..., None]
    return x_BxDxP, jnp.sum((self.c_DxP * x_BxDxP).real, axis=-1)

  def _turn(self, x_BxDxP):
    """lambda x."""
    return self.sign_DxP * (x_BxDxP + self.m_DxP * x_BxDxP)

  def _two_levels(self, tokens):
    """lambda^(J i) and lambda^j with n = J i + j < tokens: 2 sqrt(T) powers and a matmul for T."""
    inner = 1 << (tokens.bit_length() // 2)
    return self.poles.powers(inner, -(-tokens // inner)), self.poles.powers(1, inner)

  def kernel(self, tokens: int) -> jax.Array:
    return self._outputs((self.c_DxP * self.b_DxP)[None], tokens)[0].T

  def free(self, x_BxDxP: jax.Array, tokens: int) -> jax.Array:
    return self._outputs(self.c_DxP * self._turn(x_BxDxP), tokens)

  def _outputs(self, w_BxDxP, tokens):
    """Re(sum_P w lambda^t) for t < tokens, [B, T, D]."""
    outer_DxPxI, inner_DxPxJ = self._two_levels(tokens)
    w_BxDxPxI = w_BxDxP[..., None] * outer_DxPxI
    real = _exactly('bdpi,dpj->bijd', w_BxDxPxI.real, inner_DxPxJ.real)
    y_BxIxJxD = real - _exactly('bdpi,dpj->bijd', w_BxDxPxI.imag, inner_DxPxJ.imag)
    return y_BxIxJxD.reshape(len(w_BxDxP), -1, y_BxIxJxD.shape[-1])[:, :tokens]

  def after(self, x_BxDxP: jax.Array, u_BxTxD: jax.Array) -> jax.Array:
    """lambda^T x + b sum_n lambda^n u_{T-1-n}."""
    batch, tokens, width = u_BxTxD.shape
    outer_DxPxI, inner_DxPxJ = self._two_levels(tokens)
    outer, inner = outer_DxPxI.shape[-1], inner_DxPxJ.shape[-1]
    u_BxTxD = jnp.pad(u_BxTxD[:, ::-1], ((0, 0), (0, outer * inner - tokens), (0, 0)))
    u_BxIxJxD = u_BxTxD.reshape(batch, outer, inner, width)
    real, imag = (_exactly('bijd,dpj->bdpi', u_BxIxJxD, v) for v in _parts(inner_DxPxJ))
    forced_BxDxP = jnp.sum(lax.complex(real, imag) * outer_DxPxI, axis=-1)
    return self.poles.powers(tokens, 2)[..., 1] * x_BxDxP + self.b_DxP * forced_BxDxP


@functools.partial(jax.jit, static_argnames='discretisation')
def discretise(
  discretisation: str, a_DxP: jax.Array, b_DxP: jax.Array, c_DxP: jax.Array, dt_D: jax.Array
) -> Diagonal:
  """The recurrence of x' = A x + B u, y = 2 Re(C x) in steps of dt.

  Both rules have b = (lambda - 1)/A B: (exp(dt A) - 1)/A and dt/(1 - dt A/2). exp(r + it) - 1 is
  expm1(r) cos(t) - 2 sin(t/2)^2 + i exp(r) sin(t), without cancellation at small steps.
  """
  log_radius_DxP, angle_DxP, flipped_DxP = DISCRETISATIONS[discretisation](dt_D[:, None] * a_DxP)
  real = jnp.expm1(log_radius_DxP) * jnp.cos(angle_DxP) - 2 * jnp.sin(angle_DxP / 2) ** 2
  m_DxP = lax.complex(real, jnp.exp(log_radius_DxP) * jnp.sin(angle_DxP))
  poles = Poles(log_radius_DxP, angle_DxP / (2 * jnp.pi), flipped_DxP)
  sign_DxP = jnp.where(flipped_DxP, -1, 1).astype(angle_DxP.dtype)
  change_DxP = jnp.where(flipped_DxP, -m_DxP - 2, m_DxP)
  return Diagonal(poles, sign_DxP, m_DxP, change_DxP / a_DxP * b_DxP, 2 * c_DxP)


def _parts(a):
  return a.real, a.imag
