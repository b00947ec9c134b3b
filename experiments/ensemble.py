"""Evaluates runs that differ by their seed as one model, the mean of what they predict.

  python -m experiments.ensemble --workdirs='runs/cross/seed=*' --output=runs/cross_ensemble

report.json and scores.npz in the output folder stand in tables as those of a run. The last line of
standard output is one JSON object.
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

WORKDIRS = flags.DEFINE_string('workdirs', None, "Folders of finished runs, as in 'runs/seed=*'.")
OUTPUT = flags.DEFINE_string('output', None, 'Folder of the report.')


def main(argv: list[str]) -> None:
  if len(argv) > 1:
    raise app.UsageError(f'unexpected arguments {argv[1:]}')
  logging.set_verbosity(logging.WARNING)
  try:
    workdirs = [pathlib.Path(path) for path in sorted(glob.glob(WORKDIRS.value))]
    document = ensemble.evaluate(workdirs, pathlib.Path(OUTPUT.value))
  except (ValueError, OSError, RuntimeError) as error:
    sys.exit(f'error: {error}')
  about = {'members': len(document['members']), 'parameters': document['parameters']}
  print(json.dumps({**document['results'], **about}))


if __name__ == '__main__':
  flags.mark_flags_as_required(['workdirs', 'output'])
  app.run(main, flags_parser=parse_flags)
