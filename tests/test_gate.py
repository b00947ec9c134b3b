"""The gated unit against its formula, and its piecewise gradient against plain autodiff."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from spectra_jax import gate


def arguments(batch, length, width=6, seed=0):
  rng = np.random.default_rng(seed)
  y = rng.normal(size=(batch, length, width))
  kernel, bias = rng.normal(size=(width, 2 * width)), rng.normal(size=2 * width)
  scales = ((rng.random((batch, 1, width)) > 0.3) / 0.7 for _ in range(2))
  return y, kernel, bias, *scales


def test_formula():
  y, kernel, bias, scale_in, scale_out = arguments(2, 5)
  normal_cdf = 0.5 * (1 + np.tanh(np.sqrt(2 / np.pi) * (y + 0.044715 * y**3)))
  value, gates = np.split((scale_in * y * normal_cdf) @ kernel + bias, 2, axis=-1)
  with jax.enable_x64(True):
    out = gate.gated(y, kernel, bias, scale_in, scale_out)
  np.testing.assert_allclose(out, scale_out * value / (1 + np.exp(-gates)), rtol=1e-12)


@pytest.mark.parametrize(
  ('shape', 'piece'),
  [((6, 4), (3, 4)), ((2, 24), (1, 12)), ((5, 12), (1, 12)), ((3, 1), (3, 1)), ((1, 7), (1, 7))],
)
def test_gradient_by_pieces_is_the_plain_one(monkeypatch, shape, piece):
  monkeypatch.setattr(gate, 'ROWS', 12)
  assert gate._piece(*shape) == piece
  arrays = arguments(*shape)
  v = np.random.default_rng(1).normal(size=arrays[0].shape)

  def gradients(function):
    loss = lambda *learned: jnp.sum(v * function(*learned, *arrays[3:]) ** 2)
    return jax.jit(jax.grad(loss, argnums=(0, 1, 2)))(*arrays[:3])

  with jax.enable_x64(True):
    for value, exact in zip(gradients(gate.gated), gradients(gate._plain), strict=True):
      np.testing.assert_allclose(value, exact, rtol=1e-10, atol=1e-12)


def test_a_prime_length_stays_whole(monkeypatch):
  monkeypatch.setattr(gate, 'ROWS', 100)
  assert gate._piece(4, 101) == (1, 101)
  assert gate._piece(4, 202) == (1, 202)
  assert gate._piece(4, 200) == (1, 100)
