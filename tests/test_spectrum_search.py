"""Spectra of one instrument among those of another: what is measured, asked and found."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.signal import savgol_filter

from configs import spektron_search
from spectra_jax import train
from spectra_jax.datasets import computed, instruments
from spectra_jax.spectra import uniform_axis
from spectra_jax.splits import make_split
from spectra_jax.tasks import spectrum_search

AXIS = uniform_axis(800.0, 2000.0, 256)
ROWS = slice(2300, 2360)


@functools.cache
def spectra():
  return computed.load(AXIS, ROWS)


def make_task(data=None, **changes):
  config = spektron_search.get_config('tiny')
  config.update_from_flattened_dict(changes)
  meta = spectra()['ir'].meta
  split = make_split(meta['id'], meta['group'], 'grouped', (0.6, 0.2, 0.2), 0)
  return spectrum_search.build(config, data or spectra(), split)


@pytest.fixture(scope='module')
def task():
  return make_task()


def test_library_and_queries_are_measured_on_instruments_nothing_trains_on(task):
  tested = list(spectrum_search.INSTRUMENTS['test'])
  assert all(instruments.NAMES[n].startswith('held_out') for n in tested)
  keys, count = jax.random.split(jax.random.key(0), 200), 1 + instruments.TRAINING
  drawn = np.asarray(jax.jit(jax.vmap(lambda k: spectrum_search._two_instruments(k, count)))(keys))
  assert (drawn[:, 0] != drawn[:, 1]).all()
  assert set(drawn.ravel()) == set(range(count))
  for asked, many in ((0, count), (8, 9)):
    own = make_task(**{'task.spectrum_search.instruments': asked})
    for kind, settings in own.trained_on.items():
      assert len(settings.read) == many
      assert not set(settings.read) & set(own.benches[kind].read[tested])
  validated = {*spectrum_search.INSTRUMENTS['validation']}
  assert validated < set(range(1, 1 + instruments.TRAINING))


def test_a_query_shares_no_noise_with_its_partner_in_the_library(task):
  """Of two measurements on one instrument nothing but noise and day differ: those of the keys of
  both numbers are as far apart as of two molecules' keys, so no row is known by its noise.
  """
  frame, bench = instruments.frame_of('raman', AXIS), instruments.bench('raman', AXIS)
  setting = instruments.pick(bench, 3)
  pure = jnp.full((len(AXIS),), 1.0, jnp.float32)
  keys = [
    spectrum_search._held_out_key(row, number) for row, number in ((5, 7), (5, 8), (6, 7), (5, 7))
  ]
  measure = jax.jit(lambda key: instruments.measured(key, pure, setting, frame))
  noise = [np.diff(np.asarray(measure(key)), n=2) for key in keys]
  related = np.corrcoef(noise)
  np.testing.assert_allclose(related[0, 3], 1.0, atol=1e-6)
  assert np.abs(related[0, 1:3]).max() < 5 / np.sqrt(len(AXIS))
  for side in ('validation', 'test'):
    examples = task.examples(side)
    own = {flag: set(examples['instrument'][examples['asked'] == flag]) for flag in (True, False)}
    assert own[True] == {spectrum_search.INSTRUMENTS[side][1]} != own[False]


def test_the_validation_library_is_all_but_the_test_side(task):
  examples = task.examples('validation')
  library = examples['row'][~examples['asked'] & (examples['kind'] == 0)]
  assert set(library) == set(range(len(spectra()['ir']))) - set(task.split.test)
  assert set(examples['row'][examples['asked'] & (examples['kind'] == 0)]) <= set(library)


@pytest.mark.slow
def test_the_raw_cosine_is_that_of_the_measured_spectra(task):
  """Which are what instruments give of the side's molecules, the same at every call."""
  examples, point = task.examples('test'), task.baselines('test', ('cosine',))['cosine']['point']
  measured = task._as_measured('test')
  n = int(np.flatnonzero(examples['kind'] == 1)[0])
  number = spectrum_search.INSTRUMENTS['test'][1]
  frame, bench = instruments.frame_of('raman', AXIS), instruments.bench('raman', AXIS)
  setting = instruments.pick(bench, number)
  key = spectrum_search._held_out_key(examples['row'][n], number)
  measure = jax.jit(lambda key, x: instruments.measured(key, x, setting, frame))
  want = measure(jax.random.fold_in(key, 0), examples['values'][n])
  want = np.maximum(want, 0.0) / task.scale_K[1] ** 2
  np.testing.assert_allclose(measured[n], want, rtol=1e-3, atol=1e-3 * want.max())
  np.testing.assert_allclose(point[n, 0], want / np.linalg.norm(want), rtol=1e-3, atol=1e-3)
  own, there = examples['asked'], ~examples['asked'] & (examples['kind'] == 0)
  assert own.sum() == 2 * len(task.split.test)
  assert there.sum() == len(spectra()['ir'])
  scores = task.score({'point': point}, 'test')
  assert scores['ir.recall_10'].value > 0.3
  assert scores['ir.mrr'].parts_KxN.sum(1)[-1] == len(task.split.test)


def test_points_that_know_the_molecule_find_it_and_equal_ones_do_not(task):
  row = task.examples('test')['row']
  known = np.random.default_rng(0).normal(size=(row.max() + 1, 1, 8))[row]
  assert task.score({'point': np.float32(known)}, 'test')['raman.recall_1'].value == 1
  mean = task.score(task.baselines('test', ('mean',))['mean'], 'test')
  assert mean['raman.recall_10'].value == 0
  baselines = dict.fromkeys(spectrum_search.BASELINES, mean)
  report = task.report(mean, baselines, task.examples('test')['kind'])
  assert report['ir']['recall_1']['intervals']['cosine'] == [0, 0]
  assert task.table(report)[1][:2] == ['model', '0.000 [0.000, 0.000]']


@pytest.mark.slow
def test_two_measurements_of_a_molecule_differ_and_the_loss_reaches_all(task):
  module = task.module()
  shapes = jax.eval_shape(lambda: train.initial_params(task, module, seed=0))
  rng = np.random.default_rng(0)
  params = jax.tree.map(lambda x: np.float32(0.2 * rng.normal(size=x.shape)), shapes)
  batch = {name: x[:4] for name, x in task.examples('train').items()}
  keys = jax.random.split(jax.random.key(0), 4)

  def loss(params):
    inputs, targets = task.inputs(keys, 0, batch, train=True)
    outputs = module.apply({'params': params}, **inputs, nu_L=task.nu_L, train=False)
    return task.losses(outputs, targets)['info_nce'].mean(), inputs['values_BxWxL']

  slopes, values = jax.jit(jax.grad(loss, has_aux=True))(params)
  assert np.abs(values[:, 0] - values[:, 1]).max(-1).min() > 1e-3
  for path, leaf in jax.tree_util.tree_leaves_with_path(slopes):
    if 'kind' not in str(path):  # one kind adds the same to all tokens; of the other there is none
      assert np.abs(leaf).max() > 1e-9, path


@pytest.mark.parametrize(
  ('change', 'words'),
  [
    ({'head.name': 'reconstruct'}, "head.name is 'reconstruct', expected embedding"),
    ({'augment.shift.max_cm': 5.0}, 'spectrum_search'),
  ],
)
def test_what_cannot_be_searched_is_refused(change, words):
  with pytest.raises(ValueError, match=words):
    make_task(**change)


def test_spectra_without_a_real_root_are_refused():
  raman = spectra()['raman']
  below = raman.values.copy()
  below[3, 5] = -1.0
  with pytest.raises(ValueError, match='one raman spectrum goes down to -1, expected none below 0'):
    make_task({'raman': dataclasses.replace(raman, values=below)})


def test_slopes_know_no_gain_and_no_constant_and_are_those_of_savitzky_and_golay():
  nu = np.linspace(100.0, 200.0, 101)
  intensity = 2 + np.stack([np.sin(nu / 7), 3 * np.sin(nu / 7) + 5])
  found = np.asarray(spectrum_search.slopes(jnp.sqrt(jnp.float32(intensity)), nu, 6.0))
  np.testing.assert_allclose(found[0], found[1], atol=2e-3)
  want = savgol_filter(intensity[0], 7, 2, deriv=1, mode='nearest')
  np.testing.assert_allclose(found[0], want / np.sqrt((want**2).mean()), atol=2e-3)
  np.testing.assert_array_equal(spectrum_search.slopes(jnp.ones((1, 101)), nu, 6.0), 0.0)
