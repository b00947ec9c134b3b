"""Runs on the splits of one protocol, one a split, pooled into what one classical report is.

The report of a network's run says which split of which protocol it had, how many there are, and
their joint hash. Only all of them together make a number: a mean of fewer splits is another one.
"""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from spectra_jax import forms, scores
from spectra_jax.splits import digest
from spectra_jax.tables.runs import RESULTS, Run, check_alike

REPEAT = 'protocol.repeat'
TIMES = ('wall_s', 'wall_s_total')


@dataclasses.dataclass(frozen=True, eq=False)
class Pooled(Run):
  """Runs of one seed on all splits of a protocol, as one; folder, report and config of the first.

  Attributes:
    parts: in the order of the splits.
  """

  parts: Sequence[Run]

  @property
  def split(self) -> str:
    """The joint hash of all splits, as a classical report has it."""
    return _made(self)['joint']

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


def pool(label: str, runs: Sequence[Run]) -> tuple[list[Run], dict[int, tuple[int, int]]]:
  """(runs of a row, those of all splits of a protocol as one; seed -> (splits there, splits)).

  The latter are the seeds that lack some of the splits; their runs are in no number.

  Raises:
    ValueError: runs that differ by more than their split and their seed, a split twice, splits that
      are not those of the protocol, or a run without scores.npz.
  """
  whole, lacking = [], {}
  for seed in sorted({run.seed for run in runs}):
    mine = [run for run in runs if run.seed == seed]
    count = max(_made(run).get('repeats', 1) for run in mine)
    if count == 1:
      whole += mine
      continue
    check_alike(label, mine, but=(REPEAT,))
    _check_once(label, mine)
    if len(mine) == count:
      whole.append(_pooled(label, sorted(mine, key=lambda run: run.config[REPEAT])))
    else:
      lacking[seed] = (len(mine), count)
  return whole, lacking


def _made(run: Run) -> dict[str, Any]:
  return run.report['split'].get('made', {})


def _check_once(label: str, runs: Sequence[Run]) -> None:
  numbers = [run.config[REPEAT] for run in runs]
  twice = sorted({number for number in numbers if numbers.count(number) > 1})
  if twice:
    same = ' and '.join(str(run.folder) for run in runs if run.config[REPEAT] == twice[0])
    raise ValueError(
      f'row {label!r} has {REPEAT} {twice[0]} twice, in {same}; expected each once; narrow `runs`'
    )


def _pooled(label: str, parts: Sequence[Run]) -> Pooled:
  first = parts[0]
  joint = digest([run.split for run in parts])
  if joint != _made(first)['joint']:
    raise ValueError(
      f'row {label!r}: the splits of {first.folder} and {len(parts) - 1} runs beside it have the '
      f'joint hash {joint}, expected {_made(first)["joint"]} of protocol '
      f'{first.config["protocol.name"]}; run them again on one version of the data'
    )
  bare = [run for run in parts if run.left is None]
  if bare:
    raise ValueError(
      f'{bare[0].folder} has no {scores.FILE}, expected the sums by which splits are pooled; run '
      'its command again, which only evaluates'
    )
  config = {key: value for key, value in first.config.items() if key != REPEAT}
  return Pooled(first.folder, first.report, config, parts)
