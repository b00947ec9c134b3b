"""Scaled roots: mean square 1 by the training rows alone, components as by singular vectors."""

import numpy as np
import pytest

from spectra_jax import roots
from spectra_jax.spectra import uniform_axis
from tests import synthetic

RNG = np.random.default_rng(0)
VALUES = np.float32(RNG.gamma(0.5, 30.0, (40, 12)))
ROWS = np.arange(0, 40, 2)


def test_training_roots_have_mean_square_one_whatever_the_unit_and_the_other_rows():
  scale, mean_L = roots.constants(VALUES, ROWS)
  scaled = np.sqrt(np.float64(VALUES[ROWS])) / scale
  assert (scaled**2).mean() == pytest.approx(1.0)
  np.testing.assert_allclose(mean_L, scaled.mean(0), rtol=1e-12)
  louder = VALUES.copy()
  louder[1::2] *= 100
  assert roots.constants(louder, ROWS)[0] == scale
  assert roots.constants(4 * VALUES, ROWS)[0] == pytest.approx(2 * scale)


def test_components_are_the_right_singular_vectors():
  scale, mean_L = roots.constants(VALUES, ROWS)
  found = roots.components(VALUES, ROWS, scale, 3)
  centred = np.sqrt(np.float64(VALUES[ROWS])) / scale - mean_L
  wanted = np.linalg.svd(centred)[2][:3].T
  np.testing.assert_allclose(np.abs((found * wanted).sum(0)), 1.0, rtol=1e-8)


def test_squares_undo_roots_and_keep_what_is_below_zero():
  root = np.linspace(-2, 2, 9)
  np.testing.assert_allclose(roots.squared(root), np.abs(root) * root)
  np.testing.assert_allclose(np.asarray(roots.of_intensity(root**2)), np.abs(root), atol=2e-3)


def test_softened_roots_keep_the_mean_of_noise_and_are_undone():
  share = np.float32([-3.0, -1e-4, 0.0, 1e-6, 1e-3, 0.5, 40.0])
  root = np.asarray(roots.softened(share))
  np.testing.assert_allclose(roots.hardened(root), share, rtol=1e-5, atol=1e-9)
  np.testing.assert_allclose(root[-2:], np.sqrt(share[-2:]), rtol=2e-3)
  noise = np.float32(3e-4 * np.random.default_rng(0).normal(size=4000))
  assert abs(np.asarray(roots.softened(noise)).mean()) < 5e-4
  assert np.sqrt(np.maximum(noise, 0)).mean() > 5e-3


@pytest.mark.parametrize('kinds', [('ir',), ('ir', 'raman', 'n'), ('absorbance', 'raman')])
def test_other_kinds_than_both_are_refused(kinds):
  with pytest.raises(ValueError, match='expected ir and raman of the same molecules'):
    roots.check_both(kinds)


def test_what_has_no_real_root_is_refused():
  axis = uniform_axis(400.0, 500.0, 12)
  below = VALUES.copy()
  below[3, 4] = -0.5
  with pytest.raises(ValueError, match=r'one raman spectrum goes down to -0\.5'):
    roots.check_intensities({'raman': synthetic.spectra(below, axis, 'raman')})
  roots.check_intensities({'raman': synthetic.spectra(VALUES, axis, 'raman')})
