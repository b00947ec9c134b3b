"""Mutual exclusion: with a centre of inversion, IR and Raman bands coincide by accident only.

Bands are the maxima of a spectrum above PROMINENCE of its largest value, placed between the points
by a parabola. Their overlap (`physics.selection_rules.overlap`, a cosine, 1 for equal lists) at a
width of one step is compared

* with the overlaps after rigid shifts of the Raman bands by 20 to 150 cm^-1 either way, which keep
  both lists as they are and undo their registration: their 99 % quantile; and
* with the overlap of the true spectra where they are given, else with CEILING.

The second because coincidence is not all accident: g and u modes of groups that do not feel each
other (two C#N, C-H of two methyls) are degenerate in all but name. Of the exact spectra of the 114
centrosymmetric molecules that ship with the package, 41 % exceed the first at a step of 3.5 cm^-1
(94 % of molecules without a centre), and CEILING lies just above all of them (1 % of the others
exceed it). So without true spectra hardly more than a copy is found.
"""

import functools
from collections.abc import Iterator

import jax
import numpy as np
import scipy.signal

from spectra_jax.audit.assumptions import Assumptions, unfit
from spectra_jax.audit.findings import Finding, NotTested
from spectra_jax.audit.predictions import Predictions, highest
from spectra_jax.losses import selection_rules as loss
from spectra_jax.physics.selection_rules import overlap, overlap_null

PROMINENCE = 0.02
SHIFTS = np.concatenate([-np.linspace(20, 150, 100), np.linspace(20, 150, 100)])  # cm^-1
QUANTILE = 0.99
LEAST = 0.05  # overlap that is none
CEILING = 0.9  # the largest of the 114 molecules is 0.892
ABSORPTION = ('ir', 'absorbance', 'k')


def mutual_exclusion(
  predictions: Predictions, assumptions: Assumptions
) -> Iterator[Finding | NotTested]:
  """The law of the module, on rows with a centre; size: the overlap of the two lists, 0 to 1."""
  kind = next((kind for kind in ABSORPTION if kind in predictions.values), None)
  name = f'mutual_exclusion/{kind or "ir"}+raman'
  reason = _missing(predictions, kind, assumptions)
  yield NotTested(name, reason) if reason else _compared(name, kind, predictions)


def _missing(predictions, kind, assumptions) -> str | None:
  centred = predictions.centrosymmetric
  if kind is None or 'raman' not in predictions.values:
    return 'it binds IR and Raman of one molecule; store both'
  if centred is None:
    return 'nobody said who has a centre of inversion; store centrosymmetric [N]'
  if not centred.any():
    return 'no row is centrosymmetric'
  return unfit(loss.DOMAIN, kind, 'raman', state=assumptions.state)


def _compared(name, kind, predictions) -> Finding:
  axis_L, rows = predictions.axis, np.flatnonzero(predictions.centrosymmetric)
  step = float(np.diff(axis_L).max())
  curves = {each: _relative(predictions.values[each][rows]) for each in (kind, 'raman')}
  ir, raman = ([bands(axis_L, row_L) for row_L in values] for values in curves.values())
  seen_R, null_RxS = _overlaps(ir, raman, step)
  accident_R = np.quantile(null_RxS, QUANTILE, axis=-1)
  told = {kind, 'raman'} <= set(predictions.truth)
  known_R = _known(kind, predictions, rows, step) + LEAST if told else CEILING
  allowed_R = np.maximum(np.maximum(accident_R, LEAST), known_R)
  also = f'{LEAST} above the true spectra' if told else f'up to {CEILING} without true spectra'
  near = [_near(axis_L, a[0], b[0], step) for a, b in zip(ir, raman, strict=True)]
  return Finding(
    name,
    seen_R,
    allowed_R,
    'overlap of IR and Raman bands',
    f'bands within {step:.3g} cm^-1 coincide; accident explains up to {np.median(accident_R):.2f} '
    f'(median); g and u modes may be degenerate: {also}',
    curves,
    np.array(near) & (seen_R > allowed_R)[:, None],
    'Intensity / largest',
    rows,
  )


def _relative(values_RxL) -> np.ndarray:
  return np.float64(values_RxL) / highest(values_RxL)[:, None]


def _known(kind, predictions, rows, step) -> np.ndarray:
  """[R] overlaps of the true spectra."""
  pair = (_relative(predictions.truth[each][rows]) for each in (kind, 'raman'))
  lists = ([bands(predictions.axis, row_L) for row_L in values] for values in pair)
  return _overlaps(*lists, step)[0]


def bands(axis_L: np.ndarray, values_L: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """(position [cm^-1], height) of the maxima that stand out by PROMINENCE of the largest value."""
  at_K, _ = scipy.signal.find_peaks(values_L, prominence=PROMINENCE * np.abs(values_L).max())
  left_K, mid_K, right_K = (values_L[at_K + i] for i in (-1, 0, 1))
  offset_K = 0.5 * (left_K - right_K) / np.minimum(left_K - 2 * mid_K + right_K, -1e-300)
  position_K = np.interp(at_K + offset_K, np.arange(len(axis_L)), axis_L)
  return position_K, mid_K


def _padded(lists) -> tuple[np.ndarray, np.ndarray]:
  """Bands of all rows as [R, K], padded with height 0."""
  width = max(1, *(len(position) for position, _ in lists))
  pad = lambda x: np.pad(x, (0, width - len(x)))
  return np.stack([pad(p) for p, _ in lists]), np.stack([pad(h) for _, h in lists])


def _overlaps(ir, raman, step) -> tuple[np.ndarray, np.ndarray]:
  """(overlap [R], after each of SHIFTS [R, S]) of lists of bands; 0 for a row without bands."""
  with jax.enable_x64(True):
    found = _of_lists(*_padded(ir), *_padded(raman), step)
    return tuple(np.nan_to_num(np.asarray(x)) for x in found)


@functools.partial(jax.jit, static_argnames='step')
def _of_lists(ir_nu_RxJ, ir_RxJ, raman_nu_RxK, raman_RxK, step):
  def row(*lists):
    return overlap(*lists, fwhm=step), overlap_null(*lists, SHIFTS, fwhm=step)

  return jax.vmap(row)(ir_nu_RxJ, ir_RxJ, raman_nu_RxK, raman_RxK)


def _near(axis_L, ir_K, raman_J, step) -> np.ndarray:
  """[L] bool, within two steps of a pair of bands that coincide."""
  closest_K = np.abs(ir_K[:, None] - raman_J).min(-1, initial=np.inf)
  pairs_P = ir_K[closest_K < step]
  return np.abs(axis_L[:, None] - pairs_P).min(-1, initial=np.inf) <= 2 * step
