"""Augmentations against closed forms and the laws of noise."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.fft
import scipy.optimize
from hypothesis import given, settings
from hypothesis import strategies as st

from spectra_jax import augment
from spectra_jax.augment import bands, noise, rules
from spectra_jax.physics import instrument
from tests.augmented import (
  KEYS,
  LINE,
  NM,
  NU,
  ON,
  OPTIONS,
  SEEN,
  SLOW,
  frame_of,
  lorentz,
  many,
  options,
  spectra,
)

# ---- nothing is on, or of magnitude zero ------------------------------------


def test_config_and_functions_have_the_same_options():
  assert set(OPTIONS) == {*augment.STEPS, 'mixing'} == set(rules.RULES)
  for name, (step, magnitudes) in augment.STEPS.items():
    keywords = [p for p in inspect.signature(step).parameters.values() if p.kind is p.KEYWORD_ONLY]
    assert set(OPTIONS[name]) == {p.name for p in keywords}
    assert not any(OPTIONS[name][magnitude] for magnitude in magnitudes)


def test_default_config_changes_nothing():
  augmented = augment.build(OPTIONS, spectra('k', unit='index'))
  values, mask = augmented(jax.random.key(0), LINE, SEEN)
  assert values is LINE
  assert mask is SEEN
  assert augmented.mix(jax.random.key(0), LINE, None) is LINE


@pytest.mark.parametrize('kind', [pytest.param('raman', marks=SLOW), 'absorbance'])
def test_magnitude_zero_is_the_identity_bit_for_bit(kind):
  values = np.linspace(-0.3, 3.0, len(NU), dtype=np.float32)

  @jax.jit
  def all_off(key):
    of = lambda step, name: step(key, values, SEEN, frame_of(kind), **OPTIONS[name].to_dict())
    return [of(step, name) for name, (step, _) in augment.STEPS.items()]

  for found, mask in all_off(jax.random.key(1)):
    np.testing.assert_array_equal(found, values)
    assert mask.all()


# ---- bands ------------------------------------------------------------------


@jax.jit
def shifted(shift_cm):
  return bands.moved(LINE, SEEN, frame_of().points(shift_cm))


@pytest.mark.parametrize('shift_cm', [-31.7, -0.4, 0.9, 12.1, 57.3])
def test_a_shifted_line_is_the_line_elsewhere(shift_cm):
  """The error is below a tenth of what straight lines between points would do."""
  values, mask = shifted(shift_cm)
  exact = lorentz(NU, 1001.3 + shift_cm, 20.0)
  straight = 2.0**2 / 8 * 2 / 10.0**2  # step^2 / 8 times the curvature at the top
  assert np.abs(values - exact)[np.asarray(mask)].max() < 0.1 * straight
  beyond = NU - shift_cm
  np.testing.assert_array_equal(mask, (beyond >= NU[0]) & (beyond <= NU[-1]))
  edge = LINE[0] if shift_cm > 0 else LINE[-1]
  np.testing.assert_allclose(values[~np.asarray(mask)], edge, rtol=0.02)


@settings(max_examples=12, deadline=None)
@given(points=st.integers(-399, 399))
def test_whole_steps_move_the_same_bits(points):
  values, mask = shifted(np.float32(2.0 * points))
  kept = slice(max(points, 0), len(NU) + min(points, 0))
  source = slice(max(-points, 0), len(NU) - max(points, 0))
  np.testing.assert_array_equal(values[kept], LINE[source])
  np.testing.assert_array_equal(np.flatnonzero(mask), np.arange(len(NU))[kept])


def test_the_slope_of_a_shift_is_that_of_the_line():
  exact = -np.gradient(lorentz(np.linspace(600, 1400, 400001), 1001.3 + 0.7, 20.0), 0.002)
  _, slope = jax.jvp(lambda s: shifted(s)[0], (0.7,), (1.0,))
  at = np.round((NU - 600) / 0.002).astype(int)
  np.testing.assert_allclose(slope[5:-5], exact[at][5:-5], atol=0.02 * np.abs(exact).max())


def test_a_shift_in_wavenumbers_on_an_axis_in_nm():
  nu = 1e7 / NM
  line = np.float32(lorentz(nu, 7500.0, 300.0))
  at = jax.jit(lambda s: bands.moved(line, line > 0, frame_of('absorbance', unit='nm').points(s)))
  values, mask = at(40.0)
  exact = lorentz(nu, 7540.0, 300.0)
  np.testing.assert_allclose(values[mask], exact[np.asarray(mask)], atol=2e-5)


def test_what_a_hole_touches_is_masked():
  mask = NU[200] != NU
  after = jax.jit(lambda points: bands.moved(LINE, mask, points)[1])
  assert list(np.flatnonzero(~after(0.5))) == [0, 200, 201]
  assert list(np.flatnonzero(~after(3.0))) == [0, 1, 2, 203]


def test_warmth_widens_lines_by_a_lorentzian_and_keeps_their_area():
  run = many('drift', 'raman', position_cm=0.0, width_cm=6.0)
  exact = lambda fwhm: 20.0 / fwhm * lorentz(NU, 1001.3, fwhm)
  for values in np.float64(run(LINE, SEEN)[0][:8]):
    miss = lambda fwhm, values=values: ((values - exact(fwhm)) ** 2).sum()
    fwhm = scipy.optimize.minimize_scalar(miss, (20.0, 26.0)).x
    assert 20.0 < fwhm < 26.0
    np.testing.assert_allclose(values, exact(fwhm), atol=1e-3)
    np.testing.assert_allclose(values.sum(), LINE.sum(dtype=np.float64), rtol=1e-5)


def test_warmth_moves_bands_down_and_not_alike():
  nu = lambda values: (values**8 * NU).sum(-1) / (values**8).sum(-1)
  run = many('drift', 'raman', position_cm=4.0, width_cm=0.0, band_cm=100.0)
  low, high = (
    nu(np.float64(run(np.float32(lorentz(NU, at, 20.0)), SEEN)[0])) - at for at in (800.0, 1200.0)
  )
  assert low.max() < 0.2
  assert low.min() > -4.2
  assert np.abs(low - high).max() > 0.5
  assert low.std() > 0.3


@pytest.mark.parametrize('kind', ['raman', 'absorbance'])
def test_another_resolution_is_the_line_shape_of_an_instrument(kind):
  """The light is cut short in retardation, by one of the widths, or by none: all of them occur."""
  light = np.float32(1 - 0.9 * LINE) if kind == 'absorbance' else LINE
  values = -np.log10(light) if kind == 'absorbance' else light
  found, _ = many('resolution', kind)(values, SEEN)
  seen = np.float64(10.0**-found if kind == 'absorbance' else found)
  delta, unit = np.arange(400) / 1600.0, instrument.fwhm(1.0, 'medium')
  widths = np.linspace(instrument.fwhm(0.25, 'medium'), 20.0, bands.LEVELS)
  windows = [np.ones(400), *(instrument.window(delta, unit / width, 'medium') for width in widths)]
  exact = np.stack(
    [scipy.fft.idct(scipy.fft.dct(np.float64(light)) * window) for window in windows]
  )
  error = np.abs(seen[:, None] - exact).max(-1)
  assert error.min(-1).max() < 3e-6
  assert set(error.argmin(-1)) == set(range(1 + bands.LEVELS))
  np.testing.assert_array_equal(found[error.argmin(-1) == 0][0], values)
  np.testing.assert_allclose(seen.sum(-1), light.sum(dtype=np.float64), rtol=1e-5)


def test_a_cut_keeps_the_diagnostic_bands():
  _, masks = many('crop', 'raman')(LINE, SEEN)
  masks = np.asarray(masks)
  assert masks[:, (NU >= 650) & (NU[-1] - 50 >= NU)].all()
  first = NU[masks.argmax(-1)]
  assert first.min() < 610
  assert first.max() > 640
  for keep in ((), ((630.0, 700.0),), ((1000.0, 1360.0),)):
    with pytest.raises(ValueError, match='expected diagnostic bands within 650 to 1348'):
      augment.build(options('crop', keep_cm=keep), spectra())


# ---- noise ------------------------------------------------------------------

LEVELS = np.array([0.05, 0.2, 0.5, 1.0], np.float32)
RAMP = np.repeat(LEVELS, 100)


def variances(name, kind, values):
  found, _ = many(name, kind)(np.float32(values), SEEN)
  return np.float64(found - np.float32(values)).var(0).reshape(4, 100).mean(-1)


@pytest.mark.parametrize(
  ('name', 'kind', 'law'),
  [
    ('shot', 'raman', lambda s: s),  # and the highest point is 1
    pytest.param('read', 'raman', lambda s: s**0, marks=SLOW),
    pytest.param('shot', 'transmittance', lambda s: s, marks=SLOW),
    ('shot', 'absorbance', lambda s: s / (np.log(10) * s) ** 2),  # s = 10^-A
    ('read', 'absorbance', lambda s: 1 / (np.log(10) * s) ** 2),
    ('flicker', 'reflectance', lambda s: s**0),
  ],
)
def test_noise_follows_its_law(name, kind, law):
  """The size is even in 0 to f, so the variance is f^2 / 3 times that of f = 1."""
  f = ON[name]['fraction']
  values = -np.log10(RAMP) if kind == 'absorbance' else RAMP
  expected = f**2 / 3 * law(np.float64(LEVELS))
  rtol = 0.25 if name == 'flicker' else 0.2  # neighbours are alike
  np.testing.assert_allclose(variances(name, kind, values), expected, rtol=rtol)


def test_noise_of_arbitrary_units_scales_with_the_spectrum():
  run = many('shot', 'raman')
  small, large = (run(np.float32(scale * RAMP), SEEN)[0] / scale for scale in (1, 1024))
  np.testing.assert_allclose(small, large, rtol=1e-5)


def test_a_detector_reads_no_less_than_its_floor():
  dark = np.full(len(NU), 4.0, np.float32)
  values, _ = many('read', 'absorbance')(dark, SEEN)
  assert jnp.isfinite(values).all()
  np.testing.assert_allclose(values.max(), 6.0, atol=1e-3)
  empty = np.full(len(NU), 50.0, np.float32)
  assert (many('read', 'absorbance')(empty, SEEN)[0] <= 50.0).all()


def test_flicker_falls_as_one_over_frequency():
  pink = np.float64(jax.jit(jax.vmap(lambda key: noise.pink(key, 512)))(KEYS))
  np.testing.assert_allclose(pink.var(), 1.0, rtol=0.1)
  power = (np.abs(np.fft.rfft(pink * np.hanning(512))) ** 2).mean(0)
  frequency = np.arange(4, 200)
  slope, _ = np.polyfit(np.log(frequency), np.log(power[frequency]), 1)
  assert abs(slope + 1) < 0.05
  corners = (pink[:, 0] * pink[:, -1]).mean()
  neighbours = (pink[:, 0] * pink[:, 1]).mean()
  assert corners < 0.1 < 0.4 < neighbours


# ---- background -------------------------------------------------------------


def test_fringes_have_their_period_in_wavenumbers():
  """At absorbance 0 the signal is 1 + c cos(2 pi nu / P + phase), on either axis."""
  for unit in ('cm^-1', 'nm'):
    nu = NU if unit == 'cm^-1' else 1e7 / NM
    flat = np.zeros(len(nu), np.float32)
    run = many('etalon', 'absorbance', unit, period_cm=(170.0, 170.0))
    values, _ = run(flat, flat == 0)
    wave = 10.0 ** -np.float64(values) - 1
    turns = 2 * np.pi * (nu - nu.min()) / 170.0
    basis = np.stack([np.cos(turns), np.sin(turns)], -1)
    parts, *_ = np.linalg.lstsq(basis, wave.T, rcond=None)
    assert np.abs(wave.T - basis @ parts).max() < 2e-6
    contrast = np.hypot(*parts)
    assert 0 < contrast.min() < contrast.max() < 0.05


@pytest.mark.parametrize('kind', ['absorbance', 'transmittance', 'raman'])
def test_a_baseline_is_a_polynomial_of_its_height(kind):
  values = np.float32(0.2 + LINE)
  found = np.float64(many('polynomial', kind)(values, SEEN)[0])
  light_lost = {
    'absorbance': lambda: found - values,
    'transmittance': lambda: -np.log10(found / values),
    'raman': lambda: (found - values) / values.max(),
  }[kind]()
  x = (NU - NU.mean()) / np.ptp(NU)
  left = light_lost - np.stack([np.polyval(np.polyfit(x, y, 3), x) for y in light_lost])
  assert np.abs(left).max() < 1e-5
  assert 0.1 < np.abs(light_lost).max() <= 0.3 * (1 + 1e-5)


@pytest.mark.parametrize(('kind', 'end'), [('raman', 0), ('absorbance', -1)])
def test_a_tail_falls_exponentially_from_its_end(kind, end):
  values = np.ones(len(NU), np.float32)
  tails = np.float64(many('exponential', kind)(values, SEEN)[0]) - 1
  slopes = np.diff(np.log(tails), axis=-1)[:, :30] / 2.0
  slopes = slopes if end == 0 else -slopes
  decay = -1 / slopes.mean(-1)
  assert decay.min() > 280 if end == 0 else True
  away = NU - NU[0] if end == 0 else NU[-1] - NU
  peaks = tails[:, [end]]
  fitted = -away[200] / np.log(tails[:, 200] / peaks[:, 0])
  assert fitted.min() > 299
  assert fitted.max() < 3001
  np.testing.assert_allclose(tails, peaks * np.exp(-away / fitted[:, None]), atol=2e-6)
  assert 0 < peaks.min() < peaks.max() < 0.5


def test_a_response_multiplies_the_light():
  """So it adds the same to every absorbance, and the ratio of two spectra does not feel it."""
  run = many('response', 'absorbance')
  flat, line = (run(values, SEEN)[0] for values in (np.zeros_like(LINE), LINE))
  np.testing.assert_allclose(line - LINE, flat, atol=1e-6)
  gain = np.float64(10.0**-flat)
  assert 0.9 < gain.min() < gain.max() < 1.1
  curvature = np.abs(np.diff(gain, 2)).max() / 2.0**2
  assert curvature < 1.05 * 0.1 * (2 * np.pi / 500.0) ** 2 + 1e-6
