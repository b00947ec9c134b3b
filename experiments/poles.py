"""Reports what training did to the poles of linear layers: further than seeds differ, and where to.

  python -m experiments.sweep run --config=configs/spektron_poles.py \\
    --root=runs/spektron_poles/fringes
  python -m experiments.poles --runs='runs/spektron_poles/fringes/*' \\
    --root=runs/spektron_pole_reports

Runs that differ by their seed alone make one report, ROOT/NAME/report.json, which the table
spektron_poles reads, and poles.png. The last line of standard output is one JSON object, also in
ROOT/poles.json.
"""

import glob
import json
import os
import pathlib
import sys

os.environ.setdefault('OPENBLAS_NUM_THREADS', '1')

from absl import app, flags, logging

from experiments import parse_flags
from spectra_jax import pole_report
from spectra_jax.workdir import write_json_atomic

RUNS = flags.DEFINE_string('runs', None, 'Glob of the folders of the runs.')
ROOT = flags.DEFINE_string('root', None, 'Folder of the reports.')


def main(argv: list[str]) -> None:
  if len(argv) > 1:
    raise app.UsageError(f'unexpected arguments {argv[1:]}')
  logging.set_verbosity(logging.WARNING)
  folders = [pathlib.Path(x).parent for x in sorted(glob.glob(f'{RUNS.value}/report.json'))]
  root = pathlib.Path(ROOT.value)
  if not folders:
    sys.exit(f'error: --runs={RUNS.value} matches no finished run; expected folders of some')
  try:
    found = pole_report.write([pole_report.read(folder) for folder in folders], root)
  except (ValueError, OSError, RuntimeError) as error:
    sys.exit(f'error: {error}')
  document = {'runs': len(folders), 'groups': found}
  write_json_atomic(root / 'poles.json', document)
  print(json.dumps(document))


if __name__ == '__main__':
  flags.mark_flags_as_required(['runs', 'root'])
  app.run(main, flags_parser=parse_flags)
