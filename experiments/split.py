"""Says who is on which side: writes the split of a config to a file and looks for leaks in it.

  python -m experiments.split --config=configs/pretrain.py --output=split.json

Lists copies of spectra (also scaled, smoothed or shifted) and groups that are on two sides; with
--strict they are an error, and no file is written. The last line of standard output is one JSON
object: regime, split (its hash), rows a side, copies and groups across sides, copies within one.
"""

import json
import os
import sys
from collections.abc import Mapping
from typing import Any

os.environ.setdefault('OPENBLAS_NUM_THREADS', '1')

from absl import app, flags
from ml_collections import config_flags

from experiments import parse_flags
from spectra_jax import duplicates, leakage, protocols, split_files, storage
from spectra_jax.splits import SIDES, Split

CONFIG = config_flags.DEFINE_config_file('config', None, 'Python file of the experiment.')
OUTPUT = flags.DEFINE_string('output', None, 'File of the split, JSON.')
SHIFT = flags.DEFINE_integer(
  'shift_points', duplicates.SHIFT_POINTS, 'Largest shift of a copy [points of config.axis].'
)
STRICT = flags.DEFINE_bool('strict', False, 'Refuse a split that leaks.')
LISTED = 20  # lines


def main(argv: list[str]) -> None:
  if len(argv) > 1:
    raise app.UsageError(f'unexpected arguments {argv[1:]}')
  try:
    spectra = storage.load(CONFIG.value)
    spectra, split = protocols.configured(CONFIG.value, spectra)
    meta = next(iter(spectra.values())).meta
    found = {k: leakage.check_leakage(split, s, SHIFT.value) for k, s in spectra.items()}
    for leaks in found.values():
      if STRICT.value:
        leaks.refuse()
    split_files.write(OUTPUT.value, split, meta['id'])
  except (ValueError, OSError) as error:
    sys.exit(f'error: {error}')
  for kind, leaks in found.items():
    first, *others = str(leaks).split('\n')
    more = [f'... and {len(others) - LISTED} more'] if len(others) > LISTED else []
    print('\n'.join([f'{kind}: {first}', *others[:LISTED], *more]))
  print(json.dumps(summary(split, found)))


def summary(split: Split, found: Mapping[str, leakage.Leakage]) -> dict[str, Any]:
  """What the last line says; copies are counted over all kinds."""
  rows = dict(zip(SIDES, map(len, split.sides), strict=True))
  count = lambda what: sum(len(getattr(leaks, what)) for leaks in found.values())
  return {
    'regime': split.regime,
    'split': split.hash,
    'rows': rows,
    'copies': count('copies'),
    'groups': len(next(iter(found.values())).groups),
    'within': sum(leaks.within for leaks in found.values()),
    'file': OUTPUT.value,
  }


if __name__ == '__main__':
  flags.mark_flags_as_required(['config', 'output'])
  app.run(main, flags_parser=parse_flags)
