"""Tokeniser and head are functions of wavenumber: any grid, missing bands, no point index."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spectra_jax.heads.reconstruct import Head
from spectra_jax.physics.line_shapes import lorentz
from spectra_jax.tokenize import (
  Tokenizer,
  cubic_b_spline,
  dilated_spline,
  kernel_bank,
  resolution_features,
  spline_basis,
  token_positions,
  trapezoid_weights,
)

OPTIONS = {
  'width': 12,
  'kinds': 2,
  'step_cm': 14.0,
  'knots_per_step': 2,
  'kernel_cm': 84.0,
  'fourier_features': 4,
}


def grid(step, low=400.0, high=1800.0):
  return np.arange(low, high + step / 2, step)


def spectrum(nu):
  lines = [(620.0, 3.0), (1050.0, 10.0), (1062.0, 4.0), (1500.0, 6.0)]
  return np.sqrt(sum(a * np.asarray(lorentz(nu - c, 16.0)) for c, a in lines)).astype(np.float32)


def tokens_on(nu, visible=None, values=None):
  tokenizer = Tokenizer(**OPTIONS)
  visible = np.ones((1, len(nu)), bool) if visible is None else visible
  values = spectrum(nu)[None] if values is None else values
  kind = np.zeros(1, np.int32)
  params = tokenizer.init(
    jax.random.key(0), spectrum(grid(2.0))[None], np.ones((1, 701), bool), kind, grid(2.0)
  )
  return np.asarray(tokenizer.apply(params, values, visible, kind, nu)), params['params']


@given(st.floats(-5, 5))
def test_splines_sum_to_one(x):
  np.testing.assert_allclose(sum(cubic_b_spline(x - j) for j in range(-8, 9)), 1.0, rtol=1e-12)


@pytest.mark.parametrize('step', [1.0, 3.0, 3.519, 4.0])
def test_one_set_of_weights_on_any_grid(step):
  reference, _ = tokens_on(grid(2.0))
  other, _ = tokens_on(grid(step, high=1800.0))
  inner = slice(8, -8)  # whole kernels inside both axes
  error = np.abs(other - reference)[:, inner].max() / np.abs(reference).max()
  assert error < 5e-3


def test_uneven_grid_too():
  nu = np.cumsum(2.5 + 1.2 * np.sin(np.arange(560) / 40)) + 398
  reference, _ = tokens_on(grid(2.0))
  other, _ = tokens_on(nu[nu <= 1800])
  error = np.abs(other - reference)[:, 8:-8].max() / np.abs(reference).max()
  assert error < 1e-2


def test_lattice_convolution_is_the_kernel_sum_of_the_docstring():
  nu = grid(3.0)
  tokens, params = tokens_on(nu)
  spacing, half = 7.0, 6
  w_KxD = params['kernel']['kernel'][: 2 * half + 1]  # the half that reads values
  v_KxD = params['kernel']['kernel'][2 * half + 1 :]  # the half that reads visibility
  nu_T = token_positions(nu, 14.0)
  t = 50
  basis_LxK = spline_basis(nu, nu_T[t] + (np.arange(13) - half) * spacing, spacing)
  dnu = trapezoid_weights(nu) / spacing
  kernel = ((spectrum(nu) * dnu) @ basis_LxK) @ w_KxD + (dnu @ basis_LxK) @ v_KxD
  hidden, _ = tokens_on(nu, np.zeros((1, len(nu)), bool))
  np.testing.assert_allclose(tokens[0, t] - hidden[0, t], kernel, atol=2e-5)


def test_hidden_values_do_not_matter_at_all():
  nu = grid(2.0)
  visible = (nu < 900) | (nu > 1100)
  loud = np.where(visible, spectrum(nu), np.nan)[None].astype(np.float32)
  seen, _ = tokens_on(nu, visible[None])
  with_nan, _ = tokens_on(nu, visible[None], loud)
  np.testing.assert_array_equal(seen, with_nan)


def test_a_cut_axis_is_an_axis_with_a_missing_band():
  """Tokens far from the cut are the same whether the far end is masked or absent."""
  nu, short = grid(2.0), grid(2.0, high=1200.0)
  masked, _ = tokens_on(nu, (nu <= 1200)[None])
  cut, _ = tokens_on(short)
  keep = token_positions(short, 14.0) < 1200 - 100
  np.testing.assert_allclose(cut[:, keep], masked[:, : len(keep)][:, keep], atol=1e-6)


def test_head_is_a_function_of_wavenumber():
  head = Head(step_cm=14.0, knots_per_step=2)
  x_BxTxD = jax.random.normal(jax.random.key(1), (2, len(token_positions(grid(2.0), 14.0)), 12))
  params = head.init(jax.random.key(0), x_BxTxD, grid(2.0))
  fine, coarse = (np.asarray(head.apply(params, x_BxTxD, grid(s))) for s in (2.0, 4.0))
  np.testing.assert_allclose(fine[:, ::2], coarse, atol=1e-5)


def test_too_coarse_a_grid_is_refused():
  with pytest.raises(ValueError, match=r'axis step is 5 cm.*knot every 7 .*at most 4\.67'):
    tokens_on(grid(5.0))


@settings(max_examples=10, deadline=None)
@given(st.integers(-300, 300))
def test_shifting_axis_and_spectrum_by_tokens_shifts_tokens(shift):
  """Apart from the wavenumber encoding, translation by whole token steps changes nothing."""
  tokenizer = Tokenizer(**OPTIONS)
  nu = grid(2.0)
  args = (spectrum(nu)[None], np.ones((1, len(nu)), bool), np.zeros(1, np.int32))
  params = tokenizer.init(jax.random.key(0), *args, nu)
  params = jax.tree.map(jnp.asarray, params)
  params['params']['wavenumber'] = jax.tree.map(jnp.zeros_like, params['params']['wavenumber'])
  here = tokenizer.apply(params, *args, nu)
  there = tokenizer.apply(params, *args, nu + 14.0 * shift)
  np.testing.assert_allclose(here, there, atol=2e-5)


@pytest.mark.parametrize('level', [0, 1, 3])
def test_wide_splines_are_made_of_narrow_ones(level):
  h, x = dilated_spline(level), np.linspace(-20, 20, 401)
  places = np.arange(len(h)) - len(h) // 2
  made = sum(weight * cubic_b_spline(x - place) for weight, place in zip(h, places, strict=True))
  np.testing.assert_allclose(made, cubic_b_spline(x / 2**level), atol=1e-12)


@pytest.mark.parametrize(('half', 'levels'), [(2, 1), (8, 2), (32, 4)])
def test_banks_are_dyadic_and_wavelets_see_no_straight_line(half, levels):
  knots = np.arange(-half, half + 1)
  splines, wavelets = kernel_bank('dilated', half), kernel_bank('wavelet', half)
  assert splines.shape == (2 * half + 1, 5 * levels)
  assert wavelets.shape == (2 * half + 1, 3 * levels + 2)
  # A spline's integral and first moment are those of its knot, so sums over knots are integrals.
  for line in (np.ones(len(knots)), knots):
    np.testing.assert_allclose(line @ wavelets[:, : 3 * levels], 0, atol=1e-12)
  np.testing.assert_array_equal(wavelets[:, -2:], splines[:, [-4, -2]])
  np.testing.assert_allclose(splines[:, 2::5], splines[::-1, 2::5])
  assert np.linalg.matrix_rank(wavelets) == 3 * levels + 2
  widths = [np.abs(knots[column != 0]).max() for column in splines[:, 4::5].T]
  assert widths == [4 * 2**level - 2 for level in range(levels)]
  np.testing.assert_array_equal(kernel_bank('spline', half), np.eye(2 * half + 1))


def test_resolution_says_what_the_grid_does_not_resolve():
  fwhm = np.float32([0, 16, 32, 4])
  fine, coarse = (np.asarray(resolution_features(fwhm, grid(step))) for step in (2.0, 8.0))
  np.testing.assert_array_equal(fine[:, 0], [0, 1, 1, 1])
  np.testing.assert_array_equal(fine[:, 1], [0, 0, 1, -2])
  np.testing.assert_array_equal(fine[:, 2], 0)
  np.testing.assert_array_equal(coarse[:, 2], [0, 0, 0, 2])


def test_a_kernel_too_narrow_for_a_bank_is_refused():
  with pytest.raises(ValueError, match=r'a wavelet kernel has 3 knots, expected at least 5'):
    kernel_bank('wavelet', 1)
