"""Trains every run of configs/physics_ablation.py and keeps its report.

  python -m experiments.physics_ablation --workdir=runs/physics_ablation

Runs go one after another, each in a process and a folder of its own.
A run whose report is kept already is passed over and one that was stopped goes on, so the same
command finishes the sweep whatever happened to it. `python -m experiments.readme` makes the tables.
"""

import json
import pathlib
import shutil
import subprocess
import sys
from collections.abc import Mapping

from absl import app, flags

from configs import physics_ablation
from experiments import parse_flags

RESULTS = pathlib.Path(__file__).parent / 'results' / 'physics_ablation'

VARIANT = flags.DEFINE_enum('variant', 'quick', physics_ablation.SIZES, 'Size of the models.')
WORKDIR = flags.DEFINE_string('workdir', None, 'Folder of all runs.')
SEEDS = flags.DEFINE_list('seeds', [str(s) for s in physics_ablation.SEEDS], 'Of these alone.')
OUTPUT = flags.DEFINE_string('output', str(RESULTS), 'Where NAME/report.json, NAME/scores.npz go.')


def execute(variant: str, overrides: Mapping, run: str) -> None:
  """One run, through the binary that anybody would train it with; --output gets its report."""
  kept, workdir = pathlib.Path(OUTPUT.value) / run / 'report.json', f'{WORKDIR.value}/{run}'
  if kept.exists():
    return print(f'{run}: kept already', flush=True)
  config = f'--config=configs/physics_ablation.py:{variant}'
  changes = [f'--config.{key}={value}' for key, value in overrides.items()]
  command = [sys.executable, '-m', 'experiments.train', config, f'--workdir={workdir}', *changes]
  print(' '.join(command[1:]), flush=True)
  subprocess.run(command, check=True)
  kept.parent.mkdir(parents=True, exist_ok=True)
  for name in ('scores.npz', 'report.json'):  # the report last: with it the run counts as kept
    shutil.copy(f'{workdir}/{name}', kept.parent)


def main(argv: list[str]) -> None:
  if len(argv) > 1:
    raise app.UsageError(f'unexpected arguments {argv[1:]}')
  variants = (VARIANT.value, f'paired-{VARIANT.value}')
  rows = [(v, overrides) for v in variants for overrides in physics_ablation.sweep(v)]
  runs = []
  for variant, overrides in rows:
    if str(overrides['seed']) in SEEDS.value:
      runs.append(physics_ablation.name(variant, overrides))
      execute(variant, overrides, runs[-1])
  print(json.dumps({'runs': runs}))


if __name__ == '__main__':
  flags.mark_flag_as_required('workdir')
  app.run(main, flags_parser=parse_flags)
