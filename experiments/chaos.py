"""Throws faults at training runs and counts what they survive.

  python -m experiments.chaos --minutes=10 --output=runs/chaos
  unshare -rm python -m experiments.chaos ...  # who is not root: a full disk needs a mount

SIGKILL at any moment and amid saves, SIGTERM, flipped bits and truncated files of checkpoints, a
deleted record, a second process on the same workdir, jumps of the clock (where libfaketime is), a
full and a read-only disk (where a file system may be mounted), and workers lost in a job of two
processes. Words after `--` go to experiments.train, of which the victims are runs.

The last line of standard output is one JSON object, also in OUTPUT/chaos.json: faults injected and
survived, steps lost besides those since the last save, silent corruptions, and what could not be
injected here. The exit status is 1 unless every fault was survived and nothing was lost.
"""

import contextlib
import dataclasses
import json
import pathlib
import random
import shutil
import sys
import time

from absl import app, flags

from spectra_jax import chaos, faults
from spectra_jax.workdir import write_json_atomic

MINUTES = flags.DEFINE_float('minutes', 10.0, 'How long faults are injected.', lower_bound=0.0)
OUTPUT = flags.DEFINE_string('output', None, 'Folder of the runs and the result; must not exist.')
SEED = flags.DEFINE_integer('seed', 0, 'Of the faults; their moments differ all the same.')
FAKETIME = flags.DEFINE_string('faketime', '', "libfaketimeMT.so.1; '' = the system's, if any.")
FAULTS = flags.DEFINE_integer('faults_per_run', 12, 'At most.', lower_bound=1)
WORKERS = flags.DEFINE_integer('workers_killed', 3, 'In a job of two processes; 0 = no such job.')

DISK_MB = 48
WORDS = (
  *('--config=configs/pretrain.py:tiny', '--config.train.steps=400', '--config.checkpoint.every=5'),
  *('--config.train.eval_every=40', '--config.log.figures=False', '--config.log.tensorboard=False'),
)
SHORT = '--config.train.steps=120'  # collectives between processes go through TCP
TWO = 'experiments.launch --processes=2 --patience=10 --'


def reference(module: str, words: list[str], folder: pathlib.Path, name: str) -> pathlib.Path:
  """The workdir of a run that nothing happens to."""
  place = chaos.Place(folder / name, chaos.command(module, words, folder / name), None, '')
  chaos.Victim(place, random.Random(0)).finish()
  return place.workdir


def main(argv: list[str]) -> None:
  folder, words, rng = pathlib.Path(OUTPUT.value), [*WORDS, *argv[1:]], random.Random(SEED.value)
  if folder.exists():
    sys.exit(f'error: --output={folder} exists; expected a new folder; remove it or name another')
  folder.mkdir(parents=True)
  book = chaos.Book(folder / 'faults.jsonl')
  faketime = FAKETIME.value or faults.find_faketime()
  whole = reference('experiments.train', words, folder, 'whole')
  started = time.monotonic()
  deadline = started + 60 * MINUTES.value
  with contextlib.ExitStack() as stack:
    disk = stack.enter_context(faults.small_disk(folder / 'disk', DISK_MB))
    if WORKERS.value:
      throw_at_pair(book, words, folder, rng, deadline)
    while time.monotonic() < deadline:
      workdir = (disk or folder) / f'run{book.runs}'
      command = chaos.command('experiments.train', words, workdir)
      victim = chaos.Victim(chaos.Place(workdir, command, disk, faketime), rng)
      chaos.storm(book, victim, whole, faults.ALONE, faults.WEIGHTS, deadline, FAULTS.value)
      shutil.rmtree(workdir)  # the disk is small
  absent = [] if disk else ['disk_filled', 'made_read_only']
  absent += [] if faketime else ['clock_jumped']
  summary = dataclasses.asdict(book) | {'path': str(book.path), 'not_injected_here': absent}
  summary['minutes'] = round((time.monotonic() - started) / 60, 2)
  write_json_atomic(folder / 'chaos.json', summary)
  print(json.dumps(summary))
  if book.survived < book.injected or book.lost or book.silent_corruption:
    sys.exit(1)


def throw_at_pair(book, words, folder, rng, deadline) -> None:
  """Kills workers of a job of two processes."""
  words = [*words, SHORT]
  whole = reference(TWO, words, folder, 'whole_pair')
  place = chaos.Place(folder / 'pair', chaos.command(TWO, words, folder / 'pair'), None, '')
  victim = chaos.Victim(place, rng)
  chaos.storm(book, victim, whole, [faults.worker_killed], [1], deadline, WORKERS.value)


if __name__ == '__main__':
  flags.mark_flag_as_required('output')
  app.run(main)
