"""A fitted pipeline as a JSON file that holds itself to its results.

The file has the steps, their constants with every bit, what they were fitted on, and golden spectra
with their results. Reading it computes these again: it gives the same bits or says that it does
not. No spectrum that was measured is in it, but the constants may be training means.
"""

import json
import os
import pathlib

from spectra_jax.preprocess import chunks, codec
from spectra_jax.preprocess.golden import Golden, check_golden, here
from spectra_jax.preprocess.pipeline import Fitted
from spectra_jax.workdir import write_json_atomic

FORMAT = 'spectra_jax preprocessing, version 1'


def to_json(fitted: Fitted) -> dict:
  """The document, of JSON's own types."""
  steps = zip(fitted.steps, fitted.constants, strict=True)
  return {
    'format': FORMAT,
    'written': here(),
    'dtype': fitted.dtype,
    'chunk': fitted.chunk,
    'signal': codec.encode_signal(fitted.signal),
    'steps': [codec.encode_step(*pair) for pair in steps],
    'golden': codec.encode(fitted.golden_GxL),
    'result': codec.encode(fitted.transform(fitted.golden_GxL)),
  }


def from_json(document: dict, tolerance: float = 0.0) -> Fitted:
  """The pipeline of `to_json`, once its golden spectra gave their results again.

  Args:
    document: as written.
    tolerance: largest difference over the largest result; 0 = the same bits, which another
      processor or version of jax need not give.

  Raises:
    ValueError: not such a document, a step that is not there, or other results.
  """
  check_format(document, FORMAT)
  pairs = [codec.decode_step(step) for step in document['steps']]
  signal, golden = codec.decode_signal(document['signal']), codec.decode(document['golden'])
  steps, constants = tuple(step for step, _ in pairs), tuple(known for _, known in pairs)
  chunks.check_chunk(document['chunk'], document['dtype'])
  fitted = Fitted(steps, constants, signal, document['dtype'], document['chunk'], golden)
  wanted = Golden(golden, codec.decode(document['result']))
  check_golden(fitted, wanted, tolerance, document['written'])
  return fitted


def save(fitted: Fitted, path: str | os.PathLike) -> None:
  """Writes the file whole or not at all."""
  write_json_atomic(pathlib.Path(path), to_json(fitted))


def load(path: str | os.PathLike, tolerance: float = 0.0) -> Fitted:
  """Reads a file of `save`; arguments and errors as `from_json`."""
  return from_json(read(path), tolerance)


def read(path: str | os.PathLike) -> dict:
  """The document in a file.

  Raises:
    ValueError: it is no JSON.
  """
  try:
    return json.loads(pathlib.Path(path).read_bytes())
  except ValueError as error:
    raise ValueError(f'{path} is no JSON ({error}); give a file as it was written') from None


def check_format(document: dict, wanted: str) -> None:
  """Raises a ValueError unless the document is of this format."""
  found = document.get('format') if isinstance(document, dict) else type(document).__name__
  if found != wanted:
    raise ValueError(
      f'the document has format {found!r}, expected {wanted!r}; give a file written by this package'
    )
