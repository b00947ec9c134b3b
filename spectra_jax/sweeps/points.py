"""The points of a sweep: what each changes in a config, its name, and which run it is.

A point is the run of its identity (`workdir.identity`), whatever it is called: one identity is run
once, and a folder is never given to another run. Values go through the same parser of flags that
the run itself will use, so that what is named here is what will be run.
"""

import dataclasses
import hashlib
import importlib.util
import json
import pathlib
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from absl import flags
from ml_collections import ConfigDict, config_flags

from spectra_jax import model, storage
from spectra_jax.sweeps.local import Job
from spectra_jax.workdir import identity, write_json_atomic

SWEEP = 'sweep.json'
LONGEST_NAME = 120  # a file name has at most 255 bytes, and others append to it


@dataclasses.dataclass(frozen=True)
class Point:
  """One run of a sweep: its folder's name, its overrides {dotted key: value}, its identity."""

  name: str
  overrides: dict[str, Any]
  identity: str

  def command(self, config: str, root: str) -> list[str]:
    """The words that train it, to be run where `config` is a path."""
    words = [sys.executable, '-m', 'experiments.train', f'--config={config}']
    return [*words, f'--workdir={pathlib.Path(root) / self.name}', *_words(self.overrides)]


@dataclasses.dataclass(frozen=True)
class Sweep:
  """The points of one root folder: all are diffs of `config`, 'configs/x.py:variant'."""

  config: str
  points: tuple[Point, ...]


def jobs(sweep: Sweep, root: pathlib.Path, prefix: str = '') -> list[Job]:
  """The points as commands to be run, each in its folder of `root`; `prefix` goes before names."""
  return [
    Job(f'{prefix}{point.name}', root / point.name, tuple(point.command(sweep.config, str(root))))
    for point in sweep.points
  ]


# ---- configs ----------------------------------------------------------------


def load(config: str, overrides: Mapping[str, Any]) -> ConfigDict:
  """The config that `experiments.train` sees when it is given these overrides.

  Raises:
    ValueError: no such file, variant or key, or a value of another type.
  """
  _check_file(config)
  words = ['sweep', f'--config={config}', *_words(overrides)]
  values = flags.FlagValues()
  config_flags.DEFINE_config_file('config', flag_values=values, sys_argv=words)
  try:
    values(words)
    loaded = values.config
    for key, wanted in overrides.items():
      found = _at(loaded, key)
      if found != wanted or isinstance(found, bool) != isinstance(wanted, bool):
        raise ValueError(f'{key} takes {type(found).__name__} and not {wanted!r}')
  except (flags.Error, AttributeError, KeyError, OSError, TypeError, ValueError) as error:
    what = ' '.join(str(error.args[0] if error.args else error).replace('\\n', ' ').split())
    what = re.sub(r'Error whilst parsing.*Traceback.*Error: ', '', what)  # the last line says it
    raise ValueError(
      f'{config} with {dict(overrides)} is no config: {what}; see configs/default.py for the keys '
      'and their types'
    ) from None
  return loaded


def _check_file(config: str) -> None:
  path = config.partition(':')[0]
  if not pathlib.Path(path).is_file():
    raise ValueError(f'config {path} is missing; expected a Python file; give another --config')


def _words(overrides: Mapping[str, Any]) -> list[str]:
  return [f'--config.{key}={value}' for key, value in overrides.items()]


def _at(config: ConfigDict, key: str) -> Any:
  for part in key.split('.'):
    config = config[part]
  return config


def of_config(config: str) -> list[dict[str, Any]]:
  """What `sweep()` of the config's file returns, for its variant if `config` names one.

  Raises:
    ValueError: the file is missing or has no `sweep`.
  """
  _check_file(config)
  path, _, variant = config.partition(':')
  spec = importlib.util.spec_from_file_location('swept_config', path)
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  if not hasattr(module, 'sweep'):
    raise ValueError(f'{path} has no sweep(); expected one, or a --sweep; give --sweep=key=a,b')
  return module.sweep(variant) if variant else module.sweep()


# ---- names and identities ---------------------------------------------------


def plan(
  config: str, sweep: Sequence[Mapping[str, Any]], shared: Mapping[str, Any] | None = None
) -> tuple[Sweep, list[str]]:
  """The sweep, every config of it checked and named, and a sentence for each point left out.

  Args:
    config: 'configs/x.py:variant'.
    sweep: overrides of each point.
    shared: overrides of all points that no name tells, such as where the data are.

  Raises:
    ValueError: a point is no config, or there is none at all.
  """
  if not sweep:
    raise ValueError(f'the sweep of {config} is empty; expected a point at least; add one')
  shared = shared or {}
  loaded = [load(config, {**shared, **overrides}) for overrides in sweep]
  typed = [{key: _at(c, key) for key in x} for c, x in zip(loaded, sweep, strict=True)]
  hashes: dict[str, str] = {}
  points: dict[str, Point] = {}
  left_out = []
  for name, overrides, of_point in zip(_names(typed), typed, loaded, strict=True):
    made = Point(name, {**shared, **overrides}, _identity(of_point, hashes))
    first = points.setdefault(made.identity, made)
    if first is not made:
      left_out.append(f'{name} is the same run as {first.name}: left out')
  return Sweep(config, tuple(points.values())), left_out


def check(sweep: Sweep) -> None:
  """That config and data still make of each point the run that it was when it was named.

  Raises:
    ValueError: a point would be another run today.
  """
  today, _ = plan(sweep.config, [point.overrides for point in sweep.points])
  identities = {point.identity for point in today.points}
  for point in sweep.points:
    if point.identity not in identities:
      raise ValueError(
        f'point {point.name} was run {point.identity[:8]} of {sweep.config} and would be another '
        'today; expected config and data as they were; put them back or list a new --root'
      )


def _identity(config: ConfigDict, hashes: dict[str, str]) -> str:
  """`hashes` remembers those of data, which are read once, by path or by what draws them."""
  model.check_options(config)
  name, chosen = config.dataset.name, model.options(config.dataset)
  data = f'{name} {chosen.get("path", chosen)}'
  if data not in hashes:
    hashes[data], _ = storage.there(model.component('datasets', name), chosen)
  return identity(config, hashes[data])


def _names(sweep: Sequence[Mapping[str, Any]]) -> list[str]:
  """'lr=0.0001,seed=0' for each point; those that a file system could confuse get a hash."""
  short = shorten({key for overrides in sweep for key in overrides})
  readable = [
    ','.join(f'{short[key]}={_safe(value)}' for key, value in overrides.items()) or 'base'
    for overrides in sweep
  ]
  folded = [name.casefold() for name in readable]
  different = {name: set() for name in folded}
  for name, overrides in zip(folded, sweep, strict=True):
    different[name].add(_digest(overrides))
  return [
    name if len(name) <= LONGEST_NAME and len(different[key]) == 1 else _hashed(name, overrides)
    for name, key, overrides in zip(readable, folded, sweep, strict=True)
  ]


def shorten(keys: set[str]) -> dict[str, str]:
  """Each dotted key's shortest ending that no other key has; 'backbone.name' counts as backbone."""
  paths = {key: key.removesuffix('.name').split('.') for key in keys}

  def ending(key: str) -> str:
    path = paths[key]
    for n in range(1, len(path) + 1):
      if sum(other[-n:] == path[-n:] for other in paths.values()) == 1:
        return '.'.join(path[-n:])
    return key

  return {key: ending(key) for key in keys}


def _safe(value: Any) -> str:
  text = re.sub(r'[^\w.+-]+', '_', str(value), flags=re.ASCII)
  return text.strip('_') or 'empty'


def _digest(overrides: Mapping[str, Any]) -> str:
  text = json.dumps(dict(overrides), sort_keys=True, default=str)
  return hashlib.sha256(text.encode()).hexdigest()[:8]


def _hashed(name: str, overrides: Mapping[str, Any]) -> str:
  return f'{name[: LONGEST_NAME - 9]}-{_digest(overrides)}'


# ---- the root folder --------------------------------------------------------


def read(root: str | pathlib.Path) -> Sweep:
  """The sweep of a root folder.

  Raises:
    ValueError: there is none.
  """
  path = pathlib.Path(root) / SWEEP
  try:
    document = json.loads(path.read_text())
    return Sweep(document['config'], tuple(_point(x) for x in document['points']))
  except FileNotFoundError:
    raise ValueError(
      f'{path} is missing; expected the root folder of a sweep; give another --root'
    ) from None
  except (ValueError, KeyError, TypeError) as error:
    raise ValueError(
      f'{path} cannot be read ({error}); expected what `sweep list` writes; list the sweep again'
    ) from None


def _point(document: Mapping[str, Any]) -> Point:
  overrides = {key: _tuples(value) for key, value in document['overrides'].items()}
  return Point(document['name'], overrides, document['identity'])


def _tuples(value: Any) -> Any:
  return tuple(map(_tuples, value)) if isinstance(value, list) else value


def settle(sweep: Sweep, root: str | pathlib.Path) -> tuple[Sweep, list[str]]:
  """Joins a sweep with what its root holds, and writes sweep.json.

  A point that is there under another name keeps that name; each such case is a sentence.

  Returns:
    The points asked for, by the names they have in the root; and the sentences.

  Raises:
    ValueError: the root is of another config, or a name in it is of another run; nothing changes.
  """
  root = pathlib.Path(root)
  there = read(root) if (root / SWEEP).exists() else Sweep(sweep.config, ())
  if there.config != sweep.config:
    raise ValueError(
      f'{root} is a sweep of {there.config} and not of {sweep.config}; expected one config a root; '
      'give another --root'
    )
  known = {point.identity: point for point in there.points}
  chosen = [known.get(point.identity, point) for point in sweep.points]
  sentences = [
    f'{new.name} is the same run as {old.name}, which is there: it keeps that name'
    for new, old in zip(sweep.points, chosen, strict=True)
    if new.name != old.name
  ]
  together = list({point.identity: point for point in [*there.points, *chosen]}.values())
  _check_names(root, together)
  root.mkdir(parents=True, exist_ok=True)
  document = {'config': sweep.config, 'points': [dataclasses.asdict(x) for x in together]}
  if together != list(there.points):
    write_json_atomic(root / SWEEP, document)
  return Sweep(sweep.config, tuple(chosen)), sentences


def _check_names(root: pathlib.Path, points: Sequence[Point]) -> None:
  owners: dict[str, Point] = {}
  for point in points:
    other = owners.setdefault(point.name.casefold(), point)
    found = other.identity if other is not point else _identity_of(root / point.name)
    if found not in (None, point.identity):
      raise ValueError(
        f'{root / point.name} belongs to run {found[:8]} and point {point.name} is run '
        f'{point.identity[:8]} (config or data changed since); expected the same run; give '
        'another --root or put the config back'
      )


def _identity_of(folder: pathlib.Path) -> str | None:
  path = folder / 'config.json'
  return json.loads(path.read_text())['identity'] if path.exists() else None
