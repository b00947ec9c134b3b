"""Every backbone at one parameter count and length: parameters, times, temporary memory.

Models of --params parameters (`spectra_jax.model.match_params`; tokeniser and head, the same for
all, are counted and not timed) with four blocks and the options of configs/default.py otherwise,
in both directions, on --tokens tokens of one spectrum axis. The kernels of conv and hybrid cover
--taps tokens. Forward is inference; training is the gradient of the mean square of the output by
all parameters and the input, with dropout.
"""

import jax
import numpy as np
from absl import flags

from configs import default
from experiments import timing
from spectra_jax import model
from spectra_jax.dropout import example_keys

_PARAMS = flags.DEFINE_float('params', 2e6, 'parameters of each model')
_TOKENS = flags.DEFINE_integer('tokens', 2048, 'L, tokens between 400 and 4000 cm^-1')
_BATCH = flags.DEFINE_integer('batch', 2, 'spectra')
_ONLY = flags.DEFINE_list('only', [], 'backbones; all files in spectra_jax/backbones when empty')

_FOUR_BLOCKS = {'blocks': 4, 'conv_blocks': 1, 'ssm_blocks': 2, 'attention_blocks': 1}


def _config(name, nu_L):
  """configs/default.py with the named backbone, four blocks, and kernels of --taps tokens."""
  config = default.get_config()
  config.backbone.name = name
  config.tokenize.step_cm = step_cm = float(nu_L[1] - nu_L[0])
  config.axis.high_cm = config.axis.low_cm + 64 * step_cm  # counting needs no long axis
  config.axis.points = 257
  config.tokenize.kernel_cm = 8 * step_cm
  options = config.backbone[name]
  changes = _FOUR_BLOCKS | {
    'kernel_cm': timing.TAPS.value * step_cm,
    'bidirectional': True,
    'dropout': timing.DROPOUT.value,
  }
  options.update({key: value for key, value in changes.items() if key in options})
  return config


def _functions(name, nu_L):
  """({'forward_NAME': (function, arguments), ...}, counts of parameters, width)."""
  config, counts = model.match_params(_config(name, nu_L), _PARAMS.value, kinds=2)
  cls = model.component('backbones', name).Backbone
  backbone = cls(**model.options(config.backbone))
  shape = (_BATCH.value, len(nu_L), config.backbone.width)
  x_BxLxD = np.random.default_rng(0).standard_normal(shape, np.float32)
  keys_B = jax.random.split(jax.random.key(1), shape[0])
  visible = np.ones(shape[:2], bool)
  initialise = jax.jit(lambda key, x: backbone.init(key, x, nu_L, visible, False))
  variables = initialise(jax.random.key(0), x_BxLxD)
  forward = lambda v, x: backbone.apply(v, x, nu_L, visible, False)
  train = lambda v, x, keys: backbone.apply(v | example_keys(keys), x, nu_L, visible, True)
  found = {
    f'forward_{name}': (forward, (variables, x_BxLxD)),
    f'training_{name}': (timing.mean_square(train), (variables, x_BxLxD, keys_B)),
  }
  return found, counts['total'], shape[2]


def run() -> dict:
  """{name: {'params', 'width', 'forward_ms', 'training_ms', 'temp_mib'}} and LinOSS over conv."""
  nu_L = np.linspace(400.0, 4000.0, _TOKENS.value)
  names = _ONLY.value or model.names('backbones')
  functions, result = {}, {}
  for name in names:
    found, params, width = _functions(name, nu_L)
    functions |= found
    result[name] = {'params': params, 'width': width}
  measured = timing.interleaved(functions, timing.ROUNDS.value)
  for name in names:
    forward, training = (measured[f'{what}_{name}'] for what in ('forward', 'training'))
    result[name] |= {'forward_ms': forward['ms'], 'training_ms': training['ms']}
    result[name] |= {'temp_mib': training['temp_mib']}
  if {'linoss', 'conv'} <= set(names):
    for what in ('forward', 'training'):
      key = f'linoss_over_conv_{what}'
      result[key] = timing.ratio(measured, f'{what}_linoss', f'{what}_conv')
  case = f'params={_PARAMS.value:g},B={_BATCH.value},L={_TOKENS.value}'
  return {'case': case, 'rounds': timing.ROUNDS.value} | result | {'measured': measured}


def lines(result: dict) -> list[str]:
  """One row a backbone."""
  table = [f'backbones, {result["case"]}, on {result["device"]}']
  table.append(f'{"":14}{"params":>12}{"width":>7}{"forward ms":>12}{"training ms":>13}{"MiB":>9}')
  for name, row in result.items():
    if isinstance(row, dict) and 'params' in row:
      times = f'{row["forward_ms"]:12.1f}{row["training_ms"]:13.1f}{row["temp_mib"]:9.0f}'
      table.append(f'{name:14}{row["params"]:12,}{row["width"]:7}{times}')
  return table + [f'{key} {result[key]:.3g}' for key in result if '_over_' in key]
