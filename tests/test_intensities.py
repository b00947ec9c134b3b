"""Units of intensity from CODATA, and the F-sum of molecules."""

import functools

import jax
import numpy as np
import pytest
import scipy.constants as codata
from hypothesis import given, settings
from hypothesis import strategies as st

from spectra_jax.data import summary, symmetry
from spectra_jax.datasets import computed
from spectra_jax.physics import constants, intensities

AMU, CM = codata.atomic_mass, 1e-2
DEBYE = 1e-21 / codata.c  # C m
RADIUS_CM = codata.physical_constants['classical electron radius'][0] / CM


def test_the_constants_are_those_of_codata():
  squared = codata.e**2 / AMU  # (C m / m)^2 / kg
  intensity = codata.N_A * squared / (12 * codata.epsilon_0 * codata.c**2)  # m/mol
  debye = DEBYE / (codata.e * codata.angstrom)
  strength = 1e5 / (codata.N_A * np.pi * RADIUS_CM)
  ring = np.sqrt(1e2 / AMU) / (2 * np.pi * codata.c) * CM
  np.testing.assert_allclose(constants.KM_MOL_PER_E2_AMU, intensity / 1e3, rtol=2e-7)
  np.testing.assert_allclose(constants.DEBYE_E_ANGSTROM, debye, rtol=1e-7)
  np.testing.assert_allclose(constants.ELECTRON_RADIUS_CM, RADIUS_CM, rtol=1e-8)
  np.testing.assert_allclose(constants.STRENGTH_PER_KM_MOL, strength, rtol=2e-8)
  np.testing.assert_allclose(constants.CM_PER_ROOT_MDYN_ANGSTROM_AMU, ring, rtol=1e-8)
  kelvin = codata.h * codata.c / codata.k / CM
  np.testing.assert_allclose(constants.SECOND_RADIATION_CM_K, kelvin, rtol=1e-9)


def test_units_of_a_line_agree_with_each_other():
  """From one derivative, by three routes: intensity, electrons, plasma wavenumber of a gas."""
  intensity = intensities.infrared_intensity(np.array([1.0, 2.0, 2.0]) * constants.DEBYE_E_ANGSTROM)
  np.testing.assert_allclose(intensity, 9 * 42.2561, rtol=1e-6)
  f = intensities.oscillator_strength(intensity)
  np.testing.assert_allclose(f / intensity, 1.87572e-7, rtol=2e-6)
  np.testing.assert_allclose(intensities.intensity_of_strength(f), intensity)
  molecules = 2.5e19  # per cm^3
  alpha = intensity * 1e5 * molecules / codata.N_A  # int alpha dnu, cm^-2
  plasma = intensities.plasma_of_density(f * molecules)
  np.testing.assert_allclose(np.pi**2 * plasma, alpha, rtol=1e-7)
  np.testing.assert_allclose(intensities.density_of_plasma(plasma), f * molecules)


def test_hydrogen_chloride_and_back():
  """k = 5.16 mdyn/angstrom for omega_e = 2990.9 cm^-1 (Herzberg 1950)."""
  mass = 1.00783 * 34.96885 / (1.00783 + 34.96885)
  np.testing.assert_allclose(intensities.force_of_wavenumber(2990.9, mass), 5.16, atol=0.01)
  nu = jax.jit(intensities.wavenumber_of_force)(5.16, mass)
  np.testing.assert_allclose(intensities.force_of_wavenumber(nu, mass), 5.16, rtol=1e-6)
  np.testing.assert_allclose(intensities.wavenumber_of_force(1.0, 1.0), 1302.791, atol=5e-4)


# ---- the F-sum ---------------------------------------------------------------


def axis_by_axis(mass, x, dipole):
  """974.880 sum_axes |e x mu|^2 / I, from the principal axes."""
  moments, axes = symmetry.inertia(mass, x)
  kept = moments > 1e-6 * moments[-1]
  turned = (np.cross(axes[kept], dipole) ** 2).sum(1)
  return constants.KM_MOL_PER_E2_AMU * (turned / moments[kept]).sum()


@functools.cache
def lines():
  return computed.load_lines()


@given(st.integers(0, 2**31), st.booleans(), st.floats(0.1, 30))
@settings(max_examples=25, deadline=None)
def test_the_rotational_term_is_that_of_the_principal_axes(seed, linear, far):
  rng = np.random.default_rng(seed)
  mass, x, dipole = rng.uniform(1, 20, 4), rng.normal(size=(4, 3)), rng.normal(size=3)
  if linear:
    x, dipole = rng.normal(size=(4, 1)) * dipole, 0.3 * dipole
  found = intensities.rotational_term(mass, x + far, dipole)
  np.testing.assert_allclose(found, axis_by_axis(mass, x, dipole), rtol=1e-9)
  padded = intensities.rotational_term(np.append(mass, 0), np.vstack([x, np.ones(3)]), dipole)
  np.testing.assert_allclose(padded, found, rtol=1e-9)


def test_every_shipped_molecule_obeys_its_f_sum():
  residuals = summary.fsum_residuals(lines())
  assert len(residuals) == len(lines()) > 7000
  assert residuals.max() < 1e-13


def test_the_f_sum_of_random_modes_and_tensors():
  """Any complete orthonormal basis: modes are what rigid motions leave over."""
  rng = np.random.default_rng(3)
  mass, x, polar = rng.uniform(1, 20, 4), rng.normal(size=(4, 3)), rng.normal(size=(4, 3, 3))
  x -= mass @ x / mass.sum()
  polar -= polar.mean(0)  # neutral; the rotations then define the dipole they turn
  weighted = (polar / np.sqrt(mass)[:, None, None]).reshape(12, 3)
  shift = np.concatenate([np.sqrt(m) * np.eye(3) for m in mass]) / np.sqrt(mass.sum())
  rest = np.linalg.svd(shift)[0][:, 3:]
  total = intensities.dipole_f_sum(polar, mass)
  modes = intensities.infrared_intensity(rest.T @ weighted)
  np.testing.assert_allclose(intensities.f_sum_residual(modes, 0.0, total), 0, atol=1e-13)
  assert abs(intensities.f_sum_residual(1.01 * modes, 0.0, total)) > 9e-3


def test_the_rotational_term_of_methane_has_a_gradient_in_float32():
  """A spherical top, where derivatives of the principal axes do not exist."""
  x = np.array([[0, 0, 0], [1, 1, 1], [-1, -1, 1], [-1, 1, -1], [1, -1, -1]]) * 0.629
  mass, dipole = np.array([12.011, 1.008, 1.008, 1.008, 1.008]), np.array([0.1, 0.2, -0.3])
  function = jax.jit(jax.value_and_grad(intensities.rotational_term, argnums=1))
  value, slope = function(mass.astype(np.float32), x.astype(np.float32), dipole.astype(np.float32))
  assert value.dtype == slope.dtype == np.float32
  np.testing.assert_allclose(value, axis_by_axis(mass, x, dipole), rtol=1e-5)
  step = np.zeros((5, 3))
  step[1, 0] = 1e-5
  change = axis_by_axis(mass, x + step, dipole) - axis_by_axis(mass, x - step, dipole)
  np.testing.assert_allclose(slope[1, 0], change / 2e-5, rtol=1e-4)


def test_the_polar_tensors_of_one_atom_are_counted_by_hand():
  polar = np.array([np.eye(3), 2 * np.eye(3)])
  found = intensities.dipole_f_sum(polar, np.array([3.0, 4.0]))
  assert found == pytest.approx(974.880 * (3 / 3 + 12 / 4))
