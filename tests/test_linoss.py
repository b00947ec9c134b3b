"""LinOSS layers against published numbers, their poles, and the symmetries of the backbone."""

import functools
import json
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spectra_jax.backbones.linoss import SCHEMES, Backbone, Oscillators
from spectra_jax.dropout import example_keys

REFERENCE = json.loads(
  (pathlib.Path(__file__).parents[1] / 'third_party/linoss_reference.json').read_text()
)
PUBLISHED = {'LinOSS-IM': 'im', 'LinOSS-IMEX': 'imex', 'D-LinOSS': 'damped'}
steps = st.floats(0.05, 0.95)


def transition(name, A, G, h):
  """M of the published schemes on the state (x', x); scalars."""
  if name == 'im':
    s = 1 + h * h * A
    return np.array([[1, -h * A], [h, 1]]) / s
  s = 1 + h * G
  return np.array([[1, -h * A], [h, s - h * h * A]]) / s


def coefficients(name, A, G, h):
  """The scheme's (g, c, e, f) for scalars, in float64."""
  with jax.enable_x64(True):
    arrays = (jnp.asarray([value], jnp.float64) for value in (A, G, h))
    return [float(a[0]) for a in SCHEMES[name].coefficients(*arrays)]


def from_pole(name, r, theta, h):
  with jax.enable_x64(True):
    arrays = (jnp.asarray([value], jnp.float64) for value in (r, theta, h))
    return [float(a[0]) for a in SCHEMES[name].from_pole(*arrays)]


def pole(g, c):
  """(|lambda|, angle) of [[1 - g, -c], [1 - g, 1 - c]], the angle without cancellation at 0, pi.

  c = (1 - r)^2 + 4 r sin(theta/2)^2 with r^2 = 1 - g.
  """
  r = np.sqrt(1 - g)
  half_sine_squared = (c - (g / (1 + r)) ** 2) / (4 * r)
  return r, 2 * np.arctan2(
    np.sqrt(max(half_sine_squared, 0)), np.sqrt(max(1 - half_sine_squared, 0))
  )


def tokens(batch=2, length=23, width=6, dtype=jnp.float32):
  return jax.random.normal(jax.random.key(0), (batch, length, width), dtype)


@functools.cache
def backbone(**fields):
  """(apply(variables, x), variables) of a small backbone in evaluation mode."""
  module = Backbone(**{'state': 5, 'blocks': 1, **fields})
  initialise = jax.jit(lambda key, x: module.init(key, x, None, None, False))
  apply = jax.jit(lambda v, x: module.apply(v, x, None, None, False))
  return apply, initialise(jax.random.key(1), tokens())


@pytest.mark.parametrize('algorithm', ['sequential', 'associative', 'fused'])
@pytest.mark.parametrize('layer', PUBLISHED)
def test_published_numbers(layer, algorithm):
  numbers = {name: np.array(value) for name, value in REFERENCE[layer].items()}
  parts = lambda a, sign, axis: np.concatenate((a[..., 0], sign * a[..., 1]), axis)
  names = {'A_diag': 'A', 'G_diag': 'G', 'steps': 'steps'}
  parameters = {
    'dynamics': {short: numbers[long] for long, short in names.items() if long in numbers},
    'B': parts(numbers['B'], 1, 0),
    'C': parts(numbers['C'], -1, 1),
    'D': numbers['D'],
  }
  module = Oscillators(8, PUBLISHED[layer], 0.9, 1.0, np.pi, algorithm, reverse=False)
  apply = lambda u_LxD: module.apply({'params': parameters}, u_LxD[None])[0]
  with jax.enable_x64(True):
    loss = lambda u: (jnp.sum(apply(u) ** 2), apply(u))
    both = jax.jit(jax.grad(loss, has_aux=True))
    gradient, y = jax.device_get(both(numbers['u']))
  for value, exact in ((y, numbers['y']), (gradient, numbers['grad_u_of_sum_y2'])):
    np.testing.assert_allclose(value, exact, atol=1e-10 * np.abs(exact).max())


@pytest.mark.parametrize('name', SCHEMES)
@given(A=st.floats(0, 30), G=st.floats(0, 30), h=steps)
@settings(max_examples=20, deadline=None)
def test_filter_has_the_poles_of_the_published_matrix(name, A, G, h):
  G = G if SCHEMES[name].damped else 0.0
  root = np.sqrt(1 + h * G)
  inside = name == 'im' or ((root - 1) / h) ** 2 < A < ((root + 1) / h) ** 2
  A = A if inside else (1 + root**2) / h**2  # the projection leaves only the band as it is
  g, c, e, f = coefficients(name, A, G, h)
  M = transition(name, A, G, h)
  np.testing.assert_allclose(1 - g, np.linalg.det(M), rtol=1e-9)
  np.testing.assert_allclose(2 - g - c, np.trace(M), rtol=1e-9, atol=1e-12)
  np.testing.assert_allclose(g, 1 - M[0, 0], atol=1e-12)
  np.testing.assert_allclose(c, -h * M[0, 1], rtol=1e-9, atol=1e-30)
  np.testing.assert_allclose(e, 4 - 2 * g - c, atol=1e-12)
  np.testing.assert_allclose(f, h * M[1, 0], rtol=1e-12)


@pytest.mark.parametrize('name', SCHEMES)
@given(A=st.floats(-1e3, 1e5), G=st.floats(-10, 1e4), h=st.floats(1e-3, 0.999))
@settings(max_examples=60, deadline=None)
def test_any_parameters_are_projected_to_stable_oscillations(name, A, G, h):
  g, c, _, f = coefficients(name, A, G, h)
  r = np.sqrt(1 - g)
  assert 0 <= g < 1
  assert f > 0
  assert (g / (1 + r)) ** 2 * (1 - 1e-9) <= c <= (1 + r) ** 2 * (1 + 1e-9)
  M = np.array([[1 - g, -c], [1 - g, 1 - c]])
  assert np.abs(np.linalg.eigvals(M)).max() <= 1 + 1e-6  # a double pole moves by sqrt(rounding)


@given(r=st.floats(0.5, 1.0), theta=st.floats(1e-5, np.pi - 1e-5), h=steps)
@settings(max_examples=60, deadline=None)
def test_damped_reaches_every_pole(r, theta, h):
  A, G = from_pole('damped', r, theta, h)
  found = pole(*coefficients('damped', A, G, h)[:2])
  np.testing.assert_allclose(found, (r, theta), atol=1e-6)


@given(theta=st.floats(1e-5, np.pi - 1e-5), h=steps)
@settings(max_examples=40, deadline=None)
def test_imex_reaches_every_angle_on_the_circle(theta, h):
  A, G = from_pole('imex', 0.9, theta, h)
  np.testing.assert_allclose(pole(*coefficients('imex', A, G, h)[:2]), (1, theta), atol=1e-6)


@given(r=st.floats(0.1, 1.0), h=steps)
@settings(max_examples=40, deadline=None)
def test_im_reaches_the_poles_whose_radius_is_the_cosine(r, h):
  A, G = from_pole('im', r, 0.0, h)
  found = pole(*coefficients('im', A, G, h)[:2])
  np.testing.assert_allclose(found, (r, np.arccos(r)), atol=1e-6)


@given(r=st.floats(0.9, 1.0), gap=st.floats(1e-5, 1.5), h=steps)
@settings(max_examples=40, deadline=None)
def test_stiffness_seen_from_pi_keeps_its_digits(r, gap, h):
  """e = (1 - r)^2 + 4 r sin(gap/2)^2 at theta = pi - gap, up to the rounding of A in float64."""
  e = coefficients('damped', *from_pole('damped', r, np.pi - gap, h), h)[2]
  np.testing.assert_allclose(e, (1 - r) ** 2 + 4 * r * np.sin(gap / 2) ** 2, atol=2e-14)


@functools.cache
def layer_and_gradients(state):
  """(variables, u) -> [output, gradients of its mean square by both] of the fused damped layer."""
  module = Oscillators(state, 'damped', 0.9, 1.0, np.pi, 'fused', reverse=False)

  def both(variables, u):
    y, pull_back = jax.vjp(module.apply, variables, u)
    return jax.tree.leaves((y, pull_back(2 / y.size * y)))

  return jax.jit(both)


def assert_float32_layer_is_the_float64_one(variables, u, tolerance):
  run = layer_and_gradients(variables['params']['dynamics']['A'].size)
  single = jax.device_get(run(variables, u))
  with jax.enable_x64(True):
    double = jax.tree.map(lambda a: np.asarray(a, np.float64), (variables, u))
    exact = jax.device_get(run(*double))
  for value, expected in zip(single, exact, strict=True):
    assert value.dtype == np.float32
    assert np.abs(value - expected).max() <= tolerance * np.abs(expected).max()


@pytest.mark.parametrize('gap', [1e-3, 1e-2, 0.1])
@pytest.mark.parametrize('end', [0.0, np.pi])
def test_float32_layer_keeps_poles_near_both_ends(end, gap):
  """From float32 parameters, where h^2 A of float32 alone would leave 1e-3 / gap^2 at pi."""
  rng, h = np.random.default_rng(0), np.array([0.3, 0.5, 0.8])
  A, G = zip(*(from_pole('damped', 0.9995, abs(end - gap), step) for step in h), strict=True)
  parameters = {
    'dynamics': {'A': np.array(A), 'G': np.array(G), 'steps': np.log(h / (1 - h))},
    'B': rng.normal(size=(6, 4)),
    'C': rng.normal(size=(4, 6)),
    'D': np.ones(4),
  }
  single = jax.tree.map(np.float32, {'params': parameters})
  u = rng.standard_normal((1, 2048, 4), np.float32)
  assert_float32_layer_is_the_float64_one(single, u, 3e-5)


def test_float32_layer_of_the_ring_is_the_float64_one():
  """The size and the pole within 0.01 of pi at which float32 coefficients gave 1e-3 and 3e-3."""
  u = np.random.default_rng(0).standard_normal((1, 1024, 128), np.float32)
  module = Oscillators(128, 'damped', 0.9, 1.0, np.pi, 'fused', reverse=False)
  variables = jax.jit(module.init)(jax.random.key(0), u)
  assert_float32_layer_is_the_float64_one(variables, u, 3e-5)


def test_second_derivatives_pass_through_the_float64_coefficients():
  u, module = tokens(1, 9, 3), Oscillators(4, 'damped', 0.9, 1.0, 3.1, 'sequential', False)
  variables = jax.jit(module.init)(jax.random.key(0), u)

  @jax.jit
  def curvature(variables, u):
    loss = lambda v: jnp.sum(module.apply(v, u) ** 4)
    norm = lambda v: sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(jax.grad(loss)(v)))
    return jax.tree.leaves(jax.grad(norm)(variables))

  single = jax.device_get(curvature(variables, u))
  with jax.enable_x64(True):
    double = jax.tree.map(lambda a: np.asarray(a, np.float64), (variables, u))
    exact = jax.device_get(curvature(*double))
  for value, expected in zip(single, exact, strict=True):
    assert np.abs(value - expected).max() <= 1e-4 * np.abs(expected).max()


def test_vmap_over_the_parameters_of_a_jitted_layer_is_a_loop():
  u, module = tokens(1, 9, 3), Oscillators(4, 'damped', 0.9, 1.0, 3.1, 'sequential', False)
  many = jax.jit(jax.vmap(lambda key: module.init(key, u)))(jax.random.split(jax.random.key(0)))
  gradient = jax.jit(jax.grad(lambda v: jnp.sum(module.apply(v, u) ** 2)))
  together = jax.vmap(gradient)(many)
  alone = [gradient(jax.tree.map(lambda a, i=i: a[i], many)) for i in range(2)]
  for leaf, *each in zip(*map(jax.tree.leaves, (together, *alone)), strict=True):
    np.testing.assert_allclose(leaf, np.stack(each), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize('name', SCHEMES)
def test_ring_initialisation(name):
  module = Oscillators(500, name, 0.9, 0.99, 2.0, 'auto', reverse=False)
  variables = jax.jit(module.init)(jax.random.key(0), jnp.zeros((1, 2, 4)))
  dynamics = variables['params']['dynamics']
  A, G = dynamics['A'], dynamics.get('G', jnp.zeros(500))
  g, c, *_ = jax.jit(SCHEMES[name].coefficients)(A, G, jax.nn.sigmoid(dynamics['steps']))
  r, theta = zip(*map(pole, np.float64(g), np.float64(c)), strict=True)
  if name == 'imex':
    np.testing.assert_allclose(r, 1, atol=1e-6)
  else:
    assert 0.9 - 1e-5 <= min(r) < 0.905
    assert 0.985 < max(r) <= 0.99 + 1e-5
  if name == 'im':
    np.testing.assert_allclose(np.cos(theta), r, atol=1e-5)
  else:
    np.testing.assert_allclose(np.sort(theta), 2.0 * np.arange(1, 501) / 501, atol=0.15)


def test_without_damping_damped_is_imex():
  A = jnp.linspace(0, 3, 9)
  for ours, other in zip(
    SCHEMES['damped'].coefficients(A, 0 * A, 0 * A + 0.7),
    SCHEMES['imex'].coefficients(A, A, 0 * A + 0.7),
    strict=True,
  ):
    np.testing.assert_array_equal(ours, other)


def test_gradients_are_finite_at_critical_damping_and_its_limits():
  """The projection clamps A exactly onto the double pole, at theta = 0 and at pi."""
  u, A, G = tokens(1, 50, 3), *np.meshgrid([0.0, 1e9], [0.0, 1e-12, 1.0, 1e6])
  module = Oscillators(A.size, 'damped', 0.9, 1.0, np.pi, 'fused', reverse=False)
  variables = jax.jit(module.init)(jax.random.key(0), u)
  variables['params']['dynamics'] |= {'A': jnp.ravel(A), 'G': jnp.ravel(G)}
  loss = lambda v, u: jnp.mean(module.apply(v, u) ** 2)
  gradients = jax.jit(jax.value_and_grad(loss, argnums=(0, 1)))(variables, u)
  assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradients))


def test_backbone_commutes_with_a_flip_when_its_directions_are_swapped():
  x = tokens()
  apply, variables = backbone()
  swapped = {
    name: block | {'forward': block['backward'], 'backward': block['forward']}
    for name, block in variables['params'].items()
  }
  flipped = apply({'params': swapped}, x[:, ::-1])[:, ::-1]
  np.testing.assert_allclose(flipped, apply(variables, x), atol=2e-5)


def test_one_direction_is_causal_and_shift_invariant():
  x = tokens().at[:, 14:].set(0)
  apply, variables = backbone(bidirectional=False)
  assert 'backward' not in variables['params']['block_0']
  y, later = apply(variables, x), apply(variables, jnp.roll(x, 9, axis=1))
  np.testing.assert_allclose(later[:, 9:], y[:, :-9], atol=1e-5)
  changed = apply(variables, x.at[:, 12:].add(1.0))
  np.testing.assert_allclose(changed[:, :12], y[:, :12], atol=1e-6)
  assert np.abs(changed[:, 12:] - y[:, 12:]).max() > 0.1


def test_both_directions_see_the_whole_sequence():
  x = tokens()
  apply, variables = backbone()
  moved = np.abs(apply(variables, x.at[:, 11].add(1.0)) - apply(variables, x)).max(axis=(0, 2))
  assert (moved > 1e-6).all()


@pytest.mark.parametrize('name', SCHEMES)
def test_every_parameter_learns(name):
  module = Oscillators(5, name, 0.9, 1.0, np.pi, 'fused', reverse=False)

  @jax.jit
  def gradient(key, u):
    loss = lambda v: jnp.mean(module.apply(v, u) ** 3)
    return jax.grad(loss)(module.init(key, u))

  for path, leaf in jax.tree.leaves_with_path(gradient(jax.random.key(0), tokens())):
    assert np.isfinite(leaf).all(), path
    assert np.any(leaf), path


def test_bfloat16_activations_and_float32_parameters():
  x = tokens(dtype=jnp.bfloat16)
  apply, variables = backbone()
  y = apply(variables, x)
  assert y.dtype == jnp.bfloat16
  assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype('float32')}
  exact = np.asarray(apply(variables, x.astype(jnp.float32)))
  assert np.abs(np.float32(y) - exact).max() < 0.03 * np.abs(exact).max()


def test_dropout_follows_the_example_and_not_its_row():
  x, keys = tokens(batch=4), jax.random.split(jax.random.key(7), 4)
  _, variables = backbone()
  module = Backbone(state=5, blocks=1, dropout=0.3)
  order = np.array([2, 0, 3, 1])

  @jax.jit
  def apply(keys, x):
    return module.apply({**variables, **example_keys(keys)}, x, None, None, True)

  y = apply(keys, x)
  np.testing.assert_allclose(apply(keys[order], x[order]), y[order], atol=1e-5)
  assert np.abs(apply(keys[order], x) - y).max() > 0.1
  with pytest.raises(ValueError, match='per-example keys'):
    module.apply(variables, x, None, None, True)


@pytest.mark.parametrize(
  ('field', 'sentence'),
  [
    ('discretisation', "unknown LinOSS discretisation 'rk4': expected one of"),
    ('algorithm', "unknown scan algorithm 'rk4': expected one of"),
  ],
)
def test_unknown_names_are_refused(field, sentence):
  with pytest.raises(ValueError, match=sentence):
    backbone(**{field: 'rk4'})
