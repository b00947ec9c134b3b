"""The state of points, read from folders made by hand."""

import json
import os
import socket
import subprocess
import sys
import time

import pytest

from spectra_jax.sweeps import status

BEGAN = 1_700_000_000.0
STARTED = '2023-11-14T22:13:20+00:00'  # BEGAN


def write(folder, **files):
  folder.mkdir(parents=True, exist_ok=True)
  for name, content in files.items():
    (folder / f'{name}.json').write_text(json.dumps(content))
  return folder


def metrics(folder, *records, seconds=None):
  path = folder / 'metrics.jsonl'
  path.write_text(''.join(json.dumps(record) + '\n' for record in records))
  if seconds is not None:
    os.utime(path, (BEGAN + seconds, BEGAN + seconds))


HERE = {'host': socket.gethostname(), 'pid': os.getpid(), 'started': STARTED, 'command': []}
ENDED = {'returncode': 1, 'last_lines': ['a', 'error: b'], 'finished': STARTED, 'stopped': False}


def dead_pid():
  process = subprocess.Popen([sys.executable, '-I', '-S', '-c', ''])
  process.wait()
  return process.pid


def test_nothing_there_is_waiting(tmp_path):
  found = status.of_folder(tmp_path / 'p')
  assert (found.state, found.step, found.steps, found.left_s) == ('waiting', 0, None, None)


def test_a_report_is_what_makes_it_finished(tmp_path):
  write(tmp_path, report={'wall_s': 12.5}, exit=ENDED, running=HERE)
  found = status.of_folder(tmp_path)
  assert (found.state, found.wall_s, found.last_lines) == ('finished', 12.5, [])


def test_what_has_no_steps_has_a_state(tmp_path):
  """A classical method that is not finished: its config trains nothing."""
  config = {'config': {'method': {'name': 'pls'}}}
  found = status.of_folder(write(tmp_path, config=config, running=HERE))
  assert (found.state, found.steps, found.left_s) == ('running', None, None)


def test_how_it_ended_tells_failed_from_stopped(tmp_path):
  assert status.of_folder(write(tmp_path / 'a', exit=ENDED)).state == 'failed'
  assert status.of_folder(write(tmp_path / 'a')).last_lines == ['a', 'error: b']
  stopped = {**ENDED, 'stopped': True}
  assert status.of_folder(write(tmp_path / 'b', exit=stopped)).state == 'stopped'


def test_a_process_of_this_machine_runs_while_it_lives(tmp_path):
  assert status.of_folder(write(tmp_path, running=HERE)).state == 'running'
  assert status.of_folder(write(tmp_path, running={**HERE, 'pid': dead_pid()})).state == 'lost'


def test_a_process_of_another_machine_runs_while_it_writes(tmp_path):
  write(tmp_path, running={**HERE, 'host': 'elsewhere'})
  assert status.of_folder(tmp_path).state == 'lost'
  metrics(tmp_path, {'step': 1})
  assert status.of_folder(tmp_path).state == 'running'
  long_ago = time.time() - status.SILENT_SECONDS - 5
  os.utime(tmp_path / 'metrics.jsonl', (long_ago, long_ago))
  found = status.of_folder(tmp_path)
  assert found.state == 'lost'
  assert found.silent_s == pytest.approx(status.SILENT_SECONDS + 5, abs=2)


def test_the_time_left_goes_by_the_steps_of_this_start(tmp_path):
  """30 steps in 60 s since a start at step 100; 70 of 200 are left."""
  attempts = [{'started': '2023-11-14T20:00:00+00:00', 'first_step': 0, 'step': 100}]
  attempts += [{'started': STARTED, 'first_step': 100, 'step': 110}]
  write(tmp_path, running=HERE, config={'config': {'train': {'steps': 200}}}, attempts=attempts)
  metrics(
    tmp_path,
    {'step': 100, 'val/nre': 0.9},
    {'step': 120, 'val/nre': 0.5, 'val/nre_ir': None},
    {'step': 130, 'train/loss': 1.0},
    seconds=60,
  )
  found = status.of_folder(tmp_path)
  assert (found.step, found.steps) == (130, 200)
  assert found.left_s == pytest.approx(70 * 60 / 30)
  assert found.validation == {'nre': 0.5, 'nre_ir': None}


def test_a_line_that_is_being_written_is_not_read(tmp_path):
  metrics(tmp_path, {'step': 7, 'train/loss': 1.0})
  with open(tmp_path / 'metrics.jsonl', 'a') as file:
    file.write('{"step": 8, "train/lo')
  assert status.of_folder(tmp_path).step == 7


def sweep(root, **states):
  """A root with points in the named states, by name."""
  names = list(states)
  write(root, sweep={'config': 'c', 'points': [_point(name) for name in names]})
  for name, state in states.items():
    folder = root / name
    if state == 'finished':
      write(folder, report={'wall_s': 100.0})
    if state == 'failed':
      write(folder, exit=ENDED)
    if state == 'running':
      write(folder, running=HERE, config={'config': {'train': {'steps': 40}}})
      write(folder, attempts=[{'started': STARTED, 'first_step': 0}])
      metrics(folder, {'step': 10}, seconds=20)
  return status.read(root)


def _point(name):
  return {'name': name, 'overrides': {}, 'identity': 'f' * 64}


def test_a_sweep_is_counted_and_timed(tmp_path):
  found = sweep(tmp_path, a='finished', b='running', c='running', d='waiting', e='failed')
  assert status.counts(found) == {
    'finished': 1,
    'running': 2,
    'waiting': 1,
    'stopped': 0,
    'failed': 1,
    'lost': 0,
  }
  assert status.left(found) == pytest.approx((60 + 60 + 100) / 2)  # two at a time
  table = status.table(found)
  assert 'e, exit status 1:\n  a\n  error: b\n1 finished, 2 running, 1 waiting, 1 failed' in table
  assert table.endswith('about 110 s left')
  row = next(line for line in table.splitlines() if line.startswith('b '))
  assert row.split()[1:5] == ['running', '10/40', '60', 's']
  document = json.loads(json.dumps(status.document(tmp_path, found)))
  assert document['points'][1]['left_s'] == 60
  assert document['left_s'] == 110


def test_no_time_is_told_where_nothing_tells_it(tmp_path):
  assert status.left(sweep(tmp_path / 'a', a='running', b='waiting')) is None
  assert status.left(sweep(tmp_path / 'b', a='finished', b='failed')) is None
