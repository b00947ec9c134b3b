"""What the absorption beyond a window can add to its Kramers-Kronig transform: two closed forms.

A term of `kramers_kronig_bound`, which states the assumptions. Nothing here depends on how the
window itself is integrated. Host functions, float64.
"""

import numpy as np
import scipy.special

from spectra_jax.physics.kramers_kronig import Plan

_TERMS = 64  # of the power series in (nu / b)^2, whose rest is bounded


def truncation(
  plan: Plan,
  k_L: np.ndarray,
  low_max: float,
  high_max: float,
  high_power: float,
  edge_slope_max: float,
) -> tuple[np.ndarray, np.ndarray]:
  """(lower, upper) of the absorption beyond the window, less the tails of the plan.

  (2/pi) int_outside x Im chi / (x^2 - nu^2) dx: what lies below the window is negative there, what
  lies above it positive. Im chi leaves an edge between k +- edge_slope_max times the distance,
  until it meets low_max, the power law or zero.

  Args:
    plan, k_L: as `bound`, k in float64.
    low_max, high_max, high_power, edge_slope_max: as `bound`.
  """
  nu_L = plan.axis
  below_most, below_least = _below(nu_L, k_L[..., :1], low_max, edge_slope_max)
  above_most, above_least = _above(nu_L, k_L[..., -1:], high_max, high_power, edge_slope_max)
  tails_L = _tails(plan, k_L) if plan.tails == 'power_law' else 0.0
  return below_most + above_least - tails_L, below_least + above_most - tails_L


def _below(nu_L, edge, low_max, slope):
  a = nu_L[0]
  flat_to = np.maximum(a - (low_max - edge) / slope, 0)
  zero_to = np.maximum(a - edge / slope, 0)
  most_L = _line(nu_L, 0, flat_to, low_max, 0) + _line(nu_L, flat_to, a, edge + slope * a, -slope)
  return most_L, _line(nu_L, zero_to, a, edge - slope * a, slope)


def _above(nu_L, edge, high_max, power, slope):
  b = nu_L[-1]
  power_from = _meeting(edge, b, high_max, power, slope)
  zero_from = b + edge / slope
  rise_L = _line(nu_L, b, power_from, edge - slope * b, slope)
  fall_L = high_max * (b / power_from) ** power * _power(nu_L / power_from, power)
  return rise_L + fall_L, _line(nu_L, b, zero_from, edge + slope * b, -slope)


def _meeting(edge, b, high_max, power, slope):
  """Where edge + slope (x - b) meets high_max (b / x)^power; Newton from the left stays there."""
  x = np.full_like(edge, b)
  for _ in range(50):
    fall = high_max * (b / x) ** power
    x = x + np.maximum(fall - edge - slope * (x - b), 0) / (slope + power * fall / x)
  return x


def _line(nu_L, start, end, value, slope):
  """(2/pi) int_start^end x (value + slope x) / (x^2 - nu^2) dx, nu outside."""
  with np.errstate(divide='ignore', invalid='ignore'):
    near = np.log(np.abs((end - nu_L) / (start - nu_L)))
    far = np.log((end + nu_L) / (start + nu_L))
    return (value * (near + far) + slope * (2 * (end - start) + nu_L * (near - far))) / np.pi


def _power(v_L, power):
  """(2/pi) int_1^inf x^(1 - power) / (x^2 - v^2) dx, v < 1, from above by less than 0.5 %.

  = (2/pi) sum_m v^2m / (power + 2 m); less the logarithm of power 2 the terms fall as m^-2.
  """
  m = np.arange(_TERMS)
  square_L = np.minimum(v_L**2, 1 - 1e-15)
  rest = 0.5 * (scipy.special.digamma(_TERMS + 1) - scipy.special.digamma(_TERMS + power / 2))
  terms = np.append(1 / (power + 2 * m) - 1 / (2 * m + 2), max(rest, 0))
  logarithm_L = -np.log1p(-square_L) / (2 * square_L)
  return 2 / np.pi * (logarithm_L + np.polynomial.polynomial.polyval(square_L, terms))


def _tails(plan, k_L):
  """What 'power_law' adds to the window: k(a) x / a below it, k(b) (b / x)^3 above."""
  a, b, nu_L = plan.axis[0], plan.axis[-1], plan.axis
  v_L = nu_L / b
  with np.errstate(divide='ignore'):
    cube_L = 2 / np.pi * (np.arctanh(v_L) / v_L - 1) / v_L**2
  return _line(nu_L, 0, a, 0, k_L[..., :1] / a) + k_L[..., -1:] * cube_L
