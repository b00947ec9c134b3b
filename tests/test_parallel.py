"""The same step on any number of devices, checked against the closed form of one SGD update."""

import functools
import os
import socket

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from spectra_jax import distributed, parallel, placement
from spectra_jax.scan.sharded import all_tokens, own_tokens
from tests import processes

LR = 0.1


def linear_loss(params, batch, step):
  error = batch['x'] @ params['w'] - batch['y']
  return jnp.mean(error**2), {'mae': jnp.mean(jnp.abs(error))}


def shared_loss(params, batch, step):
  """`linear_loss`, half of it whole on each device of 'seq' and half of it shared out to them."""
  products = own_tokens(batch['x'], 'seq') * own_tokens(params['w'][None], 'seq')
  together = all_tokens(products, 'seq', 6).sum(-1)
  error = 0.5 * (batch['x'] @ params['w']) + 0.5 * together - batch['y']
  return jnp.mean(error**2), {'mae': jnp.mean(jnp.abs(error))}


def noisy_loss(params, batch, step):
  """A small network with per-example noise that depends on seed, step and global row only."""
  key = jax.random.fold_in(jax.random.key(0), step)
  noise = jax.vmap(lambda row: jax.random.normal(jax.random.fold_in(key, row), (6,)))(batch['row'])
  hidden = jnp.tanh((batch['x'] + 0.1 * noise) @ params['v'])
  loss = jnp.mean((hidden @ params['w'] - batch['y']) ** 2)
  return loss, {'hidden': jnp.mean(hidden)}


def problem(size=32):
  rng = np.random.default_rng(0)
  draw = lambda *shape: rng.normal(size=shape).astype(np.float32)
  return {'x': draw(size, 6), 'y': draw(size), 'row': np.arange(size)}


def closed_form(batch, w):
  """w - LR dL/dw of L = mean (x w - y)^2, in float64."""
  x, y, w = (np.asarray(a, np.float64) for a in (batch['x'], batch['y'], w))
  gradient = 2.0 / len(y) * x.T @ (x @ w - y)
  return w - LR * gradient, gradient


def parameters():
  rng = np.random.default_rng(1)
  params = {'v': 0.4 * rng.normal(size=(6, 6)), 'w': 0.4 * rng.normal(size=6)}
  return {name: x.astype(np.float32) for name, x in params.items()}


@functools.cache
def run(
  devices,
  map_name='shard_map',
  accumulate=1,
  steps=1,
  loss_fn=noisy_loss,
  clip=0.5,
  fsdp=1,
  seq=1,
):
  mesh = placement.make_mesh(devices, fsdp, seq)
  optimizer = optax.chain(optax.clip_by_global_norm(clip), optax.sgd(LR))
  state = parallel.init_state(parameters(), optimizer, 0.9, mesh)
  step_fn = parallel.make_step(loss_fn, optimizer, 0.9, mesh, map_name, accumulate)
  for _ in range(steps):
    state, metrics = step_fn(state, placement.shard_batch(problem(), mesh))
  return placement.to_host(state), placement.to_host(metrics)


# map, devices, fsdp, accumulate
SHAPES = [(name, *sizes) for name in parallel.MAPS for sizes in ((1, 1, 1), (8, 1, 1), (2, 1, 4))]
SPLIT = [('shard_map', 8, 2, 1), ('shard_map', 8, 2, 2), ('shard_map', 2, 2, 1)]


@pytest.mark.parametrize(('map_name', 'devices', 'fsdp', 'accumulate'), SHAPES + SPLIT)
def test_one_sgd_step_is_the_closed_form(map_name, devices, fsdp, accumulate):
  state, metrics = run(devices, map_name, accumulate, loss_fn=linear_loss, clip=np.inf, fsdp=fsdp)
  check_closed_form(state, metrics)


@pytest.mark.parametrize(
  ('devices', 'fsdp', 'seq', 'accumulate'), [(2, 1, 2, 1), (8, 2, 2, 2), (8, 1, 4, 1)]
)
def test_what_devices_share_out_counts_once_as_does_what_all_do(devices, fsdp, seq, accumulate):
  """Of six products four devices have two each, and the last one none."""
  options = {'loss_fn': shared_loss, 'clip': np.inf, 'fsdp': fsdp, 'seq': seq}
  check_closed_form(*run(devices, accumulate=accumulate, **options))


def check_closed_form(state, metrics):
  start = parameters()['w']
  expected, gradient = closed_form(problem(), start)
  np.testing.assert_allclose(state.params['w'], expected, atol=1e-6)
  np.testing.assert_allclose(metrics['grad_norm'], np.linalg.norm(gradient), rtol=1e-6)
  # A gradient twice too large, let alone N times, would be 10,000 tolerances away.
  assert np.abs(LR * gradient).max() > 1e-2
  assert state.step == 1
  np.testing.assert_allclose(state.ema['w'], 0.9 * start + 0.1 * state.params['w'], atol=1e-6)


def test_an_unreduced_or_summed_gradient_would_be_noticed():
  """The trap itself: with check_vma=True the gradient arrives summed and pmean keeps it so."""
  mesh = placement.make_mesh(8)
  local = lambda w, batch: jax.lax.pmean(
    jax.grad(lambda w: linear_loss({'w': w}, batch, 0)[0])(w), 'data'
  )
  spec = jax.sharding.PartitionSpec
  trapped = jax.shard_map(
    local, mesh=mesh, in_specs=(spec(), spec('data')), out_specs=spec(), check_vma=True
  )
  batch, w = problem(), jnp.zeros(6)
  _, gradient = closed_form(batch, w)
  wrong = np.asarray(jax.jit(trapped)(w, placement.shard_batch(batch, mesh)))
  grads, _ = parallel.loss_and_grad(linear_loss, mesh)({'w': w}, batch, 0)
  np.testing.assert_allclose(grads['w'], gradient, atol=1e-6)
  np.testing.assert_allclose(wrong, 8 * gradient, rtol=1e-5)


@pytest.mark.parametrize('accumulate', [1, 2])
def test_any_mesh_takes_the_same_steps(accumulate):
  one, metrics_one = run(1, accumulate=accumulate, steps=5)
  for devices, fsdp in ((2, 1), (8, 1), (8, 2)):
    many, metrics = run(devices, accumulate=accumulate, steps=5, fsdp=fsdp)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7), one, many)
    for name in metrics:
      np.testing.assert_allclose(metrics[name], metrics_one[name], rtol=1e-5)


@pytest.mark.parametrize('accumulate', [1, 2])
@pytest.mark.parametrize('devices', [1, 8])
def test_pmap_is_shard_map_bit_for_bit(devices, accumulate):
  results = [run(devices, name, accumulate, steps=5) for name in parallel.MAPS]
  jax.tree.map(np.testing.assert_array_equal, *results)


@pytest.mark.parametrize('fsdp', [1, 2])
def test_the_second_step_does_not_compile_again(fsdp):
  mesh = placement.make_mesh(8, fsdp)
  optimizer = optax.adam(LR)
  start = parallel.init_state({'w': np.zeros(6, np.float32)}, optimizer, 0.0, mesh)
  step_fn = parallel.make_step(linear_loss, optimizer, 0.0, mesh)
  placed, state = jax.tree.map(lambda x: x.sharding, start), start
  for _ in range(3):
    state, _ = step_fn(state, placement.shard_batch(problem(), mesh))
  assert step_fn._cache_size() == 1
  assert state.ema is None
  same = jax.tree.map(lambda x, there: x.sharding.is_equivalent_to(there, x.ndim), state, placed)
  assert all(jax.tree.leaves(same))


def test_the_largest_dimension_that_fits_is_split():
  """Of parameters, moments and average alike: a device holds a quarter of what can be split."""
  params = {'a': (4, 12, 12), 'b': (8, 3), 'c': (3,), 'd': ()}
  state = parallel.init_state(
    {name: np.ones(shape, np.float32) for name, shape in params.items()},
    optax.adam(LR),
    0.9,
    placement.make_mesh(8, 4),
  )
  pieces = {'a': (4, 3, 12), 'b': (2, 3), 'c': (3,), 'd': ()}
  adam = state.opt_state[0]
  for tree in (state.params, state.ema, adam.mu, adam.nu):
    assert {name: x.addressable_data(0).shape for name, x in tree.items()} == pieces
  assert state.step.sharding.is_fully_replicated


def test_only_pieces_of_the_gradient_leave_the_map():
  """A gather of each split parameter and a scatter of its gradient, and no whole one is reduced."""
  mesh = placement.make_mesh(8, 2)
  grad = parallel.loss_and_grad(linear_loss, mesh)
  text = jax.jit(grad).lower({'w': np.zeros(6, np.float32)}, problem(), 0).as_text()
  assert (text.count('stablehlo.all_gather'), text.count('stablehlo.reduce_scatter')) == (1, 1)
  gradient, _ = grad({'w': np.zeros(6, np.float32)}, problem(), 0)
  assert gradient['w'].addressable_data(0).shape == (3,)


def test_gradient_norm_is_that_before_clipping():
  _, clipped = run(8)
  _, free = run(8, clip=np.inf)
  assert free['grad_norm'] > 0.5  # the clip norm
  np.testing.assert_array_equal(clipped['grad_norm'], free['grad_norm'])


@pytest.mark.parametrize('where', [0, 31])
def test_one_nan_anywhere_clears_the_finite_flag(where):
  def loss_fn(params, batch, step):
    loss, metrics = linear_loss(params, batch, step)
    return loss + jnp.sum(jnp.where(batch['row'] == where, jnp.nan, 0.0)), metrics

  assert run(8)[1]['finite']
  assert not run(8, loss_fn=loss_fn)[1]['finite']


def test_per_example_outputs_keep_their_rows():
  mesh, batch = placement.make_mesh(8), problem(24)
  forward = parallel.per_example(lambda w, b: {'y': b['x'] @ w, 'row': b['row']}, mesh)
  w = np.arange(6, dtype=np.float32)
  outputs = forward(w, placement.shard_batch(batch, mesh))
  assert len(outputs['y'].sharding.device_set) == 8
  outputs = placement.to_host(outputs)
  np.testing.assert_array_equal(outputs['row'], batch['row'])
  np.testing.assert_allclose(outputs['y'], batch['x'] @ w, rtol=1e-5, atol=1e-6)


def test_shards_hold_consecutive_rows():
  batch = placement.shard_batch(problem(), placement.make_mesh(8))
  shards = [np.asarray(s.data) for s in batch['row'].addressable_shards]
  np.testing.assert_array_equal(np.concatenate(shards), np.arange(32))
  assert {len(s) for s in shards} == {4}


@pytest.mark.parametrize(
  ('call', 'sentence'),
  [
    (lambda: placement.make_mesh(9), 'devices is 9; expected 0'),
    (lambda: placement.make_mesh(-1), 'devices is -1; expected 0'),
    (
      lambda: placement.check_batch(12, 1, placement.make_mesh(8)),
      'batch_size is 12; .* multiple of',
    ),
    (lambda: placement.check_batch(32, 8, placement.make_mesh(8)), 'of 64, which is 8 devices'),
    (lambda: placement.check_batch(0, 1, placement.make_mesh(1)), 'batch_size is 0'),
    (lambda: placement.check_batch(8, 0, placement.make_mesh(1)), 'accumulate is 0'),
    (lambda: parallel.check_map('vmap', placement.make_mesh()), "map is 'vmap'; expected one of"),
    (lambda: placement.make_mesh(8, 3), 'fsdp is 3; expected a divisor of 8'),
    (lambda: placement.make_mesh(8, 0), 'fsdp is 0; expected a divisor of 8'),
    (lambda: placement.make_mesh(8, 2, 3), 'seq is 3; expected a divisor of 4'),
    (lambda: placement.make_mesh(8, 1, 0), 'seq is 0; expected a divisor of 8'),
    (
      lambda: placement.check_batch(6, 1, placement.make_mesh(8, 1, 2)),
      'of 4, which is 4 groups of 2 devices',
    ),
    (
      lambda: parallel.check_map('pmap', placement.make_mesh(8, 2)),
      "'pmap' with parallel.fsdp = 2; expected fsdp = 1",
    ),
    (
      lambda: parallel.check_map('pmap', placement.make_mesh(8, 1, 2)),
      "'pmap' with parallel.seq = 2; expected seq = 1, since pmap has a whole example",
    ),
    (lambda: distributed.initialize('localhost:1', 2), 'process_id=None is half an address'),
    (
      lambda: distributed.initialize('localhost:1', 2, 0, False),
      'False with coordinator=localhost',
    ),
  ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(call, sentence):
  with pytest.raises(ValueError, match=sentence):
    call()


SINGLE = """
import time, jax
from spectra_jax import distributed
distributed.use_cpu_cores(6)
try:
  distributed.initialize(distributed=True)
except ValueError as error:
  print(error)
start = time.perf_counter()
distributed.initialize()
distributed.initialize()
print('seconds', time.perf_counter() - start, jax.process_count(), jax.device_count())
"""


@pytest.mark.parametrize('devices', [4, -1])
def test_initialize_is_cheap_and_can_be_called_twice(devices):
  """With a device count set that count, else as many cores as divide the batch of 6."""
  output = processes.finish(processes.start('-c', SINGLE, devices=devices))
  assert 'distributed is True but jax finds no other processes here' in output
  words = output.split()
  assert float(words[-3]) < 1.0
  cores = len(os.sched_getaffinity(0))
  divisors = [n for n in (1, 2, 3, 6) if n <= cores]
  assert words[-2:] == ['1', str(devices if devices > 0 else divisors[-1])]


def test_a_reserved_port_is_kept_from_everybody_but_a_coordinator():
  """Which listens with SO_REUSEPORT, as the other tests of `initialize` here show."""
  with (
    distributed.reserved_port() as port,
    socket.socket() as other,
    pytest.raises(OSError, match='in use'),
  ):
    other.bind(('127.0.0.1', port))
  with socket.socket() as other:
    other.bind(('127.0.0.1', port))


TWO = """
import sys
import jax, numpy as np
from spectra_jax import distributed, parallel, placement
from spectra_jax.checkpoint import Checkpoints
from tests import test_parallel as t

address, process, folder, command = sys.argv[1:]
if command == 'two':
  distributed.initialize(address, 2, int(process))
  assert jax.process_count() == 2 and jax.device_count() == 8 and jax.local_device_count() == 4
  mesh = placement.make_mesh()
  for wrong in (lambda: parallel.check_map('pmap', mesh), lambda: placement.make_mesh(4)):
    try:
      wrong()
    except ValueError as error:
      print('refused:', error)
  def fail():
    raise OSError('no space')
  try:
    distributed.on_first_process(fail, 'write')
  except (OSError, RuntimeError) as error:
    print('failed:', error)
  assert distributed.on_first_process(lambda: 7, 'count') == 7
  assert not distributed.all_agree(process == '0') and distributed.all_agree(True)
mesh = placement.make_mesh()
state, metrics = t.run(0, accumulate=2, steps=5)
batch = placement.shard_batch(t.problem(), mesh)
rows = parallel.per_example(lambda params, batch: batch['row'], mesh)(0.0, batch)
np.testing.assert_array_equal(placement.to_host(rows), np.arange(32))
store = Checkpoints(folder, 5, 2, 0, 'hidden', 'min')
if command == 'two':
  store.save(5, placement.shard_state(state, mesh), {'hidden': 1.0})
np.savez(f'{folder}-{command}-{process}.npz', *jax.tree.leaves((state, metrics)))
restored, step, _ = store.restore(placement.shard_state(jax.tree.map(np.zeros_like, state), mesh))
jax.tree.map(np.testing.assert_array_equal, placement.to_host(restored), state)
store.close()
"""


def test_two_processes_of_four_devices_are_one_of_eight(tmp_path):
  folder = str(tmp_path / 'checkpoints')
  with distributed.reserved_port() as port:
    words = ('-c', TWO, f'127.0.0.1:{port}')
    started = [processes.start(*words, str(i), folder, 'two', devices=4) for i in range(2)]
    first, second = (processes.finish(process) for process in started)
  for output in (first, second):
    assert "map is 'pmap' with 2 processes" in output
    assert 'devices is 4 with 2 processes' in output
  assert 'failed: no space' in first
  assert 'failed: process 0 could not write' in second

  load = lambda name: list(np.load(f'{folder}-{name}.npz').values())
  one = jax.tree.leaves(run(0, accumulate=2, steps=5))
  for ours, theirs, expected in zip(load('two-0'), load('two-1'), one, strict=True):
    np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-7)
