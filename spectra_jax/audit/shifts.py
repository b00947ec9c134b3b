"""Shift equivariance: an input displaced along the axis gives the same output, displaced."""

from collections.abc import Iterator

import numpy as np

from spectra_jax.audit.assumptions import LABELS, Assumptions
from spectra_jax.audit.findings import Finding, NotTested
from spectra_jax.audit.predictions import Predictions, highest
from spectra_jax.interferogram import spacing

WHOLE = 1e-3  # of a step, by which a shift may miss a whole number of them


def equivariance(
  predictions: Predictions, shifted: Predictions | None, assumptions: Assumptions
) -> Iterator[Finding | NotTested]:
  """y'(nu + shift) = y(nu), y' predicted from inputs that were shifted up by `shift_cm`.

  Compared where both are on the axis; size: the largest difference over the largest value of the
  row. No law of nature: bands stand where they stand. It says whether a model reads positions (an
  encoding of wavenumbers, pooling) or only shapes, and what an error of calibration does.

  Raises:
    ValueError: a second file of other samples, on another axis, or a shift that is not a whole
      number of steps.
  """
  why = _missing(predictions, shifted, assumptions)
  if why:
    yield NotTested('shift_equivariance', why)
    return
  for kind, values_NxL in predictions.values.items():
    name = f'shift_equivariance/{kind}'
    if kind in shifted.values:
      yield _compared(name, kind, values_NxL, shifted.values[kind], predictions.axis, assumptions)
    else:
      yield NotTested(name, f'the second file has no {kind}')


def _missing(predictions, shifted, assumptions) -> str | None:
  if shifted is None:
    return 'give --shifted, a second file of predictions from shifted inputs, and --shift_cm'
  if assumptions.shift_cm is None:
    return 'give --shift_cm, by which the inputs of the second file were shifted'
  if not np.array_equal(predictions.axis, shifted.axis) or len(predictions) != len(shifted):
    raise ValueError(
      f'the shifted predictions are [{len(shifted)}, {len(shifted.axis)}], expected '
      f'[{len(predictions)}, {len(predictions.axis)}] on the same axis, row for row the same '
      'samples; predict them on the axis of the first file'
    )
  return None


def _compared(name, kind, values_NxL, moved_NxL, axis_L, assumptions) -> Finding:
  steps = whole_steps(axis_L, assumptions.shift_cm)
  points = len(axis_L) - abs(steps)
  up, down = max(steps, 0), max(-steps, 0)
  undone_NxL = np.full(values_NxL.shape, np.nan)
  undone_NxL[:, down : down + points] = moved_NxL[:, up : up + points]
  off_NxL = np.abs(np.nan_to_num(undone_NxL - values_NxL)) / highest(values_NxL)[:, None]
  allowed_N = 2 * assumptions.allowed(values_NxL)
  return Finding(
    name,
    off_NxL.max(-1),
    allowed_N,
    'of the maximum',
    f'inputs shifted by {assumptions.shift_cm:g} cm^-1 ({steps} steps); '
    f'{assumptions.tolerated(values_NxL)}, twice',
    {'prediction': values_NxL, 'shifted input, shifted back': undone_NxL},
    off_NxL > allowed_N[:, None],
    LABELS[kind],
  )


def whole_steps(axis_L: np.ndarray, shift_cm: float) -> int:
  """The shift in steps of the even axis.

  Raises:
    ValueError: it is not a whole number of them, or is none, or leaves nothing to compare.
  """
  h = spacing(axis_L)
  steps = round(shift_cm / h)
  if abs(shift_cm / h - steps) > WHOLE or not 0 < abs(steps) < len(axis_L) - 1:
    raise ValueError(
      f'shift_cm is {shift_cm:g} cm^-1, expected a whole number of steps of {h:.6g} cm^-1 within '
      'the axis, so that nothing is interpolated; shift by so many points'
    )
  return steps
