"""The head alone is trained, on features that stay what they are."""

import dataclasses
from typing import Any

from spectra_jax.adaptation import heads

Tree = Any


@dataclasses.dataclass(frozen=True)
class Method:
  """The state holds the heads, which are new for each task."""

  def begin(self, base: Tree, seed: int) -> Tree:
    """The heads, as they were drawn.

    Raises:
      ValueError: the model has none.
    """
    del seed
    return heads(base)

  def merge(self, base: Tree, trained: Tree) -> Tree:
    """The base with these heads."""
    return {**base, **trained}
