"""A minute of chaos on a real run, and the same on one that no longer checks what it reads."""

import json
import random
import signal
import subprocess
import sys
import time

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
  words = (*WORDS, '--config.train.steps=2000', f'--workdir={tmp_path}/run')
  place = chaos.Place(tmp_path / 'run', (sys.executable, '-c', BLIND, *words), None, '')
  victim = chaos.Victim(place, random.Random(1))
  victim.start()
  while len(victim.sealed()) < 2 and victim.process.poll() is None:
    time.sleep(0.02)
  assert victim.end(signal.SIGKILL) == -signal.SIGKILL
  survived = faults.bit_flipped(victim)
  while survived and not victim.silent:  # killed before it had restored anything
    survived = faults.killed(victim)
  assert survived is False
