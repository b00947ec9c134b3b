"""From a table's description and the runs there are to its cells, checked to be comparable."""

import dataclasses
import pathlib
import re
from collections.abc import Mapping, Sequence

import numpy as np

from spectra_jax import metrics
from spectra_jax.tables import repeats, statistics
from spectra_jax.tables import runs as run_files
from spectra_jax.tables.runs import Run
from spectra_jax.tables.spec import MODEL, Column, Table
from spectra_jax.tables.statistics import Interval

SAMPLES = 'test samples'  # what the interval of a report is over, where it is all there is
REPORTED_LEVEL = 0.95  # of intervals in report.json, see spectra_jax/metrics.py


@dataclasses.dataclass
class Cell:
  """One number and where it comes from.

  Attributes:
    column: of the table.
    value: None where it is missing, or where the row has no such number (`applies` is False then).
    low, high: ends of the interval; None where one number says nothing about its spread.
    over: what the interval is over: 'seeds and groups', 'groups', 'seeds', 'splits', 'test
      samples', or ''.
    p: of the comparison with the row `against`; p_holm allows for all comparisons of the table.
    difference: from that row, with its interval over seeds and groups.
    runs: it is the mean over them.
    lacking: seeds that the table expects and that are not there.
    partial: seed -> (splits there, splits) where some of a protocol's are not: in no number.
    applies: False where nothing is expected.
    source: of a published number.
  """

  column: Column
  value: float | None = None
  low: float | None = None
  high: float | None = None
  over: str = ''
  p: float | None = None
  p_holm: float | None = None
  difference: Interval | None = None
  runs: Sequence[Run] = ()
  lacking: Sequence[int] = ()
  partial: Mapping[int, tuple[int, int]] = dataclasses.field(default_factory=dict)
  applies: bool = True
  source: str = ''

  @property
  def missing(self) -> bool:
    return self.applies and self.value is None

  @property
  def seeds(self) -> list[int]:
    return [run.seed for run in self.runs]


@dataclasses.dataclass
class Line:
  """A row of the finished table."""

  section: str
  label: str
  method: str
  runs: Sequence[Run]
  cells: list[Cell]


def build(table: Table, root: pathlib.Path) -> list[Line]:
  """All lines of a table, by section, references last.

  Args:
    table: its description.
    root: folder of all runs.

  Raises:
    ValueError: runs that cannot stand in one row or one column, or files that contradict each
      other.
  """
  found = run_files.gather(root)
  told, lines = repeats.expected(found), []
  for row in table.rows:
    chosen = run_files.selected(found, root, row)
    for section, part in _sections(table, chosen).items():
      for label, together in run_files.expanded(part, row).items():
        lines.append(_line(table, section, label, row.method, together, told))
  order = sorted({line.section for line in lines if line.runs}, key=_by_numbers) or ['']
  for line in lines:
    line.section = line.section if line.runs else order[0]  # what is missing is nowhere else
  lines.sort(key=lambda line: order.index(line.section))
  _check_metrics(table, lines)
  for section in order:
    _check_comparable(table, [line for line in lines if line.section == section])
  _compare(table, lines)
  return lines + [_reference(table, reference) for reference in table.references]


def _sections(table: Table, chosen: Sequence[Run]) -> dict[str, list[Run]]:
  found: dict[str, list[Run]] = {}
  for run in chosen:
    lacking = [key for key in table.sections if key not in run.config]
    if lacking:
      raise ValueError(
        f'table {table.name} has sections by {lacking[0]!r}, which {run.folder} does not have; '
        'expected keys of configs/default.py; correct `sections`'
      )
    name = ', '.join(f'{key} = {run.config[key]}' for key in table.sections)
    found.setdefault(name, []).append(run)
  return found or {'': []}


def _by_numbers(section: str) -> list[str | float]:
  """Sorts 'labels = 85' before 'labels = 170'."""
  parts = re.split(r'(\d+(?:\.\d+)?)', section)
  return [float(part) if k % 2 else part for k, part in enumerate(parts)]


def _line(
  table: Table,
  section: str,
  label: str,
  method: str,
  runs: Sequence[Run],
  told: Mapping[str, repeats.Expected],
) -> Line:
  whole, partial = repeats.pool(label, runs, told)
  if whole and method == MODEL:
    run_files.check_alike(label, whole)
    run_files.check_once(label, whole)
  make = _of_model if method == MODEL else _of_baseline
  cells = [make(table, column, label, method, whole) for column in table.columns]
  for cell in cells:
    cell.partial = partial
  return Line(section, label, method, runs, cells)


def _of_model(table: Table, column: Column, label: str, method: str, runs: Sequence[Run]) -> Cell:
  there = [run for run in runs if run.number(column.metric) is not None]
  lacking = sorted(set(table.seeds) - {seed for run in there for seed in run.seeds})
  cell = Cell(column, runs=there, lacking=lacking)
  if not there:
    return cell
  values = [float(run.number(column.metric)) for run in there]
  cell.value = float(np.mean(values))
  if not column.regime:  # a time or a size: its spread says nothing of the method
    return cell
  if _over_splits(cell, table, column.metric):
    return cell
  sums = run_files.stacked(there, column.metric)
  found = statistics.bootstrap(sums, table.resamples, table.level) if sums else None
  if found is not None:
    groups = statistics.judged(sums).parts_KxSxG.shape[2]
    cell.over = ' and '.join(['seeds'] * (len(there) > 1) + ['groups'] * (groups > 1))
  elif len(values) > 1:
    found, cell.over = Interval(*metrics.mean_interval(np.array(values), table.level)), 'seeds'
  if found is not None:
    cell.low, cell.high = found.low, found.high
  elif len(there) == 1:
    _take_reported(cell, table, method)
  return cell


def _over_splits(cell: Cell, table: Table, metric: str) -> bool:
  """Fills in the interval of a cell whose runs pool several splits, see `metrics.split_interval`.

  Returns:
    Whether they do.
  """
  of_seeds = [run.by_split(metric) for run in cell.runs]
  if any(values is None for values in of_seeds):
    return False
  values_S, share = np.mean(of_seeds, 0), cell.runs[0].test_over_learned
  cell.low, cell.high = metrics.split_interval(cell.value, values_S, share, table.level)
  cell.over = f'{len(values_S)} splits'
  return True


def _take_reported(cell: Cell, table: Table, method: str) -> None:
  """The interval that its run gives, where there is one of the table's level."""
  path = cell.column.interval.format(method=method)
  ends = cell.runs[0].number(path) if path else None
  if ends is not None and table.level == REPORTED_LEVEL:
    (cell.low, cell.high), cell.over = ends, SAMPLES


def _of_baseline(
  table: Table, column: Column, label: str, method: str, runs: Sequence[Run]
) -> Cell:
  """A baseline has no seed: all runs must have found the same, and the first one is taken; unless
  each was trained on rows of its own, where it is a mean over them. What no run has of a baseline,
  it does not have.
  """
  if not column.of_method:
    return Cell(column, applies=False)
  metric = column.of_method.format(method=method)
  there = [run for run in runs if run.number(metric) is not None]
  if not there:
    return Cell(column, applies=not runs)
  if len({run.sides for run in there}) > 1:
    found = _of_model(table, dataclasses.replace(column, metric=metric), label, method, there)
    return dataclasses.replace(found, column=column)
  first = there[0]
  for run in there[1:]:
    if not np.isclose(run.number(metric), first.number(metric), rtol=1e-3):
      raise ValueError(
        f'row {label!r}: {metric} is {first.number(metric)} in {first.folder.name} and '
        f'{run.number(metric)} in {run.folder.name}; expected one number of a method without a '
        'seed; narrow `runs`, or evaluate the older run again'
      )
  cell = Cell(column, value=float(first.number(metric)), runs=[first])
  if _over_splits(cell, table, metric):
    return cell
  sums = run_files.stacked([first], metric)
  found = statistics.bootstrap(sums, table.resamples, table.level) if sums else None
  if found is not None:
    cell.low, cell.high, cell.over = found.low, found.high, 'groups'
  else:
    _take_reported(cell, table, method)
  return cell


def _reference(table: Table, reference) -> Line:
  cells = []
  for column in table.columns:
    value = reference.values.get(column.label)
    scaled = None if value is None else value / column.scale  # it is given as it is printed
    applies = value is not None
    cells.append(Cell(column, value=scaled, applies=applies, source=reference.source))
  return Line('', reference.label, 'published', (), cells)


def _check_metrics(table: Table, lines: Sequence[Line]) -> None:
  """Raises a ValueError for a column that no run has a number for, or something else than one."""
  runs = [run for line in lines for run in line.runs]
  for column in table.columns:
    found = [run.number(column.metric) for run in runs]
    if runs and not any(isinstance(number, int | float) for number in found):
      raise ValueError(
        f'table {table.name}, column {column.label!r}: no report of {len(runs)} has a number at '
        f'{column.metric!r}; expected a dotted path such as results.ir.nre; correct `metric`'
      )


def _check_comparable(table: Table, lines: Sequence[Line]) -> None:
  """Raises a ValueError where numbers of one column and section come from different splits."""
  for place, column in enumerate(table.columns):
    used = [run for line in lines for run in line.cells[place].runs if column.regime]
    for run in used:
      if run.regime != column.regime:
        raise ValueError(
          f'table {table.name}, column {column.label!r}: {run.folder} is of regime {run.regime!r}, '
          f'expected {column.regime!r}; numbers of two regimes do not stand in one column: narrow '
          '`where`, or add a column'
        )
      if run.split != used[0].split:
        raise ValueError(
          f'table {table.name}, column {column.label!r}: {used[0].folder} has split '
          f'{used[0].split} and {run.folder} {run.split}; expected one split in a column: narrow '
          '`where`, or set `sections` to what the splits differ by'
        )


def _compare(table: Table, lines: Sequence[Line]) -> None:
  """Tests every row against the chosen one of its section; Holm's correction over the table."""
  if not table.against:
    return
  labels = [line.label for line in lines]
  if table.against not in labels:
    raise ValueError(
      f'table {table.name} compares with row {table.against!r}, expected one of '
      f'{", ".join(map(repr, labels))}; correct `against`'
    )
  against = {line.section: line for line in lines if line.label == table.against}
  tested = []
  for line in lines:
    other = against.get(line.section)
    if other is None or line is other:
      continue
    for cell, theirs in zip(line.cells, other.cells, strict=True):
      pair = _pair(line, cell, other, theirs)
      if pair is not None:
        cell.p = statistics.paired(*pair, table.test)
        cell.difference = statistics.difference(*pair, table.resamples, table.level)
        tested.append(cell)
  for cell, p in zip(tested, statistics.holm(np.array([c.p for c in tested])), strict=True):
    cell.p_holm = float(p)


def _pair(line: Line, ours: Cell, other: Line, theirs: Cell) -> list[statistics.Sums] | None:
  """Sums of both; None where one of the two is missing or they share fewer than two groups."""
  if not (ours.column.regime and ours.runs and theirs.runs):
    return None
  pair = []
  for cell, method in ((ours, line.method), (theirs, other.method)):
    column = cell.column
    metric = column.metric if method == MODEL else column.of_method.format(method=method)
    pair.append(run_files.stacked(cell.runs, metric))
  if any(sums is None for sums in pair):
    return None
  run_files.check_groups(ours.runs[0], theirs.runs[0])
  return pair if statistics.shared(*pair).sum() > 1 else None
