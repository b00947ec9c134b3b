"""Predictions of our own runs, in the units of the data."""

import pathlib

import numpy as np

from spectra_jax import train, trained
from spectra_jax.audit.predictions import Predictions


def of_run(workdir: pathlib.Path) -> Predictions:
  """What the run in `workdir` predicts for the test side of its task.

  Raises:
    ValueError: no run, no checkpoint, other data, or a task that predicts no spectra.
    RuntimeError: every checkpoint is damaged.
  """
  run, params = trained.load(workdir)
  if not hasattr(run.task, 'predictions'):
    raise ValueError(
      f'task {run.config.task.name!r} has no `predictions`, expected spectra in the units of the '
      'data; add that method (see tasks/masked.py) or write a file of predictions yourself'
    )
  outputs = train.make_predict(run)(params, run.task.examples('test'))
  arrays = run.task.predictions(outputs, 'test')
  centred = arrays.pop('centrosymmetric', None)
  truth = {k.removeprefix('true_'): arrays.pop(k) for k in list(arrays) if k.startswith('true_')}
  return Predictions(np.asarray(run.task.nu_L, np.float64), arrays, truth, centred)
