"""Fitted transformers of chemotools by class name: (transformer, signal) -> (step, constants).

AsLs, ArPls and AirPls are not among them: they start from the weights of the first training
spectrum, so that their baselines depend on the order of the training set.
"""

from typing import Any

import numpy as np

from spectra_jax.preprocess import regression
from spectra_jax.preprocess.pipeline import Constants, Step
from spectra_jax.preprocess.signal import Signal
from spectra_jax.preprocess.steps import (
  absorbance,
  crop,
  detrend,
  emsc,
  gap_segment,
  kubelka_munk,
  msc,
  normalise,
  rnv,
  savitzky_golay,
  snv,
  transmittance,
)

FLOOR = 1e-12  # chemotools has none; below this a logarithm is of no use to anybody


def _snv(snv_: Any, signal: Signal) -> tuple[Step, None]:
  return snv.Step(), None


def _rnv(rnv_: Any, signal: Signal) -> tuple[Step, None]:
  return rnv.Step(float(rnv_.percentile), float(rnv_.epsilon)), None


def _msc(msc_: Any, signal: Signal) -> tuple[Step, Constants]:
  one = np.ones((1, len(signal.axis)))
  return msc.Step(), regression.constants(msc_.reference_, one, msc_.weights_)


def _emsc(emsc_: Any, signal: Signal) -> tuple[Step, Constants]:
  # Its polynomials are of the index; they are taken as they are, whatever the axis.
  shapes = np.delete(emsc_.A_, emsc_.order + 1, axis=1).T
  weight = emsc_.weights_.ravel()
  return emsc.Step(emsc_.order), regression.constants(emsc_.reference_, shapes, weight)


def _savitzky_golay(filter_: Any, signal: Signal) -> tuple[Step, None]:
  derivative = getattr(filter_, 'deriv_', 0)  # the smoothing filter has no derivative
  options = (filter_.window_length_, filter_.polyorder_, derivative, filter_.mode)
  return savitzky_golay.Step(*options), None


def _gap_segment(norris: Any, signal: Signal) -> tuple[Step, None]:
  options = (norris.window_length_, norris.gap_size, norris.deriv_, norris.mode)
  return gap_segment.Step(*options), None


def _norm_scaler(scaler: Any, signal: Signal) -> tuple[Step, None]:
  if scaler.l_norm not in (1, 2):
    raise ValueError(f'NormScaler.l_norm is {scaler.l_norm}, expected 1 or 2, which normalise has')
  return normalise.Step({1: 'sum', 2: 'vector'}[scaler.l_norm]), None


def _min_max_scaler(scaler: Any, signal: Signal) -> tuple[Step, None]:
  if not scaler.use_min:
    raise ValueError(
      'MinMaxScaler has use_min=False, expected True: it divides by a maximum that may be negative'
    )
  return normalise.Step('range'), None


def _polynomial(correction: Any, signal: Signal) -> tuple[Step, Constants]:
  if correction.indices is not None:
    raise ValueError('PolynomialCorrection has indices, expected None: detrend fits all points')
  # Its polynomials are of the index.
  basis = np.linalg.qr(
    np.polynomial.legendre.legvander(np.linspace(-1, 1, len(signal.axis)), correction.order)
  )[0].T
  return detrend.Step(correction.order), {'basis': basis}


def _range_cut(cut: Any, signal: Signal) -> tuple[Step, None]:
  kept = signal.axis[cut.start_index_ : cut.end_index_]
  low, high = (float(kept[0]), float(kept[-1])) if len(kept) else (np.inf, -np.inf)
  return crop.Step(low, high), None


def _conversion(conversion: Any, signal: Signal) -> tuple[Step, Constants | None]:
  # Their `fit` looks at spectra only to refuse per cent.
  steps = {
    ('transmittance', 'absorbance'): (absorbance.Step(FLOOR), {}),
    ('reflectance', 'pseudoabsorbance'): (absorbance.Step(FLOOR), {}),
    ('absorbance', 'transmittance'): (transmittance.Step(), None),
    ('pseudoabsorbance', 'reflectance'): (transmittance.Step(), None),
    ('reflectance', 'kubelka_munk'): (kubelka_munk.Step(FLOOR), {}),
  }
  wanted = (conversion.input_unit, conversion.output_unit)
  if wanted not in steps:
    raise ValueError(
      f'IntensityConversion from {wanted[0]} to {wanted[1]} has no equivalent here, expected '
      'one of ' + ', '.join(f'{a} to {b}' for a, b in steps)
    )
  return steps[wanted]


CONVERTERS = {
  'StandardNormalVariate': _snv,
  'RobustNormalVariate': _rnv,
  'MultiplicativeScatterCorrection': _msc,
  'ExtendedMultiplicativeScatterCorrection': _emsc,
  'SavitzkyGolay': _savitzky_golay,
  'SavitzkyGolayFilter': _savitzky_golay,
  'NorrisWilliams': _gap_segment,
  'NormScaler': _norm_scaler,
  'MinMaxScaler': _min_max_scaler,
  'PolynomialCorrection': _polynomial,
  'RangeCut': _range_cut,
  'IntensityConversion': _conversion,
}
