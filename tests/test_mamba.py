"""Mamba against loops written from its equations: the scan, the mixer, and how they stream."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spectra_jax.backbones.mamba import Backbone, Selective
from spectra_jax.scan.selective import selective_scan
from tests.parameters import draw
from tests.recurrences import assert_close, gradients, jitted, loss

ALGORITHMS = ('sequential', 'associative', 'chunked', 'chunked_associative')


def arguments(seed, batch=2, length=23, channels=3, states=4):
  """(state, delta, A, b, c, d, u) in float64; steps and rates over three decades."""
  rng = np.random.default_rng(seed)
  delta = np.exp(rng.uniform(-6, 1, (batch, length, channels)))
  A = -np.exp(rng.uniform(-3, 3, (channels, states)))
  b, c = rng.normal(size=(2, batch, length, states))
  start = rng.normal(size=(batch, states, channels))
  return start, delta, A, b, c, rng.normal(size=channels), rng.normal(size=delta.shape)


def loop(start_BxNxE, delta, A, b, c, d, u, reverse=False):
  """The equations, one number at a time."""
  h, y = start_BxNxE.copy(), np.zeros_like(u)
  batch, length, channels = u.shape
  for n in reversed(range(length)) if reverse else range(length):
    for i in range(batch):
      for e in range(channels):
        for k in range(A.shape[1]):
          decay = np.exp(delta[i, n, e] * A[e, k])
          h[i, k, e] = decay * h[i, k, e] + delta[i, n, e] * b[i, n, k] * u[i, n, e]
        y[i, n, e] = c[i, n] @ h[i, :, e] + d[e] * u[i, n, e]
  return h, y


@pytest.mark.parametrize('reverse', [False, True])
@pytest.mark.parametrize('algorithm', ALGORITHMS)
@given(seed=st.integers(0, 999))
@settings(max_examples=4, deadline=None)
def test_every_algorithm_is_the_loop(algorithm, reverse, seed):
  arrays = arguments(seed)
  with jax.enable_x64(True):
    found = jitted(selective_scan, *arrays, algorithm=algorithm, reverse=reverse, chunk=5)
  assert_close(found, loop(*arrays, reverse=reverse), 1e-12)


@pytest.mark.parametrize(
  ('algorithm', 'reverse'), [('chunked', False), ('chunked_associative', True)]
)
def test_gradients_of_the_paths_are_those_of_the_reference(algorithm, reverse):
  """By start state, steps, rates, weights and input, over equal chunks and a rest."""
  arrays = arguments(0)
  with jax.enable_x64(True):
    exact = gradients(selective_scan, arrays, algorithm='sequential', reverse=reverse)
    found = gradients(selective_scan, arrays, algorithm=algorithm, reverse=reverse, chunk=5)
  assert_close(found, exact, 1e-11)


def test_second_derivatives_of_chunked_are_those_of_the_reference():
  arrays = arguments(0, length=6)

  def curvature(algorithm):
    inner = functools.partial(loss, selective_scan, algorithm=algorithm, chunk=3)

    def squared_gradient(*arrays):
      return sum(jnp.sum(a**2) for a in jax.grad(inner, argnums=tuple(range(7)))(*arrays))

    return jax.jit(jax.grad(squared_gradient, argnums=tuple(range(7))))(*arrays)

  with jax.enable_x64(True):
    chunked, exact = jax.device_get((curvature('chunked'), curvature('sequential')))
  assert_close(chunked, exact, 1e-10)


def test_constant_parameters_give_a_geometric_series():
  """Step delta, rate A, weights b and c all fixed: y_n = c delta b (1 - a^(n+1)) / (1 - a) + d."""
  delta, A, b, c, d, n = 0.3, -0.7, 1.5, -2.0, 0.25, np.arange(40)
  one = np.ones((1, 40, 1))
  arrays = (delta * one, np.full((1, 1), A), b * one, c * one, np.array([d]), one)
  a = np.exp(delta * A)
  with jax.enable_x64(True):
    _, y = jitted(selective_scan, None, *arrays, algorithm='chunked', chunk=7)
  np.testing.assert_allclose(y[0, :, 0], c * delta * b * (1 - a ** (n + 1)) / (1 - a) + d)


def test_a_token_with_a_step_of_zero_is_skipped():
  arrays = list(arguments(0))
  arrays[1][:, 9:14] = 0
  kept = np.r_[:9, 14:23]
  short = [a[:, kept] if i in (1, 3, 4, 6) else a for i, a in enumerate(arrays)]
  with jax.enable_x64(True):
    end, y = jitted(selective_scan, *arrays, algorithm='chunked', chunk=5)
  assert_close((end, y[:, kept]), loop(*short), 1e-12)


@pytest.mark.parametrize('reverse', [False, True])
def test_pieces_that_hand_over_the_state_are_the_whole(reverse):
  arrays = arguments(1, length=21)
  state, pieces, outputs = arrays[0], [slice(0, 7), slice(7, 14), slice(14, 21)], []
  with jax.enable_x64(True):
    for piece in pieces[::-1] if reverse else pieces:
      part = [a[:, piece] if i in (1, 3, 4, 6) else a for i, a in enumerate(arrays)]
      state, y = jitted(
        selective_scan, state, *part[1:], algorithm='chunked', reverse=reverse, chunk=3
      )
      outputs.append(y)
  joined = np.concatenate(outputs[::-1] if reverse else outputs, axis=1)
  assert_close((state, joined), loop(*arrays, reverse=reverse), 1e-12)


def test_the_gradient_keeps_the_states_of_one_chunk_only():
  """Temporary bytes against those of all states of the sequence."""
  arrays = [jnp.asarray(a, jnp.float32) for a in arguments(0, 2, 1024, 8, 16)]

  def temporary(algorithm):
    inner = functools.partial(loss, selective_scan, algorithm=algorithm, chunk=16)
    gradient = jax.jit(jax.grad(inner, argnums=tuple(range(1, 7))))
    return gradient.lower(*arrays).compile().memory_analysis().temp_size_in_bytes

  everything = 4 * 2 * 1024 * 8 * 16
  assert temporary('chunked') < everything
  assert temporary('sequential') > 1.5 * everything


def test_chunked_refuses_forward_mode():
  *arrays, u = arguments(0, length=4)
  run = functools.partial(selective_scan, *arrays, algorithm='chunked')
  with pytest.raises(TypeError, match='forward-mode'):
    jax.jvp(run, (u,), (u,))


def test_auto_is_one_of_the_others():
  arrays = arguments(0)
  chosen = 'chunked' if jax.default_backend() == 'cpu' else 'chunked_associative'
  for value, same in zip(
    jitted(selective_scan, *arrays), jitted(selective_scan, *arrays, algorithm=chosen), strict=True
  ):
    np.testing.assert_array_equal(value, same)


@pytest.mark.parametrize(
  ('option', 'sentence'),
  [
    ({'algorithm': 'fast'}, "unknown scan algorithm 'fast': expected one of"),
    ({'chunk': 0}, 'chunk is 0: expected an integer of at least 1'),
  ],
)
def test_bad_options_of_the_scan_are_refused(option, sentence):
  with pytest.raises(ValueError, match=sentence):
    selective_scan(*arguments(0, length=2), **option)


def mixer(**fields):
  defaults = {'state': 4, 'expand': 2, 'conv_width': 4, 'dt_rank': 2, 'dt_min': 0.001}
  return Selective(**{**defaults, 'dt_max': 0.1, 'algorithm': 'auto', 'reverse': False, **fields})


def tokens(batch=2, length=13, width=6, dtype=jnp.float32):
  return jax.random.normal(jax.random.key(0), (batch, length, width), dtype)


def published(parameters, u_LxD):
  """The mixer of the paper for one example, token by token in numpy."""
  silu = lambda v: v / (1 + np.exp(-v))
  kernel = lambda name: parameters[name]['kernel']
  A = -np.exp(parameters['dynamics']['A_log'])
  channels, states = A.shape
  rank = kernel('dt_proj').shape[0]
  h, past, outputs = np.zeros((channels, states)), np.zeros((4, channels)), []
  for u_D in u_LxD:
    x, z = np.split(u_D @ kernel('in_proj'), 2)
    past = np.concatenate((x[None], past[:-1]))
    x = silu(np.sum(past * parameters['conv'], axis=0) + parameters['conv_bias'])
    s, b, c = np.split(x @ kernel('x_proj'), (rank, rank + states))
    bias = parameters['dynamics']['step_bias']
    delta = np.log1p(np.exp(s @ kernel('dt_proj') + bias))
    h = np.exp(delta[:, None] * A) * h + np.outer(delta * x, b)
    outputs.append(((h @ c + parameters['D'] * x) * silu(z)) @ kernel('out_proj'))
  return np.array(outputs)


def test_mixer_is_the_published_one():
  module = mixer()
  u = np.random.default_rng(0).normal(size=(2, 13, 6))
  with jax.enable_x64(True):
    variables = draw(module.init, u)
    y = jax.device_get(jax.jit(module.apply)(variables, u))
  parameters = variables['params']
  expected = [published(parameters, u_LxD) for u_LxD in u]
  np.testing.assert_allclose(y, expected, atol=1e-12)


def test_initial_rates_and_steps():
  module = mixer(expand=50)
  initialise = jax.jit(lambda key, u: module.init(key, u)['params']['dynamics'])
  dynamics = initialise(jax.random.key(0), tokens(1, 1, 8))
  np.testing.assert_allclose(np.exp(dynamics['A_log']), np.tile(np.arange(1, 5), (400, 1)))
  log_steps = np.sort(np.log(jax.nn.softplus(dynamics['step_bias'])))
  expected = np.log(0.001) + np.log(100) * np.arange(1, 401) / 401
  np.testing.assert_allclose(log_steps, expected, atol=0.35)


@functools.cache
def backbone(**fields):
  """(module, variables, apply) of a small backbone in evaluation mode."""
  module = Backbone(**{'state': 3, 'blocks': 1, **fields})
  initialise = lambda key, x: module.init(key, x, None, None, False)
  apply = jax.jit(lambda v, x: module.apply(v, x, None, None, False))
  return module, draw(initialise, tokens()), apply


def test_one_direction_is_causal():
  x = tokens()
  _, variables, apply = backbone(bidirectional=False)
  y, changed = apply(variables, x), apply(variables, x.at[:, 7:].add(1.0))
  np.testing.assert_allclose(changed[:, :7], y[:, :7], atol=1e-6)
  assert (np.abs(changed[:, 7:] - y[:, 7:]).max(axis=(0, 2)) > 1e-2).all()


def test_both_directions_are_mirror_images_with_parameters_of_their_own():
  x = tokens()
  _, variables, apply = backbone()
  swapped = {
    name: block | {'forward': block['backward'], 'backward': block['forward']}
    for name, block in variables['params'].items()
  }
  y, mirrored = apply(variables, x), apply({'params': swapped}, x[:, ::-1])[:, ::-1]
  np.testing.assert_allclose(mirrored, y, atol=2e-5)
  assert np.abs(apply(variables, x[:, ::-1])[:, ::-1] - y).max() > 1e-2


def test_bfloat16_activations_and_float32_parameters_and_scan():
  x = tokens(dtype=jnp.bfloat16)
  module, variables, apply = backbone(bidirectional=False)
  assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype('float32')}
  y, exact = apply(variables, x), np.asarray(apply(variables, x.astype(jnp.float32)))
  assert y.dtype == jnp.bfloat16
  assert np.abs(np.float32(y) - exact).max() < 0.03 * np.abs(exact).max()
  buffer, h = module.rest(variables, x)[0]
  assert (buffer.dtype, h.dtype) == (jnp.bfloat16, jnp.float32)


def test_rank_of_the_steps_follows_the_width():
  shapes = lambda width, **fields: (
    jax.eval_shape(mixer(**fields).init, jax.random.key(0), tokens(1, 1, width))['params'][
      'dt_proj'
    ]['kernel'].shape
  )
  assert shapes(33, dt_rank=0) == (3, 66)
  assert shapes(33, dt_rank=5) == (5, 66)


@pytest.mark.parametrize(
  ('fields', 'sentence'),
  [
    ({'algorithm': 'fast'}, "unknown scan algorithm 'fast': expected one of"),
    ({'conv_width': 0}, 'Mamba has conv_width = 0; expected at least 1'),
    ({'dt_rank': -1}, 'Mamba has dt_rank = -1; expected at least 0'),
    ({'dt_min': 0.2}, 'steps from dt_min = 0.2 to dt_max = 0.1; expected'),
  ],
)
def test_bad_options_are_refused(fields, sentence):
  with pytest.raises(ValueError, match=sentence):
    jax.eval_shape(mixer(**fields).init, jax.random.key(0), tokens())
