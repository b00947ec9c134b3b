"""One training step of the D-LinOSS model against the CNN model, all but the backbone the same.

A step is what `experiments.train` does with one batch of --model_config, on one device: masks,
forward, gradient, clipping and AdamW. Each backbone has its options of configs/default.py and the
config's, and as many blocks; the width of the others is the one whose model has about as many
parameters as that of the first (`spectra_jax.model.match_params`).
"""

import functools
import importlib

import jax
import optax
from absl import flags

from experiments import timing
from spectra_jax import model, protocols, storage, train

_CONFIG = flags.DEFINE_string('model_config', 'pretrain:quick', 'FILE:VARIANT in configs')
_BACKBONES = flags.DEFINE_list('models', ['linoss', 'conv'], 'backbones; the first is the subject')


def _config(name):
  """The config on one device with this backbone, of as many blocks and dropout as its own."""
  file, variant = _CONFIG.value.split(':')
  config = importlib.import_module(f'configs.{file}').get_config(variant)
  subject, options = config.backbone[config.backbone.name], config.backbone[name]
  config.backbone.name = name
  config.parallel.devices = 1
  shared = {key: subject[key] for key in ('blocks', 'dropout', 'bidirectional')}
  options.update({key: value for key, value in shared.items() if key in options})
  return config


def _counter(config):
  """(config, kinds) -> {'total'} of the model of its task, whose data is read once."""
  spectra, split = protocols.configured(config, storage.load(config))
  build = model.component('tasks', config.task.name).build

  def count(config, _):
    task = build(config, spectra, split)
    shapes = jax.eval_shape(functools.partial(train.initial_params, task, task.module(), 0))
    return {'total': sum(leaf.size for leaf in jax.tree.leaves(shapes))}

  return count


def _step(config):
  """(one update as a function, its arguments)."""
  run = train.prepare(config, 'unused')
  batch = {name: x[: config.train.batch_size] for name, x in run.task.examples('train').items()}
  params = train.init_state(run).params
  gradient = jax.value_and_grad(train.make_loss(run), has_aux=True)

  def update(params, opt_state, batch):
    (loss, _), grads = gradient(params, batch, 0)
    updates, opt_state = run.optimizer.update(grads, opt_state, params)
    return optax.apply_updates(params, updates), opt_state, loss

  return update, (params, run.optimizer.init(params), batch)


def run() -> dict:
  """{name: {'params', 'width', 'ms', 'ms_min', 'ms_max', 'examples_per_s'}} and ratios of times."""
  subject, *others = _BACKBONES.value
  configs = {subject: _config(subject)}
  count = _counter(configs[subject])
  counts = {subject: count(configs[subject], 0)}
  budget = counts[subject]['total']
  for name in others:
    configs[name], counts[name] = model.match_params(_config(name), budget, 0, count=count)
  measured = timing.interleaved(
    {name: _step(config) for name, config in configs.items()}, timing.ROUNDS.value
  )
  rows = {
    name: {
      'params': counts[name]['total'],
      'width': config.backbone.width,
      'examples_per_s': 1e3 * config.train.batch_size / measured[name]['ms'],
    }
    | measured[name]
    for name, config in configs.items()
  }
  ratios = {}
  for name in others:
    ratios[f'{subject}_over_{name}_training'] = timing.ratio(measured, subject, name)
    ratios[f'{subject}_over_{name}_training_min'] = timing.ratio(measured, subject, name, 'ms_min')
  case = f'{_CONFIG.value},models={"+".join(configs)}'
  return {'case': case, 'rounds': timing.ROUNDS.value} | ratios | {'models': rows}


def lines(result: dict) -> list[str]:
  """One row a model."""
  table = [f'one training step, {result["case"]}, on {result["device"]}']
  table.append(f'{"":14}{"params":>10}{"width":>7}{"ms":>9}{"min":>9}{"max":>9}{"examples/s":>12}')
  for name, row in result['models'].items():
    times = ''.join(f'{row[key]:9.1f}' for key in ('ms', 'ms_min', 'ms_max'))
    table.append(
      f'{name:14}{row["params"]:10,}{row["width"]:7}{times}{row["examples_per_s"]:12.0f}'
    )
  return table + [f'{key} {result[key]:.3g}' for key in result if '_over_' in key]
