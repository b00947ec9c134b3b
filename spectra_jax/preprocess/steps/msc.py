"""Multiplicative scatter correction: each spectrum onto the training mean by offset and factor."""

import dataclasses
from typing import ClassVar

import jax
import numpy as np

from spectra_jax.preprocess import regression
from spectra_jax.preprocess.signal import INTENSITIES, Signal, check_kind


@dataclasses.dataclass(frozen=True)
class Step:
  """y = (x - a) / b with x = a + b r + e by least squares, r the mean of the training spectra.

  (Geladi, MacDougall & Martens 1985, doi:10.1366/0003702854248656)
  """

  learns: ClassVar[bool] = True

  def after(self, signal: Signal) -> Signal:
    check_kind('msc', signal, INTENSITIES, 'it corrects the scatter of measured light')
    return signal.becomes(state='scatter_corrected')

  def fit(self, signal: Signal, values_NxL: np.ndarray) -> dict[str, np.ndarray]:
    return regression.constants(values_NxL.mean(0), np.ones((1, values_NxL.shape[1])), None)

  def apply(self, constants: dict, values_BxL: jax.Array) -> jax.Array:
    return regression.correct(constants, values_BxL)
