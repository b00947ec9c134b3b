"""Detailed balance of Stokes and anti-Stokes lines, and temperatures read from it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.constants as codata
from hypothesis import given, settings
from hypothesis import strategies as st

from spectra_jax.physics import thermal

LASER = 1e7 / 532.0


def boltzmann(nu, temperature):
  return np.exp(-codata.h * codata.c * nu * 100 / (codata.k * temperature))


@pytest.mark.parametrize(('detector', 'power'), [('photons', 3), ('energy', 4)])
def test_the_ratio_is_that_of_the_populations(detector, power):
  nu, temperature = np.array([100.0, 459.0, 1600.0]), 310.0
  with jax.enable_x64(True):
    found = thermal.anti_stokes_ratio(nu, temperature, laser=LASER, detector=detector)
    occupied = np.asarray(thermal.bose(nu, temperature))
    down = np.asarray(thermal.stokes(1.0, nu, temperature, laser=LASER, detector=detector))
  colours = ((LASER + nu) / (LASER - nu)) ** power
  np.testing.assert_allclose(found, colours * boltzmann(nu, temperature), rtol=1e-9)
  quanta = boltzmann(nu, temperature) / (1 - boltzmann(nu, temperature))
  np.testing.assert_allclose(occupied, quanta, rtol=1e-9)
  np.testing.assert_allclose(found, colours * occupied / (1 + occupied), rtol=1e-9)
  np.testing.assert_allclose(down, (LASER - nu) ** power * (1 + quanta) / nu, rtol=1e-9)


@given(st.floats(100, 1500), st.floats(150, 2000), st.sampled_from(['photons', 'energy']))
@settings(max_examples=20, deadline=None)
def test_the_temperature_is_found_again_in_float32(nu, temperature, detector):
  options = {'laser': LASER, 'detector': detector}
  ratio = ((LASER + nu) / (LASER - nu)) ** thermal.POWERS[detector] * boltzmann(nu, temperature)
  found = thermal.temperature_of_ratio(jnp.float32(ratio), jnp.float32(nu), **options)
  assert found.dtype == jnp.float32
  np.testing.assert_allclose(found, temperature, rtol=1e-6 * (1 + temperature / nu) * 4)


def test_the_wrong_power_reads_six_and_a_half_kelvin_too_low():
  nu = np.array([200.0, 1000.0])
  ratio = thermal.anti_stokes_ratio(nu, 300.0, laser=LASER, detector='photons')
  found = thermal.temperature_of_ratio(ratio, nu, laser=LASER, detector='energy')
  np.testing.assert_allclose(found, 293.5, atol=0.1)


def test_gradients_keep_their_digits_where_quanta_are_many_or_few():
  slope = jax.jit(jax.vmap(jax.grad(lambda nu: jnp.log(thermal.bose(nu, 300.0)))))
  nu = np.array([0.1, 10.0, 1000.0, 4000.0])
  x = 1.438776877 / 300.0
  np.testing.assert_allclose(slope(nu.astype(np.float32)), x / np.expm1(-x * nu), rtol=2e-6)


@pytest.mark.parametrize(
  ('laser', 'detector', 'words'),
  [
    (532.0, 'photons', 'the laser is 532, expected cm.* above 5000; convert nm by 1e7 / nm'),
    (LASER, 'ccd', "detector is 'ccd', expected one of photons, energy"),
  ],
)
def test_a_laser_in_nm_and_another_detector_are_refused(laser, detector, words):
  nu = np.array([400.0])
  for call in (thermal.anti_stokes_ratio, thermal.temperature_of_ratio):
    with pytest.raises(ValueError, match=words):
      call(nu, 300.0, laser=laser, detector=detector)
