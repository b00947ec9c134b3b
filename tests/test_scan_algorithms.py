"""The filter's algorithms for accelerators against a loop in float64 and the sequential scan."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st
from jax.sharding import AbstractDevice, AbstractMesh, AxisType, use_abstract_mesh

from spectra_jax.scan import advance_oscillators, oscillator_ssm
from spectra_jax.scan.doubling import (
  carry,
  default_chunk,
  deflated_power,
  deflated_powers,
)
from spectra_jax.scan.oscillator import choose

ALGORITHMS = ('chunked', 'fft', 'pallas')


def coefficients(r, theta):
  """(g, c, e) of poles r exp(+-i theta): g = 1 - r^2, c = |1 - pole|^2, e = |1 + pole|^2."""
  c, e = ((1 - r) ** 2 + 4 * r * f(theta / 2) ** 2 for f in (np.sin, np.cos))
  return (1 - r) * (1 + r), c, e


def poles(seed, oscillators):
  """(r, theta), of both signs of the filter, with double poles at theta = 0 and pi among them."""
  rng = np.random.default_rng(seed)
  r_P, theta_P = rng.uniform(0.8, 1, oscillators), rng.uniform(0, np.pi, oscillators)
  theta_P[:2] = 0, np.pi
  return r_P, theta_P


def arguments(seed, batch, length, width=3, oscillators=4):
  """(state, g, c, b, c_out, d, u) in float64."""
  rng, channels = np.random.default_rng(seed), 2 * oscillators
  state = tuple(rng.normal(size=(2, batch, channels)))
  g_P, c_P, _ = coefficients(*poles(seed, oscillators))
  weights = rng.normal(size=(channels, width)), rng.normal(size=(width, channels))
  return state, g_P, c_P, *weights, rng.normal(size=width), rng.normal(size=(batch, length, width))


def loop(state, g_P, c_P, b_QxD, c_out_DxQ, d_D, u_BxLxD, reverse):
  """(state, y) token after token in the first form of the filter; a state has that of the second.

  Where c > e the second form's zeta is x_n + x_{n-1} = 2 x_n - (x_n - x_{n-1}).
  """
  g_Q, c_Q = np.tile(g_P, 2), np.tile(c_P, 2)
  beyond_Q = c_Q > 4 - 2 * g_Q - c_Q
  zeta, x = state
  zeta, y_BxLxD = np.where(beyond_Q, 2 * x - zeta, zeta), np.zeros_like(u_BxLxD)
  order = range(u_BxLxD.shape[1])
  for n in reversed(order) if reverse else order:
    u_BxD = u_BxLxD[:, n]
    zeta = zeta - (g_Q * zeta + c_Q * x) + u_BxD @ b_QxD.T
    x = x + zeta
    y_BxLxD[:, n] = x @ c_out_DxQ.T + d_D * u_BxD
  return (np.where(beyond_Q, 2 * x - zeta, zeta), x), y_BxLxD


def assert_close(values, expected, tolerance):
  for value, exact in zip(jax.tree.leaves(values), jax.tree.leaves(expected), strict=True):
    assert np.abs(value - exact).max() <= tolerance * max(np.abs(exact).max(), 1e-300)


@pytest.mark.parametrize('algorithm', ALGORITHMS)
@given(
  batch=st.integers(1, 3),
  length=st.integers(1, 40),
  chunk=st.sampled_from([None, 1, 5, 8]),
  reverse=st.booleans(),
  seed=st.integers(0, 99),
)
@settings(max_examples=1, deadline=None, phases=[Phase.explicit, Phase.generate])
@example(2, 23, 5, False, 0)
@example(2, 23, 5, True, 1)
def test_outputs_and_states_are_those_of_a_loop(algorithm, batch, length, chunk, reverse, seed):
  arrays = arguments(seed, batch, length)
  run = functools.partial(advance_oscillators, algorithm=algorithm, reverse=reverse, chunk=chunk)
  with jax.enable_x64(True):
    values = jax.device_get(jax.jit(run)(*arrays))
  assert_close(values, loop(*arrays, reverse), 1e-10)


def derivatives(arrays, to_end, to_y, reverse, algorithms):
  """Of <to_end, end> + <to_y, y> with respect to all arrays, the state among them."""

  @jax.jit
  def all_of_them(arrays):
    def pull_back(algorithm):
      options = {'algorithm': algorithm, 'reverse': reverse, 'chunk': 4}
      return jax.vjp(functools.partial(advance_oscillators, **options), *arrays)[1]

    return [pull_back(algorithm)((to_end, to_y)) for algorithm in algorithms]

  return jax.device_get(all_of_them(arrays))


@pytest.mark.parametrize(('reverse', 'algorithms'), [(False, ALGORITHMS), (True, ('pallas',))])
def test_gradients_of_outputs_and_last_state_are_those_of_the_reference(reverse, algorithms):
  """In reverse only of the one with a rule of its own; the others are JAX's transpose."""
  arrays = arguments(0, 2, 11)
  to_end, *_, to_y = arguments(1, 2, 11)
  with jax.enable_x64(True):
    exact, *others = derivatives(arrays, to_end, to_y, reverse, ('sequential', *algorithms))
  assert all(np.abs(gradient).max() > 0.1 for gradient in jax.tree.leaves(exact))
  for other in others:
    assert_close(other, exact, 1e-10)


# Each output reads one oscillator: y_n[p] = x_n[p], all driven by the same noise.
_RING = np.random.default_rng(0).uniform(size=(2, 24))
_R = np.concatenate((np.sqrt(0.81 + 0.19 * _RING[0]), np.full(7, 0.9995), [0.99, 0.99]))
_EDGES = [1e-3, 1e-2, 1.0, np.pi / 2, 2.0, np.pi - 1e-2, np.pi - 1e-3, 0.0, np.pi]
_THETA = np.concatenate((np.pi * _RING[1], _EDGES))


@functools.cache
def side_by_side(length):
  """((g, c, e, b, c_out, d, u) in float32, x [L, P] by the loop in float64)."""
  g, c, e = (np.float32(a) for a in coefficients(_R, _THETA))
  identity = np.eye(_R.size)
  b_QxD, noise_L = np.vstack((identity, 0 * identity)), np.random.default_rng(1).normal(size=length)
  u_BxLxD = np.tile(np.float32(noise_L)[None, :, None], (1, 1, _R.size))
  weights = (np.float32(a) for a in (b_QxD, b_QxD.T, 0 * _R))
  at_rest = (np.zeros((1, 2 * _R.size)),) * 2
  g64, e64 = g.astype(float), e.astype(float)
  c64 = np.where(c > e, 4 - 2 * g64 - e64, c)  # float32 cannot hold c near 4
  exact = loop(at_rest, g64, c64, b_QxD, b_QxD.T, 0 * _R, u_BxLxD.astype(float), False)[1]
  return (g, c, e, *weights, u_BxLxD), exact[0]


@pytest.mark.parametrize('algorithm', ALGORITHMS)
def test_float32_keeps_every_pole_over_2048_tokens(algorithm):
  """Ring, slow and lightly damped modes at both ends, double poles: 1e-4 of each one's maximum."""
  (g, c, e, *rest), exact_LxP = side_by_side(2048)
  run = jax.jit(functools.partial(oscillator_ssm, algorithm=algorithm))
  x_LxP = np.asarray(run(g, c, *rest, e_P=e))[0]
  error_P = np.abs(x_LxP - exact_LxP).max(0) / np.abs(exact_LxP).max(0)
  assert error_P.max() < 5e-5
  assert np.median(error_P) < 5e-6


def gradients_side_by_side(algorithm, dtype):
  """Of the weighed sum of squares by g, c, e and u, in float32 or float64."""
  (g, c, e, *weights, u), exact_LxP = side_by_side(512)
  v_P = 1 / np.abs(exact_LxP).max(0) ** 2

  @jax.jit
  def gradients(g, c, e, u):
    def loss(g, c, e, u):
      x = oscillator_ssm(g, c, *weights, u, e_P=e, algorithm=algorithm)
      return jnp.sum(jnp.asarray(v_P, x.dtype) * x**2)

    return jax.grad(loss, argnums=(0, 1, 2, 3))(g, c, e, u)

  return jax.device_get(gradients(*(a.astype(dtype) for a in (g, c, e, u))))


@functools.cache
def exact_gradients():
  with jax.enable_x64(True):
    return gradients_side_by_side('fused', np.float64)


@pytest.mark.parametrize('algorithm', ['chunked', 'pallas'])
def test_float32_gradients_keep_every_pole(algorithm):
  single, exact = gradients_side_by_side(algorithm, np.float32), exact_gradients()
  for value, reference in zip(single[:3], exact[:3], strict=True):
    np.testing.assert_allclose(value, reference, rtol=5e-4, atol=1e-4 * np.median(np.abs(exact[0])))
  error_P = np.abs(single[3] - exact[3]).max((0, 1)) / np.abs(exact[3]).max((0, 1))
  assert error_P.max() < 1e-4


def test_second_derivatives_and_forward_mode_of_chunked_are_those_of_the_reference():
  """A Hessian times a vector, forward over reverse mode."""
  _, *parameters, u = arguments(0, 1, 11)

  @functools.partial(jax.jit, static_argnums=0)
  def curvature(name, *arrays):
    def loss(g_P, c_P, u):
      y = oscillator_ssm(g_P, c_P, *parameters[2:], u, algorithm=name, chunk=4)
      return jnp.sum(y**4)

    return jax.jvp(jax.grad(loss, argnums=(0, 1, 2)), arrays, arrays)

  with jax.enable_x64(True):
    ours, exact = (curvature(name, *parameters[:2], u) for name in ('chunked', 'sequential'))
    assert_close(*jax.device_get((ours, exact)), 1e-10)


def test_pallas_refuses_what_its_kernel_has_no_rule_for():
  _, *parameters, u = arguments(0, 1, 4)
  loss = lambda u: jnp.sum(oscillator_ssm(*parameters, u, algorithm='pallas') ** 2)
  with pytest.raises(ValueError, match='differentiated twice: expected once at most'):
    jax.jit(jax.grad(lambda u: jnp.sum(jax.grad(loss)(u) ** 2))).lower(u)
  with pytest.raises(TypeError, match='forward-mode'):
    jax.jit(lambda u: jax.jvp(loss, (u,), (u,))).lower(u)


def test_pallas_takes_more_channels_than_a_block():
  arrays = arguments(2, 2, 13, oscillators=67)
  run = functools.partial(advance_oscillators, algorithm='pallas', reverse=True, chunk=4)
  with jax.enable_x64(True):
    assert_close(jax.device_get(jax.jit(run)(*arrays)), loop(*arrays, True), 1e-10)


@pytest.mark.parametrize(
  ('platform', 'kind', 'call'),
  [('cuda', 'NVIDIA H100 80GB HBM3', 'triton'), ('tpu', 'TPU v5e', 'tpu_custom_call')],
)
def test_the_pallas_kernels_lower_for_accelerators(platform, kind, call):
  """For a device that is not there: newer JAX wants to be told which."""
  arrays = [np.float32(a) for a in arguments(0, 1, 40, oscillators=67)[1:]]
  loss = lambda *a: jnp.sum(oscillator_ssm(*a, algorithm='pallas', chunk=16))
  device = AbstractDevice(kind, 1, 'gpu' if platform == 'cuda' else platform)
  mesh = AbstractMesh((1,), ('device',), (AxisType.Auto,), abstract_device=device)
  with use_abstract_mesh(mesh):
    traced = jax.jit(jax.grad(loss, argnums=(0, 5))).trace(*arrays)
    text = traced.lower(lowering_platforms=(platform,)).as_text()
  assert text.count(call) >= 4  # two passes each


def test_bfloat16_passes_through_a_float32_filter():
  *parameters, u = (jnp.asarray(a, jnp.float32) for a in arguments(0, 2, 31)[1:])
  run = jax.jit(functools.partial(oscillator_ssm, algorithm='chunked'))
  y = run(*parameters, u.astype(jnp.bfloat16))
  exact = run(*parameters, u.astype(jnp.bfloat16).astype(jnp.float32))
  assert y.dtype == jnp.bfloat16
  assert_close(np.float32(y), np.asarray(exact), 2.0**-8)  # one rounding, at the end


# ---- the pieces -------------------------------------------------------------


def matrices(r, theta):
  """s, and E in float64, from the small one of c and e."""
  g, c, e = coefficients(r, theta)
  s, k = np.where(c > e, -1, 1), np.minimum(c, e)
  return s, np.array([[-g, -k], [1 - g, -k]])


def test_deflated_powers_keep_the_digits_of_small_entries():
  """(I + E)^t - I to 1e-5 of each entry; squares of I + E in float32 lose 1e-2 and are why."""
  s_P, e_2x2xP = matrices(np.array([0.9995, 0.9995]), np.array([1e-3, np.pi - 1e-3]))
  e_2x2xP = np.float32(e_2x2xP)
  powers = np.asarray(jax.jit(deflated_powers, static_argnums=1)(e_2x2xP, 64))
  single = jax.jit(deflated_power, static_argnums=1)
  assert list(s_P) == [1, -1]
  for t in (1, 2, 3, 37, 64):
    full = np.linalg.matrix_power(np.eye(2) + e_2x2xP.transpose(2, 0, 1).astype(float), t)
    exact = (full - np.eye(2)).transpose(1, 2, 0)
    np.testing.assert_allclose(powers[:, :, t - 1], exact, rtol=1e-5)
    np.testing.assert_allclose(single(e_2x2xP, t), exact, rtol=1e-5)
  squared = np.float32(np.eye(2)) + e_2x2xP[..., 0]
  for _ in range(6):
    squared = squared @ squared
  exact = np.linalg.matrix_power(np.eye(2) + e_2x2xP[..., 0].astype(float), 64) - np.eye(2)
  assert np.abs((squared - np.eye(2)) / exact - 1).max() > 1e-4


@pytest.mark.parametrize('segments', [0, 1, 2, 5, 8])
def test_carry_is_a_loop_over_segments(segments):
  rng = np.random.default_rng(segments)
  s_P, e_2x2xP = matrices(*poles(0, 4))
  start, ends = rng.normal(size=(2, 4, 3)), rng.normal(size=(2, 4, 3, segments))
  states = [start]
  for i in range(segments):
    moved = s_P[:, None] * (states[-1] + np.einsum('ijp,jpb->ipb', e_2x2xP, states[-1]))
    states.append(moved + ends[..., i])
  with jax.enable_x64(True):
    values = jax.device_get(jax.jit(carry)(s_P.astype(float), e_2x2xP, start, ends))
  np.testing.assert_allclose(values, np.stack(states, axis=-1), rtol=1e-12, atol=1e-12)


def test_default_chunk_is_near_the_square_root():
  assert [default_chunk(n) for n in (1, 256, 257, 1024, 1025, 4096, 4097, 10**6)] == [
    *(16, 16, 32, 32, 64, 64, 128, 128)
  ]


# ---- the rule and the checks ------------------------------------------------


def test_auto_follows_its_table():
  single, double = np.dtype('float32'), np.dtype('float64')
  assert choose('gpu', 8, 1, 256, single) == 'sequential'
  assert choose('gpu', 8, 2048, 256, double) == 'fused'
  assert choose('cpu', 8, 2048, 256, single) == 'fused'
  assert choose('gpu', 8, 2048, 256, single) == choose('tpu', 1, 2, 4, single) == 'chunked'


def test_auto_runs_what_the_rule_names(monkeypatch):
  monkeypatch.setattr(jax, 'default_backend', lambda: 'gpu')
  arrays = [np.float32(a) for a in arguments(0, 1, 5)[1:]]
  text = str(jax.make_jaxpr(oscillator_ssm)(*arrays))
  assert text == str(
    jax.make_jaxpr(functools.partial(oscillator_ssm, algorithm='chunked'))(*arrays)
  )
  one = [*arrays[:-1], arrays[-1][:, :1]]
  assert 'scan' in str(jax.make_jaxpr(oscillator_ssm)(*one))


@pytest.mark.parametrize('chunk', [0, -3, 2.0, True, '8'])
def test_a_chunk_that_is_no_positive_integer_is_refused(chunk):
  with pytest.raises(ValueError, match=f'chunk is {chunk!r}: expected an integer of at least 1'):
    oscillator_ssm(*arguments(0, 1, 4)[1:], algorithm='chunked', chunk=chunk)


def test_an_empty_sequence_and_an_unknown_algorithm_are_refused():
  with pytest.raises(ValueError, match='the sequence has length 0: expected at least one token'):
    oscillator_ssm(*arguments(0, 1, 0)[1:])
  with pytest.raises(ValueError, match=r"'associative', 'auto', 'chunked', 'fft', .*'pallas'"):
    oscillator_ssm(*arguments(0, 1, 2)[1:], algorithm='fast')
