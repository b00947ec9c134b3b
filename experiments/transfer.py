"""Reads what the linear layers of a trained run do along the axis: poles, zeros, gain.

  python -m experiments.transfer --workdir=runs/quick

Takes the config and the newest sound checkpoint of the workdir and writes figures/transfer.png
there. Of a layer along wavenumbers a pole reads as period and decay length in cm^-1 ALONG the axis
(not as a band); of backbone `interferogram` as a line, nu0 and gamma in cm^-1. The last line of
standard output is one JSON object: what_the_numbers_are, and layers -> these numbers, the zeros of
one channel alike, and gain_db at the ripples (or wavenumbers) `at_cm`. null stands for infinity.
"""

import json
import os
import pathlib
import sys

os.environ.setdefault('OPENBLAS_NUM_THREADS', '1')

from absl import app, flags, logging

from experiments import parse_flags
from spectra_jax import transfer_report

WORKDIR = flags.DEFINE_string('workdir', None, 'Folder of the run.')
CHANNELS = flags.DEFINE_list('channels', ['0', '0'], 'Out of and into a layer: whose zeros.')


def main(argv: list[str]) -> None:
  if len(argv) > 1:
    raise app.UsageError(f'unexpected arguments {argv[1:]}')
  logging.set_verbosity(logging.WARNING)
  try:
    document = transfer_report.read(pathlib.Path(WORKDIR.value), *map(int, CHANNELS.value))
  except (ValueError, OSError, RuntimeError) as error:
    sys.exit(f'error: {error}')
  print(f'{document["what_the_numbers_are"]}: {document["figure"]}')
  print(json.dumps(document, allow_nan=False))


if __name__ == '__main__':
  flags.register_validator(
    'channels',
    lambda given: len(given) == 2 and all(map(str.isdigit, given)),
    'expected two channel numbers, out and in, as 0,0',
  )
  flags.mark_flags_as_required(['workdir'])
  app.run(main, flags_parser=parse_flags)
