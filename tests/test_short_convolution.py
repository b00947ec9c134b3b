"""All convolution algorithms and their derivatives against the sums they stand for."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from spectra_jax.short_convolution import ALGORITHMS, convolve

PATHS = [(a, dense) for dense in (True, False) for a in ALGORITHMS[1:] if dense or a != 'im2col']
TERMS = {3: ('bd,de->be', 'be,de->bd', 'bd,be->de'), 2: ('bd,d->bd', 'bd,d->bd', 'bd,bd->d')}


def arrays(dense, length=37, taps=5):
  """x [2, L, 3], the kernel, and a cotangent of the output, in float64."""
  rng = np.random.default_rng(0)
  x, kernel = rng.standard_normal((2, length, 3)), rng.standard_normal((taps, 3, 4))
  kernel = kernel if dense else kernel[..., 0]
  return x, kernel, rng.standard_normal((2, length, kernel.shape[-1]))


def oracle(x, kernel, g, dilation, before):
  """y, dL/dx and dL/dw for dL/dy = g, term by term."""
  forward, by_x, by_kernel = TERMS[kernel.ndim]
  y, gx, gw = np.zeros_like(g), np.zeros_like(x), np.zeros_like(kernel)
  for t in range(x.shape[1]):
    for k, tap in enumerate(kernel):
      s = t + k * dilation - before
      if 0 <= s < x.shape[1]:
        y[:, t] += np.einsum(forward, x[:, s], tap)
        gx[:, s] += np.einsum(by_x, g[:, t], tap)
        gw[k] += np.einsum(by_kernel, x[:, s], g[:, t])
  return y, gx, gw


@pytest.mark.parametrize(('algorithm', 'dense'), PATHS)
@pytest.mark.parametrize(('length', 'dilation', 'before'), [(66, 3, 5), (3, 2, 8)])
def test_every_path_is_the_sum(algorithm, dense, length, dilation, before):
  options = {'dilation': dilation, 'before': before, 'forward': algorithm, 'gradient': algorithm}

  @jax.jit
  def ours(x, kernel, g):
    y, pull_back = jax.vjp(functools.partial(convolve, **options), x, kernel)
    return y, *pull_back(g)

  inputs = arrays(dense, length)
  with jax.enable_x64(True):
    values = jax.device_get(ours(*inputs))
  for value, exact in zip(values, oracle(*inputs, dilation, before), strict=True):
    np.testing.assert_allclose(value, exact, atol=1e-11)


@pytest.mark.parametrize(('algorithm', 'dense'), PATHS)
def test_second_derivatives_are_those_of_the_library_convolution(algorithm, dense):
  x, kernel, _ = arrays(dense, 11, 3)
  ours = functools.partial(convolve, dilation=2, before=1, forward=algorithm, gradient=algorithm)

  def library(x, kernel):
    kernel = kernel if dense else kernel[:, None]
    options = {'feature_group_count': 1 if dense else 3, 'rhs_dilation': (2,)}
    numbers = ('NWC', 'WIO', 'NWC')
    return lax.conv_general_dilated(x, kernel, (1,), [(1, 3)], dimension_numbers=numbers, **options)

  def curvature(function):
    gradient = jax.grad(lambda *both: jnp.sum(function(*both) ** 4), (0, 1))
    norm = lambda *both: sum(jnp.sum(leaf**2) for leaf in gradient(*both))
    return jax.grad(norm, (0, 1))(x, kernel)

  with jax.enable_x64(True):
    values, exacts = jax.device_get(jax.jit(lambda: (curvature(ours), curvature(library)))())
  for value, exact in zip(values, exacts, strict=True):
    np.testing.assert_allclose(value, exact, atol=1e-10 * np.abs(exact).max())


def library_convolutions(dense, **options):
  """How many there are in the forward pass, and how many both gradients add."""
  x, kernel, g = (np.float32(a) for a in arrays(dense))
  run = functools.partial(convolve, **options)
  back = lambda x, kernel, g: jax.vjp(run, x, kernel)[1](g)
  count = lambda f, *inputs: str(jax.make_jaxpr(f)(*inputs)).count('= conv_general_dilated')
  forward = count(run, x, kernel)
  return forward, count(back, x, kernel, g) - forward


@pytest.mark.parametrize('dense', [True, False])
def test_forward_and_gradient_are_chosen_apart(dense):
  assert library_convolutions(dense, forward='lax', gradient='shifted') == (1, 0)
  assert library_convolutions(dense, forward='shifted', gradient='lax') == (0, 2)


def test_auto_takes_the_library_except_for_a_depthwise_kernel_on_a_cpu(monkeypatch):
  assert library_convolutions(False) == (0, 0)
  assert library_convolutions(True) == (1, 2)
  monkeypatch.setattr(jax, 'default_backend', lambda: 'gpu')
  assert library_convolutions(False) == (1, 2)


@pytest.mark.parametrize(('algorithm', 'dense'), PATHS)
def test_bfloat16_sums_in_float32(algorithm, dense):
  x, kernel, _ = (jnp.bfloat16(a) for a in arrays(dense, 20, 9))
  run = jax.jit(functools.partial(convolve, forward=algorithm))
  y, exact = run(x, kernel), run(np.float32(x), np.float32(kernel))
  assert y.dtype == jnp.bfloat16
  np.testing.assert_array_equal(y, exact.astype(jnp.bfloat16))


@pytest.mark.parametrize(
  ('shape', 'options', 'sentence'),
  [
    ((5, 3), {'forward': 'fft'}, "unknown convolution algorithm 'fft': expected .*set `forward`"),
    ((5, 3), {'gradient': 'fft'}, 'set `gradient` to one of them'),
    ((5, 3), {'gradient': 'im2col'}, "`gradient` is 'im2col' for a depthwise kernel"),
    ((5, 4), {}, r'the kernel is \(5, 4\) for an input of 3 channels'),
    ((5,), {}, r'the kernel is \(5,\) for an input of 3 channels'),
    ((5, 3), {'dilation': 0}, 'dilation is 0, expected a whole number'),
    ((5, 3), {'dilation': 2, 'before': 9}, 'before is 9 tokens, expected 0 to 8'),
    ((5, 3), {'before': -1}, 'before is -1 tokens, expected 0 to 4'),
  ],
)
def test_faults_are_refused(shape, options, sentence):
  with pytest.raises(ValueError, match=sentence):
    convolve(jnp.zeros((1, 8, 3)), jnp.zeros(shape), **options)
