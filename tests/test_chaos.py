"""The book that chaos is judged by: it must notice what it is there to notice."""

import json
import random
import sys
import time

import pytest

from spectra_jax import chaos, faults

RECORD = ''.join(json.dumps({'step': step, 'train/loss': 1 / step}) + '\n' for step in range(1, 9))


def victim(folder, behaviour=''):
  place = chaos.Place(folder, (sys.executable, '-c', behaviour, str(folder)), None, '')
  return chaos.Victim(place, random.Random(0))


def seal(folder, *steps):
  for step in steps:
    path = folder / 'checkpoints' / str(step)
    path.mkdir(parents=True)
    (path / 'manifest').write_bytes(b'sealed')


def report(folder, record=RECORD, nre=0.5):
  folder.mkdir()
  (folder / 'metrics.jsonl').write_text(record)
  (folder / 'report.json').write_text(json.dumps({'results': {'nre': nre}, 'wall_s': 1.0}))
  return folder


def test_the_newest_sound_step_is_the_newest_sealed_that_was_not_harmed(tmp_path):
  run = victim(tmp_path)
  assert run.newest_sound() == 0
  seal(tmp_path, 5, 10, 15)
  (tmp_path / 'checkpoints' / '20').mkdir()  # cut off
  assert run.newest_sound() == 15
  assert run.harm(lambda content: content[:-1])
  assert run.newest_sound() == 10
  assert run.harm(lambda content: b'')
  assert run.newest_sound() == 5
  assert not run.harm(lambda content: b'')  # the run could not survive that
  (tmp_path / 'checkpoints' / '15' / 'manifest').write_bytes(b'saved again')
  assert run.newest_sound() == 15


GOES_ON = """
import json, pathlib, sys
pathlib.Path(sys.argv[1], 'attempts.json').write_text(json.dumps([{{'first_step': {}}}]))
"""


@pytest.mark.parametrize(
  ('first', 'lost', 'silent'), [(10, 0, 0), (5, 5, 0), (0, 10, 0), (15, 0, 1)]
)
def test_a_run_that_goes_on_from_elsewhere_is_noted(tmp_path, first, lost, silent):
  seal(tmp_path, 5, 10, 15)
  run = victim(tmp_path, GOES_ON.format(first))
  run.harm(lambda content: b'')
  run.start()
  run.end()
  assert run.went_on() == (first == 10)
  assert (run.lost, run.silent) == (lost, silent)


def test_a_run_that_fails_before_its_fault_did_not_survive_it(tmp_path):
  assert faults.killed(victim(tmp_path, 'raise SystemExit(1)')) is False
  (tmp_path / 'report.json').write_text('{}')
  assert faults.killed(victim(tmp_path)) is None


@pytest.mark.parametrize(
  ('record', 'nre', 'since', 'same'),
  [
    (RECORD, 0.5, 0, True),
    (RECORD.replace('0.125', '0.1250000001'), 0.5, 0, False),
    (RECORD, 0.5000001, 0, False),
    (RECORD + RECORD.splitlines()[-1], 0.5, 0, False),
    (''.join(RECORD.splitlines(keepends=True)[3:]), 0.5, 3, True),
    (''.join(RECORD.splitlines(keepends=True)[3:]), 0.5, 0, False),
    (''.join(RECORD.splitlines(keepends=True)[4:]), 0.5, 3, False),
  ],
)
def test_a_record_is_compared_to_the_last_bit(tmp_path, record, nre, since, same):
  whole, other = report(tmp_path / 'whole'), report(tmp_path / 'other', record, nre)
  assert chaos.same_record(other, whole, since) is same


def test_the_book_counts_faults_and_what_their_runs_lost(tmp_path):
  whole, book = report(tmp_path / 'whole'), chaos.Book(tmp_path / 'faults.jsonl')
  run = victim(report(tmp_path / 'run', nre=0.4))
  run.lost, run.silent = 5, 1
  chaos.storm(book, run, whole, [faults.killed], [1], time.monotonic() + 60, 3)
  for survived in (True, False):
    book.note('run', 'killed', survived)
  assert (book.injected, book.survived, book.by_fault) == (2, 1, {'killed': [2, 1]})
  assert (book.runs, book.lost, book.silent_corruption) == (1, 5, 2)
  assert len(book.path.read_text().splitlines()) == 2


def test_a_small_disk_is_small_and_goes_again(tmp_path):
  with faults.small_disk(tmp_path / 'disk', 1) as disk:
    if disk is None:
      pytest.skip('no file system may be mounted here')
    with pytest.raises(OSError, match='No space'):
      (disk / 'file').write_bytes(bytes(2**21))
  assert not list((tmp_path / 'disk').iterdir())
