"""Attention in chunks and whole against the softmax written out, and the rotary phases."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spectra_jax import attention
from spectra_jax.attention import attend, rotary_phases, rotate

CASES = [(False, False), (False, True), (True, False), (True, True)]


def arrays(length=37):
  """q, k, v, a cotangent [2, L, 3, 4] and a mask: the first example starts hidden."""
  rng = np.random.default_rng(0)
  visible = rng.random((2, length)) < 0.6
  visible[0, : length // 3] = False
  return rng.standard_normal((4, 2, length, 3, 4)), visible


def pairs(length, visible, causal):
  """[2, 1, L, L], which token may look at which."""
  allowed = np.ones((2, 1, length, length), bool)
  allowed = allowed if visible is None else allowed & visible[:, None, None]
  return np.tril(allowed) if causal else allowed


def formula(q, k, v, allowed):
  """The module docstring, written out: all logits, no tricks; zeros where nothing is seen."""
  weight = jnp.where(allowed, jnp.exp(jnp.einsum('bthe,bshe->bhts', q, k) / 2), 0)
  total = weight.sum(-1, keepdims=True)
  return jnp.einsum('bhts,bshe->bthe', weight / jnp.where(total > 0, total, 1), v)


@functools.partial(jax.jit, static_argnums=0)
def with_derivatives(function, q, k, v, g, mask):
  """Output, gradients, and gradients of the gradients' squares."""

  def gradients(q, k, v):
    y, pull_back = jax.vjp(lambda *inputs: function(*inputs, mask), q, k, v)
    return y, *pull_back(g)

  norm = lambda *inputs: sum(jnp.sum(leaf**2) for leaf in gradients(*inputs)[1:])
  return *gradients(q, k, v), *jax.grad(norm, (0, 1, 2))(q, k, v)


@pytest.mark.parametrize(
  ('chunk', 'causal', 'masked'),
  [
    (8, True, True),
    (100, 0, 0),
    pytest.param(8, False, True, marks=pytest.mark.slow),
    pytest.param(12, True, False, marks=pytest.mark.slow),
  ],
)
def test_chunks_are_the_formula_with_both_derivatives(causal, masked, chunk):
  inputs, visible = arrays()
  visible = visible if masked else None
  run = functools.partial(attend, causal=causal, algorithm='chunked', chunk=chunk)
  with jax.enable_x64(True):
    ours = jax.device_get(with_derivatives(run, *inputs, visible))
    exact = jax.device_get(with_derivatives(formula, *inputs, pairs(37, visible, causal)))
  for value, expected in zip(ours, exact, strict=True):
    np.testing.assert_allclose(value, expected, atol=1e-10)


@pytest.mark.parametrize(('causal', 'masked'), CASES)
def test_plain_is_the_formula(causal, masked):
  inputs, visible = arrays()
  visible = visible if masked else None
  q, k, v, _ = np.float32(inputs)
  y = jax.jit(lambda *a: attend(*a, visible, causal=causal, algorithm='plain'))(q, k, v)
  exact = jax.jit(formula)(q, k, v, pairs(37, visible, causal))
  np.testing.assert_allclose(y, exact, atol=1e-5)


@pytest.mark.parametrize('algorithm', ['plain', 'chunked'])
def test_who_sees_nothing_gets_zeros_and_gives_no_gradient(algorithm):
  inputs, visible = arrays()
  q, k, v, _ = np.float32(inputs)
  visible[1] = False

  @jax.jit
  def run(q, k, v):
    return jax.vjp(
      lambda *a: attend(*a, visible, causal=True, algorithm=algorithm, chunk=8), q, k, v
    )[1](v)

  y = jax.jit(lambda *a: attend(*a, visible, causal=True, algorithm=algorithm, chunk=8))(q, k, v)
  assert not np.any(y[1])
  assert not np.any(y[0, :12])
  assert np.all(np.any(y[0, np.flatnonzero(visible[0])[0] :], axis=-1))
  for leaf in run(q, k, v):
    assert np.isfinite(leaf).all()
    assert not np.any(leaf[1])


def test_large_logits_stay_finite_and_pick_their_key():
  """Logits of +-4e4, whose exponentials float32 does not hold."""
  q = np.zeros((1, 20, 1, 4), np.float32)
  q[0, np.arange(20), 0, np.arange(20) % 4] = 2e2
  v = np.arange(80, dtype=np.float32).reshape(q.shape)
  keys = q * np.where(np.arange(20) < 4, 2, -2)[:, None, None]
  run = lambda *a: attend(*a, algorithm='chunked', chunk=3)
  y, pull_back = jax.jit(functools.partial(jax.vjp, run))(q, keys, v)
  np.testing.assert_allclose(y[0], v[0, np.arange(20) % 4], rtol=1e-6)
  assert all(np.isfinite(leaf).all() for leaf in pull_back(y))


def test_memory_of_training_is_linear():
  """L = 32768 has 4 GiB of logits a head; twice the length takes twice the temporaries."""

  def temporaries(length):
    x = jax.ShapeDtypeStruct((1, length, 2, 8), jnp.float32)
    loss = lambda *a: jnp.sum(attend(*a, algorithm='chunked') ** 2)
    compiled = jax.jit(jax.grad(loss, (0, 1, 2))).lower(x, x, x).compile()
    return compiled.memory_analysis().temp_size_in_bytes

  half, whole = temporaries(16384), temporaries(32768)
  assert whole < 2.2 * half
  assert whole < 32 * 2**20


def test_auto_follows_backend_length_and_dtype():
  choose = lambda backend, length, dtype, width: attention._choose(
    backend, 128, jax.ShapeDtypeStruct((2, length, 3, width), dtype)
  )
  assert choose('cpu', 128, jnp.bfloat16, 64) == 'plain'
  assert choose('cpu', 129, jnp.bfloat16, 64) == 'chunked'
  assert choose('gpu', 9000, jnp.bfloat16, 64) == 'cudnn'
  assert choose('gpu', 9000, jnp.float32, 64) == 'chunked'
  assert choose('gpu', 9000, jnp.bfloat16, 12) == 'chunked'
  assert choose('tpu', 4096, jnp.bfloat16, 64) == 'plain'


def test_bfloat16_keeps_its_dtype_and_sums_in_float32():
  q, k, v = (jnp.bfloat16(a) for a in arrays()[0][:3])
  run = jax.jit(lambda *a: attend(*a, algorithm='chunked', chunk=8))
  exact = run(*(a.astype(jnp.float32) for a in (q, k, v)))
  assert run(q, k, v).dtype == jnp.bfloat16
  np.testing.assert_array_equal(run(q, k, v), exact.astype(jnp.bfloat16))


@given(shift=st.floats(-4000, 4000), step=st.floats(0.1, 30))
@settings(max_examples=10, deadline=None)
def test_rotated_products_see_differences_of_wavenumbers_alone(shift, step):
  periods = np.geomspace(20, 8000, 3)
  q, k = np.random.default_rng(0).standard_normal((2, 1, 1, 1, 6))
  nu = 400 + step * np.array([0.0, 3.0, 11.0])

  def products(nu):
    with jax.enable_x64(True):
      turn = lambda x: rotate(jnp.tile(x, (1, 3, 1, 1)), rotary_phases(nu, periods))[0, :, 0]
      return np.asarray(turn(q) @ turn(k).T)

  a, b = np.split((q * k)[0, 0, 0], 2)
  c, d = np.split((np.roll(q, 3) * k)[0, 0, 0], 2)
  angle = 2 * np.pi * (nu[:, None] - nu)[..., None] / periods
  exact = ((a + b) * np.cos(angle) + (d - c) * np.sin(angle)).sum(-1)
  np.testing.assert_allclose(products(nu), exact, atol=1e-9)
  np.testing.assert_allclose(products(nu + shift), exact, atol=1e-9)


def test_unknown_algorithms_are_refused():
  x = jnp.zeros((1, 2, 1, 2))
  with pytest.raises(ValueError, match="unknown attention algorithm 'flash': expected one of"):
    attend(x, x, x, algorithm='flash')
