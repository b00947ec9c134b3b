"""Runs classical methods on real spectra: one folder with a report a method and preprocessing.

  python -m experiments.chemometrics --protocols=tecator,corn_m5 --methods=pls,gaussian_process \\
    --data_dir=../shared/data --root=experiments/results/chemometrics

Protocols are those of spectra_jax/protocols.py, methods the files of spectra_jax/chemometrics that
do what they ask, preprocessings those of spectra_jax/chemometrics_report.py. A report that is there
is not made again, so the same command goes on after a stop. Tables of them: configs/tables. The
last line of standard output is one JSON object, also in --output.
"""

import json
import pathlib
import sys

from absl import app, flags

from experiments import parse_flags
from spectra_jax import chemometrics_report, protocols
from spectra_jax.workdir import write_json_atomic

PROTOCOLS = flags.DEFINE_list('protocols', None, 'Names in spectra_jax/protocols.py.')
METHODS = flags.DEFINE_list('methods', None, 'Files of spectra_jax/chemometrics.')
PREPROCESSINGS = flags.DEFINE_list(
  'preprocessings',
  [chemometrics_report.CHOSEN],
  f'{chemometrics_report.CHOSEN} = what PLS likes best inside the training side, or '
  f'{", ".join(chemometrics_report.PREPROCESSINGS)}.',
)
DATA_DIR = flags.DEFINE_string('data_dir', None, 'Folder of the folders of all data sets.')
ROOT = flags.DEFINE_string('root', None, 'Folder of all runs; one below it a protocol.')
OUTPUT = flags.DEFINE_string('output', None, 'JSON file; ROOT/chemometrics.json if not told.')


def main(argv: list[str]) -> None:
  if len(argv) > 1:
    raise app.UsageError(f'unexpected arguments {argv[1:]}')
  root, cells = pathlib.Path(ROOT.value), []
  try:
    for name in PROTOCOLS.value:
      protocol = protocols.load(name, DATA_DIR.value)
      for method in METHODS.value:
        for preprocessing in PREPROCESSINGS.value:
          folder = root / name / f'{method}-{preprocessing}'
          report = chemometrics_report.run(name, protocol, method, preprocessing, folder)
          cells.append(summary(folder, report))
          print(json.dumps(cells[-1]), file=sys.stderr, flush=True)
  except (ValueError, OSError) as error:
    sys.exit(f'error: {error}')
  document = {'root': str(root), 'cells': cells}
  write_json_atomic(OUTPUT.value or root / 'chemometrics.json', document)
  print(json.dumps(document))


def summary(folder: pathlib.Path, report: dict) -> dict:
  """RMSEP of every target or top-1 accuracy, regime and hash of the split, how long it took."""
  results = report['results']
  scores = {'top1': results} if 'top1' in results else results
  name = 'top1' if 'top1' in results else 'rmsep'
  score = {target: round(found[name]['model'], 4) for target, found in scores.items()}
  split = {key: report['split'][key] for key in ('regime', 'hash')}
  return {'run': str(folder), 'score': score, **split, 'wall_s': round(report['wall_s'], 1)}


if __name__ == '__main__':
  flags.mark_flags_as_required(['protocols', 'methods', 'data_dir', 'root'])
  app.run(main, flags_parser=parse_flags)
