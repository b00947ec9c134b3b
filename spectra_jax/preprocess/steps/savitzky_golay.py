"""Savitzky-Golay: smoothing and derivatives by polynomials through a moving window."""

import dataclasses
from typing import ClassVar

import jax
import numpy as np
from scipy import signal as filters

from spectra_jax.preprocess import windows
from spectra_jax.preprocess.signal import Signal, check_range, check_window, spacing
from spectra_jax.spectra import check_member

EDGES = ('interp', 'nearest', 'mirror', 'constant')
PER = ('point', 'axis')


@dataclasses.dataclass(frozen=True)
class Step:
  """The derivative, in the middle, of the polynomial fitted to the points of a window.

  (Savitzky & Golay 1964, doi:10.1021/ac60214a047)

  Attributes:
    window: odd number of points.
    degree: of the polynomial, below `window`.
    derivative: 0 = smoothing, 1 = slope, ...
    edges: 'interp' = the polynomial of the first and last window up to the ends; 'nearest',
      'mirror' and 'constant' (zeros) continue the spectrum instead, as in scipy.
    per: unit of the derivative: 'point', on any axis, or 'axis' (cm^-1 or nm), on a uniform one.
  """

  window: int
  degree: int
  derivative: int
  edges: str = 'interp'
  per: str = 'point'
  learns: ClassVar[bool] = False

  def after(self, signal: Signal) -> Signal:
    check_window('savitzky_golay', 'window', self.window, signal)
    check_range('savitzky_golay', 'degree', self.degree, 0, self.window - 1)
    check_range('savitzky_golay', 'derivative', self.derivative, 0, self.degree)
    check_member('savitzky_golay.edges', self.edges, EDGES)
    check_member('savitzky_golay.per', self.per, PER)
    if self.per == 'axis':
      spacing('savitzky_golay', signal)
    if self.derivative:
      return signal.becomes(state='derivative')
    return signal.becomes(state='smoothed') if signal.state == 'measured' else signal

  def fit(self, signal: Signal, values_NxL: np.ndarray) -> dict[str, np.ndarray]:
    delta = spacing('savitzky_golay', signal) if self.per == 'axis' else 1.0
    options = {'deriv': self.derivative, 'delta': delta, 'mode': self.edges, 'axis': 0}
    respond = lambda x: filters.savgol_filter(x, self.window, self.degree, **options)
    return windows.constants(respond, self.window)

  def apply(self, constants: dict, values_BxL: jax.Array) -> jax.Array:
    return windows.slide(constants, values_BxL)
