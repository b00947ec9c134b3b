"""Where arrays lie: the mesh of devices, and the state and the batch on it.

Axes 'data' and 'fsdp' split the batch jointly; 'fsdp' also splits the state; devices of 'seq' have
the same examples and may share out the work on them (`model.split_tokens`).
"""

from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

DATA, FSDP, SEQ = 'data', 'fsdp', 'seq'
AXES = (DATA, FSDP, SEQ)
BATCH_AXES = (DATA, FSDP)  # examples are split over both

Tree = Any


def make_mesh(devices: int = 0, fsdp: int = 1, seq: int = 1) -> Mesh:
  """Mesh of the axes 'data', 'fsdp' and 'seq' over the first `devices` devices (0 = all).

  Neighbouring devices share an example, whose pieces talk in every layer, and then a state, whose
  pieces travel in every step.

  Args:
    devices: how many take part.
    fsdp: over how many of them one state is split; 1 = every device has it whole.
    seq: how many of them have the same examples; 1 = each has its own.

  Raises:
    ValueError: fewer devices exist, the count leaves a process without any, or fsdp or seq do not
      divide it.
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
  if fsdp < 1 or count % fsdp:
    raise ValueError(
      f'parallel.fsdp is {fsdp}; expected a divisor of {count}, the devices of this run; set it to '
      '1 to have the whole state on every device'
    )
  if seq < 1 or (count // fsdp) % seq:
    raise ValueError(
      f'parallel.seq is {seq}; expected a divisor of {count // fsdp}, the devices of this run over '
      'parallel.fsdp; set it to 1 to have whole examples on every device'
    )
  shape, types = (count // fsdp // seq, fsdp, seq), (AxisType.Auto,) * 3
  return jax.make_mesh(shape, AXES, axis_types=types, devices=jax.devices()[:count])


def check_batch(batch_size: int, accumulate: int, mesh: Mesh) -> None:
  """Raises ValueError when the global batch does not split over devices and micro-batches."""
  if accumulate < 1:
    raise ValueError(f'train.accumulate is {accumulate}; expected at least 1; set it to 1')
  groups = mesh.size // mesh.shape[SEQ]
  parts = groups * accumulate
  if batch_size < 1 or batch_size % parts:
    devices = 'devices' if groups == mesh.size else f'groups of {mesh.shape[SEQ]} devices'
    raise ValueError(
      f'train.batch_size is {batch_size}; expected a multiple of {parts}, which is {groups} '
      f'{devices} times {accumulate} micro-batches; change train.batch_size or train.accumulate'
    )


def shard_state(tree: Tree, mesh: Mesh) -> Tree:
  """Every leaf on the mesh as `state_spec` says; before step 1, or the second call recompiles."""
  return jax.tree.map(lambda x: _place(np.asarray(x), mesh, state_spec(x, mesh)), tree)


def state_spec(x: jax.Array | np.ndarray, mesh: Mesh) -> P:
  """How a leaf of the state lies on the mesh.

  Its largest dimension that 'fsdp' divides is split, the first of equals; a leaf without one is
  whole on every device. Parameters, moments and average of one shape lie alike.
  """
  dimension = split_dimension(x, mesh)
  return P() if dimension is None else P(*(None,) * dimension, FSDP)


def split_dimension(x: jax.Array | np.ndarray, mesh: Mesh) -> int | None:
  parts = mesh.shape[FSDP]
  fits = [d for d, size in enumerate(np.shape(x)) if parts > 1 and size and size % parts == 0]
  return max(fits, key=lambda d: np.shape(x)[d], default=None)


def shard_batch(batch: Tree, mesh: Mesh) -> Tree:
  """Host arrays [B, ...] to global arrays split along the first dimension.

  Every process passes the whole global batch (it is a function of seed and step) and keeps the
  rows of its own devices, so any number of processes and devices sees the same global batch.
  """
  return jax.tree.map(lambda x: _place(np.asarray(x), mesh, P(BATCH_AXES)), batch)


def _place(x: np.ndarray, mesh: Mesh, spec: P) -> jax.Array:
  return jax.make_array_from_callback(x.shape, NamedSharding(mesh, spec), lambda index: x[index])


def to_host(tree: Tree) -> Tree:
  """Whole numpy arrays on every process, whatever the sharding."""

  def gather(x):
    if isinstance(x, jax.Array) and not (x.is_fully_addressable or x.is_fully_replicated):
      return multihost_utils.process_allgather(x, tiled=True)
    return np.asarray(x)

  return jax.tree.map(gather, tree)
