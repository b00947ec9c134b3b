"""Runs on the splits of one protocol, one a split, pooled into what one classical report is.

A network's run has one split of a protocol. How many there are and their joint hash stand in its
report, and in those of classical methods. Only all of them together make a number: a mean of fewer
splits is another one.
"""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from spectra_jax import forms, scores
from spectra_jax.splits import digest
from spectra_jax.tables.runs import RESULTS, Run, check_alike

PROTOCOL, REPEAT, REPEATS = (f'protocol.{key}' for key in ('name', 'repeat', 'repeats'))
TIMES = ('wall_s', 'wall_s_total')


class Expected(NamedTuple):
  """The splits of a protocol: how many, and their joint hash."""

  count: int
  joint: str


ALONE = Expected(1, '')


@dataclasses.dataclass(frozen=True, eq=False)
class Pooled(Run):
  """Runs of one seed on all splits of a protocol, as one; folder, report and config of the first.

  Attributes:
    joint: hash of all splits, as a classical report has it.
    parts: in the order of the splits.
  """

  joint: str
  parts: Sequence[Run]

  @property
  def split(self) -> str:
    return self.joint

  @property
  def folders(self) -> list:
    return [part.folder for part in self.parts]

  @property
  def test_over_learned(self) -> float:
    return float(np.mean([part.test_over_learned for part in self.parts]))

  def number(self, metric: str) -> Any:
    """Of a score, that of the pooled sums, None where test sides do not add; times are added."""
    if metric in TIMES:
      times = [part.number(metric) for part in self.parts]
      return None if None in times else float(sum(times))
    if not metric.startswith(RESULTS):
      return super().number(metric)
    name = metric.removeprefix(RESULTS)
    if name not in self._scores:
      return None
    form = forms.FORMS[scores.form(self._scores, name)]
    return float(form(self._scores[name].sum(1)))

  def by_split(self, metric: str) -> list[float] | None:
    found = [part.number(metric) for part in self.parts]
    return None if None in found else found

  @functools.cached_property
  def _scores(self) -> dict[str, np.ndarray]:
    return scores.pooled([part.left for part in self.parts])


def expected(found: Sequence[Run]) -> dict[str, Expected]:
  """Protocol -> its splits, as far as reports tell; those of classical methods always do."""
  told = {}
  for run in found:
    if REPEATS in run.config:
      told[run.config[PROTOCOL]] = Expected(run.config[REPEATS], run.split)
  return told


def pool(
  label: str, runs: Sequence[Run], told: Mapping[str, Expected]
) -> tuple[list[Run], dict[int, tuple[int, int]]]:
  """(runs of a row, those of all splits of a protocol as one; seed -> (splits there, splits)).

  The latter are the seeds that lack some of the splits; their runs are in no number.

  Args:
    label: of the row.
    runs: of the row.
    told: of `expected`, for runs whose own report does not say it.

  Raises:
    ValueError: runs that differ by more than their split and their seed, a split twice, splits that
      are not those of the protocol, or a run without scores.npz.
  """
  whole, lacking = [], {}
  for seed in sorted({run.seed for run in runs}):
    mine = [run for run in runs if run.seed == seed]
    wanted = {_expected(run, told) for run in mine}
    if max(one.count for one in wanted) == 1:
      whole += mine
      continue
    check_alike(label, mine, but=(REPEAT,))
    _check_once(label, mine)
    first, *others = sorted(wanted)
    if others:
      raise ValueError(
        f'row {label!r}: runs of seed {seed} are of {first.count} splits {first.joint} and of '
        f'{others[0].count} splits {others[0].joint}, expected one; run them again on one version '
        'of the data'
      )
    if len(mine) == first.count:
      whole.append(_pooled(label, sorted(mine, key=lambda run: run.config[REPEAT]), first.joint))
    else:
      lacking[seed] = (len(mine), first.count)
  return whole, lacking


def _expected(run: Run, told: Mapping[str, Expected]) -> Expected:
  made = run.report['split'].get('made', {})
  if 'joint' in made:
    return Expected(made['repeats'], made['joint'])
  return told.get(run.config.get(PROTOCOL), ALONE) if REPEAT in run.config else ALONE


def _check_once(label: str, runs: Sequence[Run]) -> None:
  numbers = [run.config[REPEAT] for run in runs]
  twice = sorted({number for number in numbers if numbers.count(number) > 1})
  if twice:
    same = ' and '.join(str(run.folder) for run in runs if run.config[REPEAT] == twice[0])
    raise ValueError(
      f'row {label!r} has {REPEAT} {twice[0]} twice, in {same}; expected each once; narrow `runs`'
    )


def _pooled(label: str, parts: Sequence[Run], joint: str) -> Pooled:
  first, found = parts[0], digest([run.split for run in parts])
  if found != joint:
    raise ValueError(
      f'row {label!r}: the splits of {first.folder} and {len(parts) - 1} runs beside it have the '
      f'joint hash {found}, expected {joint} of protocol {first.config[PROTOCOL]}; run them again '
      'on one version of the data'
    )
  bare = [run for run in parts if run.left is None]
  if bare:
    raise ValueError(
      f'{bare[0].folder} has no {scores.FILE}, expected the sums by which splits are pooled; run '
      'its command again, which only evaluates'
    )
  config = {key: value for key, value in first.config.items() if key != REPEAT}
  return Pooled(first.folder, first.report, config, joint, parts)
