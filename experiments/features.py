"""Runs ridge on features of networks on real spectra: pretrained, random, adapted without labels.

  python -m experiments.features --protocols=few_corn_m5_10,few_corn_m5_all \\
    --data_dir=../shared/data --root=runs/spektron_features

Protocols are those of spectra_jax/protocols.py. One folder with a report a protocol, source and
seed (of the random network, the only one that has several); a report that is there is not made
again. The last line of standard output is one JSON object, also in ROOT/features.json.
"""

import json
import os
import pathlib
import sys

os.environ.setdefault('OPENBLAS_NUM_THREADS', '1')

from absl import app, flags

from experiments import parse_flags
from spectra_jax import adaptation, features_report, protocols
from spectra_jax.workdir import write_json_atomic

PROTOCOLS = flags.DEFINE_list('protocols', None, 'Names in spectra_jax/protocols.py.')
SOURCES = flags.DEFINE_list(
  'sources', list(features_report.SOURCES), f'Some of {", ".join(features_report.SOURCES)}.'
)
SEEDS = flags.DEFINE_list('seeds', ['0', '1', '2'], 'Of random networks.')
WEIGHTS = flags.DEFINE_string('weights', adaptation.SHIPPED, 'shipped, a file, or a workdir.')
KIND = flags.DEFINE_string('kind', 'ir', "Which of the weights' kinds the spectra are like.")
DATA_DIR = flags.DEFINE_string('data_dir', None, 'Folder of the folders of all data sets.')
ROOT = flags.DEFINE_string('root', None, 'Folder of all runs; one below it a protocol.')


def main(argv: list[str]) -> None:
  if len(argv) > 1:
    raise app.UsageError(f'unexpected arguments {argv[1:]}')
  root, cells = pathlib.Path(ROOT.value), []
  try:
    found = adaptation.source(WEIGHTS.value)
    for name in PROTOCOLS.value:
      protocol = protocols.load(name, DATA_DIR.value)
      for source in SOURCES.value:
        for seed in map(int, SEEDS.value if source == 'random' else ['0']):
          folder = root / name / f'{source}-seed{seed}'
          asked = (name, protocol, found, KIND.value, source, seed, folder)
          cells.append(summary(folder, features_report.run(*asked)))
          print(json.dumps(cells[-1]), file=sys.stderr, flush=True)
  except (ValueError, OSError) as error:
    sys.exit(f'error: {error}')
  document = {'root': str(root), 'cells': cells}
  write_json_atomic(root / 'features.json', document)
  print(json.dumps(document))


def summary(folder: pathlib.Path, report: dict) -> dict:
  """RMSEP of every target or top-1 accuracy, and the hash of the splits."""
  results = report['results']
  one = 'top1' in results
  score = {'top1': results['top1']['model']} if one else {}
  score |= {} if one else {name: of['rmsep']['model'] for name, of in results.items()}
  return {'run': str(folder), 'score': score, 'split': report['split']['hash']}


if __name__ == '__main__':
  flags.mark_flags_as_required(['protocols', 'data_dir', 'root'])
  app.run(main, flags_parser=parse_flags)
