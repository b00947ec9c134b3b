"""Regression: targets in their units, unknown ones left out, Beer's law learned."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from spectra_jax.preprocess import described
from spectra_jax.tasks import regress
from tests import labelled


def make_task(data=None, **changes):
  data = data or labelled.spectra()
  config = labelled.config('regress', **changes)
  return regress.build(config, {'raman': data}, labelled.split(data))


@pytest.fixture(scope='module')
def task():
  return make_task()


def test_targets_are_standardised_by_what_training_knows_of_them(task):
  known = task.target_NxY[task.split.train]
  np.testing.assert_allclose(task.mean_Y, np.nanmean(known, 0), rtol=1e-5)
  np.testing.assert_allclose(task.sd_Y, np.nanstd(known, 0), rtol=1e-5)
  batch = task.examples('train')
  _, targets = task.inputs(None, 0, batch, train=False)
  zero = task.losses(jnp.zeros((len(batch['row']), 3, 2)), targets)['mse']
  assert jnp.isfinite(zero).all()
  both = ~np.isnan(known[:, 1])
  standard = (known - task.mean_Y) / task.sd_Y
  np.testing.assert_allclose(zero[both], (standard[both] ** 2).mean(1), rtol=1e-4)
  np.testing.assert_allclose(zero[~both], standard[~both, 0] ** 2, rtol=1e-4)


def test_scores_are_in_the_unit_of_the_target(task):
  reference = task.examples('test')['target']
  outputs = (np.nan_to_num(reference) + 0.25 - task.mean_Y) / task.sd_Y
  found = {name: float(x) for name, x in task.score(outputs, 'test').items()}
  for name in task.names:
    assert found[f'{name}.rmsep'] == pytest.approx(0.25, rel=1e-4)
    assert found[f'{name}.bias'] == pytest.approx(0.25, rel=1e-4)
    assert found[f'{name}.sep'] == pytest.approx(0, abs=1e-4)
  mean = task.score(task.baselines('test')['mean'], 'test')
  assert task.selection(mean, mean, None)['error'] == pytest.approx(1)
  assert task.table(task.report(mean, {'mean': mean}, None))[0][1:] == ['amount', 'sparse']


def test_the_median_error_is_that_of_the_known_references(task):
  reference = task.examples('test')['target']
  outputs = np.random.default_rng(0).normal(size=reference.shape)
  model, mean = (task.score(x, 'test') for x in (outputs, np.zeros_like(outputs)))
  found = task.report(model, {'mean': mean}, None)
  for y, name in enumerate(task.names):
    said = {'model': outputs[:, y] * task.sd_Y[y] + task.mean_Y[y], 'mean': task.mean_Y[y]}
    wanted = {m: np.nanmedian(np.abs(x - reference[:, y])) for m, x in said.items()}
    assert found[name]['median_error'] == pytest.approx(wanted, rel=1e-5)


def test_centring_takes_off_the_mean_of_what_was_measured():
  data = labelled.spectra()
  mask = np.random.default_rng(1).uniform(size=data.values.shape) > 0.3
  task = make_task(dataclasses.replace(data, mask=mask))
  train = np.where(mask, data.values, np.nan)[task.split.train]
  np.testing.assert_allclose(task.centre_L, np.nanmean(train, 0), rtol=1e-5)
  rms = np.sqrt(np.nanmean((train - task.centre_L) ** 2))
  assert task.scale == pytest.approx(rms, rel=1e-4)
  plain = make_task(**{'task.regress.centred': False})
  assert (plain.centre_L == 0).all()


@pytest.mark.slow
def test_a_linear_reading_of_the_spectrum_learns_amounts(task):
  module, batch = task.module(), task.examples('train')
  inputs, targets = task.inputs(None, 0, batch, train=False)
  params = module.init(jax.random.key(0), **inputs, nu_L=task.nu_L, train=False)['params']
  optimizer = optax.adam(1e-2)

  def loss(params):
    outputs = module.apply({'params': params}, **inputs, nu_L=task.nu_L, train=True)
    return task.losses(outputs, targets)['mse'].mean()

  @jax.jit
  def learn(params):
    def step(carry, _):
      gradient = jax.grad(loss)(carry[0])
      updates, state = optimizer.update(gradient, carry[1])
      return (optax.apply_updates(carry[0], updates), state), None

    return jax.lax.scan(step, (params, optimizer.init(params)), None, 150)[0][0]

  assert loss(params) > 0.8
  assert loss(learn(params)) < 0.1


def test_bad_requests_are_refused():
  with pytest.raises(ValueError, match=r"names \['fat'\], expected some of amount, sparse"):
    make_task(**{'task.regress.targets': ('fat',)})
  data = labelled.spectra()
  meta = data.meta | {'target/flat': np.ones(len(data), np.float32)}
  with pytest.raises(ValueError, match="target 'flat' has 1 different known values in training"):
    make_task(dataclasses.replace(data, meta=meta))
  with pytest.raises(ValueError, match='training spectra do not differ'):
    make_task(dataclasses.replace(data, values=np.ones_like(data.values)))


SLOPE = {'name': 'savitzky_golay', 'window': 7, 'degree': 2, 'derivative': 1}


def test_preprocessing_in_the_loop_is_that_of_the_pipeline_on_the_training_side():
  data, steps = labelled.spectra(), ({'name': 'msc'}, SLOPE)
  inside = make_task(data, preprocess=steps)
  fitted = described(steps).fit(data.take(inside.split.train))
  beforehand = dataclasses.replace(data, values=fitted.transform(data.values), state='derivative')
  outside = make_task(beforehand)
  assert inside.scale == pytest.approx(outside.scale, rel=1e-6)
  given = lambda one: one.inputs(None, 0, one.examples('test'), train=False)[0]['values_BxL']
  np.testing.assert_allclose(given(inside), given(outside), atol=2e-5)
  assert np.abs(np.asarray(given(outside))).max() > 1


def test_preprocessing_learns_nothing_from_held_out_spectra_and_keeps_the_axis():
  data, steps = labelled.spectra(), ({'name': 'msc'},)
  task = make_task(data, preprocess=steps)
  values = data.values.copy()
  values[task.split.test] *= 7
  values[task.split.validation] += 3
  other = make_task(dataclasses.replace(data, values=values), preprocess=steps)
  np.testing.assert_array_equal(other.centre_L, task.centre_L)
  assert set(task.preprocessing.constants[0]) == set(other.preprocessing.constants[0])
  for name, constant in task.preprocessing.constants[0].items():
    np.testing.assert_array_equal(other.preprocessing.constants[0][name], constant)
  fewer = ({'name': 'crop', 'low': 220.0, 'high': 300.0},)
  with pytest.raises(ValueError, match='points, expected the 160 of the axis, in place'):
    make_task(data, preprocess=fewer)


def test_correction_is_done_once_in_float64_and_learns_nothing():
  data, steps = labelled.spectra(), ({'name': 'arpls', 'lam': 1e4},)
  fitted = described(steps, dtype='float64').fit(data)
  inside = make_task(data, correct=steps).spectra
  np.testing.assert_array_equal(inside.values, fitted.apply(data).values)
  assert inside.state == 'baseline_corrected'
  assert np.abs(inside.values - data.values).max() > 0.01
  with pytest.raises(ValueError, match=r'config.correct has msc, which learns from other spectra'):
    make_task(data, correct=({'name': 'msc'},))
