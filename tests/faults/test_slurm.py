"""A sweep through a real Slurm: slurmctld, slurmd and munge on this machine, see slurm_here.sh."""

import collections
import contextlib
import json
import os
import pathlib
import subprocess
import sys
import time

import pytest

from spectra_jax.sweeps import points, status

HERE = pathlib.Path(__file__).parent
REPOSITORY = HERE.parent.parent
STEPS, EVERY = 600, 10  # long enough to be interrupted: jax looks for a signal once a second
SWEEP = (
  'backbone.name=linoss,s5,conv;seed=range(4);'
  f'train.steps={STEPS};train.eval_every={STEPS};checkpoint.every=200;log.every={EVERY}'
)
MINUTES = 20  # for all of it; two cores of a busy machine

pytestmark = pytest.mark.slow


@pytest.fixture(scope='module')
def slurm(tmp_path_factory):
  """Sets SLURM_CONF to a Slurm that ends with the tests."""
  folder = tmp_path_factory.mktemp('slurm')
  script = str(HERE / 'slurm_here.sh')
  done = subprocess.run([script, 'start', str(folder)], capture_output=True, text=True, check=False)
  if done.returncode == 77:
    pytest.skip(done.stderr.strip().splitlines()[-1])
  assert done.returncode == 0, done.stderr
  with pytest.MonkeyPatch.context() as patch:
    patch.setenv('SLURM_CONF', str(folder / 'slurm.conf'))
    patch.setenv('OPENBLAS_NUM_THREADS', '1')
    yield folder
    subprocess.run(['scancel', f'--user={os.getuid()}'], check=False)
    wait_until(lambda: not queue(), 'the end of what was cancelled')
    subprocess.run([script, 'stop', str(folder)], check=True)


def sweep(*words):
  """The JSON object of `experiments.sweep`."""
  command = [sys.executable, '-m', 'experiments.sweep', *words]
  done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
  assert done.returncode == 0, done.stderr
  return json.loads(done.stdout.splitlines()[-1])


def queue():
  """{job id: state} of what Slurm has."""
  asked = ['squeue', '--noheader', '--array', '--format=%i %T']
  lines = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.splitlines()
  return dict(line.split() for line in lines)


def wait_until(met, what):
  deadline = time.monotonic() + MINUTES * 60
  while not met():
    assert time.monotonic() < deadline, f'{what} did not come: {queue()}'
    time.sleep(0.2)


def wait_for_step(folder, step):
  wait_until(lambda: status.of_folder(folder).step >= step, f'step {step} of {folder.name}')


def signal_once(job):
  """SIGTERM as Slurm sends it before it takes a machine away.

  Where tasks of the array are pending, scancel is told to try again though the signal was sent, and
  five seconds later would hit the job that was queued again.
  """
  with contextlib.suppress(subprocess.TimeoutExpired):
    subprocess.run(['scancel', '--signal=TERM', job], check=True, timeout=2)


def submit(root, *words):
  flags = ('--executor=slurm', '--minutes=30', '--throttle=2', f'--root={root}')
  return sweep(*words, *flags)


def test_twelve_points_of_which_one_fails_and_others_are_interrupted(slurm, tmp_path):
  root = tmp_path / 'sweep'
  listed = sweep('list', '--config=configs/pretrain.py:tiny', f'--sweep={SWEEP}', f'--root={root}')
  names = listed['points']
  assert len(names) == 12
  preempted, requeued, cancelled, broken, *_ = names
  (root / broken / 'checkpoints').mkdir(parents=True)  # of a run that its config.json is gone from

  jobs = submit(root, 'submit', '--config=configs/pretrain.py:tiny', f'--sweep={SWEEP}')['jobs']
  assert set(jobs) == set(names)
  assert len({number.split('_')[0] for number in jobs.values()}) == 1  # one array
  assert submit(root, 'resume')['submitted'] == []  # all are in the queue

  wait_for_step(root / preempted, EVERY)
  signal_once(jobs[preempted])
  wait_for_step(root / requeued, EVERY)
  subprocess.run(['scontrol', 'requeue', jobs[requeued]], check=True)
  wait_for_step(root / cancelled, EVERY)
  subprocess.run(['scancel', jobs[cancelled]], check=True)

  most = collections.Counter()

  def empty():
    states = queue()
    most['running'] = max(most['running'], sum(s == 'RUNNING' for s in states.values()))
    return not states

  wait_until(empty, 'the end of the queue')
  assert most['running'] == 2  # the throttle
  found = {s.name: s for s in status.read(root)}
  assert {name: s.state for name, s in found.items() if s.state != 'finished'} == {
    cancelled: 'stopped',
    broken: 'failed',
  }
  assert 'has checkpoints but no config.json' in '\n'.join(found[broken].last_lines)

  (root / broken / 'checkpoints').rmdir()
  again = submit(root, 'resume')
  assert sorted(again['submitted']) == sorted([cancelled, broken])
  wait_until(lambda: not queue(), 'the end of the second queue')
  assert {s.state for s in status.read(root)} == {'finished'}

  identities = {point.name: point.identity for point in points.read(root).points}
  for name in names:
    report = json.loads((root / name / 'report.json').read_text())
    assert report['identity'] == identities[name]
    interrupted = name in (preempted, requeued, cancelled)
    assert (0 < report['resumed_from'] < STEPS) == interrupted, (name, report['resumed_from'])
    lines = (root / name / 'metrics.jsonl').read_text().splitlines()
    steps = [r['step'] for r in map(json.loads, lines) if 'train/loss' in r]
    assert steps == list(range(EVERY, STEPS + 1, EVERY))
