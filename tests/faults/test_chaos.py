"""A minute of chaos on a real run, and the same on one that no longer checks what it reads."""

import json
import random
import subprocess
import sys

import pytest

from spectra_jax import chaos, faults
from tests import processes

WORDS = (
  *('--config=configs/pretrain.py:tiny', '--config.train.steps=60', '--config.checkpoint.every=5'),
  *('--config.log.figures=False', '--config.log.tensorboard=False'),
)
# The training binary without the check of files, and of leaves once they are read.
BLIND = """
import sys
from spectra_jax import checkpoint
checkpoint._fault = lambda folder: None
checkpoint._wrong_leaves = lambda described, state: []
import runpy
runpy.run_module('experiments.train', run_name='__main__')
"""


@pytest.mark.slow
def test_a_minute_of_chaos_is_survived(tmp_path):
  words = ('--minutes=1', f'--output={tmp_path}/chaos', '--workers_killed=0')
  done = subprocess.run(
    [sys.executable, '-m', 'experiments.chaos', *words],
    cwd=processes.REPOSITORY,
    capture_output=True,
    text=True,
  )
  assert done.returncode == 0, done.stdout + done.stderr
  summary = json.loads(done.stdout.splitlines()[-1])
  assert summary == json.loads((tmp_path / 'chaos' / 'chaos.json').read_text())
  assert summary['injected'] == summary['survived'] > 0
  assert summary['lost'] == summary['silent_corruption'] == 0


@pytest.mark.slow
def test_chaos_finds_out_a_run_that_does_not_check_its_checkpoints(tmp_path):
  command = lambda name: (sys.executable, '-c', BLIND, *WORDS, f'--workdir={tmp_path / name}')
  place = lambda name: chaos.Place(tmp_path / name, command(name), None, '')
  book, rng = chaos.Book(tmp_path / 'faults.jsonl'), random.Random(1)
  chaos.Victim(place('whole'), rng).finish()
  victim = chaos.Victim(place('victim'), rng)
  try:
    for _ in range(8):
      for fault in (faults.killed, faults.bit_flipped):
        survived = fault(victim)
        if survived is not None:
          book.note('victim', fault.__name__, survived)
      if victim.finished() or book.survived < book.injected or victim.silent:
        break
    assert book.survived < book.injected or victim.silent
  finally:
    if victim.process.poll() is None:
      victim.process.kill()
