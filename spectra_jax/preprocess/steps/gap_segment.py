"""Gap-segment derivative (Norris-Williams): differences of averages over a gap."""

import dataclasses
from typing import ClassVar

import jax
import numpy as np
from scipy import ndimage

from spectra_jax.preprocess import windows
from spectra_jax.preprocess.signal import Signal, check_range, check_window
from spectra_jax.spectra import check_member

EDGES = ('nearest', 'mirror', 'constant')


@dataclasses.dataclass(frozen=True)
class Step:
  """With s the mean over `segment` points and h = (gap - 1) / 2,

    first:   y_i = (s_{i+h} - s_{i-h}) / gap
    second:  y_i = (s_{i+h} - 2 s_i + s_{i-h}) / gap

  (Norris & Williams 1984; Rinnan et al. 2009, doi:10.1016/j.trac.2009.07.007; scaled as chemotools
  scales it)

  Attributes:
    segment: odd number of points that are averaged.
    gap: odd number of points, at least 3, from one end of the difference to the other.
    derivative: 1 or 2.
    edges: how a spectrum is continued: 'nearest' repeats its end, 'mirror', 'constant' = zeros.
  """

  segment: int
  gap: int
  derivative: int
  edges: str = 'nearest'
  learns: ClassVar[bool] = False

  def after(self, signal: Signal) -> Signal:
    check_window('gap_segment', 'segment', self.segment, signal)
    check_window('gap_segment', 'gap', self.gap, signal)
    check_range('gap_segment', 'gap', self.gap, 3, len(signal.axis))
    check_range('gap_segment', 'segment + gap - 1', self._window, 3, len(signal.axis))
    check_range('gap_segment', 'derivative', self.derivative, 1, 2)
    check_member('gap_segment.edges', self.edges, EDGES)
    return signal.becomes(state='derivative')

  def fit(self, signal: Signal, values_NxL: np.ndarray) -> dict[str, np.ndarray]:
    kernel = np.convolve(np.full(self.segment, 1 / self.segment), self._difference())
    respond = lambda x: ndimage.correlate1d(x, kernel, axis=0, mode=self.edges)
    return windows.constants(respond, self._window)

  def apply(self, constants: dict, values_BxL: jax.Array) -> jax.Array:
    return windows.slide(constants, values_BxL)

  @property
  def _window(self) -> int:
    return self.segment + self.gap - 1

  def _difference(self) -> np.ndarray:
    taps = np.zeros(self.gap)
    taps[-1] = 1.0
    taps[0] = -1.0 if self.derivative == 1 else 1.0
    taps[self.gap // 2] -= 0.0 if self.derivative == 1 else 2.0
    return taps / self.gap
