"""Sum rules of absorption: what they say over all wavenumbers, and what a window supports.

Convention e^{-i w t}, Im eps >= 0, k >= 0, nu in cm^-1, nu_p the plasma wavenumber:

  f-sum             int_0^inf nu Im eps = (pi/2) nu_p^2, int nu k = int nu n k = (pi/4) nu_p^2,
                    int alpha = int n alpha = pi^2 nu_p^2 = pi r_e N, alpha = 4 pi nu k [1/cm]
  static            (2/pi) int_0^inf Im chi / nu = chi(0)
  superconvergence  int_0^inf Re chi = 0
  inertial          int_0^inf (n - n_inf) = 0

N electrons / cm^3, r_e the classical electron radius (Altarelli, Dexter, Nussenzveig and Smith,
Phys. Rev. B 6, 4502 (1972); Altarelli and Smith, Phys. Rev. B 9, 1290 (1974)). With k or alpha
alone they hold over all wavenumbers only: partial sums of them lack the factor n that absorption
above the window lends.

A WINDOW supports partial sums, which grow with nu, and upper bounds on them: `partial_sums`,
`partial_static`, `log_partial_sums`, `excess`. The equalities hold from 0 to infinity: `f_sum`,
`static_sum`, `superconvergence` and `inertial` take `span`, refuse 'window', and refuse 'complete'
for an axis of less than four decades, or where a value that is not traced has not died out at its
ends. Traced values cannot be looked at: there only the axis is checked.

Oscillators obey all of these by construction; their sums, on a window too, are the closed forms of
`oscillator_sums`. nu_p^2 as a density of electrons, and the F-sum of a molecule: `intensities`.
"""

import jax
import jax.numpy as jnp
import numpy as np

# Quantity -> (power of nu under the integral, what makes the integral nu_p^2).
QUANTITIES = {
  'im_eps': (1, 2 / np.pi),
  'k': (1, 4 / np.pi),
  'nk': (1, 4 / np.pi),
  'alpha': (0, 1 / np.pi**2),
  'n_alpha': (0, 1 / np.pi**2),
}
SPANS = ('window', 'complete')
DECADES = 4.0  # that an axis must cover to be called complete
LEFT_OVER = 1e-2  # largest end * |integrand at that end| over int |integrand| of what has died out


# ---- what a window supports -------------------------------------------------


def partial_sums(axis_L: np.ndarray, values_BxL: jax.Array, quantity: str) -> jax.Array:
  """nu_p^2(nu) = c int_a^nu x^p values dx, [..., L] in cm^-2, never decreasing for values >= 0.

  p = 1, c = 2/pi for 'im_eps', 4/pi for 'k' and 'nk'; p = 0, c = 1/pi^2 for 'alpha' and 'n_alpha'
  [1/cm]. `density_of_plasma` makes it electrons / cm^3 that take part up to nu. Nothing is assumed
  outside the axis. Values are taken as straight lines between points, for which the integral is
  exact; on an even grid with 2, 4, 8 points a FWHM the sum past a Lorentzian is off by 4e-3, 7e-6,
  4e-11 of it, and by at most 1.3e-2, 4e-3, 1.1e-3 in the middle of the line. float32 adds 3e-7.

  Args:
    axis_L: ascending wavenumbers >= 0 [cm^-1], even or not.
    values_BxL: the quantity along the last axis.
    quantity: 'im_eps', 'k', 'nk', 'alpha' or 'n_alpha'.

  Raises:
    ValueError: a quantity or an axis that is none, or (numpy values only) values that are not
      finite or are negative.
  """
  if quantity not in QUANTITIES:
    raise ValueError(
      f'quantity is {quantity!r}, expected one of {", ".join(QUANTITIES)}; a Raman spectrum or a '
      'decadic absorbance has no f-sum, convert the absorbance to alpha or k first'
    )
  power, scale = QUANTITIES[quantity]
  _check(axis_L, values_BxL, power, passive=True)
  return scale * _cumulative(axis_L, values_BxL, power)


def partial_static(axis_L: np.ndarray, im_chi_BxL: jax.Array) -> jax.Array:
  """(2/pi) int_a^nu Im chi / x dx, [..., L]: the part of chi(0) from below nu; a lower bound of it.

  Raises:
    ValueError: as `partial_sums`; an axis that starts at 0.
  """
  _check(axis_L, im_chi_BxL, -1, passive=True)
  return 2 / np.pi * _cumulative(axis_L, im_chi_BxL, -1)


def log_partial_sums(
  axis_L: np.ndarray, values_BxL: jax.Array, quantity: str, *, floor: float
) -> jax.Array:
  """ln(nu_p^2(nu) + floor), whose differences are relative errors of partial sums.

  Args:
    axis_L, values_BxL, quantity: as `partial_sums`.
    floor: cm^-2, where sums are too small to matter; the first point has the sum 0.

  Raises:
    ValueError: as `partial_sums`; a floor that is not positive.
  """
  if not floor > 0:
    raise ValueError(
      f'floor is {floor} cm^-2, expected a positive one, as the first partial sum is 0; take a '
      'thousandth of a typical total'
    )
  return jnp.log(partial_sums(axis_L, values_BxL, quantity) + floor)


def excess(sum_B: jax.Array, bound: jax.Array) -> jax.Array:
  """max(sum - bound, 0) / bound: how far a sum on a window exceeds what all wavenumbers have.

  The one inequality that a window supports: absorption outside it can only add.
  """
  return jnp.maximum(sum_B - bound, 0) / bound


# ---- what holds from 0 to infinity ------------------------------------------


def f_sum(
  axis_L: np.ndarray, values_BxL: jax.Array, quantity: str, plasma: jax.Array, *, span: str
) -> jax.Array:
  """(nu_p^2 of the values - plasma) / plasma, [...]; 0 where the f-sum holds.

  Args:
    axis_L, values_BxL, quantity: as `partial_sums`.
    plasma: nu_p^2 [cm^-2] that all absorption has.
    span: 'complete', the caller's word that nothing is absorbed outside the axis.

  Raises:
    ValueError: as `partial_sums`; span 'window'; a complete axis that is not (see the module).
  """
  found = partial_sums(axis_L, values_BxL, quantity)[..., -1]
  _check_complete('the f-sum', axis_L, values_BxL, QUANTITIES[quantity][0], span)
  return (found - plasma) / plasma


def static_sum(
  axis_L: np.ndarray, im_chi_BxL: jax.Array, chi_0: jax.Array, *, span: str
) -> jax.Array:
  """((2/pi) int Im chi / nu - chi(0)) / chi(0), [...]; 0 where the static sum rule holds.

  Raises:
    ValueError: as `f_sum`.
  """
  found = partial_static(axis_L, im_chi_BxL)[..., -1]
  _check_complete('the static sum rule', axis_L, im_chi_BxL, -1, span)
  return (found - chi_0) / chi_0


def superconvergence(axis_L: np.ndarray, re_chi_BxL: jax.Array, *, span: str) -> jax.Array:
  """int Re chi / int |Re chi|, [...], -1 to 1; 0 for every causal chi of finite strength.

  Raises:
    ValueError: as `f_sum`.
  """
  _check(axis_L, re_chi_BxL, 0, passive=False)
  _check_complete('superconvergence', axis_L, re_chi_BxL, 0, span)
  total = _cumulative(axis_L, re_chi_BxL, 0)[..., -1]
  return total / _cumulative(axis_L, jnp.abs(re_chi_BxL), 0)[..., -1]


def inertial(axis_L: np.ndarray, n_BxL: jax.Array, n_inf: jax.Array, *, span: str) -> jax.Array:
  """int (n - n_inf) / int |n - n_inf|, [...], -1 to 1; 0 for every causal n (Altarelli 1972).

  n_inf is that of infinite wavenumber, 1 in truth; a model with a constant eps_inf has sqrt of it.

  Raises:
    ValueError: as `f_sum`.
  """
  _check(axis_L, n_BxL, 0, passive=False)
  excess_BxL = jnp.asarray(n_BxL) - n_inf
  _check_complete('the inertial sum rule', axis_L, excess_BxL, 0, span)
  total = _cumulative(axis_L, excess_BxL, 0)[..., -1]
  return total / _cumulative(axis_L, jnp.abs(excess_BxL), 0)[..., -1]


# ---- quadrature and checks --------------------------------------------------


def _cumulative(axis_L, values_BxL, power: int) -> jax.Array:
  """int_a^nu x^power values dx, exact for values that are straight between points."""
  values_BxL = jnp.asarray(values_BxL)
  left_L, right_L = (jnp.asarray(w, values_BxL.dtype) for w in cell_weights(axis_L, power))
  cells_BxL = left_L * values_BxL[..., :-1] + right_L * values_BxL[..., 1:]
  return jnp.concatenate([jnp.zeros_like(values_BxL[..., :1]), jnp.cumsum(cells_BxL, -1)], -1)


def cell_weights(axis_L: np.ndarray, power: int) -> tuple[np.ndarray, np.ndarray]:
  """What the left and the right end of a cell count for in int x^power values dx, float64 [L - 1].

  Exact for values that are straight between points, never negative. The axis is not checked here:
  ascending, and above 0 for the power -1; power is 1, 0 or -1.
  """
  axis_L = np.asarray(axis_L, np.float64)
  a, b, h = axis_L[:-1], axis_L[1:], np.diff(axis_L)
  if power == 0:
    return 0.5 * h, 0.5 * h
  if power == 1:
    return h * (2 * a + b) / 6, h * (a + 2 * b) / 6
  log = np.log1p(h / a)
  return b / h * log - 1, 1 - a / h * log


def _check_axis(axis_L) -> None:
  if isinstance(axis_L, jax.core.Tracer):
    raise ValueError(
      f'the axis is traced ({axis_L.aval}), expected numbers, as weights are made of it in float64 '
      'before the program runs; close over a numpy axis'
    )
  axis_L = np.asarray(axis_L)
  if axis_L.ndim != 1 or len(axis_L) < 2 or not (np.diff(axis_L) > 0).all():
    raise ValueError(
      f'the axis has shape {axis_L.shape} and runs {axis_L.flat[0]} to {axis_L.flat[-1]}; expected '
      '[L] ascending wavenumbers in cm^-1; convert nm by 1e7 / nm, and flip it with the values'
    )


def _check(axis_L, values_BxL, power: int, passive: bool) -> None:
  _check_axis(axis_L)
  first = 'at least 0' if power >= 0 else 'more than 0'
  if axis_L[0] < 0 or (power < 0 and axis_L[0] == 0):
    raise ValueError(
      f'the axis starts at {axis_L[0]:g} cm^-1, expected {first} under this integral; drop the '
      'points below'
    )
  if np.shape(values_BxL)[-1:] != np.shape(axis_L):
    raise ValueError(
      f'values have shape {np.shape(values_BxL)}, expected [..., {len(axis_L)}] on this axis; give '
      'the axis of these values'
    )
  if isinstance(values_BxL, jax.Array):
    return
  worst = np.asarray(values_BxL).flat[np.argmin(values_BxL)]  # NaN counts as the smallest
  if not np.isfinite(values_BxL).all() or (passive and worst < 0):
    raise ValueError(
      f'values reach down to {worst:g}, expected finite ones{" >= 0" if passive else ""} '
      'everywhere; mask or interpolate what is missing, and correct the baseline'
    )


def _check_complete(rule: str, axis_L, values_BxL, power: int, span: str) -> None:
  if span not in SPANS:
    raise ValueError(f'span is {span!r}, expected one of {", ".join(SPANS)}')
  low, high = float(axis_L[0] or axis_L[1]), float(axis_L[-1])
  decades = np.log10(high / low)
  if span == 'window' or decades < DECADES:
    raise ValueError(
      f'{rule} holds from 0 to infinity, but the {span} axis covers {low:g} to {high:g} cm^-1, '
      f'{decades:.1f} decades, expected span="complete" and at least {DECADES:g}; on a window use '
      'partial sums and `excess`, or the closed forms of oscillators'
    )
  if isinstance(values_BxL, jax.core.Tracer):
    return
  axis_L, values_BxL = np.asarray(axis_L, np.float64), np.abs(np.asarray(values_BxL, np.float64))
  left_L, right_L = cell_weights(axis_L, power)
  total = values_BxL[..., :-1] @ left_L + values_BxL[..., 1:] @ right_L
  for end in (0, -1):
    first = axis_L[end] ** (power + 1) * values_BxL[..., end]
    if not (first <= LEFT_OVER * total).all():
      raise ValueError(
        f'at {axis_L[end]:g} cm^-1 the integrand of {rule} still is {np.max(first / total):.1e} of '
        f'the whole a decade, expected at most {LEFT_OVER:g}; extend the axis, or treat it as a '
        'window'
      )
