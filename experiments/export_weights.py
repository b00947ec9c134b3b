"""Writes the weights of a finished run as the file that ships, and its model card.

  python -m experiments.export_weights --workdir=runs/pretrain

Takes the newest sound checkpoint. The file is spectra_jax/data/pretrained.npz unless told, its
sha256 lies beside it; the card of that one is docs/model_card.md, another has one where told. The
last line of standard output is one JSON
object.
"""

import json
import os
import pathlib
import sys

os.environ.setdefault('OPENBLAS_NUM_THREADS', '1')

from absl import app, flags, logging

from experiments import parse_flags
from spectra_jax import model_card, weights
from spectra_jax.workdir import write_bytes_atomic

ROOT = pathlib.Path(__file__).parent.parent
WORKDIR = flags.DEFINE_string('workdir', None, 'Folder of the run.')
SHIPPED, SHIPPED_CARD = 'spectra_jax/data/pretrained.npz', 'docs/model_card.md'
OUTPUT = flags.DEFINE_string('output', SHIPPED, 'The file, below ROOT.')
CARD = flags.DEFINE_string(
  'card', None, 'Its model card, below ROOT; of another file none if not told.'
)
STORED = flags.DEFINE_enum('stored', 'float32', weights.STORED, 'Of the numbers in the file.')


def main(argv: list[str]) -> None:
  if len(argv) > 1:
    raise app.UsageError(f'unexpected arguments {argv[1:]}')
  logging.set_verbosity(logging.WARNING)
  path = pathlib.Path(OUTPUT.value)
  try:
    digest, about = model_card.export(pathlib.Path(WORKDIR.value), ROOT / path, STORED.value)
    card = CARD.value or (SHIPPED_CARD if OUTPUT.value == SHIPPED else '')
    if card:
      write_bytes_atomic(ROOT / card, model_card.page(about, path, digest).encode())
  except (ValueError, OSError, RuntimeError) as error:
    sys.exit(f'error: {error}')
  size = (ROOT / path).stat().st_size
  nre = {kind: about['results'][kind]['nre'] for kind in about['kinds']}
  print(json.dumps({'file': str(path), 'bytes': size, 'sha256': digest, 'nre': nre}))


if __name__ == '__main__':
  flags.mark_flags_as_required(['workdir'])
  app.run(main, flags_parser=parse_flags)
