"""LinOSS backbone: residual blocks of harmonic oscillators that run along the token axis.

Each oscillator x'' = -A x - G x' + B u is discretised with its own step h (Rusch & Rus 2025, arXiv
2410.03943; damped: Boyer, Rusch & Rus 2025, arXiv 2505.12171). A learned angle theta per token is
conjugate to the wavenumber (period 2 pi dnu / theta in cm^-1, dnu the token spacing): it is not a
vibrational frequency, and a filter along the axis says nothing of physical causality.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from spectra_jax import blocks
from spectra_jax.scan import advance_oscillators


class Scheme(NamedTuple):
  """A discretisation; arrays are [P] and dimensionless: stiffness A, damping G, step h in (0, 1).

  coefficients: (A, G, h) -> (g, c, e, f): A and G projected onto the set where the poles are
    complex and |lambda| <= 1, then the filter of `spectra_jax.scan`, e = 4 - 2g - c among it, and
    the factor f of its input.
  from_pole: (r, theta, h) -> (A, G) of poles r exp(+-i theta); a scheme that cannot choose both
    says which one it keeps.
  damped: whether G is a parameter.
  """

  coefficients: Callable
  from_pole: Callable
  damped: bool


def im_coefficients(A_P, G_P, h_P):
  """Implicit, undamped: S = 1 + h^2 A, det M = 1/S, tr M = 2/S; oscillatory for A >= 0."""
  del G_P
  stiffness = h_P**2 * nn.relu(A_P)
  s = 1 + stiffness
  return stiffness / s, stiffness / s, (4 + stiffness) / s, h_P**2 / s


def im_from_pole(r_P, theta_P, h_P):
  """Keeps r: one number sets both, cos theta = |lambda|, so A = (1/r^2 - 1) / h^2."""
  del theta_P
  return (1 - r_P) * (1 + r_P) / (r_P * h_P) ** 2, jnp.zeros_like(r_P)


def imex_coefficients(A_P, G_P, h_P):
  """Implicit-explicit, undamped: det M = 1, tr M = 2 - h^2 A; oscillatory for 0 <= A <= 4/h^2."""
  return damped_coefficients(A_P, jnp.zeros_like(G_P), h_P)


def imex_from_pole(r_P, theta_P, h_P):
  """Keeps theta: |lambda| is 1 whatever r."""
  return damped_from_pole(jnp.ones_like(r_P), theta_P, h_P)


def damped_coefficients(A_P, G_P, h_P):
  """IMEX with damping (D-LinOSS): S = 1 + h G, det M = 1/S, tr M = (2 + h G - h^2 A)/S.

  Oscillatory for A in (2 + h G -+ 2 sqrt(S)) / h^2 = ((sqrt(S) -+ 1) / h)^2; the lower end is
  written (G / (sqrt(S) + 1))^2, which does not cancel for small h G. e = (4 + 2 h G - h^2 A)/S.
  """
  G_P = nn.relu(G_P)
  s = 1 + h_P * G_P
  root = jnp.sqrt(s)
  A_P = jnp.clip(A_P, (G_P / (root + 1)) ** 2, ((root + 1) / h_P) ** 2)
  damping, stiffness = h_P * G_P, h_P**2 * A_P
  return damping / s, stiffness / s, (4 + 2 * damping - stiffness) / s, h_P**2 / s


def damped_from_pole(r_P, theta_P, h_P):
  """G = (1/r^2 - 1)/h, A = (1 + r^2 - 2 r cos theta)/(r h)^2, written as sums of squares."""
  G_P = (1 - r_P) * (1 + r_P) / (r_P**2 * h_P)
  A_P = ((1 - r_P) ** 2 + 4 * r_P * jnp.sin(theta_P / 2) ** 2) / (r_P * h_P) ** 2
  return A_P, G_P


SCHEMES = {
  'im': Scheme(im_coefficients, im_from_pole, damped=False),
  'imex': Scheme(imex_coefficients, imex_from_pole, damped=False),
  'damped': Scheme(damped_coefficients, damped_from_pole, damped=True),
}


def _in_float64(function):
  """The function computed in float64, from and to arrays of the dtype of its arguments.

  A pole at theta near pi moves by the error of h^2 A, about 4, over pi - theta: float32 leaves it
  up to 1e-3 off. Each derivative is wrapped again, since the rules that autodiff and transposition
  apply later would run outside the context. A custom_vjp, so without forward mode.
  """

  @jax.custom_vjp
  def wrapped(*arrays):
    with jax.enable_x64(True):
      outputs = function(*(a.astype(jnp.float64) for a in arrays))
      return tuple(output.astype(arrays[0].dtype) for output in outputs)

  def forward(*arrays):
    return wrapped(*arrays), arrays

  def backward(arrays, cotangents):
    n = len(arrays)
    gradient = _in_float64(lambda *both: jax.vjp(function, *both[:n])[1](both[n:]))
    return gradient(*arrays, *cotangents)

  wrapped.defvjp(forward, backward)
  return wrapped


def _coefficients(scheme, A_P, G_P, steps_P):
  """The scheme's (g, c, e, f) at h = sigmoid(steps), in float64 where the backend has it."""

  def function(A_P, G_P, steps_P):
    return scheme.coefficients(A_P, G_P, nn.sigmoid(steps_P))

  float64 = jax.default_backend() in ('cpu', 'gpu')  # a TPU emulates it at best
  return (_in_float64(function) if float64 else function)(A_P, G_P, steps_P)


def _scheme(name: str) -> Scheme:
  if name not in SCHEMES:
    raise ValueError(
      f'unknown LinOSS discretisation {name!r}: expected one of {sorted(SCHEMES)}; '
      'set `discretisation` to one of them'
    )
  return SCHEMES[name]


def _ring(key, oscillators, scheme, r_min, r_max, theta_max):
  """Poles uniform over a ring: |lambda|^2 ~ U[r_min^2, r_max^2], theta ~ U[0, theta_max]."""
  key_r, key_theta, key_h = jax.random.split(key, 3)
  r_P = jnp.sqrt(jax.random.uniform(key_r, (oscillators,), minval=r_min**2, maxval=r_max**2))
  theta_P = jax.random.uniform(key_theta, (oscillators,), maxval=theta_max)
  steps_P = 0.5 * jax.random.normal(key_h, (oscillators,))
  A_P, G_P = scheme.from_pole(r_P, theta_P, nn.sigmoid(steps_P))
  return {'A': A_P, 'steps': steps_P} | ({'G': G_P} if scheme.damped else {})


def _uniform(fan_in):
  """U(+-1/sqrt(fan_in)), the initialisation of B and C in the published code."""
  bound = fan_in**-0.5
  return lambda key, shape: jax.random.uniform(key, shape, minval=-bound, maxval=bound)


class Oscillators(nn.Module):
  """One direction of state-space layer, u_BxLxD -> Re(C x) + D u as [B, L, D].

  Parameters: dynamics/{A, G, steps} [P] with h = sigmoid(steps); B [2P, D], real over imaginary
  parts; C [D, 2P] = [C_re, -C_im]; D [D], which starts at 1 (the published N(0, 1) diverged at a
  learning rate of 3e-3).
  """

  state: int
  discretisation: str
  r_min: float
  r_max: float
  theta_max: float
  algorithm: str
  reverse: bool

  def __call__(self, u_BxLxD: jax.Array) -> jax.Array:
    return self.advance(None, u_BxLxD)[1]

  @nn.compact
  def advance(self, state: blocks.State, u_BxTxD: jax.Array) -> tuple[blocks.State, jax.Array]:
    """The next T tokens; the contract of `spectra_jax.blocks`."""
    width, scheme = u_BxTxD.shape[-1], _scheme(self.discretisation)
    ring = (scheme, self.r_min, self.r_max, self.theta_max)
    dynamics = self.param('dynamics', _ring, self.state, *ring)
    b_QxD = self.param('B', _uniform(width), (2 * self.state, width))
    c_out_DxQ = self.param('C', _uniform(self.state), (width, 2 * self.state))
    d_D = self.param('D', nn.initializers.ones, (width,))
    G_P = dynamics['G'] if scheme.damped else jnp.zeros_like(dynamics['A'])
    g_P, c_P, e_P, f_P = _coefficients(scheme, dynamics['A'], G_P, dynamics['steps'])
    b_QxD = jnp.tile(f_P, 2)[:, None] * b_QxD
    arrays = (g_P, c_P, b_QxD, c_out_DxQ, d_D, u_BxTxD)
    options = {'e_P': e_P, 'algorithm': self.algorithm, 'reverse': self.reverse}
    return advance_oscillators(state, *arrays, **options)


class Backbone(blocks.Recurrent):
  """Stack of LinOSS blocks, x_BxLxD -> x_BxLxD with every width equal to D.

  The coefficients of the filter pass through float64 on a CPU or GPU, so that a layer has no
  forward mode.

  Attributes (others: `spectra_jax.blocks.Recurrent`):
    state: P, oscillators in one direction of one block (2P real channels).
    discretisation: 'damped' (D-LinOSS), 'imex' (undamped, |lambda| = 1) or 'im' (undamped,
      dissipative: |lambda| = cos theta).
    r_min, r_max: initial range of |lambda| per token, dimensionless; no effect on 'imex'.
    theta_max: initial angles are U[0, theta_max], radians per token; no effect on 'im', where
      |lambda| sets the angle.
    algorithm: of `spectra_jax.scan.oscillator_ssm`.
  """

  state: int = 64
  discretisation: str = 'damped'
  r_min: float = 0.9
  r_max: float = 1.0
  theta_max: float = 3.141592653589793
  algorithm: str = 'auto'

  @nn.nowrap
  def layer(self) -> Callable[..., Oscillators]:
    names = ('state', 'discretisation', 'r_min', 'r_max', 'theta_max', 'algorithm')
    return functools.partial(Oscillators, **{name: getattr(self, name) for name in names})
