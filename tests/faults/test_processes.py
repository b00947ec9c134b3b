"""A dead worker ends its job, and a job that is supervised goes on to the same end."""

import json
import os
import pathlib
import random
import signal
import time

import pytest

from spectra_jax import chaos, distributed, faults
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
  with distributed.reserved_port() as port:
    address = (f'--coordinator=127.0.0.1:{port}', '--num_processes=2')
    words = ('-m', 'experiments.train', *WORDS, f'--workdir={tmp_path}/run', *address)
    both = [processes.start(*words, f'--process_id={i}') for i in range(2)]
    wait_for_steps(tmp_path / 'run', both[0])
  both[killed].send_signal(signal.SIGKILL)
  began = time.monotonic()
  output = processes.finish(both[1 - killed], code=None, seconds=120)
  assert time.monotonic() - began < 30
  assert both[1 - killed].returncode != 0, output
  processes.finish(both[killed], code=-signal.SIGKILL)


def place(workdir):
  """A supervised job of two."""
  words = [*WORDS, '--config.train.steps=60', '--config.checkpoint.every=5']
  two = 'experiments.launch --processes=2 --patience=10 --'
  return chaos.Place(workdir, chaos.command(two, words, workdir), None, '')


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
  """Workdir of a job of two that nothing happened to."""
  workdir = tmp_path_factory.mktemp('jobs') / 'whole'
  chaos.Victim(place(workdir), None).finish()
  return workdir


def process_of(supervisor, number):
  """Process id of one member of the job."""
  children = pathlib.Path(f'/proc/{supervisor}/task/{supervisor}/children').read_text().split()
  words = {int(pid): pathlib.Path(f'/proc/{pid}/cmdline').read_bytes() for pid in children}
  (found,) = (pid for pid, line in words.items() if f'--process_id={number}\0'.encode() in line)
  return found


@pytest.mark.slow
@pytest.mark.parametrize('killed', [0, 1])
def test_all_start_again_from_the_newest_checkpoint_whoever_was_killed(killed, whole, tmp_path):
  """Process 0 is the coordinator, writes the checkpoints and holds the workdir."""
  victim = chaos.Victim(place(tmp_path / 'victim'), None)
  victim.start()
  assert victim.went_on()
  wait_for_steps(tmp_path / 'victim', victim.process)
  both = [process_of(victim.process.pid, number) for number in (0, 1)]
  began = time.monotonic()
  os.kill(both[killed], signal.SIGKILL)
  while any(pathlib.Path(f'/proc/{pid}').exists() for pid in both):
    assert time.monotonic() - began < 30
    time.sleep(0.01)
  victim.foresee()
  assert victim.newest_sound() > 0
  assert victim.went_on()
  assert victim.end() == 0
  assert 'all start again from step' in victim.said()
  assert chaos.same_record(tmp_path / 'victim', whole)


APART = """
import sys, time
from spectra_jax import distributed, parallel, placement
distributed.initialize(sys.argv[1], 2, int(sys.argv[2]))
import jax
from tests import test_parallel as t
mesh = placement.make_mesh(fsdp=2)
parallel.connect(mesh)
time.sleep(40 * int(sys.argv[2]))  # one of them compiles that much longer
grads, _ = parallel.loss_and_grad(t.linear_loss, mesh)(
  *(placement.shard_state(t.parameters(), mesh), placement.shard_batch(t.problem(), mesh), 0)
)
jax.block_until_ready(grads)
print('stepped')
"""


@pytest.mark.slow
def test_processes_may_come_to_their_first_step_far_apart():
  """The devices of 'data' are in both; unconnected, they time out after 30 s."""
  with distributed.reserved_port() as port:
    words = ('-c', APART, f'127.0.0.1:{port}')
    both = [processes.start(*words, str(i), devices=2) for i in range(2)]
    assert all('stepped' in processes.finish(process) for process in both)


@pytest.mark.slow
def test_a_job_of_two_that_loses_workers_ends_as_one_that_does_not(whole, tmp_path):
  """And SIGTERM to the supervisor saves, ends the job, and starts nothing."""
  victim, kills = chaos.Victim(place(tmp_path / 'victim'), random.Random()), 0
  for _ in range(4):
    kills += bool(faults.worker_killed(victim))
  if not victim.finished():
    victim.went_on()
    code = victim.end(signal.SIGTERM)
    assert victim.finished() or code == 1
    victim.finish()
  assert kills > 0
  assert (victim.lost, victim.silent) == (0, 0)
  assert chaos.same_record(tmp_path / 'victim', whole)
  assert json.loads((tmp_path / 'victim' / 'report.json').read_text())['processes'] == 2
