"""n and k from reflectance: nothing hidden leaks, truth scores zero, laws are judged."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs import physics_ablation
from spectra_jax.datasets import computed_optical
from spectra_jax.model import component
from spectra_jax.spectra import uniform_axis
from spectra_jax.splits import make_split
from spectra_jax.tasks import optical_constants
from spectra_jax.tokenize import token_positions
from tests import synthetic
from tests.parameters import draw

AXIS = uniform_axis(800.0, 2000.0, 320)
LINES = synthetic.lines(60)


def make_task(spectra=None, **changes):
  config = physics_ablation.get_config('tiny')
  config.update_from_flattened_dict(changes)
  spectra = spectra or media()
  meta = spectra['n'].meta
  split = make_split(meta['id'], meta['group'], 'grouped', (0.6, 0.2, 0.2), 0)
  return optical_constants.build(config, spectra, split)


def media():
  rows = np.arange(len(LINES))
  return of_oscillators(*computed_optical.strengths(LINES, rows))


def of_oscillators(frequency, strength):
  made = computed_optical.optical_constants(frequency, strength, np.float32(AXIS), 20.0, 1.9)
  return {kind: synthetic.spectra(np.array(made[kind]), AXIS, kind) for kind in made}


@pytest.fixture(scope='module')
def task():
  return make_task()


def first(task, count, side='train'):
  return {name: x[:count] for name, x in task.examples(side).items()}


def truth(task, side='test'):
  _, targets = task.held_out(side)
  return task.relative({quantity: np.asarray(targets[quantity]) for quantity in 'nk'})


# --- what the model sees -----------------------------------------------------------------------


@pytest.mark.parametrize('train', [True, False])
def test_nothing_hidden_and_no_target_reaches_the_model(task, train):
  batch, keys = first(task, 2), jax.random.split(jax.random.key(0), 2)

  def seen(R, n, k):
    inputs, _ = task.inputs(keys, 0, {**batch, 'reflectance': R, 'n': n, 'k': k}, train)
    return inputs['values_BxL'], inputs['visible_BxL']

  jacobians = jax.jit(jax.jacrev(seen, argnums=(0, 1, 2), has_aux=True))
  (of_R, of_n, of_k), visible = jacobians(
    *(jnp.asarray(batch[x]) for x in ('reflectance', 'n', 'k'))
  )
  visible = np.asarray(visible)
  assert (np.asarray(of_n) == 0).all()
  assert (np.asarray(of_k) == 0).all()
  for row in range(2):
    assert 0.1 < 1 - visible[row].mean() < 0.3
    assert (np.asarray(of_R)[..., row, ~visible[row]] == 0).all()
    assert np.abs(np.asarray(of_R)[row, :, row][:, visible[row]]).max() > 0


def test_noise_is_of_the_stated_size_and_belongs_to_the_row(task):
  batch, (mean, deviation) = first(task, 30), task.seen
  keys = jax.random.split(jax.random.key(1), 30)
  inputs, _ = jax.jit(lambda keys, batch: task.inputs(keys, 0, batch, True))(keys, batch)
  values, visible = np.asarray(inputs['values_BxL']), np.asarray(inputs['visible_BxL'])
  noise = (mean + deviation * values - batch['reflectance'])[visible]
  assert abs(noise.std() / task.options.noise - 1) < 0.05  # six standard errors
  held_out, _ = task.held_out('test')
  # Two rows with one mask differ by their noise.
  assert np.abs(np.diff(held_out['values_BxL'][::2], axis=0)).max() > 0


def test_constants_come_from_training_rows_alone(task):
  spectra = media()
  held = np.concatenate([task.split.test, task.split.validation])
  for made in spectra.values():
    made.values[held] *= 0.5
  changed = make_task(spectra)
  assert (changed.seen, changed.scale, changed.offset) == (task.seen, task.scale, task.offset)
  np.testing.assert_array_equal(changed.mean['k'], task.mean['k'])


# --- scores ------------------------------------------------------------------------------------


def test_truth_costs_nothing_and_the_mean_one(task):
  baselines = task.baselines('test')
  scores = {method: task.score(outputs, 'test') for method, outputs in baselines.items()}
  report = task.report(task.score(truth(task), 'test'), scores, None)
  for quantity in 'nk':
    assert report[quantity]['nre'] < 1e-9
    assert report[quantity]['mean'] == 1.0
    assert report[quantity]['phase'] < 1
    assert report[quantity]['intervals']['gaussian'][0] > 0
    # The whole axis is its hidden and its visible points.
    whole = scores['phase'][quantity][0]
    parts = sum(scores['phase'][f'{quantity}/{part}'][0] for part in task.parts)
    np.testing.assert_allclose(parts, whole, rtol=1e-5)
  laws = report['laws']
  assert laws['negative_k']['truth'] == 0
  np.testing.assert_allclose(*(laws['kramers_kronig'][x] for x in ('truth', 'model')), rtol=1e-5)
  assert len(task.table(report)) == 6


def test_phase_retrieval_needs_no_training_when_all_is_seen_without_noise():
  """Molecules whose modes lie within the axis: n and k of the phase to 3 %, the ends."""
  frequency, strength = computed_optical.strengths(LINES, np.arange(60))
  spectra = of_oscillators(1250 + 300 * (frequency - 450) / 3450, 0.02 * strength)
  task = make_task(spectra, **{'task.optical_constants.noise': 0.0})
  mean, deviation = task.seen
  values = (spectra['reflectance'].values - mean) / deviation
  found = task._phase(np.float64(values), np.ones(values.shape, bool))
  for quantity in 'nk':
    error = np.abs(found[quantity] - spectra[quantity].values).max()
    assert error < 0.05 * np.ptp(spectra[quantity].values)


def test_the_units_of_the_head_are_undone_exactly(task):
  outputs = truth(task)
  found = task.absolute(outputs)
  again = task.relative(found)
  for quantity in 'nk':
    np.testing.assert_allclose(again[quantity], outputs[quantity], rtol=1e-5, atol=1e-5)
  assert task.offset <= task.mean['n'].min()


def test_predictions_are_absolute_and_stand_beside_the_truth(task):
  found = task.predictions(truth(task), 'test')
  assert set(found) == {'n', 'k', 'true_n', 'true_k'}
  for quantity in 'nk':
    assert found[quantity].dtype == np.float32
    np.testing.assert_allclose(found[quantity], found[f'true_{quantity}'], rtol=1e-5, atol=1e-6)


# --- laws --------------------------------------------------------------------------------------


def judged(task, outputs):
  _, targets = task.held_out('test')
  return {term: np.asarray(x) for term, x in losses_of(task)(outputs, targets).items()}


@functools.cache
def losses_of(task):
  return jax.jit(task.losses)


def test_broken_laws_are_found_and_only_they(task):
  """A bump on n that no k belongs to, and a k below zero, each raise their own term."""
  outputs = {quantity: np.asarray(x) for quantity, x in truth(task).items()}
  bump = 3 * np.exp(-0.5 * ((AXIS - 1400) / 20) ** 2)
  found = judged(task, outputs)
  of_n = judged(task, {**outputs, 'n': outputs['n'] + np.float32(bump)})
  assert (of_n['kramers_kronig'] > found['kramers_kronig'] + 0.01).all()
  np.testing.assert_array_equal(of_n['non_negativity'], found['non_negativity'])
  shift = {**outputs, 'n': outputs['n'] + 0.5}  # a constant is what absorbs elsewhere: no fault
  np.testing.assert_allclose(
    judged(task, shift)['kramers_kronig'], found['kramers_kronig'], 1e-3, 1e-5
  )
  below = judged(task, {**outputs, 'k': outputs['k'] - 1.0})
  assert (below['non_negativity'] > 0).all()
  assert (found['non_negativity'] == 0).all()


def test_the_passive_head_breaks_no_law_before_training():
  """Random weights: k >= 0 everywhere, and n - T k is a constant and far dispersion to float32."""
  task = make_task(**{'head.name': 'non_negative', 'task.optical_constants.absolute': True})
  head, nu_T = task.module().head, token_positions(AXIS, task.config.tokenize.step_cm)
  tokens = np.random.default_rng(0).normal(size=(12, len(nu_T), 16)).astype(np.float32)
  variables = draw(lambda key, x: head.init(key, x, AXIS), tokens)
  outputs = jax.jit(lambda x: head.apply(variables, x, AXIS))(tokens)
  found = judged(task, outputs)
  assert (found['non_negativity'] == 0).all()
  assert (found['kramers_kronig'] == 0).all()
  scores = task.score(outputs, 'test')
  assert (scores['negative_k'][0] == 0).all()
  assert (scores['kramers_kronig'][0] < 1e-4).all()


# --- what is refused, and what is swept --------------------------------------------------------


@pytest.mark.parametrize(
  ('change', 'words'),
  [
    ({'ratio': 1.5}, 'task.optical_constants.ratio is 1.5, expected a share'),
    ({'band_cm': 1.0}, r'task.optical_constants.band_cm is 1 cm'),
    ({'noise': -1.0}, 'task.optical_constants.noise is -1.0, expected a reflectance'),
  ],
)
def test_bad_options_are_refused(change, words):
  with pytest.raises(ValueError, match=words):
    make_task(**{f'task.optical_constants.{key}': value for key, value in change.items()})


def test_other_data_are_refused():
  spectra = media()
  del spectra['k']
  with pytest.raises(ValueError, match=r'gives n, reflectance and no k, expected reflectance'):
    make_task(spectra)


@pytest.mark.parametrize(('variant', 'count'), [('tiny', 27), ('paired-tiny', 9)])
def test_the_sweep_is_every_mode_with_every_seed(variant, count):
  rows = physics_ablation.sweep(variant)
  assert len({str(overrides) for overrides in rows}) == len(rows) == count
  modes = {physics_ablation.mode(_config(variant, overrides)) for overrides in rows}
  assert {'none', 'soft'} < modes
  for overrides in rows:
    component('heads', _config(variant, overrides).head.name)


def _config(variant, overrides):
  config = physics_ablation.get_config(variant)
  config.update_from_flattened_dict(overrides)
  return config
