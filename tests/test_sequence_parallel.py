"""A sequence split over eight devices is the whole sequence, forward and backward."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.sharding import AxisType
from jax.sharding import PartitionSpec as P

from spectra_jax.blocks import Block
from spectra_jax.scan import advance_oscillators, oscillator_ssm
from spectra_jax.scan.sharded import advance_sharded, sharded_oscillator_ssm
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


class Layer(nn.Module):
  """Eight oscillators with fixed poles; `axis_name` splits its tokens over devices."""

  axis_name: str
  reverse: bool

  @nn.compact
  def advance(self, state, u_BxTxD):
    _, g_P, c_P, b_QxD, c_out_DxQ, d_D, _ = arguments(3, 1, 1, u_BxTxD.shape[-1], 8)
    uniform = lambda _, value: jnp.asarray(value, jnp.float32)
    b_QxD, c_out_DxQ = self.param('B', uniform, b_QxD), self.param('C', uniform, c_out_DxQ)
    arrays = (jnp.float32(g_P), jnp.float32(c_P), b_QxD, c_out_DxQ, jnp.float32(d_D), u_BxTxD)
    if self.axis_name:
      advance = functools.partial(advance_sharded, axis_name=self.axis_name)
    else:
      advance = advance_oscillators
    return advance(state, *arrays, reverse=self.reverse)


def test_a_bidirectional_block_equals_the_whole_sequence_with_its_gradients():
  """Norm, GELU and GLU act on each token alone; parameter gradients are summed over the axis."""
  block = lambda axis_name: Block(functools.partial(Layer, axis_name), True, 0.0, 'rms')
  x_BxLxD = np.float32(np.random.default_rng(0).normal(size=(2, 16, 4)))

  def outputs(axis_name, params, x_BxLxD):
    return block(axis_name).apply(params, None, x_BxLxD, False, method='advance')[1]

  def gradients(axis_name, params, x_BxLxD):
    y_BxLxD, pull_back = jax.vjp(functools.partial(outputs, axis_name), params, x_BxLxD)
    return y_BxLxD, *pull_back(jnp.cos(y_BxLxD))

  def local(params, x_BxLxD):
    y_BxLxD, to_params, to_x_BxLxD = gradients('seq', params, x_BxLxD)
    return y_BxLxD, lax.psum(to_params, 'seq'), to_x_BxLxD

  tokens = P(None, 'seq')
  mapped = jax.shard_map(
    local,
    mesh=mesh(1, 8),
    in_specs=(P(), tokens),
    out_specs=(tokens, P(), tokens),
    check_vma=False,
  )
  initialise = functools.partial(block('').init, method='advance')
  params = jax.jit(initialise, static_argnums=(1, 3))(jax.random.key(0), None, x_BxLxD, False)
  whole = jax.device_get(jax.jit(functools.partial(gradients, ''))(params, x_BxLxD))
  split = jax.device_get(jax.jit(mapped)(params, x_BxLxD))
  assert np.abs(split[0] - x_BxLxD).max() > 0.1
  assert_close(split, whole, 2e-5)


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
