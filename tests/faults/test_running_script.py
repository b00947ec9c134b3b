"""The sbatch script of docs/running.md in a real Slurm, interrupted as by its time limit."""

import json
import os
import pathlib
import re
import subprocess
import sys

import pytest

from tests.faults import test_slurm
from tests.faults.test_slurm import slurm  # noqa: F401  a fixture

ROOT = pathlib.Path(__file__).parent.parent.parent
STEPS = 400
HERE = {  # what this one machine has, and a run that takes a minute
  '--nodes=2': '--nodes=1',
  '--ntasks-per-node=4': '--ntasks-per-node=1',
  '#SBATCH --gpus-per-node=4\n': '',
  '--cpus-per-task=8': '--cpus-per-task=1',
  '--config=configs/pretrain.py': '--config=configs/pretrain.py:tiny '
  f'--config.train.steps={STEPS} --config.train.eval_every={STEPS} --config.checkpoint.every=200 '
  '--config.log.every=10 --config.log.figures=False',
}

pytestmark = pytest.mark.slow


def script(workdir):
  """The one of the documentation, for this machine."""
  (text,) = re.findall(r'```bash\n(#!/bin/bash\n.*?)```', _document(), re.DOTALL)
  for theirs, ours in {**HERE, 'workdir=runs/pretrain': f'workdir={workdir}'}.items():
    assert text.count(theirs) == 1, theirs
    text = text.replace(theirs, ours)
  return text


def _document():
  return (ROOT / 'docs' / 'running.md').read_text()


def test_a_job_that_is_told_to_end_saves_and_comes_back(slurm, tmp_path):  # noqa: F811
  workdir, file = tmp_path / 'run', tmp_path / 'pretrain.sbatch'
  file.write_text(script(workdir))
  path = f'{pathlib.Path(sys.executable).parent}:{os.environ["PATH"]}'
  words = ['sbatch', '--parsable', f'--output={tmp_path}/job.log', '--open-mode=append', str(file)]
  environment = {**os.environ, 'PATH': path, 'JAX_PLATFORMS': 'cpu'}
  done = subprocess.run(
    words, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
  )
  assert done.returncode == 0, done.stderr
  job = done.stdout.strip()
  test_slurm.wait_for_step(workdir, 10)
  subprocess.run(['scancel', '--signal=TERM', job], check=True)  # what --signal=TERM@120 sends
  test_slurm.wait_until((workdir / 'report.json').exists, 'the report')
  log = (tmp_path / 'job.log').read_text()
  assert 'saved; the same command goes on from there' in log
  assert 0 < json.loads((workdir / 'report.json').read_text())['resumed_from'] < STEPS
  lines = [json.loads(line) for line in (workdir / 'metrics.jsonl').read_text().splitlines()]
  steps = [line['step'] for line in lines if 'train/loss' in line]
  assert steps == list(range(10, STEPS + 1, 10))
  test_slurm.wait_until(lambda: not test_slurm.queue(), 'the end of the job')
