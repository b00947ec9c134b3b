"""Absorbance from transmittance, log(1/R) from reflectance."""

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from spectra_jax.preprocess.signal import PHYSICAL, Signal, check_kind, check_range, check_state

BECOMES = {'transmittance': 'absorbance', 'reflectance': 'log_reflectance'}


@dataclasses.dataclass(frozen=True)
class Step:
  """A = -log10(max(T, floor)), T and R as fractions.

  Attributes:
    floor: least T that is told from nothing; noise below it, also negative, gives -log10(floor).
  """

  floor: float
  learns: ClassVar[bool] = True  # nothing, but `fit` has to see values to refuse per cent

  def after(self, signal: Signal) -> Signal:
    check_kind('absorbance', signal, tuple(BECOMES), 'it takes the logarithm of a fraction')
    check_state('absorbance', signal, PHYSICAL, 'only then a value still is a fraction of light')
    check_range('absorbance', 'floor', self.floor, 1e-12, 0.1)
    return signal.becomes(kind=BECOMES[signal.kind])

  def fit(self, signal: Signal, values_NxL: np.ndarray) -> dict[str, np.ndarray]:
    check_fraction('absorbance', signal, values_NxL)
    return {}

  def apply(self, constants: dict, values_BxL: jax.Array) -> jax.Array:
    return -jnp.log10(jnp.maximum(values_BxL, self.floor))


def check_fraction(step: str, signal: Signal, values_NxL: np.ndarray) -> None:
  """Raises a ValueError on per cent."""
  middle = float(np.median(values_NxL))
  if middle > 2:
    raise ValueError(
      f'{step} got {signal.kind} with a median of {middle:.4g}, expected fractions of light up to '
      'about 1; divide per cent by 100'
    )
