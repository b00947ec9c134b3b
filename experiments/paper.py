"""Runs what the paper lacks and makes every table and figure of it again.

  python -m experiments.paper --quick --jobs=2 --root=runs/paper_quick --output=paper_quick
  python -m experiments.paper --only=real --data_dir=DATA --jobs=2 --root=runs/paper --output=paper
  python -m experiments.paper --norun --root=experiments/results --output=paper

What configs/paper.py lists. A run that is there is passed over and one that was stopped goes on, so
the same command finishes the paper whatever happened to it. Runs on real spectra whose data set is
not in --data_dir are left out, and their cells are missing unless an earlier call has filled them.
On a cluster give --norun here and the sweeps to `experiments.sweep submit`, with the roots
ROOT/FOLDER that configs/paper.py names.
The last line of standard output is one JSON object with every cell and its interval, also in
OUTPUT/paper.json.
"""

import functools
import json
import os
import pathlib
import sys
import time

from absl import app, flags

from configs import paper as contents
from experiments import parse_flags
from spectra_jax import paper
from spectra_jax.sweeps import local
from spectra_jax.workdir import write_json_atomic

QUICK = flags.DEFINE_bool('quick', False, 'All of it, with models that have learned nothing.')
RUN = flags.DEFINE_bool('run', True, '--norun makes the tables from what is there.')
ONLY = flags.DEFINE_list('only', [], f'Of {", ".join(contents.PARTS)}; all if not told.')
DATA_DIR = flags.DEFINE_string('data_dir', None, 'Folder of the folders of all real data sets.')
ROOT = flags.DEFINE_string('root', None, 'Folder of all runs.')
OUTPUT = flags.DEFINE_string('output', 'paper', 'Folder of tables and figures.')
JOBS = flags.DEFINE_integer('jobs', 1, 'How many runs at a time, each on cores or GPUs of its own.')


def say(text: str) -> None:
  print(text, file=sys.stderr, flush=True)


def run(part: paper.Part, root: pathlib.Path) -> tuple[list[str], list[str]]:
  """Names of runs that have not finished, and of data sets without which some were left out."""
  launch = functools.partial(local.run, shares=local.places(JOBS.value, os.environ), say=say)
  data_dir = pathlib.Path(DATA_DIR.value) if DATA_DIR.value else None
  part, lacking = paper.with_data(part, data_dir)
  if lacking:
    where = f'which are not in {data_dir}' if data_dir else 'for which --data_dir names no folder'
    say(f'left out: runs on {", ".join(lacking)}, {where}')
  root.mkdir(parents=True, exist_ok=True)
  unfinished = paper.run(paper.jobs(part, root, data_dir, say), launch, say)
  return unfinished + paper.studies(part, root, data_dir, say), lacking


def main(argv: list[str]) -> None:
  if len(argv) > 1:
    raise app.UsageError(f'unexpected arguments {argv[1:]}')
  started, root, folder = time.monotonic(), pathlib.Path(ROOT.value), pathlib.Path(OUTPUT.value)
  config, unfinished, lacking = contents.get_config('quick' if QUICK.value else 'full'), [], []
  try:
    part = paper.chosen(config, ONLY.value)
    if RUN.value:
      unfinished, lacking = run(part, root)
    made = paper.tables(part['tables'], root, folder)
  except (ValueError, OSError) as error:
    sys.exit(f'error: {error}')
  total = lambda key: sum(summary[key] for summary in made)
  document = {
    'tables': len(made),
    'cells': total('cells'),
    'missing': total('missing'),
    'lacking_seeds': total('lacking_seeds'),
    'unfinished': unfinished,
    'data_sets_lacking': lacking,
    'wall_s': round(time.monotonic() - started, 1),
    'page': str(folder / paper.PAGE),
    'results': {summary['table']: summary['results'] for summary in made},
  }
  write_json_atomic(folder / 'paper.json', document)
  print(json.dumps(document))
  sys.exit(1 if unfinished else 0)


if __name__ == '__main__':
  flags.mark_flag_as_required('root')
  app.run(main, flags_parser=parse_flags)
