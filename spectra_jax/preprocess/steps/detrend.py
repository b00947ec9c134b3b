"""Detrending: a polynomial of the axis off each spectrum."""

import dataclasses
from typing import ClassVar

import jax
import numpy as np

from spectra_jax.preprocess.signal import INTENSITIES, Signal, check_kind, check_range, scaled_axis
from spectra_jax.preprocess.windows import combine


@dataclasses.dataclass(frozen=True)
class Step:
  """y = x - p, p the polynomial of the axis nearest to x by least squares.

  After SNV with degree 2 this is what NIR calls SNV-D (Barnes et al. 1989,
  doi:10.1366/0003702894202201).

  Attributes:
    degree: 0 = the mean, 1 = a line, 2 = a parabola.
  """

  degree: int
  learns: ClassVar[bool] = False

  def after(self, signal: Signal) -> Signal:
    check_kind('detrend', signal, INTENSITIES, 'it takes off the background of measured light')
    check_range('detrend', 'degree', self.degree, 0, min(10, len(signal.axis) - 1))
    return signal.becomes(state='baseline_corrected')

  def fit(self, signal: Signal, values_NxL: np.ndarray) -> dict[str, np.ndarray]:
    shapes = np.polynomial.legendre.legvander(scaled_axis(signal), self.degree)
    return {'basis': np.linalg.qr(shapes)[0].T}

  def apply(self, constants: dict, values_BxL: jax.Array) -> jax.Array:
    basis = constants['basis']
    return values_BxL - (combine(basis, values_BxL)[:, :, None] * basis).sum(1)
