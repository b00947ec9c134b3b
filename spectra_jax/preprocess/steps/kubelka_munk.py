"""Kubelka-Munk: what is proportional to absorption in a thick scattering layer."""

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from spectra_jax.preprocess.signal import PHYSICAL, Signal, check_kind, check_range, check_state
from spectra_jax.preprocess.steps.absorbance import check_fraction


@dataclasses.dataclass(frozen=True)
class Step:
  """F = (1 - R)^2 / (2 R) = K / S, R = max(reflectance, floor), a fraction.

  (Kubelka & Munk 1931; Kubelka 1948, doi:10.1364/JOSA.38.000448)

  Attributes:
    floor: least reflectance that is told from nothing.
  """

  floor: float
  learns: ClassVar[bool] = True  # nothing, but `fit` has to see values to refuse per cent

  def after(self, signal: Signal) -> Signal:
    check_kind('kubelka_munk', signal, ('reflectance',), 'it is a law of diffuse reflection')
    check_state('kubelka_munk', signal, PHYSICAL, 'only then a value still is a reflectance')
    check_range('kubelka_munk', 'floor', self.floor, 1e-12, 0.1)
    return signal.becomes(kind='kubelka_munk')

  def fit(self, signal: Signal, values_NxL: np.ndarray) -> dict[str, np.ndarray]:
    check_fraction('kubelka_munk', signal, values_NxL)
    return {}

  def apply(self, constants: dict, values_BxL: jax.Array) -> jax.Array:
    reflectance = jnp.maximum(values_BxL, self.floor)
    return (1 - reflectance) ** 2 / (2 * reflectance)
