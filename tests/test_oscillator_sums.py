"""Sums of lines on a window, against quadrature of the closed-form susceptibilities."""

import jax
import numpy as np
import pytest
from scipy.integrate import quad

from experiments import dielectrics
from spectra_jax.physics import oscillator_sums

F, NU0, GAMMA = np.array([0.02, 0.01, 0.03]), np.array([450.0, 1700.0, 3400.0]), np.full(3, 20.0)
LOW, HIGH = 500.0, 4000.0


def float64(function, *args):
  with jax.enable_x64(True):
    return np.asarray(jax.jit(function)(*args))


def integrals(absorbed, low, high, points):
  """(2/pi) (int nu Im chi, int Im chi / nu)."""
  whole = lambda f: quad(f, low, high, points=points, limit=400, epsrel=1e-12)[0]
  both = whole(lambda x: x * absorbed(x)), whole(lambda x: absorbed(x) / x)
  return 2 / np.pi * np.array(both)


def test_a_window_holds_what_quadrature_finds():
  lines = F, NU0, GAMMA
  absorbed = lambda x: dielectrics.lorentz(x, *lines).imag.sum()
  exact = integrals(absorbed, LOW, HIGH, NU0[1:])
  inside = lambda f, n, g: oscillator_sums.of_oscillators_between(f, n, g, LOW, HIGH)
  np.testing.assert_allclose(float64(inside, *lines), exact, rtol=1e-10)
  single = jax.jit(inside)(*(v.astype(np.float32) for v in lines))
  np.testing.assert_allclose(single, exact, rtol=1e-6)
  whole = float64(oscillator_sums.of_oscillators, F, NU0)
  np.testing.assert_allclose(whole, [(F * NU0**2).sum(), F.sum()])
  part = lambda f, n, g: oscillator_sums.captured(f, n, g, LOW, HIGH)
  np.testing.assert_allclose(float64(part, *lines), exact / whole, rtol=1e-10)


def test_all_wavenumbers_hold_everything():
  part = lambda f, n, g: oscillator_sums.captured(f, n, g, 0.0, 1e12)
  np.testing.assert_allclose(float64(part, F, NU0, GAMMA * 30), 1, rtol=1e-8)


def test_the_window_gradient_is_that_of_finite_differences():
  total = lambda p: sum(oscillator_sums.of_oscillators_between(*p, LOW, HIGH))
  point = np.stack([F, NU0, GAMMA])
  slope = float64(jax.grad(total), point)
  for i in np.ndindex(3, 3):
    step = np.zeros((3, 3))
    step[i] = 1e-5 * point[i]
    change = float64(total, point + step) - float64(total, point - step)
    np.testing.assert_allclose(slope[i], change / (2 * step[i]), rtol=2e-5)


VOIGT = np.array([0.3, 0.1]), np.array([1650.0, 3950.0]), np.array([15.0, 60.0]), np.array([4.0, 1])


def test_voigt_lines_hold_what_quadrature_finds():
  absorbed = lambda x: dielectrics.voigt(x, *VOIGT).imag.sum()
  inside = integrals(absorbed, LOW, HIGH, [1600, 1650, 1700, 3700, 3950])
  whole = inside + integrals(absorbed, 1e-9, LOW, [1.0]) + integrals(absorbed, HIGH, 1e4, [4200])
  whole = whole + integrals(absorbed, 1e4, 1e9, [1e5, 1e6])
  found = oscillator_sums.captured_voigt(*VOIGT, LOW, HIGH)
  np.testing.assert_allclose(found, inside / whole, rtol=1e-7)


@pytest.mark.parametrize(('sigma', 'hwhm'), [(1e-3, 0.0), (0.1, 0.0), (40.0, 0.0)])
def test_gaussians_inside_the_window_are_held_whole(sigma, hwhm):
  found = oscillator_sums.captured_voigt([0.3], [1700.0], [sigma], [hwhm], LOW, HIGH)
  np.testing.assert_allclose(found, 1, rtol=1e-8)
  half = oscillator_sums.captured_voigt([0.3], [1700.0], [sigma], [hwhm], 1700.0, HIGH)
  np.testing.assert_allclose(half, 0.5, atol=0.5 * sigma / 1700)


def test_a_voigt_of_little_gaussian_width_is_a_lorentzian():
  nu0, gamma = np.array([480.0]), np.array([20.0])
  found = oscillator_sums.captured_voigt([1.0], np.sqrt(nu0**2 - 100), [0.01], [10.0], LOW, HIGH)
  part = lambda f, n, g: oscillator_sums.captured(f, n, g, LOW, HIGH)
  np.testing.assert_allclose(found, float64(part, np.ones(1), nu0, gamma), rtol=1e-6)


@pytest.mark.parametrize(
  ('call', 'words'),
  [
    (lambda: oscillator_sums.captured(F, NU0, GAMMA, 4000.0, 500.0), 'window is 4000.0 to 500.0'),
    (lambda: oscillator_sums.captured(F, NU0, 2 * NU0, LOW, HIGH), 'expected 0 <= gamma < 2 nu0'),
    (lambda: oscillator_sums.captured_voigt([1], [9], [0], [1], LOW, HIGH), 'expected nu0, sigma'),
    (lambda: oscillator_sums.captured_voigt([1], [9], [1], [1], -1, HIGH), 'expected 0 <= low'),
  ],
)
def test_bad_calls_are_refused_with_a_sentence(call, words):
  with pytest.raises(ValueError, match=words):
    call()
