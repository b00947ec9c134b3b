"""Low-rank updates of every matrix of the trunk, state spaces included, and the head.

  W + (scale / rank) down up,   down ~ N(0, 1 / rows), up = 0 at the start   (Hu et al. 2021,
                                                                             arXiv 2106.09685)

for kernels of dense layers and convolutions and for B and C of state spaces, over their last two
dimensions. What a layer holds as 'dynamics' has updates of its own, one a number:

  A exp(a), G exp(g)    stiffness and damping stay positive
  x + d                 every other number: steps, logarithms, frequencies, B where it learns slowly

with a = g = d = 0 at the start. So a run starts at the base bit for bit, with rank 0 and without
`dynamics` it stays there, and the merged matrices are those that the run computed with. Norms,
biases and embeddings stay.
"""

import dataclasses
import zlib
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

from spectra_jax.adaptation import heads
from spectra_jax.optimizer import DYNAMICS

ADAPTER = 'adapter'
POSITIVE = ('A', 'G')  # of 'dynamics'
UNTOUCHED = ('embedding',)

Tree = Any


@dataclasses.dataclass(frozen=True)
class Method:
  """The state holds the heads and the updates.

  Attributes:
    rank: of every update; 0 = no matrix changes.
    scale: of an update is `scale` / `rank`.
    dynamics: the recurrences have updates too.
  """

  rank: int = 4
  scale: float = 4.0
  dynamics: bool = True

  def begin(self, base: Tree, seed: int) -> Tree:
    """{head: as it was drawn, 'adapter': zero updates by the path of what they change}.

    Raises:
      ValueError: a negative rank, or a model without a head.
    """
    if self.rank < 0:
      raise ValueError(f'adapt.lora.rank is {self.rank}, expected at least 0; raise it')
    whole = heads(base)
    trunk = {name: part for name, part in base.items() if name not in whole}
    return {**whole, ADAPTER: self._updates(trunk, seed, ())}

  def merge(self, base: Tree, trained: Tree) -> Tree:
    """The base with these heads and updates, the parameters of an ordinary model."""
    whole = {name: part for name, part in trained.items() if name != ADAPTER}
    return {**_changed(base, trained[ADAPTER], self.scale / max(self.rank, 1)), **whole}

  def _updates(self, tree: Tree, seed: int, path: tuple[str, ...]) -> Tree:
    found = {}
    for name, part in tree.items():
      place = (*path, name)
      if isinstance(part, Mapping):
        update = self._updates(part, seed, place)
      else:
        rng = np.random.default_rng([seed, zlib.crc32('/'.join(place).encode())])
        update = self._update(part, rng, place)
      if update:
        found[name] = update
    return found

  def _update(
    self, leaf: Any, rng: np.random.Generator, path: tuple[str, ...]
  ) -> dict[str, np.ndarray]:
    """{} where the leaf stays."""
    shape, zeros = np.shape(leaf), lambda shape: np.zeros(shape, np.float32)
    if DYNAMICS in path:
      return {'shift': zeros(shape)} if self.dynamics else {}
    if len(shape) >= 2 and path[-1] not in UNTOUCHED:
      *lead, rows, columns = shape
      down = np.float32(rng.normal(size=(*lead, rows, self.rank)) * rows**-0.5)
      return {'down': down, 'up': zeros((*lead, self.rank, columns))} if self.rank else {}
    return {}


def _changed(base: Tree, updates: Tree, scale: float) -> Tree:
  changed = dict(base)
  for name, update in updates.items():
    leaf = base[name]
    if isinstance(leaf, Mapping):
      changed[name] = _changed(leaf, update, scale)
    elif 'down' in update:
      changed[name] = leaf + scale * (update['down'] @ update['up'])
    else:
      shift = update['shift']
      changed[name] = leaf * jnp.exp(shift) if name in POSITIVE else leaf + shift
  return changed
