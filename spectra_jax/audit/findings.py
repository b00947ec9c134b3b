"""What a law found: sizes of violations by row, their rate with an interval, table and JSON."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from spectra_jax.report import text_table

NORMAL_95 = 1.959963984540054


@dataclasses.dataclass(frozen=True)
class Finding:
  """One law, asked of every row.

  Attributes:
    name: law/kind.
    size_N: how far each row goes beyond the law, in `unit`; 0 or less where it holds.
    allowed_N: what of it is rounding, or was allowed by the caller.
    unit: of both, a phrase that follows a number.
    assumes: what the law rests on and tolerates, with its numbers.
    curves: label -> [N, L], to draw a row.
    where_NxL: bool, the points that break the law.
    ylabel: what the curves are, with their unit.
    rows: [N] their numbers in the file; None where the law was asked of all.
  """

  name: str
  size_N: np.ndarray
  allowed_N: np.ndarray
  unit: str
  assumes: str
  curves: Mapping[str, np.ndarray]
  where_NxL: np.ndarray
  ylabel: str
  rows: np.ndarray | None = None

  @property
  def violated_N(self) -> np.ndarray:
    return self.size_N > self.allowed_N

  @property
  def worst(self) -> int:
    """Index of the largest violation; where there is none, of the row that comes closest to one."""
    beyond_N = np.where(self.violated_N, self.size_N, -np.inf)
    return int(np.argmax(beyond_N if self.violated_N.any() else self.size_N - self.allowed_N))

  @property
  def worst_row(self) -> int:
    """The same as a row of the file."""
    return self.worst if self.rows is None else int(self.rows[self.worst])


@dataclasses.dataclass(frozen=True)
class NotTested:
  """One law that does not apply, or for which something is missing, and why."""

  name: str
  reason: str


def wilson(count: int, total: int) -> tuple[float, float]:
  """95 % interval of a rate of which `count` in `total` were seen; never empty, also at 0 and 1.

  Wilson, J. Am. Stat. Assoc. 22, 209 (1927).
  """
  z2, share = NORMAL_95**2, count / total
  half = NORMAL_95 * math.sqrt(share * (1 - share) / total + z2 / (4 * total**2))
  low, high = ((share + z2 / (2 * total) + s * half) / (1 + z2 / total) for s in (-1, 1))
  return (0.0 if count == 0 else low), (1.0 if count == total else high)


def summary(found: Sequence[Finding | NotTested]) -> dict[str, Any]:
  """JSON: name -> applies, and rows, violations, worst, ... or the reason."""
  return {f.name: _summary(f) for f in found}


def _summary(found: Finding | NotTested) -> dict[str, Any]:
  if isinstance(found, NotTested):
    return {'applies': False, 'reason': found.reason}
  violations, rows = int(found.violated_N.sum()), len(found.size_N)
  return {
    'applies': True,
    'rows': rows,
    'violations': violations,
    'rate_interval': list(wilson(violations, rows)),
    'worst': max(0.0, float(found.size_N[found.worst])),
    'unit': found.unit,
    'worst_row': found.worst_row,
    'points_share': float(found.where_NxL.mean()),
    'assumes': found.assumes,
  }


def table(found: Sequence[Finding | NotTested]) -> str:
  """One line a law for a terminal; below it what each rests on, or why it was not tested."""
  rows = [['law', 'applies', 'violated', 'worst', 'row', 'rate [95 %]']]
  notes = []
  for each in found:
    tested = isinstance(each, Finding)
    rows.append(_row(each) if tested else [each.name, 'no', '', '', '', ''])
    notes.append(f'{each.name}: {each.assumes if tested else "not tested: " + each.reason}')
  return '\n'.join([text_table(rows), '', *notes])


def _row(found: Finding) -> list[str]:
  s = _summary(found)
  return [
    found.name,
    'yes',
    f'{s["violations"]} / {s["rows"]}',
    f'{s["worst"]:.3g} {found.unit}',
    str(s['worst_row']),
    '{:.3f} [{:.3f}, {:.3f}]'.format(s['violations'] / s['rows'], *s['rate_interval']),
  ]
