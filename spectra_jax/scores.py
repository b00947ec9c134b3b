"""Scores a test group: what intervals and tests of a table need of a run, and nothing else.

A score is a function of sums (`spectra_jax/forms.py`), so a run leaves a few sums a group: two of a
ratio, which most are. The name of a score is its dotted path in the results of report.json, and the
form of the sums over all groups is the number found there.
"""

import io
import os
import pathlib
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from spectra_jax.forms import Terms
from spectra_jax.workdir import write_bytes_atomic

FILE = 'scores.npz'
GROUPS, FORMS = 'groups', 'forms'  # of these names no score may be
# Scores whose sums add over test sides: R2, RPD and RPIQ look at each side's own references.
POOLED = ('rmsep', 'sep', 'bias', 'top1', 'top3')
Ratios = Mapping[str, tuple[np.ndarray, np.ndarray] | Terms]


def by_group(ratios: Ratios, group_N: np.ndarray) -> dict[str, np.ndarray]:
  """{'groups': [G] names, name: [K, G] sums, 'forms': [[name, form], ...] of all but ratios}.

  Args:
    ratios: name -> (numerator [N], denominator [N]), one of each an example, or the `Terms` of a
      metric, as `metrics.rmsep(predicted, reference)` gives them.
    group_N: name of each example's group.
  """
  terms = {name: _terms(given) for name, given in ratios.items()}
  forms = [(name, own.form) for name, own in terms.items() if own.form != 'ratio']
  found = {name: own.by_group(group_N) for name, own in terms.items()}
  found |= {FORMS: np.array(forms)} if forms else {}
  return {GROUPS: np.unique(np.asarray(group_N, str)), **found}


def _terms(given: tuple[np.ndarray, np.ndarray] | Terms) -> Terms:
  return given if isinstance(given, Terms) else Terms('ratio', np.float64(np.stack(given)))


def form(sums: Mapping[str, np.ndarray], name: str) -> str:
  """The form of a score among what `by_group` gave."""
  return dict(sums.get(FORMS, [])).get(name, 'ratio')


def pooled(several: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
  """What `by_group` gave of several test sides, as of one: a group's sums are added.

  Args:
    several: of the same scores; groups may be on some of the sides or on all. Scores that are none
      of `POOLED` are left out.
  """
  groups = np.unique(np.concatenate([one[GROUPS] for one in several]))
  forms = several[0].get(FORMS, [])
  found = {GROUPS: groups} | ({FORMS: forms} if len(forms) else {})
  for name, sums in several[0].items():
    if name not in (GROUPS, FORMS) and name.split('.')[-2:][0] in POOLED:
      found[name] = np.zeros((len(sums), len(groups)))
      for one in several:
        found[name][:, np.searchsorted(groups, one[GROUPS])] += one[name]
  return found


def nest(results: dict[str, Any], numbers: Mapping[str, Any], below: str = '') -> None:
  """Puts every number of a report at its dotted path, whose last word is the method.

  Args:
    results: of the report.
    numbers: 'fat.rmsep.model' -> what is put at results['fat']['rmsep']['model'].
    below: 'intervals' puts it at results['fat']['rmsep']['intervals']['model'].
  """
  for path, number in numbers.items():
    at = results
    *parts, method = path.split('.')
    for part in [*parts, *([below] if below else [])]:
      at = at.setdefault(part, {})
    at[method] = number


def put(results: dict[str, Any], terms: Mapping[str, Terms], group_N: np.ndarray) -> dict[str, Any]:
  """`results` with every number at its dotted path, and its 95 % interval over groups beside it."""
  nest(results, {path: own.value for path, own in terms.items()})
  intervals = {path: list(own.interval(group_N)) for path, own in terms.items()}
  nest(results, intervals, 'intervals')
  return results


def by_method(
  of_model: Mapping[str, Terms], baselines: Mapping[str, Mapping[str, Terms]]
) -> dict[str, Terms]:
  """{'score.method': terms}, of 'model' and of every baseline."""
  methods = {'model': of_model, **baselines}
  return {f'{name}.{method}': own[name] for method, own in methods.items() for name in own}


def write(workdir: str | os.PathLike, sums: Mapping[str, np.ndarray]) -> None:
  """workdir/scores.npz, whole or not at all."""
  content = io.BytesIO()
  np.savez_compressed(content, **sums)
  write_bytes_atomic(pathlib.Path(workdir) / FILE, content.getvalue())


def read(workdir: str | os.PathLike) -> dict[str, np.ndarray] | None:
  """What `write` wrote; None where the run left none.

  Raises:
    ValueError: the file is damaged.
  """
  path = pathlib.Path(workdir) / FILE
  if not path.exists():
    return None
  try:
    with np.load(path, allow_pickle=False) as arrays:
      return {name: arrays[name] for name in arrays.files}
  except (OSError, ValueError, zipfile.BadZipFile, EOFError) as error:
    raise ValueError(
      f'{path} cannot be read ({error}); expected the scores that the run wrote; delete it and run '
      'the same command again, which only evaluates'
    ) from None
