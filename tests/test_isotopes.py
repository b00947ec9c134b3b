"""Isotope shifts against normal modes of spring models and measured lines."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spectra_jax.physics import isotopes

H, D, C12, C13, O, CL = 1.00782503, 2.01410178, 12.0, 13.00335484, 15.99491462, 34.96885269


def vibrations(mass, hessian, count):
  """The `count` highest harmonic wavenumbers, in some unit."""
  weight = np.sqrt(np.repeat(mass, 3))
  return np.sqrt(np.linalg.eigvalsh(hessian / np.outer(weight, weight))[-count:])


def springs(x, rng):
  """Springs between all pairs: invariant to rigid motions, three atoms have all their modes."""
  hessian = np.zeros((x.size, x.size))
  for i, j in itertools.combinations(range(len(x)), 2):
    row = np.zeros_like(x)
    row[i] = (x[i] - x[j]) / np.linalg.norm(x[i] - x[j])
    row[j] = -row[i]
    hessian += rng.uniform(1, 9) * np.outer(row, row)
  return hessian


@given(st.integers(0, 2**31), st.integers(3, 4))
@settings(max_examples=20, deadline=None)
def test_the_product_rule_holds_for_any_forces(seed, atoms):
  rng = np.random.default_rng(seed)
  x, mass, new = rng.normal(size=(atoms, 3)), *rng.uniform(1, 20, (2, atoms))
  hessian, modes = springs(x, rng), 3 * atoms - 6
  exact = (vibrations(new, hessian, modes) / vibrations(mass, hessian, modes)).prod()
  np.testing.assert_allclose(isotopes.product_ratio(mass, new, x + 7.0), exact, rtol=1e-6)


def test_carbon_dioxide_in_closed_form_and_as_measured():
  """nu_1 does not move C; nu_2 (twice) and nu_3 go as sqrt(1/m_O + 2/m_C)."""
  x = np.array([[0, 0, -1.16], [0, 0, 0], [0, 0, 1.16]])
  one = np.sqrt((1 / O + 2 / C13) / (1 / O + 2 / C12))
  found = isotopes.product_ratio([O, C12, O], [O, C13, O], x)
  np.testing.assert_allclose(found, one**3, rtol=1e-13)
  np.testing.assert_allclose(one, 2283.49 / 2349.14, atol=1e-3)  # nu_3, Shimanouchi 1972


def test_water_becomes_heavy_water():
  """Harmonic wavenumbers of H2O and D2O (Benedict, Gailar and Plyler 1956)."""
  angle = np.deg2rad(104.52 / 2)
  x = 0.9572 * np.array(
    [[0, 0, 0], [np.sin(angle), np.cos(angle), 0], [-np.sin(angle), np.cos(angle), 0]]
  )
  light, heavy = np.array([3832.17, 1648.47, 3942.53]), np.array([2763.80, 1206.39, 2888.78])
  found = isotopes.product_ratio([O, H, H], [O, D, D], x)
  np.testing.assert_allclose(found, (heavy / light).prod(), rtol=2e-3)


def test_a_diatomic_goes_as_the_root_of_its_mass():
  light, heavy = isotopes.reduced_mass(H, CL), isotopes.reduced_mass(D, CL)
  found = isotopes.diatomic_ratio(light, heavy)
  np.testing.assert_allclose(found, 2145.163 / 2990.946, rtol=1e-4)  # omega_e, Huber and Herzberg
  exact = isotopes.product_ratio([H, CL], [D, CL], np.array([[0, 0, 0], [0, 0, 1.27]]))
  np.testing.assert_allclose(found, exact, rtol=1e-13)


@pytest.mark.parametrize(
  ('mass', 'words'),
  [([O, H], r'shapes \(2,\) and \(3,\)'), ([O, H, 0.0], 'expected positive ones')],
)
def test_bad_masses_are_refused_with_a_sentence(mass, words):
  with pytest.raises(ValueError, match=words):
    isotopes.product_ratio(mass, [O, H, H], np.eye(3))
