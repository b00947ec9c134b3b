"""Susceptibilities that obey the laws by construction: sums of damped oscillators.

e^{-i w t}: Im chi >= 0 for nu > 0; nu in cm^-1; chi is dimensionless. Two kinds, along K:

  lorentz   chi = sum f nu0^2 / (nu0^2 - nu^2 - i gamma nu)
  voigt     chi = -sum S / (2 c) [P(nu - c + i gamma/2, sigma) - P(nu + c + i gamma/2, sigma)]

P is a pole seen through a Gaussian (`faddeeva.smeared_pole`): the second is the first with its
centre c = sqrt(nu0^2 - gamma^2/4) spread by sigma, S = f nu0^2 [cm^-2] its squared plasma
wavenumber. In other letters it is sum i A [w(z-) - w(z+)], z-+ = (nu -+ c + i gamma/2) / (sqrt2
sigma), S = sqrt(8/pi) A sigma c (De Sousa Meneses et al. 2006,
doi:10.1016/j.jnoncrysol.2005.11.023).

Each line is a pole in the lower half plane and its mirror image, so exactly and for any parameters
S, gamma, sigma >= 0, c > 0:

  causality     Re chi = (2/pi) P int_0^inf x Im chi / (x^2 - nu^2) dx,  chi(-nu) = chi(nu)*
  passivity     Im chi >= 0
  f-sum         int_0^inf nu Im chi dnu = (pi/2) sum S
  static sum    (2/pi) int_0^inf Im chi / nu dnu = chi(0), real

A Gaussian spread of nu0 itself instead of c, `brendel_bormann`, keeps the first three and has no
static value: it counts oscillators of nu0 = 0. A damping that depends on nu keeps none.

Lines are summed one by one: memory is that of chi_BxL, forward and backward, whatever K.

Precision is that of the parameters. A float64 host axis keeps its digits with float32 parameters:
nu is then split in two numbers, so nu - c is right to 1e-7 of itself, not of nu.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from spectra_jax.physics import kramers_kronig
from spectra_jax.physics.faddeeva import smeared_pole

STEPS_A_WIDTH = 2.5  # a line narrower than this many grid steps has k fitted and n unknown


class Oscillators(NamedTuple):
  """Parameters of `voigt`, each [..., K].

  plasma: S, squared plasma wavenumber [cm^-2], >= 0.
  centre: c [cm^-1], > 0.
  gamma: FWHM of the Lorentzian part [cm^-1], >= 0.
  sigma: standard deviation of the Gaussian part [cm^-1], >= 0; not both widths 0.
  """

  plasma: jax.Array
  centre: jax.Array
  gamma: jax.Array
  sigma: jax.Array


def lorentz(
  nu_L: np.ndarray, f_BxK: jax.Array, nu0_BxK: jax.Array, gamma_BxK: jax.Array
) -> jax.Array:
  """chi_BxL = sum_k f nu0^2 / ((nu0 - nu)(nu0 + nu) - i gamma nu), complex.

  The factors keep their digits where nu0^2 - nu^2 loses them: 3e-7 of max|chi| in float32.

  Args:
    nu_L: wavenumbers [cm^-1], any axis >= 0.
    f_BxK, nu0_BxK, gamma_BxK: static value, wavenumber, FWHM [cm^-1]; overdamped ones too.

  Raises:
    ValueError: an axis that is no axis, or (numpy parameters only; traced values cannot be looked
      at) f < 0, nu0 <= 0 or gamma <= 0.
  """
  _check_axis(nu_L)
  _check('f, nu0, gamma', (f_BxK, nu0_BxK, gamma_BxK), (0, None, None))
  parameters = _broadcast(f_BxK, nu0_BxK, gamma_BxK)
  high_L, low_L = _split(nu_L, parameters[0].dtype)

  def term(f, nu0, gamma):
    detuning = ((nu0 - high_L) - low_L) * ((nu0 + high_L) + low_L)
    damping = gamma * (high_L + low_L)
    scale = f * nu0**2 / (detuning**2 + damping**2)
    return jax.lax.complex(scale * detuning, scale * damping)

  return _sum(term, parameters)


def voigt(nu_L: np.ndarray, oscillators: Oscillators) -> jax.Array:
  """chi_BxL = -sum_k S / (2 c) [P(nu - c + i gamma/2) - P(nu + c + i gamma/2)], complex.

  With sigma = 0 it is `lorentz` of nu0^2 = c^2 + gamma^2/4, f = S / nu0^2, exactly; all derivatives
  are finite there too. 1e-6 of max|chi| in float32; where gamma << sigma, Im chi in the far wing of
  the Gaussian may be -1e-7 of the maximum by rounding.

  Args:
    nu_L: wavenumbers [cm^-1], any axis >= 0.
    oscillators: parameters [..., K].

  Raises:
    ValueError: an axis that is no axis, or (numpy parameters only) those of `Oscillators` out of
      their ranges.
  """
  _check_axis(nu_L)
  _check('plasma, centre, gamma, sigma', oscillators, (0, None, 0, 0))
  parameters = _broadcast(*oscillators)
  high_L, low_L = _split(nu_L, parameters[0].dtype)

  def term(plasma, centre, gamma, sigma):
    offset = (high_L - jnp.stack([centre, -centre])) + low_L
    half = jnp.broadcast_to(0.5 * gamma, offset.shape)
    pole, mirrored = smeared_pole(jax.lax.complex(offset, half), sigma)
    return -0.5 * (plasma / centre) * (pole - mirrored)

  return _sum(term, parameters)


def sums(oscillators: Oscillators) -> tuple[jax.Array, jax.Array]:
  """(sum S [cm^-2], chi(0)) of `voigt`: (2/pi) times the f-sum, and the static sum; [...].

  chi(0) = sum (S / c) Re P(c + i gamma/2, sigma), which is sum f at sigma = 0.
  """
  plasma, centre, gamma, sigma = oscillators
  pole = smeared_pole(jax.lax.complex(*_broadcast(centre, 0.5 * gamma)), sigma)
  return plasma.sum(-1), (plasma / centre * jnp.real(pole)).sum(-1)


def with_residual(
  plan: kramers_kronig.Plan, chi_BxL: jax.Array, residual_BxL: jax.Array
) -> jax.Array:
  """chi + T[r] + i r: what lines leave over, r >= 0, with the dispersion that belongs to it.

  Non-negative Lorentzians alone fit a Gaussian band badly; lines for what is sharp and r for the
  rest fit any k >= 0 and stay causal. The boundary assumptions of r are the plan's.

  Args:
    plan: `kramers_kronig.plan` of the axis.
    chi_BxL: susceptibility of the lines on that axis.
    residual_BxL: r, Im chi of the rest, >= 0 there.
  """
  return chi_BxL + jax.lax.complex(kramers_kronig.transform(plan, residual_BxL), residual_BxL)


def refractive_index(chi_BxL: jax.Array, eps_inf: jax.Array) -> jax.Array:
  """n + i k = sqrt(eps_inf + chi), on the branch Re >= 0, which for Im chi >= 0 has k >= 0.

  Args:
    chi_BxL: complex, Im chi >= 0.
    eps_inf: real, > 0: what lies above all lines of chi.
  """
  return jnp.sqrt(eps_inf + chi_BxL)


def narrowest(nu_L: np.ndarray) -> float:
  """The least gamma [cm^-1] that points on this axis determine: 2.5 of their largest step.

  A narrower line can match k on the points to 1e-8 while n is 13 to 30 times wrong.

  Raises:
    ValueError: an axis that is no axis.
  """
  _check_axis(nu_L)
  return STEPS_A_WIDTH * float(np.max(np.diff(np.asarray(nu_L, np.float64))))


def brendel_bormann(nu_L: np.ndarray, oscillators: Oscillators) -> jax.Array:
  """int N(x; c, sigma) S / (x^2 - nu^2 - i gamma nu) dx: NOT a dielectric, infinite at nu = 0.

  -S / (2 a) [P(a - c, sigma) + P(a + c, sigma)], a = sqrt(nu^2 + i gamma nu), Im a > 0 (Brendel &
  Bormann 1992, doi:10.1063/1.350737; fits of films by Kischkat et al. 2012,
  doi:10.1364/AO.51.006789). An average of Lorentz oscillators: with both terms it is causal and
  keeps the f-sum (1e-13, by quadrature at sigma / c = 0.35), with the first alone neither. But the
  Gaussian reaches x = 0, so chi grows as S exp(-c^2 / (2 sigma^2)) / (sigma sqrt(nu)) there and the
  static sum is infinite. A negative control: use `voigt`.

  Args:
    nu_L: wavenumbers > 0 [cm^-1].
    oscillators: parameters as of `voigt`.
  """
  _check_axis(nu_L)
  parameters = _broadcast(*oscillators)
  nu_L = jnp.asarray(nu_L, parameters[0].dtype)

  def term(plasma, centre, gamma, sigma):
    damping = gamma * nu_L
    root = jnp.sqrt(jax.lax.complex(jnp.broadcast_to(nu_L**2, damping.shape), damping))
    pair = smeared_pole(root - centre, sigma) + smeared_pole(root + centre, sigma)
    return -0.5 * plasma / root * pair

  return _sum(term, parameters)


# ---- sums over lines --------------------------------------------------------


def _sum(term: Callable, parameters: tuple) -> jax.Array:
  """sum_k term(parameters_k), line by line; recomputed, not stored, for the gradient.

  One line at a time is a loop over [B, L] that vectorises; summed over K in one go, the compiler
  evaluates the lines inside the reduction, 8 times slower for Faddeeva functions on a CPU.
  """
  one = lambda line: term(*(p[..., None] for p in line))
  lines = tuple(jnp.moveaxis(p, -1, 0) for p in parameters)
  total = jax.eval_shape(one, tuple(p[0] for p in lines))
  step = jax.checkpoint(lambda chi_BxL, line: (chi_BxL + one(line), None))
  return jax.lax.scan(step, jnp.zeros(total.shape, total.dtype), lines)[0]


def _broadcast(*parameters) -> tuple[jax.Array, ...]:
  """All of one shape and of one precision, a float type; at least one line axis."""
  dtype = jnp.result_type(float, *parameters)
  return tuple(jnp.broadcast_arrays(*(jnp.atleast_1d(jnp.asarray(p, dtype)) for p in parameters)))


def _split(nu_L, dtype) -> tuple[jax.Array, jax.Array]:
  """nu = high + low, exact beyond `dtype` for a host array."""
  if isinstance(nu_L, jax.Array):
    return nu_L.astype(dtype), jnp.zeros((), dtype)
  high_L = np.asarray(nu_L, np.float64).astype(dtype)
  return high_L, (np.asarray(nu_L, np.float64) - high_L).astype(dtype)


# ---- checks -----------------------------------------------------------------


def _check_axis(nu_L) -> None:
  if np.ndim(nu_L) != 1 or np.size(nu_L) < 1:
    raise ValueError(f'wavenumbers have shape {np.shape(nu_L)}, expected [L]; give one axis')
  if isinstance(nu_L, jax.Array):
    return
  nu_L = np.asarray(nu_L)
  bad = np.flatnonzero(~(np.isfinite(nu_L) & (nu_L >= 0)))
  if len(bad):
    raise ValueError(
      f'nu[{bad[0]}] is {nu_L[bad[0]]} cm^-1, expected finite wavenumbers >= 0; chi(-nu) is the '
      'conjugate of chi(nu)'
    )


def _check(names: str, values: tuple, least: tuple) -> None:
  """Values are at least their `least`, or more than 0 where that is None; numpy values only."""
  for name, value, low in zip(names.split(', '), values, least, strict=True):
    if isinstance(value, jax.Array):
      continue
    value = np.asarray(value)
    if not (np.isfinite(value) & ((value > 0) if low is None else (value >= low))).all():
      wanted = 'finite and > 0' if low is None else f'finite and >= {low}'
      raise ValueError(f'{name} is {value}, expected {wanted}; correct or drop these lines')
