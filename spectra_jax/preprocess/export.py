"""A fitted pipeline as a StableHLO program, which runs without the code of its steps.

The program is in a JSON file beside what it takes and gives, with golden spectra and their results,
as in `document`. Any runtime of StableHLO can take it: 'program' is base64 of jax.export's bytes.
"""

import base64
import dataclasses
import functools
import hashlib
import os
import pathlib
from collections.abc import Callable, Sequence

import jax
import jax.export
import numpy as np

from spectra_jax.preprocess import chunks, codec
from spectra_jax.preprocess.document import check_format, read
from spectra_jax.preprocess.golden import Golden, check_golden, here
from spectra_jax.preprocess.pipeline import Fitted
from spectra_jax.preprocess.signal import Signal
from spectra_jax.workdir import write_json_atomic

FORMAT = 'spectra_jax preprocessing as StableHLO, version 1'


@dataclasses.dataclass(frozen=True, eq=False)
class Program(chunks.Chunked):
  """A pipeline of which only the compiled function is known; it is applied as `Fitted` is."""

  serialised: bytes
  signal: Signal
  out: Signal
  dtype: str
  chunk: int

  def __call__(self, values_BxL: jax.Array) -> jax.Array:
    """[chunk, L] -> [chunk, M] in `dtype`; pure, but for this number of rows only."""
    return self._exported.call(values_BxL)

  @functools.cached_property
  def _exported(self) -> jax.export.Exported:
    return jax.export.deserialize(bytearray(self.serialised))

  @functools.cached_property
  def program(self) -> Callable[[np.ndarray], jax.Array]:
    return chunks.compiled(self.__call__, self.signal, self.dtype, self.chunk)

  @functools.cached_property
  def digest(self) -> str:
    return hashlib.sha256(self.serialised).hexdigest()


def to_json(fitted: Fitted, platforms: Sequence[str]) -> dict:
  """The document; `platforms` are some of 'cpu', 'cuda', 'rocm', 'tpu'."""
  return {
    'format': FORMAT,
    'written': here(),
    'dtype': fitted.dtype,
    'chunk': fitted.chunk,
    'signal': codec.encode_signal(fitted.signal),
    'out': codec.encode_signal(fitted.out),
    'program': base64.b64encode(_serialise(fitted, platforms)).decode(),
    'golden': codec.encode(fitted.golden_GxL),
    'result': codec.encode(fitted.transform(fitted.golden_GxL)),
  }


def from_json(document: dict, tolerance: float = 0.0) -> Program:
  """The program of `to_json`, once its golden spectra gave their results again.

  Raises:
    ValueError: not such a document, or results that differ by more than `tolerance` of the largest.
  """
  check_format(document, FORMAT)
  program = Program(
    base64.b64decode(document['program']),
    codec.decode_signal(document['signal']),
    codec.decode_signal(document['out']),
    document['dtype'],
    document['chunk'],
  )
  golden = Golden(codec.decode(document['golden']), codec.decode(document['result']))
  check_golden(program, golden, tolerance, document['written'])
  return program


def save(fitted: Fitted, path: str | os.PathLike, platforms: Sequence[str] = ('cpu',)) -> None:
  """Writes the file whole or not at all."""
  write_json_atomic(pathlib.Path(path), to_json(fitted, platforms))


def load(path: str | os.PathLike, tolerance: float = 0.0) -> Program:
  """Reads a file of `save`; arguments and errors as `from_json`."""
  return from_json(read(path), tolerance)


def _serialise(fitted: Fitted, platforms: Sequence[str]) -> bytes:
  with jax.enable_x64(fitted.dtype == 'float64'):
    shape = jax.ShapeDtypeStruct((fitted.chunk, len(fitted.signal.axis)), fitted.dtype)
    return bytes(jax.export.export(jax.jit(fitted), platforms=platforms)(shape).serialize())
