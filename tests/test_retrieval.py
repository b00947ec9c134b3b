"""Molecules by their spectra: what right predictions find, who is asked, what is read."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs import spektron_retrieval
from spectra_jax import graphs, molecule_search, train
from spectra_jax.datasets import computed
from spectra_jax.retrieval import LIBRARY, MODES
from spectra_jax.roots import KINDS
from spectra_jax.spectra import Spectra, uniform_axis
from spectra_jax.splits import make_split
from spectra_jax.tasks import retrieval

AXIS = uniform_axis(800.0, 2000.0, 256)
ROWS = slice(2300, 2390)


@functools.cache
def spectra():
  """Computed molecules of six heavy atoms, several of a formula."""
  return computed.load(AXIS, ROWS)


def make_task(**changes):
  config = spektron_retrieval.get_config('tiny')
  config.update_from_flattened_dict({'tokenize.step_cm': 60.0, **changes})
  meta = spectra()['ir'].meta
  split = make_split(meta['id'], meta['group'], 'grouped', (0.6, 0.2, 0.2), 0)
  return retrieval.build(config, spectra(), split)


@pytest.fixture(scope='module')
def task():
  return make_task()


@pytest.fixture(scope='module')
def params(task):
  shapes = jax.eval_shape(lambda: train.initial_params(task, task.module(), seed=0))
  rng = np.random.default_rng(0)
  return jax.tree.map(lambda x: np.float32(0.2 * rng.normal(size=x.shape)), shapes)


def true_roots(task, side):
  examples = task.examples(side)
  return {kind: np.sqrt(examples[kind]) / task.scale[kind] for kind in KINDS}


def outputs_of(task, predicted):
  ones = np.ones(len(predicted['ir']), np.float32)
  return {k: x[:, None] for k, x in predicted.items()} | {'sharpness': dict.fromkeys(KINDS, ones)}


def test_right_predictions_find_every_molecule_and_turned_ones_none(task):
  roots = true_roots(task, 'test')
  scores = task.score(outputs_of(task, roots), 'test')
  for mode in MODES:
    for name in ('recall_1', 'recall_10', 'mrr', 'among_own.recall_1', 'among_own.mrr'):
      assert scores[f'{mode}.{name}'].value == 1
  turned = {kind: np.roll(x, 1, 0) for kind, x in roots.items()}
  assert task.score(outputs_of(task, turned), 'test')['both.recall_1'].value < 0.2


def test_the_mean_spectrum_finds_nothing(task):
  outputs = task.baselines('test', ('mean',))['mean']
  scores = task.score(outputs, 'test')
  assert scores['both.recall_10'].value == 0
  assert scores['both.mrr'].value == pytest.approx(1 / (1 + (len(task.groups_MxG) - 1) / 2))


def test_each_mode_asks_for_every_molecule_of_the_side_once_and_all_are_in_the_library(task):
  examples = task.examples('test')
  for k in range(LIBRARY):
    np.testing.assert_array_equal(examples['row'][examples['kind'] == k], task.split.test)
  np.testing.assert_array_equal(examples['row'][examples['kind'] == LIBRARY], np.arange(90))
  formulas = spectra()['ir'].meta['group']
  assert not set(formulas[task.split.test]) & set(formulas[task.split.train])
  scores = task.score(outputs_of(task, true_roots(task, 'test')), 'test')
  assert scores['ir.mrr'].parts_KxN.sum(1)[-1] == len(task.split.test)


def test_constants_come_from_the_training_side(task):
  train_roots = np.sqrt(np.float64(spectra()['ir'].values[task.split.train]))
  assert task.scale['ir'] == pytest.approx(np.sqrt((train_roots**2).mean()))
  scaled = train_roots / task.scale['ir'] - task.mean['ir']
  np.testing.assert_allclose(scaled.mean(0), 0, atol=1e-12)
  coordinates = scaled @ task.basis['ir']
  np.testing.assert_allclose(
    np.cov(coordinates.T, bias=True), np.diag(coordinates.var(0)), atol=1e-8
  )
  singular = np.linalg.svd(scaled, compute_uv=False)[: task.basis['ir'].shape[1]]
  np.testing.assert_allclose(coordinates.var(0), singular**2 / len(scaled), rtol=1e-6)


def test_a_query_reads_only_what_was_measured(task):
  examples = task.examples('test')
  other = examples | {'raman': examples['raman'][::-1]}
  one, two = (task.inputs(None, 0, batch, False)[0] for batch in (examples, other))
  alone = examples['kind'] == MODES.index('ir')
  for name in ('values', 'visible'):
    np.testing.assert_array_equal(one[name]['raman'][alone], two[name]['raman'][alone])
    assert not one[name]['raman'][alone].any()
  roots = true_roots(task, 'test')
  wrong = outputs_of(task, roots | {'raman': roots['raman'][::-1]})
  scores = task.score(wrong, 'test')
  assert scores['ir.recall_1'].value == 1
  assert scores['raman.recall_1'].value < 0.2


def test_isomers_are_others_of_the_formula_in_training(task):
  rows = task.split.train
  keys = jax.random.split(jax.random.key(0), len(rows))
  drawn = np.asarray(jax.jit(jax.vmap(task._isomers))(keys, rows)[:, 0])
  formulas = spectra()['ir'].meta['group']
  np.testing.assert_array_equal(formulas[drawn], formulas[rows])
  assert set(drawn) <= set(rows)
  assert (drawn != rows).mean() > 0.3


def test_training_shows_both_kinds_or_either(task):
  keys = jax.random.split(jax.random.key(0), 400)
  share = np.bincount(jax.jit(jax.vmap(task._mode))(keys), minlength=3) / 400
  np.testing.assert_allclose(share, [0.25, 0.25, 0.5], atol=0.08)


def tree(**changes):
  task = make_task(**changes)
  return set(jax.eval_shape(lambda: train.initial_params(task, task.module(), seed=0)))


def test_parts_that_are_off_have_no_parameters():
  both = tree()
  spectrum = tree(**{'task.retrieval.parts': ('spectrum',)})
  embedding = tree(**{'task.retrieval.parts': ('embedding',)})
  assert spectrum | embedding == both
  assert spectrum & embedding == {'atoms'}
  assert {'spectra', 'log_sharpness_ir'} <= spectrum
  assert {'tokenizer', 'backbone', 'of_atoms', 'log_sharpness_embedding'} <= embedding


@pytest.mark.slow
def test_both_losses_reach_what_they_should(task, params):
  batch = {name: x[:4] for name, x in task.examples('train').items()}
  keys, module = jax.random.split(jax.random.key(0), 4), task.module()

  def losses(params):
    inputs, targets = task.inputs(keys, 0, batch, train=True)
    outputs = module.apply({'params': params}, **inputs, nu_L=task.nu_L, train=False)
    return {name: x.mean() for name, x in task.losses(outputs, targets).items()}

  slopes = jax.jit(jax.jacrev(losses))(params)
  size = lambda tree: {n: max(abs(x).max() for x in jax.tree.leaves(t)) for n, t in tree.items()}
  assert all(x > 1e-7 for x in size(slopes['info_nce']).values())
  assert {name for name, x in size(slopes['forward']).items() if x > 1e-7} == {'atoms', 'spectra'}


def test_the_contrast_is_the_likelihood_of_spectra_under_predictions(task):
  """With a full basis, -log p(molecule | spectrum) of unit Gaussians about predicted spectra."""
  task = make_task(
    **{'task.retrieval.components': len(AXIS), 'task.retrieval.parts': ('spectrum',)}
  )
  rng = np.random.default_rng(0)
  root = {kind: np.float32(0.1 * rng.normal(size=(5, len(AXIS)))) for kind in KINDS}
  guess = {kind: np.float32(0.1 * rng.normal(size=(5, len(AXIS)))) for kind in KINDS}
  targets = {'root': root, 'measured': dict.fromkeys(KINDS, np.ones(5, bool))}
  targets['label'] = np.arange(5)[:, None]
  found = jax.jit(task.losses)(outputs_of(task, guess), targets)
  square = sum(((root[k][:, None] - guess[k]) ** 2).sum(-1) for k in KINDS)
  log = lambda axis: np.diag(jax.nn.log_softmax(-0.5 * square, axis))
  np.testing.assert_allclose(found['info_nce'], -0.5 * (log(0) + log(1)), rtol=1e-4)
  error = sum(((root[k] - guess[k]) ** 2).mean(-1) for k in KINDS)
  np.testing.assert_allclose(found['forward'], 0.5 * error, rtol=1e-5)


def test_groups_are_told_from_features_that_hold_them(task):
  kind, row = (task.examples('test')[name] for name in ('kind', 'row'))
  told = np.float32(task.groups_MxG[row])
  assert task._group_score(told).value == 1
  assert task._group_score(np.random.default_rng(0).normal(size=(len(kind), 8))).value < 0.5


def test_kernel_ridge_predicts_from_graphs_alone(task):
  predicted = task.baselines('test', ('kernel_ridge',))['kernel_ridge']
  roots, own = true_roots(task, 'test'), task.examples('test')['kind'] == 2
  error = ((predicted['ir'][own, 0] - roots['ir'][own]) ** 2).mean()
  assert error < ((task.mean['ir'] - roots['ir'][own]) ** 2).mean()
  known = np.isin(task.examples('test')['row'], task.split.train)
  of_training = ((predicted['ir'][known, 0] - roots['ir'][known]) ** 2).mean()
  assert of_training < 0.1 * error


@pytest.mark.slow
def test_a_library_takes_in_molecules_by_their_smiles(task, params):
  pytest.importorskip('rdkit')
  whole = molecule_search.library(task, params)
  assert len(whole) == 90
  new = graphs.load().smiles[2390:2393].tolist()
  grown = molecule_search.library(task, params, new)
  np.testing.assert_array_equal(grown.ids[90:], new)
  shipped = graphs.load().take(np.arange(2390, 2393)).padded(task.graph['element'].shape[1])
  want = molecule_search.points(task, params, shipped)
  np.testing.assert_allclose(grown.points_MxV[90:], want, rtol=1e-4, atol=1e-4)
  with pytest.raises(ValueError, match=r'\[Pt\]Cl has an atom of element 78, expected one of 5, 6'):
    molecule_search.library(task, params, ['CCO', '[Pt]Cl'])
  again = molecule_search.library(task, params, [*new[:2], str(whole.ids[0])], known=grown)
  assert again is grown


def test_a_library_of_other_parameters_is_refused(task, params):
  whole = molecule_search.library(task, params)
  assert molecule_search.library(task, params, known=whole) is whole
  others = jax.tree.map(lambda x: x + 1e-3, params)
  with pytest.raises(ValueError, match='expected those of this run'):
    molecule_search.library(task, others, known=whole)


def test_a_file_is_asked_as_a_held_out_spectrum_is():
  """The root is scaled to mean square 1; what was not measured is not compared."""
  task = make_task(**{'task.retrieval.parts': ('spectrum',)})
  params = {f'log_sharpness_{kind}': np.float32(0.3) for kind in KINDS}
  row = int(task.split.test[0])
  values = spectra()['ir'].values[row : row + 1]
  measured = {'ir': spectra()['ir'].take([row])}
  point, told = molecule_search.query(task, params, measured)
  size = np.sqrt(values.mean())
  coordinates = task.coordinates(np.sqrt(values) / size, 'ir')
  width = coordinates.shape[1]
  sharp = np.exp(params['log_sharpness_ir'])
  np.testing.assert_allclose(point[:, :width], sharp * coordinates, rtol=1e-4, atol=1e-5)
  assert told[:width].all()
  assert not told[width : 2 * width].any()
  half = np.arange(len(AXIS)) < 0.4 * len(AXIS)
  cut = Spectra(
    values[:, half], AXIS[half], 'cm^-1', 'ir', 'measured', values[:, half] > -1, {}, ''
  )
  with pytest.raises(ValueError, match='covers 40% of 800 to 2000'):
    molecule_search.query(task, params, {'ir': cut})
  with pytest.raises(ValueError, match=r'spectra are \[\], expected one or both of ir, raman'):
    molecule_search.query(task, params, {})


@pytest.mark.parametrize(
  ('change', 'words'),
  [
    ({'task.retrieval.parts': ()}, r'task.retrieval.parts is \(\), expected one or both of'),
    ({'task.retrieval.parts': ('spectra',)}, 'expected one or both of spectrum, embedding'),
    ({'head.name': 'reconstruct'}, "head.name is 'reconstruct', expected molecule"),
    ({'augment.shift.max_cm': 5.0}, 'retrieval'),
  ],
)
def test_what_cannot_be_searched_is_refused(change, words):
  with pytest.raises(ValueError, match=words):
    make_task(**change)


def test_a_run_that_finds_nothing_logs_it(task):
  mean = task.score(task.baselines('validation', ('mean',))['mean'], 'validation')
  found = task.selection(mean, mean, task.examples('validation')['kind'])
  assert found['error'] == 1
  assert jnp.isfinite(jnp.array(list(found.values()))).all()


def test_the_report_has_every_number_and_its_interval_over_formulas(task):
  scores = task.score(outputs_of(task, true_roots(task, 'test')), 'test')
  mean = task.score(task.baselines('test', ('mean',))['mean'], 'test')
  found = task.report(scores, {'mean': mean, 'kernel_ridge': mean}, task.examples('test')['kind'])
  assert found['library'] == 90
  assert found['both']['recall_1']['model'] == 1
  assert found['both']['recall_1']['intervals']['model'] == [1, 1]
  assert found['ir']['among_own']['mrr']['mean'] < 0.5
  assert found['raman']['nre']['mean'] == pytest.approx(1.0)
  assert found['raman']['nre']['model'] < 1e-9
  low, high = found['groups']['f1']['intervals']['mean']
  assert 0 < low < found['groups']['f1']['mean'] < high < 1
  assert task.table(found)[1][1] == '1.000 [1.000, 1.000]'
