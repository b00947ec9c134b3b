"""What a predicted spectrum is worth: error, cosine, peaks found and missed, their heights."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from spectra_jax import likeness, peaks
from spectra_jax.forms import Terms

Peaks = list[tuple[np.ndarray, np.ndarray]]  # of each spectrum: positions and heights


@dataclasses.dataclass(frozen=True)
class PeakRule:
  """What counts as a peak and as the same peak.

  Attributes:
    prominence: over the deeper saddle beside it, as a share of the range of the spectrum.
    separation_cm: of two peaks of one spectrum [cm^-1].
    tolerance_cm: between a predicted peak and a true one [cm^-1], matched one to one.
  """

  prominence: float
  separation_cm: float
  tolerance_cm: float

  def peaks(self, values_NxL: np.ndarray, nu_L: np.ndarray) -> Peaks:
    """Positions [cm^-1] and heights of the peaks of each spectrum."""
    find = lambda row_L: peaks.find_peaks(row_L, nu_L, self.prominence, self.separation_cm)
    return [(at_K := find(row_L), np.interp(at_K, nu_L, row_L)) for row_L in values_NxL]


def squared_error(predicted_NxL: np.ndarray, true_NxL: np.ndarray) -> Terms:
  """Mean over all points of (p - y)^2."""
  error_N = ((np.float64(predicted_NxL) - true_NxL) ** 2).sum(1)
  return Terms('ratio', np.stack([error_N, np.full(len(error_N), float(np.shape(true_NxL)[1]))]))


def cosine(predicted_NxL: np.ndarray, true_NxL: np.ndarray) -> Terms:
  """`likeness.cosine` of the spectra whose reference has any intensity; nothing predicted is 0."""
  there_N = np.any(true_NxL, 1)
  dark_N = there_N & ~np.any(predicted_NxL, 1)
  judged_N = there_N & ~dark_N
  parts_2xN = np.stack([np.zeros(len(there_N)), np.float64(there_N)])
  if judged_N.any():
    found = likeness.cosine(predicted_NxL[judged_N], true_NxL[judged_N])
    parts_2xN[:, judged_N] = found.parts_KxN
  return Terms('ratio', parts_2xN)


def of_peaks(found: Peaks, true: Peaks, tolerance_cm: float) -> dict[str, Terms]:
  """'precision', 'recall', 'f1' of peaks, and 'intensity', the correlation of matched heights."""
  positions = lambda of: [at_K for at_K, _ in of]
  scores = peaks.peak_scores(positions(found), positions(true), tolerance_cm)
  return scores | {'intensity': _height_correlation(found, true, tolerance_cm)}


def _height_correlation(found: Peaks, true: Peaks, tolerance_cm: float) -> Terms:
  """Pearson's r over all matched peaks of all spectra."""
  rows = []
  for (found_K, height_K), (true_M, height_M) in zip(found, true, strict=True):
    pairs = peaks.match(found_K, true_M, tolerance_cm)
    x, y = height_K[pairs[:, 0]], height_M[pairs[:, 1]]
    rows.append([x @ y, x @ x, y @ y, x.sum(), y.sum(), len(x)])
  return Terms('correlation', np.array(rows, float).reshape(-1, 6).T)


def overlap(a_NxL: np.ndarray, b_NxL: np.ndarray, where_N: Sequence[bool]) -> Terms:
  """Mean of sum_l a b / sqrt(sum a^2 sum b^2) of intensities a, b >= 0, of the rows `where_N`.

  Of IR and Raman of a molecule with an inversion centre it would be 0, were lines infinitely sharp.
  """
  size_N = np.sqrt((a_NxL**2).sum(1) * (b_NxL**2).sum(1))
  share_N = (a_NxL * b_NxL).sum(1) / np.where(size_N > 0, size_N, 1.0)
  return Terms('ratio', np.stack([share_N, np.ones_like(share_N)])).where(np.asarray(where_N, bool))
