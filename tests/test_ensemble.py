"""Runs that differ by their seed as one model."""

import hashlib
import json
import shutil

import numpy as np
import pytest

from configs import pretrain
from spectra_jax import ensemble, train, trained
from spectra_jax.workdir import claim
from tests import processes


def run(folder, seed):
  config = pretrain.get_config('tiny')
  config.seed, config.log.figures = seed, False
  made = train.prepare(config, str(folder))
  with claim(made.workdir, config, made.data_hash):
    train.train(made)
  return folder


@pytest.mark.slow  # two runs
def test_the_mean_is_better_by_the_spread_between_its_members(tmp_path):
  folders = [run(tmp_path / f'seed={seed}', seed) for seed in (0, 1)]
  words = (f'--runs={tmp_path}/seed=*', f'--root={tmp_path}', '--name=both')
  printed = processes.finish(processes.start('-m', 'experiments.ensemble', *words))
  last = json.loads(printed.splitlines()[-1])
  document = json.loads((tmp_path / 'both' / 'report.json').read_text())
  assert last.items() >= document['results'].items()
  assert [member['seed'] for member in document['members']] == [0, 1]
  alone = [json.loads((folder / 'report.json').read_text())['results'] for folder in folders]
  loaded = [trained.load(folder) for folder in folders]
  task = loaded[0][0].task
  outputs = [train.make_predict(of)(params, task.examples('test')) for of, params in loaded]
  half = (outputs[0] - outputs[1]) / 2
  _, targets = task.held_out('test')
  hidden = np.asarray(targets['masked'])
  mean = task.baselines('test', ('mean',))['mean']
  for k, kind in enumerate(task.kinds):
    rows = task.examples('test')['kind'] == k
    square = lambda x, rows=rows: (x[rows] ** 2 * hidden[rows]).sum()
    spread = square(half) / square(mean - np.asarray(targets['values']))
    want = np.mean([one[kind]['nre'] for one in alone]) - spread
    np.testing.assert_allclose(document['results'][kind]['nre'], want, rtol=1e-4)


@pytest.mark.slow  # a run
def test_evaluation_alone_finds_what_training_ended_with(tmp_path):
  folder = run(tmp_path / 'one', 0)
  path = folder / 'report.json'
  before = json.loads(path.read_text())
  broken = before | {'results': {}}
  path.write_text(json.dumps(broken))
  (folder / 'scores.npz').unlink()
  words = ('-m', 'experiments.evaluate', f'--runs={tmp_path}/*')
  printed = json.loads(processes.finish(processes.start(*words)).splitlines()[-1])
  after = json.loads(path.read_text())
  assert printed == {str(folder): after['results']}
  assert after.pop('evaluated')['commit'] is not None
  np.testing.assert_allclose(
    [after['results'][kind]['nre'] for kind in ('ir', 'raman')],
    [before['results'][kind]['nre'] for kind in ('ir', 'raman')],
    rtol=1e-5,
  )
  assert {**after, 'results': 0} == {**before, 'results': 0}
  assert (folder / 'scores.npz').exists()
  newest = max((folder / 'checkpoints').glob('[0-9]*'), key=lambda step: int(step.name))
  shutil.rmtree(newest)
  with pytest.raises(ValueError, match=r'its newest sound checkpoint is of step 1\d?, exp'):
    trained.evaluate(folder)
  path.unlink()
  with pytest.raises(ValueError, match=r'report.json is missing; expected a run that has'):
    trained.evaluate(folder)


def reported(folder, seed, task='masked', sides='abc', data='d', **more):
  split = {'regime': 'grouped', 'hash': sides}
  config = {'seed': seed, 'task': {'name': task}, **more}
  folder.mkdir()
  report = {'seed': seed, 'results': {}, 'split': split, 'config': config, 'identity': f'{seed}'}
  report['data_hash'] = data
  (folder / 'report.json').write_text(json.dumps(report))
  return folder


@pytest.mark.parametrize(
  ('second', 'words'),
  [
    ({'seed': 0}, 'has seed 0 twice'),
    ({'seed': 1, 'train': {'steps': 3}}, 'train.steps is'),
    ({'seed': 1, 'sides': 'abd'}, 'was trained on other rows than'),
    ({'seed': 1, 'data': 'e'}, 'of other data or other pretrained weights .hash d and e.; exp'),
  ],
)
def test_members_differ_by_their_seed_alone(tmp_path, second, words):
  first = reported(tmp_path / 'a', 0, train={'steps': 2})
  other = reported(tmp_path / 'b', **({'train': {'steps': 2}} | second))
  with pytest.raises(ValueError, match=words):
    ensemble.evaluate([first, other], tmp_path / 'c')
  assert not (tmp_path / 'c').exists()


def test_a_report_that_is_there_is_of_these_members_or_refused(tmp_path):
  runs = [reported(tmp_path / name, seed) for seed, name in enumerate('abc')]
  digest = hashlib.sha256(b'{}').hexdigest()[:16]
  members = [{'seed': seed, 'identity': f'{seed}', 'results': digest} for seed in (0, 1)]
  made = {'members': members, 'results': {}}
  (tmp_path / 'both').mkdir()
  (tmp_path / 'both' / 'report.json').write_text(json.dumps(made))
  assert ensemble.evaluate(runs[:2], tmp_path / 'both') == made
  with pytest.raises(ValueError, match='of other runs than the 3 that are asked for'):
    ensemble.evaluate(runs, tmp_path / 'both')
  again = json.loads((runs[0] / 'report.json').read_text()) | {'results': {'nre': 1.0}}
  (runs[0] / 'report.json').write_text(json.dumps(again))
  with pytest.raises(ValueError, match='of other runs than the 2 that are asked for'):
    ensemble.evaluate(runs[:2], tmp_path / 'both')


def test_one_run_and_classes_are_no_mean_of_spectra(tmp_path):
  with pytest.raises(ValueError, match='there are 1 runs, expected at least 2'):
    ensemble.evaluate([tmp_path], tmp_path / 'c')
  both = [reported(tmp_path / name, seed, 'classify') for seed, name in enumerate('ab')]
  with pytest.raises(ValueError, match='run of task classify, expected masked or cross_spectral'):
    ensemble.evaluate(both, tmp_path / 'c')
