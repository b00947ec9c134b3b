"""Losses are what their formulas say; the weighted sum is in one place and complete."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spectra_jax.losses import relative, weight_at, weighted_sum
from spectra_jax.losses.baseline_smoothness import baseline_smoothness
from spectra_jax.losses.beer_lambert import beer_lambert
from spectra_jax.losses.force_constant import force_constant, product_rule
from spectra_jax.losses.masked_mse import masked_mse
from spectra_jax.losses.non_negativity import non_negativity
from spectra_jax.losses.passivity import passivity
from spectra_jax.losses.selection_rules import reader, selection_rules
from spectra_jax.losses.sum_rules import molecule, sum_rules, upper_bound


def test_masked_mse_by_hand():
  x = jnp.array([[1.0, 2.0, 3.0], [0.0, 0.0, 0.0]])
  y = jnp.array([[0.0, 0.0, 9.0], [1.0, 1.0, 1.0]])
  masked = jnp.array([[True, True, False], [False, False, False]])
  np.testing.assert_allclose(masked_mse(x, y, masked), [2.5, 0.0])


def test_masked_mse_has_no_gradient_outside_the_mask():
  x = jax.random.normal(jax.random.key(0), (2, 10))
  masked = jnp.arange(10) < 4
  grad = jax.grad(lambda x: masked_mse(x, x * 0, jnp.broadcast_to(masked, x.shape)).sum())(x)
  assert (grad[:, 4:] == 0).all()
  np.testing.assert_allclose(grad[:, :4], 2 * x[:, :4] / 4, rtol=1e-6)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 400))
def test_schedules_interpolate_and_hold(step):
  weight = float(weight_at(((100, 0.0), (300, 2.0)), step))
  np.testing.assert_allclose(weight, np.clip((step - 100) / 100, 0, 2), atol=1e-6)
  assert float(weight_at(0.5, step)) == 0.5


def test_weighted_sum_is_complete_or_refused():
  terms = {'a': jnp.array([1.0, 3.0]), 'b': jnp.array([10.0, 30.0])}
  assert float(weighted_sum({'a': 1.0, 'b': ((0, 0.5), (10, 0.0))}, terms, 0)) == 12.0
  assert float(weighted_sum({'a': 1.0, 'b': ((0, 0.5), (10, 0.0))}, terms, 10)) == 2.0
  with pytest.raises(ValueError, match=r"names \['a'\], but the task returns \['a', 'b'\]"):
    weighted_sum({'a': 1.0}, terms, 0)
  for nothing in (0.0, ((0, 0.0),), ((0, 0.0), (9, 0.0))):
    assert float(weighted_sum({'a': 1.0, 'b': 0.0, 'gone': nothing}, terms, 0)) == 2.0
  with pytest.raises(ValueError, match=r"names \['a', 'b', 'gone'\], but the task returns"):
    weighted_sum({'a': 1.0, 'b': 0.0, 'gone': ((0, 0.0), (9, 0.1))}, terms, 0)
  with pytest.raises(ValueError, match=r"names \['a', 'b', 'gone'\], but the task returns"):
    weighted_sum({'a': 1.0, 'b': 0.0, 'gone': 0.1}, terms, 0)


# ---- laws -------------------------------------------------------------------

NU = np.linspace(400.0, 2000.0, 161)
MEASURED = {'state': 'measured'}


def test_growing_is_no_way_to_violate_less():
  run = jax.jit(jax.value_and_grad(lambda x: relative(x**2, x**2)))
  np.testing.assert_array_equal(run(3.0), (1.0, 2 / np.float32(3.0)))
  np.testing.assert_array_equal(run(0.0), (0.0, 0.0))


def test_non_negativity_by_hand():
  values = np.array([[3.0, -4.0], [3.0, 4.0], [-1.0, -1.0], [0.0, 0.0]])
  found = non_negativity(values, kind='raman', **MEASURED)
  np.testing.assert_allclose(found, [16 / 25, 0, 1, 0], rtol=1e-6)


def test_passivity_by_hand():
  t, r = np.array([[0.5, 1.2], [-0.1, 0.9]]), np.array([[0.3, 0.0], [0.2, 0.3]])
  alone = passivity(t, full_scale=1.0, kinds=('transmittance',), **MEASURED)
  np.testing.assert_allclose(alone, [0.04 / 2, 0.01 / 2], rtol=1e-5)
  both = {'kinds': ('transmittance', 'reflectance'), **MEASURED}
  together = passivity(t, r, full_scale=1.0, **both)
  np.testing.assert_allclose(together, [0.04 / 2, (0.01 + 0.04) / 2], rtol=1e-5)
  np.testing.assert_allclose(passivity(100 * t, 100 * r, full_scale=100, **both), together)
  with pytest.raises(ValueError, match='1 signals have 2 kinds'):
    passivity(t, full_scale=1.0, **both)
  with pytest.raises(ValueError, match='full_scale is 0, expected a positive one'):
    passivity(t, r, full_scale=0, **both)


@pytest.mark.parametrize('period', [100.0, 300.0])
def test_roughness_of_a_sine_is_the_square_of_width_over_period(period):
  """r = (2 pi width / period)^2, on an uneven axis too; a straight line has none."""
  uneven = 800 + np.cumsum(np.tile([0.3, 0.7], 2000))
  wave = np.sin(2 * np.pi * uneven / period)[None]
  options = {'width_cm': 60.0, 'kind': 'baseline', **MEASURED}
  r = (2 * np.pi * 60 / period) ** 2
  with jax.enable_x64(True):
    run = jax.jit(lambda values: baseline_smoothness(uneven, values, **options))
    found, straight = np.asarray(run(np.concatenate([wave, 3 - uneven[None] / 500])))
  np.testing.assert_allclose(found, max(r**2 - 1, 0), rtol=0.1)
  assert straight == 0


def test_smoothness_refuses_bands_and_widths_that_the_axis_cannot_hold():
  with pytest.raises(
    ValueError, match='smoothness of a baseline cannot be asked of absorbance: it'
  ):
    baseline_smoothness(NU, NU[None], width_cm=100.0, kind='absorbance', **MEASURED)
  for width in (5.0, 3000.0):
    with pytest.raises(ValueError, match=rf'width_cm is {width} on an axis of 161 points'):
      baseline_smoothness(NU, NU[None], width_cm=width, kind='baseline', **MEASURED)


def test_mutual_exclusion_by_hand():
  ir, raman = np.array([[3.0, 4.0, 0.0]] * 3), np.array([[0.0, 2.0, 0.0]] * 2 + [[0.0, 0.0, 7.0]])
  centre = np.array([True, False, True])
  found = selection_rules(ir, raman, centre, kinds=('ir', 'raman'), **MEASURED)
  np.testing.assert_allclose(found, [64 / (25 * 4), 0, 0], rtol=1e-6)


def test_mode_intensities_are_read_off_spectra_with_overlap():
  """Modes of carbon dioxide, as if 30 cm^-1 apart, seen in one of the two spectra each."""
  position, area = np.array([700.0, 730.0, 1500.0]), np.array([[2.0, 0.0, 5.0], [0.0, 3.0, 0.0]])
  half = 15.0
  lines = half / np.pi / ((NU - position[:, None]) ** 2 + half**2)
  read = reader(NU, position, 30.0) @ (area @ lines).T
  np.testing.assert_allclose(read.T, area, atol=1e-6)
  ir, raman = read[:, 0][None], read[:, 1][None]
  loss = lambda ir: selection_rules(ir, raman, True, kinds=('absorbance', 'raman'), **MEASURED)
  assert loss(ir)[0] < 1e-10
  assert loss(ir + [[0.0, 0.5, 0.0]])[0] > 1e-3


@pytest.mark.parametrize(
  ('position', 'width', 'words'),
  [
    ([700.0, 710.0], 30.0, 'two modes are 10 cm.* apart, expected at least 15'),
    ([100.0, 710.0], 30.0, 'a mode lies at 100 cm.*, expected 400 to 2000'),
    ([700.0], 0.0, 'fwhm_cm is 0'),
  ],
)
def test_modes_that_cannot_be_read_are_refused(position, width, words):
  with pytest.raises(ValueError, match=words):
    reader(NU, np.array(position), width)


def test_what_multiplies_in_transmittance_adds_in_absorbance():
  rng = np.random.default_rng(1)
  t = rng.uniform(0.1, 0.9, (3, 40))
  amount = np.array([[1.0, 2.0, 0.5], [0.3, 0.0, 2.0]])
  mixture = -np.log10(np.prod(t ** amount[:, :, None], axis=1))
  options = {'kind': 'absorbance', **MEASURED}
  run = lambda mixture, tolerance: beer_lambert(
    np.float32(mixture), np.float32(-np.log10(t)), amount, tolerance=tolerance, **options
  )
  assert run(mixture, 1e-5).max() == 0
  r = 0.1 / np.sqrt((1 + 1.1**2) / 2)
  np.testing.assert_allclose(run(1.1 * mixture, 0.0), r**2, rtol=1e-4)
  np.testing.assert_allclose(run(1.1 * mixture, 0.05), r**2 - 0.05**2, rtol=1e-4)
  with pytest.raises(
    ValueError, match='transmittances multiply where absorbances add; take -log10'
  ):
    beer_lambert(t, t, amount, tolerance=0.0, kind='transmittance', **MEASURED)


# Huber & Herzberg 1979: harmonic wavenumber and fundamental of H35Cl and D35Cl [cm^-1].
HCL, DCL = {'harmonic': 2990.95, 'measured': 2885.98}, {'harmonic': 2145.16, 'measured': 2091.06}
MASS_RATIO = (1.007825 / (1.007825 + 34.968853)) / (2.014102 / (2.014102 + 34.968853))  # H / D


def test_hydrogen_chloride_shifts_as_its_mass():
  def shift(name, **options):
    loss = jax.jit(lambda *arrays: force_constant(*arrays, kind='wavenumber', **options))
    return loss(*(np.array([[x]]) for x in (HCL[name], DCL[name], MASS_RATIO)))[0]

  assert shift('harmonic', tolerance=1e-4, state='computed') == 0
  np.testing.assert_allclose(shift('measured', tolerance=0.0, state='computed'), 1.0e-4, rtol=0.1)
  assert shift('measured', tolerance=0.015, state='measured') == 0
  with pytest.raises(ValueError, match='tolerance is 0 for measured positions'):
    shift('measured', tolerance=0.0, state='measured')


def test_padding_has_no_isotope_shift():
  arrays = (np.array([[HCL['harmonic'], 0.0]]), np.array([[3000.0, 0.0]]))
  loss = lambda nu, iso: force_constant(
    nu, iso, np.array([[MASS_RATIO, 0.0]]), tolerance=0.0, kind='wavenumber', state='computed'
  ).sum()
  slope = jax.jit(jax.grad(loss))(*map(jnp.asarray, arrays))
  assert jnp.isfinite(slope).all()
  assert slope[0, 1] == 0
  alone = (np.log(3000 / HCL['harmonic']) - np.log(MASS_RATIO) / 2) ** 2
  np.testing.assert_allclose(jax.jit(loss)(*arrays), alone, rtol=1e-4)


PRODUCT_RULE = jax.jit(
  lambda *arrays: product_rule(*arrays, tolerance=1e-5, kind='wavenumber', state='computed')
)


@settings(max_examples=10, deadline=None)
@given(st.lists(st.floats(1.0, 30.0), min_size=8, max_size=8), st.floats(0.2, 5.0))
def test_the_product_rule_holds_for_any_chain_of_springs(masses, spring):
  """A chain along a line: its one translation is the factor M' / M."""
  stiffness = np.zeros((4, 4))
  for i, k in enumerate((1.0, spring, 2.0)):
    stiffness[i : i + 2, i : i + 2] += k * np.array([[1, -1], [-1, 1]])
  before, after = np.array(masses[:4]), np.array(masses[4:])
  modes = lambda m: np.sqrt(np.linalg.eigvalsh(stiffness / np.sqrt(m[:, None] * m))[1:])[None]
  ratio = np.sqrt([before.prod() / after.prod() * after.sum() / before.sum()])
  assert PRODUCT_RULE(modes(before), modes(after), ratio)[0] == 0
  assert PRODUCT_RULE(modes(before), 1.01 * modes(after), ratio)[0] > 9e-5


STRENGTH = {'start': 0.1, 'state': 'measured'}


def test_sums_compare_strength_and_not_place():
  band = lambda nu0: np.float32(np.exp(-0.5 * ((NU - nu0) / 30) ** 2))[None]
  loss = jax.jit(lambda s: sum_rules(NU, s, band(900.0), kind='absorbance', **STRENGTH))
  run = lambda predicted: loss(predicted)[0]
  np.testing.assert_allclose(run(1.5 * band(900.0)), np.log(1.5) ** 2, rtol=1e-4)
  assert run(band(910.0)) < 0.1 * np.log(1.5) ** 2
  with pytest.raises(ValueError, match='start is 0, expected a share'):
    sum_rules(NU, NU[None], NU[None], kind='k', start=0, state='measured')


def test_an_empty_or_negative_prediction_is_pulled_up():
  band = np.float32(np.exp(-0.5 * ((NU - 900) / 30) ** 2))[None]
  loss = lambda scale: sum_rules(NU, scale * band, band, kind='k', **STRENGTH).sum()
  run = jax.jit(jax.value_and_grad(loss))
  for scale in (0.0, -0.5):
    value, slope = run(scale)
    assert np.isfinite(value)
    assert slope < -1


def test_bounds_bind_from_above_only():
  k = np.full((1, len(NU)), 0.01, np.float32)
  plasma = 0.01 * 4 / np.pi * (NU[-1] ** 2 - NU[0] ** 2) / 2
  run = lambda share: upper_bound(NU, k, np.array([plasma * share]), kind='k', **MEASURED)[0]
  assert run(1.01) == 0
  np.testing.assert_allclose(run(0.5), np.log(2) ** 2, rtol=1e-5)
  with pytest.raises(ValueError, match="kind is 'absorbance', expected k"):
    upper_bound(NU, k, np.array([plasma]), kind='absorbance', **MEASURED)


def test_the_sum_of_a_molecule_is_its_own():
  run = lambda **kind: molecule(
    *map(np.array, ([[10.0, 20.0]], [5.0], [35.0])), tolerance=0.0, **kind
  )
  assert run(kind='ir', state='computed')[0] == 0
  with pytest.raises(ValueError, match='the signal is ir, measured, expected ir, computed'):
    run(kind='ir', state='measured')
