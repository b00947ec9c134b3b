"""Runs a script of percent cells and writes it down with what it prints and draws.

  python -m experiments.render --script=docs/tour.py

Writes docs/tour.md and docs/tour_1.png, ... beside the script. The last line of standard output is
one JSON object.
"""

import json
import os
import pathlib
import sys

os.environ.setdefault('OPENBLAS_NUM_THREADS', '1')

from absl import app, flags, logging

from experiments import parse_flags
from spectra_jax import notebook
from spectra_jax.workdir import write_bytes_atomic

SCRIPT = flags.DEFINE_string('script', None, 'The script.')
FOLDER = flags.DEFINE_string('folder', None, 'Of what is written; that of the script if not told.')


def main(argv: list[str]) -> None:
  if len(argv) > 1:
    raise app.UsageError(f'unexpected arguments {argv[1:]}')
  logging.set_verbosity(logging.WARNING)
  path = pathlib.Path(SCRIPT.value)
  folder = pathlib.Path(FOLDER.value or path.parent)
  try:
    page, figures = notebook.render(path, folder)
  except (ValueError, OSError) as error:
    sys.exit(f'error: {error}')
  output = folder / f'{path.stem}.md'
  write_bytes_atomic(output, page.encode())
  print(
    json.dumps(
      {'page': str(output), 'figures': figures, 'cells': len(notebook.cells(path.read_text()))}
    )
  )


if __name__ == '__main__':
  flags.mark_flags_as_required(['script'])
  app.run(main, flags_parser=parse_flags)
