"""Shapes of unit area and stated width; broadening is linear and goes to the closed form."""

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import fftconvolve

from spectra_jax.physics.line_shapes import SHAPES, broaden, gauss, lorentz, voigt

WIDE = np.arange(-1e5, 1e5, 0.5)


def widths_of(shape, fwhm):
  return (fwhm, 0.5 * fwhm) if shape == 'voigt' else (fwhm,)


@pytest.mark.parametrize('shape', SHAPES)
@pytest.mark.parametrize('fwhm', [4.0, 16.0])
def test_unit_area(shape, fwhm):
  with jax.enable_x64(True):
    line = np.asarray(SHAPES[shape](WIDE, *widths_of(shape, fwhm)))
  tail = 0.0 if shape == 'gauss' else fwhm / np.pi / 1e5  # of the Lorentz wings outside
  assert abs(line.sum() * 0.5 + tail - 1) < 1e-6


@given(st.floats(1.0, 100.0))
@settings(max_examples=20, deadline=None)
def test_half_maximum_is_at_half_the_width(fwhm):
  for shape in (lorentz, gauss):
    np.testing.assert_allclose(shape(fwhm / 2, fwhm) / shape(0.0, fwhm), 0.5, rtol=1e-5)


def test_voigt_tends_to_its_two_limits():
  x = np.linspace(-60, 60, 241)
  with jax.enable_x64(True):
    np.testing.assert_allclose(voigt(x, 1e-9, 16.0), gauss(x, 16.0), atol=1e-8)
    np.testing.assert_allclose(voigt(x, 16.0, 1e-3), lorentz(x, 16.0), rtol=1e-6)


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
