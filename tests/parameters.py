"""Parameters of a module in its shapes, without compiling what initialises them."""

import jax
import numpy as np


def draw(initialise, *inputs):
  """Variables in the shapes of `initialise(key, *inputs)`: normal, 0.4 wide, or in a group
  'dynamics' uniform in [0.1, 0.6], where every recurrence here is stable and learns.
  """
  rng = np.random.default_rng(0)

  def one(path, leaf):
    dynamics = any(getattr(key, 'key', '') == 'dynamics' for key in path)
    values = rng.uniform(0.1, 0.6, leaf.shape) if dynamics else 0.4 * rng.normal(size=leaf.shape)
    return values.astype(leaf.dtype)

  return jax.tree.map_with_path(one, jax.eval_shape(initialise, jax.random.key(0), *inputs))
