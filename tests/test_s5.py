"""S5 layers against published numbers, the dense HiPPO system, and their own streaming."""

import functools
import json
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st

from spectra_jax.backbones.s5 import Backbone, StateSpace, bilinear, hippo_normal, zoh

REFERENCE = json.loads(
  (pathlib.Path(__file__).parents[1] / 'third_party/s5_reference.json').read_text()
)['S5']


def layer(**fields):
  defaults = {'state': 6, 'init_blocks': 2, 'discretisation': 'zoh', 'dt_min': 0.001}
  return StateSpace(**{**defaults, 'dt_max': 0.1, 'algorithm': 'auto', 'reverse': False, **fields})


def tokens(batch=2, length=23, width=6, dtype=jnp.float32):
  return jax.random.normal(jax.random.key(0), (batch, length, width), dtype)


@functools.cache
def backbone(**fields):
  """(module, variables) of a small backbone."""
  module = Backbone(**{'state': 6, 'init_blocks': 2, 'blocks': 1, **fields})
  initialise = jax.jit(lambda key, x: module.init(key, x, None, None, False))
  return module, initialise(jax.random.key(1), tokens())


def dense_legs(size):
  """A_LegS + p p^T entry by entry from its definition."""
  A = np.zeros((size, size))
  for n in range(size):
    for k in range(n + 1):
      A[n, k] = -(n + 1) if n == k else -np.sqrt((2 * n + 1) * (2 * k + 1))
  p = np.sqrt(np.arange(size) + 0.5)
  return A + np.outer(p, p)


@pytest.mark.parametrize('algorithm', ['sequential', 'associative', 'fused'])
def test_published_numbers(algorithm):
  numbers = {name: np.array(value) for name, value in REFERENCE['params'].items()}
  parameters = {
    'dynamics': {
      'log_decay': np.log(-numbers['Lambda_re']),
      'frequency': numbers['Lambda_im'],
      'log_step': numbers['log_step'][:, 0],
    },
    'B': np.moveaxis(numbers['B'], -1, 0),
    'C': np.moveaxis(numbers['C'], -1, 0),
    'D': numbers['D'],
  }
  module = layer(state=8, init_blocks=1, algorithm=algorithm)
  with jax.enable_x64(True):
    apply = jax.jit(lambda u: module.apply({'params': parameters}, u[None])[0])
    y = jax.device_get(apply(np.array(REFERENCE['u'])))
  exact = np.array(REFERENCE['y'])
  np.testing.assert_allclose(y, exact, atol=1e-10 * np.abs(exact).max())


def test_published_initial_eigenvalues():
  numbers = REFERENCE['params']
  np.testing.assert_allclose(hippo_normal(16)[0], numbers['Lambda_im'], rtol=1e-10)
  np.testing.assert_allclose(numbers['Lambda_re'], -0.5, rtol=1e-12)


@pytest.mark.parametrize('size', [2, 8, 30])
def test_eigensystem_is_that_of_the_hippo_matrix(size):
  frequencies_P, vectors = hippo_normal(size)
  A = dense_legs(size)
  np.testing.assert_allclose(A @ vectors, vectors * (-0.5 + 1j * frequencies_P), atol=1e-11)
  np.testing.assert_allclose(vectors.conj().T @ vectors, np.eye(size // 2), atol=1e-12)
  np.testing.assert_allclose(vectors.T @ vectors, 0, atol=1e-12)  # no pair is kept twice
  assert (frequencies_P < 0).all()


@pytest.mark.parametrize('name', ['zoh', 'bilinear'])
def test_initial_layer_is_the_dense_system_of_its_blocks(name):
  """B and C drawn in the basis of HiPPO, so half of the eigenbasis is a real system of all states.

  Its real matrices are found again from the layer's: with W = [V, conj V], B = W [B~, conj B~].
  """
  kept, copies, width, dt = 3, 2, 4, 0.07
  module = layer(state=6, init_blocks=2, discretisation=name, dt_min=dt, dt_max=dt)
  u = np.random.default_rng(0).normal(size=(1, 19, width))
  with jax.enable_x64(True):
    variables = jax.jit(module.init)(jax.random.key(0), u)
    y = jax.device_get(jax.jit(module.apply)(variables, u))[0]
  parameters = jax.device_get(variables['params'])
  b, c = (parameters[n][0] + 1j * parameters[n][1] for n in 'BC')
  V = scipy.linalg.block_diag(*[hippo_normal(2 * kept)[1]] * copies)
  B, C = 2 * (V @ b).real, 2 * (c @ V.conj().T).real
  A = scipy.linalg.block_diag(*[dense_legs(2 * kept)] * copies)
  eye = np.eye(len(A))
  if name == 'zoh':
    step = scipy.linalg.expm(dt * A)
    drive = np.linalg.solve(A, step - eye) @ B
  else:
    step = np.linalg.solve(eye - dt / 2 * A, eye + dt / 2 * A)
    drive = dt * np.linalg.solve(eye - dt / 2 * A, B)
  x, expected = np.zeros(len(A)), []
  for u_D in u[0]:
    x = step @ x + drive @ u_D
    expected.append(C @ x + parameters['D'] * u_D)
  np.testing.assert_allclose(y, expected, atol=1e-12)


@given(decay=st.floats(1e-3, 10), frequency=st.floats(-100, 100), step=st.floats(1e-4, 1))
@settings(max_examples=30, deadline=None)
def test_discretisations_are_stable_and_pass_a_constant_as_they_should(decay, frequency, step):
  """Both have |pole| < 1 and the exact gain -1 / Lambda at rest: factor / (1 - pole)."""
  value = np.complex128(-decay + 1j * frequency)
  with jax.enable_x64(True):
    for discretise in (zoh, bilinear):
      pole, factor = (complex(a) for a in discretise(jnp.asarray(value), jnp.asarray(step)))
      assert abs(pole) < 1
      np.testing.assert_allclose(factor / (1 - pole), -1 / value, rtol=1e-9)
      z = value * step
      slow = abs(z) < 0.1
      if slow:  # both agree with exp to second order
        assert abs(pole - np.exp(z)) <= abs(z) ** 3 / 6


def test_float32_keeps_the_gain_of_slow_states():
  """exp(z) - 1 by subtraction would lose 6e-8 / 5e-5 of it."""
  value, step = np.complex64(-0.5 - 0.1j), np.float32(1e-4)
  _, factor = jax.jit(zoh)(value, step)
  z = np.complex128(value) * np.float64(step)
  np.testing.assert_allclose(factor, step * (1 + z / 2 + z**2 / 6), rtol=3e-7)


def test_initial_steps_are_log_uniform_and_matrices_keep_the_variance():
  dynamics = layer(state=400, init_blocks=100)
  variables = jax.jit(dynamics.init)(jax.random.key(0), jnp.zeros((1, 2, 2)))
  log_steps = np.sort(variables['params']['dynamics']['log_step'])
  expected = np.log(0.001) + np.log(100) * np.arange(1, 401) / 401
  np.testing.assert_allclose(log_steps, expected, atol=0.35)
  power = lambda name: np.mean(np.sum(np.square(variables['params'][name]), axis=0))
  np.testing.assert_allclose([2 * power('B'), 800 * power('C')], 1, rtol=0.2)


def test_state_space_is_the_layer():
  """y_n = d u_n + sum_m Re(c_out poles^m b) u_{n-m} of the filter that the layer hands out."""
  u = np.asarray(tokens(1, 17, 5))
  module = layer()
  variables = jax.jit(module.init)(jax.random.key(0), u)
  y = jax.jit(module.apply)(variables, u)[0]
  filter_of = jax.jit(lambda v: module.apply(v, 5, method='state_space'))
  found = jax.device_get(filter_of(variables))
  powers = np.complex128(found.poles_P) ** np.arange(17)[:, None]
  kernel = np.einsum('dp,mp,pe->mde', found.c_out_DxP, powers, found.b_PxD).real
  kernel[0] += np.diag(found.d_D)
  expected = [sum(kernel[m] @ u[0, n - m] for m in range(n + 1)) for n in range(17)]
  np.testing.assert_allclose(y, expected, atol=1e-5)


def test_both_directions_are_mirror_images_and_see_everything():
  x = tokens()
  module, variables = backbone()
  apply = jax.jit(lambda v, x: module.apply(v, x, None, None, False))
  swapped = {
    name: block | {'forward': block['backward'], 'backward': block['forward']}
    for name, block in variables['params'].items()
  }
  y, flipped = apply(variables, x), apply({'params': swapped}, x[:, ::-1])[:, ::-1]
  np.testing.assert_allclose(flipped, y, atol=2e-5)
  moved = np.abs(apply(variables, x.at[:, 11].add(1.0)) - y).max(axis=(0, 2))
  assert (moved > 1e-6).all()


def test_parameters_are_real_float32_and_the_dynamics_apart():
  _, variables = backbone()
  assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype('float32')}
  forward = variables['params']['block_0']['forward']
  assert set(forward) == {'dynamics', 'B', 'C', 'D'}
  assert set(forward['dynamics']) == {'log_decay', 'frequency', 'log_step'}


@pytest.mark.parametrize(
  ('fields', 'sentence'),
  [
    ({'discretisation': 'euler'}, "unknown S5 discretisation 'euler': expected one of"),
    ({'algorithm': 'fast'}, "unknown scan algorithm 'fast': expected one of"),
    ({'init_blocks': 4}, 'cannot cut state = 6 into init_blocks = 4 equal'),
    ({'init_blocks': 0}, 'cannot cut state = 6 into init_blocks = 0 equal'),
    ({'dt_min': 0.2}, 'steps from dt_min = 0.2 to dt_max = 0.1; expected'),
  ],
)
def test_bad_options_are_refused(fields, sentence):
  with pytest.raises(ValueError, match=sentence):
    jax.eval_shape(layer(**fields).init, jax.random.key(0), tokens())
