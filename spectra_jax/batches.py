"""batch = f(seed, step): nothing to save, nothing to restore, the same on any number of devices."""

import functools

import jax
import numpy as np
from jax.typing import ArrayLike


@functools.lru_cache(maxsize=4)
def _permutation(seed: int, epoch: int, rows: int) -> np.ndarray:
  return np.random.default_rng([seed, epoch]).permutation(rows)


def training_rows(seed: int, step: int, batch_size: int, rows: int) -> np.ndarray:
  """[batch_size] row numbers of training step `step` (counted from 0).

  Epoch e visits all rows once in the order permutation(seed, e); batches run on over the seam
  between two epochs, so no row is dropped.
  """
  start, end = step * batch_size, (step + 1) * batch_size
  parts = []
  while start < end:
    epoch, offset = divmod(start, rows)
    parts.append(_permutation(seed, epoch, rows)[offset : offset + end - start])
    start += len(parts[-1])
  return np.concatenate(parts)


def padded_batches(rows: np.ndarray, batch_size: int) -> list[tuple[np.ndarray, np.ndarray]]:
  """Cuts `rows` into batches of one size: [(rows [batch_size], real [batch_size] bool), ...].

  The last one is filled with its first row, marked as not real: a sum over real rows does not
  depend on the batch size.
  """
  batches = []
  for start in range(0, len(rows), batch_size):
    part = rows[start : start + batch_size]
    real = np.arange(batch_size) < len(part)
    filled = np.concatenate([part, np.full(batch_size - len(part), part[0], part.dtype)])
    batches.append((filled, real))
  return batches


def example_keys(seed: int, step: ArrayLike, row_B: jax.Array) -> jax.Array:
  """One key per example, fold_in(fold_in(seed, step), global row): no device index enters."""
  key = jax.random.fold_in(jax.random.key(seed), step)
  return jax.vmap(lambda row: jax.random.fold_in(key, row))(row_B)


def split_keys(keys_B: jax.Array) -> tuple[jax.Array, jax.Array]:
  """Keys for the two purposes of randomness in a step: (inputs, dropout)."""
  pairs_Bx2 = jax.vmap(jax.random.split)(keys_B)
  return pairs_Bx2[:, 0], pairs_Bx2[:, 1]
