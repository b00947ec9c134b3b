"""Splits as files: who is on which side by name, so that others get the same."""

import json
import os
import pathlib

import numpy as np

from spectra_jax.splits import SIDES, Split, check_unique, digest, row_hash
from spectra_jax.workdir import write_json_atomic


def write(path: str | os.PathLike, split: Split, ids: np.ndarray) -> None:
  """JSON with the ids of every side, regime, hash, what decided the split, and a checksum.

  Raises:
    ValueError: ids that are not unique or not those of this split, or a nested split, which is
      made again from its outer one.
  """
  ids = np.asarray(ids)
  check_unique(ids)
  there = max(map(np.max, filter(len, split.sides))) < len(ids)
  if not there or row_hash(ids, split.sides, split.regime) != split.hash:
    raise ValueError(
      f'split {split.hash} is not of these {len(ids)} ids, expected those that it was made of '
      '(and no nested split: write the outer one); give meta["id"] of the same spectra'
    )
  named = zip(SIDES, split.sides, strict=True)
  document = {
    'regime': split.regime,
    'hash': split.hash,
    'made': dict(split.made),
    **{side: [str(ids[i]) for i in rows] for side, rows in named},
  }
  write_json_atomic(path, document | {'checksum': digest(document)})


def read(path: str | os.PathLike, ids: np.ndarray) -> Split:
  """The split of a file, as rows of these ids; more ids may be there, in any order.

  Raises:
    FileNotFoundError: no such file.
    ValueError: it is no file of a split, it was changed, or it names ids that are not there.
  """
  path, ids = pathlib.Path(path), np.asarray(ids)
  check_unique(ids)
  document = _checked(path)
  row_of = {str(name): row for row, name in enumerate(ids)}
  lacking = [name for side in SIDES for name in document[side] if name not in row_of]
  if lacking:
    raise ValueError(
      f'{path} names {len(lacking)} ids that the data do not have, the first is {lacking[0]!r}; '
      'expected the data that were split; load all of them, in their version'
    )
  rows = [np.array([row_of[name] for name in document[side]], int) for side in SIDES]
  return Split(*rows, document['regime'], document['hash'], document['made'])


def _checked(path: pathlib.Path) -> dict:
  """The document of a file of `write` that nobody has changed."""
  try:
    document = json.loads(path.read_text())
    checksum, sides = document.pop('checksum'), [document[side] for side in SIDES]
    hashed = digest([document['regime'], sides])
    whole = digest(document) == checksum and hashed == document['hash'] and 'made' in document
  except (ValueError, KeyError, TypeError, AttributeError) as error:
    raise ValueError(
      f'{path} is no file of a split ({type(error).__name__}: {error}); expected what '
      'split_files.write wrote; make it again'
    ) from None
  if not whole:
    raise ValueError(
      f'{path} was changed: it says split {document["hash"]} and does not hash to it; expected the '
      'file as it was written; restore it, or make another split'
    )
  return document
