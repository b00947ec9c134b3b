"""Mixtures of two training samples: absorbances and amounts mix alike (Beer-Lambert).

  A = (1 - w) A_1 + w A_2,   c = (1 - w) c_1 + w c_2,   w ~ U(0, share)

for equal path lengths, volumes that add, and components that do not interact.
"""

from typing import Any

import jax
import jax.numpy as jnp

from spectra_jax.augment import rules


def mix(key: jax.Array, example: Any, library: Any, *, share: float) -> Any:
  """`example`, mixed with a row of `library` that the key chooses: no batch mate enters.

  Args:
    key: of this example.
    example: arrays of one example, as a tree: spectrum, targets (one-hot for classes), masks.
    library: the same tree of all training examples, with a leading axis of rows.
    share: the largest share w of the other one.

  Returns:
    The tree: floats mixed (NaN, unknown, where either is), masks True where both are.

  Raises:
    ValueError: a share beyond 0 to 1, or whole numbers among the arrays.
  """
  rules.check_magnitude('mixing.share', share, most=1.0)
  key_row, key_share = jax.random.split(key)
  rows = len(jax.tree.leaves(library)[0])
  row = jax.random.randint(key_row, (), 0, rows)
  w = jax.random.uniform(key_share, maxval=share)
  return jax.tree.map(
    lambda ours, theirs: _mixed(w, ours, jnp.asarray(theirs)[row]), example, library
  )


def _mixed(w, ours, theirs):
  ours = jnp.asarray(ours)
  if ours.dtype == bool:
    return ours & (theirs | (w == 0))
  if not jnp.issubdtype(ours.dtype, jnp.floating):
    raise ValueError(
      f'augment.mixing got an array of {ours.dtype}, expected floats and masks: half of class 3 '
      'and half of class 5 is not class 4; give classes as one-hot shares'
    )
  return jnp.where(w == 0, ours, ours + w * (theirs - ours))
