"""One direction of a D-LinOSS layer: the fused filter against the published scan, and against S5.

Both D-LinOSS layers have the same parameters; S5 (Smith et al. 2022) has as many complex states as
they have oscillators, and its published associative scan. Errors are the largest over an array
relative to the array's largest value:

  max_(grad_)error_f32  the layer, its coefficients included: fused, in float32 against all in
                        float64 from the same parameters and input.
  max_error_f64         fused against published, both in float64.
  ..._published         of the published scan in float32.
"""

import jax
import numpy as np

from experiments import timing
from spectra_jax.backbones import linoss, s5

_PUBLISHED, _OURS, _S5 = 'associative', 'fused', 's5_associative'


def layers(oscillators: int) -> dict:
  """{name: module of one direction}, at the default options of each backbone."""
  made = {
    name: linoss.Backbone(state=oscillators, algorithm=name).layer()(reverse=False)
    for name in (_PUBLISHED, _OURS)
  }
  s5_layer = s5.Backbone(state=oscillators, init_blocks=1, algorithm='associative').layer()
  return made | {_S5: s5_layer(reverse=False)}


def arguments(module, shape: tuple[int, ...]) -> tuple:
  """(variables, u_BxLxD) from fixed seeds."""
  u_BxLxD = np.random.default_rng(0).standard_normal(shape[:3], np.float32)
  return jax.jit(module.init)(jax.random.key(0), u_BxLxD), u_BxLxD


def functions(shape: tuple[int, ...]) -> dict:
  """{'forward_fused': (function, arguments), ...} of all six."""
  given = {name: (m, arguments(m, shape)) for name, m in layers(shape[3]).items()}
  wraps = {'forward': lambda apply: apply, 'training': timing.mean_square}
  return {
    f'{what}_{name}': (wrap(module.apply), inputs)
    for what, wrap in wraps.items()
    for name, (module, inputs) in given.items()
  }


def _evaluate(module, given):
  """The output as one array, the gradients of its mean square as a list, both on the host."""

  @jax.jit
  def both(*given):
    output_BxLxD, pull_back = jax.vjp(module.apply, *given)
    return output_BxLxD, jax.tree.leaves(pull_back(2 / output_BxLxD.size * output_BxLxD))

  return jax.device_get(both(*given))


def _error(value, exact):
  return float(np.abs(value - exact).max() / np.abs(exact).max())


def _worst(single, exact):
  """(error of the output, largest error of a gradient)."""
  return _error(single[0], exact[0]), max(map(_error, single[1], exact[1]))


def _errors(shape):
  modules = layers(shape[3])
  given = arguments(modules[_OURS], shape)
  ours, published = (_evaluate(modules[name], given) for name in (_OURS, _PUBLISHED))
  with jax.enable_x64(True):
    double = jax.tree.map(lambda a: np.asarray(a, np.float64), given)
    ours64, published64 = (_evaluate(modules[name], double) for name in (_OURS, _PUBLISHED))
  errors = {'max_error_f64': _error(ours64[0], published64[0])}
  for suffix, single in (('', ours), ('_published', published)):
    names = (f'max_error_f32{suffix}', f'max_grad_error_f32{suffix}')
    errors |= dict(zip(names, _worst(single, ours64), strict=True))
  return errors


def ratios(measured: timing.Measured) -> dict:
  """Times and memory of the others over those of the fused layer."""

  def ratio(what, other, key='ms'):
    return timing.ratio(measured, f'{what}_{other}', f'{what}_{_OURS}', key)

  return {
    'ratio_forward': ratio('forward', _PUBLISHED),
    'ratio_training': ratio('training', _PUBLISHED),
    'ratio_forward_s5': ratio('forward', _S5),
    'ratio_training_s5': ratio('training', _S5),
    'ratio_memory_forward': ratio('forward', _PUBLISHED, 'temp_mib'),
    'ratio_memory': ratio('training', _PUBLISHED, 'temp_mib'),
  }


def run() -> dict:
  """Times, memory (MiB of XLA temporaries), errors and ratios at --shape."""
  shape = timing.shape()
  measured = timing.interleaved(functions(shape), timing.ROUNDS.value)
  case = {'case': ','.join(map(str, shape)), 'rounds': timing.ROUNDS.value}
  return case | ratios(measured) | _errors(shape) | {'measured': measured}


def lines(result: dict) -> list[str]:
  """The result as a table."""
  keys = [key for key in result if key.startswith(('ratio', 'max'))]
  return [
    f'layer (B,L,D,P) = ({result["case"]}) on {result["device"]}',
    *timing.table(result['measured']),
    *(f'{key:34} {result[key]:.3g}' for key in keys),
  ]
