"""One tiny run through the whole loop: what it reads, what it leaves behind, what it refuses."""

import json
import subprocess
import sys

import jax
import numpy as np
import pytest
from ml_collections import ConfigDict

from configs import pretrain
from spectra_jax import augment, scores, train
from spectra_jax.workdir import claim
from tests import events
from tests.recording import Recording, leaves


def execute(config, workdir):
  run = train.prepare(config, str(workdir))
  with claim(run.workdir, config, run.data_hash):
    return run, train.train(run)


@pytest.fixture(scope='module')
def finished(tmp_path_factory):
  """(config, keys read, workdir, run, report) of a tiny run."""
  workdir, read = tmp_path_factory.mktemp('tiny'), set()
  config = pretrain.get_config('tiny')
  run = train.prepare(Recording(config, read), str(workdir))
  with claim(workdir, config, run.data_hash):
    document = train.train(run)
  return config, read, workdir, run, document


def test_every_key_is_read(finished):
  config, read, *_ = finished
  unselected = tuple(
    f'{part}.{name}.'
    for part in ('dataset', 'task', 'backbone', 'encoder', 'head')
    for name in config[part]
    if name not in (config[part].name, 'name')
  )
  magnitudes = {f'{name}.{key}' for name, keys in augment.MAGNITUDES.items() for key in keys}
  off = {key for key in leaves(config.augment) if key not in magnitudes}
  unread = set(leaves(config)) - read - {f'augment.{key}' for key in off}
  assert not config.protocol.name  # so that nothing else of a protocol is asked for
  unselected += (
    'protocol.',
    'foundation.',
    'adapt.',
  )  # of other tasks, and of weights to start from
  assert {key for key in unread if not key.startswith(unselected)} == set()


@pytest.mark.parametrize(
  ('key', 'value', 'words'),
  [
    ('augment.shift.max_cm', 5.0, 'does not augment'),
    ('train.members', 2, 'expected 1 for a model that predicts spectra'),
    ('preprocess', ({'name': 'snv'},), 'which it would predict preprocessed'),
    ('correct', ({'name': 'snv'},), 'which it would predict preprocessed'),
  ],
)
def test_what_the_task_would_not_do_is_refused(key, value, words, tmp_path):
  config = pretrain.get_config('tiny')
  config.update_from_flattened_dict({key: value})
  with pytest.raises(ValueError, match=words):
    train.prepare(config, str(tmp_path))


def test_the_run_leaves_its_record(finished):
  config, _, workdir, run, document = finished
  assert json.loads((workdir / 'report.json').read_text()) == json.loads(json.dumps(document))
  assert document['split']['hash'] == run.task.split.hash
  assert document['split']['regime'] == 'grouped'
  assert document['config']['train']['steps'] == config.train.steps
  for kind in ('ir', 'raman'):
    result = document['results'][kind]
    assert result['interval'][0] <= result['nre'] <= result['interval'][1]
    assert {'linear', 'nearest', 'gaussian', 'regions'} <= set(result)
  for figure in ('reconstructions.png', 'learning_curve.png'):
    assert (workdir / 'figures' / figure).read_bytes()[:4] == b'\x89PNG'
  assert list((workdir / 'tb').iterdir())
  lines = [json.loads(line) for line in (workdir / 'metrics.jsonl').read_text().splitlines()]
  assert lines[0]['step'] == 0  # an evaluation before step 1
  assert lines[0]['val/nre'] > 0
  losses = {line['step']: line['train/loss'] for line in lines if 'train/loss' in line}
  assert sorted(losses) == list(range(1, config.train.steps + 1))
  validated = [line['step'] for line in lines if 'val/nre' in line]
  assert validated == [0, 7, 14, 20]  # every 7, and the last, which 7 does not divide


def test_scores_of_groups_sum_to_the_report(finished):
  """Every ratio of the report comes back from its groups, which are whole formulas."""
  _, _, workdir, run, document = finished
  sums = scores.read(workdir)
  formulas = run.task.spectra['ir'].meta['group'][run.task.split.test]
  assert sums.pop('groups').tolist() == sorted(set(formulas))
  reported = dict(leaves(ConfigDict(document['results']), values=True))
  reported = {name: x for name, x in reported.items() if 'interval' not in name}
  assert {f'{kind}.{name}' for kind in ('ir', 'raman') for name in ('nre', 'gaussian')} <= set(sums)
  for name, value in reported.items():
    numerator_G, denominator_G = sums[name]
    np.testing.assert_allclose(numerator_G.sum() / denominator_G.sum(), value, rtol=1e-6)


def test_the_report_tells_what_the_run_cost(finished):
  _, _, workdir, run, document = finished
  assert document['data_hash'] == run.data_hash
  assert document['attempts'] == 1
  assert 0 < document['wall_s_total'] <= document['wall_s'] + 0.1
  assert 10**8 < document['peak_host_bytes'] < 10**12
  assert document['energy_j'] is document['peak_device_bytes'] is None  # no CPU tells
  (attempt,) = json.loads((workdir / 'attempts.json').read_text())
  assert (attempt['first_step'], attempt['step']) == (0, document['config']['train']['steps'])


def test_tensorboard_shows_config_scalars_and_figures(finished):
  config, _, workdir, *_ = finished
  values = [value for event in events.read(workdir / 'tb') for value in event.summary.value]
  (text,) = (v for v in values if v.metadata.plugin_data.plugin_name == 'text')
  assert text.tag.startswith('config')
  assert json.loads(text.tensor.string_val[0]) == json.loads(config.to_json())
  lines = [json.loads(line) for line in (workdir / 'metrics.jsonl').read_text().splitlines()]
  for name in ('train/loss', 'val/nre'):
    told = [line[name] for line in lines if name in line]
    shown = [v.simple_value for v in values if v.tag == name]
    assert shown == pytest.approx(told, rel=1e-6)
  pictures = {v.tag: v.image.encoded_image_string[:4] for v in values if v.HasField('image')}
  assert pictures == dict.fromkeys(('reconstructions', 'learning_curve'), b'\x89PNG')


def test_a_finished_run_is_not_trained_again(finished):
  config, _, workdir, _, document = finished
  before = (workdir / 'metrics.jsonl').read_bytes()
  _, again = execute(config, workdir)
  assert again['results'] == document['results']
  assert again['attempts'] == 2
  assert again['wall_s_total'] > document['wall_s_total']
  assert (workdir / 'metrics.jsonl').read_bytes() == before


def test_the_score_does_not_depend_on_the_batch_size(finished, tmp_path):
  config, _, workdir, _, document = finished
  other = ConfigDict(config)
  other.train.eval_batch_size = 40  # does not divide the number of molecules
  run = train.prepare(other, str(tmp_path))
  checkpoint_params = _params(config, workdir)
  outputs = train.make_predict(run)(checkpoint_params, run.task.examples('test'))
  kind = run.task.examples('test')['kind']
  mean = run.task.score(run.task.baselines('test', ('mean',))['mean'], 'test')
  nre = run.task.selection(run.task.score(outputs, 'test'), mean, kind)
  for name in ('ir', 'raman'):
    np.testing.assert_allclose(nre[f'nre_{name}'], document['results'][name]['nre'], rtol=1e-6)


def _params(config, workdir):
  run = train.prepare(config, str(workdir))
  checkpoints = train.Checkpoints(workdir / 'checkpoints', **config.checkpoint.to_dict())
  return checkpoints.restore(train.init_state(run))[0].params


@pytest.mark.parametrize(
  'change',
  [
    {'train.accumulate': 2, 'optimizer.ema_decay': 0.9},
    pytest.param(
      {
        'train.activations': 'bfloat16',
        'dataset.computed.kinds': ('raman',),
        'split.regime': 'iid',
      },
      marks=pytest.mark.slow,
    ),
    pytest.param(
      {'dataset.computed.line_shape': 'voigt', 'dataset.computed.gauss_fwhm_cm': 8.0},
      marks=pytest.mark.slow,
    ),
  ],
)
def test_options_make_runs_that_train(change, tmp_path):
  """Each option changes the loss trace, none breaks the run."""
  config = pretrain.get_config('tiny')
  config.train.steps, config.log.figures, config.checkpoint.every = 8, False, 100
  config.update_from_flattened_dict(change)
  _, document = execute(config, tmp_path)
  assert all(0 < result['nre'] < 50 for result in document['results'].values())


def test_activations_are_what_the_config_says():
  config = pretrain.get_config('tiny')
  config.train.activations = 'bfloat16'
  run = train.prepare(config, 'unused')
  batch = {name: x[:2] for name, x in run.task.examples('test').items()}
  inputs, _ = run.task.inputs(None, 0, batch, train=False)
  params = jax.eval_shape(lambda: train.initial_params(run.task, run.module, seed=0))
  assert {x.dtype.name for x in jax.tree.leaves(params)} == {'float32'}

  def both(params):
    tokens = run.module.bind({'params': params}).tokenizer(**inputs, nu_L=run.task.nu_L)
    return tokens, run.module.apply({'params': params}, **inputs, nu_L=run.task.nu_L, train=False)

  tokens, outputs = jax.eval_shape(both, params)
  assert (tokens.dtype, outputs.dtype) == ('bfloat16', 'float32')


def command(*words):
  done = subprocess.run(
    [sys.executable, '-m', 'experiments.train', *words], capture_output=True, text=True
  )
  return done.returncode, done.stdout, done.stderr


def test_a_misspelt_flag_is_one_sentence(tmp_path):
  code, out, err = command(
    '--config=configs/pretrain.py:tiny', f'--workdir={tmp_path}/w', '--config.train.stps=3'
  )
  assert code == 1
  assert out == ''
  assert err.strip() == (
    'error: --config.train.stps=3 sets a key that the config does not have, did you mean steps?'
  )
  assert not (tmp_path / 'w').exists()


@pytest.mark.slow  # by the program: what refuses is tested in test_workdir.py
def test_the_workdir_of_another_run_is_refused_untouched(finished):
  _, _, workdir, _, _ = finished
  before = sorted((p, p.stat().st_mtime_ns) for p in workdir.rglob('*'))
  code, out, err = command(
    '--config=configs/pretrain.py:tiny', f'--workdir={workdir}', '--config.optimizer.lr=0.5'
  )
  assert code == 1
  assert out == ''
  last = err.strip().splitlines()[-1]
  assert last.startswith('error: ')
  assert 'optimizer.lr is 0.002 there and 0.5 here; use another --workdir' in last
  assert sorted((p, p.stat().st_mtime_ns) for p in workdir.rglob('*')) == before
