"""One training step on 1 to N devices: the mapped loss and gradient, and the update of the state.

Only loss and gradient are mapped, over the axes 'data' and 'fsdp' of the mesh, which split the
batch jointly, and 'seq', whose devices have the same examples and may share out the work on them
(`model.split_tokens`). Clipping, optimizer and moving average run outside the map under jit on a
state that is split over 'fsdp', so sharding the state is a placement and no second code path: with
fsdp = 1 the same program has it whole on every device.
"""

import functools
import itertools
from collections.abc import Callable
from typing import Any, TypeVar

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from spectra_jax.placement import (
  AXES,
  BATCH_AXES,
  DATA,
  FSDP,
  SEQ,
  shard_state,
  split_dimension,
  state_spec,
)

MAPS = ('shard_map', 'pmap')

Tree = Any
T = TypeVar('T')
LossFn = Callable[[Tree, Tree, jax.Array], tuple[jax.Array, dict[str, jax.Array]]]


class State(flax.struct.PyTreeNode):
  """All that a checkpoint holds: `step` counts completed updates; `ema` is None without one."""

  params: Tree
  ema: Tree
  opt_state: Tree
  step: jax.Array


# ---- mapped functions -------------------------------------------------------


def loss_and_grad(
  loss_fn: LossFn, mesh: Mesh, map_name: str = 'shard_map', accumulate: int = 1
) -> Callable[[Tree, Tree, jax.Array], tuple[Tree, dict[str, jax.Array]]]:
  """Maps a loss over the devices: f(params, batch, step) -> (grads, metrics), means over B.

  Parameters that are split over 'fsdp' are gathered once a step, inside the map, and each device
  keeps its piece of the reduced gradient.

  Args:
    loss_fn: (params, batch, step) -> (loss [], metrics {name: []}), means over the local examples,
      the same on all devices of 'seq'.
    mesh: of `make_mesh`.
    map_name: 'shard_map', or 'pmap' (one process only).
    accumulate: micro-batches one after the other on each device.

  Returns:
    f, whose `batch` has leaves [B, ...] and whose metrics include 'loss'.

  Raises:
    ValueError: unknown `map_name`, or pmap with several processes, fsdp or seq.
  """
  check_map(map_name, mesh)
  local = _accumulated(loss_fn, accumulate)
  if map_name == 'shard_map':
    return functools.partial(_shard_mapped, local, mesh)
  mapped = jax.pmap(
    lambda *args: lax.pmean(local(*args), DATA),
    DATA,
    in_axes=(None, 0, None),
    out_axes=None,
    devices=list(mesh.devices.flat),
  )
  return lambda params, batch, step: mapped(params, _split(batch, mesh.size), step)


def _shard_mapped(local: Callable, mesh: Mesh, params: Tree, batch: Tree, step: jax.Array):
  leaves, structure = jax.tree.flatten(params)
  dimensions = [split_dimension(x, mesh) for x in leaves]
  specs = structure.unflatten([state_spec(x, mesh) for x in leaves])

  def reduced(pieces, batch, step):
    whole = map(_gather, jax.tree.leaves(pieces), dimensions)
    grads, metrics = local(structure.unflatten(whole), batch, step)
    mean = map(_mean, jax.tree.leaves(grads), dimensions)
    return structure.unflatten(mean), lax.pmean(metrics, AXES)

  # With check_vma=True the gradient of replicated parameters arrives summed over the devices
  # and pmean leaves it N times too large.
  mapped = jax.shard_map(
    reduced,
    mesh=mesh,
    in_specs=(specs, P(BATCH_AXES), P()),
    out_specs=(specs, P()),
    check_vma=False,
  )
  return mapped(params, batch, step)


def _gather(piece: jax.Array, dimension: int | None) -> jax.Array:
  return piece if dimension is None else lax.all_gather(piece, FSDP, axis=dimension, tiled=True)


def _mean(gradient: jax.Array, dimension: int | None) -> jax.Array:
  """Mean over all devices: whole, or this device's piece of it.

  Each device of 'seq' differentiates the sum of their equal losses by parameters of its own, so
  that the mean over them is right for what they computed whole and for what they shared out.
  """
  if dimension is None:
    return lax.pmean(gradient, AXES)
  piece = lax.psum_scatter(gradient, FSDP, scatter_dimension=dimension, tiled=True)
  return lax.pmean(piece / lax.axis_size(FSDP), (DATA, SEQ))


def replicated(fn: Callable[..., T], mesh: Mesh) -> Callable[..., T]:
  """`fn` inside a map that gives every device the same whole arguments: to trace it."""
  return jax.shard_map(fn, mesh=mesh, in_specs=P(), out_specs=P(), check_vma=False)


def connect(mesh: Mesh) -> None:
  """Lets all groups of devices that talk in a step find each other while nothing keeps them apart.

  On a CPU the processes of a group give up when they come to its first collective more than 30 s
  apart (no option of XLA changes that), as they may when one compiles a step later than the other.
  Once it is connected, a group waits.
  """
  if jax.process_count() == 1:
    return
  groups = [axes for n in range(1, 4) for axes in itertools.combinations(AXES, n)]
  everywhere = lambda x: sum(lax.psum(x, axes) for axes in groups)
  jax.block_until_ready(jax.jit(replicated(everywhere, mesh))(np.float32(1)))


def check_map(map_name: str, mesh: Mesh) -> None:
  """Raises ValueError when `map_name` is unknown or does not fit the processes or the mesh."""
  if map_name not in MAPS:
    raise ValueError(f'parallel.map is {map_name!r}; expected one of {MAPS}; set it to one of them')
  if map_name == 'pmap' and jax.process_count() > 1:
    raise ValueError(
      f"parallel.map is 'pmap' with {jax.process_count()} processes; expected one process, since "
      "pmap returns host-local arrays that cannot be saved; use 'shard_map'"
    )
  for axis, what in ((FSDP, 'state'), (SEQ, 'example')):
    if map_name == 'pmap' and mesh.shape[axis] > 1:
      raise ValueError(
        f"parallel.map is 'pmap' with parallel.{axis} = {mesh.shape[axis]}; expected {axis} = 1, "
        f"since pmap has a whole {what} on every device; use 'shard_map'"
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


def per_example(fn: Callable[[Tree, Tree], Tree], mesh: Mesh) -> Callable[[Tree, Tree], Tree]:
  """Maps an evaluation over the devices: f(params, batch) -> outputs, all leaves [B, ...].

  `fn` sees the rows of one device; its outputs keep the sharding of the batch (see `to_host`).
  """
  rows = P(BATCH_AXES)
  mapped = jax.shard_map(fn, mesh=mesh, in_specs=(P(), rows), out_specs=rows, check_vma=False)
  return jax.jit(mapped)


# ---- the step ---------------------------------------------------------------


def init_state(
  params: Tree, optimizer: optax.GradientTransformation, ema_decay: float, mesh: Mesh
) -> State:
  """State before the first update on the mesh (`state_spec`); the average starts at `params`."""
  ema = params if ema_decay else None
  state = State(params, ema, optimizer.init(params), jnp.zeros((), jnp.int32))
  return shard_state(state, mesh)


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
    state, metrics = update(state, *mapped(state.params, batch, state.step))
    # Left alone, XLA may choose another placement for the new state, and the next call recompiles.
    placed = lambda x: lax.with_sharding_constraint(x, NamedSharding(mesh, state_spec(x, mesh)))
    return jax.tree.map(placed, state), metrics

  # pmap inside jit too: as two calls XLA fuses differently and the last bit leaves shard_map's.
  return jax.jit(step, donate_argnums=0)
