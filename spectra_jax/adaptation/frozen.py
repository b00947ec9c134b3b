"""The head alone is trained, on features that stay what they are."""

import dataclasses
from typing import Any

from spectra_jax.adaptation import HEAD

Tree = Any


@dataclasses.dataclass(frozen=True)
class Method:
  """The state holds the heads, which are new for each task."""

  def begin(self, base: Tree, seed: int) -> Tree:
    """The heads, as they were drawn."""
    del seed
    return {name: part for name, part in base.items() if name.startswith(HEAD)}

  def merge(self, base: Tree, trained: Tree) -> Tree:
    """The base with these heads."""
    return {**base, **trained}
