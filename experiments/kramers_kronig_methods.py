"""What others do for a Kramers-Kronig transform of a window, each as well as it can be done.

All give (2/pi) P int_a^b x k(x) / (x^2 - nu^2) dx from samples k [..., L] on an even axis, in the
convention e^{-i w t}. The quadratures are linear, so each is one [L, L] matrix in float64, to be
applied from the right; the transforms by FFT are JAX.
"""

import jax
import jax.numpy as jnp
import numpy as np
import scipy.fft
from scipy.special import xlogy


def hilbert(k_BxL: jax.Array) -> jax.Array:
  """-Im of the analytic signal of the window alone, as `scipy.signal.hilbert` takes it.

  Periodic over the window, and blind to the image at negative wavenumbers.
  """
  length = k_BxL.shape[-1]
  k_BxF = jnp.fft.rfft(k_BxL)
  turn_F = np.where(np.arange(length // 2 + 1) % (length / 2) == 0, 0, 1j)
  return jnp.fft.irfft(k_BxF * turn_F.astype(k_BxF.dtype), length)


def odd_extension(k_BxL: jax.Array, first: int, pad: int) -> jax.Array:
  """Zeros down to nu = 0, the odd image, zeros around both, and the Hilbert transform of it all.

  Args:
    k_BxL: samples at (first + i) steps.
    first: steps from 0 to the first sample, a whole number.
    pad: how many times as long as the odd spectrum the FFT is.
  """
  length = k_BxL.shape[-1]
  whole = scipy.fft.next_fast_len(2 * pad * (first + length), real=True)
  filled_BxN = jnp.pad(k_BxL, [(0, 0)] * (k_BxL.ndim - 1) + [(first, 0)])
  even_BxF = -2 * jnp.fft.rfft(filled_BxN, whole).imag  # of k(x) - k(-x), turned by i
  return jnp.fft.irfft(even_BxF, whole)[..., first : first + length]


def maclaurin(nu_L: np.ndarray) -> np.ndarray:
  """Every other sample with weight 2 h (Ohta & Ishida 1988), nothing done at the edges."""
  step = nu_L[1] - nu_L[0]
  lag_LxL = np.subtract.outer(np.arange(len(nu_L)), np.arange(len(nu_L)))
  kernel_LxL = _off_diagonal(nu_L)
  return np.where(lag_LxL % 2 == 1, 4 / np.pi * step * kernel_LxL, 0)


def trapezoid(nu_L: np.ndarray) -> np.ndarray:
  """The trapezoidal rule of (x k(x) - nu k(nu)) / (x^2 - nu^2), whose pole is gone; the rest exact.

  At x = nu the integrand is (k + nu k') / (2 nu), k' by central differences.
  """
  points, step = len(nu_L), nu_L[1] - nu_L[0]
  weight_L = np.full(points, step)
  weight_L[[0, -1]] = 0.5 * step
  slope_LxL = np.gradient(np.eye(points), step, axis=0).T
  matrix_LxL = weight_L[:, None] * _off_diagonal(nu_L)
  removed_L = weight_L @ (_off_diagonal(nu_L) / nu_L[:, None]) * nu_L
  matrix_LxL += np.diag(weight_L / (2 * nu_L) - removed_L + 0.5 * _logarithm(nu_L))
  return 2 / np.pi * (matrix_LxL + 0.5 * weight_L * slope_LxL)


def piecewise_linear(nu_L: np.ndarray) -> np.ndarray:
  """k linear between the samples, integrated exactly by parts (as for x-ray optical constants)."""
  step = nu_L[1] - nu_L[0]
  slopes_LxC = np.diff(np.eye(len(nu_L)), axis=1) / step
  parts_LxL = 0.0
  for at_L in (nu_L, -nu_L):
    offset_LxL = nu_L[:, None] - at_L
    ramp_LxL = xlogy(offset_LxL, np.abs(offset_LxL)) - offset_LxL
    parts_LxL = parts_LxL - slopes_LxC @ np.diff(ramp_LxL, axis=0)
    ends_2xL = np.abs(offset_LxL[[0, -1]])
    ends_2xL = np.log(np.where(ends_2xL == 0, step, ends_2xL))
    parts_LxL[0] -= ends_2xL[0]
    parts_LxL[-1] += ends_2xL[1]
  return parts_LxL / np.pi


MATRICES = {'maclaurin': maclaurin, 'trapezoid': trapezoid, 'piecewise_linear': piecewise_linear}


def _off_diagonal(nu_L):
  """x / (x^2 - nu^2), x down and nu across; 0 on the diagonal."""
  difference_LxL = np.subtract.outer(nu_L, nu_L) + np.eye(len(nu_L))
  total_LxL = np.add.outer(nu_L, nu_L)
  return nu_L[:, None] / (difference_LxL * total_LxL) * (1 - np.eye(len(nu_L)))


def _logarithm(nu_L):
  """2 nu P int_a^b dx / (x^2 - nu^2) = ln |(b - nu) (a + nu) / ((b + nu) (a - nu))|."""
  low, high, step = nu_L[0], nu_L[-1], nu_L[1] - nu_L[0]
  distance = lambda end: np.where(nu_L == end, step, np.abs(end - nu_L))
  return np.log(distance(high) * (low + nu_L) / ((high + nu_L) * distance(low)))
