"""Spectrometers do to a spectrum what optics says, each thing alone; the rest is dealt."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from spectra_jax.datasets import computed, instruments
from spectra_jax.peaks import find_peaks
from spectra_jax.physics import instrument, line_shapes
from spectra_jax.spectra import uniform_axis
from tests import synthetic

AXIS = uniform_axis(400.0, 4000.0, 901)  # 4 cm^-1
KINDS = tuple(instruments.RANGES)


def neutral(kind, **changes):
  """The reference, but for these numbers; it counts as an instrument where noise is asked for."""
  setting = instruments.pick(instruments.bench(kind, AXIS), instruments.REFERENCE)
  return setting._replace(**{name: jnp.asarray(x) for name, x in changes.items()})


@functools.cache
def compiled(function, kind):
  frame = instruments.frame_of(kind, AXIS)
  return jax.jit(lambda *arrays: function(*arrays, frame))


def observe(kind, values, setting):
  return np.asarray(compiled(instruments.observe, kind)(np.float32(values), setting))


def lines(*centres, height=1.0, fwhm=30.0):
  shape = lambda nu0: line_shapes.lorentz(AXIS - nu0, fwhm) * np.pi * fwhm / 2
  return height * np.float32(sum(shape(nu0) for nu0 in centres))


def absorbance(values):
  return values * instruments.ABSORBANCE


# ---- each thing alone -------------------------------------------------------


@pytest.mark.parametrize('kind', KINDS)
def test_the_reference_changes_nothing(kind):
  spectrum = 3 * lines(900.0, 2900.0)
  np.testing.assert_allclose(observe(kind, spectrum, neutral(kind)), spectrum, atol=5e-6)
  today = instruments.occasion(jax.random.key(0), neutral(kind))
  jax.tree.map(np.testing.assert_array_equal, today, neutral(kind))


def test_weak_absorption_is_convolved_with_the_line_shape_of_the_spectrometer():
  """ln 10 A = 1 - T of weak bands, so absorbance is convolved as light is."""
  numbers, bench = instruments.drawn('ir'), instruments.bench('ir', AXIS)
  spectrum = 1e-3 * lines(1000.0, 1030.0, 3000.0)
  widest = int(numbers['fwhm_cm'].argmax())
  found = observe('ir', spectrum, neutral('ir', window_L=bench.window_L[1 + widest]))
  maximum = instrument.fwhm(1.0, instruments.APODISATION) / numbers['fwhm_cm'][widest]
  expected = instrument.observe(spectrum, AXIS, maximum, instruments.APODISATION)
  np.testing.assert_allclose(found, expected, atol=3e-3 * spectrum.max())
  assert np.abs(found - spectrum).max() > 0.1 * spectrum.max()


def test_a_slit_widens_a_lorentzian_to_a_voigt_line():
  numbers, bench = instruments.drawn('raman'), instruments.bench('raman', AXIS)
  for i in (0, 5):
    found = observe('raman', lines(2000.0), neutral('raman', window_L=bench.window_L[1 + i]))
    fine = np.linspace(1900, 2100, 4001)
    half = fine[np.interp(fine, AXIS, found) > 0.5 * found.max()]
    expected = line_shapes.voigt_fwhm(30.0, numbers['fwhm_cm'][i])
    np.testing.assert_allclose(half[-1] - half[0], expected, rtol=0.02)
    np.testing.assert_allclose(found.sum(), lines(2000.0).sum(), rtol=1e-5)


@pytest.mark.parametrize('kind', KINDS)
def test_bands_are_read_where_the_axis_says(kind):
  setting = neutral(kind, offset_cm=3.0, stretch=-4e-4)
  true = np.array([700.0, 2200.0, 3500.0])
  found = find_peaks(observe(kind, lines(*true), setting), AXIS, 0.1, 50.0)
  np.testing.assert_allclose(found, true + 3.0 - 4e-4 * (true - instruments.NU_0), atol=0.1)


def test_stray_light_hides_what_is_dark_and_a_gain_lifts_the_whole():
  dark = observe('ir', lines(1500.0, height=100.0), neutral('ir', stray=0.02))
  np.testing.assert_allclose(absorbance(dark.max()), -np.log10(0.02 / 1.02), rtol=1e-4)
  gain = np.full(len(AXIS), 0.8, np.float32)
  lifted = observe('ir', lines(1500.0), neutral('ir', gain_L=gain)) - lines(1500.0)
  np.testing.assert_allclose(absorbance(lifted), -np.log10(0.8), atol=2e-6)
  dimmed = observe('raman', lines(1500.0), neutral('raman', gain_L=gain))
  np.testing.assert_allclose(dimmed, 0.8 * lines(1500.0), atol=1e-6)


def test_a_baseline_is_absorbance_or_a_share_of_the_highest_point():
  slope = np.linspace(0.1, 0.3, len(AXIS), dtype=np.float32)
  under = lambda kind: observe(kind, lines(1500.0, height=2.0), neutral(kind, baseline_L=slope))
  added = absorbance(under('ir') - lines(1500.0, height=2.0))
  np.testing.assert_allclose(added, slope, atol=2e-6)
  np.testing.assert_allclose(under('raman') - lines(1500.0, height=2.0), 2 * slope, atol=2e-5)


@pytest.mark.slow
def test_noise_is_of_the_light():
  keys = jax.random.split(jax.random.key(1), 400)

  def deviation(kind, **sizes):
    frame, setting = instruments.frame_of(kind, AXIS), neutral(kind, fwhm_cm=8.0, **sizes)
    spectrum = lines(1500.0, height=5.0)
    one = lambda key: instruments.noisy(key, spectrum, setting, frame)
    return np.asarray(jax.jit(jax.vmap(one))(keys)).std(0), spectrum

  found, spectrum = deviation('ir', read=1e-3)
  expected = 1e-3 * 10 ** absorbance(spectrum) / np.log(10)
  np.testing.assert_allclose(absorbance(found), expected, rtol=0.2)
  found, spectrum = deviation('raman', read=0.01, shot=0.02)
  height = spectrum.max()
  expected = height * np.sqrt(0.01**2 + 0.02**2 * spectrum / height)
  np.testing.assert_allclose(found, expected, rtol=0.2)


# ---- what is dealt ----------------------------------------------------------


@pytest.mark.parametrize('kind', KINDS)
def test_instruments_lie_in_their_ranges_and_none_are_alike(kind):
  count = instruments.TRAINING + instruments.HELD_OUT
  for name, (low, high, scale) in instruments.RANGES[kind].items():
    found = instruments.drawn(kind)[name]
    assert found.shape == (count,)
    assert ((found >= low) & (found <= high)).all()
    if high > low:
      share = np.log(found / low) / np.log(high / low) if scale else (found - low) / (high - low)
      assert sorted(np.floor(share * count)) == list(range(count))  # one in every stratum
  assert len(instruments.NAMES) == len(instruments.bench(kind, AXIS).read) == 1 + count


@pytest.mark.parametrize('kind', KINDS)
def test_nothing_observed_is_negative_and_every_instrument_shows(kind):
  bench, spectrum = instruments.bench(kind, AXIS), 2 * lines(900.0, 1700.0, 3000.0)
  seen = np.stack([observe(kind, spectrum, instruments.pick(bench, i)) for i in range(9)])
  assert seen.min() > -1e-5
  apart = np.sqrt(((seen[:, None] - seen) ** 2).mean(-1)) + np.eye(9)
  assert apart.min() > 0.02 * spectrum.std()


def test_another_kind_or_an_uneven_axis_is_refused():
  with pytest.raises(ValueError, match="kind is 'counts', expected one of ir, raman"):
    instruments.drawn('counts')
  with pytest.raises(ValueError, match='expected one that is even in cm'):
    instruments.bench('ir', np.geomspace(400, 4000, 300))


# ---- the data set -----------------------------------------------------------

SHORT = uniform_axis(400.0, 2400.0, 401)


@pytest.fixture(scope='module')
def file(tmp_path_factory):
  return str(synthetic.write(tmp_path_factory.mktemp('lines'), synthetic.lines(30)))


@pytest.mark.slow
def test_every_molecule_is_measured_once_a_kind(file):
  made = instruments.load(SHORT, path=file)
  assert list(made) == ['absorbance', 'raman']
  names, counts = np.unique(made['raman'].meta['instrument'], return_counts=True)
  assert names.tolist() == list(instruments.NAMES[1:7])
  assert set(counts) == {5}
  pure = computed.load(SHORT, path=file)['ir'].values * instruments.ABSORBANCE
  error = made['absorbance'].values - pure
  assert 1e-3 < np.abs(error).mean() < 0.3
  few = instruments.load(SHORT, slice(7, 12), path=file)
  np.testing.assert_allclose(few['raman'].values, made['raman'].values[7:12], rtol=1e-5, atol=1e-6)
  new = instruments.load(SHORT, path=file, held_out=True, kinds=('ir',))['absorbance']
  assert set(new.meta['instrument']) == set(instruments.NAMES[7:])


@pytest.mark.slow
def test_another_seed_is_another_day(file):
  first, again, other = (
    instruments.load(SHORT, path=file, kinds=('raman',), seed=seed)['raman'].values
    for seed in (0, 0, 1)
  )
  np.testing.assert_array_equal(first, again)
  assert np.abs(first - other).max() > 1e-3
