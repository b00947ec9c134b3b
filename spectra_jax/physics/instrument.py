"""The line shape of a Fourier spectrometer: what a finite travel of the mirror does to a spectrum.

An interferogram known for |delta| <= D [cm], the maximum retardation, and weighted by an
apodisation A(delta / D), A(0) = 1, gives the true spectrum convolved with

  ILS(nu) = int_{-D}^{D} A(delta / D) cos(2 pi nu delta) ddelta,

of unit area [1/cm^-1]. A(u) is a polynomial sum_i C_i (1 - u^2)^i (Norton & Beer 1976,
doi:10.1364/JOSA.66.000259, coefficients as corrected in 1977, doi:10.1364/JOSA.67.000419; review:
Naylor & Tahic 2007, doi:10.1364/JOSAA.24.003644) or the triangle 1 - |u|.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
import scipy.optimize

EVEN = 1e-6  # largest deviation of a step from their mean, relative
# C_0, C_1, ... of sum C_i (1 - u^2)^i
NORTON_BEER = {
  'boxcar': (1.0,),
  'weak': (0.384093, -0.087577, 0.703484),
  'medium': (0.152442, -0.136176, 0.983734),
  'strong': (0.045335, 0.0, 0.554883, 0.0, 0.399782),
}
APODISATIONS = (*NORTON_BEER, 'triangular')
SERIES_TERMS = 16  # of j_n(a) / a^n at a < n + 1, where its closed form cancels


def window(retardation_cm: np.ndarray, maximum_cm: float, apodisation: str) -> np.ndarray:
  """A(delta / D), float64 numpy; half its limit at |delta| = D and 0 beyond.

  Args:
    retardation_cm: delta [cm], any shape.
    maximum_cm: D [cm].
    apodisation: one of `APODISATIONS`.

  Raises:
    ValueError: another apodisation, or D is not positive.
  """
  _check(maximum_cm, apodisation)
  u = np.abs(np.asarray(retardation_cm, np.float64)) / maximum_cm
  edge = np.where(np.isclose(u, 1, rtol=0, atol=1e-12), 0.5, u < 1)
  if apodisation == 'triangular':
    return edge * (1 - u)
  return edge * np.polynomial.polynomial.polyval(1 - u * u, NORTON_BEER[apodisation])


def line_shape(offset: jax.Array, maximum_cm: float, apodisation: str) -> jax.Array:
  """ILS(offset) [1/cm^-1] of unit area, in closed form, a = 2 pi offset D.

  Triangle: D (sin(a/2) / (a/2))^2. Polynomials: D sum_i C_i 2^(i+1) i! j_i(a) / a^i, j_i spherical
  Bessel functions: D 2 sin(a) / a for the boxcar. Error 1e-14 of ILS(0) in float64, 2e-7 in float32
  for the offset as it is given.

  Args:
    offset: from the line's centre [cm^-1].
    maximum_cm, apodisation: as for `window`.

  Raises:
    ValueError: as `window`.
  """
  _check(maximum_cm, apodisation)
  turns = jnp.asarray(offset, jnp.result_type(float, offset)) * maximum_cm
  if apodisation == 'triangular':
    return maximum_cm * _bessel_over_power(0.5 * turns, 1)[0] ** 2
  coefficients = NORTON_BEER[apodisation]
  bessel = _bessel_over_power(turns, len(coefficients))
  terms = [c * 2 ** (i + 1) * math.factorial(i) * bessel[i] for i, c in enumerate(coefficients)]
  return maximum_cm * sum(terms)


def fwhm(maximum_cm: float, apodisation: str) -> float:
  """Full width at half maximum of `line_shape` [cm^-1]: 0.60335 / D for the boxcar.

  1.2, 1.4 and 1.6 times that for Norton-Beer weak, medium and strong, 0.88589 / D for the triangle.

  Raises:
    ValueError: as `window`.
  """
  _check(maximum_cm, apodisation)
  u, weights = np.polynomial.legendre.leggauss(64)
  A = window(0.5 * (1 + u), 1.0, apodisation) * weights
  shape = lambda x: A @ np.cos(np.pi * x * (1 + u))
  return float(2 * scipy.optimize.brentq(lambda x: shape(x) - 0.5 * shape(0.0), 0.1, 0.7)) / (
    maximum_cm
  )


def observe(
  spectrum_L: jax.Array, nu_L: np.ndarray, maximum_cm: float, apodisation: str
) -> jax.Array:
  """The spectrum convolved with `line_shape`, along the last axis: [..., L] -> [..., L].

  Apodised where it is short, in retardation: a cosine transform (DCT-II), A(delta / D), and back,
  which is the convolution with the exact ILS of the spectrum mirrored at both edges of the window
  (half a step outside the end points). So the area is kept to rounding, a constant stays constant,
  and an edge rings no more than a kink does; a band that an edge cuts is wrong there.

  Args:
    spectrum_L: [..., L], linear in intensity (absorbance is not: convolve transmittance).
    nu_L: [L] even ascending wavenumbers [cm^-1], host array.
    maximum_cm: D [cm], at most 1 / (2 step): what the points can tell apart.
    apodisation: one of `APODISATIONS`.

  Raises:
    ValueError: the axis is not even and ascending or of another length, D is larger than the axis
      can show, or as `window`.
  """
  step = _spacing(spectrum_L, nu_L)
  _check(maximum_cm, apodisation)
  if maximum_cm > (0.5 + EVEN) / step:
    raise ValueError(
      f'the maximum retardation is {maximum_cm:g} cm, expected at most {0.5 / step:g} for points '
      f'{step:g} cm^-1 apart; compute the spectrum on a finer axis'
    )
  delta_L = np.arange(len(nu_L)) / (2 * len(nu_L) * step)
  A_L = window(delta_L, maximum_cm, apodisation).astype(jnp.result_type(float, spectrum_L))
  return jax.scipy.fft.idct(jax.scipy.fft.dct(spectrum_L, axis=-1) * A_L, axis=-1)


def _bessel_over_power(turns, count):
  """[j_0(a), j_1(a) / a, ..., j_{count-1}(a) / a^{count-1}], a = 2 pi turns."""
  phase = 2 * np.pi * (turns - jnp.round(turns))  # sin of a large angle keeps its digits
  a = jnp.maximum(2 * np.pi * jnp.abs(turns), 1.0)
  sine = jnp.where(turns < 0, -1, 1) * jnp.sin(phase)
  j = [sine / a, (sine / a - jnp.cos(phase)) / a]
  for n in range(1, count - 1):
    j.append((2 * n + 1) / a * j[n] - j[n - 1])
  return [jnp.where(a > n + 1, j[n] / a**n, _bessel_series(turns, n)) for n in range(count)]


def _bessel_series(turns, n):
  """j_n(a) / a^n = sum_k (-a^2/2)^k / (k! (2n + 2k + 1)!!)."""
  double = math.prod(range(1, 2 * n + 2, 2))
  coefficients = [1 / double]
  for k in range(1, SERIES_TERMS):
    coefficients.append(-coefficients[-1] / (2 * k * (2 * n + 2 * k + 1)))
  square = jnp.minimum(2 * np.pi * jnp.abs(turns), n + 1.0) ** 2
  return jnp.polyval(jnp.asarray(coefficients[::-1], square.dtype), square)


def _spacing(spectrum_L, nu_L) -> float:
  nu_L = np.asarray(nu_L, np.float64)
  if nu_L.ndim != 1 or len(nu_L) < 2 or np.shape(spectrum_L)[-1:] != nu_L.shape:
    raise ValueError(
      f'values have shape {np.shape(spectrum_L)} and wavenumbers {nu_L.shape}; expected values '
      '[..., L] on an axis [L] of at least 2 points; give the axis of these values'
    )
  step = (nu_L[-1] - nu_L[0]) / (len(nu_L) - 1)
  worst = np.abs(np.diff(nu_L) - step).max()
  if not (step > 0 and worst <= EVEN * step):
    raise ValueError(
      f'wavenumbers step by {step:g} cm^-1 on average and deviate by up to {worst:g}; expected an '
      'even ascending axis; resample the spectrum (one in nm is uneven in cm^-1)'
    )
  return float(step)


def _check(maximum_cm: float, apodisation: str) -> None:
  if apodisation not in APODISATIONS:
    raise ValueError(f'apodisation is {apodisation!r}, expected one of {", ".join(APODISATIONS)}')
  if not maximum_cm > 0:
    raise ValueError(
      f'the maximum retardation is {maximum_cm!r} cm, expected a positive length; a resolution of '
      'R cm^-1 is often quoted as 1 / R'
    )
