"""Normalisation: each spectrum to area, sum, length, height or range 1."""

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from spectra_jax.preprocess.signal import Signal
from spectra_jax.spectra import check_member

BY = ('area', 'sum', 'vector', 'max', 'range')


@dataclasses.dataclass(frozen=True)
class Step:
  """y = x / size(x); for 'range' y = (x - min x) / (max x - min x).

  Attributes:
    by: 'area' = int |x| daxis by trapezoids, 'sum' = sum |x|, 'vector' = sqrt(sum x^2), 'max' =
      max |x|, 'range'.
  """

  by: str
  learns: ClassVar[bool] = False

  def after(self, signal: Signal) -> Signal:
    check_member('normalise.by', self.by, BY)
    return signal.becomes(state='normalised')

  def fit(self, signal: Signal, values_NxL: np.ndarray) -> dict[str, np.ndarray]:
    if self.by != 'area':
      return {}
    steps = np.diff(signal.axis)
    return {'quadrature': (np.append(steps, 0) + np.append(0, steps)) / 2}

  def apply(self, constants: dict, values_BxL: jax.Array) -> jax.Array:
    size = jnp.abs(values_BxL)
    if self.by == 'area':
      return values_BxL / (constants['quadrature'] * size).sum(-1, keepdims=True)
    if self.by == 'sum':
      return values_BxL / size.sum(-1, keepdims=True)
    if self.by == 'vector':
      return values_BxL / jnp.sqrt((values_BxL**2).sum(-1, keepdims=True))
    if self.by == 'max':
      return values_BxL / size.max(-1, keepdims=True)
    low = values_BxL.min(-1, keepdims=True)
    return (values_BxL - low) / (values_BxL.max(-1, keepdims=True) - low)
