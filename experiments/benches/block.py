"""A D-LinOSS block against wide-kernel CNN blocks of as many parameters, on one spectrum axis.

All blocks share norm, gated unit, dropout rate and random bits. The CNNs run the fastest exact
algorithm for each derivative (`spectra_jax.short_convolution`); as many parameters as the LinOSS
block has are reached through their width, in steps of 8 channels:

  dense      taps over all channels, the usual CNN of the field.
  depthwise  taps for each channel alone, mixed by the gated unit.

LinOSS runs in one direction and in both, each against CNNs of its own parameter count. Forward is
inference, training the gradient of the mean square of the output with dropout.
"""

import bisect

import jax
import numpy as np

from experiments import timing
from spectra_jax.backbones import conv, linoss
from spectra_jax.dropout import example_keys

_AXIS = (400.0, 4000.0)  # of the spectrum [cm^-1]
_DIRECTIONS = {'linoss': False, 'linoss_bidirectional': True}


def _size(backbone, shape, nu_L):
  """Number of parameters at [B, L, D] = shape."""
  x_BxLxD = jax.ShapeDtypeStruct(shape, np.float32)
  initialise = lambda key, x: backbone.init(key, x, nu_L, None, False)
  variables = jax.eval_shape(initialise, jax.random.key(0), x_BxLxD)
  return sum(leaf.size for leaf in jax.tree.leaves(variables))


def _matched_width(backbone, parameters, shape, nu_L):
  """The multiple of 8 channels that brings a block nearest to a number of parameters."""
  size = lambda width: _size(backbone, (*shape[:2], width), nu_L)
  widths = range(16, 1024, 8)
  above = widths[bisect.bisect_left(widths, parameters, key=size)]
  return min((above - 8, above), key=lambda width: abs(size(width) - parameters))


def _functions(name, backbone, shape, nu_L):
  """{'forward_NAME': (function, arguments), 'training_NAME': ...}."""
  x_BxLxD = np.random.default_rng(0).standard_normal(shape, np.float32)
  keys_B = jax.random.split(jax.random.key(1), shape[0])
  initialise = jax.jit(lambda key, x: backbone.init(key, x, nu_L, None, False))
  variables = initialise(jax.random.key(0), x_BxLxD)
  forward = lambda v, x: backbone.apply(v, x, nu_L, None, False)
  train = lambda v, x, keys: backbone.apply(v | example_keys(keys), x, nu_L, None, True)
  return {
    f'forward_{name}': (forward, (variables, x_BxLxD)),
    f'training_{name}': (timing.mean_square(train), (variables, x_BxLxD, keys_B)),
  }


def run() -> dict:
  """Times, parameters and LinOSS / CNN ratios at --shape."""
  *shape, state = timing.shape()
  nu_L = np.linspace(*_AXIS, shape[1])
  shared = {'blocks': 1, 'dropout': timing.DROPOUT.value}
  kernel_cm = timing.TAPS.value * float(nu_L[1] - nu_L[0])
  functions, parameters, pairs = {}, {}, {}
  for linoss_name, bidirectional in _DIRECTIONS.items():
    ours = linoss.Backbone(**shared, state=state, bidirectional=bidirectional)
    functions |= _functions(linoss_name, ours, shape, nu_L)
    parameters[linoss_name] = _size(ours, shape, nu_L)
    pairs[linoss_name] = []
    for kind in ('dense', 'depthwise'):
      cnn = conv.Backbone(**shared, kernel_cm=kernel_cm, depthwise=kind == 'depthwise')
      width = _matched_width(cnn, parameters[linoss_name], shape, nu_L)
      name = f'conv_{kind}_{width}'
      functions |= _functions(name, cnn, (*shape[:2], width), nu_L)
      parameters[name] = _size(cnn, (*shape[:2], width), nu_L)
      pairs[linoss_name].append(name)
  measured = timing.interleaved(functions, timing.ROUNDS.value)
  ratios = {
    f'{ours}_over_{name}_{what}': timing.ratio(measured, f'{what}_{ours}', f'{what}_{name}')
    for ours, names in pairs.items()
    for name in names
    for what in ('forward', 'training')
  }
  case = ','.join(
    [*timing.SHAPE.value, f'taps={timing.TAPS.value}', f'dropout={timing.DROPOUT.value}']
  )
  sizes = {'case': case, 'rounds': timing.ROUNDS.value, 'params': parameters}
  return sizes | ratios | {'measured': measured}


def lines(result: dict) -> list[str]:
  """The result as a table."""
  return [
    f'block (B,L,D,P) = {result["case"]} on {result["device"]}',
    *timing.table(result['measured']),
    *(f'{name:48} {count:,} parameters' for name, count in result['params'].items()),
    *(f'{key:48} {result[key]:.3g}' for key in result if '_over_' in key),
  ]
