"""Column scaling: each point to the mean, and if wanted the spread, of the training spectra."""

import dataclasses
from typing import ClassVar

import jax
import numpy as np

from spectra_jax.preprocess.signal import Signal
from spectra_jax.spectra import check_member

BY = ('none', 'sd', 'pareto')


@dataclasses.dataclass(frozen=True)
class Step:
  """y = (x - m) / s, m the mean of the training spectra at each point.

  Attributes:
    by: s is 'none' = 1 (centring), 'sd' = the standard deviation (1/n) of the training spectra,
      'pareto' = its square root; 1 where they do not vary.
  """

  by: str
  learns: ClassVar[bool] = True

  def after(self, signal: Signal) -> Signal:
    check_member('autoscale.by', self.by, BY)
    return signal.becomes(state='scores' if signal.state == 'scores' else 'normalised')

  def fit(self, signal: Signal, values_NxL: np.ndarray) -> dict[str, np.ndarray]:
    mean_L, deviation_L = values_NxL.mean(0), values_NxL.std(0)
    # The mean of equal values is rounded, and so they seem to vary by that.
    varies_L = deviation_L > 10 * np.finfo(np.float64).eps * np.abs(mean_L)
    spread_L = deviation_L ** {'none': 0.0, 'sd': 1.0, 'pareto': 0.5}[self.by]
    return constants(mean_L, np.where(varies_L, spread_L, 1.0))

  def apply(self, constants: dict, values_BxL: jax.Array) -> jax.Array:
    return (values_BxL - constants['offset']) * constants['factor']


def constants(offset_L: np.ndarray, spread_L: np.ndarray) -> dict[str, np.ndarray]:
  """Of a scaling that is known."""
  return {'offset': np.float64(offset_L), 'factor': 1 / np.float64(spread_L)}
