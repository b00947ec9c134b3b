"""Transmittance from absorbance, reflectance from log(1/R)."""

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from spectra_jax.preprocess.signal import PHYSICAL, Signal, check_kind, check_state
from spectra_jax.preprocess.steps.absorbance import BECOMES

FROM = {absorbance: fraction for fraction, absorbance in BECOMES.items()}


@dataclasses.dataclass(frozen=True)
class Step:
  """T = 10^-A, a fraction."""

  learns: ClassVar[bool] = False

  def after(self, signal: Signal) -> Signal:
    check_kind('transmittance', signal, tuple(FROM), 'it undoes a decadic logarithm')
    check_state('transmittance', signal, PHYSICAL, 'only then a value still is such a logarithm')
    return signal.becomes(kind=FROM[signal.kind])

  def fit(self, signal: Signal, values_NxL: np.ndarray) -> dict[str, np.ndarray]:
    return {}

  def apply(self, constants: dict, values_BxL: jax.Array) -> jax.Array:
    return jnp.exp(-jnp.log(10.0).astype(values_BxL.dtype) * values_BxL)
