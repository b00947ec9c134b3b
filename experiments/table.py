"""Makes tables of configs/tables from the reports of runs.

  python -m experiments.table --tables=pretrain --runs=experiments/results --output=tables

Each one becomes NAME.md, .csv, .tex, .png and .json in the output folder; numbers link to the
folders of their runs. The last line of standard output is one JSON object.
"""

import json
import pathlib
import sys

from absl import app, flags

from experiments import parse_flags
from spectra_jax.tables import cells, output, spec
from spectra_jax.workdir import write_json_atomic

TABLES = flags.DEFINE_list('tables', None, 'Names in configs/tables.')
RUNS = flags.DEFINE_string('runs', 'experiments/results', 'Folder of all runs.')
OUTPUT = flags.DEFINE_string('output', 'tables', 'Folder of the tables.')


def main(argv: list[str]) -> None:
  if len(argv) > 1:
    raise app.UsageError(f'unexpected arguments {argv[1:]}')
  folder, made = pathlib.Path(OUTPUT.value), []
  try:
    tables = [spec.load(name) for name in TABLES.value]  # all are checked before one is made
    for table in tables:
      lines = cells.build(table, pathlib.Path(RUNS.value))
      made.append(output.write(table, lines, folder))
      print(output.markdown(table, lines, folder), flush=True)
  except (ValueError, OSError) as error:
    sys.exit(f'error: {error}')
  total = lambda key: sum(summary[key] for summary in made)
  document = {'tables': made, 'cells': total('cells'), 'missing': total('missing')}
  write_json_atomic(folder / 'tables.json', document)
  print(json.dumps(document))


if __name__ == '__main__':
  flags.mark_flag_as_required('tables')
  app.run(main, flags_parser=parse_flags)
