"""A sequence split over eight devices is the whole sequence, forward and backward."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.sharding import AxisType
from jax.sharding import PartitionSpec as P

from spectra_jax.backbones.linoss import Backbone
from spectra_jax.dropout import example_keys
from spectra_jax.scan import oscillator_ssm
from spectra_jax.scan.sharded import (
  advance_sharded,
  all_tokens,
  own_tokens,
  sharded_oscillator_ssm,
)
from tests.parameters import draw
from tests.test_scan_algorithms import arguments, assert_close, loop, side_by_side


def mesh(data, seq):
  devices = jax.devices()[: data * seq]
  return jax.make_mesh((data, seq), ('data', 'seq'), (AxisType.Auto,) * 2, devices=devices)


def test_tokens_over_devices_equal_the_whole_sequence_with_all_gradients():
  """Five tokens a device, an odd power of the sign, in chunks that do not divide them."""
  _, *arrays = arguments(0, 2, 20)
  split = functools.partial(sharded_oscillator_ssm, mesh(2, 4), algorithm='chunked', chunk=3)
  whole = functools.partial(oscillator_ssm, algorithm='sequential')

  @functools.partial(jax.jit, static_argnums=0)
  def output_and_gradients(run, *arrays):
    y_BxLxD, pull_back = jax.vjp(functools.partial(run, reverse=True), *arrays)
    return y_BxLxD, pull_back(jnp.cos(y_BxLxD))

  with jax.enable_x64(True):
    both = [output_and_gradients(run, *arrays) for run in (split, whole)]
    assert_close(*jax.device_get(both), 1e-10)


@pytest.mark.parametrize(('algorithm', 'reverse'), [('fused', False), ('sequential', True)])
def test_a_start_state_enters_and_the_last_state_is_on_every_device(algorithm, reverse):
  state, *parameters, u = arguments(1, 2, 24)
  options = {'axis_name': 'seq', 'algorithm': algorithm, 'reverse': reverse}

  def local(*arrays):
    end, y_BxLxD = advance_sharded(*arrays, **options)
    return jax.tree.map(lambda a: a[None], end), y_BxLxD

  specs, per_device = (*(P(),) * 6, P(None, 'seq')), (P('seq'), P(None, 'seq'))
  mapped = jax.shard_map(
    local, mesh=mesh(1, 8), in_specs=specs, out_specs=per_device, check_vma=False
  )
  end, y_BxLxD = loop(state, *parameters, u, reverse)
  with jax.enable_x64(True):
    ends, y = jax.device_get(jax.jit(mapped)(state, *parameters, u))
  assert_close(y, y_BxLxD, 1e-10)
  assert_close(ends, tuple(np.stack([a] * 8) for a in end), 1e-10)


def test_float32_keeps_every_pole_over_2048_tokens_on_eight_devices():
  (g, c, e, *rest), exact_LxP = side_by_side(2048)
  run = functools.partial(sharded_oscillator_ssm, mesh(1, 8), algorithm='chunked')
  x_LxP = np.asarray(jax.jit(lambda *a: run(*a, e_P=e))(g, c, *rest))[0]
  error_P = np.abs(x_LxP - exact_LxP).max(0) / np.abs(exact_LxP).max(0)
  assert error_P.max() < 1e-4


def test_devices_exchange_states_and_nothing_of_the_length_of_the_sequence():
  """One all-gather of 2 x 4 oscillators x 2 x B numbers a device, and no other collective."""
  _, *arrays = arguments(0, 2, 800)
  text = jax.jit(functools.partial(sharded_oscillator_ssm, mesh(1, 8))).lower(*arrays).as_text()
  collectives = [line for line in text.splitlines() if 'stablehlo.' in line and 'replica_g' in line]
  assert len(collectives) == 1
  assert 'tensor<2x4x2x2x1xf32>) -> tensor<2x4x2x2x8xf32>' in collectives[0]


def backbone(**fields):
  return Backbone(**{'blocks': 2, 'state': 4, 'dropout': 0.5, **fields})


@pytest.mark.parametrize(
  'fields',
  [
    pytest.param({}, id='damped', marks=pytest.mark.slow),
    pytest.param(
      {'discretisation': 'ex', 'heads': 2, 'blocks': 1}, id='late, heads', marks=pytest.mark.slow
    ),
  ],
)
def test_a_backbone_of_split_tokens_is_the_whole_one_with_all_gradients(fields):
  """Both directions with dropout; gradients of parameters are summed over the axis.

  The late scheme needs the last token of the device before, or of the one behind in reverse.
  """
  x_BxLxD = np.float32(np.random.default_rng(0).normal(size=(2, 24, 4)))

  def gradients(sequence_axis, variables, keys, x_BxLxD):
    model = backbone(sequence_axis=sequence_axis, **fields)
    run = lambda v, x: model.apply({**v, **example_keys(keys)}, x, None, None, True)
    y_BxLxD, pull_back = jax.vjp(run, variables, x_BxLxD)
    return y_BxLxD, *pull_back(jnp.cos(y_BxLxD))

  def local(*arrays):
    y_BxLxD, to_variables, to_x_BxLxD = gradients('seq', *arrays)
    return y_BxLxD, lax.psum(to_variables, 'seq'), to_x_BxLxD

  tokens = P(None, 'seq')
  mapped = jax.shard_map(
    local,
    mesh=mesh(1, 8),
    in_specs=(P(), P(), tokens),
    out_specs=(tokens, P(), tokens),
    check_vma=False,
  )
  initialise = lambda key, x: backbone(sequence_axis='seq', **fields).init(
    key, x, None, None, False
  )
  arrays = (draw(initialise, x_BxLxD), jax.random.split(jax.random.key(1), 2), x_BxLxD)
  whole = jax.device_get(jax.jit(functools.partial(gradients, ''))(*arrays))
  split = jax.device_get(jax.jit(mapped)(*arrays))
  assert all(np.abs(leaf).max() > 1e-3 for leaf in jax.tree.leaves(whole))
  assert np.abs(split[0] - x_BxLxD).max() > 0.1
  assert_close(split, whole, 2e-5)


def test_tokens_that_no_device_count_divides_are_filled_up_exactly():
  """22 tokens on 4 devices: six each, of which the last device has four and two that fill up.

  What fills up must stay at rest through norms with a bias, both directions, the late scheme and
  what the block before left there; every device has the whole loss and the mean is its gradient.
  """
  fields = {'discretisation': 'ex', 'heads': 2, 'normalisation': 'layer'}
  x_BxLxD = np.float32(np.random.default_rng(0).normal(size=(2, 22, 4)))
  exists_BxL = np.ones((2, 22), bool)

  def loss(sequence_axis, variables, x_BxLxD):
    model = backbone(sequence_axis=sequence_axis, **fields)
    own = functools.partial(own_tokens, axis_name='seq') if sequence_axis else lambda x: x
    y_BxLxD = model.apply(variables, own(x_BxLxD), None, own(exists_BxL), False)
    y_BxLxD = all_tokens(y_BxLxD, 'seq', 22) if sequence_axis else y_BxLxD
    return jnp.sum(jnp.sin(y_BxLxD)), y_BxLxD

  def gradients(sequence_axis, *arrays):
    run = functools.partial(loss, sequence_axis)
    return jax.grad(run, argnums=(0, 1), has_aux=True)(*arrays)

  mapped = jax.shard_map(
    lambda *arrays: lax.pmean(gradients('seq', *arrays), 'seq'),
    mesh=mesh(1, 4),
    in_specs=P(),
    out_specs=P(),
    check_vma=False,
  )
  initialise = lambda key, x: backbone(**fields).init(key, x, None, None, False)
  arrays = (draw(initialise, x_BxLxD), x_BxLxD)
  whole = jax.device_get(jax.jit(functools.partial(gradients, ''))(*arrays))
  split = jax.device_get(jax.jit(mapped)(*arrays))
  assert all(np.abs(leaf).max() > 1e-3 for leaf in jax.tree.leaves(whole))
  assert_close(split, whole, 2e-5)


def test_a_backbone_refuses_tokens_that_it_cannot_split():
  x_BxLxD, state = jnp.zeros((2, 16, 4)), (jnp.zeros((2, 8)),) * 2

  def advance(sequence_axis, state):
    layer = backbone(sequence_axis=sequence_axis).layer()(reverse=False)
    variables = jax.eval_shape(layer.init, jax.random.key(0), x_BxLxD)
    jax.eval_shape(lambda v: layer.apply(v, state, x_BxLxD, method='advance'), variables)

  with pytest.raises(ValueError, match=r"sequence_axis is 'seq', expected an axis of the mesh"):
    advance('seq', None)
  with pytest.raises(ValueError, match=r"sequence_axis is 'data', along which examples are split"):
    advance('data', None)
  with pytest.raises(ValueError, match=r"'seq' and a state is given, expected whole sequences"):
    advance('seq', state)


@pytest.mark.parametrize(('batch', 'length', 'what'), [(2, 21, 'length 21'), (3, 20, 'batch 3')])
def test_sizes_that_do_not_split_are_refused(batch, length, what):
  _, *arrays = arguments(0, batch, length)
  with pytest.raises(ValueError, match=f'u_BxLxD has {what}: expected a multiple of'):
    sharded_oscillator_ssm(mesh(2, 4), *arrays)


def test_a_mesh_without_the_axis_is_refused():
  _, *arrays = arguments(0, 2, 8)
  other = jax.make_mesh((2,), ('data',), (AxisType.Auto,), devices=jax.devices()[:2])
  with pytest.raises(ValueError, match=r"mesh has the axes .*: expected 'data' and 'seq'"):
    sharded_oscillator_ssm(other, *arrays)
