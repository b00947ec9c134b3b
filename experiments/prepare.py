"""Gets a data set ready: downloads or takes its files, verifies, converts.

  python -m experiments.prepare optical_constants --data_dir=data
  python -m experiments.prepare corn --data_dir=data --source=~/Downloads/corn.mat
  python -m experiments.prepare folder --data_dir=data --source=my_spectra

Then --config.dataset.corn.path=data/corn trains on it, and `datasets.corn.read('data/corn')` reads
it. --format=tfds writes a tensorflow_datasets data set (array_record) instead. The last line of
standard output is one JSON object, also in DATA_DIR/NAME.json.
"""

import json
import pathlib
import sys

from absl import app, flags

from experiments import parse_flags
from spectra_jax.prepare import FORMATS, prepare
from spectra_jax.workdir import write_json_atomic

DATA_DIR = flags.DEFINE_string('data_dir', None, 'Folder of prepared data sets.')
SOURCE = flags.DEFINE_string(
  'source', '', "Its files, where they are not downloaded; '' = they are."
)
FORMAT = flags.DEFINE_enum('format', FORMATS[0], FORMATS, 'What is written.')


def main(argv: list[str]) -> None:
  if len(argv) != 2:
    raise app.UsageError('expected the name of one data set: python -m experiments.prepare NAME')
  try:
    made = prepare(argv[1], DATA_DIR.value, SOURCE.value, FORMAT.value)
  except (OSError, ValueError) as error:
    sys.exit(f'error: {error}')
  write_json_atomic(pathlib.Path(DATA_DIR.value).expanduser() / f'{argv[1]}.json', made)
  print(json.dumps(made))


if __name__ == '__main__':
  flags.mark_flag_as_required('data_dir')
  app.run(main, flags_parser=parse_flags)
