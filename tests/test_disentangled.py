"""The foundation task: every loss alive, swaps of known truth, a latent that is heard."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs import spektron, spektron_instruments
from spectra_jax import batches, dropout, splits, train
from spectra_jax.datasets import computed
from spectra_jax.disentangled import Classifier
from spectra_jax.spectra import uniform_axis
from spectra_jax.tasks import foundation
from spectra_jax.views import BORROWED, FIRST, PROTOCOL
from spectra_jax.workdir import claim
from tests import synthetic
from tests.parameters import draw

AXIS = uniform_axis(400.0, 2400.0, 256)
KINDS = ('ir', 'raman')


def make_task(molecules=40, split_seed=0, **changes):
  config = spektron_instruments.get_config('tiny')
  config.update_from_flattened_dict(changes)
  lines = synthetic.lines(molecules)
  spectra = {
    kind: synthetic.spectra(computed.render(lines, kind, AXIS, 'lorentz', (20.0,)), AXIS, kind)
    for kind in KINDS
  }
  for of_kind in spectra.values():
    of_kind.meta['group'] = lines.formula
  meta = spectra['ir'].meta
  shares = (0.6, 0.2, 0.2)
  split = splits.make_split(meta['id'], meta['group'], 'grouped', shares, split_seed)
  return foundation.build(config, spectra, split)


@pytest.fixture(scope='module')
def task():
  return make_task()


@pytest.fixture(scope='module')
def module(task):
  return task.module()


@pytest.fixture(scope='module')
def params(task, module):
  inputs, _ = task.inputs(None, 0, first(task, 1, 'test'), train=False)
  return draw(lambda key: module.init(key, **inputs, nu_L=AXIS, train=False))['params']


def first(task, count, side='train'):
  return {name: np.asarray(x[:count]) for name, x in task.examples(side).items()}


def example_keys(batch, seed=0):
  return batches.example_keys(seed, 700, batch['row'])


@pytest.fixture(scope='module')
def predict(task, module):
  @jax.jit
  def run(params, batch):
    inputs, _ = task.inputs(None, 0, batch, train=False)
    return module.apply({'params': params}, **inputs, nu_L=AXIS, train=False)

  return run


# ---- losses -----------------------------------------------------------------


@pytest.mark.slow
def test_every_loss_moves_the_trunk(task, module, params):
  """Of the published design some could not: their gradient on the backbone was zero."""
  batch = first(task, 16)  # of which the adversary tells some better than by chance
  keys_B = example_keys(batch)

  @jax.jit
  def slopes(params):
    def terms(params):
      mask_B, drop_B = batches.split_keys(keys_B)
      inputs, targets = task.inputs(mask_B, 700, batch, train=True)
      variables = {'params': params, **dropout.example_keys(drop_B)}
      outputs = module.apply(variables, **inputs, nu_L=AXIS, train=True)
      found = task.losses(outputs, targets)
      return {name: term.mean() for name, term in found.items()}

    return jax.jacrev(terms)(params), terms(params)

  found, values = slopes(params)
  assert set(found) == set(task.config.loss.weights.model)
  for name, tree in found.items():
    trunk = jax.tree.leaves(tree['foundation']['backbone'])
    assert all(jnp.isfinite(x).all() for x in trunk), name
    assert max(float(jnp.abs(x).max()) for x in trunk) > 0, name
    assert jnp.isfinite(values[name]), name
  whole = jax.tree.map(lambda *parts: sum(jnp.abs(x) for x in parts), *found.values())
  for path, leaf in jax.tree_util.tree_leaves_with_path(whole):
    assert jnp.abs(leaf).max() > 0, path


def test_an_adversary_that_is_misled_already_asks_for_nothing_more():
  """Pushed on, the latent would grow for ever: its gradient is there as long as it tells alone."""
  classifier = Classifier(instruments=3, hidden=0, reversal=2.0)
  z, number = jnp.ones((2, 1, 1, 3)), jnp.array([1, 2]).reshape(2, 1, 1)
  variables = {'params': {'out': {'kernel': 5.0 * jnp.eye(3), 'bias': jnp.array([4.0, 0.0, 0.0])}}}

  def loss(z, friendly):
    asked = classifier.clone(reversal=-1.0) if friendly else classifier
    logits = asked.apply(variables, z, number)[:, 0, 0]
    return -jax.nn.log_softmax(logits)[jnp.arange(2), number[:, 0, 0] - 1].sum()

  slope = jax.jit(jax.grad(loss), static_argnums=1)
  pushed, helped = slope(z, False), slope(z, True)
  np.testing.assert_allclose(pushed[0], -2.0 * helped[0], rtol=1e-6)  # told: by the bias, the first
  np.testing.assert_array_equal(pushed[1], 0.0)  # taken for the first, too
  assert jnp.abs(helped).max(-1).min() > 1e-3


@pytest.mark.slow
def test_terms_without_their_parts_are_not_there():
  bare = make_task(
    **{
      'foundation.heads.decoded': '',
      'foundation.bottleneck.chem': 0,
      'foundation.mixture.experts': 0,
    }
  )
  batch = first(bare, 2)
  terms = jax.eval_shape(lambda: _terms(bare, batch))
  assert set(terms) == {'masked_mse', 'denoising', 'non_negativity'}
  assert all(term.shape == (2,) for term in terms.values())


@pytest.mark.slow
def test_transferred_and_crossed_spectra_cost_what_they_are_wrong():
  _, targets = training_targets((3, 4, 5, 6))
  task = make_task()
  clean, swapped = targets['clean'], targets['swapped']
  # The reference sees the other kind as it was computed, whoever measured this one.
  true = {'cross': np.broadcast_to(clean[:, ::-1, :1], clean.shape), 'transferred': swapped}
  right = task.losses({'reconstruction': clean} | true, targets)
  wrong = task.losses({'reconstruction': clean} | {k: x + 2.0 for k, x in true.items()}, targets)
  for term in ('cross_mse', 'transferred_mse'):
    np.testing.assert_array_equal(right[term], 0)
    np.testing.assert_allclose(wrong[term], 4, rtol=1e-5)


@pytest.mark.slow
def test_the_whole_model_reports_transfers_and_the_other_kind():
  config = spektron.get_config('tiny')
  heads = {f'foundation.heads.{name}': head for name, head in spektron.HEADS.items()}
  sizes = {'foundation.embedding': 8, 'foundation.attention.heads': 2}
  operator = config.head.transfer_operator.to_dict()
  sizes |= {f'head.transfer_operator.{name}': value for name, value in operator.items()}
  whole = make_task(**heads, **sizes)
  module, batch = whole.module(), first(whole, 3, 'test')
  inputs, _ = whole.inputs(None, 0, batch, train=False)
  variables = draw(lambda key: module.init(key, **inputs, nu_L=AXIS, train=False))
  examples = whole.examples('test')
  inputs, _ = whole.held_out('test')
  run = jax.jit(lambda values: module.apply(variables, **inputs | values, nu_L=AXIS, train=False))
  outputs = run({'values': inputs['values']})
  assert outputs['transferred'].shape == (len(examples['row']), 2, 1, len(AXIS))
  latents = whole.score(jax.tree.map(np.asarray, outputs), 'test')['latents']
  for kind in KINDS:
    for name in ('transfer.model', 'transfer.identity', 'cross.model', 'physics.model'):
      assert latents[f'{kind}.{name}'].value > 0
  for name, lender in (('transferred', PROTOCOL), ('swapped', BORROWED)):  # whose z_inst it takes
    louder = run({'values': inputs['values'].at[lender].multiply(2.0)})
    assert np.abs(louder[name] - outputs[name]).max() > 1e-4
    other = {'transferred': 'swapped', 'swapped': 'transferred'}[name]
    np.testing.assert_allclose(louder[other], outputs[other], atol=1e-6)


def _terms(task, batch):
  inputs, targets = task.inputs(example_keys(batch), 0, batch, train=True)
  variables = task.module().init(jax.random.key(0), **inputs, nu_L=AXIS, train=False)
  outputs = task.module().apply(variables, **inputs, nu_L=AXIS, train=False)
  return task.losses(outputs, targets)


# ---- views ------------------------------------------------------------------


@functools.cache
def training_targets(rows, seed=0):
  """Targets of a training batch of these rows, all with spectra of the first."""
  task = make_task()
  examples = task.examples('train')
  same = {name: np.stack([np.asarray(x[0])] * len(rows)) for name, x in examples.items()}
  same['row'] = np.array(rows, np.int32)
  make = jax.jit(lambda batch: task.inputs(example_keys(batch, seed), 700, batch, train=True))
  return jax.tree.map(np.asarray, make(same))


@pytest.mark.slow
def test_a_borrowed_instrument_shows_the_sample_as_its_lender_saw_it():
  """Where lender and borrower are one molecule, the truth of the swap is what the lender saw."""
  _, targets = training_targets((3, 4, 5, 6))
  follows = np.roll(np.arange(4), -1)
  np.testing.assert_allclose(
    targets['swapped'][:, :, 0], targets['clean'][follows][:, :, 1], rtol=1e-4, atol=1e-4
  )
  np.testing.assert_array_equal(targets['swapped'][:, :, 1], targets['clean'][:, :, 0])
  assert len(np.unique(targets['number'][:, :, 1])) > 1
  assert np.abs(targets['swapped'][:, :, 0] - targets['clean'][:, :, 1]).max() > 0.1


@pytest.mark.slow
def test_views_are_functions_of_seed_step_and_row():
  inputs, _ = training_targets((3, 4, 5, 6))
  turned, _ = training_targets((6, 5, 4, 3))
  np.testing.assert_allclose(inputs['values'], turned['values'][:, :, ::-1], atol=1e-5)
  other, _ = training_targets((3, 4, 5, 6), seed=1)
  assert (inputs['visible'] != other['visible']).any()
  assert np.abs(inputs['values'] - other['values']).max() > 0.1


@pytest.mark.slow
def test_the_protocol_view_is_that_of_masked_reconstruction(task):
  inputs, targets = task.held_out('test')
  masked_inputs, masked_targets = task.masked.held_out('test')
  apart = lambda x: np.concatenate(list(np.asarray(x)[PROTOCOL]))
  np.testing.assert_array_equal(apart(inputs['visible']), masked_inputs['visible_BxL'])
  np.testing.assert_allclose(apart(inputs['values']), masked_inputs['values_BxL'], rtol=1e-6)
  score = task.score({'reconstruction': np.asarray(targets['clean'])}, 'test')
  assert score['masked']['error'][0].max() < 1e-9
  assert (np.asarray(masked_targets['masked']) == ~masked_inputs['visible_BxL']).all()


# ---- the model --------------------------------------------------------------


@pytest.mark.slow
def test_hidden_intensities_do_not_move_what_is_predicted_from_the_rest(task, params, predict):
  batch = first(task, 3, 'test')
  inputs, _ = task.inputs(None, 0, batch, train=False)
  loud = dict(batch)
  for k, kind in enumerate(KINDS):
    hidden = ~np.asarray(inputs['visible'])[PROTOCOL, k]
    loud[kind] = np.where(hidden, 50 * batch[kind].max(), batch[kind])
  quiet, noisy = predict(params, batch), predict(params, loud)
  for name in ('reconstruction', 'decoded', 'chem_mean', 'inst_mean'):
    np.testing.assert_array_equal(quiet[name][:, :, PROTOCOL], noisy[name][:, :, PROTOCOL])
    assert np.abs(quiet[name][:, :, FIRST] - noisy[name][:, :, FIRST]).max() > 1e-3


@pytest.mark.slow
def test_the_bottleneck_lies_on_the_way_to_both_reconstructions(task, params, predict):
  """Another z_chem, another reconstruction, decoded spectrum and swap; of z_inst not all."""
  batch = first(task, 2, 'test')
  before = predict(params, batch)
  for latent, changed in (
    ('chem', {'reconstruction', 'decoded', 'swapped'}),
    ('inst', {'decoded', 'swapped'}),
  ):
    other = jax.tree.map(np.copy, params)
    other['foundation']['bottleneck'][latent]['mean']['bias'] += 1.0
    after = predict(other, batch)
    moved = {
      name
      for name in ('reconstruction', 'decoded', 'swapped')
      if np.abs(after[name] - before[name]).max() > 1e-3
    }
    assert moved == changed


@pytest.mark.slow
def test_prediction_is_of_each_molecule_and_the_same_twice(task, params, predict):
  batch = first(task, 3, 'test')
  once, again = predict(params, batch), predict(params, batch)
  jax.tree.map(np.testing.assert_array_equal, once, again)
  turned = predict(params, {name: x[::-1] for name, x in batch.items()})
  for name, x in once.items():
    np.testing.assert_allclose(x, turned[name][::-1], rtol=1e-4, atol=1e-5)


def test_another_split_seed_is_another_subset():
  sides = [make_task(split_seed=seed).split for seed in (0, 0, 1)]
  np.testing.assert_array_equal(sides[0].train, sides[1].train)
  assert set(sides[0].test) != set(sides[2].test)
  assert not set(sides[0].train) & set(sides[0].test)


# ---- alarm and refusals -----------------------------------------------------


def test_a_lost_latent_stops_the_run_with_a_sentence(task):
  changes = {
    'task.foundation.least_active': 4,
    'task.foundation.least_gap': 0.1,
    'task.foundation.alarm_after': 100,
  }
  watching = make_task(**changes)
  fine = {'active_chem': 4, 'probe_gap': 0.1}
  watching.alarm(100, fine)
  watching.alarm(99, {'active_chem': 0, 'probe_gap': 0.0})
  task.alarm(10**6, {'active_chem': 0, 'probe_gap': 0.0})  # 0 is off
  with pytest.raises(foundation.LatentLost, match='active_chem is 3 at step 100, expected at'):
    watching.alarm(100, fine | {'active_chem': 3})
  with pytest.raises(
    foundation.LatentLost, match=r'probe_gap is 0\.02 at step 500.*least_gap to 0'
  ):
    watching.alarm(500, fine | {'probe_gap': 0.02})
  with pytest.raises(foundation.LatentLost):
    train.heed(watching, 100, fine | {'active_chem': 0})


@pytest.mark.parametrize(
  ('changes', 'words'),
  [
    ({'foundation.bottleneck.inst': 0}, 'bottleneck.inst is 0 with a decoder'),
    (
      {
        'foundation.bottleneck.inst': 0,
        'foundation.heads.decoded': '',
        'task.foundation.least_gap': 0.1,
      },
      'least_gap is 0.1 and foundation.bottleneck.inst is 0',
    ),
    ({'task.foundation.probe_views': 7}, 'probe_views 7, expected a share .* 1 to 6 views'),
    ({'augment.shift.max_cm': 3.0}, 'does not augment'),
  ],
)
def test_what_the_task_cannot_do_is_refused(changes, words):
  with pytest.raises(ValueError, match=words):
    make_task(**changes)


def test_the_instrument_is_erased_by_training_molecules_alone():
  task, asked = make_task(300), []

  def latents(examples):
    """One that tells the instrument, and something else that has its variance."""
    asked.append(examples['row'])
    number = np.stack(task._views.dealt(examples['place']), 1)
    rng = np.random.default_rng(len(number))
    tells = np.eye(9)[number] + 0.1 * rng.normal(size=(*number.shape, 9))
    return {
      'chem_mean': np.stack([np.concatenate([tells, rng.normal(size=tells.shape)], -1)] * 2, 1)
    }

  outputs = latents(task.examples('test')) | {'inst_mean': np.zeros(1)}
  asked.clear()
  found = task.with_fitted(outputs, latents)
  rows = np.concatenate(asked)
  assert len(set(rows)) == len(rows) <= 64
  assert set(rows) < set(task.split.train)
  number = np.stack(task._views.dealt(task.examples('test')['place']), 1)[:, FIRST:]
  for k in range(2):
    mean = found['chem_erased'][:, k, FIRST:]
    assert np.var([mean[number == one].mean(0)[:9] for one in range(1, 7)], 0).max() < 0.01
    np.testing.assert_allclose(mean[..., 9:], outputs['chem_mean'][:, k, FIRST:, 9:], atol=2.0)
  assert task.with_fitted({'reconstruction': 0}, latents) == {'reconstruction': 0}


# ---- the whole loop ---------------------------------------------------------


@pytest.mark.slow
def test_a_tiny_run_reports_latents_and_is_the_same_on_four_devices(tmp_path):
  results = []
  for devices in (1, 4):
    config = spektron_instruments.get_config('tiny')
    config.parallel.devices = devices
    run = train.prepare(config, str(tmp_path / str(devices)))
    with claim(run.workdir, config, run.data_hash):
      results.append(train.train(run)['results'])
  one, four = results
  assert one['units']['active_chem'] > 0
  for kind in KINDS:
    np.testing.assert_allclose(four[kind]['nre'], one[kind]['nre'], rtol=1e-3)
    told = one[kind]['instrument_chem']
    assert told['intervals']['model'][0] <= told['model'] <= told['intervals']['model'][1]
    assert told['chance'] == pytest.approx(1 / 6)
