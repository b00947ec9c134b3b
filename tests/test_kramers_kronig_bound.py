"""The bound covers the true error of media inside its assumptions, and each term its own part."""

import itertools

import jax
import numpy as np
import pytest
import scipy.integrate
import scipy.optimize
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments import dielectrics, random_media
from spectra_jax.physics import kramers_kronig as kk
from spectra_jax.physics import kramers_kronig_bound as kb
from spectra_jax.physics.kramers_kronig_truncation import truncation

NU = np.linspace(1000, 3000, 512)
STEP = NU[1] - NU[0]
PLANS = {tails: kk.plan(NU, tails=tails) for tails in ('none', 'power_law')}
MEDIUM = random_media.Medium(
  np.array([0.01, 0.004]), np.array([1700.0, 3200.0]), np.array([60, 80])
)
TOLD = random_media.assumptions(MEDIUM, 1000, 3000, 6 * STEP, 3.0)
K = random_media.susceptibility(NU, MEDIUM).imag


def transform(tails, k_BxL):
  with jax.enable_x64(True):
    return np.asarray(kk.transform(PLANS[tails], k_BxL), np.float64)


def lorentzians(hwhm, centres):
  """Im chi of lines of height 1, and their exact windowed transforms, [K, L] each."""
  media = [random_media.Medium(*np.array([[2 * hwhm / c], [c], [2 * hwhm]])) for c in centres]
  k_KxL = np.array([random_media.susceptibility(NU, m).imag for m in media])
  return k_KxL, np.array([random_media.window(NU, m) for m in media])


# ---- the whole bound --------------------------------------------------------


def coverage(tails, dtype, power, media):
  """(points outside the interval, bound / error) over all interior points of random media."""
  rng, drawn = np.random.default_rng(7), []
  for _ in range(media):
    medium = random_media.draw(rng, 1000, 3000, 6 * STEP)
    drawn.append((medium, random_media.assumptions(medium, 1000, 3000, 6 * STEP, power)))
  chi_BxL = np.array([random_media.susceptibility(NU, medium) for medium, _ in drawn])
  k_BxL = chi_BxL.imag.astype(dtype)
  error_BxL = (chi_BxL.real - transform(tails, k_BxL))[:, 1:-1]
  plan = PLANS[tails]
  sides = [kb.interval(plan, k_L, **told) for k_L, (_, told) in zip(k_BxL, drawn, strict=True)]
  lower_BxL, upper_BxL = np.array(sides)[..., 1:-1].swapaxes(0, 1)
  missed = (error_BxL < lower_BxL) | (error_BxL > upper_BxL)
  assert np.isfinite(lower_BxL).all()
  assert np.isfinite(upper_BxL).all()
  return missed.sum(), np.maximum(-lower_BxL, upper_BxL) / np.abs(error_BxL)


@pytest.mark.parametrize(
  ('tails', 'dtype', 'power'),
  [('none', 'float64', 3), ('none', 'float32', 1.5), ('power_law', 'float64', 2.5)],
)
def test_random_media_lie_inside_the_interval(tails, dtype, power):
  missed, slack = coverage(tails, dtype, power, 48)
  assert missed == 0
  assert slack.min() >= 1
  assert np.median(slack) < 30


@pytest.mark.slow
@pytest.mark.parametrize('tails', ['none', 'power_law'])
@pytest.mark.parametrize('dtype', ['float32', 'float64'])
def test_a_thousand_media_lie_inside_the_interval(tails, dtype):
  missed, slack = coverage(tails, dtype, 3.0, 1000)
  assert missed == 0
  assert np.median(slack) < 15


def test_the_bound_is_the_farther_side_and_says_nothing_at_the_end_points():
  plan = PLANS['none']
  lower_L, upper_L = kb.interval(plan, K, **TOLD)
  bound_L = kb.bound(plan, K, **TOLD)
  np.testing.assert_array_equal(bound_L, np.maximum(-lower_L, upper_L))
  assert np.isinf(bound_L[[0, -1]]).all()
  assert np.isfinite(bound_L[1:-1]).all()


def test_a_batch_is_its_rows():
  plan, k_2xL = PLANS['power_law'], np.stack([K, 0.5 * K])
  told = TOLD | {'low_max': 0.1, 'high_max': 1.0}
  rows = [kb.bound(plan, k_L, **told) for k_L in k_2xL]
  np.testing.assert_allclose(kb.bound(plan, k_2xL, **told), rows, rtol=1e-12)


def test_tails_of_the_true_power_law_leave_less():
  bare, tailed = (kb.bound(PLANS[tails], K, **TOLD)[1:-1] for tails in ('none', 'power_law'))
  assert np.median(tailed) < np.median(bare)


@pytest.mark.parametrize('name', ['low_max', 'high_max', 'edge_slope_max'])
def test_knowing_less_widens_the_interval(name):
  lower_L, upper_L = kb.interval(PLANS['none'], K, **TOLD)
  loose_lower_L, loose_upper_L = kb.interval(PLANS['none'], K, **TOLD | {name: 2 * TOLD[name]})
  assert (loose_lower_L <= lower_L).all()
  assert (loose_upper_L >= upper_L).all()
  assert (loose_upper_L - loose_lower_L > upper_L - lower_L)[1:-1].any()


# ---- truncation -------------------------------------------------------------


def quad(envelope, nu, start, end, kinks):
  """(2/pi) int x envelope(x) / (x^2 - nu^2) dx from start to end, by an adaptive rule."""
  whole = lambda x: 2 / np.pi * x * envelope(x) / ((x - nu) * (x + nu))
  ends = [start, *sorted(x for x in kinks if start < x < end), end]
  pairs = itertools.pairwise(ends)
  return sum(scipy.integrate.quad(whole, *pair, epsabs=1e-13, epsrel=1e-11)[0] for pair in pairs)


@pytest.mark.parametrize('power', [0.3, 1.0, 2.0, 3.0])
@pytest.mark.parametrize('slope', [1e-5, 1e-3, 1.0])
def test_truncation_is_the_integral_of_the_envelopes(power, slope):
  k_a, k_b, low, high, (a, b) = K[0], K[-1], 0.05, 0.4, NU[[0, -1]]
  found = truncation(PLANS['none'], K, low, high, power, slope)
  most_below = lambda x: min(low, k_a + slope * (a - x))
  least_below = lambda x: max(0, k_a - slope * (a - x))
  most_above = lambda x: min(high * (b / x) ** power, k_b + slope * (x - b))
  least_above = lambda x: max(0, k_b - slope * (x - b))
  meets = scipy.optimize.brentq(lambda x: high * (b / x) ** power - k_b - slope * (x - b), b, 1e9)
  kinks = (a - (low - k_a) / slope, a - k_a / slope, b + k_b / slope, meets)
  far = 2 * max(b, *kinks)
  for i in (1, 300, 510):
    below = [quad(f, NU[i], 0, a, kinks) for f in (most_below, least_below)]
    least, most = (quad(f, NU[i], b, far, kinks) for f in (least_above, most_above))
    ratio = lambda t, i=i: 1 / (1 - (NU[i] / far) ** 2 * t ** (2 / power))  # t = (far / x)^power
    most += 2 / np.pi * most_above(far) / power * scipy.integrate.quad(ratio, 0, 1)[0]
    np.testing.assert_allclose(found[0][i], below[0] + least, rtol=1e-7, atol=1e-9)
    assert -1e-9 <= found[1][i] - below[1] - most < 0.005 * most


def test_tails_of_the_plan_are_taken_off_exactly():
  tails_L = transform('power_law', K) - transform('none', K)
  given = (K, 0.05, 0.4, 2.0, 1e-3)
  for bare_L, tailed_L in zip(*(truncation(plan, *given) for plan in PLANS.values()), strict=True):
    np.testing.assert_allclose((bare_L - tailed_L)[1:-1], tails_L[1:-1], atol=1e-11)


# ---- quadrature and rounding ------------------------------------------------


@pytest.mark.parametrize('g', [0.1, 0.25, 0.5, 1, 2, 3, 6, 10, 40, 100])
def test_no_line_breaks_the_bound_of_the_quadrature(g):
  near = max(g, 1)
  offsets = np.concatenate([np.linspace(-2, 3, 21) * near, np.linspace(3, 255.5, 9)])
  steps = np.concatenate([offsets, len(NU) - 1 - offsets])
  for hwhm in (g * STEP, 1.4 * g * STEP):
    centres = NU[0] + steps * STEP
    centres = centres[centres > 2 * hwhm]
    k_KxL, exact_KxL = lorentzians(hwhm, centres)
    error_KxL = np.abs(transform('none', k_KxL) - exact_KxL)
    below_K, above_K = centres < NU[0], centres > NU[-1]
    for k_L, error_L, below, above in zip(k_KxL, error_KxL, below_K, above_K, strict=True):
      outside = (np.where(below, 1.0, 1e-30), np.where(above, 1.0, 1e-30), 3.0)
      allowed_L = kb.quadrature(PLANS['none'], k_L, g * STEP, *outside)
      allowed_L += kb.rounding(k_L, np.float64)
      assert (error_L <= 0.75 * allowed_L)[1:-1].all()


def test_the_law_of_a_resolved_line_is_a_tenth_of_its_bound():
  for g in (1, 2, 3):
    k_1xL, _ = lorentzians(g * STEP, [NU[256]])
    allowed = kb.quadrature(PLANS['none'], k_1xL, g * STEP, 1e-30, 1e-30, 3.0)[0, 256]
    assert 5 < allowed / (2 * np.exp(-np.pi * g)) < 30


def test_a_line_between_two_samples_is_covered_though_nobody_sees_it():
  """k shows 1 % of a line of height 1, while Re chi goes to 0.1 of it on both sides."""
  hwhm, centre = 0.05 * STEP, 0.5 * (NU[255] + NU[256])
  medium = random_media.Medium(*np.array([[2 * hwhm / centre], [centre], [2 * hwhm]]))
  chi_L = random_media.susceptibility(NU, medium)
  told = random_media.assumptions(medium, 1000, 3000, hwhm, 3.0)
  lower_L, upper_L = kb.interval(PLANS['none'], chi_L.imag, **told)
  error_L = chi_L.real - transform('none', chi_L.imag)
  assert np.abs(error_L).max() > 0.04 > 3 * chi_L.imag.max()
  assert ((lower_L <= error_L) & (error_L <= upper_L))[1:-1].all()


@pytest.mark.parametrize(('points', 'least'), [(1, 0.3), (2, 0.01)])
def test_at_two_to_four_points_a_width_it_is_of_the_order_of_chi(points, least):
  """FWHM = 2 points, HWHM = 1."""
  k_1xL, _ = lorentzians(points * STEP, [2000.0])
  allowed_L = kb.quadrature(PLANS['none'], k_1xL[0], points * STEP, 1e-3, 1e-3, 3.0)
  assert least < allowed_L.max() < 2


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(['none', 'power_law']), st.booleans())
def test_float32_stays_within_the_rounding(seed, tails, white):
  rng = np.random.default_rng(seed)
  smooth = random_media.susceptibility(NU, random_media.draw(rng, 1000, 3000, 6 * STEP)).imag
  k_L = (rng.random(512) if white else smooth).astype(np.float32)
  difference_L = transform(tails, k_L) - transform(tails, k_L.astype(np.float64))
  assert 0 < np.abs(difference_L).max() < kb.rounding(k_L.astype(np.float64), k_L.dtype)[0] / 2


# ---- refusals ---------------------------------------------------------------

NEEDLE = np.where(np.arange(512) == 99, 0.01, K)


@pytest.mark.parametrize(
  ('k', 'told', 'message'),
  [
    (K, {'high_power': 0.0}, 'high_power is 0.0; expected above 0, or the integral over what lies'),
    (K, {'high_power': 4.0}, 'as fast as a Lorentz line falls; give the fall you know'),
    (K, {'hwhm_min': 0.0}, 'hwhm_min is 0.0; expected a positive finite number; state'),
    (K, {'edge_slope_max': np.inf}, 'edge_slope_max is inf; expected a positive finite number'),
    (K, {'low_max': np.nan}, 'low_max is nan; expected a positive finite number; state what'),
    (K, {'low_max': 1e-9}, 'low_max is 1e-09 but k at the edge it starts from is .* raise it'),
    (K, {'high_max': 1e-9}, 'high_max is 1e-09 but k at the edge it starts from is'),
    (-K, {}, r'k is -.* at 1000 cm\^-1; expected finite Im chi >= 0, as of a passive sample'),
    (np.where(np.arange(512) == 7, np.nan, K), {}, r'k is nan at 1027.4 cm\^-1; expected finite'),
    (K[:-1], {}, r'k has shape \(511,\) and dtype float64; expected \[..., 512\] in float32'),
    (K.astype(np.float16), {}, 'dtype float16; expected'),
    (NEEDLE, {}, r'in one step at 1383.56 cm\^-1; expected at most a factor 1.18 with hwhm_min ='),
  ],
)
def test_what_it_cannot_support_is_refused(k, told, message):
  with pytest.raises(ValueError, match=message):
    kb.bound(PLANS['none'], k, **TOLD | told)


def test_an_uneven_axis_is_refused():
  plan = kk.plan(1e7 / np.linspace(1e4, 4e3, 64), tails='none', resample_points=128)
  with pytest.raises(ValueError, match='the plan interpolates an uneven axis to an even one'):
    kb.bound(plan, np.full(64, 0.01), **TOLD)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.3, 1.0, 6.0]))
def test_no_medium_of_the_class_is_taken_for_a_narrower_one(seed, g):
  medium = random_media.draw(np.random.default_rng(seed), 1000, 3000, g * STEP)
  k_L = random_media.susceptibility(NU, medium).imag.astype(np.float32)
  assert np.isfinite(
    kb.bound(PLANS['none'], k_L, **random_media.assumptions(medium, 1000, 3000, g * STEP, 3.0))[5]
  )


def test_a_voigt_band_is_of_the_class():
  nu0, sigma, hwhm = 2000.0, 5 * STEP, 4 * STEP
  outside = lambda nu: dielectrics.voigt(nu, 0.3, nu0, sigma, hwhm)
  told = {'hwhm_min': hwhm, 'low_max': outside(1000.0).imag, 'high_max': outside(3000.0).imag}
  told |= {'high_power': 2.0, 'edge_slope_max': 1e-5}
  chi_L = outside(NU)
  error_L = chi_L.real - transform('none', chi_L.imag)
  assert (np.abs(error_L) <= kb.bound(PLANS['none'], chi_L.imag, **told)).all()
