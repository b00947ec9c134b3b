"""No feature is narrower than the narrowest line: the width that nature or instrument gives.

A spectrum whose lines have a Lorentzian HWHM of at least g (Voigt lines included) is a sum of
Lorentzians P of exactly that width with non-negative weights, whatever they are. So for every set
of taps phi and every w >= 0 with |sum phi P(. - t)| <= eps sum w P(. - t) for all positions t,

  |sum_j phi_j s(nu + j h)| <= eps sum_j w_j s(nu + j h),

at every nu: a law of any stretch of a spectrum, without assumption on what the rest does. Two such
families are used. Half values: phi takes s itself, w its mean at distance d = m h of about g, eps =
(g^2 + d^2) / g^2; at one HWHM from any point the mean is at least half. Local interferograms: phi =
w exp(2 pi i j h delta) with Hann's w of half width 8 g; eps is close to exp(-2 pi g delta), the
decay of the interferogram of that line (`spectra_jax.interferogram`), and finds ripples that are
too weak to be features.

The mirrored line at -nu, which k has, is in eps. What is linear in k nu (absorbance) is divided by
nu first. A sum of purely Gaussian lines is not covered, its wings fall too fast.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import scipy.signal

from spectra_jax.audit.assumptions import LABELS, Assumptions, unfit
from spectra_jax.audit.findings import Finding, NotTested
from spectra_jax.audit.predictions import Predictions, highest
from spectra_jax.interferogram import spacing
from spectra_jax.losses import non_negativity
from spectra_jax.signals import Domain

REACH = 8.0  # half width of the local interferogram over the HWHM
FREQUENCIES = (0.25, 0.5, 0.75, 1.0)  # of the local interferograms, over the largest retardation
FINENESS = 8  # positions of a line in one step, on which eps is found
DOMAIN = Domain(
  law='the linewidth law',
  kinds=(('ir',), ('raman',), ('absorbance',), ('k',)),
  states=('measured', 'computed'),
  why={
    **non_negativity.DOMAIN.why,
    'n': 'an index is no sum of lines that are positive everywhere; k of the same sample is',
    'transmittance': 'strong lines saturate and become steeper; take -log10 of it',
    'reflectance': 'a reflectance mixes n and k; convert it to k',
    'atr': 'an ATR spectrum mixes n and k; convert it to k',
    'sqrt': 'the root of a line is another shape; square the values',
  },
  otherwise='it is no sum of lines with weights that are not negative',
)


class Taps(NamedTuple):
  """phi, w [J] (J odd, centred) and eps, for which the law holds."""

  phi: np.ndarray
  w: np.ndarray
  eps: float


def no_narrower(
  predictions: Predictions, assumptions: Assumptions
) -> Iterator[Finding | NotTested]:
  """The law of the module; size: the excess of |sum phi s| over the largest value of the row."""
  width = assumptions.width(predictions)
  for kind, values_NxL in predictions.values.items():
    name = f'linewidth/{kind}'
    why = unfit(DOMAIN, kind, state=assumptions.state) or _missing(width, predictions.axis)
    yield NotTested(name, why) if why else _asked(name, kind, values_NxL, predictions, assumptions)


def _missing(width: float | None, axis_L: np.ndarray) -> str | None:
  if width is None:
    return 'no smallest width is known; give --hwhm_min, or hwhm_min in the file [cm^-1]'
  try:
    h = spacing(axis_L)
  except ValueError as reason:
    return str(reason)
  if 2 * round(max(width / h, 1)) + 1 > len(axis_L):
    return f'a width of {width:g} cm^-1 leaves nothing to compare on this axis'
  return None


def _asked(name, kind, values_NxL, predictions, assumptions) -> Finding:
  width, axis_L = assumptions.width(predictions), predictions.axis
  lines_NxL = np.float64(values_NxL) / (axis_L if kind == 'absorbance' else 1.0)
  lines_NxL /= highest(lines_NxL)[:, None]
  excess_NxL = excess(lines_NxL, axis_L, width)
  allowed_N = assumptions.allowed(values_NxL) * (
    axis_L[-1] / axis_L[0] if kind == 'absorbance' else 1
  )
  return Finding(
    name,
    excess_NxL.max(-1),
    allowed_N,
    'of the maximum is too narrow',
    f'no line has a Lorentzian HWHM below {width:g} cm^-1; {assumptions.tolerated(values_NxL)}',
    {'prediction': values_NxL},
    excess_NxL > allowed_N[:, None],
    LABELS[kind],
  )


def excess(lines_NxL: np.ndarray, axis_L: np.ndarray, hwhm_min: float) -> np.ndarray:
  """max over taps of |sum phi s| - eps sum w s, [N, L] in the unit of s; -inf where none reach."""
  worst_NxL = np.full(lines_NxL.shape, -np.inf)
  for taps in families(axis_L, hwhm_min):
    if len(taps.w) > len(axis_L):
      continue
    slide = lambda weight: scipy.signal.oaconvolve(
      lines_NxL, weight[None, ::-1], mode='valid', axes=-1
    )
    side = len(taps.w) // 2
    inside = worst_NxL[:, side : len(axis_L) - side]
    np.maximum(inside, np.abs(slide(taps.phi)) - taps.eps * slide(taps.w), out=inside)
  return worst_NxL


def families(axis_L: np.ndarray, hwhm_min: float) -> list[Taps]:
  """Half values and local interferograms on this even axis."""
  h = spacing(axis_L)
  away = max(round(hwhm_min / h), 1)
  here, mean = np.zeros(2 * away + 1), np.zeros(2 * away + 1)
  here[away], mean[[0, -1]] = 1.0, 0.5
  side = max(round(REACH * hwhm_min / h), 2)
  j = np.arange(-side, side + 1)
  hann = np.cos(0.5 * np.pi * j / (side + 1)) ** 2
  hann /= hann.sum()
  waves = [hann * np.exp(1j * np.pi * f * j) for f in FREQUENCIES]
  pairs = [(here, mean), *((wave, hann) for wave in waves)]
  return [Taps(phi, w, _largest_ratio(phi, w, axis_L[0], h, hwhm_min)) for phi, w in pairs]


def _largest_ratio(phi, w, first, h, hwhm) -> float:
  """eps: the largest |sum phi q| / sum w q of a line at any t, first point of the axis at `first`.

  q = P(x - t) - P(x + t) over x at the lower end, where the mirrored line counts most, and q =
  P(x - t), which it becomes far up. Near lines at FINENESS positions a step, far ones on a
  geometric grid; 1e-3 of it on top, as lines may lie between.
  """
  side = len(w) // 2
  x_Jx1 = first + h * np.arange(2 * side + 1)[:, None]
  near = first + np.arange(-20 * hwhm, 2 * side * h + 20 * hwhm, h / FINENESS)
  t_T = np.concatenate([near, np.geomspace(1e-3, 1e3, 400) * x_Jx1[side]])
  t_T = t_T[t_T > 0]
  lorentz = lambda t: 1 / ((x_Jx1 - t) ** 2 + hwhm**2)
  kernels = (lorentz(t_T), lorentz(t_T) - lorentz(-t_T))
  return 1.001 * max(float(np.max(np.abs(phi @ q) / (w @ q))) for q in kernels)
