"""Extended multiplicative scatter correction: baselines and interferents go with the scatter."""

import dataclasses
from typing import ClassVar

import jax
import numpy as np

from spectra_jax.preprocess import regression
from spectra_jax.preprocess.signal import (
  INTENSITIES,
  Signal,
  check_kind,
  check_range,
  scaled_axis,
)


@dataclasses.dataclass(frozen=True, eq=False)
class Step:
  """y = (x - sum_i c_i P_i - c' ln(axis) - sum_j g_j z_j) / b, by weighted least squares of

    x = b r + sum_i c_i P_i + c' ln(axis) + sum_j g_j z_j + e,

  P_i polynomials of the axis up to `degree`, ln(axis) the wavelength dependence of scatter by
  particles, z_j spectra of interferents. (Martens & Stark 1991, doi:10.1016/0731-7085(91)80188-F;
  Afseth & Kohler 2012, doi:10.1016/j.chemolab.2012.03.004; the logarithm: Thennadil & Martin 2005,
  doi:10.1002/cem.912)

  Attributes:
    degree: of the polynomial; 0 = an offset, which is MSC.
    logarithm: whether ln(axis) is among the shapes.
    interferent_KxL: spectra that may be present in any amount, on the axis, or None.
    reference_L: r, or None = the mean of the training spectra.
    weight_L: of the residuals, or None = 1.
  """

  degree: int = 2
  logarithm: bool = False
  interferent_KxL: np.ndarray | None = None
  reference_L: np.ndarray | None = None
  weight_L: np.ndarray | None = None
  learns: ClassVar[bool] = True

  def after(self, signal: Signal) -> Signal:
    check_kind('emsc', signal, INTENSITIES, 'it corrects the scatter of measured light')
    check_range('emsc', 'degree', self.degree, 0, 10)
    if self.logarithm and signal.axis[0] <= 0:
      raise ValueError(
        f'emsc.logarithm got an axis that starts at {signal.axis[0]:g} {signal.axis_unit}, '
        'expected positive values; set logarithm=False'
      )
    for name in ('interferent_KxL', 'reference_L', 'weight_L'):
      given = getattr(self, name)
      if given is not None and np.shape(given)[-1] != len(signal.axis):
        raise ValueError(
          f'emsc.{name} has shape {np.shape(given)}, expected {len(signal.axis)} points as the '
          'axis has; resample it onto the axis'
        )
    return signal.becomes(state='scatter_corrected')

  def fit(self, signal: Signal, values_NxL: np.ndarray) -> dict[str, np.ndarray]:
    reference = values_NxL.mean(0) if self.reference_L is None else self.reference_L
    shapes = list(np.polynomial.legendre.legvander(scaled_axis(signal), self.degree).T)
    if self.logarithm:
      shapes.append(np.log(signal.axis))
    if self.interferent_KxL is not None:
      shapes.extend(np.float64(self.interferent_KxL))
    return regression.constants(np.float64(reference), np.stack(shapes), self.weight_L)

  def apply(self, constants: dict, values_BxL: jax.Array) -> jax.Array:
    return regression.correct(constants, values_BxL)
