"""Augmentations as a whole: mixing, keys, gradients, and the sentences that refuse the others."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spectra_jax import augment, batches
from spectra_jax.augment import frame, mixing, rules
from spectra_jax.spectra import KINDS, STATES
from tests.augmented import KEYS, LINE, NU, ON, SEEN, SLOW, options, spectra

# ---- mixing -----------------------------------------------------------------


def library(rows=7):
  rng = np.random.default_rng(3)
  values = rng.random((rows, 5), np.float32)
  amounts = np.stack([values @ np.arange(5, dtype=np.float32), np.full(rows, 2.0)], -1)
  amounts = np.float32(amounts)
  amounts[0, 1] = np.nan
  return {'values': values, 'target': amounts, 'mask': rng.random((rows, 5)) < 0.9}


def test_amounts_mix_as_absorbances_do():
  """The target is linear in the spectrum, so it is so in every mixture; unknown stays unknown."""
  everything = library()
  one = jax.tree.map(lambda x: x[3], everything)
  share = lambda most: lambda key: mixing.mix(key, one, everything, share=most)
  mixed, same = jax.jit(lambda keys: (jax.vmap(share(0.4))(keys), share(0.0)(keys[0])))(KEYS)
  jax.tree.map(np.testing.assert_array_equal, same, one)
  np.testing.assert_allclose(mixed['target'][:, 0], mixed['values'] @ np.arange(5), rtol=1e-5)
  with_first = np.isnan(mixed['target'][:, 1])
  assert abs(with_first.mean() - 1 / 7) < 0.08
  moves = (mixed['values'] - one['values'])[with_first]
  shares = moves / (everything['values'][0] - one['values'])
  assert np.ptp(shares, axis=-1).max() < 1e-5
  assert 0 <= shares.min() < 0.1
  assert 0.3 < shares.max() <= 0.4 * (1 + 1e-5)
  assert (mixed['mask'][with_first] == (one['mask'] & everything['mask'][0])).all()


def test_class_numbers_are_not_mixed():
  with pytest.raises(ValueError, match='class 4; give classes as one-hot shares'):
    jax.eval_shape(lambda key: mixing.mix(key, np.int32(3), np.arange(5), share=0.4), KEYS[0])


# ---- keys -------------------------------------------------------------------


@functools.cache
def several_on():
  return jax.jit(jax.vmap(augment.build(options('shift', 'shot', 'crop'), spectra())))


def test_an_example_is_augmented_alike_in_every_batch():
  run = several_on()
  rows = jnp.array([5, 900, 17, 5])
  at = lambda step, rows: batches.example_keys(0, step, rows)
  values = np.stack([LINE, LINE**2, LINE, LINE])
  mask = np.stack([SEEN] * 4)
  together, seen = run(at(3, rows), values, mask)
  order = np.array([2, 0, 3, 1])
  turned, _ = run(at(3, rows[order]), values[order], mask)
  np.testing.assert_allclose(turned, together[order], rtol=1e-5, atol=1e-6)
  np.testing.assert_array_equal(together[0], together[3])
  other_row, other_step = together[2], run(at(4, rows), values, mask)[0][0]
  for other in (other_row, other_step):
    assert np.abs(other - together[0]).max() > 0.01
  assert seen.sum() < mask.sum()


def test_augmentations_of_one_example_are_independent():
  """One more augmentation draws none of the others anew, and its noise is not like theirs."""
  flat = np.full(len(NU), 0.5, np.float32)
  drawn = {}
  for names in [('read',), ('read', 'shot')]:
    augmented = augment.build(options(*names), spectra('transmittance'))
    found, _ = jax.jit(jax.vmap(augmented, in_axes=(0, None, None)))(KEYS, flat, SEEN)
    drawn[names] = np.float64(found - flat)
  read = drawn['read',]
  shot = drawn['read', 'shot'] - read
  np.testing.assert_allclose(shot.var(), 0.5 * 0.01**2 / 3, rtol=0.2)
  assert abs(np.corrcoef(read.ravel(), shot.ravel())[0, 1]) < 0.02
  assert abs(np.corrcoef(read.std(-1), shot.std(-1))[0, 1]) < 0.2


@pytest.mark.parametrize(
  ('kind', 'names'),
  [
    ('absorbance', ('shift', 'shot')),
    pytest.param('raman', tuple(ON), marks=SLOW),
    pytest.param('absorbance', tuple(ON), marks=SLOW),
  ],
)
def test_gradients_are_finite_and_masked_values_have_none(kind, names):
  values = np.float32(LINE - 0.1)
  values[::50] = 0.0
  mask = SEEN.copy()
  mask[100:130] = False
  weights = np.cos(np.arange(len(NU)))
  augmented = augment.build(options(*names), spectra(kind))

  def total(x, key):
    found, seen = augmented(key, x, mask)
    return (found * weights * seen).sum()

  slopes = jax.jit(jax.vmap(jax.grad(total), in_axes=(None, 0)))(values, KEYS)
  assert jnp.isfinite(slopes).all()
  assert (slopes[:, 100:130] == 0).all()
  assert (np.asarray(slopes)[:, mask] != 0).mean() > 0.9


@pytest.mark.slow
def test_all_of_it_lowers_for_every_device():
  run = jax.jit(jax.vmap(augment.build(options(*ON), spectra('absorbance'))))
  shaped = lambda dtype: jax.ShapeDtypeStruct((8, len(NU)), dtype)
  arguments = jax.eval_shape(lambda: KEYS[:8]), shaped('float32'), shaped('bool')
  exported = jax.export.export(run, platforms=['cpu', 'cuda', 'tpu'])(*arguments)
  assert [(out.dtype, out.shape) for out in exported.out_avals] == [
    (np.float32, (8, len(NU))),
    (bool, (8, len(NU))),
  ]


@settings(max_examples=12, deadline=None)
@given(mask=st.lists(st.booleans(), min_size=12, max_size=12).filter(any))
def test_holes_are_bridged_by_straight_lines(mask):
  values, mask, i = np.float32(np.sin(np.arange(12))), np.array(mask), np.arange(12)
  found = BRIDGED(np.where(mask, values, np.nan), mask)
  np.testing.assert_allclose(found, np.interp(i, i[mask], values[mask]), atol=1e-6)
  np.testing.assert_array_equal(found[mask], values[mask])


BRIDGED = jax.jit(frame.bridged)

# ---- refusals ---------------------------------------------------------------


@pytest.mark.parametrize('name', rules.IMPOSSIBLE)
def test_what_no_sample_does_is_refused_with_the_reason(name):
  with pytest.raises(ValueError, match=f'augment.{name} is refused, expected a change that'):
    augment.build({name: {'p': 0.5}}, spectra())


@pytest.mark.parametrize(
  ('name', 'kind', 'state', 'unit', 'words'),
  [
    ('shot', 'raman', 'snv', 'cm^-1', 'noise arises in the detector before anything is computed'),
    ('read', 'absorbance', 'derivative', 'cm^-1', 'augment the measured values and preprocess'),
    ('shot', 'ir', 'computed', 'cm^-1', 'variance of counted photons needs the light'),
    ('polynomial', 'raman', 'derivative', 'cm^-1', 'removed or reshaped a baseline'),
    ('exponential', 'raman', 'baseline_corrected', 'cm^-1', 'removed or reshaped a baseline'),
    ('etalon', 'kubelka_munk', 'measured', 'cm^-1', 'happens to light on its way to a detector'),
    ('resolution', 'raman', 'sqrt', 'cm^-1', 'acts on the light that is measured'),
    ('drift', 'transmittance', 'measured', 'cm^-1', 'convert to absorbance first'),
    ('shift', 'n', 'measured', 'cm^-1', 'constants of a material'),
    ('crop', 'k', 'measured', 'cm^-1', 'Kramers-Kronig'),
    ('shift', 'raman', 'measured', 'index', 'a distance in cm.-1 means nothing on it'),
    ('etalon', 'raman', 'measured', 'index', 'a distance in cm.-1 means nothing on it'),
    ('resolution', 'absorbance', 'measured', 'nm', 'expected one that is even in cm.-1'),
  ],
)
def test_what_does_not_suit_is_refused_with_the_reason(name, kind, state, unit, words):
  with pytest.raises(ValueError, match=words):
    augment.build(options(name), spectra(kind, state, unit))


@pytest.mark.parametrize(
  ('kind', 'state', 'words'),
  [
    ('transmittance', 'measured', 'only what is proportional to amounts adds up'),
    ('log_reflectance', 'measured', 'convert them first'),
    ('absorbance', 'snv', 'labels would not mix with it'),
  ],
)
def test_what_does_not_add_up_is_not_mixed(kind, state, words):
  with pytest.raises(ValueError, match=words):
    augment.build({'mixing': {'share': 0.5}}, spectra(kind, state))
  assert augment.build({'mixing': {'share': 0.5}}, spectra('absorbance')).mixing_share == 0.5


def test_raman_divided_by_its_maximum_is_still_in_shares_of_it():
  assert augment.build(options('read', 'polynomial'), spectra('raman', 'normalised')).options
  with pytest.raises(ValueError, match="'normalised', expected measured, computed: noise arises"):
    augment.build(options('read'), spectra('absorbance', 'normalised'))


def test_rules_name_kinds_and_states_that_there_are():
  for rule in rules.RULES.values():
    assert set(rule.kinds) <= set(KINDS)
    assert set(rule.states) <= set(STATES)
    assert not {'n', 'baseline'} & set(rule.kinds)


@pytest.mark.parametrize(
  ('given', 'words'),
  [
    ({'shft': {}}, 'there is no augment.shft, expected one of .*shift'),
    ({'shift': {'cm': 3.0}}, r"augment.shift has the keys \['cm'\], expected \['max_cm'\]"),
    (options('shift', max_cm=-1.0), 'augment.shift.max_cm is -1.0, expected 0'),
    (options('shift', max_cm=500.0), 'augment.shift.max_cm is 500.0, expected 0 .* to 199.5'),
    (options('etalon', contrast=1.5), 'augment.etalon.contrast is 1.5, expected 0 .* to 0.9'),
    (options('etalon', period_cm=(1.0, 9.0)), 'expected .low, high. in cm.-1 with 4 <= low'),
    (options('drift', position_cm=30.0), 'drift.position_cm is 30.0, expected 0 .off. to 20'),
    (options('resolution', fwhm_cm=1.0), 'augment.resolution.fwhm_cm is 1.0, .* can just show'),
    (options('polynomial', order=40), 'order is 40, expected 0 to 10'),
    ({'mixing': {'share': 1.5}}, 'augment.mixing.share is 1.5, expected 0'),
    (options('read', fraction=float('nan')), 'augment.read.fraction is nan'),
  ],
)
def test_bad_magnitudes_are_refused(given, words):
  with pytest.raises(ValueError, match=words):
    augment.build(given, spectra())


def test_an_uneven_axis_is_refused_where_bands_move():
  even = spectra()
  stretched = even.axis.copy()  # that of all these tests is one array
  stretched[-1] += 1.0
  uneven = dataclasses.replace(even, axis=stretched)
  with pytest.raises(ValueError, match=r'expected one that is even in cm.-1; resample'):
    augment.build(options('shift'), uneven)
  assert augment.build(options('read', 'polynomial'), uneven).options
