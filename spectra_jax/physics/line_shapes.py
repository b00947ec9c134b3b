"""Line shapes, symmetric and not, and the broadening of line lists onto an axis.

All widths are full widths at half maximum [cm^-1]; a shape is a density [1/cm^-1] with
int shape(nu) dnu = 1 over the whole line, so a line of intensity A [X] becomes A shape(nu - nu0)
[X / cm^-1]. What is asymmetric has another area, which its docstring gives.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from spectra_jax.physics.faddeeva import smeared_pole

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

  w is the Faddeeva function; computed as -Im of a pole seen through the Gaussian, so that both
  limits are exact: gauss_fwhm = 0 gives `lorentz`, lorentz_fwhm = 0 `gauss`. All derivatives are
  safe, in both widths down to 0; in float32 the error is 1e-6 of the maximum.
  """
  half = 0.5 * jnp.asarray(lorentz_fwhm, jnp.result_type(float, offset))
  zeta = jax.lax.complex(*jnp.broadcast_arrays(jnp.asarray(offset, half.dtype), half))
  return -jnp.imag(smeared_pole(zeta, gauss_fwhm / FWHM_OVER_SIGMA)) / np.pi


def voigt_fwhm(lorentz_fwhm: jax.Array, gauss_fwhm: jax.Array) -> jax.Array:
  """0.5346 a + sqrt(0.2166 a^2 + b^2): the FWHM of `voigt` to 0.02 %.

  Olivero & Longbothum 1977, doi:10.1016/0022-4073(77)90161-3.
  """
  return 0.5346 * lorentz_fwhm + jnp.sqrt(0.2166 * lorentz_fwhm**2 + gauss_fwhm**2)


# ---- asymmetric -------------------------------------------------------------


def pseudo_voigt(offset: jax.Array, fwhm: jax.Array, lorentz_fraction: jax.Array) -> jax.Array:
  """f lorentz + (1 - f) gauss of one width, of which the sum has the same; 0 <= f <= 1."""
  parts = lorentz_fraction * lorentz(offset, fwhm), (1 - lorentz_fraction) * gauss(offset, fwhm)
  return parts[0] + parts[1]


def sigmoidal_width(offset: jax.Array, fwhm: jax.Array, asymmetry: jax.Array) -> jax.Array:
  """2 fwhm / (1 + exp(a offset)) [cm^-1], a = asymmetry [cm]: from 2 fwhm down to 0 across a line.

  Stancik & Brauns 2008, doi:10.1016/j.vibspec.2008.02.009. a > 0 leans the line to low wavenumbers.
  """
  return 2 * fwhm * jax.nn.sigmoid(-asymmetry * offset)


def asymmetric(
  offset: jax.Array, fwhm: jax.Array, asymmetry: jax.Array, lorentz_fraction: jax.Array
) -> jax.Array:
  """`pseudo_voigt` whose width is `sigmoidal_width` at each offset.

  A description of measured bands, not a physical response: its height at offset 0 is the symmetric
  line's, its area is not 1 (a fwhm = 0.5: 1.010 for a Gaussian, 0.989 for a Lorentzian; at 1: 1.024
  and 0.966), and it has no susceptibility to go with it. Where the width underflows, a offset > 20,
  the line has ended: 0.
  """
  width = sigmoidal_width(offset, fwhm, asymmetry)
  narrow = width < 4e-9 * fwhm
  shape = pseudo_voigt(offset, jnp.where(narrow, fwhm, width), lorentz_fraction)
  return jnp.where(narrow, 0.0, shape)


def fano(offset: jax.Array, fwhm: jax.Array, q: jax.Array) -> jax.Array:
  """lorentz (q^2 - 1 + 2 q e) / (q^2 + 1), e = 2 offset / fwhm: a line beside its own background.

  (q + e)^2 / (1 + e^2) = 1 + (pi/2) fwhm (q^2 + 1) fano(offset, fwhm, q) (Fano 1961,
  doi:10.1103/PhysRev.124.1866). q -> +-inf is a Lorentzian, q = 0 its negative (a window), q = +-1
  dispersive. Area (q^2 - 1) / (q^2 + 1), between limits equally far from the centre.
  """
  mixed = (q * q - 1) + 4 * q * offset / fwhm
  return lorentz(offset, fwhm) * (mixed / (q * q + 1))


# ---- line lists -------------------------------------------------------------

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
