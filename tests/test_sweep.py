"""The sweep's binary with real runs, and jobs through submitit; Slurm itself: tests/faults."""

import json
import os
import pathlib
import shlex
import signal
import subprocess
import sys
import time

import pytest

from spectra_jax.sweeps import cluster, points, status
from spectra_jax.sweeps.local import Job
from tests import synthetic

REPOSITORY = pathlib.Path(__file__).parent.parent
CONFIG = '--config=configs/pretrain.py:tiny'


def sweep(*words, code=0):
  """(standard output, standard error) of `experiments.sweep`."""
  command = [sys.executable, '-m', 'experiments.sweep', *words]
  done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
  assert done.returncode == code, done.stderr
  return done.stdout, done.stderr


def test_points_are_printed_as_shell_lines(tmp_path):
  text, told = sweep('print', CONFIG, f'--root={tmp_path}', '--sweep=seed=1,0,1;log.every=2')
  assert told == ''.join(['seed=1,every=2 is the same run as seed=1,every=2: left out\n'])
  assert [shlex.split(line) for line in text.splitlines()] == [
    ['python', '-m', 'experiments.train', CONFIG, f'--workdir={tmp_path}/seed={seed},every=2']
    + [f'--config.seed={seed}', '--config.log.every=2']
    for seed in (1, 0)
  ]
  assert [point.name for point in points.read(tmp_path).points] == [
    'seed=1,every=2',
    'seed=0,every=2',
  ]


# ---- jobs -------------------------------------------------------------------

# Saves on SIGTERM after a while and goes on from there, as a run does.
STUB = """
import json, pathlib, signal, sys, time
folder, end = pathlib.Path(sys.argv[1]), sys.argv[2]
def save(*_):
  time.sleep(0.5)
  (folder / 'saved').touch()
  sys.exit('SIGTERM at step 3: saved; the same command goes on from there')
signal.signal(signal.SIGTERM, save)
if end == 'fail':
  sys.exit('error: as asked')
if end == 'wait' and not (folder / 'saved').exists():
  (folder / 'ready').touch()
  time.sleep(120)
(folder / 'report.json').write_text(json.dumps({'wall_s': 1.0}))
"""


@pytest.mark.parametrize(
  ('executor', 'changes', 'words'),
  [
    ('local', {'throttle': 2}, '--executor is local, .* use `sweep run --jobs=N`'),
    ('local', {'nodes': 2}, '--executor is local'),
    ('local', {'minutes': 2}, '--minutes is 2; expected more than 2'),
  ],
)
def test_requests_that_do_not_fit_are_refused(executor, changes, words, tmp_path):
  request = cluster.Request(**{'minutes': 30, **changes})
  with pytest.raises(ValueError, match=words):
    cluster.submit([], tmp_path, executor, request)
  assert not list(tmp_path.iterdir())


def test_slurm_that_is_not_there_is_refused(tmp_path, monkeypatch):
  monkeypatch.setenv('PATH', '')
  with pytest.raises(ValueError, match='there is no sbatch here'):
    cluster.submit([], tmp_path, 'slurm', cluster.Request(30))
  assert cluster.queued({'a': '1_0'}, 'slurm') == {}


def test_slurm_that_does_not_answer_is_refused_and_concerns_no_local_job(tmp_path, monkeypatch):
  squeue = tmp_path / 'squeue'
  squeue.write_text('#!/bin/sh\necho cannot reach the controller >&2\nexit 1\n')
  squeue.chmod(0o755)
  monkeypatch.setenv('PATH', str(tmp_path), prepend=os.pathsep)
  with pytest.raises(ValueError, match='cannot reach the controller'):
    cluster.queued({'a': '1_0'}, 'slurm')
  assert cluster.queued({'a': '4711'}, 'local') == {}


def test_processes_of_a_job_are_one_a_gpu_where_machines_are_several():
  asked = lambda **options: cluster._parameters('n', 'slurm', cluster.Request(30, **options))
  assert asked(gpus=4)['tasks_per_node'] == 1  # one process drives all
  assert asked(gpus=4, nodes=2)['tasks_per_node'] == 4
  assert asked(nodes=2)['tasks_per_node'] == 1
  assert asked()['gpus_per_node'] is None


@pytest.mark.slow
def test_jobs_of_submitit_fail_alone_and_are_queued_again_after_sigterm(tmp_path):
  python = (sys.executable, '-I', '-S', '-c', STUB)
  made = {end: tmp_path / end for end in ('well', 'fail', 'wait')}
  jobs = [Job(end, folder, (*python, str(folder), end)) for end, folder in made.items()]
  ids = cluster.submit(jobs, tmp_path, 'local', cluster.Request(30))
  assert list(ids) == list(made)
  wait_for(made['wait'] / 'ready')
  os.kill(int(ids['wait']), signal.SIGTERM)
  wait_for(made['wait'] / 'report.json')
  assert (made['wait'] / 'saved').exists()
  wait_for(made['fail'] / 'exit.json')
  wait_for(made['well'] / 'report.json')
  states = {end: status.of_folder(folder).state for end, folder in made.items()}
  assert states == {'well': 'finished', 'fail': 'failed', 'wait': 'finished'}
  assert status.of_folder(made['fail']).last_lines == ['error: as asked']


def wait_for(path):
  deadline = time.monotonic() + 180
  while not path.exists():
    assert time.monotonic() < deadline, path
    time.sleep(0.05)


# ---- real runs --------------------------------------------------------------


@pytest.mark.slow
def test_a_sweep_of_which_one_point_fails_is_resumed(tmp_path):
  data = synthetic.write(tmp_path, synthetic.lines(60))
  asked = f'backbone.name=linoss,s5;split.train_share=1.0;dataset.computed.path={data}'
  root = tmp_path / 'root'
  call = (CONFIG, f'--sweep={asked};seed=0,1', f'--root={root}')
  names = json.loads(sweep('list', *call)[0].splitlines()[-1])['points']
  broken, *rest = names
  (root / broken / 'checkpoints').mkdir(parents=True)

  text, told = sweep('run', *call, '--jobs=2', code=1)
  assert f'{broken}: FAILED, exit status 1' in told
  assert 'has checkpoints but no config.json' in told
  counts = json.loads(text.splitlines()[-1])['counts']
  assert (counts['finished'], counts['failed']) == (3, 1)
  assert json.loads((root / 'run.json').read_text()) == json.loads(text.splitlines()[-1])
  before = {name: (root / name / 'report.json').stat().st_mtime_ns for name in rest}

  (root / broken / 'checkpoints').rmdir()
  text, told = sweep('resume', f'--root={root}')
  assert json.loads(text.splitlines()[-1])['returncodes'] == {broken: 0}
  assert all(f'{name}: finished already' in told for name in rest)
  assert before == {name: (root / name / 'report.json').stat().st_mtime_ns for name in rest}

  for point in points.read(root).points:  # the names were those of the runs that came out
    report = json.loads((root / point.name / 'report.json').read_text())
    assert report['identity'] == point.identity
    assert report['seed'] == point.overrides['seed']
    assert report['config']['backbone']['name'] == point.overrides['backbone.name']
  found = json.loads(sweep('status', f'--root={root}', '--json')[0])
  assert found['counts']['finished'] == 4
  assert {point['step'] for point in found['points']} == {20}
