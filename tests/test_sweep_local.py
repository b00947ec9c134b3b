"""The runner of this machine, on commands that take no time: shares, failures, signals."""

import contextlib
import json
import os
import re
import signal
import sys
import time
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spectra_jax.sweeps import local, status
from tests import processes

# Says which cores and GPUs it has and when it ran; sys.argv[1] says how to end.
COMMAND = """
import json, os, sys, time
begin = time.time()
print('two words', flush=True)
time.sleep(0.3)
cores = sorted(os.sched_getaffinity(0))
print(json.dumps([begin, time.time(), cores, os.environ.get('CUDA_VISIBLE_DEVICES')]), flush=True)
if sys.argv[1] == 'killed':
  os.kill(os.getpid(), 9)
sys.exit('error: as asked' if sys.argv[1] == 'fail' else 0)
"""


def jobs(root, *ends):
  python = (sys.executable, '-I', '-S', '-c', COMMAND)
  return [local.Job(f'p{i}', root / f'p{i}', (*python, end)) for i, end in enumerate(ends)]


def shares(count):
  cores = sorted(os.sched_getaffinity(0))
  return [
    local.Place((cores[i % len(cores)],), {'CUDA_VISIBLE_DEVICES': str(i)}) for i in range(count)
  ]


@pytest.fixture(scope='module')
def ran(tmp_path_factory):
  """(root, outcomes, lines said) of four runs, two at a time, of which two end badly."""
  root, said = tmp_path_factory.mktemp('root'), []
  work = jobs(root, 'well', 'fail', 'killed', 'well')
  return root, local.run(work, shares(2), said.append), said


def test_a_failing_run_stops_no_other_and_its_end_is_kept(ran):
  root, outcomes, said = ran
  assert {name: ended['returncode'] for name, ended in outcomes.items()} == {
    'p0': 0,
    'p1': 1,
    'p2': -signal.SIGKILL,
    'p3': 0,
  }
  ended = json.loads((root / 'p1' / 'exit.json').read_text())
  assert ended == outcomes['p1']
  assert ended['last_lines'][0] == 'two words'
  assert ended['last_lines'][-1] == 'error: as asked'
  assert not ended['stopped']
  assert re.fullmatch(r'\d{4}-\d\d-\d\dT[\d:.]+\+00:00', ended['finished'])
  assert (root / 'p1' / 'log.txt').read_text().splitlines() == ended['last_lines']
  told = '\n'.join(said)
  assert 'p1: FAILED, exit status 1\n  two words' in told
  assert 'p2: FAILED, killed by SIGKILL' in told
  assert [status.of_folder(root / f'p{i}').state for i in (1, 2)] == ['failed', 'failed']
  assert not list(root.glob('*/running.json'))


def test_runs_at_the_same_time_share_no_core_and_no_gpu(ran):
  root, _, _ = ran
  spans = [json.loads((root / f'p{i}' / 'log.txt').read_text().splitlines()[1]) for i in range(4)]
  allowed = sorted(os.sched_getaffinity(0))
  for begin, _, cores, gpu in spans:
    assert cores == [allowed[int(gpu) % len(allowed)]]
    running = [g for other, end, _, g in spans if other <= begin < end]
    assert len(running) == len(set(running)) <= 2
  assert {gpu for *_, gpu in spans} == {'0', '1'}


def test_a_log_keeps_earlier_starts_and_only_the_last_one_is_told(tmp_path):
  for end in ('fail', 'fail'):
    outcomes = local.run(jobs(tmp_path, end), shares(1), str)
  lines = (tmp_path / 'p0' / 'log.txt').read_text().splitlines()
  assert lines.count('error: as asked') == 2
  assert outcomes['p0']['last_lines'] == lines[3:]


def test_a_run_that_goes_says_where(tmp_path):
  (job,) = jobs(tmp_path, 'well')
  child = local.start(job, local.Place())
  running = json.loads((job.folder / 'running.json').read_text())
  assert running['pid'] == child.process.pid
  assert running['command'] == list(job.argv)
  assert status.of_folder(job.folder).state == 'running'
  child.wait()
  assert child.outcome()['returncode'] == 0


# ---- signals ----------------------------------------------------------------

LAUNCHER = """
import pathlib, sys
from spectra_jax.sweeps import local
root = pathlib.Path(sys.argv[1])
command = (sys.executable, '-I', '-S', '-c', sys.argv[2])
jobs = [local.Job(f'p{i}', root / f'p{i}', (*command, str(root / f'p{i}'))) for i in range(3)]
outcomes = local.run(jobs, [local.Place(), local.Place()], lambda text: print(text, flush=True))
print('launcher:', sorted(outcomes), all(ended['stopped'] for ended in outcomes.values()))
"""
SAVING = """
import pathlib, signal, sys, time
def save(*_):
  time.sleep(0.5)
  (pathlib.Path(sys.argv[1]) / 'saved').touch()
  sys.exit('SIGTERM at step 3: saved; the same command goes on from there')
signal.signal(signal.SIGTERM, save)
(pathlib.Path(sys.argv[1]) / 'ready').touch()
time.sleep(120)
"""
DEAF = SAVING.replace('time.sleep(0.5)', 'time.sleep(120)')


def launch(root, command):
  process = processes.start('-c', LAUNCHER, str(root), command)
  deadline = time.monotonic() + 120
  while not all((root / f'p{i}' / 'ready').exists() for i in range(2)):
    assert time.monotonic() < deadline
    assert process.poll() is None
    time.sleep(0.01)
  return process


def test_a_signal_to_the_launcher_waits_for_the_saves_and_starts_nothing_more(tmp_path):
  process = launch(tmp_path, SAVING)
  process.send_signal(signal.SIGTERM)
  output = processes.finish(process)
  assert "launcher: ['p0', 'p1'] True" in output
  assert 'p0: stopped, to be resumed' in output
  assert [(tmp_path / f'p{i}').exists() for i in range(3)] == [True, True, False]
  for i in range(2):
    assert (tmp_path / f'p{i}' / 'saved').exists()
    assert status.of_folder(tmp_path / f'p{i}').state == 'stopped'


def test_a_second_interrupt_kills_what_does_not_leave(tmp_path):
  process = launch(tmp_path, DEAF)
  os.kill(process.pid, signal.SIGINT)
  processes.wait_for(process, 'stopping: 2 save and leave')
  os.kill(process.pid, signal.SIGINT)
  assert "launcher: ['p0', 'p1'] True" in processes.finish(process)
  outcome = json.loads((tmp_path / 'p0' / 'exit.json').read_text())
  assert outcome['returncode'] == -signal.SIGKILL


# ---- shares -----------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(
  cores=st.sets(st.integers(0, 300), min_size=1, max_size=64),
  gpus=st.integers(0, 8),
  count=st.integers(-1, 70),
)
def test_places_are_equal_shares_of_cores_and_gpus_without_overlap(cores, gpus, count):
  names = [str(i) for i in range(gpus)]
  environment = {'CUDA_VISIBLE_DEVICES': ','.join(names)}
  most = min(len(cores), gpus) if gpus else len(cores)
  good = 1 <= count <= most
  with mock.patch.object(os, 'sched_getaffinity', return_value=cores, create=True):
    refused = contextlib.nullcontext() if good else pytest.raises(ValueError, match='--jobs is')
    with refused:
      made = local.places(count, environment)
  if not good:
    return
  assert len(made) == count
  used = [core for place in made for core in place.cores]
  assert len(set(used)) == len(used)
  assert set(used) <= cores
  assert {len(place.cores) for place in made} == {len(cores) // count}
  visible = [place.variables.get('CUDA_VISIBLE_DEVICES') for place in made]
  if not gpus:
    assert visible == [None] * count
  else:
    dealt = [name for text in visible for name in text.split(',')]
    assert len(set(dealt)) == len(dealt)
    assert set(dealt) <= set(names)
    assert len(dealt) == count * (gpus // count)


def test_gpus_do_not_count_where_runs_are_on_the_cpu():
  hidden = {'CUDA_VISIBLE_DEVICES': '0', 'JAX_PLATFORMS': 'cpu'}
  with mock.patch.object(os, 'sched_getaffinity', return_value={0, 1}, create=True):
    assert len(local.places(2, hidden)) == 2
    with pytest.raises(ValueError, match='there are 1 GPUs; expected 1 to 1'):
      local.places(2, {**hidden, 'JAX_PLATFORMS': 'cuda,cpu'})
    with pytest.raises(ValueError, match='--jobs is 3 and there are 2 cores'):
      local.places(3, hidden)


def test_waiting_inside_a_handler_that_interrupts_a_wait_does_not_hang(tmp_path):
  """What `Popen.wait` does there: it waits for a lock that the interrupted call holds."""
  (job,) = jobs(tmp_path, 'well')
  child = local.start(job, local.Place())
  with child.process._waitpid_lock:
    child.wait()
  assert child.outcome()['returncode'] == 0
