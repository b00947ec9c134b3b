"""A run on shards is the run in memory: the same examples, batches and constants, bit for bit."""

import importlib
import json

import numpy as np
import pytest

from configs import default, physics_ablation, pretrain
from spectra_jax import batches, model, shards, storage, train, trained, weights
from spectra_jax.datasets import computed, planted
from spectra_jax.spectra import Spectra
from spectra_jax.workdir import claim, identity
from tests import synthetic


@pytest.fixture(scope='module')
def lines(tmp_path_factory):
  return synthetic.write(tmp_path_factory.mktemp('lines'), synthetic.lines(300))


def config(lines, cache, size, made=pretrain.get_config):
  c = made('tiny')
  c.data.storage, c.data.cache, c.data.shard_rows = 'memmap', str(cache), size
  c.dataset[c.dataset.name].path = str(lines)
  c.split.train_share = 1.0
  return c


def in_memory(c):
  other = c.copy_and_resolve_references()
  other.data.storage = 'memory'
  return other


@pytest.mark.parametrize('size', [1, 256, 100_000])
def test_spectra_are_those_in_memory(lines, tmp_path, size):
  if size == 1:
    lines = synthetic.write(tmp_path, synthetic.lines(6))
  c = config(lines, tmp_path / 'cache', size)
  stored, there = storage.load(c), storage.load(in_memory(c))
  assert list(stored) == list(there)
  for kind, spectra in there.items():
    found = stored[kind]
    assert isinstance(found.values, shards.Sharded)
    np.testing.assert_array_equal(found.values, spectra.values)
    np.testing.assert_array_equal(found.mask, spectra.mask)
    np.testing.assert_array_equal(found.axis, spectra.axis)
    for name in ('axis_unit', 'kind', 'state', 'source'):
      assert getattr(found, name) == getattr(spectra, name)
    assert set(found.meta) == set(spectra.meta)
    for name, column in spectra.meta.items():
      np.testing.assert_array_equal(found.meta[name], column)


CASES = [(pretrain, 'tiny'), (physics_ablation, 'tiny'), (physics_ablation, 'paired-tiny')]


@pytest.mark.parametrize(('made', 'variant'), CASES)
def test_batches_and_constants_are_those_in_memory(lines, tmp_path, made, variant):
  c = config(lines, tmp_path, 64, lambda _: made.get_config(variant))
  runs = [train.prepare(each, 'unused') for each in (c, in_memory(c))]
  stored, there = (run.task.examples('train') for run in runs)
  rows = batches.training_rows(c.seed, 11, 16, len(there['row']))
  assert sum(isinstance(x, shards.Sharded) for x in stored.values()) > 0
  for name, x in there.items():
    np.testing.assert_array_equal(stored[name][rows], x[rows])
  for name in ('scale_K', 'mean_KxL', 'scale', 'mean', 'seen', 'offset'):
    if hasattr(runs[0].task, name):
      np.testing.assert_equal(getattr(runs[0].task, name), getattr(runs[1].task, name))
  assert len({identity(run.config, run.data_hash) for run in runs}) == 1


def test_the_folder_is_written_once_and_anew_when_it_is_not_whole(lines, tmp_path):
  c = config(lines, tmp_path, 256)
  storage.load(c)
  (folder,) = (path for path in tmp_path.iterdir() if path.is_dir())
  time = lambda: (folder / 'ir-00000.npy').stat().st_mtime_ns
  before = time()
  storage.load(c)
  assert time() == before
  (folder / storage.MANIFEST).unlink()  # as if the process had died before the last write
  (folder / 'ir-00000.npy').write_bytes(b'half')
  storage.load(c)
  assert time() != before
  c.axis.points = 600
  storage.load(c)
  assert len([path for path in tmp_path.iterdir() if path.is_dir()]) == 2


def test_gaps_are_kept(tmp_path):
  """A data set of its own that has unmeasured points, which are not finite."""

  class Gaps:
    @staticmethod
    def load(axis, rows, *, path):
      whole = synthetic.spectra(np.arange(40.0, dtype=np.float32).reshape(10, 4), axis)
      mask = whole.mask.copy()
      mask[7, 2] = False
      values = np.where(mask, whole.values, np.nan)
      meta = {name: column[rows] for name, column in whole.meta.items()}
      return {'ir': Spectra(values[rows], axis, 'cm^-1', 'ir', 'measured', mask[rows], meta, 's')}

    @staticmethod
    def there(path):
      return 's', 10

  axis, folder = np.arange(4.0), tmp_path / 'made'
  storage._write(folder, Gaps, axis, {'path': ''}, 3)
  found = storage.read(folder, verify=True)['ir']
  assert np.argwhere(~np.asarray(found.mask)).tolist() == [[7, 2]]
  assert np.isnan(found.values[7][2])
  assert json.loads((folder / storage.MANIFEST).read_text())['kinds']['ir']['state'] == 'measured'


def test_a_run_of_before_there_was_a_choice_is_read(lines, tmp_path):
  c = in_memory(config(lines, tmp_path, 64))
  older = {key: value for key, value in json.loads(c.to_json()).items() if key != 'data'}
  source = computed.there(str(lines))[0]
  document = {'config': older, 'data_hash': source, 'identity': identity(c, source)}
  (tmp_path / 'config.json').write_text(json.dumps(document))
  assert trained._run(tmp_path).data_hash == source
  assert trained._run(tmp_path).config.data == default.get_config().data


def test_keys_that_came_later_are_the_usual_ones_and_terms_are_not_added():
  c = pretrain.get_config('tiny')
  c.loss.weights.model = {'info_nce': 2.0}
  older = json.loads(c.to_json())
  del older['task']['masked']['drift_cm'], older['data'], older['backbone']['linoss']['heads']
  found = weights.with_later_keys(older)
  assert found.to_dict() == c.to_dict()
  assert found.loss.weights.model.to_dict() == {'info_nce': 2.0}


@pytest.mark.slow  # two runs
def test_a_run_on_shards_leaves_the_same_trace(tmp_path):
  for storage_, folder in (('memory', tmp_path / 'memory'), ('memmap', tmp_path / 'memmap')):
    c = pretrain.get_config('tiny')
    c.data.storage, c.data.cache, c.log.figures = storage_, str(tmp_path / 'cache'), False
    run = train.prepare(c, str(folder))
    with claim(folder, c, run.data_hash):
      train.train(run)
  traces = [(tmp_path / name / 'metrics.jsonl').read_bytes() for name in storage.STORAGES]
  assert traces[0] == traces[1]
  reports = [json.loads((tmp_path / n / 'report.json').read_text()) for n in storage.STORAGES]
  assert reports[0]['results'] == reports[1]['results']


@pytest.mark.parametrize(
  ('change', 'words'),
  [
    ({'data.storage': 'disk'}, "data.storage is 'disk', expected one of memory, memmap"),
    ({'data.shard_rows': 0}, 'data.shard_rows is 0, expected at least 1'),
    ({'axis.points': 0, 'dataset.name': 'planted'}, 'data set planted has 0 grids, expected one'),
  ],
)
def test_bad_settings_are_refused(lines, tmp_path, change, words):
  c = config(lines, tmp_path, 64)
  c.update_from_flattened_dict(change)
  with pytest.raises(ValueError, match=words):
    storage.load(c)


SHIPPED = [
  *(name for name in model.names('datasets') if name.startswith('computed')),
  *('instruments', 'planted'),
]


@pytest.mark.parametrize('name', SHIPPED)
def test_every_data_set_says_what_there_is(name):
  module = importlib.import_module(f'spectra_jax.datasets.{name}')
  c = default.get_config()
  c.dataset.name = name
  chosen = model.options(c.dataset)
  source, count = storage.there(module, chosen)
  axis = np.linspace(400.0, 4000.0, 1024)
  some = next(iter(module.load(axis, slice(count - 2, count), **chosen).values()))
  assert len(some) == 2
  assert some.source == source


def test_drawn_spectra_are_the_same_in_shards(tmp_path):
  axis, chosen = np.linspace(400.0, 2400.0, 64), default.get_config().dataset.planted.to_dict()
  chosen['count'] = 50
  storage._write(tmp_path / 'made', planted, axis, chosen, 16)
  stored, drawn = storage.read(tmp_path / 'made', verify=True)['ir'], planted.load(axis, **chosen)
  np.testing.assert_array_equal(stored.values[np.arange(50)], drawn['ir'].values)
  assert stored.source == drawn['ir'].source
  for name, value in chosen.items():  # whatever draws other spectra
    assert storage.there(planted, {**chosen, name: 2 * value + 1})[0] != stored.source


@pytest.mark.parametrize('name', sorted(set(model.names('datasets')) - set(SHIPPED)))
def test_data_that_are_not_there_are_refused_and_it_says_how_to_get_them(name):
  module = importlib.import_module(f'spectra_jax.datasets.{name}')
  for path in ('', '/nowhere'):
    with pytest.raises(FileNotFoundError, match=f'data set {name}; .*experiments.prepare {name}'):
      module.there(path)
