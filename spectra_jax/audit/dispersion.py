"""n and k of one sample: what no absorption outside the window could explain.

With T the Kramers-Kronig transform of the window a .. b, r = n - T k is what absorbs elsewhere,

  r(nu) = n_inf + (2/pi) int_outside x k(x) / (x^2 - nu^2) dx,   k(x) >= 0,

so dr/dnu = (4 nu/pi) int_outside x k / (x^2 - nu^2)^2 dx >= 0. Two laws follow.

`passive`: r never falls, however strongly and wherever the rest absorbs. It rests on k >= 0 and on
the error of the quadrature alone.

`bounded`: r lies in the interval of `physics.kramers_kronig_bound` about c0 + c1 nu^-2 + c2 nu^2,
c1 <= 0 <= c2 (what absorbs far outside), for some c, which a linear program finds: it gives the
least factor by which the interval must be stretched. Assumptions on what lies next to the window
are the caller's, or taken from k of the row: lines half as wide as its narrowest feature, outside
no stronger and no steeper than inside. Where k < 0, a law of its own, the error is that of k = 0.
"""

from collections.abc import Iterator
from typing import NamedTuple

import jax
import numpy as np
import scipy.optimize

from spectra_jax.audit.assumptions import LABELS, Assumptions, unfit
from spectra_jax.audit.findings import Finding, NotTested
from spectra_jax.audit.predictions import Predictions, rounding
from spectra_jax.interferogram import spacing
from spectra_jax.losses import kramers_kronig as loss
from spectra_jax.physics import kramers_kronig as kk
from spectra_jax.physics import kramers_kronig_bound as error_bound

POINTS = 256  # of the linear program: fewer constraints find fewer violations, never false ones
NARROWER = 0.5  # than the narrowest feature that is seen, when no width is stated


class Outside(NamedTuple):
  """Assumptions of one row, as `physics.kramers_kronig_bound.interval` takes them."""

  hwhm_min: float
  low_max: float
  high_max: float
  high_power: float
  edge_slope_max: float


def kramers_kronig(
  predictions: Predictions, assumptions: Assumptions
) -> Iterator[Finding | NotTested]:
  """Both laws of the module, on n and k; refused for any other kind, absorbance alone included."""
  values = predictions.values
  if not {'n', 'k'} <= set(values):
    kind = next((kind for kind in ('k', 'absorbance', 'ir') if kind in values), next(iter(values)))
    yield NotTested('kramers_kronig', unfit(loss.DOMAIN, kind, state=assumptions.state))
    return
  why = unfit(loss.DOMAIN, 'n', 'k', state=assumptions.state) or _uneven(predictions.axis)
  if why:
    yield NotTested('kramers_kronig/n+k', why)
    return
  n_NxL, k_NxL = np.float64(values['n']), np.float64(values['k'])
  plan = kk.plan(predictions.axis, tails='none')
  with jax.enable_x64(True):
    rest_NxL = n_NxL - np.asarray(kk.transform(plan, k_NxL))
  rows = [_outside(predictions, assumptions, k_L) for k_L in np.maximum(k_NxL, 0)]
  slack_N = _slack(values, assumptions)
  yield _passive(plan, rest_NxL, k_NxL, n_NxL, rows, slack_N)
  yield _bounded(plan, rest_NxL, k_NxL, n_NxL, rows, slack_N)


def _uneven(axis_L) -> str | None:
  try:
    kk.plan(axis_L, tails='none')
  except ValueError as reason:
    return str(reason)
  return None


def _slack(values, assumptions) -> np.ndarray:
  """[N, 1] rounding of n and of what k is transformed from, and the tolerance, in the unit of n."""
  k_NxL = values['k']
  of_k = error_bound.rounding(np.float64(k_NxL), k_NxL.dtype)
  spread_N = np.ptp(np.float64(values['n']), axis=-1)
  return (rounding(values['n']) + assumptions.tolerance * spread_N)[:, None] + of_k


# ---- r never falls ----------------------------------------------------------


def _passive(plan, rest_NxL, k_NxL, n_NxL, rows, slack_Nx1) -> Finding:
  error_NxL = slack_Nx1 + _each_row(_quadrature, plan, k_NxL, rows)
  error_NxL[:, [0, -1]] = np.inf
  spread_N = _spread(n_NxL)
  fall_NxL = fall(rest_NxL, error_NxL) / spread_N[:, None]
  return Finding(
    'kramers_kronig_passive/n+k',
    fall_NxL.max(-1),
    np.zeros(len(rows)),
    'of the spread of n',
    f'n - T k never falls, whatever absorbs outside; {_widths(rows)}; error of the transform at '
    f'most {np.median(error_NxL[:, 1:-1] / spread_N[:, None]):.1e} of the spread of n (median)',
    {'n': n_NxL, 'n - T k': rest_NxL},
    fall_NxL > 0,
    LABELS['n'],
  )


def fall(rest_NxL: np.ndarray, error_NxL: np.ndarray) -> np.ndarray:
  """How far r, known to +- error, certainly is below an earlier value; < 0 where it is not."""
  certain_NxL = np.maximum.accumulate(rest_NxL - error_NxL, axis=-1)
  return certain_NxL - (rest_NxL + error_NxL)


# ---- r within the bound -----------------------------------------------------


def _bounded(plan, rest_NxL, k_NxL, n_NxL, rows, slack_Nx1) -> Finding:
  width_NxL = slack_Nx1 + _each_row(_quadrature, plan, k_NxL, rows)
  lower_NxL, upper_NxL = _each_row(_truncation, plan, k_NxL, rows).transpose(1, 0, 2)
  lower_NxL, upper_NxL = lower_NxL - width_NxL, upper_NxL + width_NxL
  solved = [stretch(plan.axis, *rows) for rows in zip(rest_NxL, lower_NxL, upper_NxL, strict=True)]
  factor_N, fit_NxL = np.array([s for s, _ in solved]), np.stack([fit for _, fit in solved])
  below_NxL, above_NxL = fit_NxL + lower_NxL - rest_NxL, rest_NxL - fit_NxL - upper_NxL
  where_NxL = np.maximum(below_NxL, above_NxL) > 0
  where_NxL &= (factor_N > 1)[:, None]
  half_NxL = (upper_NxL[:, 1:-1] - lower_NxL[:, 1:-1]) / 2
  span = lambda name: _span([getattr(row, name) for row in rows])
  return Finding(
    'kramers_kronig_bounded/n+k',
    factor_N,
    np.ones(len(rows)),
    'times the bound',
    f'{_widths(rows)}; outside k <= {span("low_max")} below, <= {span("high_max")} (b/nu)^'
    f'{rows[0].high_power:g} above, no steeper than {span("edge_slope_max")} cm beyond the edges; '
    f'the bound is {np.median(half_NxL / _spread(n_NxL)[:, None]):.1e} of the spread of n (median)',
    {
      'n - T k - fit': rest_NxL - fit_NxL,
      'least allowed': _finite(lower_NxL),
      'most allowed': _finite(upper_NxL),
    },
    where_NxL,
    'n - T k - fit',
  )


def stretch(
  nu_L: np.ndarray, rest_L: np.ndarray, lower_L: np.ndarray, upper_L: np.ndarray
) -> tuple[float, np.ndarray]:
  """(s, fit_L): least s for which |rest - fit - middle| <= s half at all points, and that fit.

  fit = c0 + c1 nu^-2 + c2 nu^2, c1 <= 0 <= c2, by linear programming over at most POINTS points
  spread over the window; s <= 1 where the pair obeys the bound.

  Args:
    nu_L, rest_L: wavenumbers and n - T k.
    lower_L, upper_L: of the interval; infinite at points that say nothing.
  """
  inside = np.flatnonzero(np.isfinite(lower_L) & np.isfinite(upper_L))
  at = inside[np.unique(np.linspace(0, len(inside) - 1, POINTS).astype(int))]
  middle_P, half_P = (lower_L[at] + upper_L[at]) / 2, (upper_L[at] - lower_L[at]) / 2
  scale = nu_L[len(nu_L) // 2]
  basis = lambda nu: np.stack([np.ones_like(nu), (scale / nu) ** 2, (nu / scale) ** 2], -1)
  columns_Px3, target_P = basis(nu_L[at]) / half_P[:, None], (rest_L[at] - middle_P) / half_P
  ones = np.ones((len(at), 1))
  solved = scipy.optimize.linprog(
    [0, 0, 0, 1],
    np.block([[columns_Px3, -ones], [-columns_Px3, -ones]]),
    np.concatenate([target_P, -target_P]),
    bounds=[(None, None), (None, 0), (0, None), (0, None)],
    method='highs',
  )
  return float(solved.x[3]), basis(nu_L) @ solved.x[:3]


def _each_row(term, plan, k_NxL, rows) -> np.ndarray:
  return np.stack(
    [term(plan, np.maximum(k_L, 0), row) for k_L, row in zip(k_NxL, rows, strict=True)]
  )


def _quadrature(plan, k_L, row) -> np.ndarray:
  outside = (row.low_max, row.high_max, row.high_power)
  return error_bound.quadrature(plan, k_L, row.hwhm_min, *outside)


def _truncation(plan, k_L, row) -> np.ndarray:
  outside = (row.low_max, row.high_max, row.high_power, row.edge_slope_max)
  return np.stack(error_bound.truncation(plan, k_L, *outside))


# ---- assumptions of a row ---------------------------------------------------


def _outside(predictions, assumptions, k_L) -> Outside:
  stated = assumptions.width(predictions)
  top = float(k_L.max()) or 1.0
  # What is stated about the edges gives way where the row contradicts it: k is continuous.
  pick = lambda value, least, default: default if value is None else max(value, least)
  steepest = float(np.abs(np.diff(k_L)).max() / spacing(predictions.axis)) or 1.0
  return Outside(
    NARROWER * narrowest(predictions.axis, k_L) if stated is None else stated,
    pick(assumptions.low_max, float(k_L[0]), top),
    pick(assumptions.high_max, float(k_L[-1]), top),
    assumptions.high_power,
    pick(assumptions.edge_slope_max, 0.0, steepest),
  )


def narrowest(axis_L: np.ndarray, k_L: np.ndarray) -> float:
  """The largest HWHM [cm^-1] that the steepest step and the sharpest point of k allow all lines.

  Of a sum of lines of HWHM >= g, h apart: |ln k'/k| <= 2 asinh(h / 2g) + ln nu'/nu (the mirrored
  line), and the mean of both neighbours is at least g^2 / (g^2 + h^2). Values below 1e-2 of the
  largest say nothing; no more than a tenth of the window.
  """
  h, window = spacing(axis_L), axis_L[-1] - axis_L[0]
  floor = 1e-2 * k_L.max()
  left, right, mid = k_L[:-2], k_L[2:], k_L[1:-1]
  with np.errstate(divide='ignore', invalid='ignore'):
    jump = np.abs(np.diff(np.log(np.maximum(k_L, floor)))) - np.diff(np.log(axis_L))
    by_slope = h / (2 * np.sinh(np.maximum(jump, 1e-12) / 2))
    ratio = (left + right) / (2 * mid)
    by_peak = h * np.sqrt(np.maximum(ratio, 1e-12) / np.maximum(1 - ratio, 1e-12))
  by_peak = by_peak[mid > floor]
  return float(min(by_slope.min(), by_peak.min(initial=np.inf), 0.1 * window))


def _spread(n_NxL) -> np.ndarray:
  spread_N = np.ptp(n_NxL, axis=-1)
  return np.where(spread_N > 0, spread_N, 1.0)


def _finite(values_NxL) -> np.ndarray:
  return np.where(np.isfinite(values_NxL), values_NxL, np.nan)


def _widths(rows) -> str:
  return f'no line has a HWHM below {_span([row.hwhm_min for row in rows])} cm^-1'


def _span(numbers) -> str:
  low, high = min(numbers), max(numbers)
  return f'{low:.3g}' if high - low <= 1e-3 * abs(high) else f'{low:.3g} to {high:.3g}'
