"""Evaluates runs that differ by their seed as one model, the mean of what they predict.

  python -m experiments.ensemble --runs='runs/cross/seed=*' --root=runs/ensembles --name=cross

report.json and scores.npz in ROOT/NAME stand in tables as those of a run. A report that is there is
not made again. The last line of standard output is one JSON object.
"""

import glob
import json
import os
import pathlib
import sys

os.environ.setdefault('OPENBLAS_NUM_THREADS', '1')

from absl import app, flags, logging

from experiments import parse_flags
from spectra_jax import ensemble

RUNS = flags.DEFINE_string('runs', None, "Folders of finished runs, as in 'runs/seed=*'.")
ROOT = flags.DEFINE_string('root', None, 'Folder of all ensembles.')
NAME = flags.DEFINE_string('name', 'ensemble', 'Folder of this one.')


def main(argv: list[str]) -> None:
  if len(argv) > 1:
    raise app.UsageError(f'unexpected arguments {argv[1:]}')
  logging.set_verbosity(logging.WARNING)
  found = sorted(glob.glob(f'{RUNS.value}/report.json'))
  if not found:
    sys.exit(f'error: --runs is {RUNS.value!r}, which matches no finished run; correct it')
  try:
    workdirs = [path.parent for path in map(pathlib.Path, found) if path.is_file()]
    document = ensemble.evaluate(workdirs, pathlib.Path(ROOT.value) / NAME.value)
  except (ValueError, OSError, RuntimeError) as error:
    sys.exit(f'error: {error}')
  about = {'members': len(document['members']), 'parameters': document['parameters']}
  print(json.dumps({**document['results'], **about}))


if __name__ == '__main__':
  flags.mark_flags_as_required(['runs', 'root'])
  app.run(main, flags_parser=parse_flags)
