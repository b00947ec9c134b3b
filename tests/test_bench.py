"""The benchmark binary end to end on a tiny layer; no claims about time."""

import json
import pathlib
import subprocess
import sys

import pytest

from experiments import bench

ROOT = pathlib.Path(__file__).parents[1]


def run(*arguments):
  command = [sys.executable, '-m', 'experiments.bench', *arguments]
  return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_layer_prints_and_stores_one_result(tmp_path):
  output = tmp_path / 'device.json'
  output.write_text(json.dumps({'other': {'case': {'ms': 1.0}}}))
  done = run('layer', '--shape=2,5,4,3', '--rounds=2', f'--output={output}')
  assert done.returncode == 0, done.stderr
  result = json.loads(done.stdout.splitlines()[-1])
  assert 'forward_fused' in done.stdout
  assert result['ratio_forward'] > 0
  assert result['ratio_training'] > 0
  assert result['ratio_memory'] > 0
  assert result['max_error_f32'] < 1e-5
  assert result['max_grad_error_f32'] < 1e-4
  assert result['max_error_f64'] < 1e-10
  assert not [key for key in result if key.endswith('_total')]  # the short keys are the layer's
  for row in result['measured'].values():
    assert 0 < row['ms_min'] <= row['ms'] <= row['ms_max']
  assert {'device', 'packages', 'commit'} <= set(result)
  stored = json.loads(output.read_text())
  assert stored == {'other': {'case': {'ms': 1.0}}, 'layer': {'2,5,4,3': result}}


def test_unknown_benchmark_is_refused():
  with pytest.raises(ValueError, match="there is no benchmark 'speed': expected one of layer"):
    bench.load('speed')


def test_wrong_shape_is_refused(tmp_path):
  done = run('layer', '--shape=2,5,4', f'--output={tmp_path / "device.json"}')
  assert done.returncode != 0
  assert 'has 3 numbers, expected B,L,D,P' in done.stderr
