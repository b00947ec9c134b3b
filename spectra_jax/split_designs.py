"""Training sides that are chosen to surround the rest: Kennard-Stone and SPXY.

Such a test side lies inside of what training has seen. Its error is that of an interpolation and
says little of new samples, which is why it is a regime of its own in every table.
"""

import numpy as np
from scipy.spatial.distance import cdist

from spectra_jax.splits import Split, of_sides

BLOCK = 256  # rows at a time: N x BLOCK distances are held, never N x N


def kennard_stone_order(values_NxD: np.ndarray, count: int) -> np.ndarray:
  """[count] rows that cover the others: the two farthest, then always the one farthest from all.

  Distances are Euclidean, of what is given (spectra, or scores of principal components); among
  equal ones the first row wins. Kennard & Stone 1969, doi:10.1080/00401706.1969.10490666

  Raises:
    ValueError: values that are not finite, or a count that is no number of rows.
  """
  return _maximin(_checked([values_NxD], count), count)


def spxy_order(values_NxD: np.ndarray, targets_NxY: np.ndarray, count: int) -> np.ndarray:
  """[count] rows as of Kennard and Stone, for d_x / max d_x + d_y / max d_y.

  So extreme references are in training, not only extreme spectra. Galvao et al. 2005,
  doi:10.1016/j.talanta.2005.03.025

  Args:
    values_NxD: spectra.
    targets_NxY: references, [N] or [N, Y] in comparable units.
    count: how many rows.

  Raises:
    ValueError: as above, of references too.
  """
  targets_NxY = np.asarray(targets_NxY, np.float64).reshape(len(targets_NxY), -1)
  return _maximin(_checked([values_NxD, targets_NxY], count), count)


def kennard_stone(
  ids: np.ndarray, values_NxD: np.ndarray, groups: np.ndarray, share: float
) -> Split:
  """Training gets `share` of the groups, by Kennard and Stone on their mean spectra.

  There is no chance in it and no validation side: choose on `splits.folds` of the training side.
  """
  members, means_GxD = _group_means(groups, values_NxD)
  count = _count(len(means_GxD), share)
  chosen = kennard_stone_order(means_GxD, count)
  return _split(ids, members, chosen, 'kennard_stone', share)


def spxy(
  ids: np.ndarray,
  values_NxD: np.ndarray,
  targets_NxY: np.ndarray,
  groups: np.ndarray,
  share: float,
) -> Split:
  """Training gets `share` of the groups by SPXY on their mean spectra and mean references."""
  targets_NxY = np.asarray(targets_NxY, np.float64).reshape(len(targets_NxY), -1)
  members, means_GxD = _group_means(groups, values_NxD)
  _, targets_GxY = _group_means(groups, targets_NxY)
  chosen = spxy_order(means_GxD, targets_GxY, _count(len(means_GxD), share))
  return _split(ids, members, chosen, 'spxy', share)


def _split(
  ids: np.ndarray, group_N: np.ndarray, chosen: np.ndarray, regime: str, share: float
) -> Split:
  train = np.isin(group_N, chosen)
  sides = [np.flatnonzero(train), np.empty(0, int), np.flatnonzero(~train)]
  return of_sides(ids, sides, regime, {'share': share})


def _group_means(groups: np.ndarray, values_NxD: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """(number of each row's group [N], mean of each group [G, D])."""
  values_NxD = np.asarray(values_NxD, np.float64)
  _, group_N, rows_G = np.unique(np.asarray(groups, str), return_inverse=True, return_counts=True)
  total_GxD = np.zeros((len(rows_G), values_NxD.shape[1]))
  np.add.at(total_GxD, group_N, values_NxD)
  return group_N, total_GxD / rows_G[:, None]


def _count(groups: int, share: float) -> int:
  if not 0 < share < 1:
    raise ValueError(f'the share of training is {share}, expected one between 0 and 1')
  return round(groups * share)


def _checked(spaces: list[np.ndarray], count: int) -> list[np.ndarray]:
  """Each space in float64, divided by its largest distance."""
  spaces = [np.asarray(space, np.float64) for space in spaces]
  rows = len(spaces[0])
  if not 2 <= count <= rows:
    raise ValueError(
      f'{count} of {rows} rows are asked for, expected 2 to {rows}; use another share'
    )
  if not all(len(space) == rows and np.isfinite(space).all() for space in spaces):
    raise ValueError(
      f'spectra and references have {[len(space) for space in spaces]} rows, expected as many of '
      'both and finite numbers; leave out rows without a reference'
    )
  scales = [max(_block_maxima([space])) or 1.0 for space in spaces]
  return [space / scale for space, scale in zip(spaces, scales, strict=True)]


def _maximin(spaces: list[np.ndarray], count: int) -> np.ndarray:
  """The two farthest rows, then by the largest distance to the nearest chosen one."""
  start = int(np.argmax(_block_maxima(spaces)))
  block = _distances(spaces, slice(start * BLOCK, (start + 1) * BLOCK))
  row, other = np.unravel_index(block.argmax(), block.shape)
  chosen, nearest_N = [], np.full(len(spaces[0]), np.inf)

  def choose(new: int):
    chosen.append(new)
    np.minimum(nearest_N, _distances(spaces, slice(new, new + 1))[0], out=nearest_N)
    nearest_N[new] = -1.0  # below the distance of a copy of it

  choose(start * BLOCK + int(row))
  choose(int(other))
  while len(chosen) < count:
    choose(int(nearest_N.argmax()))
  return np.array(chosen)


def _block_maxima(spaces: list[np.ndarray]) -> list[float]:
  """Largest distance of each block of rows to all rows."""
  starts = range(0, len(spaces[0]), BLOCK)
  return [float(_distances(spaces, slice(k, k + BLOCK)).max()) for k in starts]


def _distances(spaces: list[np.ndarray], rows: slice) -> np.ndarray:
  return sum(cdist(space[rows], space) for space in spaces)
