"""Draws the scaling curves of the table spektron_scaling.

  python -m experiments.scaling --root=experiments/results --output=docs

spektron_scaling.png in the output folder: error against training molecules and against parameters.
The last line of standard output is one JSON object, which spektron_scaling.json holds as well.
"""

import json
import pathlib
import sys

from absl import app, flags

from experiments import parse_flags
from spectra_jax import figures, scaling_curves
from spectra_jax.tables import cells, spec
from spectra_jax.workdir import write_json_atomic

NAME = 'spektron_scaling'
ROOT = flags.DEFINE_string('root', 'experiments/results', 'Folder of all runs.')
OUTPUT = flags.DEFINE_string('output', 'docs', 'Folder of the figure.')


def main(argv: list[str]) -> None:
  if len(argv) > 1:
    raise app.UsageError(f'unexpected arguments {argv[1:]}')
  folder = pathlib.Path(OUTPUT.value)
  try:
    lines = cells.build(spec.load(NAME), pathlib.Path(ROOT.value))
    panels = {
      'Training molecules': scaling_curves.against_molecules(lines),
      'Parameters': scaling_curves.against_parameters(lines),
    }
    folder.mkdir(parents=True, exist_ok=True)
    figures.scaling(panels).savefig(folder / f'{NAME}.png', dpi=150)
    document = {'figure': str(folder / f'{NAME}.png'), 'curves': panels}
    write_json_atomic(folder / f'{NAME}.json', document)
  except (ValueError, OSError) as error:
    sys.exit(f'error: {error}')
  print(json.dumps(document))


if __name__ == '__main__':
  app.run(main, flags_parser=parse_flags)
