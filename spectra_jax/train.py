"""The training loop. What a run is about lives in its task; this file knows only steps.

Order of events: everything that can be wrong is checked, then the newest good checkpoint of the
workdir is restored (else parameters are drawn from `seed`), then one evaluation, then the steps.
Batches, masks and dropout are functions of (seed, step, row), so a resumed run repeats the trace.
"""

import contextlib
import dataclasses
import functools
import os
import pathlib
import time
from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn
import jax
import numpy as np
import optax
from ml_collections import ConfigDict

from spectra_jax import (
  adaptation,
  batches,
  dropout,
  losses,
  optimizer,
  parallel,
  placement,
  protocols,
  splits,
  storage,
)
from spectra_jax import report as reports
from spectra_jax import scores as group_scores
from spectra_jax.checkpoint import Checkpoints
from spectra_jax.cost import Meter
from spectra_jax.log import Log
from spectra_jax.model import check_options, component, split_tokens
from spectra_jax.profile import Profile
from spectra_jax.workdir import identity, write_json_atomic


class Preempted(SystemExit):
  """SIGTERM came: the state is saved, and the same command goes on with the run."""


@dataclasses.dataclass(frozen=True)
class Run:
  """A run whose every input has been checked."""

  config: ConfigDict
  workdir: pathlib.Path
  mesh: jax.sharding.Mesh
  task: Any
  module: nn.Module
  optimizer: optax.GradientTransformation
  data_hash: str


# ---- definitions ------------------------------------------------------------


def prepare(config: ConfigDict, workdir: str) -> Run:
  """Loads data and weights and checks config, data and devices.

  No device computes for the model yet, unless it starts from weights of another.

  Raises:
    ValueError, FileNotFoundError: a sentence that names what is wrong and what to do.
  """
  check_options(config)
  unread = set(config.loss.weights) - {'model'}
  if unread:
    raise ValueError(
      f'loss.weights.{sorted(unread)[0]} is there, expected the weights of terms below '
      'loss.weights.model alone; move them there'
    )
  mesh = placement.make_mesh(config.parallel.devices, config.parallel.fsdp, config.parallel.seq)
  parallel.check_map(config.parallel.map, mesh)
  placement.check_batch(config.train.batch_size, config.train.accumulate, mesh)
  placement.check_batch(config.train.eval_batch_size, 1, mesh)
  parallel.connect(mesh)
  spectra = storage.load(config)
  spectra, split = protocols.configured(config, spectra)
  task = component('tasks', config.task.name).build(config, spectra, split)
  tx = optimizer.build(config.optimizer, config.train.steps)
  data_hash = next(iter(spectra.values())).source
  module = task.module()
  if config.parallel.seq > 1:
    module = split_tokens(module, placement.SEQ)
  draw = functools.partial(initial_params, task, module, config.seed)
  task, data_hash = adaptation.adapted(config, task, draw, data_hash)
  run = Run(config, pathlib.Path(workdir), mesh, task, module, tx, data_hash)
  _trace(run)
  return run


def _trace(run: Run) -> None:
  """Traces model and loss on one example: shapes and loss terms are checked, nothing computed."""
  batch = {name: x[:1] for name, x in run.task.examples('validation').items()}
  params = jax.eval_shape(lambda: initial_params(run.task, run.module, seed=0))
  jax.eval_shape(parallel.replicated(make_loss(run), run.mesh), params, batch, 0)


def initial_params(task: Any, module: nn.Module, seed: int) -> Any:
  """Parameters drawn from `seed`, or what an adapted task starts from."""
  if isinstance(task, adaptation.Adapted):
    return task.start
  batch = {name: x[:1] for name, x in task.examples('validation').items()}
  inputs, _ = task.inputs(None, 0, batch, train=False)
  return module.init(jax.random.key(seed), **inputs, nu_L=task.nu_L, train=False)['params']


def use_compile_cache(folder: str) -> None:
  """Keeps compiled programs in `folder`, so that the next start of a run compiles nothing.

  '' is $JAX_COMPILATION_CACHE_DIR, or ~/.cache/spectra_jax/compiled where that is not set.
  """
  there = os.environ.get('JAX_COMPILATION_CACHE_DIR') or '~/.cache/spectra_jax/compiled'
  path = pathlib.Path(folder or there).expanduser()
  jax.config.update('jax_compilation_cache_dir', str(path))
  jax.config.update('jax_persistent_cache_min_compile_time_secs', 0.0)


def make_loss(run: Run) -> parallel.LossFn:
  """(params, batch, step) -> (weighted loss, {term: mean}) of the task, over the local examples."""
  task, config, module = run.task, run.config, run.module

  def loss_fn(params, batch, step):
    keys_B = batches.example_keys(config.seed, step, batch['row'])
    mask_B, drop_B = batches.split_keys(keys_B)
    inputs, targets = task.inputs(mask_B, step, batch, train=True)
    variables = {'params': task.effective(params), **dropout.example_keys(drop_B)}
    outputs = module.apply(variables, **inputs, nu_L=task.nu_L, train=True)
    terms = task.losses(outputs, targets)
    loss = losses.weighted_sum(config.loss.weights.model, terms, step)
    return loss, {name: term.mean() for name, term in terms.items()}

  return loss_fn


def make_predict(run: Run) -> Callable[[Any, Mapping[str, np.ndarray]], Any]:
  """(params, examples) -> outputs [N, ...], or a dict of such, on the host.

  They depend neither on the batch size nor on the devices.
  """
  task, module, size = run.task, run.module, run.config.train.eval_batch_size

  def forward(params, batch):
    inputs, _ = task.inputs(None, 0, batch, train=False)
    return module.apply({'params': task.effective(params)}, **inputs, nu_L=task.nu_L, train=False)

  mapped = parallel.per_example(forward, run.mesh)

  def predict(params, examples):
    outputs = []
    for rows, real in batches.padded_batches(np.arange(len(examples['row'])), size):
      batch = placement.shard_batch({name: x[rows] for name, x in examples.items()}, run.mesh)
      host = placement.to_host(mapped(params, batch))
      outputs.append(jax.tree.map(lambda x, real=real: x[real], host))
    return jax.tree.map(lambda *parts: np.concatenate(parts), *outputs)

  return predict


def make_validate(run: Run, predict: Callable) -> Callable[[parallel.State], dict[str, float]]:
  """state -> the task's selection metrics on the validation side, on its fixed masks."""
  task = run.task
  examples = task.examples('validation')
  mean = task.score(task.baselines('validation', ('mean',))['mean'], 'validation')

  def validate(state):
    scores = task.score(predict(averaged(state), examples), 'validation')
    return task.selection(scores, mean, examples['kind'])

  return validate


def averaged(state: parallel.State) -> Any:
  """The parameters to evaluate: the moving average where there is one."""
  return state.params if state.ema is None else state.ema


def init_state(run: Run) -> parallel.State:
  """The state before step 1, on the mesh."""
  params = jax.jit(lambda: initial_params(run.task, run.module, run.config.seed))()
  return parallel.init_state(params, run.optimizer, run.config.optimizer.ema_decay, run.mesh)


def stop_on_nan(step: int, metrics: Mapping[str, float], batch: Mapping, workdir: pathlib.Path):
  """Writes the batch that gave a non-finite loss or gradient and raises FloatingPointError."""
  if metrics['finite']:
    return
  path = workdir / f'nonfinite_step{step}.npz'
  if jax.process_index() == 0:
    np.savez(path, **batch)
  raise FloatingPointError(
    f'loss {metrics["loss"]} with gradient norm {metrics["grad_norm"]} at step {step}, expected '
    f'finite numbers; its batch is in {path}, the last checkpoint is intact: lower optimizer.lr '
    '(in a new workdir) or look at the batch'
  )


def heed(task: Any, step: int, validation: Mapping[str, float]) -> None:
  """Lets a task that has an `alarm(step, validation)` stop the run, by an exception of its own."""
  if hasattr(task, 'alarm'):
    task.alarm(step, validation)


def with_fitted(task: Any, outputs: Any, predict: Callable, params: Any) -> Any:
  """The outputs, with what a task that has `with_fitted` fits to those of other examples."""
  if not hasattr(task, 'with_fitted'):
    return outputs
  return task.with_fitted(outputs, functools.partial(predict, params))


# ---- the loop ---------------------------------------------------------------


def train(run: Run, profiled: bool = False) -> dict[str, Any]:
  """Trains to `train.steps` completed updates, evaluates on the test side, writes the report.

  The caller holds the workdir (`workdir.claim`). `profiled` also leaves workdir/profile.

  Returns:
    The report, also in workdir/report.json.

  Raises:
    FloatingPointError: a non-finite loss or gradient; the batch is written out.
    Preempted: SIGTERM came; the state is saved.
  """
  config, task, workdir = run.config, run.task, run.workdir
  steps, size = config.train.steps, config.train.batch_size
  started = time.monotonic()
  use_compile_cache(config.log.compile_cache)
  state = init_state(run)
  checkpoints = Checkpoints(workdir / 'checkpoints', **config.checkpoint.to_dict())
  restored = checkpoints.restore(state)
  validation = {}
  if restored is not None:
    state, _, validation = restored
  first = int(state.step)
  meter = Meter(workdir, first, started)
  log = Log(workdir, config.log, steps, size, first)
  profile = Profile(workdir, first, log, profiled)
  step_fn = parallel.make_step(
    make_loss(run),
    run.optimizer,
    config.optimizer.ema_decay,
    run.mesh,
    config.parallel.map,
    config.train.accumulate,
  )
  predict = make_predict(run)
  validate = make_validate(run, predict)
  examples = task.examples('train')
  rows_there = len(examples['row'])
  with contextlib.closing(log), contextlib.closing(checkpoints), contextlib.closing(profile):
    log.whole_config(config)
    if first == 0:
      validation = validate(state)
      log.validation(0, validation)
    else:
      log.say(f'goes on from step {first}')

    pending = None  # (step, metrics, host batch) of the step that is still on the device

    def settle():
      """Fetches the metrics of the pending step; stops the run when they are not finite."""
      nonlocal pending
      if pending is None:
        return
      done, metrics, batch = pending
      metrics = {name: float(x) for name, x in placement.to_host(metrics).items()}
      pending = None
      stop_on_nan(done, metrics, batch, workdir)
      metrics.pop('finite')
      log.step(done, metrics)

    for step in range(first, steps):
      profile.begin(step)
      rows = batches.training_rows(config.seed, step, size, rows_there)
      batch = {name: x[rows] for name, x in examples.items()}
      profile.lap(step, 'gather')
      placed = placement.shard_batch(batch, run.mesh)
      profile.lap(step, 'place')
      state, metrics = step_fn(state, placed)
      profile.lap(step, 'dispatch')
      settle()  # of the step before, while this one runs
      profile.lap(step, 'wait')
      profile.end(step, metrics)
      done = step + 1
      pending = (done, metrics, batch)
      last = done == steps
      preempted = checkpoints.reached_preemption(done)
      if done % config.train.eval_every == 0 or last:
        settle()
        validation = validate(state)
        log.validation(done, validation)
        meter.mark(done)
        heed(task, done, validation)
      if checkpoints.should_save(done) or last or preempted:
        settle()  # never save a state whose loss was not looked at
        checkpoints.save(done, state, validation, force=last or preempted)
        meter.mark(done)
      if preempted and not last:
        raise Preempted(f'SIGTERM at step {done}: saved; the same command goes on from there')
    log.say('evaluating the model and the baselines on the test side')
    return finish(run, predict, state, log, started, first, meter)


def judged(task: Any, outputs: Any, baselines: Mapping[str, Any]) -> tuple[dict, Any]:
  """(results of the report, ratios of scores.npz) of outputs for the test side."""
  kind_N = task.examples('test')['kind']
  scores = {name: task.score(filled, 'test') for name, filled in baselines.items()}
  of_model = task.score(outputs, 'test')
  return task.report(of_model, scores, kind_N), task.ratios(of_model, scores, kind_N)


def finish(
  run: Run,
  predict: Callable,
  state: parallel.State,
  log: Log,
  started: float,
  first: int,
  meter: Meter,
) -> dict[str, Any]:
  """Test scores of model and baselines, figures, scores.npz, report.json.

  `wall_s` is the time of this process, which went on from step `first`.
  """
  task = run.task
  params = averaged(state)
  outputs = with_fitted(task, predict(params, task.examples('test')), predict, params)
  baselines = task.baselines('test')
  results, ratios = judged(task, outputs, baselines)
  speed = log.spectra_per_second
  if run.config.log.figures:
    for name, figure in task.figures(outputs, 'test', baselines).items():
      log.figure(name, figure)
    log.figure('learning_curve', task.learning_curve(log.records(), results))
  meter.mark(run.config.train.steps)
  document = reports.document(
    run.config,
    identity(run.config, run.data_hash),
    run.data_hash,
    split=splits.told(task.split),
    parameters=sum(x.size for x in jax.tree.leaves(state.params)),
    results=results,
    timing={
      'wall_s': round(time.monotonic() - started, 1),
      'spectra_per_s': speed,
      'resumed_from': first,
    },
    cost=meter.totals(),
  )
  if jax.process_index() == 0:
    group_scores.write(run.workdir, group_scores.by_group(ratios, task.groups('test')))
    write_json_atomic(run.workdir / 'report.json', document)
  return document
