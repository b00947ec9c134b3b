"""What the laws of the audit are made of: lines, interferograms, falls, stretches, intervals."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from experiments import dielectrics
from spectra_jax.audit import dispersion, findings, linewidth
from spectra_jax.audit.exclusion import bands
from spectra_jax.audit.predictions import Predictions
from tests.exact_media import HWHM, NU, asked, lines

# ---- what the laws are made of ----------------------------------------------

TAPS = linewidth.families(NU, HWHM)


@given(
  seed=st.integers(0, 10**6),
  widths=st.sampled_from([1.0, 1.0001, 3.0]),
  where=st.sampled_from([500.0, 1500.0, 3000.0]),
)
@settings(max_examples=25, deadline=None)
def test_no_sum_of_wide_lines_is_too_narrow(seed, widths, where):
  """Lines between the points, next to and outside of both edges; Lorentz and Voigt."""
  rng = np.random.default_rng(seed)
  nu0 = where + rng.normal(0, 60, 3)
  line = lambda p: (
    dielectrics.voigt(NU, rng.exponential(), p, rng.uniform(0.1, 9), widths * HWHM).imag
  )
  chi = sum(line(p) + dielectrics.lorentz(NU, 0.1, p, 2 * widths * HWHM).imag for p in nu0)
  assert linewidth.excess(chi[None] / chi.max(), NU, HWHM).max() < 1e-14


def test_absorbance_is_a_sum_of_lines_times_the_wavenumber():
  """Where that matters: far infrared, a few widths above zero."""
  nu_L = 20.0 + 2.0 * np.arange(500)
  k_L = dielectrics.lorentz(nu_L, 1.0, np.hypot(30.3, HWHM), 2 * HWHM).imag
  found = asked(Predictions(nu_L, {'absorbance': (nu_L * k_L)[None]}, hwhm_min=HWHM))
  assert not found['linewidth/absorbance'].violated_N.any()
  assert linewidth.excess((nu_L * k_L)[None] / (nu_L * k_L).max(), nu_L, HWHM).max() > 0.01


def test_taps_are_as_sharp_as_the_decay_of_an_interferogram():
  half, *waves = TAPS
  assert half.eps == pytest.approx((HWHM**2 + 12.0**2) / HWHM**2, rel=2e-3)
  decay = np.exp(-np.pi * np.array(linewidth.FREQUENCIES) * HWHM / 4.0)
  ratio = np.array([wave.eps for wave in waves]) / decay
  assert (ratio > 1).all()
  assert (ratio[:2] < 2).all()


@pytest.mark.parametrize('hwhm', [0.8 * HWHM, 0.95 * HWHM])
def test_a_line_a_little_too_narrow_is_found(hwhm):
  line = 1 / (1 + ((NU - 1500.0) / hwhm) ** 2)
  assert linewidth.excess(line[None], NU, HWHM).max() > 0.04


@pytest.mark.parametrize(('period', 'size'), [(2, 0.01), (4, 0.03)])
def test_a_ripple_too_weak_to_be_a_feature_is_found(period, size):
  """On a background of 1, which is a sum of lines: no half value notices, an interferogram does."""
  wave = 1 + size * np.cos(2 * np.pi * np.arange(len(NU)) / period)
  excess_L = linewidth.excess(wave[None], NU, HWHM)[0]
  share = 1.0 if period == 2 else 0.5  # cos is one wave there, and half of two elsewhere
  decay = np.exp(-2 * np.pi * HWHM / (4.0 * period))
  assert share * size - 4 * decay < np.median(excess_L) < share * size


@given(seed=st.integers(0, 10**6))
@settings(max_examples=20, deadline=None)
def test_the_narrowest_feature_is_no_narrower_than_the_lines(seed):
  rng = np.random.default_rng(seed)
  k_L = lines(rng, 600, 2900).imag
  assert dispersion.narrowest(NU, k_L) > HWHM * (1 - 1e-9)


def test_the_mirrored_line_makes_no_feature_narrower():
  nu_L = 5.0 + 2.0 * np.arange(500)
  k_L = dielectrics.lorentz(nu_L, 1.0, 40.0, 2 * HWHM).imag
  assert dispersion.narrowest(nu_L, k_L) > 0.99 * HWHM  # of a line 3 HWHM from its mirror image


def test_lines_of_one_step_are_granted_what_the_sum_over_points_misses():
  index_L = np.sqrt(1 + dielectrics.lorentz(NU, 1e-3, 1501.0, 8.0))
  values = {'n': index_L.real[None], 'k': index_L.imag[None]}
  edges = {'low_max': 1e-9, 'high_max': 1e-9, 'high_power': 3.0, 'edge_slope_max': 1e-6}
  found = asked(Predictions(NU, values, hwhm_min=4.0), **edges)
  for law in ('passive', 'bounded'):
    assert not found[f'kramers_kronig_{law}/n+k'].violated_N.any()
  wide = asked(Predictions(NU, values, hwhm_min=16.0), **edges)  # stated, wrongly
  for law in ('passive', 'bounded'):
    assert wide[f'kramers_kronig_{law}/n+k'].violated_N.all()


def test_the_width_of_one_line_is_read_off():
  k_L = dielectrics.lorentz(NU, 0.1, 1500.0, 2 * HWHM).imag
  assert dispersion.narrowest(NU, k_L) == pytest.approx(HWHM, rel=0.01)


def test_a_fall_counts_beyond_the_errors_of_both_points():
  rest, error = np.array([[0.0, 2.0, 5.0, 1.5, 1.5]]), np.array([[0.0, 0.25, np.inf, 0.1, 0.3]])
  found = dispersion.fall(rest, error)[0]
  np.testing.assert_allclose(found[3:], [2.0 - 0.25 - 1.5 - 0.1, 2.0 - 0.25 - 1.5 - 0.3])
  assert (found[:3] <= 0).all()


def test_stretch_is_the_least_factor():
  ones = np.ones_like(NU)
  wave = np.where(np.arange(len(NU)) % 2, 1.0, -1.0)
  smooth = 1.4 - 2e4 / NU**2 + 3e-9 * NU**2
  for size in (0.5, 3.0):
    factor, fit_L = dispersion.stretch(NU, smooth + 1e-3 * size * wave, -1e-3 * ones, 1e-3 * ones)
    assert factor == pytest.approx(size, rel=0.02)
    np.testing.assert_allclose(fit_L, smooth, atol=2e-3)
  wrong, _ = dispersion.stretch(NU, 1.4 + 2e4 / NU**2, -1e-3 * ones, 1e-3 * ones)  # c1 > 0
  assert wrong > 3


def test_a_stretch_needs_no_point_that_says_nothing():
  lower, upper = -np.ones_like(NU), np.ones_like(NU)
  lower[[0, -1]], upper[[0, -1]] = -np.inf, np.inf
  rest = np.where(np.arange(len(NU)) % 2, 0.5, -0.5)
  rest[[0, -1]] = 1e9
  assert dispersion.stretch(NU, rest, lower, upper)[0] == pytest.approx(0.5, rel=1e-6)


def test_bands_lie_between_the_points():
  centres = np.array([801.3, 1502.0, 2222.9])
  spectrum = sum(1 / (1 + ((NU - c) / 40) ** 2) for c in centres)
  position, height = bands(NU, spectrum)
  np.testing.assert_allclose(position, centres, atol=0.3)
  np.testing.assert_allclose(height, 1.0, atol=0.02)
  assert len(bands(NU, np.zeros_like(NU))[0]) == 0


@given(total=st.integers(1, 60), share=st.floats(0, 1))
@settings(max_examples=25, deadline=None)
def test_the_interval_is_wilsons(total, share):
  count = round(share * total)
  exact = binomtest(count, total).proportion_ci(method='wilson')
  np.testing.assert_allclose(findings.wilson(count, total), exact, atol=1e-12)
