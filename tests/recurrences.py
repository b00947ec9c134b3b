"""What tests of a recurrence `advance(state, *arrays, **options) -> (state, y)` have in common."""

import functools

import jax
import jax.numpy as jnp
import numpy as np


@functools.cache
def compiled(advance, **options):
  return jax.jit(functools.partial(advance, **options))


def jitted(advance, *arrays, **options):
  return jax.device_get(compiled(advance, **options)(*arrays))


def loss(advance, *arrays, **options):
  """A number that depends on every entry of the outputs and on the end state."""
  state, y = advance(*arrays, **options)
  weights = jnp.cos(jnp.arange(y.size)).reshape(y.shape)
  return jnp.sum(weights * y) + jnp.sum(jnp.abs(state) ** 2) + jnp.sum(jnp.sin(y))


def gradients(advance, arrays, **options):
  """Of `loss` by every array."""
  run = functools.partial(loss, advance, **options)
  return jax.device_get(jax.jit(jax.grad(run, argnums=tuple(range(len(arrays)))))(*arrays))


def assert_close(values, expected, tolerance):
  """Largest difference relative to the largest value, array by array."""
  for value, exact in zip(values, expected, strict=True):
    assert np.abs(value - exact).max() <= tolerance * max(np.abs(exact).max(), 1e-300)
