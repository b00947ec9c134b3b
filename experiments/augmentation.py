"""Measures what each augmentation is worth: the gain of cheap methods, in pairs on repeated splits.

  python -m experiments.augmentation --data_dir=../shared/data --output=runs/augmentation

Writes gains.json and table.md into the output folder. The last line of standard output is one JSON
object: study -> regime, split hash, scores without augmentation, gain of each trial.
"""

import json
import os
import pathlib
import sys
import time

os.environ.setdefault('OPENBLAS_NUM_THREADS', '1')

from absl import app, flags

from experiments import parse_flags
from spectra_jax import augmentation_report, augmentation_studies
from spectra_jax.report import provenance, text_table
from spectra_jax.workdir import write_bytes_atomic, write_json_atomic

DATA_DIR = flags.DEFINE_string('data_dir', '../shared/data', 'Folder of the data sets.')
STUDIES = flags.DEFINE_list('studies', list(augmentation_studies.STUDIES), 'Which ones.')
REPEATS = flags.DEFINE_integer('repeats', 20, 'Splits of each study.', lower_bound=2)
COPIES = flags.DEFINE_integer('copies', 4, 'Augmented copies of a training spectrum.', 1)
OUTPUT = flags.DEFINE_string('output', 'runs/augmentation', 'Folder of gains.json and table.md.')


def markdown(rows: list[list[str]]) -> str:
  lines = [f'| {" | ".join(row)} |' for row in rows]
  return '\n'.join([lines[0], '|---' * len(rows[0]) + '|', *lines[1:]])


def main(argv: list[str]) -> None:
  if len(argv) > 1:
    raise app.UsageError(f'unexpected arguments {argv[1:]}')
  folder, started = pathlib.Path(OUTPUT.value), time.monotonic()
  names, data = STUDIES.value, pathlib.Path(DATA_DIR.value)
  measured, pages, document = {}, [], {}
  try:
    loaded = [augmentation_studies.load(name, data) for name in names]  # all, before one is made
    folder.mkdir(parents=True, exist_ok=True)
    for study in loaded:
      found = augmentation_report.measure(study, REPEATS.value, COPIES.value)
      rows = augmentation_report.table(found)
      print(f'{study.name}, gain in {found["gain"]}\n{text_table(rows)}', flush=True)
      about = '{study}: gain in {gain}; {splits} {regime} splits `{split}`'.format(**found)
      pages.append(f'### {about}\n\n{markdown(rows)}\n')
      measured[study.name] = found
      document = {'studies': measured, 'wall_s': round(time.monotonic() - started, 1)}
      document |= provenance()
      write_bytes_atomic(folder / 'table.md', '\n'.join(pages).encode())
      write_json_atomic(folder / 'gains.json', document)  # what is measured is kept
  except (ValueError, OSError) as error:
    sys.exit(f'error: {error}')
  print(json.dumps(document, allow_nan=False))


if __name__ == '__main__':
  app.run(main, flags_parser=parse_flags)
