"""Steps in order, and the pure function that they become once fitted."""

import dataclasses
import functools
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from spectra_jax.preprocess import chunks, codec
from spectra_jax.preprocess.golden import golden_rows
from spectra_jax.preprocess.signal import Signal
from spectra_jax.spectra import Spectra

Constants = Mapping[str, np.ndarray]
GOLDEN_OF = 1024  # training spectra whose mean the golden ones are made of


class Step(Protocol):
  """A frozen dataclass of options; fields are numbers, words, tuples of them, or arrays."""

  learns: ClassVar[bool]  # whether `fit` looks at the values

  def after(self, signal: Signal) -> Signal:
    """What comes out; raises a ValueError where the step makes no sense."""

  def fit(self, signal: Signal, values_NxL: np.ndarray) -> Constants:
    """Float64 (or integer) arrays; `values_NxL` is empty unless the step learns."""

  def apply(self, constants: Constants, values_BxL: jax.Array) -> jax.Array:
    """[B, L] -> [B, M], pure; rows apart, by sums along a row."""


@dataclasses.dataclass(frozen=True, eq=False)
class Fitted(chunks.Chunked):
  """Steps with their constants. A call is pure, differentiable, and runs inside jit, grad and vmap.

  `apply` and `transform` run on the host in chunks of a fixed shape: these are bit for bit the same
  for one spectrum and for many. A call inside another program is compiled together with it, and may
  differ in the last bit.

  Attributes:
    steps: in order.
    constants: of each step.
    signal: what it was fitted on.
    dtype: 'float32' or 'float64', the precision of `apply` and `transform`.
    chunk: rows that run through the program together.
    golden_GxL: spectra whose results a file carries.
  """

  steps: tuple[Step, ...]
  constants: tuple[Constants, ...]
  signal: Signal
  dtype: str
  chunk: int
  golden_GxL: np.ndarray

  def __call__(self, values_BxL: jax.Array) -> jax.Array:
    """[B, L] -> [B, M] in the precision of `values_BxL`."""
    values = jnp.asarray(values_BxL)
    for step, constants in zip(self.steps, self.constants, strict=True):
      # Fused into the next step, this one would be computed anew at each of its points.
      values = jax.lax.optimization_barrier(step.apply(_cast(constants, values.dtype), values))
    return values

  @functools.cached_property
  def out(self) -> Signal:
    return _signals(self.steps, self.signal)[-1]

  @functools.cached_property
  def program(self) -> Callable[[np.ndarray], jax.Array]:
    return chunks.compiled(self.__call__, self.signal, self.dtype, self.chunk)

  @functools.cached_property
  def digest(self) -> str:
    steps = map(codec.encode_step, self.steps, self.constants)
    return hashlib.sha256(json.dumps([self.dtype, self.chunk, *steps]).encode()).hexdigest()


@dataclasses.dataclass(frozen=True)
class Pipeline:
  """Steps that are not fitted yet; none at all leave spectra as they are.

  Attributes:
    steps: in order.
    dtype: precision of the arithmetic; asls and arpls ask for 'float64'.
    chunk: rows that run through the program together, a multiple of 16.
  """

  steps: tuple[Step, ...]
  dtype: str = 'float32'
  chunk: int = chunks.CHUNK

  def fit(self, train: Spectra) -> Fitted:
    """Constants from `train`, which must be the training side alone.

    Raises:
      ValueError: a step that does not fit, no spectra at all, or points that were not measured.
    """
    if not len(train):
      raise ValueError('the training side has 0 spectra, expected at least 1; see the split')
    chunks.check_chunk(self.chunk, self.dtype)
    chunks.check_measured(train)
    signal = Signal.of(train)
    signals, constants, values, done = _signals(self.steps, signal), [], train.values, 0
    for i, step in enumerate(self.steps):
      if step.learns:  # only then are the training spectra needed at this place
        values, done = self._between(signals, constants, done, i).transform(values), i
      seen = np.float64(values) if step.learns else np.empty((0, len(signals[i].axis)))
      constants.append(step.fit(signals[i], seen))
    mean_L = np.float64(train.values[: min(GOLDEN_OF, len(train))]).mean(0)
    return self.with_constants(signal, constants, mean_L)

  def with_constants(
    self, signal: Signal, constants: list[Constants], typical_L: np.ndarray
  ) -> Fitted:
    """The same from constants that are known; `typical_L` is a spectrum for the golden ones.

    Raises:
      ValueError: as `fit`.
    """
    chunks.check_chunk(self.chunk, self.dtype)
    _signals(self.steps, signal)
    golden = golden_rows(typical_L, self.dtype)
    return Fitted(tuple(self.steps), tuple(constants), signal, self.dtype, self.chunk, golden)

  def _between(self, signals, constants, first: int, last: int) -> Fitted:
    """Steps first to last - 1."""
    steps, known = self.steps[first:last], constants[first:last]
    empty = np.empty((0, len(signals[first].axis)))
    return Fitted(tuple(steps), tuple(known), signals[first], self.dtype, self.chunk, empty)


def described(
  steps: Sequence[Mapping[str, Any]], dtype: str = 'float32', chunk: int = chunks.CHUNK
) -> Pipeline:
  """A pipeline from plain words, as a config has them: ({'name': 'snv'}, ...) and options beside.

  Raises:
    ValueError: no such step, or options that it does not have.
  """
  options = lambda entry: {key: value for key, value in entry.items() if key != 'name'}
  made = [codec.make_step(entry['name'], options(entry)) for entry in steps]
  return Pipeline(tuple(made), dtype, chunk)


def _signals(steps: tuple[Step, ...], signal: Signal) -> list[Signal]:
  """What reaches each step, and what comes out of the last."""
  signals = [signal]
  for step in steps:
    signals.append(step.after(signals[-1]))
  return signals


def _cast(constants: Constants, dtype: jnp.dtype) -> dict[str, jax.Array]:
  """Floating constants in the precision of the values."""
  return {
    name: jnp.asarray(value, dtype if np.issubdtype(value.dtype, np.floating) else value.dtype)
    for name, value in constants.items()
  }
