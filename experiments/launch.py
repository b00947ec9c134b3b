"""Trains in several processes on one machine, and starts all of them again when one dies.

  python -m experiments.launch --processes=2 -- --config=configs/pretrain.py:quick --workdir=runs/a

What follows `--` goes to experiments.train, whose output this is. With --processes=1 it brings a
run back after a crash, which is the one to use on a machine with GPUs: one process drives them all.
"""

import sys

from absl import app, flags

from spectra_jax.supervise import supervise

PROCESSES = flags.DEFINE_integer('processes', 1, 'How many; the cores are dealt out to them.')
PATIENCE = flags.DEFINE_integer('patience', 3, 'Attempts in a row without a new checkpoint.')


def main(argv: list[str]) -> None:
  words = argv[1:]
  workdirs = [word.removeprefix('--workdir=') for word in words if word.startswith('--workdir=')]
  if len(workdirs) != 1:
    sys.exit(
      f'error: {words} has {len(workdirs)} --workdir=; expected one, after `--` with the '
      'other flags of experiments.train'
    )
  command = [sys.executable, '-m', 'experiments.train', *words]
  try:
    code = supervise(command, workdirs[0], PROCESSES.value, PATIENCE.value)
  except ValueError as error:
    sys.exit(f'error: {error}')
  sys.exit(1 if code < 0 else code)


if __name__ == '__main__':
  app.run(main)
