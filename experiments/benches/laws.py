"""What each way of asking for a law costs: one training step of every mode of the physics ablation.

A step is value and gradient of the whole loss on one batch of configs/physics_ablation.py, without
the optimizer, on one device. The head of oscillators, which that sweep leaves out, is timed too.
"""

import jax
from absl import flags

from configs import physics_ablation
from experiments import timing
from spectra_jax import train

_SIZE = flags.DEFINE_enum('size', 'quick', physics_ablation.SIZES, 'variant of the ablation')
_BESIDE = {
  'optical_constants': ({'head.name': 'oscillators', 'task.optical_constants.absolute': True},),
  'paired': (),
}


def _step(variant, overrides):
  """(TASK-MODE, value and gradient, its arguments, number of parameters)."""
  config = physics_ablation.get_config(variant)
  config.update_from_flattened_dict(overrides)
  config.parallel.devices = 1
  run = train.prepare(config, 'unused')
  batch = {name: x[: config.train.batch_size] for name, x in run.task.examples('train').items()}
  params = train.init_state(run).params
  gradient = jax.value_and_grad(train.make_loss(run), has_aux=True)
  count = sum(leaf.size for leaf in jax.tree.leaves(params))
  return f'{config.task.name}-{physics_ablation.mode(config)}', gradient, (params, batch, 0), count


def run() -> dict:
  """{TASK-MODE: {'params', 'ms', 'temp_mib', 'over_none'}}, times of one step in turn."""
  functions, params = {}, {}
  for variant in (_SIZE.value, f'paired-{_SIZE.value}'):
    task = physics_ablation.get_config(variant).task.name
    for overrides in (*physics_ablation.MODES[task], *_BESIDE[task]):
      name, gradient, arguments, params[name] = _step(variant, overrides)
      functions[name] = (gradient, arguments)
  measured = timing.interleaved(functions, timing.ROUNDS.value)
  none = lambda name: f'{name.split("-")[0]}-none'
  rows = {
    name: {
      'params': params[name],
      'ms': measured[name]['ms'],
      'temp_mib': measured[name]['temp_mib'],
      'over_none': timing.ratio(measured, name, none(name)),
    }
    for name in functions
  }
  case = f'size={_SIZE.value}'
  return {'case': case, 'rounds': timing.ROUNDS.value} | rows | {'measured': measured}


def lines(result: dict) -> list[str]:
  """One row a mode."""
  table = [f'one training step, {result["case"]}, on {result["device"]}']
  table.append(f'{"":34}{"params":>10}{"ms":>9}{"MiB":>9}{"over none":>11}')
  for name, row in result.items():
    if isinstance(row, dict) and 'params' in row:
      cells = f'{row["params"]:10,}{row["ms"]:9.1f}{row["temp_mib"]:9.0f}{row["over_none"]:11.2f}'
      table.append(f'{name:34}{cells}')
  return table
