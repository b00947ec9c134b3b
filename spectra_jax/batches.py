"""batch = f(seed, step): nothing to save, nothing to restore, the same on any number of devices."""

import functools

import numpy as np


@functools.lru_cache(maxsize=4)
def _permutation(seed: int, epoch: int, rows: int) -> np.ndarray:
  return np.random.default_rng([seed, epoch]).permutation(rows)


def training_rows(seed: int, step: int, batch_size: int, rows: int) -> np.ndarray:
  """[batch_size] row numbers of training step `step` (counted from 0).

  Epoch e visits all rows once in the order permutation(seed, e); batches run on over the seam
  between two epochs, so no row is dropped.
  """
  place = np.arange(step * batch_size, (step + 1) * batch_size)
  epochs, offsets = np.divmod(place, rows)
  order = {int(e): _permutation(seed, int(e), rows) for e in np.unique(epochs)}
  return np.array([order[int(e)][o] for e, o in zip(epochs, offsets, strict=True)])


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
