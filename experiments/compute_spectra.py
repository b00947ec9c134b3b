"""Computes harmonic IR and Raman spectra of small molecules with GFN2-xTB (resumable).

  python -m experiments.compute_spectra --shards=SHARDS --target=7000 --limit=9000 \
    --output=spectra_jax/data/computed_vib.npz

Needs the [compute] extra. About 0.3 s a molecule and core; `--limit=100` takes a minute. A run that
was killed goes on when started again with the same flags.
"""

import pathlib

from absl import app, flags, logging

from spectra_jax.data import compute, molecules

SHARDS = flags.DEFINE_string('shards', None, 'folder of finished shards', required=True)
OUTPUT = flags.DEFINE_string('output', None, 'npz to pack; nothing is packed when empty')
LIMIT = flags.DEFINE_integer('limit', None, 'candidates to compute; all when empty')
TARGET = flags.DEFINE_integer('target', None, 'molecules that pass after which to stop')
PROCESSES = flags.DEFINE_integer('processes', None, 'worker processes; one a core when empty')
PACK_ONLY = flags.DEFINE_bool('pack_only', False, 'pack the shards that are there, compute none')


def main(_):
  shards = pathlib.Path(SHARDS.value)
  if not PACK_ONLY.value:
    candidates = molecules.candidates(LIMIT.value)
    passed = compute.run(shards, candidates, TARGET.value, PROCESSES.value)
    logging.info('%d molecules passed', passed)
  if OUTPUT.value:
    refused = compute.pack(shards, pathlib.Path(OUTPUT.value), TARGET.value)
    logging.info('packed %s; refused: %s', OUTPUT.value, refused)


if __name__ == '__main__':
  app.run(main)
