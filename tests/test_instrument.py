"""Instrument line shapes against the integrals that define them, and spectra seen through them."""

import functools

import jax
import numpy as np
import pytest

from spectra_jax.physics import instrument

NU = 1000 + 0.5 * np.arange(2000)
D = 0.5
OFFSET = np.concatenate([np.linspace(0, 12, 2001), [-1e-7, -1e-3, 50.0, -123.4, -2.2]])
OFFSET = OFFSET.astype(np.float32).astype(np.float64)
SHAPES = jax.jit(lambda x: {a: instrument.line_shape(x, D, a) for a in instrument.APODISATIONS})
OBSERVED = jax.jit(lambda v: {a: instrument.observe(v, NU, D, a) for a in instrument.APODISATIONS})


@functools.cache
def shapes(dtype):
  """All line shapes at `OFFSET`, compiled once a precision."""
  with jax.enable_x64(dtype == 'float64'):
    return jax.tree.map(np.asarray, SHAPES(OFFSET.astype(dtype)))


ALL = pytest.mark.parametrize('apodisation', instrument.APODISATIONS)


def integral(offset, apodisation, damping=0.0):
  """int A(delta / D) exp(-damping |delta|) cos(2 pi offset delta) ddelta, Gauss-Legendre."""
  u, weights = np.polynomial.legendre.leggauss(300)
  delta = 0.5 * D * (1 + u)
  A = instrument.window(delta, D, apodisation) * np.exp(-damping * delta)
  return D * (np.cos(2 * np.pi * np.outer(offset, delta)) @ (A * weights))


@ALL
def test_the_closed_form_is_the_integral_over_retardations(apodisation):
  exact = integral(OFFSET, apodisation)
  found = shapes('float64')[apodisation]
  np.testing.assert_allclose(found, exact, atol=1e-13 * exact.max())
  found = shapes('float32')[apodisation]
  assert found.dtype == np.float32
  np.testing.assert_allclose(found, exact, atol=3e-7 * exact.max())


@ALL
def test_apodisations_keep_the_area(apodisation):
  """A(0) = 1 is int ILS = 1; and beyond the travel there is nothing."""
  assert abs(instrument.window(0.0, D, apodisation) - 1) < 1e-15
  inside, outside = instrument.window(np.array([0.999 * D, 1.001 * D]), D, apodisation)
  assert inside > 0
  assert outside == 0
  limit = instrument.window(D * (1 - 1e-9), D, apodisation)
  assert abs(instrument.window(D, D, apodisation) - 0.5 * limit) < 1e-8


@pytest.mark.parametrize(
  ('apodisation', 'ratio'),
  [('boxcar', 1.0), ('weak', 1.2), ('medium', 1.4), ('strong', 1.6), ('triangular', 1.46828)],
)
def test_widths_are_the_published_multiples_of_the_boxcar(apodisation, ratio):
  full = instrument.fwhm(D, apodisation)
  assert abs(full * D / 0.6033546 - ratio) < 3e-5
  half, peak = integral(np.array([full / 2, 0.0]), apodisation)
  assert abs(half / peak - 0.5) < 1e-12


@pytest.mark.parametrize(
  ('apodisation', 'highest'),
  [('boxcar', 0.2172), ('weak', 0.0580), ('medium', 0.0141), ('triangular', 0.0472)],
)
def test_side_lobes_are_the_published_ones(apodisation, highest):
  shape = shapes('float64')[apodisation]
  main = 1.1 * instrument.fwhm(D, apodisation)
  lobes = np.abs(shape[main < OFFSET])
  assert abs(lobes.max() / shape[0] - highest) < 1e-4


@ALL
def test_a_lorentzian_is_seen_as_its_damped_interferogram(apodisation):
  """Unit area, FWHM 4: exp(-pi 4 delta), apodised; both closed under no approximation but edges."""
  gamma, centre = 4.0, 1512.3
  exact = integral(NU - centre, apodisation, np.pi * gamma)
  with jax.enable_x64(True):
    found = OBSERVED(gamma / 2 / np.pi / ((NU - centre) ** 2 + gamma**2 / 4))[apodisation]
  # 0.5 cm^-1 points alias the line by 2 exp(-pi HWHM / h); the mirrored edges add their tails.
  middle = np.abs(NU - centre) < 200
  np.testing.assert_allclose(np.asarray(found)[middle], exact[middle], atol=3e-5 * exact.max())


def test_what_is_observed_keeps_its_area_constants_and_linearity():
  rng = np.random.default_rng(0)
  spectra = rng.uniform(size=(2, len(NU))).astype(np.float32)
  found = np.asarray(OBSERVED(spectra)['medium'])
  assert found.dtype == np.float32
  np.testing.assert_allclose(found.sum(-1), spectra.sum(-1), rtol=1e-6)
  constant = np.full((2, len(NU)), 0.7, np.float32)
  np.testing.assert_allclose(OBSERVED(constant)['strong'], 0.7, atol=1e-6)
  twice = np.asarray(OBSERVED(spectra + 2 * constant)['medium'])
  np.testing.assert_allclose(twice, found + 1.4, atol=2e-6)


def test_the_full_travel_without_apodisation_changes_nothing():
  values = np.random.default_rng(0).uniform(size=len(NU))
  with jax.enable_x64(True):
    observe = jax.jit(lambda v: instrument.observe(v, NU, 1.0, 'boxcar'))
    np.testing.assert_allclose(observe(values), values, atol=1e-12)


def test_the_gradient_is_the_transpose_which_the_mirror_makes_symmetric():
  call = functools.partial(
    instrument.observe, nu_L=NU[:20], maximum_cm=0.5, apodisation='triangular'
  )
  with jax.enable_x64(True):
    there = np.asarray(jax.jit(jax.jacrev(call))(np.zeros(20)))
    apart = np.asarray(jax.jit(call)(np.eye(20)))
  np.testing.assert_allclose(there, apart.T, atol=1e-14)
  np.testing.assert_allclose(there, there.T, atol=1e-14)


@pytest.mark.parametrize(
  ('call', 'words'),
  [
    (
      lambda: instrument.line_shape(0.0, D, 'hann'),
      "apodisation is 'hann', expected one of boxcar",
    ),
    (lambda: instrument.fwhm(-1.0, 'weak'), 'maximum retardation is -1.0 cm, expected a positive'),
    (lambda: instrument.observe(NU, NU, 1.5, 'weak'), 'is 1.5 cm, expected at most 1 for points'),
    (lambda: instrument.observe(NU, NU[::-1], D, 'weak'), 'expected an even ascending axis'),
    (lambda: instrument.observe(NU, 1e7 / NU[::-1], D, 'weak'), 'one in nm is uneven in cm'),
    (lambda: instrument.observe(NU[1:], NU, D, 'weak'), r'values have shape \(1999,\)'),
  ],
)
def test_bad_calls_are_refused_with_a_sentence(call, words):
  with pytest.raises(ValueError, match=words):
    call()
