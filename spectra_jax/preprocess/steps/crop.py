"""Cropping: the points of a range of the axis."""

import dataclasses
from typing import ClassVar

import jax
import numpy as np

from spectra_jax.preprocess.signal import Signal


@dataclasses.dataclass(frozen=True)
class Step:
  """The points with low <= axis <= high.

  Attributes:
    low, high: in the unit of the axis.
  """

  low: float
  high: float
  learns: ClassVar[bool] = False

  def after(self, signal: Signal) -> Signal:
    first, last = self._bounds(signal)
    if last - first < 2:
      raise ValueError(
        f'crop from {self.low:g} to {self.high:g} {signal.axis_unit} leaves {max(last - first, 0)} '
        f'points of an axis from {signal.axis[0]:g} to {signal.axis[-1]:g}, expected at least 2; '
        'widen it'
      )
    return signal.becomes(axis=signal.axis[first:last])

  def fit(self, signal: Signal, values_NxL: np.ndarray) -> dict[str, np.ndarray]:
    return {'point': np.arange(*self._bounds(signal), dtype=np.int32)}

  def apply(self, constants: dict, values_BxL: jax.Array) -> jax.Array:
    return values_BxL[:, constants['point']]

  def _bounds(self, signal: Signal) -> tuple[int, int]:
    first = int(np.searchsorted(signal.axis, self.low, side='left'))
    return first, int(np.searchsorted(signal.axis, self.high, side='right'))
