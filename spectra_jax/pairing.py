"""Whether two lists of spectra are row for row the same molecules, as the spectra themselves say.

IR and Raman lines of one molecule lie at the same wavenumbers whatever their intensities, so local
maxima of the two coincide more often within a molecule than between two.
"""

import numpy as np

from spectra_jax.splits import digest_order

ROWS = 512  # at most, of which the coincidences are counted
REACH_CM = 3.0  # maxima within this distance coincide [cm^-1]
RATIO = 4.0  # of coincidences within rows over those between them; rows moved by one reach 2


def evidence(axis: np.ndarray, ir_NxL: np.ndarray, raman_NxL: np.ndarray) -> tuple[float, float]:
  """(within, between): shares of Raman maxima that coincide with an IR maximum.

  Within a row, and between each row and the next one of a fixed random order.
  """
  order = digest_order(np.arange(len(ir_NxL)), seed=0)[:ROWS]
  rows = np.sort(np.array(order, int))
  reach = max(1, round(REACH_CM / float(np.diff(axis).mean())))
  ir, raman = (_maxima(np.asarray(values[rows])) for values in (ir_NxL, raman_NxL))
  near = np.stack([np.convolve(row, np.ones(2 * reach + 1), 'same') > 0 for row in ir])
  mix = np.random.default_rng(0).permutation(len(rows))
  between = np.empty_like(near)
  between[mix] = near[np.roll(mix, 1)]
  return tuple(float((hits & raman).sum() / raman.sum()) for hits in (near, between))


def check(axis: np.ndarray, ir_NxL: np.ndarray, raman_NxL: np.ndarray, name: str) -> None:
  """Raises a ValueError unless maxima coincide `RATIO` times as often within rows as between."""
  within, between = evidence(axis, ir_NxL, raman_NxL)
  if not within > RATIO * between:
    raise ValueError(
      f'{name}: {within:.0%} of the Raman maxima coincide with an IR maximum of the same row and '
      f'{between:.0%} with one of another row, expected at least {RATIO} times as many; the rows '
      'are not the same molecules: get the files again'
    )


def _maxima(values_NxL: np.ndarray) -> np.ndarray:
  """[N, L] bool, True at local maxima."""
  peak = (values_NxL[:, 1:-1] > values_NxL[:, :-2]) & (values_NxL[:, 1:-1] >= values_NxL[:, 2:])
  return np.pad(peak, ((0, 0), (1, 1)))
