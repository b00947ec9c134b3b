"""What a split separates that belongs together: copies, and groups that are on two sides."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from spectra_jax import duplicates
from spectra_jax.duplicates import Pair
from spectra_jax.spectra import Spectra
from spectra_jax.splits import SIDES, Split, of_sides


@dataclasses.dataclass(frozen=True)
class Leakage:
  """What was found; rows are those of the spectra.

  Attributes:
    ids: [N] names of the rows.
    side: row -> 'train', 'validation' or 'test', of the rows that the split uses.
    copies: pairs of rows on two sides that are one measurement.
    groups: name -> its sides, of groups on more than one.
    within: how many pairs of copies are on one side, where they do not leak.
  """

  ids: np.ndarray
  side: Mapping[int, str]
  copies: tuple[Pair, ...]
  groups: Mapping[str, tuple[str, ...]]
  within: int

  @property
  def clean(self) -> bool:
    return not self.copies and not self.groups

  def __str__(self) -> str:
    where = lambda row: f'{self.ids[row]} ({self.side[row]})'
    said = [f'{len(self.copies)} pairs of copies and {len(self.groups)} groups are on two sides']
    said += [
      f'{where(p.first)} and {where(p.second)}: {p.kind}, shift {p.shift:+.2f} points, residual '
      f'{p.ratio:.2f} of the noise'
      for p in self.copies
    ]
    said += [f'group {name}: {", ".join(sides)}' for name, sides in self.groups.items()]
    return '\n'.join(said)

  def refuse(self) -> None:
    """Raises a ValueError that names the first leak, unless there is none."""
    if self.clean:
      return
    _, first, *_ = str(self).split('\n')
    raise ValueError(
      f'the split leaks: {len(self.copies)} pairs of copies and {len(self.groups)} groups are on '
      f'two sides, the first is {first}; expected none: split by duplicates.merged_groups(...), or '
      'take the copies out of training with leakage.without(...)'
    )


def check_leakage(
  split: Split,
  spectra: Spectra,
  shift_points: int = duplicates.SHIFT_POINTS,
  ratio: float = duplicates.RATIO,
) -> Leakage:
  """Copies and groups (meta columns 'id' and 'group') that are on two sides of the split.

  Args:
    split: of these spectra; rows on none of its sides are not looked at.
    spectra: measured, as they were before any preprocessing.
    shift_points: largest shift of a copy [points]; `ratio` as in `duplicates.find_copies`.

  Returns:
    What was found, to be listed (`str`) or refused (`.refuse()`).
  """
  side = {int(row): name for name, rows in zip(SIDES, split.sides, strict=True) for row in rows}
  used = np.array(sorted(side))
  found = duplicates.find_copies(spectra.take(used), shift_points, ratio)
  pairs = [p._replace(first=int(used[p.first]), second=int(used[p.second])) for p in found]
  across = tuple(p for p in pairs if side[p.first] != side[p.second])
  groups = np.asarray(spectra.meta['group'], str)
  sides_of: dict[str, set[str]] = {}
  for row, name in side.items():
    sides_of.setdefault(str(groups[row]), set()).add(name)
  torn = {
    group: tuple(name for name in SIDES if name in names)
    for group, names in sorted(sides_of.items())
    if len(names) > 1
  }
  return Leakage(np.asarray(spectra.meta['id']), side, across, torn, len(pairs) - len(across))


def without(split: Split, leakage: Leakage) -> Split:
  """The split without training and validation rows that have a copy on a later side.

  The test side stays whole, so that numbers with copies and without are of the same test.
  """
  order = {name: place for place, name in enumerate(SIDES)}
  earlier = lambda p: min((p.first, p.second), key=lambda row: order[leakage.side[row]])
  out = sorted({earlier(pair) for pair in leakage.copies})
  sides = [rows[~np.isin(rows, out)] for rows in split.sides]
  made = {**split.made, 'without_copies': len(out)}
  return of_sides(leakage.ids, sides, split.regime, made)
