"""Lorentzian lines of a spectrum, from the poles of its interferogram and by least squares.

`estimate` needs no start and no iteration; `refine` removes what the window does to the poles. On
noise of 1 % the two together are as good as the Cramer-Rao bound allows (tests/test_line_recovery).
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import scipy.optimize

from spectra_jax.interferogram import (
  centre,
  dynamics,
  interferogram,
  line_of_dynamics,
  line_of_pole,
)
from spectra_jax.physics import line_shapes


class Lines(NamedTuple):
  """Lorentzian lines: oscillator wavenumber nu0 and FWHM gamma [cm^-1], area [X], each [K]."""

  nu0_K: np.ndarray
  gamma_K: np.ndarray
  area_K: np.ndarray

  @property
  def centre_K(self) -> np.ndarray:
    """Where the lines have their maximum, sqrt(nu0^2 - gamma^2 / 4) [cm^-1]."""
    return centre(self.nu0_K, self.gamma_K)


def matrix_pencil(signal_N: np.ndarray, order: int) -> np.ndarray:
  """The `order` poles lambda of a sum of damped exponentials a lambda^n: complex, float64.

  The leading left singular vectors U of the Hankel matrix of the signal span the exponentials; the
  poles are the eigenvalues of pinv(U without its last row) (U without its first row). Exact for
  noise-free sums of at most `order` exponentials (Hua & Sarkar 1990, doi:10.1109/29.56027; Roy &
  Kailath 1989, ESPRIT, doi:10.1109/29.32276).

  Raises:
    ValueError: the signal is shorter than 3 `order`.
  """
  signal_N = np.asarray(signal_N, np.float64)
  if len(signal_N) < 3 * order:
    raise ValueError(
      f'{len(signal_N)} samples cannot tell {order} poles; expected at least {3 * order}; give '
      'more samples or fewer lines'
    )
  rows = len(signal_N) // 2
  hankel = np.lib.stride_tricks.sliding_window_view(signal_N, len(signal_N) - rows + 1)
  basis = np.linalg.svd(hankel, full_matrices=False)[0][:, :order]
  return np.linalg.eigvals(np.linalg.lstsq(basis[:-1], basis[1:], rcond=None)[0])


def estimate(spectrum_L: np.ndarray, nu_L: np.ndarray, lines: int, samples: int) -> Lines:
  """K Lorentzian lines of a spectrum from the poles of its interferogram, in closed form.

  The matrix pencil of the first `samples` points, areas by linear least squares on the spectrum.
  Cut-off tails and mirrored edges are taken for part of the lines: `refine` undoes that.

  Args:
    spectrum_L: [L] in X / cm^-1.
    nu_L: [L] in cm^-1, even.
    lines: K.
    samples: points of the interferogram; about where the lines have decayed or the noise begins.

  Raises:
    ValueError: fewer than K poles ring and decay, or the axis or the number of samples is wrong.
  """
  spectrum_L = np.asarray(spectrum_L, np.float64)
  with jax.enable_x64(True):
    signal_N = np.asarray(interferogram(spectrum_L, nu_L))[:samples]
  found = matrix_pencil(signal_N, 2 * lines)
  found = found[(found.imag > 0) & (np.abs(found) < 1)]
  if len(found) < lines:
    raise ValueError(
      f'{len(found)} poles of the interferogram ring and decay; expected {lines}, one a line; ask '
      'for fewer lines, or use other samples'
    )
  nu0_K, gamma_K = line_of_pole(found[np.argsort(np.angle(found))], nu_L)
  shape_LxK = _shapes(nu0_K, gamma_K, nu_L)
  return Lines(nu0_K, gamma_K, np.linalg.lstsq(shape_LxK, spectrum_L, rcond=None)[0])


def refine(spectrum_L: np.ndarray, nu_L: np.ndarray, start: Lines, h: float = 0.5) -> Lines:
  """Least squares over (A, G) of a damped LinOSS oscillator a line, and its area, from `start`.

  Minimises |S - sum_K area lorentz(nu - nu_d, gamma)|^2 with (nu_d, gamma) read from (A, G, h) by
  `line_of_dynamics`; Levenberg-Marquardt in log A, log G and area, float64. The model is the line
  on the window itself, so that a finite window leaves no bias. The result does not depend on h.
  """
  unit = float(np.abs(start.area_K).max())
  A_K, G_K = dynamics(start.nu0_K, start.gamma_K, h, nu_L)
  first = np.concatenate([np.log(A_K), np.log(G_K), start.area_K / unit])
  axis = (float(nu_L[0]), float(nu_L[-1]), len(nu_L))
  target_L = np.asarray(spectrum_L, np.float64) / unit
  with jax.enable_x64(True):
    fit = scipy.optimize.least_squares(
      lambda p: np.asarray(_model(p, h, axis)) - target_L,
      first,
      lambda p: np.asarray(_slope(p, h, axis)),
      **{'method': 'lm', 'x_scale': 'jac', 'xtol': 1e-15, 'ftol': 1e-15, 'gtol': 1e-15},
    )
  log_A_K, log_G_K, area_K = np.split(fit.x, 3)
  return Lines(*line_of_dynamics(np.exp(log_A_K), np.exp(log_G_K), h, nu_L), unit * area_K)


@functools.partial(jax.jit, static_argnames='axis')
def _model(p_3K, h, axis):
  """The spectrum of (log A, log G, area) on the axis (first, last, points), [L]."""
  nu_L = np.linspace(*axis)
  log_A_K, log_G_K, area_K = jnp.split(p_3K, 3)
  nu0_K, gamma_K = line_of_dynamics(jnp.exp(log_A_K), jnp.exp(log_G_K), h, nu_L)
  return _shapes(nu0_K, gamma_K, nu_L) @ area_K


_slope = jax.jit(jax.jacfwd(_model), static_argnames='axis')


def _shapes(nu0_K, gamma_K, nu_L):
  """Unit-area Lorentzians on the axis, [L, K] in 1 / cm^-1."""
  offset_LxK = np.asarray(nu_L, np.float64)[:, None] - centre(nu0_K, gamma_K)
  return line_shapes.lorentz(offset_LxK, gamma_K)
