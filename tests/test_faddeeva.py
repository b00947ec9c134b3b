"""The Faddeeva function and the smeared pole against scipy, quadrature and their own equations."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import wofz

from spectra_jax.physics.faddeeva import faddeeva, smeared_pole

VALUE = jax.jit(faddeeva)
FIRST = jax.grad(faddeeva, holomorphic=True)
SECOND = jax.grad(FIRST, holomorphic=True)
DERIVATIVES = jax.jit(jax.vmap(lambda z: (FIRST(z), SECOND(z))))


def upper_half_plane(size, seed):
  """Numbers of float32 precision, |z| from 1e-4 to 1e5, many on and next to the real axis."""
  rng = np.random.default_rng(seed)
  radius = np.concatenate([10 ** rng.uniform(-4, 5, size), rng.uniform(0, 8, size)])
  angle = rng.uniform(0, np.pi, 2 * size)
  angle[::3] *= 10 ** rng.uniform(-9, 0, len(angle[::3]))
  angle[::7] = 0
  z = (radius * np.exp(1j * angle)).astype(np.complex64)
  return (np.abs(z.imag) * 1j + z.real).astype(np.complex64)


Z = upper_half_plane(6000, 0)
EXACT = wofz(Z.astype(np.complex128))


def relative(found, exact):
  return (np.abs(np.asarray(found) - exact) / np.abs(exact)).max()


def derivatives_of_the_integral(z, order):
  """w^(n) = (i/pi) (-1)^n n! int exp(-t^2) / (z - t)^(n+1) dt along Im t = -1.5: trapezoid sum.

  An oracle with no cancellation anywhere, which 2 i / sqrt(pi) - 2 z w is not at large |z|.
  """
  t = np.arange(-7.5, 7.5, 0.1) - 1.5j
  powers = (z[:, None] - t) ** -(order + 1.0)
  factor = 1j / np.pi * (-1) ** order * [1, 1, 2, 6][order]
  return factor * (np.exp(-(t**2)) * powers).sum(-1) * 0.1


def test_the_oracle_is_the_function():
  small = np.abs(Z) < 10
  exact = derivatives_of_the_integral(Z[small].astype(np.complex128), 0)
  assert relative(exact, EXACT[small]) < 1e-13


def test_values_in_both_precisions():
  with jax.enable_x64(True):
    found = VALUE(Z.astype(np.complex128))
    assert found.dtype == jnp.complex128
    assert relative(found, EXACT) < 9e-14
  found = VALUE(Z)
  assert found.dtype == jnp.complex64
  assert relative(found, EXACT) < 1e-6


def test_derivatives_in_both_precisions_keep_their_digits_to_1e5():
  z = Z[::3]
  exact = [derivatives_of_the_integral(z.astype(np.complex128), order) for order in (1, 2)]
  with jax.enable_x64(True):
    found = DERIVATIVES(z.astype(np.complex128))
  assert relative(found[0], exact[0]) < 1e-11
  assert relative(found[1], exact[1]) < 1e-9  # of the series next to |z| = 7, with 40 terms
  found = DERIVATIVES(z)
  assert found[0].dtype == jnp.complex64
  assert relative(found[0], exact[0]) < 1.1e-6
  assert relative(found[1], exact[1]) < 3e-6


def test_the_textbook_derivative_fails_in_float32():
  """The negative control of the test above, and the reason for the module."""
  far = Z[np.abs(Z) > 1e3]
  exact = derivatives_of_the_integral(far.astype(np.complex128), 1)
  textbook = -2 * far * VALUE(far) + np.complex64(2j / np.sqrt(np.pi))
  assert relative(textbook, exact) > 1


@given(x=st.floats(-30, 30), y=st.floats(0, 30))
@settings(max_examples=40, deadline=None)
def test_identities(x, y):
  """w(-z*) = w(z)*, real on the imaginary axis, |w| <= 1, Re w >= 0 up to rounding."""
  z = np.complex128(complex(x, y))
  with jax.enable_x64(True):
    w, mirrored, above = (complex(VALUE(v)) for v in (z, -np.conj(z), np.complex128(1j * y)))
  assert abs(mirrored - w.conjugate()) < 1e-15
  assert abs(above.imag) < 1e-15
  assert abs(w) < 1 + 1e-13
  assert w.real > -1e-15


def test_a_real_argument_is_on_the_axis_and_below_it_is_refused_aloud():
  x = np.linspace(-8, 8, 33)
  with jax.enable_x64(True):
    np.testing.assert_allclose(jnp.real(VALUE(x)), np.exp(-(x**2)), atol=1e-15)
  assert np.isnan(VALUE(np.complex64(1 - 1e-3j)))
  assert np.isfinite(VALUE(np.complex64(complex(1, -0.0))))


# ---- the smeared pole -------------------------------------------------------

POLES = {n: jax.jit(lambda zeta, sigma, n=n: smeared_pole(zeta, sigma, n)) for n in (1, 2, 3)}


def average(zeta, sigma, power):
  """The defining integral, sigma > 0."""
  t = np.arange(-12, 12, 0.02)
  weight = np.exp(-(t**2) / 2) * 0.02 / np.sqrt(2 * np.pi)
  return (weight / (zeta - sigma * t) ** power).sum()


@given(x=st.floats(-50, 50), half=st.floats(1, 20), sigma=st.floats(0.1, 9))
@settings(max_examples=30, deadline=None)
def test_it_is_the_average_over_a_gaussian(x, half, sigma):
  zeta = complex(x, half)
  scale = abs(1 / zeta) + 1 / half
  for n, pole in POLES.items():
    with jax.enable_x64(True):
      found = complex(pole(zeta, sigma))
    assert abs(found - average(zeta, sigma, n)) < 2e-9 * scale**n


@pytest.mark.parametrize('sigma', [0.0, 1e-30, 1e-8])
def test_without_a_gaussian_it_is_the_pole_itself(sigma):
  zeta = np.array([0.5 + 0.5j, 300 + 4j, -1e5 + 1e-3j, 1e-3j, -7.0], np.complex64)
  for n, pole in POLES.items():
    exact = zeta.astype(np.complex128) ** -n
    assert relative(pole(zeta, np.float32(sigma)), exact) < 5e-7


@jax.jit
@jax.vmap
def slopes(x, y, sigma):
  parts = lambda *v: (lambda p: jnp.stack([p.real, p.imag]))(
    smeared_pole(jax.lax.complex(v[0], v[1]), v[2])
  )
  return jax.jacrev(parts, argnums=(0, 1, 2))(x, y, sigma), jax.jvp(
    parts, (x, y, sigma), (jnp.zeros_like(x), jnp.zeros_like(x), jnp.ones_like(x))
  )[1]


def test_float32_gradients_down_to_no_gaussian_at_all():
  """In x, y and sigma, against the defining integral; finite at sigma = 0."""
  rng = np.random.default_rng(1)
  x = rng.uniform(-60, 60, 100).astype(np.float32)
  y = rng.uniform(3, 10, 100).astype(np.float32)
  sigma = np.where(np.arange(100) % 5, rng.uniform(0.1, 8, 100), 0).astype(np.float32)
  (d_x, d_y, d_sigma), forward = (jax.tree.map(np.asarray, v) for v in slopes(x, y, sigma))
  for i in range(100):
    zeta, s = complex(x[i], y[i]), float(sigma[i])
    second, third = average(zeta, s, 2), average(zeta, s, 3)
    exact = -second, -1j * second, 2 * s * third
    for found, want in zip((d_x[i], d_y[i], d_sigma[i]), exact, strict=True):
      assert abs(complex(*found) - want) <= 3e-6 * abs(want)
  np.testing.assert_allclose(d_sigma, forward, rtol=1e-5, atol=1e-7)
  assert (d_sigma[sigma == 0] == 0).all()


def test_the_derivative_in_sigma_is_that_of_the_defining_integral():
  with jax.enable_x64(True):
    for zeta, sigma in ((3 + 2j, 4.0), (30 + 2j, 1.5), (0.1 + 5j, 1.0)):
      found = jax.jvp(lambda s, z=zeta: POLES[1](z, s), (sigma,), (1.0,))[1]
      step = 1e-4
      slope = (average(zeta, sigma + step, 1) - average(zeta, sigma - step, 1)) / (2 * step)
      assert abs(complex(found) - slope) < 1e-8 * abs(slope) + 1e-11


@pytest.mark.parametrize(
  ('call', 'words'),
  [
    (lambda: smeared_pole(np.ones(2), 1.0), 'zeta is of type float32, expected complex numbers'),
    (lambda: smeared_pole(np.ones(2) * 1j, 1.0, 0), 'power of the pole is 0, expected an integer'),
  ],
)
def test_bad_calls_are_refused_with_a_sentence(call, words):
  with pytest.raises(ValueError, match=words):
    call()
