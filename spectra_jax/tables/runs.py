"""The runs of a folder as tables see them: report.json and scores.npz, nothing else."""

import dataclasses
import functools
import json
import pathlib
import string
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from spectra_jax import forms, scores
from spectra_jax.splits import check_told
from spectra_jax.tables.spec import MODEL, Row
from spectra_jax.tables.statistics import Sums
from spectra_jax.workdir import NOT_IDENTITY

SAME = 1e-4  # relative; float32 sums and groups' float64 sums differ by less
NOT_PART = ('seed', 'split.train_seed', *NOT_IDENTITY)  # in what runs of one row may differ
RESULTS = 'results.'


@dataclasses.dataclass(frozen=True, eq=False)
class Run:
  """A finished run.

  Attributes:
    folder: where its report is.
    report: what report.json holds.
    config: key -> value, dotted.
  """

  folder: pathlib.Path
  report: Mapping[str, Any]
  config: Mapping[str, Any]

  @property
  def seed(self) -> int:
    return self.report['seed']

  @property
  def seeds(self) -> list[int]:
    """Of the runs that an ensemble is the mean of; else its own."""
    return [member['seed'] for member in self.report.get('members', ())] or [self.seed]

  @property
  def regime(self) -> str:
    return self.report['split']['regime']

  @property
  def split(self) -> str:
    """Hash of who is on which side; of a split with fewer in training, of the whole one."""
    return self.report['split'].get('made', {}).get('thinned_from', self.sides)

  @property
  def sides(self) -> str:
    """Hash of who is on which side."""
    return self.report['split']['hash']

  def number(self, metric: str) -> float | None:
    """What stands at the dotted path; None where there is nothing."""
    found = self.report
    for part in metric.split('.'):
      found = found.get(part) if isinstance(found, Mapping) else None
    return found

  @property
  def folders(self) -> list[pathlib.Path]:
    """Of all runs that it stands for."""
    return [self.folder]

  @property
  def left(self) -> dict[str, np.ndarray] | None:
    """What scores.npz holds; None where the run left none."""
    return self._scores

  @property
  def test_over_learned(self) -> float:
    """Rows of the test side over those that were learned or chosen from."""
    rows, refit = self.report['split']['rows'], self.config.get('protocol.refit', False)
    return rows['test'] / (rows['train'] + (0 if refit else rows['validation']))

  def by_split(self, metric: str) -> list[float] | None:
    """The score of each split where the number pools the test sides of several, else None.

    Older reports have RMSEP of the model alone, among what was chosen in each split.
    """
    *path, method = metric.split('.')
    found = self.number('.'.join([*path, 'splits', method]))
    several = self.number('.'.join([*path[:-1], 'repeats']))
    if found is None and several and len(several) > 1 and (path[-1], method) == ('rmsep', MODEL):
      return [one['rmsep'] for one in several]
    return found

  @functools.cached_property
  def _scores(self) -> dict[str, np.ndarray] | None:
    return scores.read(self.folder)

  @property
  def groups(self) -> list[str]:
    """Names of the test groups; none where the run left no scores."""
    return [] if self._scores is None else self._scores['groups'].tolist()

  @functools.cached_property
  def tested(self) -> int:
    """How many of the groups some score is about: others stand there with sums of zero."""
    found = self._scores or {}
    sums = [found[name] for name in found if name not in (scores.GROUPS, scores.FORMS)]
    return int(np.any([parts_KxG[-1] > 0 for parts_KxG in sums], 0).sum()) if sums else 0

  def sums(self, metric: str) -> Sums | None:
    """What test groups add to a score, [K, 1, G]; None where the run left none of it.

    Raises:
      ValueError: they do not give the number of the report.
    """
    name, found = metric.removeprefix(RESULTS), self._scores
    if found is None or not metric.startswith(RESULTS) or name not in found:
      return None
    if not found[name][-1].sum() > 0:
      return None
    form, reported = scores.form(found, name), self.number(metric)
    value = float(forms.FORMS[form](found[name].sum(1)))
    if not np.isclose(value, reported, rtol=SAME, atol=1e-12):
      raise ValueError(
        f'{self.folder}: scores.npz gives {metric} = {value} and report.json {reported}; expected '
        'files of one run; run its command again, which only evaluates'
      )
    return Sums(found[name][:, None], form)


def gather(root: pathlib.Path) -> list[Run]:
  """All finished runs below a folder, by path.

  Raises:
    ValueError: the folder is missing, or a report is damaged.
  """
  if not root.is_dir():
    raise ValueError(f'{root} is no folder; expected that of all runs; correct --runs')
  return [read(path) for path in sorted(root.rglob('report.json'))]


def read(path: pathlib.Path) -> Run:
  """The run of a report.

  Raises:
    ValueError: it is damaged, or none.
  """
  try:
    report = json.loads(path.read_text())
    run = Run(path.parent, report, flat(report['config']))
    once = report.get('resumed_from') == 0 or 'method.name' in run.config  # no method is resumed
    if 'wall_s_total' not in report and once:
      report['wall_s_total'] = report['wall_s']  # of before restarts were counted: there were none
    _ = run.seed, report['results']
    check_told(run.regime, run.split)
  except (ValueError, KeyError, TypeError, AttributeError) as error:
    raise ValueError(
      f'{path} is not the report of a run ({type(error).__name__}: {error}); expected what '
      'experiments.train wrote; move it away or run its command again'
    ) from None
  return run


def flat(config: Mapping[str, Any], path: str = '') -> dict[str, Any]:
  """{'a': {'b': 1}} -> {'a.b': 1}; lists as tuples, as configs have them."""
  found = {}
  for key, value in config.items():
    if isinstance(value, Mapping):
      found |= flat(value, f'{path}{key}.')
    else:
      found[f'{path}{key}'] = _tuples(value)
  return found


def _tuples(value: Any) -> Any:
  return tuple(map(_tuples, value)) if isinstance(value, list) else value


def selected(runs: Sequence[Run], root: pathlib.Path, row: Row) -> list[Run]:
  """The runs that the row asks for.

  Raises:
    ValueError: a key in `where` that no run has which the rest of it selects.
  """
  folders = set(root.glob(row.runs))
  there = [run for run in runs if run.folder in folders]
  for key in row.where:
    others = [run for run in there if _matches(run, row.where, without=key)]
    if others and not any(key in run.config for run in others):
      raise ValueError(
        f'row {row.label!r} selects by {key!r}, which the config of no run has, as of '
        f'{others[0].folder}; expected a key of configs/default.py; correct `where`'
      )
  return [run for run in there if _matches(run, row.where, without=None)]


def _matches(run: Run, where: Mapping[str, Any], without: str | None) -> bool:
  absent = object()
  return all(run.config.get(key, absent) == where[key] for key in where if key != without)


def expanded(runs: Sequence[Run], row: Row) -> dict[str, list[Run]]:
  """Label -> runs: one for each set of values of the keys in braces; the label as it is without."""
  if not runs:
    return {row.label: []}
  found: dict[str, list[Run]] = {}
  for run in runs:
    found.setdefault(_Label(row, run).format(row.label), []).append(run)
  return found


class _Label(string.Formatter):
  """Fills in keys of one run; dots belong to the key."""

  def __init__(self, row: Row, run: Run):
    self.row, self.run = row, run

  def get_field(self, key: str, args: Sequence, kwargs: Mapping) -> tuple[Any, str]:
    if key == 'run':
      return self.run.folder.name, key
    found = self.run.config.get(key)
    if found is None and key.startswith('report.'):
      found = self.run.number(key.removeprefix('report.'))
    if found is None:
      raise ValueError(
        f'row {self.row.label!r} names {key!r}, which {self.run.folder} does not have; expected '
        'run, report.KEY or a key of configs/default.py; correct the label'
      )
    return found, key


def check_alike(label: str, runs: Sequence[Run], but: Sequence[str] = ()) -> None:
  """Raises a ValueError unless the runs differ by their seeds alone, and by the keys `but`.

  A key that one of them lacks came later than its report, with a default that changed no run.
  It is raised too where they are of other data or other pretrained weights, by the data's hash.
  """
  first = runs[0]
  for other in runs[1:]:
    a, b = first.number('data_hash'), other.number('data_hash')
    if None not in (a, b) and a != b:
      raise ValueError(
        f'row {label!r} mixes {first.folder.name} and {other.folder.name}, which are of other data '
        f'or other pretrained weights (hash {str(a)[:8]} and {str(b)[:8]}); expected the same; '
        'train or evaluate the older of them again'
      )
    keys = (first.config.keys() & other.config.keys()) - set(but)
    keys = {key for key in keys if not {key, key.split('.')[0]} & set(NOT_PART)}
    pairs = {key: (first.config[key], other.config[key]) for key in keys}
    differ = sorted(key for key, (a, b) in pairs.items() if a != b)
    if differ:
      (a, b), key = pairs[differ[0]], differ[0]
      raise ValueError(
        f'row {label!r} mixes {first.folder.name} and {other.folder.name}, where {key} is {a!r} '
        f'and {b!r}; expected runs that differ by their seed; add {key} to `where` or to the label'
      )


def check_once(label: str, runs: Sequence[Run]) -> None:
  """Raises a ValueError where two runs have one seed."""
  seeds = [run.seed for run in runs]
  twice = sorted({seed for seed in seeds if seeds.count(seed) > 1})
  if twice:
    same = ' and '.join(str(run.folder) for run in runs if run.seed == twice[0])
    raise ValueError(
      f'row {label!r} has seed {twice[0]} twice, in {same}; expected each once; narrow `runs`'
    )


def stacked(runs: Sequence[Run], metric: str) -> Sums | None:
  """Sums of one score over the groups that all runs share; None where a run left none."""
  found = [run.sums(metric) for run in runs]
  if not runs or any(sums is None for sums in found):
    return None
  for run in runs[1:]:
    check_groups(runs[0], run)
  return Sums(np.concatenate([sums.parts_KxSxG for sums in found], 1), found[0].form)


def check_groups(one: Run, other: Run) -> None:
  """Raises a ValueError unless both were tested on the same groups."""
  if one.groups != other.groups:
    raise ValueError(
      f'{one.folder} and {other.folder} have {len(one.groups)} and {len(other.groups)} test groups '
      'that are not the same; expected one test side; compare runs of one split'
    )
