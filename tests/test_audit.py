"""Exact media break no law; each law is broken once on purpose and found, in its row and size."""

import functools
import inspect
import json
import sys
import types

import numpy as np
import pytest
from absl import flags
from absl.testing import flagsaver
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from experiments import audit as program
from experiments import dielectrics
from spectra_jax import audit, trained
from spectra_jax.audit import dispersion, findings, linewidth, predictions, runs, shifts
from spectra_jax.audit.exclusion import bands
from spectra_jax.audit.findings import NotTested
from spectra_jax.audit.predictions import Predictions
from spectra_jax.tasks import optical_constants, paired
from tests import processes
from tests.test_masked import make_task

NU = np.linspace(500.0, 3000.0, 626)  # steps of 4 cm^-1
ROWS, PLANTED, HWHM = 5, 2, 12.0
KINDS = ('ir', 'raman', 'absorbance', 'transmittance', 'reflectance', 'n', 'k')


def lines(rng, low, high):
  """An exact medium: Lorentz and Voigt lines, some outside of low .. high, and one far above."""
  chi = dielectrics.lorentz(NU, 1.0, 60_000.0, 2000.0)
  for nu0 in rng.uniform(low, high, 4):
    strength, hwhm = rng.uniform(1e-3, 1e-2), HWHM * rng.uniform(1, 4)
    chi = chi + dielectrics.lorentz(NU, strength, nu0, 2 * hwhm)
    chi = chi + dielectrics.voigt(NU, strength, nu0 + 150, 10.0, hwhm)
  return np.sqrt(1 + chi)


@functools.cache
def media(seed=0, dtype='float64'):
  """kind -> [ROWS, L] of samples that obey every law."""
  rng = np.random.default_rng(seed)
  index = np.stack([lines(rng, 400, 3100) for _ in range(ROWS)])
  apart = np.array([[650, 1250, 1900, 2500], [900, 1600, 2200, 2800]]) + rng.uniform(
    -80, 80, (2, 4)
  )
  ir, raman = (
    sum(rng.uniform(0.3, 1, (ROWS, 1)) / (1 + ((NU - p) / HWHM) ** 2) for p in row) for row in apart
  )
  reflectance = np.abs((index - 1) / (index + 1)) ** 2
  absorbance = NU * index.imag * 1e-2
  exact = {
    'ir': ir,
    'raman': raman,
    'absorbance': absorbance,
    'transmittance': (1 - reflectance) * 10**-absorbance,
    'reflectance': reflectance,
    'n': index.real,
    'k': index.imag,
  }
  return {kind: exact[kind].astype(dtype) for kind in KINDS}


def file_of(changes=(), kinds=KINDS, dtype='float64'):
  """Predictions of the exact media, but for `changes`: kind -> function of a row -> row."""
  values = {kind: media(dtype=dtype)[kind].copy() for kind in kinds}
  for kind, change in dict(changes).items():
    values[kind][PLANTED] = change(values[kind][PLANTED])
  truth = {kind: media(dtype=dtype)[kind] for kind in kinds if kind in ('k', 'ir')}
  return Predictions(NU, values, truth, np.ones(ROWS, bool), HWHM)


def asked(given, shifted=None, **assumptions):
  return {f.name: f for f in audit.audit(given, audit.Assumptions(**assumptions), shifted)}


# ---- exact media ------------------------------------------------------------


@pytest.mark.parametrize('dtype', ['float32', 'float64'])
def test_exact_media_break_no_law(dtype):
  found = asked(file_of(dtype=dtype))
  tested = {name: f for name, f in found.items() if not isinstance(f, NotTested)}
  assert {name: np.flatnonzero(f.violated_N).tolist() for name, f in tested.items()} == {
    name: [] for name in tested
  }
  assert set(tested) == {
    *(f'non_negativity/{kind}' for kind in ('ir', 'raman', 'absorbance', 'n', 'k')),
    *(f'passivity/{kind}' for kind in ('transmittance', 'reflectance')),
    'passivity/transmittance+reflectance',
    'kramers_kronig_passive/n+k',
    'kramers_kronig_bounded/n+k',
    *(f'f_sum_growth/{kind}' for kind in ('ir', 'absorbance', 'k')),
    *(f'f_sum/{kind}' for kind in ('ir', 'k')),
    *(f'linewidth/{kind}' for kind in ('ir', 'raman', 'absorbance', 'k')),
    'mutual_exclusion/ir+raman',
  }


@pytest.mark.slow
@pytest.mark.parametrize('hwhm', [None, HWHM])
def test_many_exact_media_break_no_law_of_dispersion(hwhm):
  for seed in range(200):
    values = {kind: media(seed)[kind] for kind in ('n', 'k')}
    found = asked(Predictions(NU, values, hwhm_min=hwhm))
    assert not any(
      found[f'kramers_kronig_{law}/n+k'].violated_N.any() for law in ('passive', 'bounded')
    )


def test_what_does_not_apply_says_why():
  reasons = {
    name: f.reason
    for name, f in asked(file_of(kinds=('absorbance',))).items()
    if hasattr(f, 'reason')
  }
  assert 'absorption alone neither breaks nor obeys it' in reasons['kramers_kronig']
  assert 'store true_absorbance' in reasons['f_sum/absorbance']
  assert 'store both' in reasons['mutual_exclusion/absorbance+raman']
  assert 'give --shifted' in reasons['shift_equivariance']
  alone = Predictions(NU, {'k': media()['k']})
  assert 'give --hwhm_min' in asked(alone)['linewidth/k'].reason
  flags = np.zeros(ROWS, bool)
  pair = {kind: media()[kind] for kind in ('ir', 'raman')}
  found = asked(Predictions(NU, pair, {}, flags))
  assert found['mutual_exclusion/ir+raman'].reason == 'no row is centrosymmetric'


@pytest.mark.parametrize('state', ['snv', 'derivative'])
def test_of_data_that_were_centred_or_differentiated_no_law_is_asked(state):
  found = asked(file_of(), state=state)
  assert all(isinstance(f, NotTested) for f in found.values())
  assert 'cannot be asked of' in found['non_negativity/k'].reason


def test_an_uneven_axis_leaves_out_what_needs_an_even_one():
  uneven = NU + 0.5 * np.sin(NU / 300)
  values = {kind: media()[kind] for kind in ('n', 'k')}
  found = asked(Predictions(uneven, values, {}, None, HWHM))
  for name in ('kramers_kronig/n+k', 'linewidth/k'):
    assert 'even' in found[name].reason
  assert not isinstance(found['f_sum_growth/k'], NotTested)


# ---- planted ----------------------------------------------------------------


def at(points, value):
  """row -> row with these points set to value times its maximum."""

  def change(row):
    row = row.copy()
    row[points] = value * row.max()
    return row

  return change


def ripple(row):
  return row + 0.02 * row.max() * (-1.0) ** np.arange(len(row))


def narrow(hwhm):
  return lambda row: row + 0.3 * row.max() / (1 + ((NU - 1500) / hwhm) ** 2)


def mirrored(row):
  return 2 * row.mean() - row


REST = 1 - media()['reflectance'][PLANTED]

# What is planted -> (law that must find it, size or None where only its sign is known, tolerance).
PLANTS = {
  'negative k': ({'k': at(300, -0.1)}, 'non_negativity/k', 0.1, 1e-6),
  'negative ir': ({'ir': at([10, 12], -0.02)}, 'non_negativity/ir', 0.02, 1e-6),
  'negative absorbance': ({'absorbance': at(0, -1e-4)}, 'non_negativity/absorbance', 1e-4, 1e-6),
  'T above 1': (
    {'transmittance': lambda t: t + 1.05 - t.max()},
    'passivity/transmittance',
    0.05,
    1e-6,
  ),
  'R below 0': ({'reflectance': lambda r: r - r.min() - 0.01}, 'passivity/reflectance', 0.01, 1e-6),
  'light is made': (
    {'transmittance': lambda t: REST + 0.02},
    'passivity/transmittance+reflectance',
    0.02,
    1e-6,
  ),
  'n of the other sign': ({'n': mirrored}, 'kramers_kronig_passive/n+k', 1.0, 0.5),
  'n of the other sign, by the bound': ({'n': mirrored}, 'kramers_kronig_bounded/n+k', None, 0),
  'n without bands': ({'n': lambda n: n.mean() + 0 * n}, 'kramers_kronig_passive/n+k', None, 0),
  'n moved by 5 steps': ({'n': lambda n: np.roll(n, 5)}, 'kramers_kronig_passive/n+k', None, 0),
  'too strong': ({'k': lambda k: 1.3 * k}, 'f_sum/k', np.log(1.3), 1e-6),
  'a band is missing': (
    {'ir': lambda v: v * (NU > 1000)},
    'f_sum/ir',
    None,
    0,
  ),
  'falling sum': ({'k': at(slice(300, 330), -0.1)}, 'f_sum_growth/k', None, 0),
  'a narrow line': ({'raman': narrow(HWHM / 3)}, 'linewidth/raman', None, 0),
  'a ripple': ({'k': ripple}, 'linewidth/k', 3 * 0.02, 0.004),  # a value less twice a mean
  'Raman like IR': (
    {'raman': lambda _: media()['ir'][PLANTED]},
    'mutual_exclusion/ir+raman',
    1,
    1e-6,
  ),
}


@pytest.mark.parametrize('plant', PLANTS)
def test_what_is_planted_is_found_in_its_row_and_size(plant):
  changes, law, size, tolerance = PLANTS[plant]
  kinds = (
    {'n', 'k'} if 'kramers' in law else {*changes, 'ir', 'raman', 'transmittance', 'reflectance'}
  )
  found = asked(file_of(changes, kinds=tuple(kind for kind in KINDS if kind in kinds)))[law]
  np.testing.assert_array_equal(found.violated_N, np.arange(ROWS) == PLANTED)
  assert found.worst_row == PLANTED
  assert found.where_NxL[PLANTED].any()
  assert not np.delete(found.where_NxL, PLANTED, axis=0).any()
  if size is not None:
    np.testing.assert_allclose(found.size_N[PLANTED], size, rtol=0, atol=tolerance)


def test_bands_may_coincide_as_they_do_in_the_true_spectra():
  """One shared band of four could be two degenerate modes, unless the truth is known."""
  pair = {kind: media()[kind] for kind in ('ir', 'raman')}
  shared = {**pair, 'raman': np.where(NU < 1100, 0.9 * pair['ir'], pair['raman'])}
  name, centred = 'mutual_exclusion/ir+raman', np.arange(ROWS) != 0
  without = asked(Predictions(NU, shared, {}, centred))[name]
  known = asked(Predictions(NU, shared, pair, centred))[name]
  degenerate = asked(Predictions(NU, shared, shared, centred))[name]
  assert (without.size_N > 0.06).all()
  assert not without.where_NxL.any()
  assert (without.violated_N.any(), known.violated_N.all(), degenerate.violated_N.any()) == (
    0,
    1,
    0,
  )
  assert known.worst_row == 1 + known.worst  # row 0 has no centre and is not asked


def test_a_violation_is_shaded_where_it_is():
  found = asked(file_of({'k': at([300, 301], -0.1)}, kinds=('k',)))['non_negativity/k']
  np.testing.assert_array_equal(np.flatnonzero(found.where_NxL[PLANTED]), [300, 301])


def test_tolerance_is_a_share_of_the_maximum():
  given = file_of({'k': at(300, -0.1)}, kinds=('k',))
  name = 'non_negativity/k'
  assert asked(given, tolerance=0.099)[name].violated_N.any()
  assert not asked(given, tolerance=0.101)[name].violated_N.any()


# ---- shift equivariance -----------------------------------------------------


def test_an_equivariant_model_is_told_from_one_that_is_not():
  curve = lambda nu: 1 / (1 + ((nu - np.array([[900], [1700], [2400]])) / 20) ** 2)
  given = Predictions(NU, {'ir': curve(NU)})
  moved = curve(NU - 12.0)
  moved[1] *= 1.05
  name = 'shift_equivariance/ir'
  found = asked(given, Predictions(NU, {'ir': moved}), shift_cm=12.0)[name]
  np.testing.assert_array_equal(found.violated_N, [False, True, False])
  np.testing.assert_allclose(found.size_N[1], 0.05, atol=1e-3)
  down = asked(given, Predictions(NU, {'ir': curve(NU + 12.0)}), shift_cm=-12.0)[name]
  assert not down.violated_N.any()


def test_a_shift_must_be_whole_steps_of_the_same_axis():
  with pytest.raises(
    ValueError, match=r'shift_cm is 10 cm.-1, expected a whole number of steps of 4'
  ):
    shifts.whole_steps(NU, 10.0)
  given = Predictions(NU, {'ir': media()['ir']})
  other = Predictions(NU + 1, {'ir': media()['ir']})
  with pytest.raises(ValueError, match='on the same axis'):
    asked(given, other, shift_cm=4.0)


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


# ---- files ------------------------------------------------------------------


def test_a_file_comes_back_as_it_was_written(tmp_path):
  given = file_of()
  predictions.write(tmp_path / 'p.npz', given)
  back = predictions.read(tmp_path / 'p.npz')
  assert list(back.values) == list(given.values)
  assert back.hwhm_min == HWHM
  np.testing.assert_array_equal(back.centrosymmetric, given.centrosymmetric)
  np.testing.assert_array_equal(back.truth['k'], given.truth['k'])
  only = predictions.read(tmp_path / 'p.npz', ['k'])
  assert (list(only.values), list(only.truth)) == (['k'], ['k'])


GOOD = {'axis': NU, 'axis_unit': 'cm^-1', 'ir': media()['ir']}


@pytest.mark.parametrize(
  ('arrays', 'words'),
  [
    ({'axis': NU, 'ir': media()['ir']}, "has no 'axis_unit', expected an .npz of numpy arrays"),
    ({**GOOD, 'axis_unit': 'nm'}, "axis_unit is 'nm', expected 'cm.-1'.*convert nm by 1e7 / nm"),
    ({**GOOD, 'axis': NU[::-1]}, 'not strictly increasing.*flip a descending one'),
    ({**GOOD, 'spectra': NU}, "has an array 'spectra', expected an .npz of numpy arrays"),
    ({'axis': NU, 'axis_unit': 'cm^-1'}, 'has predictions of no kind, expected an .npz'),
    ({**GOOD, 'ir': NU}, r'ir has shape \(626,\), expected \[626, 626\]: a row for each sample'),
    ({**GOOD, 'k': media()['k'][:3]}, r'k has shape \(3, 626\), expected \[5, 626\]'),
    ({**GOOD, 'ir': np.ones((2, 626), int)}, 'ir has dtype int64, expected float32 or float64'),
    ({**GOOD, 'ir': np.full((2, 626), np.nan)}, 'ir is nan in row 0 at point 0 .*leave such rows'),
    ({**GOOD, 'true_ir': np.ones((2, 3))}, r'true_ir has shape \(2, 3\)'),
    ({**GOOD, 'centrosymmetric': np.ones(5)}, r'centrosymmetric is float64.*expected bool \[5\]'),
    ({**GOOD, 'hwhm_min': np.ones(2)}, 'hwhm_min has shape .2,., expected one number'),
    ({**GOOD, 'hwhm_min': -1.0}, 'hwhm_min is -1.0, expected a positive half width'),
    ({**GOOD, 'ir': np.array([None])}, 'cannot be read .*expected an .npz of numpy arrays'),
  ],
)
def test_a_file_in_another_shape_is_refused_with_a_sentence(arrays, words, tmp_path):
  np.savez(tmp_path / 'p.npz', **arrays)
  with pytest.raises(ValueError, match=words):
    predictions.read(tmp_path / 'p.npz')


def test_what_is_no_file_of_predictions_is_refused(tmp_path):
  (tmp_path / 'text.npz').write_text('nu, k')
  np.save(tmp_path / 'array.npy', NU)
  np.savez(tmp_path / 'good.npz', **GOOD)
  for name in ('text.npz', 'array.npy'):
    with pytest.raises(ValueError, match=r'cannot be read .*expected an .npz of numpy arrays'):
      predictions.read(tmp_path / name)
  with pytest.raises(FileNotFoundError, match=r'is missing, expected an .npz'):
    predictions.read(tmp_path / 'none.npz')
  with pytest.raises(ValueError, match='has predictions of ir, expected raman; add them'):
    predictions.read(tmp_path / 'good.npz', ['ir', 'raman'])


@pytest.mark.parametrize(
  ('numbers', 'words'),
  [
    ({'tolerance': 1.0}, 'tolerance is 1.0, expected a share'),
    ({'low_max': 0.0}, 'low_max is 0.0, expected a positive finite number'),
    ({'state': 'raw'}, "state is 'raw', expected one of measured"),
  ],
)
def test_assumptions_out_of_range_are_refused(numbers, words):
  with pytest.raises(ValueError, match=words):
    audit.Assumptions(**numbers)


# ---- our own runs -----------------------------------------------------------


tiny_task = functools.cache(lambda: make_task(axis=np.linspace(400, 4000, 128), molecules=24))


def test_a_masked_task_predicts_intensities_with_their_sign():
  task = tiny_task()
  _, targets = task.held_out('test')
  truth, masked = np.asarray(targets['values']), np.asarray(targets['masked'])
  arrays = task.predictions(np.where(masked, -2 * truth, 7.0), 'test')
  for k, kind in enumerate(task.kinds):
    rows = task.examples('test')['kind'] == k
    exact = np.where(masked[rows], -4.0, 1.0) * task.examples('test')['values'][rows]
    np.testing.assert_allclose(arrays[kind], exact, rtol=1e-5)
    np.testing.assert_array_equal(arrays[f'true_{kind}'], task.examples('test')['values'][rows])


@pytest.mark.parametrize('intensities', [False, True])
def test_a_paired_task_predicts_the_whole_axis(intensities):
  exact = {kind: np.float32(media()[kind]) for kind in paired.KINDS}
  scale = {'ir': 0.5, 'raman': 2.0}
  shares = {kind: exact[kind] / scale[kind] ** 2 for kind in paired.KINDS}
  shares['ir'][PLANTED] *= -1
  task = types.SimpleNamespace(
    examples=lambda side: {**exact, 'centrosymmetric': np.ones(ROWS, bool)},
    options=types.SimpleNamespace(intensities=intensities),
    scale=scale,
  )
  roots = {kind: np.sign(share) * np.sqrt(np.abs(share)) for kind, share in shares.items()}
  arrays = paired.Task.predictions(task, shares if intensities else roots, 'test')
  sign = np.where(np.arange(ROWS) == PLANTED, -1, 1)[:, None]
  np.testing.assert_allclose(arrays['ir'], sign * exact['ir'], rtol=1e-5)
  np.testing.assert_allclose(arrays['raman'], exact['raman'], rtol=1e-5)
  np.testing.assert_array_equal(arrays['true_ir'], exact['ir'])


def test_a_task_of_optical_constants_predicts_them_in_absolute_units():
  exact = {name: np.float32(media()[name]) for name in ('n', 'k')}
  task = types.SimpleNamespace(
    examples=lambda side: exact,
    absolute=lambda outputs: {name: 2 * outputs[name] for name in ('n', 'k')},
  )
  outputs = {name: values / 2 for name, values in exact.items()}
  arrays = optical_constants.Task.predictions(task, outputs, 'test')
  for name in ('n', 'k'):
    np.testing.assert_array_equal(arrays[name], exact[name])
    np.testing.assert_array_equal(arrays[f'true_{name}'], exact[name])


def test_a_run_is_audited_on_its_test_side(monkeypatch):
  class Run:
    task = tiny_task()

  monkeypatch.setattr(trained, 'load', lambda workdir: (Run, 'params'))
  predict = lambda params, examples: np.full(examples['values'].shape, -1.0, np.float32)
  monkeypatch.setattr(runs.train, 'make_predict', lambda run: predict)
  given = runs.of_run('runs/any')
  assert (list(given.values), list(given.truth)) == (['ir', 'raman'], ['ir', 'raman'])
  assert len(given) == len(Run.task.split.test)
  assert asked(given)['non_negativity/ir'].violated_N.all()


# ---- the program ------------------------------------------------------------


def example():
  """The lines of numpy in the docstring of the program."""
  told = inspect.getdoc(program).splitlines()
  return [line.strip() for line in told if line.startswith(('  import numpy', '  nu =', '  np.'))]


def test_the_documented_example_is_written_read_and_audited(tmp_path):
  assert len(example()) == 3
  folder = f'import os; os.chdir({str(tmp_path)!r})'
  exec('\n'.join([folder, *example(), f'os.chdir({str(processes.REPOSITORY)!r})']), {})
  path = tmp_path / 'predictions.npz'
  command = ('-m', 'experiments.audit', str(path), '--hwhm_min=8', '--strict')
  output = processes.finish(processes.start(*command))
  assert 'linewidth/ir' in output
  laws = json.loads(output.splitlines()[-1])
  assert laws['linewidth/ir']['violations'] == 0
  assert laws['non_negativity/ir']['applies']
  assert not laws['kramers_kronig']['applies']
  document = json.loads((tmp_path / 'predictions.audit.json').read_text())
  assert document['laws'] == laws
  assert document['hwhm_min'] == 8
  assert (tmp_path / 'predictions.audit.png').stat().st_size > 10_000


def run_program(path, capsys, **values):
  if not flags.FLAGS.is_parsed():
    flags.FLAGS(sys.argv[:1])
  with flagsaver.flagsaver(**values):
    program.main(['audit', str(path)])
  return json.loads(capsys.readouterr().out.splitlines()[-1])


def test_strict_fails_only_where_a_law_is_broken(tmp_path, capsys):
  predictions.write(tmp_path / 'p.npz', file_of({'k': at(300, -0.1)}, kinds=('k',)))
  laws = run_program(tmp_path / 'p.npz', capsys, json=str(tmp_path / 'other.json'))
  found = laws['non_negativity/k']
  assert (found['violations'], found['rows'], found['worst_row']) == (1, ROWS, PLANTED)
  assert found['worst'] == pytest.approx(0.1)
  assert found['rate_interval'] == pytest.approx([0.036, 0.624], abs=1e-3)
  assert (tmp_path / 'other.png').exists()
  with pytest.raises(SystemExit) as stopped:
    run_program(tmp_path / 'p.npz', capsys, strict=True)
  assert stopped.value.code == 1
  with pytest.raises(SystemExit, match=r'error: .* is missing, expected an .npz of numpy arrays'):
    run_program(tmp_path / 'none.npz', capsys)


def test_the_figure_shows_the_worst_rows_from_high_to_low():
  given = file_of({'k': at(300, -0.1)}, kinds=('n', 'k'))
  figure = audit.figure(given, list(asked(given).values()))
  titles = [ax.get_title('left') for ax in figure.axes]
  assert titles[0] == f'non negativity/k, row {PLANTED}: 0.1 of the maximum below 0'
  assert sum('no row violates it' in title for title in titles) < len(titles)
  assert figure.axes[-1].get_xlim() == (NU[-1], NU[0])
  assert all(ax.get_ylabel() for ax in figure.axes)
  np.testing.assert_array_equal(
    figure.axes[0].get_lines()[0].get_ydata(), given.values['k'][PLANTED]
  )
