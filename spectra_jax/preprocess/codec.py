"""Numbers as JSON with every bit: arrays in base64, floats as Python writes them."""

import base64
import dataclasses
import importlib
import pkgutil
from collections.abc import Mapping
from typing import Any

import numpy as np

from spectra_jax.preprocess import steps
from spectra_jax.preprocess.signal import Signal


def encode(value: Any) -> Any:
  """A number, word, tuple or array as JSON has them."""
  if isinstance(value, np.ndarray):
    little = np.ascontiguousarray(value, value.dtype.newbyteorder('<'))
    data = base64.b64encode(little.tobytes()).decode()
    return {'dtype': value.dtype.name, 'shape': list(value.shape), 'base64': data}
  if isinstance(value, (tuple, list)):
    return [encode(x) for x in value]
  return value.item() if isinstance(value, np.generic) else value


def decode(value: Any) -> Any:
  """What `encode` was given; lists come back as tuples."""
  if isinstance(value, dict):
    flat = np.frombuffer(
      base64.b64decode(value['base64']), np.dtype(value['dtype']).newbyteorder('<')
    )
    return flat.reshape(value['shape']).astype(value['dtype'])
  return tuple(decode(x) for x in value) if isinstance(value, list) else value


def make_step(name: str, options: Mapping[str, Any]) -> Any:
  """The step of a file's name; options that are left out have the step's own defaults.

  Raises:
    ValueError: no such step, or options that it does not have, or some that it needs.
  """
  there = names()
  if name not in there:
    raise ValueError(f'there is no preprocessing step {name!r}, expected one of {", ".join(there)}')
  cls = importlib.import_module(f'{steps.__name__}.{name}').Step
  fields = dataclasses.fields(cls)
  needed = {f.name for f in fields if f.default is dataclasses.MISSING}
  if not needed <= set(options) <= {f.name for f in fields}:
    raise ValueError(
      f'step {name} has options {sorted(options)}, expected {[f.name for f in fields]}, of which '
      f'it needs {sorted(needed)}'
    )
  return cls(**options)


def encode_step(step: Any, constants: Mapping[str, np.ndarray]) -> dict:
  """{'name', 'options', 'constants'} of a step."""
  options = {f.name: encode(getattr(step, f.name)) for f in dataclasses.fields(step)}
  fitted = {name: encode(np.asarray(constants[name])) for name in sorted(constants)}
  return {
    'name': type(step).__module__.rsplit('.', 1)[1],
    'options': options,
    'constants': fitted,
  }


def decode_step(document: Mapping[str, Any]) -> tuple[Any, dict[str, np.ndarray]]:
  """(step, constants).

  Raises:
    ValueError: no such step, or options that it does not have.
  """
  options = {key: decode(value) for key, value in document['options'].items()}
  constants = {key: decode(value) for key, value in document['constants'].items()}
  return make_step(document['name'], options), constants


def names() -> list[str]:
  """All steps there are."""
  return sorted(found.name for found in pkgutil.iter_modules(steps.__path__))


def encode_signal(signal: Signal) -> dict:
  return {f.name: encode(getattr(signal, f.name)) for f in dataclasses.fields(signal)}


def decode_signal(document: Mapping[str, Any]) -> Signal:
  return Signal(**{key: decode(value) for key, value in document.items()})
