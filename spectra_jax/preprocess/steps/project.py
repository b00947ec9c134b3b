"""Projection: scores on the principal components of the training spectra."""

import dataclasses
from typing import ClassVar

import jax
import numpy as np

from spectra_jax.preprocess.signal import Signal, check_range
from spectra_jax.preprocess.windows import combine


@dataclasses.dataclass(frozen=True)
class Step:
  """t = (x - m) P', m the training mean, P the right singular vectors of the centred spectra.

  The sign of a component makes its largest loading positive.

  Attributes:
    components: how many, at least 2; the axis becomes their index.
  """

  components: int
  learns: ClassVar[bool] = True

  def after(self, signal: Signal) -> Signal:
    check_range('project', 'components', self.components, 2, len(signal.axis))
    return signal.becomes(
      axis=np.arange(self.components, dtype=np.float64), axis_unit='index', state='scores'
    )

  def fit(self, signal: Signal, values_NxL: np.ndarray) -> dict[str, np.ndarray]:
    check_range('project', 'components', self.components, 2, len(values_NxL))
    mean = values_NxL.mean(0)
    loading = np.linalg.svd(values_NxL - mean, full_matrices=False)[2][: self.components]
    largest = np.take_along_axis(loading, np.abs(loading).argmax(1)[:, None], 1)
    return {'offset': mean, 'loading': loading * np.sign(largest)}

  def apply(self, constants: dict, values_BxL: jax.Array) -> jax.Array:
    return combine(constants['loading'], values_BxL - constants['offset'])
