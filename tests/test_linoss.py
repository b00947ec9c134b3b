"""LinOSS layers against published numbers, simulated updates, and the backbone's symmetries."""

import functools
import json
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from spectra_jax import discretisation
from spectra_jax.backbones.linoss import Backbone
from spectra_jax.discretisation import SCHEMES
from tests.parameters import draw

REFERENCE = json.loads(
  (pathlib.Path(__file__).parents[1] / 'third_party/linoss_reference.json').read_text()
)
PUBLISHED = {
  'LinOSS-IM': {'discretisation': 'im', 'damped': False},
  'LinOSS-IMEX': {'discretisation': 'imex', 'damped': False},
  'D-LinOSS': {'discretisation': 'imex', 'damped': True},
}
# whether stiffness, damping and velocity are taken at the new time
IMPLICIT = {
  'im': (1, 1, 1),
  'imex': (0, 1, 1),
  'imex2': (0, 0, 1),
  'imex3': (1, 0, 1),
  'ex': (0, 0, 0),
}
ALL = [(name, damped) for name in SCHEMES for damped in (True, False) if damped or name != 'ex']


def tokens(batch=2, length=23, width=6):
  return np.random.default_rng(0).standard_normal((batch, length, width), np.float32)


def layer(state, reverse=False, **fields):
  return Backbone(state=state, **fields).layer()(reverse=reverse)


@functools.cache
def backbone(**fields):
  """(apply(variables, x), variables) of a small backbone in evaluation mode."""
  module = Backbone(**{'state': 5, 'blocks': 1, **fields})
  initialise = lambda key, x: module.init(key, x, None, None, False)
  apply = jax.jit(lambda v, x: module.apply(v, x, None, None, False))
  return apply, draw(initialise, tokens())


def doubled(tree):
  return jax.tree.map(lambda a: np.asarray(a, np.float64), tree)


def assert_close(values, expected, tolerance):
  for value, exact in zip(values, expected, strict=True):
    assert np.abs(value - exact).max() <= tolerance * np.abs(exact).max()


@pytest.mark.parametrize(
  ('name', 'algorithm'), [*((name, 'fused') for name in PUBLISHED), ('D-LinOSS', 'associative')]
)
def test_published_numbers(name, algorithm):
  numbers = {name: np.array(value) for name, value in REFERENCE[name].items()}
  parts = lambda a, sign, axis: np.concatenate((a[..., 0], sign * a[..., 1]), axis)
  names = {'A_diag': 'A', 'G_diag': 'G', 'steps': 'steps'}
  parameters = {
    'dynamics': {short: numbers[long] for long, short in names.items() if long in numbers},
    'B': parts(numbers['B'], 1, 0),
    'C': parts(numbers['C'], -1, 1),
    'D': numbers['D'],
  }
  module = layer(8, algorithm=algorithm, **PUBLISHED[name])
  apply = lambda u_LxD: module.apply({'params': parameters}, u_LxD[None])[0]
  with jax.enable_x64(True):
    loss = lambda u: (jnp.sum(apply(u) ** 2), apply(u))
    gradient, y = jax.device_get(jax.jit(jax.grad(loss, has_aux=True))(numbers['u']))
  assert_close((y, gradient), (numbers['y'], numbers['grad_u_of_sum_y2']), 1e-10)


def simulated(name, parameters, u_LxD):
  """y_LxD by the updates of velocity and position, one after the other, in complex128."""
  stiff, damp, move = IMPLICIT[name]
  A, steps = parameters['dynamics']['A'], parameters['dynamics']['steps']
  G, h = parameters['dynamics'].get('G', 0 * A), 1 / (1 + np.exp(-steps))
  b_re, b_im = np.split(parameters['B'], 2)
  c_re, minus_c_im = np.split(parameters['C'], 2, axis=1)
  z = x = np.zeros(len(A), complex)
  rows = []
  for u_D in u_LxD:
    pull = (b_re + 1j * b_im) @ u_D - A * x - (1 - damp) * G * z
    new = (z + h * pull) / (1 + damp * h * G + stiff * h**2 * A)
    x = x + h * (new if move else z)
    z = new
    rows.append(((c_re - 1j * minus_c_im) @ x).real + parameters['D'] * u_D)
  return np.array(rows)


def parameters_inside(seed, oscillators, width, damped):
  """Float64 parameters that no scheme projects: h G in [0.1, 0.6], h^2 A in [0.5, 0.9] of it."""
  rng = np.random.default_rng(seed)
  h, d = rng.uniform(0.2, 0.8, oscillators), rng.uniform(0.1, 0.6, oscillators)
  dynamics = {'A': rng.uniform(0.5, 0.9, oscillators) * d / h**2, 'steps': np.log(h / (1 - h))}
  return {
    'dynamics': dynamics | ({'G': d / h} if damped else {}),
    'B': rng.normal(size=(2 * oscillators, width)),
    'C': rng.normal(size=(width, 2 * oscillators)),
    'D': rng.normal(size=width),
  }


def variables_inside(oscillators, width, heads=1):
  """The same as float32 variables of a damped layer with so many heads."""
  parameters = parameters_inside(4, oscillators, width, damped=True)
  if heads > 1:
    shape = (heads, 2 * oscillators // heads, width // heads)
    b = np.random.default_rng(5).normal(size=shape)
    parameters |= {'B': b, 'C': np.swapaxes(b[::-1], 1, 2)}
  return jax.tree.map(np.float32, {'params': parameters})


@pytest.mark.parametrize(('name', 'damped'), ALL)
def test_layer_is_the_simulated_oscillator_and_so_is_its_gradient(name, damped):
  """The gradient along one random direction of all parameters and inputs together."""
  u = np.random.default_rng(1).normal(size=(20, 3))
  point = (parameters_inside(2, 4, 3, damped), u)
  module = layer(4, discretisation=name, damped=damped, algorithm='sequential')

  def run(parameters, u):
    y = module.apply({'params': parameters}, u[None])[0]
    return jnp.sum(y**2), y

  with jax.enable_x64(True):
    function = jax.jit(jax.grad(run, argnums=(0, 1), has_aux=True))
    gradient, y = jax.device_get(function(*point))
  assert_close([y], [simulated(name, *point)], 1e-10)
  rng = np.random.default_rng(3)
  direction = jax.tree.map(lambda a: rng.normal(size=a.shape), point)
  moved = [jax.tree.map(lambda a, v, s=s: a + s * v, point, direction) for s in (1e-6, -1e-6)]
  above, below = (np.sum(simulated(name, *arrays) ** 2) for arrays in moved)
  slope = jax.tree.reduce(
    lambda total, one: total + one, jax.tree.map(np.vdot, gradient, direction), 0
  )
  np.testing.assert_allclose(slope, (above - below) / 2e-6, rtol=1e-6)


@functools.cache
def output_and_gradients(module):
  """(variables, u) -> [output, gradients of its mean square by both]."""

  def both(variables, u):
    y, pull_back = jax.vjp(module.apply, variables, u)
    return jax.tree.leaves((y, pull_back(2 / y.size * y)))

  return jax.jit(both)


def assert_float32_layer_is_the_float64_one(module, variables, u, tolerance):
  run = output_and_gradients(module)
  single = jax.device_get(run(variables, u))
  with jax.enable_x64(True):
    exact = jax.device_get(run(*doubled((variables, u))))
  assert {value.dtype for value in single} == {np.dtype('float32')}
  assert_close(single, exact, tolerance)


@pytest.mark.parametrize('gap', [1e-3, 1e-2, 0.1])
@pytest.mark.parametrize('end', [0.0, np.pi])
def test_float32_layer_keeps_poles_near_both_ends(end, gap):
  """From float32 parameters, where h^2 A of float32 alone would leave 1e-3 / gap^2 at pi."""
  rng, h = np.random.default_rng(0), np.array([0.3, 0.5, 0.8])
  with jax.enable_x64(True):
    A, G = SCHEMES['imex'].from_pole(np.float64(0.9995), np.abs(end - gap), h)
  parameters = {
    'dynamics': {'A': np.array(A), 'G': np.array(G), 'steps': np.log(h / (1 - h))},
    'B': rng.normal(size=(6, 4)),
    'C': rng.normal(size=(4, 6)),
    'D': np.ones(4),
  }
  single = jax.tree.map(np.float32, {'params': parameters})
  u = rng.standard_normal((1, 2048, 4), np.float32)
  assert_float32_layer_is_the_float64_one(layer(3, algorithm='fused'), single, u, 3e-5)


def test_float32_layer_of_the_ring_is_the_float64_one():
  """The size and the pole within 0.01 of pi at which float32 coefficients gave 1e-3 and 3e-3."""
  u = np.random.default_rng(0).standard_normal((1, 1024, 128), np.float32)
  module = layer(128, algorithm='fused')
  variables = jax.jit(module.init)(jax.random.key(0), u[:, :1])
  assert_float32_layer_is_the_float64_one(module, variables, u, 2e-5)


LONG = ('imex2', 'imex3')  # between 'ex' and 'im', and 'imex' has the test above


@pytest.mark.parametrize(
  'name', ['im', 'ex', *(pytest.param(name, marks=pytest.mark.slow) for name in LONG)]
)
def test_float32_layer_of_every_ring_is_the_float64_one(name):
  u = np.random.default_rng(0).standard_normal((1, 1024, 6), np.float32)
  variables = variables_inside(60, 6)
  ring = discretisation.ring(jax.random.key(0), 60, name, True, 0.9, 1.0, np.pi)
  variables['params']['dynamics'] = jax.device_get(ring)
  module = layer(60, discretisation=name, algorithm='sequential')
  assert_float32_layer_is_the_float64_one(module, variables, u, 2e-5)


def test_second_derivatives_pass_through_the_float64_coefficients():
  u, module = tokens(1, 9, 3), layer(4, algorithm='sequential')
  variables = variables_inside(4, 3)

  @jax.jit
  def curvature(dynamics, variables, u):
    parts = lambda d: {'params': variables['params'] | {'dynamics': d}}
    loss = lambda d: jnp.sum(module.apply(parts(d), u) ** 4)
    norm = lambda d: sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(jax.grad(loss)(d)))
    return jax.tree.leaves(jax.grad(norm)(dynamics))

  arguments = (variables['params']['dynamics'], variables, u)
  single = jax.device_get(curvature(*arguments))
  with jax.enable_x64(True):
    exact = jax.device_get(curvature(*doubled(arguments)))
  assert_close(single, exact, 1e-4)


def test_forward_mode_is_refused():
  u, module, variables = tokens(1, 3, 2), layer(2, algorithm='sequential'), variables_inside(2, 2)
  apply = lambda v: module.apply(v, u)
  with pytest.raises(TypeError, match='to a custom_vjp function'):
    jax.jit(lambda v: jax.jvp(apply, (v,), (v,))).lower(variables)


def test_vmap_over_the_parameters_of_a_jitted_layer_is_a_loop():
  u, module = tokens(1, 9, 3), layer(4, algorithm='sequential')
  both = [variables_inside(4, 3), jax.tree.map(lambda a: 0.9 * a, variables_inside(4, 3))]
  gradient = jax.jit(jax.grad(lambda v: jnp.sum(module.apply(v, u) ** 2)))
  together = jax.device_get(jax.vmap(gradient)(jax.tree.map(lambda *a: np.stack(a), *both)))
  for i, one in enumerate(both):
    alone = jax.tree.leaves(jax.device_get(gradient(one)))
    assert_close([leaf[i] for leaf in jax.tree.leaves(together)], alone, 1e-5)


def test_gradients_are_finite_at_critical_damping_and_its_limits():
  """The projection clamps A exactly onto the double pole, at theta = 0 and at pi."""
  u, (A, G) = tokens(1, 20, 3), np.meshgrid([0.0, 1e9], [0.0, 1e-12, 1.0, 1e6])
  module, variables = layer(A.size, input_norm=True, algorithm='fused'), variables_inside(A.size, 3)
  variables['params']['dynamics'] |= {'A': np.float32(A.ravel()), 'G': np.float32(G.ravel())}
  assert all(np.isfinite(leaf).all() for leaf in output_and_gradients(module)(variables, u))


@pytest.mark.parametrize('name', [pytest.param('imex3', marks=pytest.mark.slow), 'ex'])
def test_every_parameter_learns_with_every_option(name):
  options = {'region': 'stable', 'initialisation': 'uniform', 'input_norm': True, 'heads': 2}
  module = layer(6, discretisation=name, algorithm='sequential', **options)

  @jax.jit
  def gradient(key, u):
    loss = lambda v: jnp.mean(module.apply(v, u) ** 3)
    return jax.grad(loss)(module.init(key, u))

  for path, leaf in jax.tree.leaves_with_path(gradient(jax.random.key(0), tokens())):
    assert np.isfinite(leaf).all(), path
    assert np.any(leaf), path


def head(parameters, i, heads):
  """The parameters of head i as those of a layer of its own."""
  part = lambda a: np.split(np.asarray(a), heads)[i]
  dynamics = jax.tree.map(part, parameters['dynamics'])
  own = {'B': parameters['B'][i], 'C': parameters['C'][i], 'D': part(parameters['D'])}
  return {'params': {'dynamics': dynamics} | own}


def test_heads_are_layers_side_by_side():
  """Outputs and all gradients, also through the adjoint that the fused filter brings along."""
  u, fields = tokens(), {'discretisation': 'imex2', 'algorithm': 'fused'}
  together, alone = layer(9, heads=3, **fields), layer(3, **fields)
  variables = variables_inside(9, 6, heads=3)
  shapes = jax.eval_shape(together.init, jax.random.key(0), u)
  assert jax.tree.map(jnp.shape, shapes) == jax.tree.map(jnp.shape, variables)

  def run(module, variables, u):
    return jnp.sum(module.apply(variables, u) ** 2), module.apply(variables, u)

  both = lambda m: jax.jit(jax.grad(functools.partial(run, m), argnums=(0, 1), has_aux=True))
  (gradient, to_u), y = jax.device_get(both(together)(variables, u))
  one, parameters = both(alone), variables['params']
  for i in range(3):
    columns = slice(2 * i, 2 * i + 2)
    (expected, expected_to_u), expected_y = one(head(parameters, i, 3), u[..., columns])
    values = (head(gradient['params'], i, 3), to_u[..., columns], y[..., columns])
    exact = (expected, expected_to_u, expected_y)
    assert_close(*(jax.tree.leaves(tree) for tree in (values, exact)), 2e-5)


@pytest.mark.parametrize(
  ('fields', 'reverse'),
  [
    *(({'discretisation': name}, False) for name in SCHEMES),
    ({'discretisation': 'ex', 'heads': 2}, True),
  ],
)
def test_tokens_one_by_one_and_in_chunks_are_the_whole_layer(fields, reverse):
  u, module = tokens(), layer(6, reverse=reverse, algorithm='sequential', **fields)
  variables = variables_inside(6, 6, fields.get('heads', 1))

  @jax.jit
  def both(variables, u):
    advance = lambda state, u: module.apply(variables, state, u, method='advance')
    rest = jax.tree.map(jnp.zeros_like, advance(None, u[:, :1])[0])
    _, y = jax.lax.scan(advance, rest, jnp.swapaxes(u, 0, 1)[:, :, None], reverse=reverse)
    first, second = (u[:, 9:], u[:, :9]) if reverse else (u[:, :9], u[:, 9:])
    state, one = advance(None, first)
    chunks = [one, advance(state, second)[1]]
    chunked = jnp.concatenate(chunks[::-1] if reverse else chunks, axis=1)
    return jnp.swapaxes(y[:, :, 0], 0, 1), chunked, module.apply(variables, u)

  streamed, chunked, whole = both(variables, u)
  np.testing.assert_allclose(streamed, whole, atol=2e-5)
  np.testing.assert_allclose(chunked, whole, atol=2e-5)
  narrow = jax.eval_shape(both, variables, jax.ShapeDtypeStruct(u.shape, jnp.bfloat16))
  assert {y.dtype for y in narrow} == {jnp.dtype('bfloat16')}


@pytest.mark.parametrize(('name', 'reverse'), [('imex', False), ('ex', True)])
def test_state_space_is_the_layer_as_one_filter(name, reverse):
  u, fields = tokens(), {'discretisation': name, 'heads': 3, 'algorithm': 'sequential'}
  module, variables = layer(6, reverse=reverse, **fields), variables_inside(6, 6, heads=3)
  y = np.asarray(jax.jit(module.apply)(variables, u))
  read = jax.jit(lambda v: module.apply(v, 6, method='state_space')._replace(delay=None))
  found = doubled(read(variables))
  g_Q, c_Q = np.tile(found.g_P, 2), np.tile(found.c_P, 2)
  zeta = x = np.zeros((2, 12))
  rows, delay = [], SCHEMES[name].delay
  for u_BxD in np.swapaxes(u[:, ::-1] if reverse else u, 0, 1):
    late = x
    zeta = zeta - (g_Q * zeta + c_Q * x) + u_BxD @ found.b_QxD.T
    x = x + zeta
    rows.append((late if delay else x) @ found.c_out_DxQ.T + found.d_D * u_BxD)
  expected = np.swapaxes(rows[::-1] if reverse else rows, 0, 1)
  np.testing.assert_allclose(y, expected, atol=2e-5)
  assert module.apply(variables, 6, method='state_space').delay == delay
  np.testing.assert_allclose(4 - 2 * found.g_P - found.c_P, found.e_P, atol=1e-6)


def test_input_norm_replaces_the_scale_of_the_input():
  module, variables = layer(6, input_norm=True), variables_inside(6, 6)
  found = jax.jit(lambda v: module.apply(v, 6, method='state_space')._replace(delay=None))(
    variables
  )
  factor = discretisation.unit_variance(*doubled((found.g_P, found.c_P, found.e_P)))
  expected = np.tile(factor, 2)[:, None] * variables['params']['B']
  np.testing.assert_allclose(found.b_QxD, expected, rtol=1e-5)


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
  x = tokens()
  x[:, 14:] = 0
  apply, variables = backbone(bidirectional=False)
  assert 'backward' not in variables['params']['block_0']
  y, later = (np.asarray(apply(variables, a)) for a in (x, np.roll(x, 9, axis=1)))
  np.testing.assert_allclose(later[:, 9:], y[:, :-9], atol=1e-5)
  x[:, 12:] += 1
  changed = np.asarray(apply(variables, x))
  np.testing.assert_allclose(changed[:, :12], y[:, :12], atol=1e-6)
  assert np.abs(changed[:, 12:] - y[:, 12:]).max() > 0.1


def test_both_directions_see_the_whole_sequence():
  x = tokens()
  apply, variables = backbone()
  y = np.asarray(apply(variables, x))
  x[:, 11] += 1
  assert (np.abs(apply(variables, x) - y).max(axis=(0, 2)) > 1e-6).all()


def test_bfloat16_activations_and_float32_parameters():
  x = tokens()
  apply, variables = backbone()
  y = apply(variables, x.astype(jnp.bfloat16))
  assert y.dtype == jnp.bfloat16
  assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype('float32')}
  exact = np.asarray(apply(variables, np.float32(x.astype(jnp.bfloat16))))
  assert np.abs(np.float32(y) - exact).max() < 0.03 * np.abs(exact).max()


@pytest.mark.parametrize(
  ('changes', 'sentence'),
  [
    ({'discretisation': 'rk4'}, "unknown LinOSS discretisation 'rk4': expected one of im, imex, "),
    ({'algorithm': 'rk4'}, "unknown scan algorithm 'rk4': expected one of"),
    ({'state': 0}, 'LinOSS state is 0, expected at least 1 oscillator'),
    ({'heads': 0}, 'LinOSS heads is 0, expected a divisor of the width 6 and of the state 8'),
    ({'heads': 4}, 'LinOSS heads is 4, expected a divisor of the width 6 and of the state 8'),
    ({'heads': 3}, 'LinOSS heads is 3, expected a divisor of the width 6 and of the state 8'),
    ({'r_max': 1.5}, 'r_min = 0.9 and r_max = 1.5, expected 0 < r_min <= r_max <= 1'),
  ],
)
def test_settings_out_of_range_are_refused(changes, sentence):
  with pytest.raises(ValueError, match=sentence):
    backbone(**{'state': 8, **changes})
