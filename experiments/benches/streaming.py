"""Token by token: a D-LinOSS layer or stack, one direction, one spectrum, O(1) state.

  us_per_step_jitted  `step` in a loop inside one compiled program.
  us_per_step_python  one compiled `step` called from Python for every token.
  max_error           largest difference to the whole sequence in parallel, over its largest value.

L, D and P are those of --shape; --stack=4 takes four blocks instead of a layer alone.
"""

import functools
import statistics
import time

import jax
import numpy as np
from absl import flags

from experiments import timing
from spectra_jax.backbones import linoss

_STACK = flags.DEFINE_integer('stack', 0, 'blocks of a stack; 0 = a layer alone', lower_bound=0)


def _streamed(shape):
  """(whole sequence, step, state at rest, u_BxLxD) with the variables bound."""
  u_BxLxD = np.random.default_rng(0).standard_normal(shape[:3], np.float32)
  options = {'state': shape[3], 'bidirectional': False}
  if _STACK.value:
    stack = linoss.Backbone(blocks=_STACK.value, **options)
    initialise = jax.jit(lambda key, u: stack.init(key, u, None, None, False))
    variables = initialise(jax.random.key(0), u_BxLxD)
    whole = lambda v, u: stack.apply(v, u, None, None, False)
    step = lambda v, state, u: stack.apply(v, state, u, method='step')
    return whole, step, variables, stack.rest(variables, u_BxLxD), u_BxLxD
  layer = linoss.Backbone(**options).layer()(reverse=False)
  variables = jax.jit(layer.init)(jax.random.key(0), u_BxLxD)

  def step(variables, state, u_BxD):
    state, y_Bx1xD = layer.apply(variables, state, u_BxD[:, None], method='advance')
    return state, y_Bx1xD[:, 0]

  shapes = jax.eval_shape(lambda v, u: step(v, None, u)[0], variables, u_BxLxD[:, 0])
  rest = jax.tree.map(lambda a: np.zeros(a.shape, a.dtype), shapes)
  return layer.apply, step, variables, rest, u_BxLxD


def run() -> dict:
  """Microseconds a token both ways, medians, and the error."""
  batch, length, *_ = shape = (1, *timing.shape()[1:])
  whole, step, variables, rest, u_BxLxD = _streamed(shape)

  def all_tokens(variables, state, u_BxLxD):
    _, y_LxBxD = jax.lax.scan(functools.partial(step, variables), state, u_BxLxD.swapaxes(0, 1))
    return y_LxBxD.swapaxes(0, 1)

  loop = timing.compiled(all_tokens, variables, rest, u_BxLxD)
  one = timing.compiled(step, variables, rest, u_BxLxD[:, 0])
  tokens = list(jax.device_put(u_BxLxD.swapaxes(0, 1)))
  exact = jax.device_get(jax.jit(whole)(variables, u_BxLxD))
  error = np.abs(jax.device_get(loop(variables, rest, u_BxLxD)) - exact).max()
  jitted, python = [], []
  for _ in range(timing.ROUNDS.value):
    jitted.append(1e3 * timing.milliseconds(loop, (variables, rest, u_BxLxD)) / length)
    python.append(_from_python(one, variables, rest, tokens) / length)
  return {
    'case': f'B={batch},L={length},D={shape[2]},P={shape[3]},stack={_STACK.value}',
    'rounds': timing.ROUNDS.value,
    'us_per_step_jitted': statistics.median(jitted),
    'us_per_step_jitted_min': min(jitted),
    'us_per_step_jitted_max': max(jitted),
    'us_per_step_python': statistics.median(python),
    'us_per_step_python_min': min(python),
    'us_per_step_python_max': max(python),
    'max_error': float(error / np.abs(exact).max()),
  }


def _from_python(one, variables, state, tokens):
  """Microseconds of a loop over tokens, each a call of its own."""
  start = time.perf_counter()
  for u_BxD in tokens:
    state, y_BxD = one(variables, state, u_BxD)
  jax.block_until_ready((state, y_BxD))
  return 1e6 * (time.perf_counter() - start)


def lines(result: dict) -> list[str]:
  """One line a figure."""
  keys = [key for key in result if key.startswith(('us_', 'max'))]
  return [f'streaming, {result["case"]}', *(f'{key:26} {result[key]:.3g}' for key in keys)]
