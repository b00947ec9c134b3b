"""Robust normal variate: SNV by a percentile and the spread below it, which bands do not move."""

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from spectra_jax.preprocess.signal import INTENSITIES, Signal, check_kind, check_range
from spectra_jax.preprocess.windows import unless_flat


@dataclasses.dataclass(frozen=True)
class Step:
  """y = (x - p) / (sd(x[x <= p]) + epsilon), p a percentile of the spectrum, sd with 1/n.

  (Guo, Wu & Massart 1999, doi:10.1016/S0003-2670(98)00737-5)

  Attributes:
    percentile: 0 to 100, linear between points.
    epsilon: added to the spread.
  """

  percentile: float = 25.0
  epsilon: float = 0.0
  learns: ClassVar[bool] = False

  def after(self, signal: Signal) -> Signal:
    check_kind('rnv', signal, INTENSITIES, 'it corrects the scatter of measured light')
    check_range('rnv', 'percentile', self.percentile, 0, 100)
    check_range('rnv', 'epsilon', self.epsilon, 0, np.inf)
    return signal.becomes(state='snv')

  def fit(self, signal: Signal, values_NxL: np.ndarray) -> dict[str, np.ndarray]:
    return {}

  def apply(self, constants: dict, values_BxL: jax.Array) -> jax.Array:
    level = jnp.percentile(values_BxL, self.percentile, axis=-1, keepdims=True)
    below = values_BxL <= level
    count = below.sum(-1, keepdims=True)
    mean = jnp.where(below, values_BxL, 0).sum(-1, keepdims=True) / count
    square = jnp.where(below, (values_BxL - mean) ** 2, 0).sum(-1, keepdims=True) / count
    spread = unless_flat(values_BxL, jnp.sqrt(square))
    return (values_BxL - level) / (spread + self.epsilon)
