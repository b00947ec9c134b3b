"""Rows through a compiled program of one fixed shape, so that a row's bits do not depend on others.

The last chunk is filled up with copies of its first row. One spectrum alone, or any number of them,
then runs through the very same machine code as it does inside a batch. A program must treat rows
apart and the same at every place in a chunk: steps are written with sums along a row and without
matrix products, whose order of summation a library may choose by the place.
"""

import abc
import dataclasses
import functools
import hashlib
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import jax
import numpy as np

from spectra_jax.preprocess.signal import Signal
from spectra_jax.shards import Sharded
from spectra_jax.spectra import Spectra

CHUNK = 256  # rows; at 1,000 points 1 MB, which stays in a cache; `experiments.bench preprocess`
LANES = 16  # a chunk is whole vector registers, so that no row falls into the rest of a loop
DTYPES = ('float32', 'float64')


class Chunked(abc.ABC):
  """What `Fitted` and an imported program have in common: how they are applied on the host."""

  signal: Signal  # what it takes
  out: Signal  # what it gives
  dtype: str  # of the arithmetic
  chunk: int

  @property
  @abc.abstractmethod
  def program(self) -> Callable[[np.ndarray], jax.Array]:
    """[chunk, L] -> [chunk, M], compiled."""

  @property
  @abc.abstractmethod
  def digest(self) -> str:
    """sha256 of all that decides the results."""

  def __getstate__(self) -> dict:
    """The fields; what was compiled from them does not leave the process."""
    return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

  def transform(self, values_NxL: np.ndarray | Sharded) -> np.ndarray:
    """[N, L] -> [N, M] in `dtype`, chunk by chunk on all cores.

    Raises:
      ValueError: another number of points, or a result that is not finite.
    """
    points = len(self.signal.axis)
    if values_NxL.ndim != 2 or values_NxL.shape[1] != points:
      raise ValueError(
        f'values have shape {values_NxL.shape}, expected [N, {points}] as the pipeline was fitted; '
        'resample them, or fit another pipeline'
      )
    result = np.empty((len(values_NxL), len(self.out.axis)), self.dtype)
    one = functools.partial(_one, self.program, values_NxL, result, self.chunk)
    with ThreadPoolExecutor(_cores()) as pool:
      list(pool.map(one, range(0, len(result), self.chunk)))
    return result

  def apply(self, spectra: Spectra) -> Spectra:
    """The spectra after all steps, stored in float32; meta goes with them.

    Raises:
      ValueError: not the axis, kind or state that the pipeline was fitted on, points that were not
        measured, or a result that is not finite.
    """
    check_same(self.signal, Signal.of(spectra))
    check_measured(spectra)
    values = self.transform(spectra.values).astype(np.float32)
    return Spectra(
      values,
      self.out.axis,
      self.out.axis_unit,
      self.out.kind,
      self.out.state,
      np.broadcast_to(np.True_, values.shape),
      spectra.meta,
      hashlib.sha256(f'{spectra.source} {self.digest}'.encode()).hexdigest(),
    )


def compiled(function: Callable, signal: Signal, dtype: str, chunk: int) -> Callable:
  """`function` compiled for chunks of these spectra."""
  with jax.enable_x64(dtype == 'float64'):
    shape = jax.ShapeDtypeStruct((chunk, len(signal.axis)), dtype)
    return jax.jit(function).lower(shape).compile()


def check_chunk(chunk: int, dtype: str) -> None:
  """Raises a ValueError on a chunk or a precision that no program is made for."""
  if dtype not in DTYPES:
    raise ValueError(f'pipeline.dtype is {dtype!r}, expected one of {", ".join(DTYPES)}')
  if chunk < LANES or chunk % LANES:
    raise ValueError(f'pipeline.chunk is {chunk}, expected a positive multiple of {LANES} rows')


def check_same(wanted: Signal, got: Signal) -> None:
  """Raises a ValueError unless `got` is what a pipeline was fitted on; axes to 1 % of a step."""
  for name in ('kind', 'state', 'axis_unit'):
    if getattr(got, name) != getattr(wanted, name):
      raise ValueError(
        f'spectra have {name} {getattr(got, name)!r}, but the pipeline was fitted on '
        f'{getattr(wanted, name)!r}; bring them to it first, or fit another pipeline'
      )
  near = 0.01 * np.diff(wanted.axis).min()
  if len(got.axis) != len(wanted.axis) or np.abs(got.axis - wanted.axis).max() > near:
    raise ValueError(
      f'spectra have {_words(got)}, but the pipeline was fitted on {_words(wanted)}; resample them '
      'onto its axis'
    )


def check_measured(spectra: Spectra) -> None:
  """Raises a ValueError where a point was not measured: no step knows what to do with it."""
  if not np.all(spectra.mask):
    bad = np.argwhere(~np.asarray(spectra.mask))
    raise ValueError(
      f'spectrum {bad[0][0]} has no value at point {bad[0][1]} ({len(bad)} such points); '
      'preprocess on the native grid before aligning, or align on the range that all of them have'
    )


def _words(signal: Signal) -> str:
  axis = signal.axis
  return f'{len(axis)} points from {axis[0]:.6g} to {axis[-1]:.6g} {signal.axis_unit}'


def _cores() -> int:
  return len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()


def _one(
  program: Callable, values: np.ndarray | Sharded, result: np.ndarray, chunk: int, start: int
) -> None:
  """Fills `result[start : start + chunk]`."""
  rows = np.asarray(values[start : start + chunk], result.dtype)
  count = len(rows)
  if count < chunk:
    rows = np.concatenate([rows, np.repeat(rows[:1], chunk - count, 0)])
  with jax.enable_x64(result.dtype == np.float64):  # the setting belongs to a thread
    done = np.asarray(program(rows))[:count]
  finite = np.isfinite(done).all(1)
  if not finite.all():
    row = start + int(np.argmin(finite))
    raise ValueError(
      f'spectrum {row} has no finite result after preprocessing (it spans {np.min(values[row]):.4g}'
      f' to {np.max(values[row]):.4g}); drop it where it is constant, zero or not a number'
    )
  result[start : start + count] = done
