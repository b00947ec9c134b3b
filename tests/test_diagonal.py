"""The diagonal recurrence against a loop written from its equations, and its paths against it."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spectra_jax.scan.diagonal import advance_diagonal
from tests.recurrences import assert_close, gradients, jitted, loss

ALGORITHMS = ('sequential', 'associative', 'fused')


def arguments(seed, batch, length, width=3, states=2):
  """(state, poles, b, c_out, d, u) in float64, poles r exp(i theta) with 0.8 < r < 1."""
  rng = np.random.default_rng(seed)
  normal = lambda *shape: rng.normal(size=shape) + 1j * rng.normal(size=shape)
  poles_P = rng.uniform(0.8, 1, states) * np.exp(1j * rng.uniform(-np.pi, np.pi, states))
  matrices = normal(states, width), normal(width, states), rng.normal(size=width)
  return normal(batch, states), poles_P, *matrices, rng.normal(size=(batch, length, width))


def loop(state_BxP, poles_P, b_PxD, c_out_DxP, d_D, u_BxLxD, reverse=False):
  """The equations, token by token in numpy."""
  x_BxP, y_BxLxD = state_BxP, np.zeros_like(u_BxLxD)
  tokens = range(u_BxLxD.shape[1])
  for n in reversed(tokens) if reverse else tokens:
    x_BxP = poles_P * x_BxP + np.einsum('pd,bd->bp', b_PxD, u_BxLxD[:, n])
    y_BxLxD[:, n] = np.einsum('dp,bp->bd', c_out_DxP, x_BxP).real + d_D * u_BxLxD[:, n]
  return x_BxP, y_BxLxD


@pytest.mark.parametrize(
  ('algorithm', 'chunk'),
  [('sequential', None), ('associative', None), ('fused', None), ('fused', 1), ('fused', 7)],
)
@given(seed=st.integers(0, 999), radius=st.floats(0, 1.001))
@settings(max_examples=8, deadline=None)
def test_every_algorithm_is_the_loop(algorithm, chunk, seed, radius):
  state, poles_P, *others = arguments(seed, 2, 23)
  arrays = (state, np.array([radius, 1]) * poles_P, *others)
  reverse = algorithm != 'sequential'
  with jax.enable_x64(True):
    found = jitted(advance_diagonal, *arrays, algorithm=algorithm, chunk=chunk, reverse=reverse)
  assert_close(found, loop(*arrays, reverse=reverse), 1e-10)


@pytest.mark.parametrize('algorithm', ALGORITHMS)
def test_one_token_is_the_loop(algorithm):
  arrays = arguments(0, 3, 1)
  with jax.enable_x64(True):
    assert_close(jitted(advance_diagonal, *arrays, algorithm=algorithm), loop(*arrays), 1e-12)


@pytest.mark.parametrize('reverse', [False, True])
def test_gradients_of_fused_are_those_of_the_reference(reverse):
  """By start state, poles, matrices and input, over equal chunks and a rest."""
  arrays = arguments(0, 2, 23)
  with jax.enable_x64(True):
    exact = gradients(advance_diagonal, arrays, algorithm='sequential', reverse=reverse)
    fused = gradients(advance_diagonal, arrays, algorithm='fused', reverse=reverse, chunk=6)
  assert_close(fused, exact, 1e-11)


def test_gradients_are_finite_differences():
  """Of the loop, by the real and the imaginary part of every pole and start state."""
  arrays = arguments(3, 2, 9)

  def value(arrays):
    state, y = loop(*arrays)
    weights = np.cos(np.arange(y.size)).reshape(y.shape)
    return np.sum(weights * y) + np.sum(np.abs(state) ** 2) + np.sum(np.sin(y))

  with jax.enable_x64(True):
    found = gradients(advance_diagonal, arrays, algorithm='fused', chunk=4)
  for i in (0, 1):
    for index in np.ndindex(arrays[i].shape):
      for unit, part in ((1, np.real), (1j, lambda z: -np.imag(z))):  # jax.grad is d/dr - i d/ds
        moved = [[a.copy() for a in arrays] for _ in range(2)]
        for sign, copy in zip((1, -1), moved, strict=True):
          copy[i][index] += sign * 1e-6 * unit
        slope = (value(moved[0]) - value(moved[1])) / 2e-6
        np.testing.assert_allclose(part(found[i][index]), slope, rtol=1e-6, atol=1e-6)


def test_impulse_response():
  """c pole^n b of a single state, from the first token or as the start state at pole^(n + 1)."""
  pole, n = 0.97 * np.exp(1.1j), np.arange(40)
  one = np.ones((1, 1), complex)
  rows = (np.array([pole]), 2 * one, 3j * one, np.zeros(1))
  impulse, silence = np.eye(1, 40)[:, :, None], np.zeros((1, 40, 1))
  with jax.enable_x64(True):
    _, y = jitted(advance_diagonal, None, *rows, impulse, algorithm='fused', chunk=8)
    end, free = jitted(advance_diagonal, one, *rows, silence, algorithm='fused', chunk=8)
  np.testing.assert_allclose(y[0, :, 0], (6j * pole**n).real, atol=1e-12)
  np.testing.assert_allclose(free[0, :, 0], (3j * pole ** (n + 1)).real, atol=1e-12)
  np.testing.assert_allclose(end, pole**40 * one, atol=1e-12)


@pytest.mark.parametrize('algorithm', ['associative', 'fused'])
@pytest.mark.parametrize('reverse', [False, True])
def test_pieces_that_hand_over_the_state_are_the_whole(algorithm, reverse):
  state, *parameters, u = arguments(1, 2, 21)
  end, whole = loop(state, *parameters, u, reverse=reverse)
  options = {'algorithm': algorithm, 'reverse': reverse, 'chunk': 4}
  pieces, outputs = np.split(u, 3, axis=1), []
  with jax.enable_x64(True):
    for piece in pieces[::-1] if reverse else pieces:
      state, y = jitted(advance_diagonal, state, *parameters, piece, **options)
      outputs.append(y)
  joined = np.concatenate(outputs[::-1] if reverse else outputs, axis=1)
  assert_close((state, joined), (end, whole), 1e-12)


def test_second_derivatives_of_fused_are_those_of_the_reference():
  arrays = arguments(0, 2, 8)

  def curvature(algorithm):
    inner = functools.partial(loss, advance_diagonal, algorithm=algorithm, chunk=4)

    def squared_gradient(*arrays):
      slopes = jax.grad(inner, argnums=tuple(range(6)))(*arrays)
      return sum(jnp.sum(jnp.abs(a) ** 2) for a in slopes)

    return jax.jit(jax.grad(squared_gradient, argnums=tuple(range(6))))(*arrays)

  with jax.enable_x64(True):
    fused, exact = jax.device_get((curvature('fused'), curvature('sequential')))
  assert_close(fused, exact, 1e-10)


def test_fused_refuses_forward_mode():
  *arrays, u = arguments(0, 1, 4)
  run = functools.partial(advance_diagonal, *arrays, algorithm='fused')
  with pytest.raises(TypeError, match='forward-mode'):
    jax.jvp(run, (u,), (u,))


def test_the_gradient_keeps_the_states_of_one_chunk_only():
  """Temporary bytes against those of all complex states of the sequence."""
  batch, length, states = 4, 256, 64
  arrays = [jnp.asarray(a) for a in arguments(0, batch, length, 4, states)]

  def temporary(algorithm):
    inner = functools.partial(loss, advance_diagonal, algorithm=algorithm, chunk=16)
    gradient = jax.jit(jax.grad(inner, argnums=(1, 2, 3, 5)))
    return gradient.lower(*arrays).compile().memory_analysis().temp_size_in_bytes

  everything = 8 * batch * length * states
  assert temporary('fused') < everything / 2
  assert temporary('sequential') > everything


@pytest.mark.parametrize('algorithm', ['associative', 'fused'])
def test_bfloat16_passes_through_a_float32_recurrence(algorithm):
  state, *parameters, u = arguments(0, 2, 31)
  u = jnp.asarray(u, jnp.bfloat16)
  end, y = jitted(advance_diagonal, state, *parameters, u, algorithm=algorithm)
  _, exact = jitted(
    advance_diagonal, state, *parameters, u.astype(jnp.float32), algorithm=algorithm
  )
  assert (y.dtype, end.dtype) == (jnp.bfloat16, np.complex64)
  assert_close([np.float32(y)], [exact], 2.0**-8)  # one rounding, at the end


def test_auto_is_one_of_the_others():
  arrays = arguments(0, 2, 9)
  chosen = 'fused' if jax.default_backend() == 'cpu' else 'associative'
  for value, same in zip(
    jitted(advance_diagonal, *arrays),
    jitted(advance_diagonal, *arrays, algorithm=chosen),
    strict=True,
  ):
    np.testing.assert_array_equal(value, same)


@pytest.mark.parametrize(
  ('option', 'sentence'),
  [
    ({'algorithm': 'fast'}, "unknown scan algorithm 'fast': expected one of"),
    ({'chunk': 0}, 'chunk is 0: expected an integer of at least 1'),
  ],
)
def test_bad_options_are_refused(option, sentence):
  with pytest.raises(ValueError, match=sentence):
    advance_diagonal(*arguments(0, 1, 2), **option)
