"""A trained run, as it lies in its workdir."""

import json
import pathlib
from typing import Any

import jax
import numpy as np

from spectra_jax import report, scores, splits, train, weights
from spectra_jax.checkpoint import Checkpoints
from spectra_jax.workdir import write_json_atomic

# A run is looked at on one device, whatever it was trained on.
PARALLEL = {'map': 'shard_map', 'devices': 1, 'fsdp': 1, 'seq': 1}


def load(workdir: pathlib.Path, tasks: tuple[str, ...] = ()) -> tuple[train.Run, Any]:
  """(run, parameters to evaluate) from the config and the newest sound checkpoint of the folder.

  Args:
    workdir: of the run.
    tasks: of which it must be one; () = any.

  Raises:
    ValueError: no run, one of another task, no checkpoint, other data, or a report of another step
      than the newest sound checkpoint is of.
    RuntimeError: every checkpoint is damaged.
  """
  run = _run(workdir, tasks)
  checkpoints = Checkpoints(run.workdir / 'checkpoints', **run.config.checkpoint.to_dict())
  restored = checkpoints.restore(train.init_state(run))
  if restored is None:
    raise ValueError(
      f'{run.workdir} has no checkpoint; expected one of its training; train it first'
    )
  if (workdir / 'report.json').exists() and restored[1] != run.config.train.steps:
    raise ValueError(
      f'{run.workdir} has a report and its newest sound checkpoint is of step {restored[1]}, '
      f'expected {run.config.train.steps}, what was reported; run its command again'
    )
  return run, train.averaged(restored[0])


def reconstruction(workdir: pathlib.Path) -> tuple[Any, dict[str, Any]]:
  """(parameters, about) of a run that reconstructs spectra, as `weights.Weights` has them.

  Raises:
    ValueError: a run of another task; see also `load`.
  """
  run, params = load(workdir, weights.TASKS)
  params, task, targets = jax.tree.map(np.asarray, run.task.effective(params)), run.task, 0
  if run.config.task.name == 'foundation':  # what else it has only trained it
    params, task, targets = params['foundation'], run.task.masked, run.task.atoms.shape[1]
  return params, {
    'config': json.loads(run.config.to_json()),
    'kinds': list(task.kinds),
    'scale': [float(x) for x in task.scale_K],
    'targets': targets,
  }


def evaluate(workdir: pathlib.Path) -> dict[str, Any]:
  """Judges a finished run anew: its report with other results, also in report.json and scores.npz.

  Returns:
    The report; 'evaluated' has versions, device and commit of this evaluation.

  Raises:
    ValueError: a run without a report; see also `load`.
  """
  path = workdir / 'report.json'
  if not path.exists():
    raise ValueError(f'{path} is missing; expected a run that has finished; train it to its end')
  document = json.loads(path.read_text())
  run, params = load(workdir)
  task, predict = run.task, train.make_predict(run)
  outputs = predict(params, task.examples('test'))
  outputs = train.with_fitted(task, outputs, predict, params)
  results, ratios = train.judged(task, outputs, task.baselines('test'))
  split = splits.told(task.split)
  document |= {'results': dict(results), 'split': split, 'evaluated': report.provenance()}
  scores.write(workdir, scores.by_group(ratios, task.groups('test')))
  write_json_atomic(path, document)
  return document


def _run(workdir: pathlib.Path, tasks: tuple[str, ...] = ()) -> train.Run:
  path = workdir / 'config.json'
  if not path.exists():
    raise ValueError(f'{path} is missing; expected the folder of a run; give another --workdir')
  document = json.loads(path.read_text())
  name = document['config']['task']['name']
  if tasks and name not in tasks:
    raise ValueError(
      f'{workdir} is a run of task {name}, expected {" or ".join(tasks)}; choose another'
    )
  config = weights.with_later_keys(document['config'] | {'parallel': PARALLEL})
  run = train.prepare(config, str(workdir))
  if run.data_hash != document['data_hash']:
    raise ValueError(
      f'{workdir} was trained on data of hash {document["data_hash"]} and this is '
      f'{run.data_hash}; expected the same; put its data set back'
    )
  return run
