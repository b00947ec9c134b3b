"""What the laws of the audit rest on and tolerate, and which signals they may be asked of."""

import dataclasses

import numpy as np

from spectra_jax.audit.predictions import Predictions, highest, rounding
from spectra_jax.signals import Domain
from spectra_jax.spectra import STATES, check_member

LABELS = {
  'ir': 'IR intensity (given unit)',
  'raman': 'Raman intensity (given unit)',
  'absorbance': 'Absorbance',
  'transmittance': 'Transmittance',
  'reflectance': 'Reflectance',
  'n': 'Refractive index n',
  'k': 'Extinction k',
  'atr': 'ATR absorbance',
  'baseline': 'Baseline (given unit)',
}


@dataclasses.dataclass(frozen=True)
class Assumptions:
  """None is what is taken from the data, or what cannot be tested without.

  Attributes:
    state: what was done to the values, one of `spectra.STATES`.
    tolerance: share of a row's largest value that is allowed beyond rounding.
    sum_tolerance: |ln| of a sum over its reference that is allowed.
    hwhm_min: no line is narrower (HWHM) [cm^-1].
    low_max, high_max, high_power, edge_slope_max: of k outside the window, as in
      `physics.kramers_kronig_bound`.
    shift_cm: by how much the inputs of a second file are shifted [cm^-1].

  Raises:
    ValueError: a number out of its range.
  """

  state: str = 'measured'
  tolerance: float = 0.0
  sum_tolerance: float = 0.1
  hwhm_min: float | None = None
  low_max: float | None = None
  high_max: float | None = None
  high_power: float = 1.0
  edge_slope_max: float | None = None
  shift_cm: float | None = None

  def __post_init__(self):
    check_member('state', self.state, STATES)
    for name in ('tolerance', 'sum_tolerance'):
      if not 0 <= getattr(self, name) < 1:
        raise ValueError(f'{name} is {getattr(self, name)}, expected a share from 0 to below 1')
    for name in ('hwhm_min', 'low_max', 'high_max', 'high_power', 'edge_slope_max'):
      value = getattr(self, name)
      if value is not None and not 0 < value < np.inf:
        raise ValueError(
          f'{name} is {value}, expected a positive finite number; leave it out or '
          'state what you know'
        )

  def width(self, predictions: Predictions) -> float | None:
    """The stated smallest HWHM; the caller's word comes before the file's."""
    return predictions.hwhm_min if self.hwhm_min is None else self.hwhm_min

  def allowed(self, values_NxL: np.ndarray) -> np.ndarray:
    """[N] share of the largest value of a row that is rounding or tolerated."""
    return rounding(values_NxL) / highest(values_NxL) + self.tolerance

  def tolerated(self, values_NxL: np.ndarray) -> str:
    """The same in words."""
    share = 16 * np.finfo(values_NxL.dtype).eps + self.tolerance
    return f'tolerates {share:.2g} of the largest value of a row'


def unfit(domain: Domain, *kinds: str, state: str) -> str | None:
  """Why a law cannot be asked of these signals; None where it can."""
  try:
    domain.check(*kinds, state=state)
  except ValueError as reason:
    return str(reason)
  return None
