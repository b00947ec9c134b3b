"""One direction of a D-LinOSS layer: the fused filter against the published parallel scan.

Both layers have the same parameters and are timed in turn in one process, so that a load on the
machine falls on both. Errors are the largest over an array relative to the array's largest value:

  max_(grad_)error_f32  the layer, its coefficients included: fused, in float32 against all in
                        float64 from the same parameters and input.
  max_error_f64         fused against published, both in float64.
  ..._published         of the published scan in float32.
"""

import functools
import statistics
import time

import jax
import jax.numpy as jnp
import numpy as np
from absl import flags

from spectra_jax.backbones.linoss import Backbone

_SHAPE = flags.DEFINE_list('shape', ['8', '2048', '128', '128'], 'B,L,D,P of the layer')
_ROUNDS = flags.DEFINE_integer('rounds', 15, 'timed calls of each function', lower_bound=1)

_PUBLISHED, _OURS = 'associative', 'fused'


def _layer(oscillators, algorithm):
  return Backbone(state=oscillators, algorithm=algorithm).layer()(reverse=False)


def _arguments(shape):
  batch, length, width, oscillators = shape
  u_BxLxD = np.random.default_rng(0).standard_normal((batch, length, width), np.float32)
  initialise = jax.jit(_layer(oscillators, _OURS).init)
  return initialise(jax.random.key(0), u_BxLxD), u_BxLxD


def _forward(oscillators, algorithm):
  return _layer(oscillators, algorithm).apply


def _training(oscillators, algorithm):
  """Mean square of the output and its gradient with respect to all parameters and the input."""

  def loss(variables, u_BxLxD):
    return jnp.mean(_forward(oscillators, algorithm)(variables, u_BxLxD) ** 2)

  return jax.value_and_grad(loss, argnums=(0, 1))


def _milliseconds(function, arguments):
  start = time.perf_counter()
  jax.block_until_ready(function(*arguments))
  return 1e3 * (time.perf_counter() - start)


def _measure(shape, arguments, rounds):
  """{'forward_fused': {'ms', 'ms_min', 'ms_max', 'temp_mib'}, ...} of all four functions."""
  functions = {
    f'{what}_{algorithm}': jax.jit(make(shape[3], algorithm)).lower(*arguments).compile()
    for what, make in (('forward', _forward), ('training', _training))
    for algorithm in (_PUBLISHED, _OURS)
  }
  timed = functools.partial(_milliseconds, arguments=arguments)
  for function in functions.values():
    timed(function)
  rows = [{name: timed(f) for name, f in functions.items()} for _ in range(rounds)]
  times = {name: [row[name] for row in rows] for name in functions}
  return {
    name: {
      'ms': statistics.median(times[name]),
      'ms_min': min(times[name]),
      'ms_max': max(times[name]),
      'temp_mib': function.memory_analysis().temp_size_in_bytes / 2**20,
    }
    for name, function in functions.items()
  }


def _evaluate(shape, algorithm, arguments):
  """The output as one array, the gradients of its mean square as a list, both on the host."""

  @jax.jit
  def both(*arguments):
    output_BxLxD, pull_back = jax.vjp(_forward(shape[3], algorithm), *arguments)
    return output_BxLxD, jax.tree.leaves(pull_back(2 / output_BxLxD.size * output_BxLxD))

  return jax.device_get(both(*arguments))


def _error(value, exact):
  return float(np.abs(value - exact).max() / np.abs(exact).max())


def _worst(single, exact):
  """(error of the output, largest error of a gradient)."""
  return _error(single[0], exact[0]), max(map(_error, single[1], exact[1]))


def _errors(shape, arguments):
  variables, u_BxLxD = arguments
  evaluate = functools.partial(_evaluate, shape)
  ours, published = evaluate(_OURS, arguments), evaluate(_PUBLISHED, arguments)
  with jax.enable_x64(True):
    u_BxLxD = np.asarray(u_BxLxD, np.float64)
    variables = jax.tree.map(lambda a: np.asarray(a, np.float64), variables)
    layer64, published64 = (evaluate(name, (variables, u_BxLxD)) for name in (_OURS, _PUBLISHED))
  errors = {'max_error_f64': _error(layer64[0], published64[0])}
  for suffix, single in (('', ours), ('_published', published)):
    names = (f'max_error_f32{suffix}', f'max_grad_error_f32{suffix}')
    errors |= dict(zip(names, _worst(single, layer64), strict=True))
  return errors


def _ratios(measured):
  def ratio(what, key):
    ours = measured[f'{what}_{_OURS}'][key]
    return measured[f'{what}_{_PUBLISHED}'][key] / ours if ours else None  # tiny ones need none

  return {
    'ratio_forward': ratio('forward', 'ms'),
    'ratio_training': ratio('training', 'ms'),
    'ratio_memory_forward': ratio('forward', 'temp_mib'),
    'ratio_memory': ratio('training', 'temp_mib'),
  }


def run() -> dict:
  """Times, memory (MiB of XLA temporaries), errors and published / fused ratios at --shape."""
  shape = tuple(map(int, _SHAPE.value))
  if len(shape) != 4:
    raise ValueError(
      f'--shape={",".join(_SHAPE.value)} has {len(shape)} numbers, expected B,L,D,P; give four'
    )
  arguments = _arguments(shape)
  measured = _measure(shape, arguments, _ROUNDS.value)
  case = {'case': ','.join(map(str, shape)), 'rounds': _ROUNDS.value}
  return case | _ratios(measured) | _errors(shape, arguments) | {'measured': measured}


def lines(result: dict) -> list[str]:
  """The result as a table."""
  table = [f'layer (B,L,D,P) = ({result["case"]}) on {result["device"]}']
  table.append(f'{"":24}{"ms":>10}{"min":>10}{"max":>10}{"temp MiB":>10}')
  for name, row in result['measured'].items():
    table.append(f'{name:24}' + ''.join(f'{value:10.2f}' for value in row.values()))
  table += [f'{key:34} {result[key]:.3g}' for key in result if key.startswith(('ratio', 'max'))]
  return table
