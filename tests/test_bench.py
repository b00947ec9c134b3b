"""The benchmark binary end to end on a tiny layer; no claims about time."""

import json
import pathlib
import subprocess
import sys

import jax
import numpy as np
import pytest
from absl import flags
from absl.testing import flagsaver

from experiments import bench
from spectra_jax.backbones import linoss
from spectra_jax.dropout import example_keys

ROOT = pathlib.Path(__file__).parents[1]


def run(*arguments):
  command = [sys.executable, '-m', 'experiments.bench', *arguments]
  return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def in_process(name, *arguments):
  """The result of a benchmark under these flags."""
  module = bench.load(name)
  with flagsaver.flagsaver():
    flags.FLAGS(['bench', *arguments])
    result = module.run()
    assert module.lines({'device': 'here'} | result)
  return json.loads(json.dumps(result))


@pytest.mark.slow
def test_layer_prints_and_stores_one_result(tmp_path):
  output = tmp_path / 'device.json'
  output.write_text(json.dumps({'other': {'case': {'ms': 1.0}}}))
  done = run('layer', '--shape=2,5,4,3', '--rounds=2', f'--output={output}')
  assert done.returncode == 0, done.stderr
  result = json.loads(done.stdout.splitlines()[-1])
  assert 'forward_fused' in done.stdout
  for key in ('forward', 'training', 'forward_s5', 'training_s5', 'memory'):
    assert result[f'ratio_{key}'] > 0
  assert result['max_error_f32'] < 1e-5
  assert result['max_grad_error_f32'] < 1e-4
  assert result['max_error_f64'] < 1e-10
  for row in result['measured'].values():
    assert 0 < row['ms_min'] <= row['ms'] <= row['ms_max']
  assert {'device', 'packages', 'commit'} <= set(result)
  stored = json.loads(output.read_text())
  assert stored == {'other': {'case': {'ms': 1.0}}, 'layer': {'2,5,4,3': result}}


@pytest.mark.slow
def test_the_published_stack_of_the_comparison_is_the_same_function():
  stack = bench.load('stack')
  backbone = linoss.Backbone(blocks=2, state=3, bidirectional=False, dropout=0.3)
  x, keys = jax.random.normal(jax.random.key(0), (2, 9, 4)), jax.random.split(jax.random.key(1))
  variables = backbone.init(jax.random.key(2), x, None, None, False) | example_keys(keys)
  plain = jax.jit(lambda v, x: stack.Plain(backbone).apply(v, x, True))
  ours = jax.jit(lambda v, x: backbone.apply(v, x, None, None, True))
  np.testing.assert_allclose(plain(variables, x), ours(variables, x), atol=1e-5)


@pytest.mark.slow
def test_stack_compares_three():
  result = in_process('stack', '--shape=2,8,4,3', '--blocks=1', '--rounds=1')
  assert result['ratio_training'] > 0
  assert result['ratio_inference'] > 0
  assert result['loss_difference'] < 1e-4


@pytest.mark.slow
def test_block_matches_parameters():
  result = in_process('block', '--shape=2,64,16,8', '--taps=3', '--rounds=1')
  sizes = result['params']
  for name in ('linoss', 'linoss_bidirectional'):
    matched = [key.split('_over_')[1] for key in result if key.startswith(f'{name}_over_')]
    assert len(matched) == 4
    for cnn in matched:
      cnn = cnn.removesuffix('_forward').removesuffix('_training')
      assert 0.5 < sizes[cnn] / sizes[name] < 2


@pytest.mark.slow
def test_memory_of_every_length():
  result = in_process('memory', '--shape=2,8,4,3', '--lengths=64')
  assert set(result['temp_mib']) == {'64'}
  assert result['ratio_memory'] > 1


@pytest.mark.slow
def test_scaling_draws_its_figure(tmp_path):
  path = tmp_path / 'growth.png'
  flags_ = ['--shape=1,8,8,4', '--lengths=16', '--rounds=1', f'--figure={path}']
  result = in_process('scaling', *flags_)
  assert set(result['measured']) == {'16'}
  assert path.stat().st_size > 10_000


@pytest.mark.parametrize('stack', [0, 1])
def test_streaming_is_exact(stack):
  result = in_process('streaming', '--shape=1,12,4,3', f'--stack={stack}', '--rounds=1')
  assert 0 < result['max_error'] < 2e-5
  assert result['us_per_step_python'] > 0
  assert result['us_per_step_jitted'] > 0


@pytest.mark.slow
def test_backbones_are_of_one_size():
  flags_ = ['--params=1e5', '--tokens=32', '--taps=5', '--only=linoss,conv', '--rounds=1']
  result = in_process('backbones', *flags_)
  for name in ('linoss', 'conv'):
    assert abs(result[name]['params'] / 1e5 - 1) < 0.3
    assert set(result[name]) == {'params', 'width', 'forward_ms', 'training_ms', 'temp_mib'}
  assert result['linoss_over_conv_training'] > 0


def test_input_gathers_from_memory_and_from_shards():
  flags_ = ['--rows=300', '--points=8', '--batches=7', '--shard_rows=64', '--rounds=1']
  result = in_process('input', *flags_)
  for where in ('memory', 'memmap'):
    assert result[f'{where}_spectra_per_s'] == result['batches']['7'][where] > 0
    assert result[f'{where}_spectra_per_cpu_s'] > 0
  assert result['rows_us'] > 0


@pytest.mark.slow  # compiles the training step of seven models
def test_laws_times_every_way_of_asking():
  result = in_process('laws', '--size=tiny', '--rounds=1')
  rows = {name: row for name, row in result.items() if isinstance(row, dict) and 'ms' in row}
  for task, construction in (('optical_constants', 'non_negative'), ('paired', 'paired')):
    assert {f'{task}-{mode}' for mode in ('none', 'soft', construction)} <= set(rows)
    assert rows[f'{task}-none']['over_none'] == 1
    assert rows[f'{task}-soft']['params'] == rows[f'{task}-none']['params']


@pytest.mark.slow  # compiles the training step of two models
def test_model_steps_are_of_one_size():
  result = in_process('model', '--model_config=pretrain:tiny', '--rounds=1')
  ours, theirs = (result['models'][name] for name in ('linoss', 'conv'))
  assert abs(theirs['params'] / ours['params'] - 1) < 0.5  # widths come in steps of 8 channels
  assert result['linoss_over_conv_training'] == ours['ms'] / theirs['ms']
  for row in (ours, theirs):
    assert 0 < row['ms_min'] <= row['ms'] <= row['ms_max']


def test_unknown_benchmark_is_refused():
  with pytest.raises(ValueError, match="there is no benchmark 'speed': expected one of backbones"):
    bench.load('speed')


def test_wrong_shape_is_refused():
  with pytest.raises(ValueError, match='has 3 numbers, expected the four whole ones B,L,D,P'):
    in_process('layer', '--shape=2,5,4')
