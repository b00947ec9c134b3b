"""The Fourier neural operator is a convolution in cm^-1, whatever the tokens."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from spectra_jax.heads.transfer_operator import Head, Operator, SpectralConvolution
from tests.parameters import draw

PERIOD, MODES = 1600.0, 50  # cm^-1; 31 cm^-1 is the shortest wave


def gaussian(nu, centre, sigma):
  return np.exp(-0.5 * ((nu - centre) / sigma) ** 2) / (sigma * np.sqrt(2 * np.pi))


def convolved(nu, values, transfer):
  """y of one channel whose weights are the transfer function at the modes' retardations."""
  delta = np.arange(MODES) / PERIOD
  params = {
    'real': np.float32(transfer(delta).real)[:, None],
    'imaginary': np.float32(transfer(delta).imag)[:, None],
  }
  x = np.float32(values)[None, :, None]
  return SpectralConvolution(MODES, PERIOD).apply({'params': params}, x, nu)[0, :, 0]


@pytest.mark.parametrize('step', [3.0, 7.0, 14.0])
def test_weights_can_be_any_convolution_on_any_tokens(step):
  """exp(-2 pi^2 sigma^2 delta^2 - 2 pi i shift delta) broadens by sigma and moves by shift."""
  nu = np.arange(400.0, 1500.0, step)
  sigma, shift = 15.0, 33.0
  turn = lambda d: np.exp(-2 * (np.pi * sigma * d) ** 2 - 2j * np.pi * shift * d)
  y = convolved(nu, gaussian(nu, 900.0, 40.0), turn)
  want = gaussian(nu, 900.0 + shift, np.hypot(40.0, sigma))
  np.testing.assert_allclose(y, want, atol=2e-6 * want.max())


def test_it_closes_after_the_period():
  nu = np.arange(400.0, 1900.0, 10.0)
  y = convolved(nu, gaussian(nu, 1650.0, 40.0), lambda d: np.exp(-2j * np.pi * 550.0 * d))
  want = gaussian(nu, 2200.0 - PERIOD, 40.0)
  np.testing.assert_allclose(y, want, atol=2e-6 * want.max())


def axis(step):
  return np.arange(406.0, 1500.0, step)


def operator(blocks):
  module = Operator(outputs=1, width=4, blocks=blocks, modes=40, period_cm=PERIOD)
  variables = draw(lambda key, x: module.init(key, x, axis(14.0)), features(axis(14.0)))
  run = jax.jit(lambda x, step: module.apply(variables, x, axis(step)), static_argnums=1)
  return lambda step, x: np.asarray(run(np.float32(x), step))


def features(nu):
  return np.stack([gaussian(nu, c, 40.0) * 100 for c in (800.0, 950.0, 1100.0)], -1)[None]


def test_one_block_is_linear_and_two_are_not():
  x = features(axis(14.0))
  for blocks, linear in ((1, True), (2, False)):
    run = operator(blocks)
    effect = lambda x, run=run: run(14.0, x) - run(14.0, 0 * x)
    both = effect(x + 2 * x[..., ::-1])
    apart = effect(x) + 2 * effect(x[..., ::-1])
    assert (np.abs(both - apart).max() < 1e-4 * np.abs(both).max()) == linear


@pytest.mark.parametrize(('blocks', 'error'), [(1, 1e-5), (2, 0.03)])
def test_the_operator_is_one_function_of_wavenumber_on_any_tokens(blocks, error):
  """Exactly for features that fade before the ends; what biases make does not and is cut off."""
  run, x = operator(blocks), {step: features(axis(step)) for step in (7.0, 14.0)}
  y = {step: run(step, x[step]) for step in x}
  if blocks == 1:
    y = {step: y[step] - run(step, 0 * x[step]) for step in x}
  fine, coarse = y[7.0][:, ::2], y[14.0]
  np.testing.assert_allclose(coarse, fine, atol=error * np.abs(fine).max())


def test_the_instrument_to_imitate_changes_the_output():
  nu = np.arange(420.0, 1400.0, 14.0)
  head = Head(14.0, 2, width=4, modes=20, period_cm=PERIOD)
  x = jax.random.normal(jax.random.key(0), (2, len(nu), 3))
  known = jax.random.normal(jax.random.key(1), (2, 3))
  variables = draw(lambda key, x, z: head.init(key, x, nu, z, method='given'), x, known)
  run = jax.jit(lambda z: head.apply(variables, x, nu, z, method='given'))
  both, turned = run(known), run(known.at[0].set(known[1]))
  np.testing.assert_array_equal(both[1], turned[1])
  assert jnp.abs(both[0] - turned[0]).max() > 1e-3


@pytest.mark.parametrize(('period', 'modes'), [(900.0, 20), (PERIOD, 58), (PERIOD, 0)])
def test_a_short_period_and_too_many_modes_are_refused(period, modes):
  nu = np.arange(400.0, 1500.0, 14.0)
  layer = SpectralConvolution(modes, period)
  with pytest.raises(ValueError, match='expected a longer period than the axis and at most'):
    jax.eval_shape(lambda: layer.init(jax.random.key(0), np.zeros((1, len(nu), 2)), nu))
