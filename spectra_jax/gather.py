"""The examples of all devices, for what compares one example with others.

Inside a map over devices (`spectra_jax/parallel.py`) a batch is in pieces; what is asked here is
about the whole of it, in the order of the global batch, so that 1 = 8 devices. Outside of a map the
batch is whole already. The gradient of a mean over all examples is right as well: what an example
does to the losses of others comes back to it from their devices. Micro-batches
(`train.accumulate`) are batches of their own.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from spectra_jax.placement import BATCH_AXES

Tree = Any


def mapped_axes() -> tuple[str, ...]:
  """Those of the axes over which examples are split that are mapped where this is called."""
  return tuple(name for name in BATCH_AXES if _mapped(name))


def whole_batch(tree: Tree) -> Tree:
  """Leaves [B, ...] of this device -> [N, ...] of all of them, on each."""
  axes = mapped_axes()
  gather = lambda x: lax.all_gather(x, axes, axis=0, tiled=True) if axes else x
  return jax.tree.map(gather, tree)


def own_rows(local: int) -> jax.Array:
  """[B] places in the whole batch of the `local` examples of this device."""
  axes = mapped_axes()
  return jnp.arange(local) + (lax.axis_index(axes) * local if axes else 0)


def neighbours(tree: Tree) -> Tree:
  """Leaves [B, ...] of the example that follows each in the whole batch, the first after the last.

  So every example lends to one and borrows from one.
  """

  def following(own, whole):
    return whole[(own_rows(len(own)) + 1) % len(whole)]

  return jax.tree.map(following, tree, whole_batch(tree))


def _mapped(name: str) -> bool:
  try:
    lax.axis_size(name)
  except NameError:
    return False
  return True
