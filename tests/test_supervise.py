"""Jobs of small processes that die: what is started again, how often, and what ends with it."""

import sys
import time

import pytest

from spectra_jax.supervise import newest_step, supervise

# Each process notes its start; `behave(number, attempt)` is what the test wants of it.
PROCESS = """
import os, pathlib, signal, sys, time
folder, words = pathlib.Path(sys.argv[1]), sys.argv[2:]
number = next((int(w.split('=')[1]) for w in words if w.startswith('--process_id=')), 0)
attempt = len(list(folder.glob(f'start-{number}-*')))
(folder / f'start-{number}-{attempt}').write_text('\\n'.join(words))

def seal(step):
  path = folder / 'checkpoints' / str(step)
  path.mkdir(parents=True)
  (path / 'manifest').write_text('')

"""


def run(folder, behaviour, processes=2, patience=2):
  command = [sys.executable, '-c', PROCESS + behaviour, str(folder)]
  return supervise(command, folder, processes, patience)


def attempts(folder, number=0):
  return len(list(folder.glob(f'start-{number}-*')))


def test_when_one_is_killed_all_start_again(tmp_path):
  behaviour = """
if attempt == 0:
  if number == 1:
    while not (folder / 'start-0-0').exists():
      time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGKILL)
  time.sleep(600)
"""
  began = time.monotonic()
  assert run(tmp_path, behaviour) == 0
  assert time.monotonic() - began < 60
  assert [attempts(tmp_path, number) for number in (0, 1)] == [2, 2]
  words = [set((tmp_path / f'start-{n}-1').read_text().split()) for n in (0, 1)]
  shared = words[0] & words[1]
  assert '--num_processes=2' in shared
  assert any(word.startswith('--coordinator=127.0.0.1:') for word in shared)
  assert words[1] - shared == {'--process_id=1'}
  ports = {(tmp_path / f'start-0-{i}').read_text().split()[0] for i in (0, 1)}
  assert len(ports) == 2  # the old one may still be taken


def test_a_single_process_gets_no_address(tmp_path):
  assert run(tmp_path, '', processes=1) == 0
  assert (tmp_path / 'start-0-0').read_text() == ''


def test_it_gives_up_where_nothing_is_gained(tmp_path):
  assert run(tmp_path, 'sys.exit(3)', patience=3) == 3
  assert attempts(tmp_path) == 3


def test_a_newer_checkpoint_is_a_gain(tmp_path):
  behaviour = """
if attempt < 4:
  if number == 0 and attempt % 2:
    seal(attempt)
  time.sleep(0.2)
  sys.exit(1)
"""
  assert run(tmp_path, behaviour, patience=2) == 0
  assert attempts(tmp_path) == 5
  assert newest_step(tmp_path) == 3


def test_a_folder_without_a_manifest_is_no_gain(tmp_path):
  behaviour = "(folder / 'checkpoints' / str(attempt + 1)).mkdir(parents=True); sys.exit(1)"
  assert run(tmp_path, behaviour, processes=1, patience=2) == 1
  assert attempts(tmp_path) == 2


def test_sigterm_goes_to_all_and_ends_it(tmp_path):
  behaviour = """
def save(*_):
  time.sleep(0.3 * number)  # the others of one that ended in order have time to save
  (folder / f'saved-{number}').write_text('')
  sys.exit(1)

signal.signal(signal.SIGTERM, save)
(folder / f'ready-{number}').write_text('')
if number == 0:
  while not (folder / 'ready-1').exists():
    time.sleep(0.01)
  os.kill(os.getppid(), signal.SIGTERM)
time.sleep(600)
"""
  assert run(tmp_path, behaviour) == 1
  assert sorted(p.name for p in tmp_path.glob('saved-*')) == ['saved-0', 'saved-1']
  assert attempts(tmp_path) == 1


@pytest.mark.parametrize(
  ('processes', 'patience', 'what'), [(0, 1, 'processes'), (1, 0, 'patience')]
)
def test_numbers_below_one_are_refused(tmp_path, processes, patience, what):
  with pytest.raises(ValueError, match=f'{what} is 0; expected at least 1'):
    run(tmp_path, '', processes, patience)
