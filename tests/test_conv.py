"""The convolutional backbone: its widths in cm^-1, its symmetries, its block."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spectra_jax.backbones.conv import Backbone, Convolution, taps, token_step
from tests.parameters import draw

NU = np.arange(40) * 14.0 + 406.0


def tokens():
  return jax.random.normal(jax.random.key(0), (2, 40, 6))


@functools.cache
def backbone(step_cm=14.0, **fields):
  """(apply(variables, x), variables) in evaluation mode, with 5 taps at 14 cm^-1."""
  module = Backbone(**{'blocks': 1, 'kernel_cm': 70.0, **fields})
  nu = np.arange(40) * step_cm + 406.0
  variables = draw(lambda key, x: module.init(key, x, nu, None, False), tokens())
  return jax.jit(lambda v, x: module.apply(v, x, nu, None, False)), variables


def moved(apply, variables, token=20):
  """Tokens of the output that a change of one token of the input moves, relative to it."""
  x = tokens()
  change = np.abs(apply(variables, x.at[:, token].add(1.0)) - apply(variables, x)).max((0, 2))
  return np.flatnonzero(change > 1e-6) - token


@given(kernel_cm=st.floats(0.1, 500), step_cm=st.floats(0.5, 50))
@settings(max_examples=60, deadline=None)
def test_no_odd_number_of_taps_is_nearer(kernel_cm, step_cm):
  found = taps(kernel_cm, step_cm)
  odd = np.arange(1, 1003, 2)
  assert found in odd
  assert abs(found - kernel_cm / step_cm) <= np.abs(odd - kernel_cm / step_cm).min() + 1e-9


@given(step_cm=st.floats(0.01, 100), start=st.floats(0, 1e4), down=st.booleans())
@settings(max_examples=40, deadline=None)
def test_token_step_of_an_even_axis(step_cm, start, down):
  nu = start + step_cm * np.arange(50)
  np.testing.assert_allclose(token_step(nu[::-1] if down else nu), step_cm, rtol=1e-6)


def test_block_is_its_formula():
  """x + GLU(GELU(conv(RMSNorm(x)))) in float64 from the backbone's parameters."""
  apply, variables = backbone()
  p = jax.tree.map(np.float64, variables['params']['block_0'])
  x = np.float64(tokens())
  u = x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-6) * p['norm']['scale']
  y = np.zeros_like(x) + p['forward']['bias']
  for t in range(40):
    for k in range(5):
      if 0 <= t + k - 2 < 40:
        y[:, t] += u[:, t + k - 2] @ p['forward']['kernel'][k]
  y = 0.5 * y * (1 + np.tanh(np.sqrt(2 / np.pi) * (y + 0.044715 * y**3)))
  value, gate = np.split(y @ p['glu']['kernel'] + p['glu']['bias'], 2, axis=-1)
  np.testing.assert_allclose(apply(variables, tokens()), x + value / (1 + np.exp(-gate)), atol=2e-5)


@pytest.mark.parametrize('depthwise', [True, False])
def test_a_block_reaches_half_its_kernel_to_either_side(depthwise):
  apply, variables = backbone(depthwise=depthwise)
  np.testing.assert_array_equal(moved(apply, variables), np.arange(-2, 3))


def test_the_reach_in_wavenumbers_does_not_depend_on_the_token_step():
  for step_cm, half in ((14.0, 2), (7.0, 4)):  # 5 taps; 70 / 7 = 10 lies between 9 and 11
    found = moved(*backbone(step_cm=step_cm))
    np.testing.assert_array_equal(found, np.arange(-half, half + 1))


def test_dilations_are_cycled_over_the_blocks():
  found = moved(*backbone(blocks=3, dilations=(1, 3)))
  np.testing.assert_array_equal(found, np.arange(-10, 11))  # 2 + 6 + 2
  found = moved(*backbone(dilations=(3,)))
  np.testing.assert_array_equal(found, [-6, -3, 0, 3, 6])


def test_one_direction_is_causal():
  np.testing.assert_array_equal(moved(*backbone(bidirectional=False)), np.arange(5))


def test_shifted_tokens_shift_the_output():
  apply, variables = backbone(blocks=2)
  x = tokens().at[:, :6].set(0).at[:, 30:].set(0)
  y, later = apply(variables, x), apply(variables, jnp.roll(x, 4, axis=1))
  np.testing.assert_allclose(later[:, 8:36], y[:, 4:32], atol=1e-6)


@pytest.mark.parametrize('causal', [True, False])
def test_the_reverse_layer_is_the_mirror_image(causal):
  make = functools.partial(Convolution, 3, 2, False, causal, 'auto', 'auto')
  x = tokens()
  variables = draw(lambda key: make(False).init(key, None, x, method='advance'))

  @jax.jit
  def both(x):
    run = lambda reverse, x: make(reverse).apply(variables, None, x, method='advance')[1]
    return run(True, x), run(False, x[:, ::-1])[:, ::-1]

  reverse, mirrored = both(x)
  np.testing.assert_allclose(reverse, mirrored, atol=1e-6)


def test_bfloat16_activations_and_float32_parameters():
  apply, variables = backbone()
  x = tokens().astype(jnp.bfloat16)
  y, exact = apply(variables, x), np.asarray(apply(variables, x.astype(jnp.float32)))
  assert y.dtype == jnp.bfloat16
  assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {np.dtype('float32')}
  assert np.abs(np.float32(y) - exact).max() < 0.03 * np.abs(exact).max()


@pytest.mark.parametrize(
  ('fields', 'nu', 'sentence'),
  [
    ({}, None, 'nu_L is None, expected the wavenumbers of two tokens or more'),
    ({}, NU[:1], 'expected the wavenumbers of two tokens or more'),
    ({}, NU**2, 'the tokens are 11564 to 26460 cm.* apart, expected one spacing'),
    ({'kernel_cm': 0.0}, NU, 'kernel_cm is 0.0 cm.* expected a positive width'),
    ({'dilations': ()}, NU, r'dilations is \(\), expected one token distance or more'),
    ({'dilations': (0,)}, NU, 'dilation is 0, expected a whole number'),
    ({'forward': 'fft'}, NU, "unknown convolution algorithm 'fft'"),
  ],
)
def test_faults_are_refused(fields, nu, sentence):
  with pytest.raises(ValueError, match=sentence):
    jax.eval_shape(
      lambda x: Backbone(**fields).init(jax.random.key(0), x, nu, None, False), tokens()
    )
