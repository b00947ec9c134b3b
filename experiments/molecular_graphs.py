"""Writes the graphs and functional groups of the molecules that ship with the package.

  python -m experiments.molecular_graphs --output=spectra_jax/data/computed_graphs.npz

Needs rdkit (the [compute] extra). The last line of standard output is one JSON object, also
OUTPUT with the suffix .json.
"""

import json
import pathlib
import sys

from absl import app, flags

from experiments import parse_flags
from spectra_jax import functional_groups, graphs
from spectra_jax.datasets import computed
from spectra_jax.workdir import write_json_atomic

OUTPUT = flags.DEFINE_string('output', None, 'The .npz file.')


def main(argv: list[str]) -> None:
  if len(argv) > 1:
    raise app.UsageError(f'unexpected arguments {argv[1:]}')
  try:
    found = graphs.of_smiles(computed.load_lines().smiles)
    sha256 = graphs.save(found, OUTPUT.value)
  except (ValueError, OSError) as error:
    sys.exit(f'error: {error}')
  having = dict(zip(functional_groups.NAMES, found.groups.sum(0).tolist(), strict=True))
  document = {'molecules': len(found), 'atoms': len(found.element), 'groups': having}
  document |= {'sha256': sha256}
  write_json_atomic(pathlib.Path(OUTPUT.value).with_suffix('.json'), document)
  print(json.dumps(document))


if __name__ == '__main__':
  flags.mark_flags_as_required(['output'])
  app.run(main, flags_parser=parse_flags)
