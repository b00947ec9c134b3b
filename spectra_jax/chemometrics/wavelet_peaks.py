"""Peaks of the continuous wavelet transform, where and how strong, and a support vector machine.

W(s, x) = s^(-1/2) integral f(t) psi((t - x)/s) dt with the Mexican hat psi, whose two vanishing
moments make it blind to a linear baseline. A peak at scale s is a local maximum of W along x with
W > 0 (Du, Kibbe & Lin 2006, doi:10.1093/bioinformatics/btl355). Features are the strongest peak of
each scale in each stretch of the axis.
"""

from collections.abc import Sequence

import numpy as np
import pywt

from spectra_jax.chemometrics import nested, svm

TASKS = (nested.REGRESSION, nested.CLASSIFICATION)
SCALES = (2.0, 4.0, 8.0, 16.0)  # in steps of the axis; a peak of FWHM w answers most near 0.5 w
STRETCH = 8  # points of the axis that share a feature


def features(values_BxL: np.ndarray, scales: Sequence[float], stretch: int) -> np.ndarray:
  """[B, scales x ceil(L / stretch)]: the strongest peak of each scale in each stretch, 0 = none."""
  values_BxL = np.asarray(values_BxL, np.float64)
  found_SxBxL, _ = pywt.cwt(values_BxL, np.asarray(scales), 'mexh', axis=-1)
  left, middle, right = found_SxBxL[..., :-2], found_SxBxL[..., 1:-1], found_SxBxL[..., 2:]
  peak = (middle > left) & (middle >= right) & (middle > 0)
  strength = np.pad(np.where(peak, middle, 0.0), ((0, 0), (0, 0), (1, 1)))
  strength = np.pad(strength, ((0, 0), (0, 0), (0, -strength.shape[-1] % stretch)))
  pooled = strength.reshape(*strength.shape[:2], -1, stretch).max(-1)
  return pooled.swapaxes(0, 1).reshape(len(values_BxL), -1)


def fit(
  values_NxL: np.ndarray,
  targets_N: np.ndarray,
  groups_N: np.ndarray,
  seed: int,
  scales: Sequence[float] = SCALES,
  stretch: int = STRETCH,
  costs: Sequence[float] = svm.COSTS,
  widths: Sequence[float] = svm.WIDTHS,
  folds: int = nested.FOLDS,
) -> nested.OnFeatures:
  """`svm.fit` on the peaks of these rows.

  Args:
    scales, stretch: of `features`.
    values_NxL, targets_N, groups_N, seed, costs, widths, folds: of `svm.fit`.
  """
  values_NxL, targets_N = nested.checked(values_NxL, targets_N, groups_N, TASKS)
  peaks = lambda values_BxL: features(values_BxL, scales, stretch)
  model = svm.fit(peaks(values_NxL), targets_N, groups_N, seed, costs, widths, folds=folds)
  return nested.OnFeatures(peaks, model)
