"""Shapes of unit area and stated width; broadening is linear and goes to the closed form."""

import jax
import numpy as np
import pytest
import scipy.special
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import fftconvolve

from spectra_jax.physics import line_shapes
from spectra_jax.physics.line_shapes import SHAPES, broaden, gauss, lorentz

WIDE = np.arange(-5e4, 5e4, 0.5)
JITTED = {name: jax.jit(shape) for name, shape in SHAPES.items()}
voigt = JITTED['voigt']
SLOPES = jax.jit(jax.vmap(jax.grad(line_shapes.voigt, (0, 1, 2)), (0, None, None)))


def widths_of(shape, fwhm):
  return (fwhm, 0.5 * fwhm) if shape == 'voigt' else (fwhm,)


@pytest.mark.parametrize('shape', SHAPES)
@pytest.mark.parametrize('fwhm', [4.0, 16.0])
def test_unit_area(shape, fwhm):
  with jax.enable_x64(True):
    line = np.asarray(JITTED[shape](WIDE, *widths_of(shape, fwhm)))
  tail = 0.0 if shape == 'gauss' else fwhm / np.pi / 5e4  # of the Lorentz wings outside
  assert abs(line.sum() * 0.5 + tail - 1) < 1e-6


@given(st.floats(1.0, 100.0))
@settings(max_examples=20, deadline=None)
def test_half_maximum_is_at_half_the_width(fwhm):
  for shape in (lorentz, gauss):
    np.testing.assert_allclose(shape(fwhm / 2, fwhm) / shape(0.0, fwhm), 0.5, rtol=1e-5)


def test_voigt_has_its_two_limits_exactly():
  x = np.linspace(-60, 60, 241)
  with jax.enable_x64(True):
    np.testing.assert_allclose(voigt(x, 0.0, 16.0), gauss(x, 16.0), atol=1e-16)
    np.testing.assert_allclose(voigt(x, 16.0, 0.0), lorentz(x, 16.0), rtol=1e-14)
  found = voigt(x.astype(np.float32), np.float32(16), np.float32(0))
  np.testing.assert_allclose(found, lorentz(x, 16.0), rtol=1e-6)


@pytest.mark.parametrize(('lorentz_fwhm', 'gauss_fwhm'), [(8.0, 12.0), (2.0, 20.0), (16.0, 0.0)])
def test_voigt_is_scipys_and_its_float32_gradients_are_those_of_float64(lorentz_fwhm, gauss_fwhm):
  x = np.float32([0.0, 1.0, 7.0, 30.0, 300.0, 3000.0])
  widths = lorentz_fwhm, gauss_fwhm
  with jax.enable_x64(True):
    exact = SLOPES(x.astype(np.float64), *map(np.float64, widths))
  sigma = gauss_fwhm / line_shapes.FWHM_OVER_SIGMA
  truth = scipy.special.voigt_profile(x.astype(np.float64), sigma, lorentz_fwhm / 2)
  np.testing.assert_allclose(voigt(x, *map(np.float32, widths)), truth, rtol=5e-6)
  for found, want in zip(SLOPES(x, *map(np.float32, widths)), exact, strict=True):
    np.testing.assert_allclose(found, want, rtol=2e-5, atol=1e-7 * truth.max())
    assert (np.sign(found) == np.sign(want)).all()


def test_voigt_widths_and_the_formula_for_them():
  for a, b in ((10.0, 10.0), (1.0, 30.0), (30.0, 1.0), (7.0, 0.0)):
    with jax.enable_x64(True):
      full = float(line_shapes.voigt_fwhm(a, b))
      peak, half = map(float, voigt(np.array([0.0, full / 2]), a, b))
    assert abs(half / peak - 0.5) < 3e-4


def test_voigt_is_the_convolution_of_its_parts():
  x = np.arange(-3000, 3000.1, 0.5)
  with jax.enable_x64(True):
    parts = fftconvolve(gauss(x, 12.0), lorentz(x, 8.0), 'same') * 0.5
    whole = np.asarray(voigt(x, 8.0, 12.0))
  middle = np.abs(x) < 500
  np.testing.assert_allclose(parts[middle], whole[middle], rtol=2e-3, atol=1e-9)


def test_broadening_is_the_sum_over_lines_and_ignores_padding():
  axis = np.linspace(400, 4000, 512, dtype=np.float32)
  position = np.array([[1000.0, 1700.0, 0.0]], np.float32)
  intensity = np.array([[3.0, 0.5, 0.0]], np.float32)
  made = broaden(position, intensity, axis, shape='lorentz', widths=(16.0,))
  want = 3.0 * lorentz(axis - 1000.0, 16.0) + 0.5 * lorentz(axis - 1700.0, 16.0)
  np.testing.assert_allclose(made[0], want, rtol=1e-6)


# ---- asymmetric -------------------------------------------------------------

X = np.linspace(-400, 400, 4001)
asymmetric, fano = jax.jit(line_shapes.asymmetric), jax.jit(line_shapes.fano)


def test_the_sigmoidal_width_is_the_published_one():
  with jax.enable_x64(True):
    found = line_shapes.sigmoidal_width(X, 20.0, 0.05)
  np.testing.assert_allclose(found, 2 * 20.0 / (1 + np.exp(0.05 * X)), rtol=1e-13)


def test_without_asymmetry_it_is_the_pseudo_voigt():
  with jax.enable_x64(True):
    found = np.asarray(asymmetric(X, 20.0, 0.0, 0.3))
    np.testing.assert_allclose(found, 0.3 * lorentz(X, 20.0) + 0.7 * gauss(X, 20.0), rtol=1e-13)


def test_an_asymmetric_line_mirrors_with_its_sign_and_leans_low():
  with jax.enable_x64(True):
    low, high = (np.asarray(asymmetric(X, 20.0, a, 0.5)) for a in (0.05, -0.05))
  np.testing.assert_allclose(low, high[::-1], rtol=1e-12)
  assert (X * low).sum() < 0


@pytest.mark.parametrize(('fraction', 'area'), [(0.0, (1.010, 1.024)), (1.0, (0.989, 0.966))])
def test_areas_of_asymmetric_lines_are_as_documented(fraction, area):
  with jax.enable_x64(True):
    for a, want in zip((0.05, 0.1), area, strict=True):
      line = np.asarray(asymmetric(WIDE / 10, 10.0, a, fraction))
      tail = fraction * 10.0 / np.pi / 5e3
      assert abs(line.sum() * 0.05 + tail - want) < 6e-4


def test_asymmetric_lines_have_finite_gradients_where_the_width_is_gone():
  slope = jax.jit(jax.vmap(jax.grad(line_shapes.asymmetric, (0, 1, 2, 3)), (0, None, None, None)))
  for a in (10.0, -10.0):
    for found in slope(X.astype(np.float32), 20.0, a, 0.5):
      assert np.isfinite(found).all()


@pytest.mark.parametrize('q', [-3.0, -1.0, 0.0, 0.4, 20.0])
def test_fano_is_the_ratio_with_its_background(q):
  e = X / 10.0
  with jax.enable_x64(True):
    found = 1 + np.pi / 2 * 20.0 * (q * q + 1) * np.asarray(fano(X, 20.0, q))
  np.testing.assert_allclose(found, (q + e) ** 2 / (1 + e**2), atol=1e-12 * (1 + q * q))
  tails = 20.0 / np.pi / 400 * (q * q - 1) / (q * q + 1)
  area = np.trapezoid((found - 1) / (np.pi / 2 * 20.0 * (q * q + 1)), X)
  assert abs(area + tails - (q * q - 1) / (q * q + 1)) < 1e-4
