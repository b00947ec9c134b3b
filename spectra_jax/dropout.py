"""Dropout whose mask is a function of (seed, step, global row, module path) and of nothing else.

`nn.Dropout` draws one mask for the local batch, so under `shard_map` every shard repeats it and a
run on 8 devices is not the run on 1. Here the caller passes one key per example in the variable
collection `'example_keys'` and each layer folds its own path into it.
"""

import zlib

import flax.linen as nn
import jax
import jax.numpy as jnp

COLLECTION = 'example_keys'


def example_keys(keys_B: jax.Array) -> dict:
  """Variables that carry one typed key per example: `module.apply({'params': p, **this}, ...)`."""
  return {COLLECTION: {'keys': keys_B}}


def layer_keys(module: nn.Module, rows: int) -> jax.Array:
  """One typed key for each of `rows` examples, the module's own: its path is folded in. [rows]

  Where the batch holds several views of the B examples that have keys, one after the other (rows is
  a multiple of B), each view has draws of its own.

  Raises:
    ValueError: the module was applied without `example_keys`.
  """
  keys_B = module.scope.root.get_variable(COLLECTION, 'keys')
  if keys_B is None:
    raise ValueError(
      f'{type(module).__name__} at {"/".join(module.path)} got no per-example keys; '
      'apply the module with `**example_keys(keys_B)` among its variables when train=True'
    )
  layer = zlib.crc32('/'.join(module.path).encode())
  own = lambda keys_B, data: jax.vmap(lambda key: jax.random.fold_in(key, data))(keys_B)
  views = [keys_B, *(own(keys_B, view) for view in range(1, rows // len(keys_B)))]
  return own(jnp.concatenate(views) if len(views) > 1 else keys_B, layer)


class ExampleDropout(nn.Module):
  """Inverted dropout, x * m / (1 - rate), m ~ Bernoulli(1 - rate) drawn per example.

  One mask per channel, shared along the sequence: for x_BxLxD the mask is [B, 1, D]. (Tied masks
  are what S4 uses; an untied one costs B*L*D threefry draws, on a CPU more than the layer itself.)
  """

  rate: float

  def __call__(self, x_BxLxD: jax.Array, train: bool) -> jax.Array:
    return (x_BxLxD * self.scale(x_BxLxD, train)).astype(x_BxLxD.dtype)

  @nn.compact
  def scale(self, x_BxLxD: jax.Array, train: bool) -> jax.Array:
    """The factors of x alone, 0 or 1 / (1 - rate) as [B, 1, D], or a single 1 where all stay."""
    if not train or self.rate == 0.0:
      return jnp.ones((1, 1, 1), x_BxLxD.dtype)
    keys_B, shape = layer_keys(self, len(x_BxLxD)), x_BxLxD.shape[2:]
    keep_BxD = jax.vmap(lambda key: jax.random.bernoulli(key, 1.0 - self.rate, shape))(keys_B)
    return (keep_BxD[:, None] / (1.0 - self.rate)).astype(x_BxLxD.dtype)
