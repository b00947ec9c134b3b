"""The FFT convolution against the sum it stands for, and its adjoint against itself in reverse."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spectra_jax.scan.convolution import causal_convolution

convolve = jax.jit(causal_convolution, static_argnames='reverse')


def direct(k_DxK, u_BxTxD, reverse):
  """y_t = sum_j k_j u_{t-j}, or u_{t+j} if reverse, as the double loop it is."""
  y_BxTxD, tokens = np.zeros_like(u_BxTxD), u_BxTxD.shape[1]
  for t in range(tokens):
    for j in range(k_DxK.shape[1]):
      source = t + j if reverse else t - j
      if 0 <= source < tokens:
        y_BxTxD[:, t] += k_DxK[:, j] * u_BxTxD[:, source]
  return y_BxTxD


def draw(tokens, taps, seed=0):
  rng = np.random.default_rng(seed)
  return rng.standard_normal((3, taps)), rng.standard_normal((2, tokens, 3))


@given(shape=st.sampled_from([(1, 1), (1, 5), (7, 7), (13, 4), (16, 16)]), seed=st.integers(0, 99))
@settings(max_examples=15, deadline=None)
@pytest.mark.parametrize('reverse', [False, True])
def test_equals_the_double_sum(reverse, shape, seed):
  k, u = draw(*shape, seed)
  with jax.enable_x64(True):
    y = jax.device_get(convolve(k, u, reverse=reverse))
  np.testing.assert_allclose(y, direct(k, u, reverse), atol=1e-13)


@pytest.mark.parametrize('reverse', [False, True])
def test_float32_error_is_that_of_rounding(reverse):
  k, u = (a.astype(np.float32) for a in draw(257, 257))
  y = np.asarray(convolve(k, u, reverse=reverse))
  exact = direct(*(a.astype(np.float64) for a in (k, u)), reverse)
  assert y.dtype == np.float32
  assert np.abs(y - exact).max() < 1e-6 * np.abs(exact).max()


def test_nothing_wraps_around():
  k, u = np.zeros((1, 9), np.float32), np.zeros((1, 9, 1), np.float32)
  k[0, 8], u[0, 8] = 1, 1
  assert np.abs(convolve(k, u)).max() < 1e-7
  u[0, 8], u[0, 0] = 0, 1
  np.testing.assert_allclose(convolve(k, u)[0, :, 0], np.eye(9)[8], atol=1e-7)


@pytest.mark.parametrize('reverse', [False, True])
def test_the_gradient_by_the_input_is_the_convolution_the_other_way(reverse):
  (k, u), (_, w) = draw(12, 5), draw(12, 5, seed=1)
  with jax.enable_x64(True):
    run = functools.partial(causal_convolution, k, reverse=reverse)
    (gradient,) = jax.jit(lambda u, w: jax.vjp(run, u)[1](w))(u, w)
    np.testing.assert_allclose(gradient, convolve(k, w, reverse=not reverse), atol=1e-13)


def test_bfloat16_input_is_summed_in_float32():
  k, u = draw(40, 40)
  narrow = jnp.asarray(u, jnp.bfloat16)
  y = convolve(np.float32(k), narrow)
  assert y.dtype == jnp.bfloat16
  exact = convolve(np.float32(k), narrow.astype(jnp.float32))
  np.testing.assert_array_equal(y, exact.astype(jnp.bfloat16))


def test_a_kernel_of_other_channels_is_refused():
  k, u = draw(4, 4)
  with pytest.raises(ValueError, match='kernel has 2 channels, expected 3 as the input has'):
    causal_convolution(k[:2], u)
