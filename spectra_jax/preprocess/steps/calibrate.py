"""Calibration of the axis by a standard with known peaks: found once, saved, applied."""

import dataclasses
from collections.abc import Sequence
from typing import ClassVar

import jax
import numpy as np

from spectra_jax.preprocess.signal import Signal
from spectra_jax.spectra import Spectra, check_axis


@dataclasses.dataclass(frozen=True)
class Step:
  """true axis = sum_k c_k ((axis - centre) / half_range)^k; the values stay as they are.

  Only the axis changes: `resample` brings instruments onto one grid. Beyond the outermost peaks of
  the standard the polynomial extrapolates.

  Attributes:
    coefficients: c_k, in the unit of the axis.
    centre, half_range: of the standard's axis.
    axis_unit: the standard's.
  """

  coefficients: tuple[float, ...]
  centre: float
  half_range: float
  axis_unit: str
  learns: ClassVar[bool] = False

  def after(self, signal: Signal) -> Signal:
    if signal.axis_unit != self.axis_unit:
      raise ValueError(
        f'calibrate got an axis in {signal.axis_unit}, expected {self.axis_unit} as the standard '
        'has it; calibrate before resampling'
      )
    axis = np.polynomial.polynomial.polyval(self._scaled(signal.axis), self.coefficients)
    check_axis(axis, self.axis_unit)
    return signal.becomes(axis=axis)

  def fit(self, signal: Signal, values_NxL: np.ndarray) -> dict[str, np.ndarray]:
    return {}

  def apply(self, constants: dict, values_BxL: jax.Array) -> jax.Array:
    return values_BxL

  def _scaled(self, axis: np.ndarray) -> np.ndarray:
    return (np.asarray(axis) - self.centre) / self.half_range


def from_standard(standard: Spectra, peaks: Sequence[float], *, degree: int, reach: float) -> Step:
  """The step that puts the peaks of a standard, measured on this instrument, where they belong.

  A peak is the vertex of the parabola through the highest point within `reach` of where it should
  be and the points beside it.

  Args:
    standard: spectra of the standard; their mean is used.
    peaks: where its peaks are [unit of the axis], say of polystyrene (ASTM E1840).
    degree: of the polynomial; at least one peak more is needed.
    reach: how far off a peak may be.

  Raises:
    ValueError: too few peaks, or one that is not there.
  """
  if len(peaks) <= degree:
    raise ValueError(
      f'{len(peaks)} peaks cannot tell a polynomial of degree {degree}, expected at least '
      f'{degree + 1}; lower the degree'
    )
  mean_L = np.float64(standard.values[:]).mean(0)
  found = [_vertex(standard.axis, mean_L, peak, reach) for peak in peaks]
  low, high = standard.axis[0], standard.axis[-1]
  blank = Step((0.0,), float(low + high) / 2, float(high - low) / 2, standard.axis_unit)
  fit = np.polynomial.polynomial.polyfit(blank._scaled(found), np.float64(peaks), degree)
  return dataclasses.replace(blank, coefficients=tuple(fit.tolist()))


def _vertex(axis: np.ndarray, values: np.ndarray, peak: float, reach: float) -> float:
  near = np.flatnonzero(np.abs(axis - peak) <= reach)
  top = near[np.argmax(values[near])] if len(near) else 0
  if not 0 < top < len(axis) - 1 or values[top] < max(values[top - 1], values[top + 1]):
    raise ValueError(
      f'the standard has no peak within {reach:g} of {peak:g}; check the unit of the peaks, or '
      'widen reach'
    )
  x, y = axis[top - 1 : top + 2] - axis[top], values[top - 1 : top + 2]
  curvature, slope, _ = np.polyfit(x, y, 2)
  return float(axis[top] - slope / (2 * curvature))
