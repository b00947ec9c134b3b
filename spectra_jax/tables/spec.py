"""What a table is: rows that select runs, columns that select numbers, references, one test.

A table is `configs/tables/NAME.py`, a diff of `configs/tables/default.py`.
"""

import dataclasses
import importlib
import pkgutil
import string
from collections.abc import Mapping, Sequence
from typing import Any

from ml_collections import ConfigDict

from spectra_jax.tables import statistics

MODEL = 'model'


@dataclasses.dataclass(frozen=True)
class Row:
  """Which runs make a row.

  Attributes:
    label: may hold config keys in braces, '{backbone.name}': then there is a row for each of their
      values. '{run}' is the name of the run's folder, '{report.parameters:,}' a number of its
      report.
    runs: glob of run folders below the folder of all runs.
    where: config key -> the value it must have.
    method: 'model', or the baseline of these runs whose numbers are meant.
  """

  label: str
  runs: str
  where: Mapping[str, Any]
  method: str

  @property
  def keys(self) -> list[str]:
    """The keys in braces."""
    return [field for _, field, _, _ in string.Formatter().parse(self.label) if field]


@dataclasses.dataclass(frozen=True)
class Column:
  """Which number stands in a column.

  Attributes:
    label: heading, with the unit.
    metric: dotted path into report.json.
    of_method: the same for a baseline, '{method}' is its name; '' = it has no such number.
    interval: dotted path of the interval that the run itself gives, for one run without scores.npz;
      '{method}' as before; '' = none.
    regime: of the splits these numbers come from; '' = it is no score (time, size).
    format: of one number.
    scale: what it is multiplied by for its unit.
  """

  label: str
  metric: str
  of_method: str
  interval: str
  regime: str
  format: str
  scale: float


@dataclasses.dataclass(frozen=True)
class Reference:
  """Numbers that others have published: column label -> value, and where they stand."""

  label: str
  values: Mapping[str, float]
  regime: str
  source: str


@dataclasses.dataclass(frozen=True)
class Table:
  """One table; the keys are explained in configs/tables/default.py."""

  name: str
  caption: str
  rows: Sequence[Row]
  columns: Sequence[Column]
  references: Sequence[Reference]
  sections: Sequence[str]
  seeds: Sequence[int]
  page: Sequence[str]
  against: str
  test: str
  level: float
  resamples: int


def names() -> list[str]:
  """The tables in configs/tables."""
  package = importlib.import_module('configs.tables')
  found = [module.name for module in pkgutil.iter_modules(package.__path__)]
  return sorted(name for name in found if name != 'default')


def load(name: str) -> Table:
  """configs/tables/NAME.py, checked.

  Raises:
    ValueError: no such table, or one that contradicts itself.
  """
  if name not in names():
    raise ValueError(
      f'configs/tables has no {name!r}, expected one of {", ".join(names())}; add '
      f'configs/tables/{name}.py or correct the name'
    )
  return parse(name, importlib.import_module(f'configs.tables.{name}').get_config())


def parse(name: str, config: ConfigDict) -> Table:
  """A table from its config.

  Raises:
    ValueError: a key too many or too few, a label twice, or a name of nothing.
  """
  parts = {'rows': Row, 'columns': Column, 'references': Reference}
  made = {
    part: tuple(_part(f'{name}: {part}', cls, dict(item)) for item in config[part])
    for part, cls in parts.items()
  }
  rest = {key: config[key] for key in config if key not in parts}
  table = _part(name, Table, {'name': name, **rest, **made})
  _check(table)
  return table


def _part(where: str, cls: type, given: Mapping[str, Any]) -> Any:
  wanted = {field.name for field in dataclasses.fields(cls)}
  if set(given) != wanted:
    raise ValueError(
      f'table {where} has keys {sorted(set(given) - wanted)} too many and '
      f'{sorted(wanted - set(given))} too few; expected {", ".join(sorted(wanted))}'
    )
  return cls(**given)


def _check(table: Table) -> None:
  for part in ('rows', 'columns'):
    labels = [item.label for item in getattr(table, part)]
    twice = sorted({label for label in labels if labels.count(label) > 1})
    if twice or not labels:
      raise ValueError(
        f'table {table.name} has {part} {labels}, expected at least one and none twice; give each '
        'a label of its own'
      )
  if table.test not in statistics.TESTS:
    raise ValueError(
      f'table {table.name} asks for test {table.test!r}, expected one of '
      f'{", ".join(statistics.TESTS)}'
    )
  columns = {column.label: column for column in table.columns}
  unknown = [label for label in table.page if label not in columns]
  if unknown:
    raise ValueError(
      f'table {table.name} has {unknown[0]!r} in `page`, expected columns {", ".join(columns)}; '
      'correct it'
    )
  for reference in table.references:
    unknown = sorted(set(reference.values) - set(columns))
    if unknown:
      raise ValueError(
        f'table {table.name}: reference {reference.label!r} gives {unknown[0]!r}, expected columns '
        f'{", ".join(columns)}; correct its label'
      )
    for label in reference.values:
      if columns[label].regime != reference.regime:
        raise ValueError(
          f'table {table.name}: reference {reference.label!r} was measured in regime '
          f'{reference.regime!r} and column {label!r} is of regime {columns[label].regime!r}; '
          'expected the same; put it into a column of its own'
        )
