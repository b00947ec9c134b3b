"""IR with Raman: each hidden in bands of its own, the centre of inversion told, laws judged."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs import physics_ablation
from spectra_jax.datasets import computed
from spectra_jax.spectra import uniform_axis
from spectra_jax.splits import make_split
from spectra_jax.tasks import paired
from spectra_jax.tokenize import token_positions
from tests import synthetic
from tests.parameters import draw

AXIS = uniform_axis(800.0, 2000.0, 320)
MOLECULES = 60


@functools.cache
def intensities():
  lines = synthetic.lines(MOLECULES)
  return {kind: computed.render(lines, kind, AXIS, 'lorentz', (16.0,)) for kind in paired.KINDS}


def spectra():
  """Every third molecule is said to have an inversion centre."""
  made = {kind: synthetic.spectra(x.copy(), AXIS, kind) for kind, x in intensities().items()}
  for each in made.values():
    each.meta['centrosymmetric'] = np.arange(MOLECULES) % 3 == 0
  return made


def make_task(data=None, **changes):
  config = physics_ablation.get_config('paired-tiny')
  config.update_from_flattened_dict(changes)
  data = data or spectra()
  meta = data['ir'].meta
  split = make_split(meta['id'], meta['group'], 'grouped', (0.6, 0.2, 0.2), 0)
  return paired.build(config, data, split)


@pytest.fixture(scope='module')
def task():
  return make_task()


@pytest.fixture(scope='module')
def truth(task):
  """Scaled roots of the test side."""
  _, targets = task.held_out('test')
  return {kind: np.asarray(targets[kind]) for kind in paired.KINDS}


def first(task, count, side='train'):
  return {name: x[:count] for name, x in task.examples(side).items()}


# --- what the model sees -----------------------------------------------------------------------


@pytest.mark.parametrize('train', [True, False])
def test_nothing_hidden_reaches_the_model_and_kinds_are_hidden_apart(task, train):
  batch, keys = first(task, 2), jax.random.split(jax.random.key(0), 2)

  def seen(ir, raman):
    inputs, _ = task.inputs(keys, 0, {**batch, 'ir': ir, 'raman': raman}, train)
    return inputs['values'], inputs['visible']

  jacobians, visible = jax.jit(jax.jacrev(seen, argnums=(0, 1), has_aux=True))(
    jnp.asarray(batch['ir']), jnp.asarray(batch['raman'])
  )
  visible = {kind: np.asarray(x) for kind, x in visible.items()}
  assert (visible['ir'] != visible['raman']).any(1).all()
  for kind in paired.KINDS:
    of_own = np.asarray(jacobians[kind][paired.KINDS.index(kind)])
    of_other = np.asarray(jacobians[kind][1 - paired.KINDS.index(kind)])
    assert (of_other == 0).all()
    for row in range(2):
      assert 0.25 < 1 - visible[kind][row].mean() < 0.55
      assert (of_own[..., row, ~visible[kind][row]] == 0).all()
      assert np.abs(of_own[row, :, row][:, visible[kind][row]]).max() > 0


def test_every_input_moves_both_spectra(task):
  """IR reaches Raman and the other way round, and the centre of inversion reaches both."""
  batch = first(task, 2, 'test')

  @jax.jit
  def outputs(inputs, params):
    return task.module().apply({'params': params}, **inputs, nu_L=AXIS, train=False)

  inputs, _ = jax.jit(lambda batch: task.inputs(None, 0, batch, train=False))(batch)
  module = task.module()
  params = draw(lambda key: module.init(key, **inputs, nu_L=AXIS, train=False))['params']
  whole = outputs(inputs, params)
  changes = [
    {'values': inputs['values'] | {kind: inputs['values'][kind] + inputs['visible'][kind]}}
    for kind in paired.KINDS
  ]
  changes.append({'centrosymmetric_B': ~inputs['centrosymmetric_B']})
  for change in changes:
    moved = outputs({**inputs, **change}, params)
    for kind in paired.KINDS:
      assert jnp.abs(moved[kind] - whole[kind]).max() > 1e-4


def test_constants_come_from_training_rows_alone(task):
  data = spectra()
  for made in data.values():
    made.values[np.concatenate([task.split.test, task.split.validation])] *= 100.0
  changed = make_task(data)
  assert changed.scale == task.scale
  np.testing.assert_array_equal(changed.mean['ir'], task.mean['ir'])


# --- scores ------------------------------------------------------------------------------------


def test_truth_costs_nothing_and_the_mean_one(task, truth):
  scores = {method: task.score(x, 'test') for method, x in task.baselines('test').items()}
  report = task.report(task.score(truth, 'test'), scores, None)
  for kind in paired.KINDS:
    assert report[kind]['nre'] == 0.0
    assert report[kind]['mean'] == report[kind]['parts']['centrosymmetric']['mean'] == 1.0
    assert 0 < report[kind]['linear'] < 2
  assert report['laws']['negative']['truth'] == 0
  assert report['centrosymmetric'] == task.examples('test')['centrosymmetric'].sum() > 0
  assert len(task.table(report)) == 6


def test_errors_count_hidden_points_alone(task, truth):
  _, targets = task.held_out('test')
  off = {kind: np.where(targets[f'{kind}_hidden'], truth[kind], 9.0) for kind in paired.KINDS}
  scores = task.score(off, 'test')
  assert (scores['ir'][0] == 0).all()
  assert (task.score({**truth, 'raman': truth['raman'] + 1.0}, 'test')['raman'][0] > 0).all()


def test_baselines_keep_what_is_visible(task):
  inputs, _ = task.held_out('test')
  for name, found in task.baselines('test', ('linear', 'gaussian')).items():
    for kind in paired.KINDS:
      seen = np.asarray(inputs['visible'][kind])
      np.testing.assert_allclose(
        found[kind][seen], np.asarray(inputs['values'][kind])[seen], rtol=1e-6, err_msg=name
      )


def test_intensities_and_roots_are_judged_alike(task, truth):
  """A head of intensities that gives the squares scores as the one of roots does."""
  of_intensities = make_task(**{'task.paired.intensities': True})
  off = {kind: 0.7 * x + 0.1 for kind, x in truth.items()}
  squares = {kind: x**2 for kind, x in off.items()}
  mine, theirs = task.score(off, 'test'), of_intensities.score(squares, 'test')
  for name in mine:
    np.testing.assert_allclose(mine[name][0], theirs[name][0], rtol=1e-3)


def test_predictions_are_intensities_that_may_be_negative(task, truth):
  found = task.predictions({**truth, 'raman': -truth['raman']}, 'test')
  np.testing.assert_allclose(found['ir'], found['true_ir'], rtol=1e-4)
  np.testing.assert_allclose(found['raman'], -found['true_raman'], rtol=1e-4)
  np.testing.assert_array_equal(found['centrosymmetric'], task.examples('test')['centrosymmetric'])


# --- laws --------------------------------------------------------------------------------------


@pytest.fixture(scope='module')
def judge(task):
  _, targets = task.held_out('test')
  judged = jax.jit(lambda outputs: task.losses(outputs, targets))
  return lambda outputs: {term: np.asarray(x) for term, x in judged(outputs).items()}


def line(centre, height=3.0):
  return np.float32(height * np.exp(-0.5 * ((AXIS - centre) / 10) ** 2))


def test_exclusion_is_asked_of_centrosymmetric_molecules_alone(task, truth, judge):
  centre = task.examples('test')['centrosymmetric']
  rows = np.zeros((len(centre), 1), np.float32)
  apart = judge({'ir': rows + line(1000), 'raman': rows + line(1600)})
  same = judge({'ir': rows + line(1600), 'raman': rows + line(1600)})
  assert (apart['selection_rules'] < 1e-6).all()
  assert (same['selection_rules'][centre] > 0.005).all()
  assert (same['selection_rules'][~centre] == 0).all()
  overlap, count = task.score({'ir': rows + line(1600), 'raman': rows + line(1600)}, 'test')[
    'overlap'
  ]
  np.testing.assert_allclose(overlap, centre, atol=1e-5)
  np.testing.assert_array_equal(count, centre)


def test_what_is_below_zero_is_found(task, truth, judge):
  below = {'ir': truth['ir'] - 2.0, 'raman': truth['raman']}
  assert (judge(below)['non_negativity'] > 0).all()
  assert (judge(truth)['non_negativity'] == 0).all()
  share = task.score(below, 'test')['negative']
  np.testing.assert_array_equal(share[0], (below['ir'] < 0).sum(1))
  assert (share[1] == 2 * len(AXIS)).all()


def test_the_head_of_modes_excludes_before_training():
  """Random weights: no mode of a centrosymmetric molecule is in both spectra, none is negative."""
  task = make_task(**{'head.name': 'paired', 'task.paired.intensities': True})
  head, nu_T = task.module().head, token_positions(AXIS, task.config.tokenize.step_cm)
  tokens = np.random.default_rng(0).normal(size=(4, len(nu_T), 16)).astype(np.float32)
  known = np.array([True, False, True, False])
  variables = draw(lambda key, x: head.init(key, x, AXIS), tokens)
  lines = lambda x: head.apply(variables, x, AXIS, known, method='lines')
  modes = jax.jit(lines)(tokens)
  both = np.asarray(modes.ir_BxK * modes.raman_BxK)
  assert (both[known] == 0).all()
  assert (both[~known] > 0).all()
  assert (np.asarray(modes.ir_BxK)[known].sum(1) > 0).all()


# --- what is refused ---------------------------------------------------------------------------


def test_bad_requests_are_refused():
  with pytest.raises(ValueError, match=r'task.paired.ratio is 0.0, expected a share'):
    make_task(**{'task.paired.ratio': 0.0})
  with pytest.raises(ValueError, match='gives ir, expected ir and raman of the same molecules'):
    make_task({'ir': spectra()['ir']})
  blind = spectra()
  for each in blind.values():
    del each.meta['centrosymmetric']
  with pytest.raises(ValueError, match='do not say which molecules have an inversion centre'):
    make_task(blind)
