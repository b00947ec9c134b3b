"""Several runs of one config as one model: the mean of the spectra that they predict.

Networks that differ by their seed err alike where data are few and apart where training was chance;
of M of them the squared error of the mean is theirs less the spread between them,

  mean_m (f_m - y)^2 - (f - y)^2 = mean_m (f_m - f)^2,   f = mean_m f_m

(Krogh & Vedelsby 1995, Adv. Neural Inf. Process. Syst. 7, 231). It takes M times the work.
"""

import hashlib
import json
import pathlib
import time
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from spectra_jax import report, scores, splits, train, trained
from spectra_jax.tables import runs as run_files
from spectra_jax.workdir import identity, write_json_atomic

TASKS = ('masked', 'cross_spectral')  # whose outputs are spectra, which have a mean


def evaluate(workdirs: Sequence[pathlib.Path], folder: pathlib.Path) -> dict[str, Any]:
  """Test scores of the mean of the runs' outputs, as report.json and scores.npz in `folder`.

  A report that is there is not made again.

  Returns:
    The report: that of a run, with seeds, identities and a hash of the results of its `members`.

  Raises:
    ValueError: fewer than two runs, runs that differ by more than their seed or have one seed
      twice, other training rows, a task that predicts no spectra; see also `trained.load`.
  """
  started = time.monotonic()
  if len(workdirs) < 2:
    raise ValueError(f'there are {len(workdirs)} runs, expected at least 2; give more')
  runs = [run_files.read(workdir / 'report.json') for workdir in workdirs]
  _check(runs)
  reports = [run.report for run in runs]
  about = [
    {'seed': one['seed'], 'identity': one['identity'], 'results': _hash(one['results'])}
    for one in reports
  ]
  if (folder / 'report.json').exists():
    return _checked(folder / 'report.json', about)
  members = [trained.load(workdir) for workdir in workdirs]
  run, examples = members[0][0], members[0][0].task.examples('test')
  outputs = [train.make_predict(of)(params, examples) for of, params in members]
  mean = jax.tree.map(lambda *parts: np.mean(parts, 0), *outputs)
  results, ratios = train.judged(run.task, mean, run.task.baselines('test'))
  total = lambda key: sum(one[key] for one in reports)
  document = report.document(
    run.config,
    identity(run.config, run.data_hash),
    run.data_hash,
    split=splits.told(run.task.split),
    parameters=total('parameters'),
    results=results,
    timing={'wall_s': round(time.monotonic() - started, 1), 'wall_s_total': total('wall_s_total')},
    cost={'members': about},
  )
  folder.mkdir(parents=True, exist_ok=True)
  scores.write(folder, scores.by_group(ratios, run.task.groups('test')))
  write_json_atomic(folder / 'report.json', document)
  return document


def _hash(results: Mapping[str, Any]) -> str:
  return hashlib.sha256(json.dumps(results, sort_keys=True).encode()).hexdigest()[:16]


def _checked(path: pathlib.Path, members: list[dict[str, Any]]) -> dict[str, Any]:
  """The report, if it is of these members.

  Raises:
    ValueError: it is of others.
  """
  document = json.loads(path.read_text())
  if document.get('members') != members:
    raise ValueError(
      f'{path} is of other runs than the {len(members)} that are asked for, expected the same; use '
      'another folder, or move it away to have it made again'
    )
  return document


def _check(runs: Sequence[run_files.Run]) -> None:
  task = runs[0].config['task.name']
  if task not in TASKS:
    raise ValueError(
      f'{runs[0].folder} is a run of task {task}, expected {" or ".join(TASKS)}, whose outputs are '
      'spectra; choose others'
    )
  others = [run for run in runs if run.sides != runs[0].sides]
  if others:
    raise ValueError(
      f'{others[0].folder} was trained on other rows than {runs[0].folder} ({others[0].sides}, '
      f'{runs[0].sides}), expected one split; choose runs of one split.train_seed'
    )
  run_files.check_alike('ensemble', runs)
  run_files.check_once('ensemble', runs)
