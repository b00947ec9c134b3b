"""The simulated liquids are sums of oscillators of stated strength: causal, passive, f-sum kept."""

import dataclasses

import numpy as np
import pytest

from experiments import dielectrics
from spectra_jax.datasets import computed, computed_optical
from spectra_jax.physics import intensities
from spectra_jax.spectra import uniform_axis
from tests import synthetic

AXIS = uniform_axis(400.0, 4000.0, 600)
MOLECULE, GAMMA, EPS_INF = 7, 20.0, 1.9


@pytest.fixture(scope='module')
def file(tmp_path_factory):
  return synthetic.write(tmp_path_factory.mktemp('lines'), synthetic.lines(150))  # two chunks


@pytest.fixture(scope='module')
def spectra(file):
  return computed_optical.load(AXIS, path=str(file))


def susceptibility(molecule, nu=AXIS):
  """chi of one molecule's liquid from electrons a volume, in float64."""
  lines = synthetic.lines(150)
  modes = lines.modes(molecule)
  per_cm3 = 6.02214076e23 / (7.4 + 2 * 3.7)  # O and two H
  strength = intensities.oscillator_strength(lines.ir_intensity[modes].astype(np.float64))
  plasma = intensities.plasma_of_density(per_cm3 * strength)
  lines_of = zip(plasma, lines.frequency[modes].astype(np.float64), strict=True)
  return sum(dielectrics.lorentz(nu, S / nu0**2, nu0, GAMMA) for S, nu0 in lines_of)


@pytest.mark.parametrize('molecule', [0, MOLECULE, 149])
def test_optical_constants_are_those_of_the_oscillators(spectra, molecule):
  index = np.sqrt(EPS_INF + susceptibility(molecule))
  r = (index - 1) / (index + 1)
  np.testing.assert_allclose(spectra['n'].values[molecule], index.real, rtol=1e-5)
  np.testing.assert_allclose(spectra['k'].values[molecule], index.imag, rtol=2e-4)
  np.testing.assert_allclose(spectra['reflectance'].values[molecule], np.abs(r) ** 2, rtol=2e-4)


def test_weak_absorption_keeps_its_digits():
  """k = Im chi / 2n at 1e-8 of eps, where the imaginary part of a float32 root has none left."""
  made = computed_optical.optical_constants(
    np.float32([[1000.0]]), np.float32([[1e-3]]), np.float32(AXIS), GAMMA, EPS_INF
  )
  chi = dielectrics.lorentz(AXIS, 1e-3 / 1000.0**2, 1000.0, GAMMA)
  np.testing.assert_allclose(made['k'][0], chi.imag / 2 / np.sqrt(EPS_INF), rtol=1e-4)


def test_everything_is_passive_and_rows_are_molecules(spectra, file):
  assert set(spectra) == set(computed_optical.KINDS) == set(computed_optical.INFO['units'])
  for kind, made in spectra.items():
    assert made.kind == kind
    assert made.values.dtype == np.float32
    assert made.source == computed.file_hash(file)
    np.testing.assert_array_equal(made.meta['id'], [f'm{i}' for i in range(150)])
  assert (spectra['k'].values > 0).all()
  assert (spectra['n'].values > 0).all()
  reflectance = spectra['reflectance'].values
  assert ((reflectance > 0) & (reflectance < 1)).all()


def test_molar_volumes_count_atoms():
  lines = computed.load_lines()
  volume = dict(zip(lines.smiles, computed_optical.molar_volumes(lines), strict=True))
  assert volume['C'] == pytest.approx(14.8 + 4 * 3.7)
  assert volume['O=C=O'] == pytest.approx(14.8 + 2 * 7.4)


def test_unknown_elements_and_bad_requests_are_refused(file):
  lines = synthetic.lines(4)
  with pytest.raises(ValueError, match='atomic number 14 has no volume increment, expected one of'):
    computed_optical.molar_volumes(
      dataclasses.replace(lines, atomic_number=np.full(12, 14, np.uint8))
    )
  with pytest.raises(ValueError, match=r'eps_inf is 0.5, expected at least 1'):
    computed_optical.load(AXIS, path=str(file), eps_inf=0.5)
  with pytest.raises(ValueError, match=r'axis step is 6.01 cm.* at most 2'):
    computed_optical.load(AXIS, path=str(file), fwhm_cm=4.0)
