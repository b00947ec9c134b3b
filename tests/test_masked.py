"""Nothing hidden reaches the model; nominal coverage is real; one set of weights, any grid."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs import pretrain
from spectra_jax.augment import bands
from spectra_jax.datasets import computed
from spectra_jax.spectra import uniform_axis
from spectra_jax.splits import make_split
from spectra_jax.tasks import masked
from tests import synthetic
from tests.parameters import draw

AXIS = uniform_axis(400.0, 4000.0, 1024)


def make_task(axis=AXIS, molecules=60, **changes):
  config = pretrain.get_config('tiny')
  config.tokenize.step_cm = 14.0
  config.update_from_flattened_dict(changes)
  lines = synthetic.lines(molecules)
  spectra = {}
  for kind in ('ir', 'raman'):
    values = computed.render(lines, kind, axis, 'lorentz', (16.0,))
    spectra[kind] = synthetic.spectra(values, axis, kind)
  meta = spectra['ir'].meta
  split = make_split(meta['id'], meta['group'], 'grouped', (0.6, 0.2, 0.2), 0)
  return masked.build(config, spectra, split)


@pytest.fixture(scope='module')
def task():
  return make_task()


def keys(count, seed=0):
  return jax.random.split(jax.random.key(seed), count)


# --- masks -------------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31 - 1), st.sampled_from([0.0, 0.1, 0.25, 0.4, 1.0]))
def test_bands_are_whole_and_disjoint(seed, ratio):
  """Hidden runs, on the ring, are whole numbers of bands: one that overlapped would be cut."""
  fine = uniform_axis(400.0, 4000.0, 36_001)
  hidden = ~np.asarray(masked.visible_points(jax.random.key(seed), fine, ratio, 60.0))
  assert abs(hidden.mean() - round(ratio * 60) / 60) < 2e-4
  if 0 < hidden.mean() < 1:
    turned = np.roll(hidden, -np.flatnonzero(~hidden)[0])
    edges = np.flatnonzero(np.diff(turned.astype(int), append=0))
    widths = (edges[1::2] - edges[::2]) * 0.1
    np.testing.assert_allclose(widths / 60.0, np.round(widths / 60.0), atol=0.01)


@pytest.mark.parametrize('ratio', [0.1, 0.25, 0.4])
def test_nominal_coverage_is_real_coverage(ratio):
  draw = jax.jit(jax.vmap(lambda key: masked.visible_points(key, AXIS, ratio, 60.0)))
  hidden = 1 - np.asarray(draw(keys(400))).mean(-1)
  np.testing.assert_allclose(hidden.mean(), ratio, atol=2e-4)
  # One draw is off by less than half a point a band.
  assert np.abs(hidden - ratio).max() < 0.5 * ratio * 60 / len(AXIS)


def test_every_point_is_hidden_equally_often():
  draw = jax.jit(jax.vmap(lambda key: masked.visible_points(key, AXIS, 0.4, 60.0)))
  share = 1 - np.asarray(draw(keys(4000))).mean(0)
  assert np.abs(share - 0.4).max() < 0.04  # five standard errors


def test_curriculum_goes_from_start_to_ratio(task):
  coverage = lambda step: float(
    task.inputs(keys(64), step, first(task, 64), True)[1]['masked'].mean()
  )
  o = task.options
  assert abs(coverage(0) - o.ratio_start) < 0.01
  assert abs(coverage(o.ratio_steps) - o.ratio) < 0.01
  assert coverage(0) < coverage(o.ratio_steps // 2) < coverage(10 * o.ratio_steps)


def test_bands_drift_in_training_alone_and_nothing_falls_below_zero(task):
  o = task.config.copy_and_resolve_references()
  o.task.masked.drift_cm = 15.0
  moving, batch = dataclasses.replace(task, config=o), first(task, 8)
  made = lambda of, train: jax.jit(lambda: of.inputs(keys(8), 0, batch, train)[1]['values'])()
  values = lambda of, train: np.asarray(made(of, train))
  np.testing.assert_array_equal(values(moving, False), values(task, False))
  moved, still = values(moving, True), values(task, True)
  assert (moved >= 0).all()
  shift = (moved.argmax(1) - still.argmax(1)) * np.diff(task.nu_L)[0]
  assert 1 < np.abs(shift).max() <= 15 + np.diff(task.nu_L)[0]


@pytest.mark.parametrize(('fwhm_cm', 'error'), [(9.0, 2e-2), (16.0, 1e-5), (40.0, 5e-3)])
def test_widened_spectra_are_those_of_wider_lines(fwhm_cm, error):
  nu = np.linspace(400.0, 4000.0, 1024)
  lines = computed.load_lines()
  of_width = lambda fwhm: computed.render(lines, 'raman', nu, 'lorentz', (fwhm,), slice(900, 904))
  given, want = of_width(16.0), of_width(fwhm_cm)
  extra = (fwhm_cm - 16.0, fwhm_cm - 16.0)
  widen = jax.jit(lambda x: bands.widened(jax.random.key(0), x, nu, extra))
  found = np.stack([widen(x) for x in np.float32(given)])
  inside = (nu > 500) & (nu < 3900)
  assert (np.abs(found - want)[:, inside].max(1) / want.max(1)).max() < error
  assert (found >= 0).all()


def test_widths_are_drawn_in_training_alone(task):
  o = task.config.copy_and_resolve_references()
  o.task.masked.widen_cm = (-4.0, 24.0)
  wide = dataclasses.replace(task, config=o)
  batch = first(task, 4)
  plain, other = (t.inputs(keys(4), 0, batch, train=True) for t in (task, wide))
  np.testing.assert_array_equal(plain[0]['visible_BxL'], other[0]['visible_BxL'])
  assert (np.abs(plain[1]['values'] - other[1]['values']).max(1) > 1e-3).all()
  held_out = first(task, 4, 'test')
  same = (t.inputs(None, 0, held_out, train=False)[1]['values'] for t in (task, wide))
  np.testing.assert_array_equal(*same)


def test_noise_is_in_what_training_shows_and_not_in_what_it_asks(task):
  o = task.config.copy_and_resolve_references()
  o.task.masked.noise = 0.2
  noisy, batch = dataclasses.replace(task, config=o), first(task, 8)
  plain, other = (t.inputs(keys(8), 0, batch, train=True) for t in (task, noisy))
  np.testing.assert_array_equal(plain[1]['values'], other[1]['values'])
  visible = np.asarray(plain[0]['visible_BxL'])
  np.testing.assert_array_equal(visible, other[0]['visible_BxL'])
  share = [np.asarray(x[0]['values_BxL'], float) ** 2 for x in (plain, other)]
  strong = visible & (share[0] > 1.0)  # where nothing is cut at 0
  gap = np.where(strong, share[1] - share[0], np.nan)
  deviation = np.nanstd(gap, axis=1)
  assert 0.01 < deviation.max() < 0.25
  assert deviation.min() < 0.5 * deviation.max()
  assert (np.asarray(other[0]['values_BxL'])[~visible] == 0).all()
  held_out = first(task, 4, 'test')
  same = (t.inputs(None, 0, held_out, train=False)[0]['values_BxL'] for t in (task, noisy))
  np.testing.assert_array_equal(*same)


@pytest.mark.parametrize('range_cm', [(-16.0, 4.0), (5.0, 2.0), (0.0, 1e4)])
def test_widths_that_are_no_lines_are_refused(task, range_cm):
  with pytest.raises(ValueError, match=r'widen_cm is .*, expected \(least, most\) from above'):
    bands.check_widths('task.masked.widen_cm', range_cm, 16.0, task.nu_L)


def test_a_drift_that_could_cross_bands_is_refused(task):
  with pytest.raises(ValueError, match=r'drift_cm is 30 cm\^-1 over bands of 200, expected 0 to'):
    bands.check_wander('task.masked.drift_cm', 30, 200, task.nu_L)
  with pytest.raises(ValueError, match=r'on an axis with steps of 1 to 3, expected an even one'):
    bands.check_wander('task.masked.drift_cm', 3, 200, np.array([1.0, 2.0, 5.0]))


def first(task, count, side='train'):
  return {name: x[:count] for name, x in task.examples(side).items()}


def test_held_out_masks_are_fixed_and_few(task):
  once, again = task.held_out('test'), task.held_out('test')
  np.testing.assert_array_equal(once[1]['masked'], again[1]['masked'])
  masks = np.unique(np.asarray(once[1]['masked']), axis=0)
  assert len(masks) == task.options.eval_masks
  # IR and Raman of a molecule are hidden in the same places.
  half = len(once[1]['masked']) // 2
  np.testing.assert_array_equal(once[1]['masked'][:half], once[1]['masked'][half:])


# --- leaks -------------------------------------------------------------------------------------


@pytest.mark.parametrize('train', [True, False])
def test_jacobian_with_respect_to_hidden_intensities_is_exactly_zero(task, train):
  """Of everything the model sees, before any scaling; the maximum is planted inside a mask."""
  batch = first(task, 2)
  visible = np.asarray(task.inputs(keys(2), 10_000, batch, train)[0]['visible_BxL'])
  values = batch['values'].copy()
  for row in range(2):
    values[row, np.flatnonzero(~visible[row])[3]] = 50.0 * values.max()

  def seen(values_BxL):
    inputs, _ = task.inputs(keys(2), 10_000, {**batch, 'values': values_BxL}, train)
    return inputs['values_BxL'], inputs['visible_BxL'].astype(jnp.float32)

  jacobians = jax.jit(jax.jacrev(seen))(jnp.asarray(values))
  of_values = np.asarray(jacobians[0])
  for row in range(2):
    assert (of_values[..., row, ~visible[row]] == 0).all()
    assert np.abs(of_values[row, :, row][:, visible[row]]).max() > 0  # the test can see a leak
  assert (np.asarray(jacobians[1]) == 0).all()


def test_hidden_intensities_do_not_move_the_prediction(task):
  module, batch = task.module(), first(task, 3)

  @jax.jit
  def predict(params, values):
    inputs, _ = task.inputs(None, 0, {**batch, 'values': values}, train=False)
    return module.apply(params, **inputs, nu_L=AXIS, train=False)

  inputs, targets = task.inputs(None, 0, batch, train=False)
  params = draw(lambda key: module.init(key, **inputs, nu_L=AXIS, train=False))
  loud = np.where(targets['masked'], 1e6, batch['values'])
  np.testing.assert_array_equal(predict(params, batch['values']), predict(params, loud))


def test_scales_come_from_training_rows_alone():
  """Changing every held-out spectrum leaves the constants of the task as they are."""
  task = make_task()
  values = task.spectra['ir'].values.copy()
  values[np.concatenate([task.split.test, task.split.validation])] *= 100.0
  spectra = {**task.spectra, 'ir': synthetic.spectra(values, AXIS)}
  changed = masked.build(task.config, spectra, task.split)
  np.testing.assert_array_equal(changed.scale_K, task.scale_K)
  np.testing.assert_array_equal(changed.mean_KxL, task.mean_KxL)


# --- scores ------------------------------------------------------------------------------------


def test_mean_spectrum_has_nre_one_and_truth_zero(task):
  scores = {name: task.score(x, 'test') for name, x in task.baselines('test').items()}
  kind = task.examples('test')['kind']
  _, targets = task.held_out('test')
  report = task.report(task.score(targets['values'], 'test'), scores, kind)
  for values in report.values():
    assert values['nre'] == 0.0
    assert values['mean'] == 1.0
    assert values['intervals']['mean'] == (1.0, 1.0)
    assert 0 < values['linear'] < 2
  whole = scores['mean']['error']
  parts = [scores['mean'][f'error/{region}'] for region in masked.REGIONS]
  np.testing.assert_array_equal(sum(p[1] for p in parts), whole[1] - whole_end(targets))


def whole_end(targets):
  """The point at exactly 4000 cm^-1 belongs to no half-open region."""
  return np.asarray(targets['masked'])[:, -1].astype(int)


def test_baselines_keep_what_is_visible(task):
  inputs, _ = task.held_out('test')
  values, visible = task._of_kind(inputs, 0)
  for name in ('linear', 'gaussian'):
    filled = task._fill(name, 0, values, visible)
    np.testing.assert_allclose(filled[visible], values[visible], rtol=1e-12)


# --- axis --------------------------------------------------------------------------------------


@functools.cache
def on_grid(step):
  """(task, init jitted, apply jitted) on 400 to 2400 cm^-1."""
  axis = np.arange(400.0, 2400.1, step)
  task = make_task(axis)
  module, fixed = task.module(), {'nu_L': axis, 'train': False}
  return task, *(jax.jit(functools.partial(f, **fixed)) for f in (module.init, module.apply))


@pytest.mark.parametrize(('width', 'tolerance'), [(0.0, 0.02), (60.0, 0.12)])
def test_one_set_of_weights_on_2_and_4_wavenumber_grids(width, tolerance):
  """Same molecules: predictions at common wavenumbers agree to quadrature error.

  With hidden bands the two grids see edges that differ by half a step, 1 cm^-1 of spectrum.
  """
  predictions = {}
  for step in (2.0, 4.0):
    task, init, apply = on_grid(step)
    batch = first(task, 4, 'test')
    visible = (task.nu_L % 500 >= width) * np.ones((4, 1), bool)
    scaled = np.sqrt(batch['values']) / task.scale_K[0]
    arrays = (np.float32(np.where(visible, scaled, 0)), visible, batch['kind'])
    if step == 2.0:
      params = init(jax.random.key(0), *arrays)
    predictions[step] = np.asarray(apply(params, *arrays))
  fine, coarse = predictions[2.0][:, ::2], predictions[4.0]
  assert np.abs(fine - coarse).max() < tolerance * np.abs(fine).max()
