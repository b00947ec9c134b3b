"""Five discretisations of x'' = -A x - G x' + B u, as filters with poles inside the unit circle.

With a = h^2 A and d = h G, both dimensionless, one step of size h takes velocity z and position x
to (Rusch & Rus 2025, arXiv 2410.03943; Boyer, Rusch & Rus 2025, arXiv 2505.12171)

  z_n = z_{n-1} - h A x_[1] - h G z_[2] + h B u_n,     x_n = x_{n-1} + h z_[3],

where each of the three places is implicit, n, or explicit, n-1:

  scheme  [1]  [2]  [3]   det M        tr M             complex poles for a in       stable for a in
  im      n    n    n     1/S          (2 + d)/S        >= d^2/4                     >= 0
  imex    n-1  n    n     1/S          (2 + d - a)/S    (sqrt(S) -+ 1)^2             0 to 4 + 2d
  imex2   n-1  n-1  n     1 - d        2 - d - a        (1 -+ sqrt(1 - d))^2         0 to 4 - 2d
  imex3   n    n-1  n     (1 - d)/S    (2 - d)/S        >= d^2/(4 (1 - d))           >= 0, 2d - 4
  ex      n-1  n-1  n-1   1 - d + a    2 - d            d^2/4 to d                   0, 2d - 4 to d

S is 1 + d + a, 1 + d and 1 + a in im, imex and imex3; d >= 0 in all, d <= 1 for complex poles of
imex2 and imex3, d <= 2 and 4 for stability of imex2 and ex. Each is the filter (g, c, e, f) of
`spectra_jax.scan.oscillator`, with det M = 1 - g, tr M = 2 - g - c, e = 4 - 2g - c and an input
factor f; that of ex comes out one token later. Without damping imex2 is imex, imex3 is im, and ex
has |lambda|^2 = 1 + a: no step of it is stable.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

REGIONS = ('oscillatory', 'stable')
INITIALISATIONS = ('ring', 'uniform')


def _im(a_P, d_P, oscillatory):
  d_P = nn.relu(d_P)
  a_P = jnp.maximum(a_P, d_P**2 / 4) if oscillatory else nn.relu(a_P)
  s = 1 + d_P + a_P
  return (d_P + a_P) / s, a_P / s, (4 + 2 * d_P + a_P) / s, 1 / s


def _imex(a_P, d_P, oscillatory):
  d_P = nn.relu(d_P)
  s = 1 + d_P
  root = jnp.sqrt(s)
  # root - 1 = d / (root + 1), which does not cancel for small d
  low, high = ((d_P / (root + 1)) ** 2, (root + 1) ** 2) if oscillatory else (0, 4 + 2 * d_P)
  a_P = jnp.clip(a_P, low, high)
  # the bound of a from below is also that of 4 + 2 d - a, whose last digits cancel there
  return d_P / s, a_P / s, jnp.maximum(4 + 2 * d_P - a_P, low) / s, 1 / s


def _imex2(a_P, d_P, oscillatory):
  d_P = jnp.clip(d_P, 0, 1 if oscillatory else 2)
  root = _square_root(1 - d_P)
  low, high = ((d_P / (1 + root)) ** 2, (1 + root) ** 2) if oscillatory else (0, 4 - 2 * d_P)
  a_P = jnp.clip(a_P, low, high)
  return d_P, a_P, jnp.maximum(4 - 2 * d_P - a_P, low), jnp.ones_like(a_P)


def _imex3(a_P, d_P, oscillatory):
  if not oscillatory:
    d_P = nn.relu(d_P)
    a_P = jnp.maximum(nn.relu(a_P), 2 * d_P - 4)
    s = 1 + a_P
    return (d_P + a_P) / s, a_P / s, (4 - 2 * d_P + a_P) / s, 1 / s
  # c and q = 1/S are projected in place of a, whose bound has no limit as d goes to 1
  d_P, a_P = jnp.clip(d_P, 0, 1), nn.relu(a_P)
  c_P = jnp.maximum(a_P / (1 + a_P), (d_P / (2 - d_P)) ** 2)
  q_P = jnp.minimum(1 / (1 + a_P), 4 * (1 - d_P) / (2 - d_P) ** 2)
  return d_P * q_P + c_P, c_P, (4 - 2 * d_P) * q_P + c_P, q_P


def _ex(a_P, d_P, oscillatory):
  d_P = jnp.clip(d_P, 0, 4)
  low, e_low = (d_P**2 / 4, (2 - d_P / 2) ** 2) if oscillatory else (nn.relu(2 * d_P - 4), 0)
  a_P = jnp.clip(a_P, low, d_P)
  return d_P - a_P, a_P, jnp.maximum(4 - 2 * d_P + a_P, e_low), jnp.ones_like(a_P)


def _square_root(a_P):
  """sqrt(a) for a > 0; 0 with derivative 0 elsewhere, where that of sqrt would be infinite."""
  positive = a_P > 0
  return jnp.where(positive, jnp.sqrt(jnp.where(positive, a_P, 1)), 0)


def _p1(r_P, theta_P):
  """1 - tr M + det M, as a sum of squares."""
  return (1 - r_P) ** 2 + 4 * r_P * jnp.sin(theta_P / 2) ** 2


def _cosine_over_radius(r_P, theta_P):
  """cos theta - r."""
  return (1 - r_P) - 2 * jnp.sin(theta_P / 2) ** 2


def _im_from_pole(r_P, theta_P, h_P):
  G_P = 2 * _cosine_over_radius(r_P, theta_P) / (r_P * h_P)
  return _p1(r_P, theta_P) / (r_P * h_P) ** 2, G_P


def _imex_from_pole(r_P, theta_P, h_P):
  return _p1(r_P, theta_P) / (r_P * h_P) ** 2, (1 - r_P) * (1 + r_P) / (r_P**2 * h_P)


def _imex2_from_pole(r_P, theta_P, h_P):
  return _p1(r_P, theta_P) / h_P**2, (1 - r_P) * (1 + r_P) / h_P


def _imex3_from_pole(r_P, theta_P, h_P):
  difference = _cosine_over_radius(r_P, theta_P)
  both = 2 * difference + r_P  # (tr M - det M) / r
  return _p1(r_P, theta_P) / (r_P * both * h_P**2), 2 * difference / (both * h_P)


def _ex_from_pole(r_P, theta_P, h_P):
  G_P = (2 * (1 - r_P) + 4 * r_P * jnp.sin(theta_P / 2) ** 2) / h_P
  return _p1(r_P, theta_P) / h_P**2, G_P


def _on_the_circle(r_P, theta_P, h_P):
  """Keeps theta: |lambda| is 1 whatever r."""
  return _p1(jnp.ones_like(r_P), theta_P) / h_P**2


def _on_the_cosine(r_P, theta_P, h_P):
  """Keeps r: one number sets both, cos theta = |lambda|."""
  del theta_P
  return (1 - r_P) * (1 + r_P) / (r_P * h_P) ** 2


class Scheme(NamedTuple):
  """One line of the module's table; arrays are [P].

  filter: (a, d, oscillatory) -> (g, c, e, f / h^2) of a and d projected onto one of the regions.
  from_pole: (r, theta, h) -> (A, G) of poles r exp(+-i theta).
  undamped: (r, theta, h) -> A, which keeps one of the two; None where no undamped step is stable.
  below_cosine: G >= 0 reaches only cos theta >= r.
  delay: tokens by which the output of the filter comes late.
  """

  filter: Callable
  from_pole: Callable
  undamped: Callable | None
  below_cosine: bool = False
  delay: int = 0


SCHEMES = {
  'im': Scheme(_im, _im_from_pole, _on_the_cosine, below_cosine=True),
  'imex': Scheme(_imex, _imex_from_pole, _on_the_circle),
  'imex2': Scheme(_imex2, _imex2_from_pole, _on_the_circle),
  'imex3': Scheme(_imex3, _imex3_from_pole, _on_the_cosine, below_cosine=True),
  'ex': Scheme(_ex, _ex_from_pole, None, delay=1),
}


def coefficients(
  discretisation: str, region: str, A_P: jax.Array, G_P: jax.Array, h_P: jax.Array
) -> tuple[jax.Array, ...]:
  """(g, c, e, f) of stiffness A, damping G and step h, each [P], projected onto the region.

  The projection clips G h, then A h^2 between the bounds of the module's table: exact, so that
  nothing inside moves, and every pole of the region can be had. Gradients are those of the clipped
  values: outside the region A has none, while G and h act through the bound; on the bound itself
  it is one of the subgradients. All are finite, also at critical damping.
  """
  g_P, c_P, e_P, q_P = SCHEMES[discretisation].filter(
    h_P**2 * A_P, h_P * G_P, region == 'oscillatory'
  )
  return g_P, c_P, e_P, h_P**2 * q_P


def unit_variance(g_P: jax.Array, c_P: jax.Array, e_P: jax.Array) -> jax.Array:
  """The input factor with which white noise of variance 1 gives x a stationary variance of 1.

  The variance of x_n = tr x_{n-1} - det x_{n-2} + w_n is (1 + det) / ((1 - det) ((1 + det)^2 -
  tr^2)) = (c + e) / (2 g c e), so that the factor is sqrt(2 g c e / (c + e)). It goes to 0 as
  |lambda| goes to 1, where x has no stationary variance. The idea is that of Orvieto et al. 2023
  (arXiv 2303.06349), there for a first-order recurrence.
  """
  total = c_P + e_P
  inverse = 2 * g_P * c_P * e_P / jnp.where(total > 0, total, 1)
  return _square_root(jnp.where(inverse > 1e-30, inverse, 0))  # keeps the derivative in float32


def in_float64(function: Callable[..., tuple[jax.Array, ...]]) -> Callable:
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
    gradient = in_float64(lambda *both: jax.vjp(function, *both[:n])[1](both[n:]))
    return gradient(*arrays, *cotangents)

  wrapped.defvjp(forward, backward)
  return wrapped


def ring(
  key: jax.Array,
  oscillators: int,
  discretisation: str,
  damped: bool,
  r_min: float,
  r_max: float,
  theta_max: float,
) -> dict[str, jax.Array]:
  """Parameters A, steps and, if damped, G, whose poles are uniform over a ring.

  h = sigmoid(steps), steps ~ N(0, 0.5); |lambda|^2 ~ U[r_min^2, r_max^2]; theta ~ U[0, theta_max],
  where im and imex3 end at arccos |lambda| if that is less: beyond it they need G < 0.
  """
  scheme = SCHEMES[discretisation]
  key_r, key_theta, key_h = jax.random.split(key, 3)
  r_P = jnp.sqrt(jax.random.uniform(key_r, (oscillators,), minval=r_min**2, maxval=r_max**2))
  limit = jnp.minimum(theta_max, jnp.arccos(r_P)) if scheme.below_cosine else theta_max
  theta_P = jax.random.uniform(key_theta, (oscillators,), maxval=limit)
  steps_P = 0.5 * jax.random.normal(key_h, (oscillators,))
  poles = (r_P, theta_P, nn.sigmoid(steps_P))
  if not damped:
    return {'A': scheme.undamped(*poles), 'steps': steps_P}
  return dict(zip(('A', 'G'), scheme.from_pole(*poles), strict=True)) | {'steps': steps_P}


def uniform(key: jax.Array, oscillators: int, damped: bool) -> dict[str, jax.Array]:
  """A, G ~ U[0, 1] as published, steps as in `ring`; the layer projects what is out of bounds."""
  key_A, key_G, key_h = jax.random.split(key, 3)
  dynamics = {'A': jax.random.uniform(key_A, (oscillators,))}
  if damped:
    dynamics['G'] = jax.random.uniform(key_G, (oscillators,))
  return dynamics | {'steps': 0.5 * jax.random.normal(key_h, (oscillators,))}


def check(
  discretisation: str,
  damped: bool,
  region: str,
  initialisation: str,
  r_min: float,
  r_max: float,
  theta_max: float,
  input_norm: bool,
) -> None:
  """Refuses settings that have no meaning.

  Raises:
    ValueError: a name is unknown, a number out of range, or a combination is never stable.
  """
  for field, value, known in (
    ('discretisation', discretisation, SCHEMES),
    ('region', region, REGIONS),
    ('initialisation', initialisation, INITIALISATIONS),
  ):
    if value not in known:
      raise ValueError(
        f'unknown LinOSS {field} {value!r}: expected one of {", ".join(known)}; '
        f'set `{field}` to one of them'
      )
  if not damped and SCHEMES[discretisation].undamped is None:
    raise ValueError(
      f'LinOSS discretisation {discretisation!r} with damped = False has |lambda|^2 = 1 + h^2 A, '
      'expected at most 1, which leaves A = 0 and no oscillation; set `damped` to True or take '
      'another discretisation'
    )
  if input_norm and not damped and SCHEMES[discretisation].undamped is _on_the_circle:
    raise ValueError(
      f'LinOSS discretisation {discretisation!r} with damped = False has |lambda| = 1 and no '
      'stationary variance, expected a finite one for input_norm = True; set `damped` to True or '
      '`input_norm` to False'
    )
  if not 0 < r_min <= r_max <= 1:
    raise ValueError(
      f'LinOSS ring has r_min = {r_min} and r_max = {r_max}, expected 0 < r_min <= r_max <= 1; '
      'set `r_min` and `r_max` to such a range of |lambda|'
    )
  if not 0 < theta_max <= math.pi:
    raise ValueError(
      f'LinOSS ring has theta_max = {theta_max}, expected an angle in (0, pi]; '
      'set `theta_max` to radians per token'
    )
