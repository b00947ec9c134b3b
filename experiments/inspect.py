"""Tells what spectral files hold: axis, unit, kind, resolution, SNR, what looks wrong; draws them.

  python -m experiments.inspect caffeine.jdx
  python -m experiments.inspect monday/*.spc run7.csv --axis_unit=nm --kind=%R

JCAMP-DX, SPC, OPUS, WDF, RRUFF text, CSV, Matlab, and zips of them. Units that a file does not
state are told by --axis_unit and --kind, never guessed. Writes a PNG for each file and inspect.json
to --output_dir. The last line of standard output is one JSON object: of one file `file`, `kind`,
`axis_unit`, `points`, `axis`, `step`, `spectra`, `resolution` (of the narrowest bands, in the unit
of the axis), `snr`, `warnings`, ... and `blocks` where it has several axes; of several files
{"files": [...]}, where one that cannot be read has `file` and `error` (and the exit status is 1).
"""

import json
import os
import pathlib
import sys

os.environ.setdefault('OPENBLAS_NUM_THREADS', '1')

from absl import app, flags

from experiments import parse_flags
from spectra_jax import inspection, readers
from spectra_jax.readers.limits import LIMITS, MIB, Limits
from spectra_jax.report import text_table
from spectra_jax.workdir import write_json_atomic

AXIS_UNIT = flags.DEFINE_string('axis_unit', '', 'cm^-1, nm, um or index; "" = as the file says.')
KIND = flags.DEFINE_string('kind', '', 'absorbance, %T, raman, ...; "" = as the file says.')
OUTPUT = flags.DEFINE_string('output_dir', 'runs/inspect', 'Folder for figures and inspect.json.')
LARGEST = flags.DEFINE_float('max_mib', LIMITS.file_bytes / MIB, 'Largest file [MiB].')


def main(argv: list[str]) -> None:
  if len(argv) < 2:
    raise app.UsageError('give one file or more')
  folder, names = pathlib.Path(OUTPUT.value), _names(argv[1:])
  results = [_inspect(folder, *item) for item in zip(names, argv[1:], strict=True)]
  if len(results) == 1 and 'error' in results[0]:
    sys.exit(f'error: {results[0]["error"]}')
  document = results[0] if len(results) == 1 else {'files': results}
  folder.mkdir(parents=True, exist_ok=True)
  write_json_atomic(folder / 'inspect.json', document)
  print(text_table([inspection.HEADER, *(inspection.row(r) for r in results if 'kind' in r)]))
  for result in results:
    for said in result.get('warnings', [f'error: {result.get("error")}']):
      print(f'{pathlib.Path(result["file"]).name}: {said}')
  print(f'{folder}: {", ".join(r["figure"] for r in results if "figure" in r)}, inspect.json')
  print(json.dumps(document, allow_nan=False))
  if any('error' in result for result in results):
    sys.exit(1)


def _names(paths: list[str]) -> list[str]:
  """What the figures are called: the files' names, numbered where two have the same."""
  names = [pathlib.Path(path).name for path in paths]
  return [f'{i}_{name}' if names.count(name) > 1 else name for i, name in enumerate(names)]


def _inspect(folder: pathlib.Path, name: str, path: str) -> dict:
  limits = Limits(file_bytes=int(LARGEST.value * MIB))
  try:
    found = readers.read(path, axis_unit=AXIS_UNIT.value, kind=KIND.value, limits=limits)
  except (ValueError, OSError) as error:
    return {'file': path, 'error': str(error)}
  document = inspection.document(path, found)
  return {**document, 'figure': inspection.save(folder, name, found).name}


if __name__ == '__main__':
  app.run(main, flags_parser=parse_flags)
