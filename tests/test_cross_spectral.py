"""IR to Raman and back: nothing wanted is seen, planted relations are found, laws are judged."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs import spektron_cross
from spectra_jax.datasets import computed
from spectra_jax.spectra import uniform_axis
from spectra_jax.splits import make_split
from spectra_jax.tasks import cross_spectral
from tests import synthetic
from tests.parameters import draw

AXIS = uniform_axis(800.0, 2000.0, 320)
MOLECULES = 60
DIRECTIONS = tuple(cross_spectral.DIRECTIONS)
FITTED = ('pls', 'ridge', 'kernel_ridge')


@functools.cache
def intensities():
  lines = synthetic.lines(MOLECULES)
  of = lambda kind: computed.render(lines, kind, AXIS, 'lorentz', (16.0,))
  return {kind: of(kind) for kind in cross_spectral.KINDS}


def spectra(raman=None):
  """Every third molecule is said to have an inversion centre."""
  values = intensities() | ({} if raman is None else {'raman': raman})
  made = {kind: synthetic.spectra(x.copy(), AXIS, kind) for kind, x in values.items()}
  for each in made.values():
    each.meta['centrosymmetric'] = np.arange(MOLECULES) % 3 == 0
  return made


def make_task(data=None, **changes):
  config = spektron_cross.get_config('tiny')
  if 'own' in changes:
    with config.unlocked():
      config.loss.weights.model.own_mse = changes.pop('own')
  config.update_from_flattened_dict(changes)
  data = data or spectra()
  meta = data['ir'].meta
  split = make_split(meta['id'], meta['group'], 'grouped', (0.6, 0.2, 0.2), 0)
  return cross_spectral.build(config, data, split)


@pytest.fixture(scope='module')
def task():
  return make_task()


@pytest.fixture(scope='module')
def truth(task):
  """Scaled roots of what is wanted on the test side."""
  return np.asarray(task.held_out('test')[1]['wanted'])


def first(task, count, side='train'):
  """The first examples of each direction."""
  examples = task.examples(side)
  rows = np.concatenate([np.flatnonzero(examples['kind'] == k)[:count] for k in (0, 1)])
  return {name: x[rows] for name, x in examples.items()}


def changes(head):
  both = {'head.unconstrained.names': ('ir', 'raman'), 'own': 0.3}
  told = {'head.name': head, 'task.cross_spectral.known': ('centrosymmetric',)}
  return {
    'reconstruct': {},
    'unconstrained': both | told,
    'paired': both | told | {'task.cross_spectral.intensities': True},
  }[head]


@functools.cache
def model_of(head):
  """(task, forward(batch) jitted): random weights."""
  task = make_task(**changes(head))
  module, batch = task.module(), first(task, 2, 'test')
  inputs, _ = task.inputs(None, 0, batch, train=False)
  params = draw(lambda key: module.init(key, **inputs, nu_L=AXIS, train=False))['params']

  @jax.jit
  def forward(batch):
    inputs, targets = task.inputs(None, 0, batch, train=False)
    outputs = module.apply({'params': params}, **inputs, nu_L=AXIS, train=False)
    return task._apart(outputs, targets['kind']), task.losses(outputs, targets)

  return task, forward


# --- what the model sees -----------------------------------------------------------------------


@pytest.mark.parametrize('head', ['reconstruct', 'unconstrained', 'paired'])
def test_nothing_of_what_is_wanted_reaches_the_prediction(head):
  task, forward = model_of(head)
  batch = first(task, 2, 'test')
  (whole, _), losses = forward(batch)
  (same, _), others = forward({**batch, 'wanted': batch['wanted'] * AXIS.astype(np.float32)})
  np.testing.assert_array_equal(same, whole)
  assert (losses['wanted_mse'] != others['wanted_mse']).all()


@pytest.mark.parametrize('train', [True, False])
def test_inputs_know_nothing_of_what_is_wanted(train):
  task = make_task(**{'task.cross_spectral.hidden': 0.5})
  batch, keys = first(task, 2), jax.random.split(jax.random.key(0), 4)

  def seen(wanted):
    return task.inputs(keys, 3, {**batch, 'wanted': wanted}, train)[0]['values_BxL']

  slope = jax.jit(jax.jacrev(seen))(jnp.asarray(batch['wanted']))
  np.testing.assert_array_equal(slope, 0)


def test_the_whole_input_reaches_the_prediction_and_so_does_its_kind():
  task, forward = model_of('reconstruct')
  batch = first(task, 2, 'test')
  (whole, own), _ = forward(batch)
  assert own is None
  for change in ({'seen': batch['seen'] * 2}, {'kind': 1 - batch['kind']}):
    (moved, _), _ = forward({**batch, **change})
    assert (jnp.abs(moved - whole).max(1) > 1e-3).all()


def test_a_centre_is_told_where_it_is_known_alone():
  for head in ('reconstruct', 'unconstrained'):
    task, forward = model_of(head)
    batch = first(task, 2, 'test')
    (whole, _), _ = forward(batch)
    (moved, _), _ = forward({**batch, 'centrosymmetric': ~batch['centrosymmetric']})
    assert (np.abs(moved - whole).max() > 1e-4) == (head == 'unconstrained')


def test_bands_are_hidden_in_training_alone():
  task = make_task(**{'task.cross_spectral.hidden': 0.5})
  batch, keys = first(task, 15), jax.random.split(jax.random.key(0), 30)
  visible = lambda train: task.inputs(keys, 0, batch, train)[0]['visible_BxL']
  share = lambda train: 1 - np.asarray(jax.jit(visible, static_argnums=0)(train)).mean(1)
  assert (share(False) == 0).all()
  assert 0.1 < share(True).mean() < 0.4
  assert share(True).max() <= 0.55


def test_bands_of_both_spectra_drift_together_in_training_alone():
  """One line each at one place: it is one place afterwards, and not far."""
  task = make_task(**{'task.cross_spectral.drift_cm': 20.0})
  line = lambda at: 1 / (1 + ((AXIS - at) / 12) ** 2)
  at = np.linspace(AXIS[0] + 100, AXIS[-1] - 100, 24)
  batch = first(task, 12) | {'seen': np.float32([line(nu) for nu in at])}
  batch |= {'wanted': 0.5 * batch['seen'], 'kind': np.zeros(24, np.int32)}
  keys = jax.random.split(jax.random.key(0), 24)

  def places(train):
    inputs, targets = task.inputs(keys, 0, batch, train)
    peaks = [np.asarray(x).argmax(1) for x in (inputs['values_BxL'], targets['wanted'])]
    np.testing.assert_array_equal(*peaks)
    return AXIS[peaks[0]]

  step = AXIS[1] - AXIS[0]
  assert np.abs(places(False) - at).max() <= step
  moves = places(True) - at
  assert 5 < np.abs(moves).max() <= 20 + step
  assert moves.min() < 0 < moves.max()


def test_constants_and_baselines_come_from_training_rows_alone(task):
  """Held-out spectra a hundred times as strong: the same scale, mean and fitted methods."""
  data = spectra()
  for made in data.values():
    made.values[np.concatenate([task.split.test, task.split.validation])] *= 100.0
  changed = make_task(data)
  np.testing.assert_array_equal(changed.scale, task.scale)
  np.testing.assert_array_equal(changed.mean_2xL, task.mean_2xL)
  values = np.float64(task.held_out('test')[0]['values_BxL'])[:3]
  for name in FITTED:
    same = [one._fitted(name, 0).predict(values) for one in (task, changed)]
    np.testing.assert_array_equal(*same)


# --- baselines and scores ----------------------------------------------------------------------


def test_truth_costs_nothing_the_mean_one_and_the_input_is_the_identity(task, truth):
  scores = {method: task.score(x, 'test') for method, x in task.baselines('test').items()}
  report = task.report(task.score(truth, 'test'), scores, None)
  for name in DIRECTIONS:
    assert report[name]['mse']['model'] == 0.0
    assert report[name]['mse']['mean'] == report[name]['centrosymmetric']['mse']['mean'] == 1.0
    assert report[name]['cosine']['model'] == pytest.approx(1.0)
    assert report[name]['recall']['model'] == report[name]['precision']['model'] == 1.0
    assert report[name]['recall']['mean'] < 0.5
    overlap = report[name]['centrosymmetric']['overlap']
    assert overlap['model'] == overlap['truth']
    assert overlap['identity'] == pytest.approx(1.0)
  assert report['chosen']['ir_to_raman']['kernel_ridge'] == (3.0, 0.01)
  inputs, _ = task.held_out('test')
  np.testing.assert_array_equal(
    task.baselines('test', ('identity',))['identity'], inputs['values_BxL']
  )
  assert len(task.table(report)) == 1 + 1 + len(cross_spectral.BASELINES)


def test_data_that_do_not_tell_centres_can_be_learned_from():
  data = spectra()
  for each in data.values():
    del each.meta['centrosymmetric']
  blind = make_task(data)
  wanted = np.asarray(blind.held_out('test')[1]['wanted'])
  scores = {method: blind.score(x, 'test') for method, x in blind.baselines('test').items()}
  report = blind.report(blind.score(wanted, 'test'), scores, None)
  assert report['ir_to_raman']['mse']['model'] == 0.0
  assert 'centrosymmetric' not in report['ir_to_raman']
  with pytest.raises(ValueError, match=r"known is \('centrosymmetric',\) and the data do not say"):
    make_task(data, **{'task.cross_spectral.known': ('centrosymmetric',)})


def test_errors_are_of_each_direction_alone(task, truth):
  kind = np.asarray(task.held_out('test')[1]['kind'])
  off = np.where(kind[:, None] == 0, truth, truth + 2.0)
  scores = task.score(off, 'test')
  assert float(scores['ir_to_raman.mse']) == 0
  assert float(scores['raman_to_ir.mse']) == pytest.approx(4.0)


def test_a_planted_linear_relation_is_found_by_linear_methods_and_not_by_the_others():
  """sqrt(Raman) = P sqrt(IR), P a blur of positions that are mirrored."""
  place = np.arange(len(AXIS))
  mirror = np.exp(-((place[:, None] + place - len(AXIS) + 1) ** 2) / 50.0)
  task = make_task(
    spectra(np.float32((np.sqrt(intensities()['ir']) @ mirror) ** 2)),
    **{
      'task.cross_spectral.components': (5, 30),
      'task.cross_spectral.shrinkages': (1e-1, 1e-9),
      'task.cross_spectral.directions': ('ir_to_raman',),
    },
  )
  found = task.baselines('test')
  mean = float(task.score(found['mean'], 'test')['ir_to_raman.mse'])
  error = {m: float(task.score(x, 'test')['ir_to_raman.mse']) / mean for m, x in found.items()}
  assert error['ridge'] < error['pls'] < 0.2
  assert error['identity'] > 1.0
  assert task._fitted('ridge', 0).candidate == 1e-9
  assert task._fitted('pls', 0).candidate == 30


def test_one_direction_is_half_the_examples():
  task = make_task(**{'task.cross_spectral.directions': ('raman_to_ir',)})
  examples = task.examples('test')
  assert (examples['kind'] == 1).all()
  np.testing.assert_array_equal(examples['seen'], intensities()['raman'][task.split.test])
  assert len(task.groups('test')) == len(examples['row']) == len(task.split.test)


def test_predictions_are_intensities_that_may_be_negative(task, truth):
  found = task.predictions(-truth, 'test')
  for kind in cross_spectral.KINDS:
    np.testing.assert_allclose(found[kind], -found[f'true_{kind}'], rtol=1e-4)
    np.testing.assert_array_equal(found[f'true_{kind}'], intensities()[kind][task.split.test])


# --- laws --------------------------------------------------------------------------------------


def test_heads_of_both_spectra_give_back_what_was_seen():
  task, _ = model_of('unconstrained')
  batch = first(task, 2, 'test')
  _, targets = task.inputs(None, 0, batch, train=False)
  saw_ir = (batch['kind'] == 0)[:, None]
  right = {
    'ir': jnp.where(saw_ir, targets['seen'], targets['wanted']),
    'raman': jnp.where(saw_ir, targets['wanted'], targets['seen']),
  }
  losses = task.losses(right, targets)
  assert set(losses) == {'wanted_mse', 'own_mse', 'selection_rules'}
  np.testing.assert_array_equal(losses['wanted_mse'], 0)
  np.testing.assert_array_equal(losses['own_mse'], 0)
  off = task.losses({**right, 'ir': right['ir'] + 1}, targets)
  np.testing.assert_allclose(off['own_mse'], batch['kind'] == 0, rtol=1e-5)
  np.testing.assert_allclose(off['wanted_mse'], batch['kind'] == 1, rtol=1e-5)


def test_intensities_and_roots_are_judged_alike(truth):
  of_intensities, _ = model_of('paired')
  free, _ = model_of('unconstrained')
  off = dict.fromkeys(cross_spectral.KINDS, 0.7 * truth + 0.1)
  squares = {kind: x**2 for kind, x in off.items()}
  mine, theirs = free.score(off, 'test'), of_intensities.score(squares, 'test')
  for name in mine:
    assert float(mine[name]) == pytest.approx(float(theirs[name]), rel=1e-2), name


def test_exclusion_is_asked_of_centrosymmetric_molecules_alone(task):
  batch = first(task, 6, 'test')
  targets = task.inputs(None, 0, batch, train=False)[1]
  same = np.asarray(jax.jit(task.losses)(targets['seen'], targets)['selection_rules'])
  centre = batch['centrosymmetric']
  assert (same[centre] > 1e-3).all()
  assert (same[~centre] == 0).all()
  assert centre.any()


# --- what is refused ---------------------------------------------------------------------------


@pytest.mark.parametrize(
  ('change', 'words'),
  [
    ({'directions': ('ir_to_ir',)}, r"directions is \('ir_to_ir',\), expected some of ir_to_raman"),
    ({'directions': ('ir_to_raman', 'ir_to_raman')}, 'each once'),
    ({'directions': ()}, r'directions is \(\), expected ir_to_raman, raman_to_ir or both'),
    ({'known': ('smiles',)}, 'expected some of centrosymmetric'),
    ({'drift_cm': 60.0}, r'drift_cm is 60.0 cm\^-1 over bands of 500.0, expected 0 to a tenth'),
    ({'hidden': 1.0}, 'hidden is 1.0, expected a share of the axis below 1'),
  ],
)
def test_bad_options_are_refused(change, words):
  with pytest.raises(ValueError, match=words):
    make_task(**{f'task.cross_spectral.{key}': value for key, value in change.items()})


def test_one_kind_alone_is_refused():
  with pytest.raises(ValueError, match='gives ir, expected ir and raman of the same molecules'):
    make_task({'ir': spectra()['ir']})
