"""Fitted transformers of scikit-learn and chemotools as a pipeline of this package.

The constants are taken over, nothing is fitted anew. Neither library is imported: a transformer is
known by the name of its class, and read by its fitted attributes.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from spectra_jax.preprocess import chunks
from spectra_jax.preprocess.adapters import from_chemotools, from_sklearn
from spectra_jax.preprocess.pipeline import Constants, Fitted, Pipeline, Step
from spectra_jax.preprocess.signal import Signal

Converter = Callable[[Any, Signal], tuple[Step, Constants | None]]
CONVERTERS: Mapping[str, Mapping[str, Converter]] = {
  'sklearn': from_sklearn.CONVERTERS,
  'chemotools': from_chemotools.CONVERTERS,
}


def from_fitted(
  transformer: Any,
  signal: Signal,
  typical_L: np.ndarray,
  dtype: str = 'float64',
  chunk: int = chunks.CHUNK,
) -> Fitted:
  """A fitted transformer, or a scikit-learn Pipeline of them, as `Fitted`.

  Args:
    transformer: fitted.
    signal: what the transformer was fitted on: its columns are the points of `signal.axis`.
    typical_L: [L] a spectrum such as the mean of the training spectra, for the golden ones.
    dtype, chunk: of `Pipeline`.

  Raises:
    ValueError: a transformer or an option without an equivalent here, or one that is not fitted.
  """
  steps, constants, reached = [], [], signal
  for part in _parts(transformer):
    _check_fitted(part, reached)
    step, known = _converter(part)(part, reached)
    after = step.after(reached)
    empty = np.empty((0, len(reached.axis)))
    constants.append(step.fit(reached, empty) if known is None else known)
    steps.append(step)
    reached = after
  pipeline = Pipeline(tuple(steps), dtype, chunk)
  return pipeline.with_constants(signal, constants, np.float64(typical_L))


def _parts(transformer: Any) -> list[Any]:
  if not hasattr(transformer, 'steps'):
    return [transformer]
  parts = [part for _, part in transformer.steps if part not in (None, 'passthrough')]
  return [inner for part in parts for inner in _parts(part)]


def _converter(part: Any) -> Converter:
  library, name = type(part).__module__.split('.')[0], type(part).__name__
  known = CONVERTERS.get(library, {})
  if name not in known:
    said = '; '.join(f'{lib}: {", ".join(sorted(table))}' for lib, table in CONVERTERS.items())
    raise ValueError(f'{library}.{name} has no equivalent here, expected one of {said}')
  return known[name]


def _check_fitted(part: Any, signal: Signal) -> None:
  points = getattr(part, 'n_features_in_', None)
  if points != len(signal.axis):
    what = 'is not fitted' if points is None else f'was fitted on {points} columns'
    raise ValueError(
      f'{type(part).__name__} {what}, expected {len(signal.axis)} as the axis has points; fit it, '
      'or give the axis it was fitted on'
    )
