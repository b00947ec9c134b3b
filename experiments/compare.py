"""Tells how two runs differ: config, versions, data, devices, cost and metrics.

  python -m experiments.compare runs/a runs/b

The last line of standard output is one JSON object, which --output holds as well.
"""

import json
import pathlib
import sys

from absl import app, flags

from experiments import parse_flags
from spectra_jax import comparison
from spectra_jax.workdir import write_json_atomic

OUTPUT = flags.DEFINE_string('output', 'comparison.json', 'File of the JSON object.')


def main(argv: list[str]) -> None:
  if len(argv) != 3:
    raise app.UsageError(f'expected the folders of two runs, got {argv[1:]}')
  try:
    document = comparison.compare(*map(pathlib.Path, argv[1:]))
    write_json_atomic(OUTPUT.value, document)
  except (ValueError, OSError) as error:
    sys.exit(f'error: {error}')
  print(comparison.text(document))
  print(json.dumps(document))


if __name__ == '__main__':
  app.run(main, flags_parser=parse_flags)
