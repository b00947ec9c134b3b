"""A medium of known oscillators: its spectrum is their lines, its sum rule their strengths."""

import numpy as np
import pytest

from spectra_jax import medium

AXIS = np.linspace(200.0, 4000.0, 7601)
CENTRE, GAMMA = np.array([[700.0], [1650.0], [2900.0]]), 4.0  # cm^-1
STRENGTH = np.array([[2e4], [5e4], [1e4]])  # S [cm^-2]


@pytest.mark.parametrize('eps_inf', [1.0, 2.5])
def test_the_spectrum_of_a_medium_is_that_of_its_oscillators_whatever_lies_above_them(eps_inf):
  """n alpha = pi^2 sum S g, g Lorentz lines of area 1; int n alpha = pi^2 sum S."""
  chi = (STRENGTH / (CENTRE**2 - AXIS**2 - 1j * GAMMA * AXIS)).sum(0)
  index = np.sqrt(eps_inf + chi)
  found = medium.intensity({'n': index.real, 'k': index.imag}, AXIS) * medium.ABSORBS
  profile = GAMMA / (2 * np.pi) / ((AXIS - CENTRE) ** 2 + GAMMA**2 / 4)
  lines = np.pi**2 * (STRENGTH * profile).sum(0)
  near = np.abs(AXIS - CENTRE).min(0) < 2 * GAMMA
  np.testing.assert_allclose(found[near], lines[near], rtol=0.03)  # g is even, a resonance is not
  step = AXIS[1] - AXIS[0]
  assert found.sum() * step == pytest.approx(np.pi**2 * STRENGTH.sum(), rel=5e-3)


@pytest.mark.parametrize(
  ('found', 'words'),
  [
    (np.ones(3), 'gives one spectrum, expected n and k'),
    ({'ir': np.ones(3), 'raman': np.ones(3)}, 'gives ir, raman, expected n and k'),
  ],
)
def test_what_is_no_medium_is_refused(found, words):
  with pytest.raises(ValueError, match=words):
    medium.intensity(found, AXIS)
