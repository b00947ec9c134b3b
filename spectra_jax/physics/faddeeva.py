"""The Faddeeva function, and a pole seen through a Gaussian: values and all derivatives.

A response with a pole, averaged over a Gaussian spread of its position, is

  P_n(zeta, sigma) = int N(t; 0, sigma) / (zeta - t)^n dt,   Im zeta >= 0,

of which the Faddeeva function is a case, w(z) = (i / sqrt(pi)) P_1(z, 1 / sqrt(2)), and the Voigt
profile another, -Im P_1(offset + i HWHM, sigma) / pi. Its derivatives are of its own kind,

  dP_n/dzeta = -n P_{n+1},   dP_n/dsigma = n (n + 1) sigma P_{n+2},

which is what `jax.grad` uses here. The textbook w' = -2 z w + 2 i / sqrt(pi) subtracts equal
numbers, 2 |z|^2 times larger than the result: in float32 nothing is left at |z| = 3000.

Two forms, and neither divides by sigma, so that sigma = 0 is the bare pole, exactly:

* |zeta| > 7 sqrt(2) sigma: Gauss-Hermite quadrature of the integral, which for w is the Laplace
  continued fraction (Gautschi 1970, doi:10.1137/0707012), in partial fractions.
* elsewhere: the rational series of Weideman 1994 (doi:10.1137/0731077), for w a polynomial in
  Z = (L s + i zeta) / (L s - i zeta), |Z| <= 1, s = sqrt(2) sigma. With v = s / (L s - i zeta) the
  n-th derivative of v R_0(Z) is i^n v^{n+1} R_n(Z), R_{n+1} = (n + 1) R_n + (Z + 1) R_n'.
"""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np

RADIUS = 7.0  # |z| beyond which the quadrature takes over
# What reaches the rounding of a type: (terms, L) of the series, nodes of the quadrature. Weideman
# has L = sqrt(terms / sqrt(2)), 4.12 for 24 terms; a smaller one rounds better in float32.
SERIES = {'float32': (24, 3.5), 'float64': (40, 5.318)}
NODES = {'float32': 6, 'float64': 12}


def faddeeva(z: jax.Array) -> jax.Array:
  """w(z) = exp(-z^2) erfc(-i z) for Im z >= 0; NaN below the real axis.

  Error relative to |w|, measured for |z| <= 1e5, Im z >= 0: 3e-14 (complex128), 7e-7 (complex64);
  of the derivative relative to |w'|: 9e-7 (complex64). Where Re w << |w|, next to the real axis at
  4 < |z| < 7, that is an error of |w|, not of Re w.

  Args:
    z: complex, any shape; real numbers are taken as on the real axis.

  Returns:
    w in the precision of z.
  """
  z = jnp.asarray(z)
  z = z if jnp.iscomplexobj(z) else jax.lax.complex(z, jnp.zeros_like(z))
  return (1j / math.sqrt(math.pi)) * smeared_pole(z, math.sqrt(0.5))


def smeared_pole(zeta: jax.Array, sigma: jax.Array, power: int = 1) -> jax.Array:
  """P_n(zeta, sigma) = int N(t; 0, sigma) / (zeta - t)^n dt for Im zeta >= 0; NaN below.

  At sigma = 0 it is 1 / zeta^n, and the derivative with respect to sigma is 0, as P is even in
  sigma. Infinite at sigma = zeta = 0 only. Derivatives of every order, errors as of `faddeeva`.

  Args:
    zeta: complex, distance from the mean pole (+ i times half its width).
    sigma: real, standard deviation in the unit of zeta; broadcasts against it.
    power: n >= 1.

  Returns:
    P_n in the precision of zeta, in its unit to the power -n.

  Raises:
    ValueError: zeta is real, or n is not a positive integer.
  """
  zeta = jnp.asarray(zeta)
  if not jnp.iscomplexobj(zeta):
    raise ValueError(
      f'zeta is of type {zeta.dtype}, expected complex numbers with Im zeta >= 0; add i times the '
      'half width (0 for a Gaussian)'
    )
  if not (isinstance(power, int) and power >= 1):
    raise ValueError(f'the power of the pole is {power!r}, expected an integer of at least 1')
  return _smeared_pole(zeta, jnp.asarray(sigma, zeta.real.dtype), power)


@functools.partial(jax.custom_jvp, nondiff_argnums=(2,))
def _smeared_pole(zeta, sigma, power):
  x, y = jnp.real(zeta), jnp.imag(zeta)
  s = math.sqrt(2) * jnp.abs(sigma)
  far = x * x + y * y > (RADIUS * s) ** 2
  value = jnp.where(far, _quadrature(x, y, s, far, power), _series(zeta, s, power))
  return jnp.where(y >= 0, value, jnp.nan)


def _derivative(power, primals, tangents):
  zeta, sigma = primals
  out = jnp.zeros(jnp.broadcast_shapes(zeta.shape, sigma.shape), zeta.dtype)
  d_zeta, d_sigma = tangents
  if not isinstance(d_zeta, jax.custom_derivatives.SymbolicZero):
    out -= power * _smeared_pole(zeta, sigma, power + 1) * d_zeta
  if not isinstance(d_sigma, jax.custom_derivatives.SymbolicZero):
    curvature = power * (power + 1) * _smeared_pole(zeta, sigma, power + 2)
    out += curvature * (sigma * d_sigma)
  return _smeared_pole(zeta, sigma, power), out


_smeared_pole.defjvp(_derivative, symbolic_zeros=True)


def _quadrature(x, y, s, far, power):
  """sum_j weight_j / (zeta - s node_j)^n; for n = 1 all terms of -Im are >= 0: none cancel."""
  nodes, weights = np.polynomial.hermite.hermgauss(NODES[x.dtype.name])
  total = 0.0
  for node, weight in zip(nodes, weights / math.sqrt(math.pi), strict=True):
    apart = x - float(node) * s
    square = jnp.where(far, apart * apart + y * y, 1.0)
    total += float(weight) * jax.lax.complex(apart / square, -y / square) ** power
  return total


def _series(zeta, s, power):
  """P_n = sqrt(pi) i^(n-2) (-1)^(n-1) / (n-1)! (v / s)^n R_{n-1}(Z)."""
  terms, L = SERIES[s.dtype.name]
  coefficients = _weideman(terms, L, power - 1)
  inverse = 1 / (L * s - 1j * zeta)
  Z = (L * s + 1j * zeta) * inverse
  re, im = _horner(coefficients, jnp.real(Z), jnp.imag(Z))
  factor = 1j ** (power - 2) * (-1) ** (power - 1) * math.sqrt(math.pi) / math.factorial(power - 1)
  return factor * inverse**power * jax.lax.complex(re, im)


def _horner(coefficients, x, y):
  """A real polynomial at x + i y, in real arithmetic, which vectorises."""
  re, im = jnp.full_like(x, coefficients[-1]), jnp.zeros_like(x)
  for c in coefficients[-2::-1]:
    re, im = re * x - im * y + c, re * y + im * x
  return re, im


@functools.cache
def _weideman(terms: int, L: float, order: int) -> list[float]:
  """The coefficients of R_order, ascending; those of the series by one FFT."""
  theta = np.arange(1 - 2 * terms, 2 * terms) * np.pi / (2 * terms)
  t = L * np.tan(theta / 2)
  sampled = np.concatenate([[0.0], np.exp(-(t**2)) * (L**2 + t**2)])
  series = np.fft.fft(np.fft.fftshift(sampled)).real[1 : terms + 1] / (4 * terms)
  Z_plus_1 = np.polynomial.Polynomial([1.0, 1.0])
  R = Z_plus_1 * np.polynomial.Polynomial(series) / L + 1 / math.sqrt(math.pi)
  for n in range(order):
    R = (n + 1) * R + Z_plus_1 * R.deriv()
  return [float(c) for c in R.coef]
