"""A dead worker ends its job, and a job that is supervised goes on to the same end."""

import json
import random
import signal
import time

import pytest

from spectra_jax import chaos, faults
from tests import processes

WORDS = (
  *('--config=configs/pretrain.py:tiny', '--config.train.steps=1000', '--config.log.figures=False'),
  *('--config.train.eval_every=500', '--config.log.tensorboard=False'),
)


def wait_for_steps(workdir, process):
  path, deadline = workdir / 'checkpoints', time.monotonic() + 300
  while not list(path.glob('[0-9]*/manifest')):
    assert process.poll() is None, processes.finish(process, code=None)
    assert time.monotonic() < deadline, f'{path} has no checkpoint'
    time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.parametrize('killed', [0, 1])
def test_a_dead_worker_ends_the_job_within_30_seconds(killed, tmp_path):
  """Nobody supervises here: the runtime itself must notice. Process 0 is the coordinator."""
  address = (f'--coordinator=127.0.0.1:{processes.free_port()}', '--num_processes=2')
  words = ('-m', 'experiments.train', *WORDS, f'--workdir={tmp_path}/run', *address)
  both = [processes.start(*words, f'--process_id={i}') for i in range(2)]
  wait_for_steps(tmp_path / 'run', both[0])
  both[killed].send_signal(signal.SIGKILL)
  began = time.monotonic()
  output = processes.finish(both[1 - killed], code=None, seconds=120)
  assert time.monotonic() - began < 30
  assert both[1 - killed].returncode != 0, output
  processes.finish(both[killed], code=-signal.SIGKILL)


@pytest.mark.slow
def test_a_job_of_two_that_loses_workers_ends_as_one_that_does_not(tmp_path):
  """And SIGTERM to the supervisor saves, ends the job, and starts nothing."""
  words = [*WORDS, '--config.train.steps=60', '--config.checkpoint.every=5']
  two = 'experiments.launch --processes=2 --patience=10 --'
  place = lambda name: chaos.Place(
    tmp_path / name, chaos.command(two, words, tmp_path / name), None, ''
  )
  chaos.Victim(place('whole'), None).finish()
  victim, kills = chaos.Victim(place('victim'), random.Random()), 0
  for _ in range(4):
    kills += bool(faults.worker_killed(victim))
  if not victim.finished():
    victim.went_on()
    code = victim.end(signal.SIGTERM)
    assert victim.finished() or code == 1
    victim.finish()
  assert kills > 0
  assert (victim.lost, victim.silent) == (0, 0)
  assert chaos.same_record(tmp_path / 'victim', tmp_path / 'whole')
  assert json.loads((tmp_path / 'victim' / 'report.json').read_text())['processes'] == 2
