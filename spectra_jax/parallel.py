"""One training step on 1 to N devices: processes, mesh, batches, and the mapped loss and gradient.

Only loss and gradient are mapped, over one named axis 'data'. Clipping, optimizer and moving
average run outside the map under jit, so sharding the state later needs no second code path.
"""

import os
import socket
from collections.abc import Callable
from typing import Any, TypeVar

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax
from jax.experimental import multihost_utils
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

AXIS = 'data'
MAPS = ('shard_map', 'pmap')
HEARTBEAT_SECONDS = 10  # a killed worker is noticed after about this long; the default is 100

Tree = Any
T = TypeVar('T')
LossFn = Callable[[Tree, Tree, jax.Array], tuple[jax.Array, dict[str, jax.Array]]]


class State(flax.struct.PyTreeNode):
  """All that a checkpoint holds: `step` counts completed updates; `ema` is None without one."""

  params: Tree
  ema: Tree
  opt_state: Tree
  step: jax.Array


# ---- processes --------------------------------------------------------------


def initialize(
  coordinator: str | None = None,
  num_processes: int | None = None,
  process_id: int | None = None,
) -> None:
  """Joins the distributed runtime, also for one process; call it before anything computes.

  The runtime is what turns SIGTERM into `Checkpoints.reached_preemption`; from then on SIGTERM no
  longer kills the process. Without arguments a Slurm step or TPU pod of several processes is
  detected, anything else is one process with a coordinator of its own. A second call does nothing.

  Args:
    coordinator: 'host:port' of process 0; with it, both other arguments are needed.
    num_processes: how many processes there are.
    process_id: which one this is, from 0.

  Raises:
    ValueError: some of the three arguments are given and others are not.
  """
  given = [value is not None for value in (coordinator, num_processes, process_id)]
  if any(given) and not all(given):
    raise ValueError(
      f'coordinator={coordinator}, num_processes={num_processes}, process_id={process_id} is half '
      'an address; give all three, or none on one machine and under Slurm'
    )
  if jax.distributed.is_initialized():
    return
  if all(given):
    jax.distributed.initialize(
      coordinator, num_processes, process_id, heartbeat_timeout_seconds=HEARTBEAT_SECONDS
    )
  elif _in_cluster():
    jax.distributed.initialize(heartbeat_timeout_seconds=HEARTBEAT_SECONDS)
  else:
    # Within one process the runtime would send collectives through TCP, 17 times slower a step.
    jax.config.update('jax_cpu_collectives_implementation', None)
    # Loopback only: nobody else has any business with the coordinator of a single process.
    address = f'127.0.0.1:{_free_port()}'
    jax.distributed.initialize(address, 1, 0, coordinator_bind_address=address)


def _in_cluster() -> bool:
  # A batch script outside srun has SLURM_NTASKS but no step, and is one process.
  slurm = 'SLURM_STEP_NODELIST' in os.environ and int(os.environ.get('SLURM_NTASKS', '1')) > 1
  return slurm or ',' in os.environ.get('TPU_WORKER_HOSTNAMES', '')


def _free_port() -> int:
  with socket.socket() as probe:
    probe.bind(('127.0.0.1', 0))
    return probe.getsockname()[1]


def on_first_process(action: Callable[[], int | None], what: str) -> int | None:
  """Runs `action` on process 0 and hands its integer (or None) to all processes.

  Raises:
    Exception: on process 0 whatever `action` raised.
    RuntimeError: on the others, at the same point, so that none waits for a process that left.
  """
  if jax.process_count() == 1:
    return action()
  error, code = None, np.zeros(2, np.int32)
  if jax.process_index() == 0:
    try:
      value = action()
      code = np.array([1, 0] if value is None else [2, value], np.int32)
    except Exception as e:
      error = e
  status, value = multihost_utils.broadcast_one_to_all(code)
  if error is not None:
    raise error
  if status == 0:
    raise RuntimeError(f'process 0 could not {what}; see its message')
  return int(value) if status == 2 else None


def all_agree(flag: bool) -> bool:
  """True when `flag` is true on every process."""
  if jax.process_count() == 1:
    return bool(flag)
  return bool(np.all(multihost_utils.process_allgather(np.array(flag, np.int32))))


def use_cpu_cores(batch_size: int) -> None:
  """Makes a CPU device of each core, as many as divide `batch_size`; call it before any backend.

  The filter of a recurrence runs on one core, so a batch split over devices trains faster than one
  device with all cores. A count that was set already (JAX_NUM_CPU_DEVICES) stands; on a GPU or TPU
  this changes nothing that is used.
  """
  if jax.config.jax_num_cpu_devices < 0:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()
    count = max(n for n in range(1, cores + 1) if batch_size % n == 0)
    jax.config.update('jax_num_cpu_devices', count)


# ---- mesh and placement -----------------------------------------------------


def make_mesh(devices: int = 0) -> Mesh:
  """One-axis mesh 'data' over the first `devices` devices (0 = all).

  Raises:
    ValueError: fewer devices exist, or the count leaves a process without any.
  """
  there = jax.device_count()
  if not 0 <= devices <= there:
    raise ValueError(
      f'parallel.devices is {devices}; expected 0 (all) to {there}, the number of devices here; '
      'lower it or start more processes'
    )
  if jax.process_count() > 1 and devices not in (0, there):
    raise ValueError(
      f'parallel.devices is {devices} with {jax.process_count()} processes; expected 0 or {there}, '
      'since every process must take part; start fewer processes instead'
    )
  count = devices or there
  return jax.make_mesh(
    (count,), (AXIS,), axis_types=(AxisType.Auto,), devices=jax.devices()[:count]
  )


def check_batch(batch_size: int, accumulate: int, mesh: Mesh) -> None:
  """Raises ValueError when the global batch does not split over devices and micro-batches."""
  if accumulate < 1:
    raise ValueError(f'train.accumulate is {accumulate}; expected at least 1; set it to 1')
  parts = mesh.size * accumulate
  if batch_size < 1 or batch_size % parts:
    raise ValueError(
      f'train.batch_size is {batch_size}; expected a multiple of {parts}, which is {mesh.size} '
      f'devices times {accumulate} micro-batches; change train.batch_size or train.accumulate'
    )


def replicate(tree: Tree, mesh: Mesh) -> Tree:
  """Copies of every leaf on all devices; do it before step 1 or the second call recompiles."""
  return jax.tree.map(lambda x: _place(np.asarray(x), mesh, P()), tree)


def shard_batch(batch: Tree, mesh: Mesh) -> Tree:
  """Host arrays [B, ...] to global arrays split along the first dimension.

  Every process passes the whole global batch (it is a function of seed and step) and keeps the
  rows of its own devices, so any number of processes and devices sees the same global batch.
  """
  return jax.tree.map(lambda x: _place(np.asarray(x), mesh, P(AXIS)), batch)


def _place(x: np.ndarray, mesh: Mesh, spec: P) -> jax.Array:
  return jax.make_array_from_callback(x.shape, NamedSharding(mesh, spec), lambda index: x[index])


def to_host(tree: Tree) -> Tree:
  """Whole numpy arrays on every process, whatever the sharding."""

  def gather(x):
    if isinstance(x, jax.Array) and not (x.is_fully_addressable or x.is_fully_replicated):
      return multihost_utils.process_allgather(x, tiled=True)
    return np.asarray(x)

  return jax.tree.map(gather, tree)


# ---- mapped functions -------------------------------------------------------


def loss_and_grad(
  loss_fn: LossFn, mesh: Mesh, map_name: str = 'shard_map', accumulate: int = 1
) -> Callable[[Tree, Tree, jax.Array], tuple[Tree, dict[str, jax.Array]]]:
  """Maps a loss over the devices: f(params, batch, step) -> (grads, metrics), means over B.

  Args:
    loss_fn: (params, batch, step) -> (loss [], metrics {name: []}), means over the local examples.
    mesh: of `make_mesh`.
    map_name: 'shard_map', or 'pmap' (one process only).
    accumulate: micro-batches one after the other on each device.

  Returns:
    f, whose `batch` has leaves [B, ...] and whose metrics include 'loss'.

  Raises:
    ValueError: unknown `map_name`, or pmap with several processes.
  """
  check_map(map_name)
  local = _mean_over_devices(_accumulated(loss_fn, accumulate))
  if map_name == 'shard_map':
    # With check_vma=True the gradient of replicated parameters arrives summed over the devices
    # and pmean leaves it N times too large.
    return jax.shard_map(
      local, mesh=mesh, in_specs=(P(), P(AXIS), P()), out_specs=(P(), P()), check_vma=False
    )
  mapped = jax.pmap(
    local, AXIS, in_axes=(None, 0, None), out_axes=None, devices=list(mesh.devices.flat)
  )
  return lambda params, batch, step: mapped(params, _split(batch, mesh.size), step)


def check_map(map_name: str) -> None:
  """Raises ValueError when `map_name` is unknown or does not fit the number of processes."""
  if map_name not in MAPS:
    raise ValueError(f'parallel.map is {map_name!r}; expected one of {MAPS}; set it to one of them')
  if map_name == 'pmap' and jax.process_count() > 1:
    raise ValueError(
      f"parallel.map is 'pmap' with {jax.process_count()} processes; expected one process, since "
      "pmap returns host-local arrays that cannot be saved; use 'shard_map'"
    )


def _split(tree: Tree, parts: int) -> Tree:
  return jax.tree.map(lambda x: x.reshape(parts, x.shape[0] // parts, *x.shape[1:]), tree)


def _accumulated(loss_fn: LossFn, accumulate: int) -> Callable:
  def gradient(params, batch, step):
    (loss, metrics), grads = jax.value_and_grad(loss_fn, has_aux=True)(params, batch, step)
    return grads, {**metrics, 'loss': loss}

  def scanned(params, batch, step):
    def add(total, part):
      return jax.tree.map(jnp.add, total, gradient(params, part, step)), None

    parts = _split(batch, accumulate)
    shapes = jax.eval_shape(gradient, params, jax.tree.map(lambda x: x[0], parts), step)
    zero = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), shapes)
    total, _ = lax.scan(add, zero, parts)
    return jax.tree.map(lambda x: x / accumulate, total)

  return gradient if accumulate == 1 else scanned


def _mean_over_devices(local: Callable) -> Callable:
  return lambda *args: lax.pmean(local(*args), AXIS)


def per_example(fn: Callable[[Tree, Tree], Tree], mesh: Mesh) -> Callable[[Tree, Tree], Tree]:
  """Maps an evaluation over the devices: f(params, batch) -> outputs, all leaves [B, ...].

  `fn` sees the rows of one device; its outputs keep the sharding of the batch (see `to_host`).
  """
  mapped = jax.shard_map(fn, mesh=mesh, in_specs=(P(), P(AXIS)), out_specs=P(AXIS), check_vma=False)
  return jax.jit(mapped)


# ---- the step ---------------------------------------------------------------


def init_state(
  params: Tree, optimizer: optax.GradientTransformation, ema_decay: float, mesh: Mesh
) -> State:
  """State before the first update, replicated on the mesh; the average starts at `params`."""
  ema = params if ema_decay else None
  state = State(params, ema, optimizer.init(params), jnp.zeros((), jnp.int32))
  return replicate(state, mesh)


def make_step(
  loss_fn: LossFn,
  optimizer: optax.GradientTransformation,
  ema_decay: float,
  mesh: Mesh,
  map_name: str = 'shard_map',
  accumulate: int = 1,
) -> Callable[[State, Tree], tuple[State, dict[str, jax.Array]]]:
  """Jitted step(state, batch) -> (state, metrics); the old state's buffers are reused.

  Metrics are those of `loss_fn` plus 'loss', 'grad_norm' (global, before clipping) and 'finite'
  (loss and gradient norm are finite), all [] and replicated.
  """
  mapped = loss_and_grad(loss_fn, mesh, map_name, accumulate)

  def update(state, grads, metrics):
    norm = optax.tree.norm(grads)
    finite = jnp.isfinite(norm) & jnp.isfinite(metrics['loss'])
    updates, opt_state = optimizer.update(grads, state.opt_state, state.params)
    params = optax.apply_updates(state.params, updates)
    ema = optax.incremental_update(params, state.ema, 1.0 - ema_decay) if ema_decay else None
    state = State(params, ema, opt_state, state.step + 1)
    return state, {**metrics, 'grad_norm': norm, 'finite': finite}

  def step(state, batch):
    return update(state, *mapped(state.params, batch, state.step))

  # pmap inside jit too: as two calls XLA fuses differently and the last bit leaves shard_map's.
  return jax.jit(step, donate_argnums=0)
