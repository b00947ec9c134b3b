"""Scores a test group: what intervals and tests of a table need of a run, and nothing else.

A score is a function of sums (`spectra_jax/forms.py`), so a run leaves a few sums a group: two of a
ratio, which most are. The name of a score is its dotted path in the results of report.json, and the
form of the sums over all groups is the number found there.
"""

import io
import os
import pathlib
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np

from spectra_jax.forms import Terms
from spectra_jax.workdir import write_bytes_atomic

FILE = 'scores.npz'
GROUPS, FORMS = 'groups', 'forms'  # of these names no score may be
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


def nest(results: dict[str, Any], terms: Mapping[str, Terms], group_N: np.ndarray) -> None:
  """Puts every number of a report at its dotted path, its interval over test groups beside it.

  The last word of a path is the method: 'fat.rmsep.model' has its interval at
  results['fat']['rmsep']['intervals']['model'].
  """
  for path, own in terms.items():
    at = results
    *parts, method = path.split('.')
    for part in parts:
      at = at.setdefault(part, {})
    at[method] = own.value
    at.setdefault('intervals', {})[method] = list(own.interval(group_N))


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
