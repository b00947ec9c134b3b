"""Temperature in Raman spectra: occupation of harmonic modes, Stokes and anti-Stokes lines.

nu is the Raman shift and nu_L the laser, both in cm^-1, T in K, hc/k = 1.438776877 cm K. A detector
that counts photons sees the power 3 of the scattered wavenumber, one that measures energy the power
4 (Long, The Raman Effect (2002), ch. 5); nearly all spectrometers count. Resonance, self-absorption
and the response of the instrument at the two wavelengths are not in these formulae.
"""

import jax
import jax.numpy as jnp
import numpy as np

from spectra_jax.physics.constants import SECOND_RADIATION_CM_K

POWERS = {'photons': 3, 'energy': 4}
LASER_MIN = 5000.0  # cm^-1 (2 um): below, a laser was given in nm


def bose(nu: jax.Array, temperature: jax.Array) -> jax.Array:
  """n = 1 / (exp(hc nu / kT) - 1): mean quanta of a harmonic mode; nu > 0, T > 0."""
  return 1 / jnp.expm1(SECOND_RADIATION_CM_K * nu / temperature)


def stokes(
  activity: jax.Array, nu: jax.Array, temperature: jax.Array, *, laser: float, detector: str
) -> jax.Array:
  """(nu_L - nu)^p (1 + n) S / nu, the signal of lines of activity S up to one factor for all.

  p = 3 or 4 by the detector. In units of S cm^(1-p); nu > 0: the factor 1 / nu comes from the
  amplitude of a mode at rest.

  Raises:
    ValueError: another detector; a laser that is not above all (numpy) nu, or in nm.
  """
  power = _power(detector, nu, laser)
  fill = -1 / jnp.expm1(-SECOND_RADIATION_CM_K * nu / temperature)  # 1 + n
  return (laser - nu) ** power * fill * activity / nu


def anti_stokes_ratio(
  nu: jax.Array, temperature: jax.Array, *, laser: float, detector: str
) -> jax.Array:
  """I_anti-Stokes / I_Stokes = ((nu_L + nu) / (nu_L - nu))^p exp(-hc nu / kT), p = 3 or 4.

  Raises:
    ValueError: as `stokes`.
  """
  power = _power(detector, nu, laser)
  return ((laser + nu) / (laser - nu)) ** power * jnp.exp(-SECOND_RADIATION_CM_K * nu / temperature)


def temperature_of_ratio(
  ratio: jax.Array, nu: jax.Array, *, laser: float, detector: str
) -> jax.Array:
  """T = (hc nu / k) / (p ln((nu_L + nu) / (nu_L - nu)) - ln ratio) [K], the inverse of that.

  dT / T = (kT / hc nu) d ratio / ratio: at 2 kT / hc (417 cm^-1 at 300 K) one per cent of ratio is
  half a per cent of temperature. The power 4 where 3 is right reads 6.5 K too low at 532 nm and 300
  K, for every nu. Infinite or negative where the ratio is that of no temperature.

  Raises:
    ValueError: as `stokes`.
  """
  power = _power(detector, nu, laser)
  exponent = power * (jnp.log1p(nu / laser) - jnp.log1p(-nu / laser)) - jnp.log(ratio)
  return SECOND_RADIATION_CM_K * nu / exponent


def _power(detector: str, nu, laser: float) -> int:
  if detector not in POWERS:
    raise ValueError(f'detector is {detector!r}, expected one of {", ".join(POWERS)}')
  if isinstance(laser, jax.core.Tracer):
    return POWERS[detector]
  largest = 0.0 if isinstance(nu, jax.Array) else float(np.max(nu))
  if not laser > max(LASER_MIN, largest):
    raise ValueError(
      f'the laser is {laser:g}, expected cm^-1 above {max(LASER_MIN, largest):g}; convert nm by '
      '1e7 / nm'
    )
  return POWERS[detector]
