"""Evaluates finished runs again, as this code does, without training.

  python -m experiments.evaluate --runs='runs/cross/seed=*'

For runs whose training is older than what they are judged by: other intervals, scores or baselines.
Of report.json the results are new and 'evaluated' says by which commit; what training was stays.
scores.npz is new as well. The last line of standard output is one JSON object.
"""

import glob
import json
import os
import pathlib
import sys

os.environ.setdefault('OPENBLAS_NUM_THREADS', '1')

from absl import app, flags, logging

from experiments import parse_flags
from spectra_jax import trained

RUNS = flags.DEFINE_string('runs', None, "Folders of finished runs, as in 'runs/seed=*'.")


def main(argv: list[str]) -> None:
  if len(argv) > 1:
    raise app.UsageError(f'unexpected arguments {argv[1:]}')
  logging.set_verbosity(logging.WARNING)
  workdirs = [path for path in map(pathlib.Path, sorted(glob.glob(RUNS.value))) if path.is_dir()]
  if not workdirs:
    sys.exit(f'error: --runs is {RUNS.value!r}, which matches no folder; expected those of runs')
  results = {}
  for workdir in workdirs:
    try:
      results[str(workdir)] = trained.evaluate(workdir)['results']
    except (ValueError, OSError, RuntimeError) as error:
      sys.exit(f'error: {error}')
    print(f'evaluated {workdir}', file=sys.stderr, flush=True)
  print(json.dumps(results))


if __name__ == '__main__':
  flags.mark_flag_as_required('runs')
  app.run(main, flags_parser=parse_flags)
