"""Standard normal variate: each spectrum to mean 0 and standard deviation 1."""

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from spectra_jax.preprocess.signal import INTENSITIES, Signal, check_kind


@dataclasses.dataclass(frozen=True)
class Step:
  """y = (x - mean(x)) / sd(x), over the points of a spectrum, sd with 1/L.

  (Barnes, Dhanoa & Lister 1989, doi:10.1366/0003702894202201)
  """

  learns: ClassVar[bool] = False

  def after(self, signal: Signal) -> Signal:
    check_kind('snv', signal, INTENSITIES, 'it corrects the scatter of measured light')
    if signal.state == 'snv':
      raise ValueError(
        "snv got spectra in state 'snv', expected ones without it: a second time changes nothing, "
        'so they were preprocessed already; leave one of the two out'
      )
    return signal.becomes(state='snv')

  def fit(self, signal: Signal, values_NxL: np.ndarray) -> dict[str, np.ndarray]:
    return {}

  def apply(self, constants: dict, values_BxL: jax.Array) -> jax.Array:
    mean = values_BxL.mean(-1, keepdims=True)
    centred = values_BxL - mean
    rest = centred.mean(-1, keepdims=True)  # what rounding left of the mean
    deviation = jnp.sqrt((centred**2).mean(-1, keepdims=True) - rest**2)
    # What is left of a flat spectrum is rounding: not a number, so that it is refused.
    noise = 8 * jnp.finfo(values_BxL.dtype).eps * jnp.abs(mean)
    return (centred - rest) / jnp.where(deviation > noise, deviation, jnp.nan)
