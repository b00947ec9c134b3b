"""Ranks molecules by how well their graphs explain a measured spectrum.

  python -m experiments.retrieve --workdir=runs/retrieval --ir=unknown.jdx
  python -m experiments.retrieve --workdir=runs/retrieval --ir=a.csv --raman=b.csv --smiles=more.smi

The library is every molecule of the run's data set, and the SMILES of --smiles, one a line, which
need not have been measured by anybody; with --library it is kept in a file and grows. The last line
of standard output is one JSON object, also in --output.
"""

import json
import pathlib
import sys
from collections.abc import Sequence
from typing import Any

from absl import app, flags, logging

from experiments import parse_flags
from spectra_jax import library, molecule_search, trained
from spectra_jax.train import Run
from spectra_jax.workdir import write_json_atomic

WORKDIR = flags.DEFINE_string('workdir', None, 'Folder of a run of task retrieval.')
IR = flags.DEFINE_string('ir', None, 'File of one infrared spectrum.')
RAMAN = flags.DEFINE_string('raman', None, 'File of one Raman spectrum of the same sample.')
KIND = flags.DEFINE_string('ir_kind', '', 'absorbance or transmittance; empty: the file says.')
SMILES = flags.DEFINE_string('smiles', None, 'File of further molecules, one SMILES a line.')
TOP = flags.DEFINE_integer('top', 10, 'How many molecules are named.')
LIBRARY = flags.DEFINE_string('library', None, 'Keep the library here (.npz), and start from it.')
OUTPUT = flags.DEFINE_string('output', None, 'JSON file; WORKDIR/retrieved.json if not told.')


def main(argv: list[str]) -> None:
  if len(argv) > 1:
    raise app.UsageError(f'unexpected arguments {argv[1:]}')
  logging.set_verbosity(logging.WARNING)
  try:
    measured = _measured()
    run, params = trained.load(pathlib.Path(WORKDIR.value), ('retrieval',))
    lines = pathlib.Path(SMILES.value).read_text().splitlines() if SMILES.value else ()
    more = [line.split()[0] for line in lines if line.strip()]  # a name may follow
    known = _library(run, params, more)
    point_1xV, told_V = molecule_search.query(run.task, params, measured)
    found = molecule_search.ranking(known, point_1xV, told_V, min(TOP.value, len(known)))
  except (ValueError, OSError, RuntimeError) as error:
    sys.exit(f'error: {error}')
  files = {'ir': IR.value, 'raman': RAMAN.value}
  document = {'measured': files, 'library': len(known), 'ranking': found}
  write_json_atomic(OUTPUT.value or pathlib.Path(WORKDIR.value) / 'retrieved.json', document)
  for one in found:
    print(f'{one["rank"]:3d}  {one["distance"]:8.2f}  {one["id"]}')
  print(json.dumps(document))


def _library(run: Run, params: Any, smiles: Sequence[str]) -> library.Library:
  """That of --library if it is there, or a new one, with these molecules; kept there."""
  there = LIBRARY.value and pathlib.Path(LIBRARY.value).exists()
  known = library.load(LIBRARY.value) if there else None
  found = molecule_search.library(run.task, params, smiles, known)
  if LIBRARY.value and (known is None or len(found) > len(known)):
    found.save(LIBRARY.value)
  return found


def _measured() -> dict:
  """{'ir', 'raman': the spectrum of its file}, those given."""
  spectra = {}
  for wanted, path, kind in (('ir', IR.value, KIND.value), ('raman', RAMAN.value, 'raman')):
    if path:
      found, spectra[wanted] = molecule_search.read(path, kind)
      if found != wanted:
        raise ValueError(f'{path} holds {found}, expected {wanted}; give it as --{found}')
  if not spectra:
    raise ValueError('neither --ir nor --raman was given, expected a file of a spectrum')
  return spectra


if __name__ == '__main__':
  flags.mark_flags_as_required(['workdir'])
  app.run(main, flags_parser=parse_flags)
