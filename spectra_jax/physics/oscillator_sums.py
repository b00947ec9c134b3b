"""The sum rules of sets of lines, over all wavenumbers and on a window, in closed form.

Lines are damped oscillators, chi = sum f nu0^2 / (nu0^2 - nu^2 - i gamma nu), or Voigt pairs, chi =
sum i A [w(z-) - w(z+)]; e^{-i w t}, Im chi >= 0, nu in cm^-1. Each is causal, so that the f-sum,
the static sum and superconvergence (`sum_rules`) hold exactly; what is left to know is how much of
a sum a window sees. Fractions are of all absorption of these lines, tails included.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy.integrate import quad_vec
from scipy.special import wofz


class Sums(NamedTuple):
  """plasma: nu_p^2 [cm^-2]; static: chi(0) [1]."""

  plasma: jax.Array
  static: jax.Array


def of_oscillators(f_K: jax.Array, nu0_K: jax.Array) -> Sums:
  """(sum f nu0^2, sum f) of chi = sum f nu0^2 / (nu0^2 - nu^2 - i gamma nu), whatever gamma.

  Superconvergence holds exactly for them, and is not returned.
  """
  return Sums((f_K * nu0_K**2).sum(-1), f_K.sum(-1))


def of_oscillators_between(
  f_K: jax.Array, nu0_K: jax.Array, gamma_K: jax.Array, low: float, high: float
) -> Sums:
  """The part of both sums that is absorbed from `low` to `high` [cm^-1]; closed form.

  With c = sqrt(nu0^2 - gamma^2/4), h = gamma/2, q = c - i h, u = arg(nu - q), v = arg(nu + q*),
  l = ln|nu - q| - ln|nu + q*|: int nu Im chi = a [h l - c (u + v)], int Im chi / nu =
  -a [h l + c (u + v)] / nu0^2, a = f nu0^2 / 2c. 1e-7 of the total in float32.

  Args:
    f_K, nu0_K, gamma_K: static value, wavenumber, FWHM [cm^-1], along the last axis; gamma < 2 nu0.
    low, high: 0 <= low < high [cm^-1].

  Raises:
    ValueError: no window (traced ends are not looked at), or (numpy input only) a line with gamma
      >= 2 nu0, which does not ring.
  """
  _check_window(low, high)
  _check_ringing(nu0_K, gamma_K)
  half_K = 0.5 * gamma_K
  centre_K = jnp.sqrt((nu0_K - half_K) * (nu0_K + half_K))

  def at(nu):
    angle_K = jnp.arctan2(half_K, nu - centre_K) + jnp.arctan2(half_K, nu + centre_K)
    ratio_K = ((nu - centre_K) ** 2 + half_K**2) / ((nu + centre_K) ** 2 + half_K**2)
    return 0.5 * half_K * jnp.log(ratio_K), centre_K * angle_K

  (log_high, angle_high), (log_low, angle_low) = at(high), at(low)
  logs_K, angles_K = log_high - log_low, angle_low - angle_high
  amplitude_K = f_K / (np.pi * centre_K)
  return Sums(
    (amplitude_K * nu0_K**2 * (logs_K + angles_K)).sum(-1),
    (amplitude_K * (angles_K - logs_K)).sum(-1),
  )


def captured(f_K: jax.Array, nu0_K: jax.Array, gamma_K: jax.Array, low: float, high: float) -> Sums:
  """The fraction of the f-sum and of the static sum of oscillators that a window holds, 0 to 1.

  Raises:
    ValueError: as `of_oscillators_between`.
  """
  inside, whole = of_oscillators_between(f_K, nu0_K, gamma_K, low, high), of_oscillators(f_K, nu0_K)
  return Sums(inside.plasma / whole.plasma, inside.static / whole.static)


def captured_voigt(
  A_K: np.ndarray,
  nu0_K: np.ndarray,
  sigma_K: np.ndarray,
  hwhm_K: np.ndarray,
  low: float,
  high: float,
) -> Sums:
  """As `captured`, for chi = sum i A [w(z-) - w(z+)], z-+ = (nu -+ nu0 + i hwhm) / (sqrt2 sigma).

  On the host, in float64: the whole sums are closed forms, nu_p^2 = sqrt(8/pi) A sigma nu0 and
  chi(0) = 2 A Im w((nu0 + i hwhm) / (sqrt2 sigma)); the window is integrated adaptively, to 1e-9.

  Raises:
    ValueError: no window, or a line without a positive nu0 and sigma, or with A or hwhm below 0.
  """
  _check_window(low, high)
  A_K, nu0_K, sigma_K, hwhm_K = (np.asarray(v, np.float64) for v in (A_K, nu0_K, sigma_K, hwhm_K))
  if not ((nu0_K > 0) & (sigma_K > 0) & (A_K >= 0) & (hwhm_K >= 0)).all():
    raise ValueError(
      f'Voigt lines have nu0 {nu0_K}, sigma {sigma_K}, A {A_K}, hwhm {hwhm_K}; expected nu0, sigma '
      '> 0 and A, hwhm >= 0; a line without Gaussian width is one for `captured`'
    )
  width_K = np.sqrt(2) * sigma_K
  z = lambda nu: (nu + 1j * hwhm_K) / width_K
  absorbed = lambda nu: A_K * (wofz(z(nu - nu0_K)) - wofz(z(nu + nu0_K))).real
  integrand = lambda nu: np.stack([nu * absorbed(nu), absorbed(nu) / nu])
  near = np.concatenate([nu0_K + side * (sigma_K + hwhm_K) for side in (-6, 0, 6)])
  near = near[(near > low) & (near < high)]  # lest narrow lines fall between the nodes
  inside = quad_vec(integrand, low, high, epsrel=1e-10, points=near)[0].sum(-1) * 2 / np.pi
  plasma = (np.sqrt(8 / np.pi) * A_K * sigma_K * nu0_K).sum()
  static = (2 * A_K * wofz(z(nu0_K)).imag).sum()
  return Sums(inside[0] / plasma, inside[1] / static)


def _check_window(low: float, high: float) -> None:
  if isinstance(low, jax.core.Tracer) or isinstance(high, jax.core.Tracer):
    return
  if not 0 <= low < high:
    raise ValueError(
      f'the window is {low} to {high} cm^-1, expected 0 <= low < high; give it in cm^-1, ascending'
    )


def _check_ringing(nu0_K, gamma_K) -> None:
  if isinstance(nu0_K, jax.Array) or isinstance(gamma_K, jax.Array):
    return
  if not ((np.asarray(gamma_K) >= 0) & (np.asarray(gamma_K) < 2 * np.asarray(nu0_K))).all():
    raise ValueError(
      f'lines have nu0 {nu0_K} and gamma {gamma_K} cm^-1, expected 0 <= gamma < 2 nu0; correct the '
      'widths'
    )
