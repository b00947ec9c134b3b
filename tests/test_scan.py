"""The filter against its closed forms, its adjoint, and its algorithms against each other."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.sharding import AxisType, PartitionSpec

from spectra_jax.scan import advance_oscillators, oscillator_ssm

ALGORITHMS = ('sequential', 'associative', 'fused')


def arguments(seed, batch, length, width=3, oscillators=2):
  """(g, c, b, c_out, d, u) in float64, poles r exp(+-i theta) with 0.8 < r < 1."""
  rng = np.random.default_rng(seed)
  r_P, theta_P = rng.uniform(0.8, 1, oscillators), rng.uniform(0, np.pi, oscillators)
  g_P, c_P = coefficients(r_P, theta_P)
  b_QxD = rng.normal(size=(2 * oscillators, width))
  c_out_DxQ, d_D = rng.normal(size=(width, 2 * oscillators)), rng.normal(size=width)
  return g_P, c_P, b_QxD, c_out_DxQ, d_D, rng.normal(size=(batch, length, width))


def coefficients(r, theta):
  """g = 1 - det M and c = 2 - g - tr M for det M = r^2, tr M = 2 r cos theta."""
  return (1 - r) * (1 + r), (1 - r) ** 2 + 4 * r * np.sin(theta / 2) ** 2


run_jitted = jax.jit(oscillator_ssm, static_argnames=('algorithm', 'reverse', 'chunk'))


def jitted(*arrays, **options):
  return np.asarray(run_jitted(*arrays, **options))


def one_oscillator(g, c, w_L, **options):
  """x_n of a single real filter driven by w."""
  one = np.ones(1, w_L.dtype)
  rows = (g * one, c * one, np.array([[1.0], [0.0]]), np.array([[1.0, 0.0]]), 0 * one)
  rows = (np.asarray(row, w_L.dtype) for row in rows)
  return jitted(*rows, w_L[None, :, None], **options)[0, :, 0]


def value_and_gradients(arrays, v_BxLxD, **options):
  """y and the gradients of <v, y> with respect to all six arrays."""

  @jax.jit
  def both(*arrays):
    y, pull_back = jax.vjp(functools.partial(oscillator_ssm, **options), *arrays)
    return y, *pull_back(v_BxLxD)

  return [np.asarray(a) for a in both(*arrays)]


def assert_close(values, expected, tolerance):
  for value, exact in zip(values, expected, strict=True):
    assert np.abs(value - exact).max() <= tolerance * max(np.abs(exact).max(), 1e-300)


@pytest.mark.parametrize(
  ('batch', 'length', 'chunk', 'reverse', 'seed'), [(1, 1, 7, False, 0), (2, 23, 7, True, 1)]
)
def test_algorithms_agree_with_all_gradients(batch, length, chunk, reverse, seed):
  arrays = arguments(seed, batch, length)
  v = np.random.default_rng(seed + 1).normal(size=arrays[-1].shape)
  with jax.enable_x64(True):
    exact = value_and_gradients(arrays, v, algorithm='sequential', reverse=reverse)
    fused = value_and_gradients(arrays, v, algorithm='fused', reverse=reverse, chunk=chunk)
    published = value_and_gradients(arrays, v, algorithm='associative', reverse=reverse)
  assert_close(fused, exact, 1e-10)
  assert_close(published, exact, 1e-10)


@pytest.mark.slow
@given(
  batch=st.integers(1, 3),
  length=st.integers(1, 45),
  chunk=st.sampled_from([None, 1, 7, 16]),
  reverse=st.booleans(),
  seed=st.integers(0, 99),
)
@settings(max_examples=20, deadline=None)
def test_algorithms_agree_on_any_shape(batch, length, chunk, reverse, seed):
  test_algorithms_agree_with_all_gradients(batch, length, chunk, reverse, seed)


@pytest.mark.parametrize('algorithm', ALGORITHMS)
@pytest.mark.parametrize('r', [1.0, 0.97])
@pytest.mark.parametrize('theta', [1e-3, 1.0, 3.1])
def test_impulse_response(algorithm, r, theta):
  n = np.arange(40)
  expected = r**n * np.sin((n + 1) * theta) / np.sin(theta)
  with jax.enable_x64(True):
    x = one_oscillator(*coefficients(r, theta), np.eye(1, 40)[0], algorithm=algorithm)
  np.testing.assert_allclose(x, expected, atol=1e-10 * np.abs(expected).max())


@pytest.mark.parametrize('theta', [0.0, np.pi])
def test_impulse_response_at_critical_damping(theta):
  """A double pole at +-r, where forms that carry complex poles divide by zero: (n + 1) (+-r)^n."""
  n = np.arange(300)
  with jax.enable_x64(True):
    x = one_oscillator(*coefficients(0.99, theta), np.eye(1, 300)[0], algorithm='fused')
  np.testing.assert_allclose(x, (n + 1) * (0.99 * np.cos(theta)) ** n, atol=1e-8)


@pytest.mark.parametrize('theta', [1e-4, 1e-2, 1.7, 3.0, np.pi - 1e-2, np.pi - 1e-3])
def test_float32_keeps_lightly_damped_modes(theta):
  """Slow modes, and their mirror images near pi, to a few roundings."""
  w = np.random.default_rng(0).normal(size=2048).astype(np.float32)
  g, c = (np.float32(a) for a in coefficients(0.9995, theta))
  single = one_oscillator(g, c, w, algorithm='fused')
  with jax.enable_x64(True):
    exact = one_oscillator(float(g), float(c), w.astype(float), algorithm='sequential')
  assert_close([single], [exact], 1e-5)


@pytest.mark.parametrize(('reverse', 'algorithms'), [(False, ALGORITHMS), (True, ('fused',))])
def test_states_are_carried_with_their_gradients(reverse, algorithms):
  """Two calls in a row are one call, and an end state is an output like any other.

  One pole has det M = 0, where an adjoint cannot be started as a state of the filter. In reverse
  only of the one with a rule of its own; the others are JAX's transpose.
  """
  theta_P = np.array([1e-3, 1.0, 2.0, np.pi - 1e-3, 1.0])
  g_P, c_P = coefficients(np.array([0.97, 0.9, 1.0, 0.97, 0.0]), theta_P)
  arrays = (g_P, c_P, *arguments(0, 2, 29, oscillators=5)[2:])
  rng = np.random.default_rng(1)
  v, *others = (rng.normal(size=shape) for shape in ((2, 29, 3), *[(2, 10)] * 4))
  start, to_end = others[:2], others[2:]

  def loss(start, arrays, algorithm, pieces):
    *weights, u = arrays
    state, outputs = tuple(start), []
    for part in reversed(pieces) if reverse else pieces:
      options = {'algorithm': algorithm, 'reverse': reverse, 'chunk': 4}
      state, y = advance_oscillators(state, *weights, u[:, slice(*part)], **options)
      outputs.append(y)
    y = jnp.concatenate(outputs[::-1] if reverse else outputs, axis=1)
    return jnp.sum(v * y) + sum(jnp.sum(a * b) for a, b in zip(to_end, state, strict=True))

  run = jax.jit(jax.value_and_grad(loss, argnums=(0, 1)), static_argnums=(2, 3))
  whole, cut = ((0, 29),), ((0, 18), (18, 29))
  with jax.enable_x64(True):
    exact = jax.tree.leaves(run(start, arrays, 'sequential', whole))
    for algorithm in algorithms:
      assert_close(jax.tree.leaves(run(start, arrays, algorithm, cut)), exact, 1e-10)


@pytest.mark.parametrize('reverse', [False, pytest.param(True, marks=pytest.mark.slow)])
def test_algorithms_agree_on_both_sides_of_the_sign(reverse):
  """One call with poles of either sign, near both ends, exactly at them and at c = e."""
  theta_P = np.array([0.0, 1e-3, 1.0, np.pi / 2, 2.0, np.pi - 1e-3, np.pi])
  g_P, c_P = coefficients(np.full(7, 0.97), theta_P)
  arrays = (g_P, c_P, *arguments(0, 2, 37, oscillators=7)[2:])
  v = np.random.default_rng(1).normal(size=arrays[-1].shape)
  with jax.enable_x64(True):
    run = functools.partial(value_and_gradients, arrays, v, reverse=reverse)
    exact, *others = (
      run(algorithm=name, chunk=8) for name in ('associative', 'sequential', 'fused')
    )
  for other in others:
    assert_close(other, exact, 1e-10)


def test_the_gradient_of_the_small_stiffness_is_that_of_its_definition():
  """d/dc with e = 4 - 2g - c inside is d/dc - d/de of an e from outside; the same for g."""
  *parameters, u = arguments(0, 2, 19, oscillators=6)
  g_P, c_P = parameters[:2]

  def loss(g_P, c_P, e_P):
    return jnp.sum(oscillator_ssm(g_P, c_P, *parameters[2:], u, e_P=e_P, algorithm='fused') ** 2)

  with jax.enable_x64(True):
    e_P = 4 - 2 * g_P - c_P
    assert 0 < np.sum(c_P > e_P) < 6
    dg_P, dc_P, de_P = jax.device_get(jax.jit(jax.grad(loss, argnums=(0, 1, 2)))(g_P, c_P, e_P))
    inside = jax.grad(lambda g_P, c_P: loss(g_P, c_P, None), argnums=(0, 1))
    expected = jax.device_get(jax.jit(inside)(g_P, c_P))
  assert not np.any((dc_P != 0) & (de_P != 0))
  assert_close((dg_P - 2 * de_P, dc_P - de_P), expected, 1e-12)


@given(st.integers(0, 99), st.integers(1, 30), st.booleans())
@settings(max_examples=4, deadline=None)
def test_the_adjoint_is_the_filter_the_other_way(seed, length, reverse):
  """<v, S u> = <S^T v, u>, and S^T swaps b with c_out and runs in reverse."""
  g, c, b, c_out, d, u = arguments(seed, 2, length)
  v = np.random.default_rng(seed + 1).normal(size=u.shape)
  with jax.enable_x64(True):
    y = jitted(g, c, b, c_out, d, u, algorithm='fused', reverse=reverse)
    back = jitted(g, c, c_out.T, b.T, d, v, algorithm='fused', reverse=not reverse)
  np.testing.assert_allclose(np.sum(y * v), np.sum(back * u), rtol=1e-10)


@pytest.mark.parametrize('algorithm', ALGORITHMS)
def test_reverse_is_the_flipped_filter(algorithm):
  *parameters, u = arguments(0, 2, 21)
  with jax.enable_x64(True):
    y = jitted(*parameters, u, algorithm=algorithm, reverse=True)
    flipped = jitted(*parameters, u[:, ::-1], algorithm=algorithm)[:, ::-1]
  np.testing.assert_allclose(y, flipped, atol=1e-12)


def test_a_later_input_gives_the_same_output_later():
  *parameters, u = arguments(0, 2, 40)
  u[:, 25:] = 0
  run = functools.partial(jitted, *parameters, algorithm='fused', chunk=8)
  with jax.enable_x64(True):
    y, later = run(u), run(np.roll(u, 11, axis=1))
  np.testing.assert_allclose(later[:, 11:], y[:, :-11], atol=1e-12)
  assert not np.any(later[:, :11])


def test_second_derivatives_of_fused_are_those_of_the_reference():
  *parameters, u = arguments(0, 2, 11)

  def curvature(algorithm):
    def loss(g_P, c_P, u):
      return jnp.sum(
        oscillator_ssm(g_P, c_P, *parameters[2:], u, algorithm=algorithm, chunk=4) ** 4
      )

    def squared_gradient(*arrays):
      return sum(jnp.sum(a**2) for a in jax.grad(loss, argnums=(0, 1, 2))(*arrays))

    return jax.jit(jax.grad(squared_gradient, argnums=(0, 1, 2)))(*parameters[:2], u)

  with jax.enable_x64(True):
    fused, exact = jax.device_get((curvature('fused'), curvature('sequential')))
  assert_close(fused, exact, 1e-10)


def test_fused_refuses_forward_mode():
  *parameters, u = arguments(0, 1, 4)
  run = functools.partial(oscillator_ssm, *parameters, algorithm='fused')
  with pytest.raises(TypeError, match='forward-mode'):
    jax.jvp(run, (u,), (u,))


def test_vmap_over_parameters_is_a_loop():
  many = [np.stack(rows) for rows in zip(*(arguments(s, 2, 13) for s in range(3)), strict=True)]
  fused = functools.partial(oscillator_ssm, algorithm='fused', chunk=5)

  def loss(*arrays):
    return jnp.sum(fused(*arrays) ** 2)

  gradient = jax.grad(loss, argnums=tuple(range(6)))
  with jax.enable_x64(True):
    together = jax.jit(jax.vmap(gradient))(*many)
    alone = [jax.device_get(jax.jit(gradient)(*(a[i] for a in many))) for i in range(3)]
    together = jax.device_get(together)
  assert_close(together, [np.stack(rows) for rows in zip(*alone, strict=True)], 1e-12)


def test_shard_map_gives_the_same():
  *parameters, u = arguments(0, 2, 9)
  run = functools.partial(oscillator_ssm, algorithm='fused')
  mesh = jax.make_mesh((1,), ('data',), axis_types=(AxisType.Auto,))
  specs = (PartitionSpec(),) * 5 + (PartitionSpec('data'),)
  mapped = jax.shard_map(
    run, mesh=mesh, in_specs=specs, out_specs=PartitionSpec('data'), check_vma=False
  )
  with jax.enable_x64(True):
    np.testing.assert_array_equal(jax.jit(mapped)(*parameters, u), jax.jit(run)(*parameters, u))


@pytest.mark.parametrize('algorithm', ALGORITHMS)
def test_bfloat16_passes_through_a_float32_filter(algorithm):
  arrays = [jnp.asarray(a, jnp.float32) for a in arguments(0, 2, 31)]
  u = arrays[-1].astype(jnp.bfloat16)
  y = jitted(*arrays[:-1], u, algorithm=algorithm)
  exact = jitted(*arrays[:-1], u.astype(jnp.float32), algorithm=algorithm)
  assert y.dtype == jnp.bfloat16
  assert_close([np.float32(y)], [np.float32(exact)], 2.0**-8)  # one rounding, at the end


def test_auto_is_one_of_the_others():
  arrays = [jnp.asarray(a, jnp.float32) for a in arguments(0, 2, 9)]
  chosen = 'fused' if jax.default_backend() == 'cpu' else 'chunked'
  np.testing.assert_array_equal(jitted(*arrays), jitted(*arrays, algorithm=chosen))


def test_an_unknown_algorithm_is_refused():
  with pytest.raises(ValueError, match="unknown scan algorithm 'fast': expected one of"):
    oscillator_ssm(*arguments(0, 1, 2), algorithm='fast')
