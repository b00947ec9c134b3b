"""Line shapes of unit area, and the broadening of line lists onto an axis.

All widths are full widths at half maximum [cm^-1]; a shape is a density [1/cm^-1] with
int shape(nu) dnu = 1 over the whole line, so a line of intensity A [X] becomes A shape(nu - nu0)
[X / cm^-1].
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

# FWHM of a Gaussian over its standard deviation.
FWHM_OVER_SIGMA = 2.0 * np.sqrt(2.0 * np.log(2.0))


def lorentz(offset: jax.Array, fwhm: float) -> jax.Array:
  """(g/pi) / (offset^2 + g^2), g = fwhm / 2; offset from the line's centre in cm^-1."""
  half = 0.5 * fwhm
  return (half / jnp.pi) / (offset**2 + half**2)


def gauss(offset: jax.Array, fwhm: float) -> jax.Array:
  """exp(-offset^2 / (2 s^2)) / (s sqrt(2 pi)), s = fwhm / (2 sqrt(2 ln 2))."""
  sigma = fwhm / FWHM_OVER_SIGMA
  return jnp.exp(-0.5 * (offset / sigma) ** 2) / (sigma * np.sqrt(2 * np.pi))


def voigt(offset: jax.Array, lorentz_fwhm: float, gauss_fwhm: float) -> jax.Array:
  """Re w(z) / (s sqrt(2 pi)), z = (offset + i g) / (s sqrt 2): Lorentz g convolved with Gauss s.

  w is the Faddeeva function. Values only: the float32 gradient of `jax.scipy.special.wofz` loses
  its digits for large |z|.
  """
  sigma = gauss_fwhm / FWHM_OVER_SIGMA
  z = (offset + 0.5j * lorentz_fwhm) / (sigma * np.sqrt(2))
  return jnp.real(jax.scipy.special.wofz(z)) / (sigma * np.sqrt(2 * np.pi))


SHAPES = {'lorentz': lorentz, 'gauss': gauss, 'voigt': voigt}


@functools.partial(jax.jit, static_argnames=('shape', 'widths'))
def broaden(
  position_BxK: jax.Array,
  intensity_BxK: jax.Array,
  axis_L: jax.Array,
  *,
  shape: str,
  widths: tuple[float, ...],
) -> jax.Array:
  """sum_k intensity_k shape(nu - position_k) for line lists padded with intensity 0.

  Args:
    position_BxK: line centres [cm^-1].
    intensity_BxK: integrated intensities [X].
    axis_L: wavenumbers [cm^-1].
    shape: 'lorentz', 'gauss' or 'voigt'.
    widths: (fwhm,), or (lorentz_fwhm, gauss_fwhm) for 'voigt' [cm^-1].

  Returns:
    spectra_BxL [X / cm^-1].
  """
  profile = SHAPES[shape]
  offset_BxKxL = axis_L - position_BxK[..., None]
  return jnp.einsum('bk,bkl->bl', intensity_BxK, profile(offset_BxKxL, *widths))
