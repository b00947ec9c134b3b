"""Classical methods on real spectra: one report a method and preprocessing, all splits inside.

Whatever a method chooses (components, shrinkage, preprocessing), it chooses in grouped folds of the
training and validation sides of a split; the test side is only predicted. Scores pool the test
sides of all splits, their intervals are over groups (samples) of one split and over splits of
several, and reports and score files are such that `experiments.table` puts them beside networks.
"""

import dataclasses
import importlib
import importlib.metadata
import importlib.util
import inspect
import json
import pathlib
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from spectra_jax import chemometrics_scores as scoring
from spectra_jax import report, scores, workdir
from spectra_jax.chemometrics import nested
from spectra_jax.chemometrics_scores import Prediction
from spectra_jax.preprocess import Pipeline
from spectra_jax.preprocess.steps import arpls, msc, savitzky_golay, snv
from spectra_jax.protocols import LABEL, Protocol
from spectra_jax.spectra import Spectra
from spectra_jax.splits import SIDES, Split, check_told

# Windows of 11 points are 22 to 28 nm wide here, less than the bands of the near infrared.
_SLOPE = savitzky_golay.Step(window=11, degree=2, derivative=1)
_CURVATURE = savitzky_golay.Step(window=11, degree=3, derivative=2)
CANDIDATES = {
  'raw': (),
  'snv': (snv.Step(),),
  'msc': (msc.Step(),),
  'derivative_snv': (_SLOPE, snv.Step()),
  'second_derivative_snv': (_CURVATURE, snv.Step()),
}
_BASELINE = arpls.Step(lam=1e5)  # points of 1 cm^-1: passes under the bands of minerals
PREPROCESSINGS = {**CANDIDATES, 'arpls': (_BASELINE,), 'arpls_snv': (_BASELINE, snv.Step())}
CHOSEN = 'chosen'  # the candidate that PLS (PLS-DA) likes best in folds of the training side
NUMBERS, CLASSES = 'regress', 'classify'  # tasks of spectra_jax/tasks, whose reports these are like
CHOOSER = {NUMBERS: 'pls', CLASSES: 'pls_da'}
SEED = 0  # of the folds, and of what a method draws
PACKAGES = ('scikit-learn', 'ikpls', 'PyWavelets')


class Preprocessed:
  """Spectra under each pipeline; one that learns nothing is applied once, whatever the rows."""

  def __init__(self, spectra: Spectra):
    self.spectra, self._known = spectra, {}

  def values(self, name: str, train: np.ndarray) -> np.ndarray:
    """[N, L'] of all rows, by the pipeline `name` fitted to the rows `train` alone."""
    pipeline = Pipeline(PREPROCESSINGS[name], dtype='float64')
    learns = any(step.learns for step in pipeline.steps)
    key = (name, train.tobytes() if learns else b'')
    if key not in self._known:
      fitted = pipeline.fit(self.spectra.take(train))
      self._known[key] = np.float64(fitted.transform(np.asarray(self.spectra.values)))
    return self._known[key]


def predict(
  protocol: Protocol,
  split: Split,
  target: str,
  method: str,
  preprocessing: str,
  caches: Mapping[str, Preprocessed],
) -> Prediction:
  """Fits a method to the sides of a split that it may learn from and predicts the test side.

  Args:
    protocol, split: the data and one of the protocol's splits.
    target: one of the protocol's, or LABEL.
    method: file in spectra_jax/chemometrics.
    preprocessing: one of `PREPROCESSINGS`, or `CHOSEN`.
    caches: of the protocol's spectra, '', and of those that are moved, by name.
  """
  target_N, group_N = protocol.target(target), protocol.spectra.meta['group']
  train = np.sort(np.concatenate([getattr(split, side) for side in protocol.learn]))
  numbers = task(protocol) == NUMBERS
  train = train[np.isfinite(target_N[train])] if numbers else train
  seen = (target_N[train], group_N[train], SEED)
  if preprocessing == CHOSEN:
    chooser = component(CHOOSER[task(protocol)], protocol)
    promise = lambda name: chooser.fit(caches[''].values(name, train)[train], *seen).error
    preprocessing = min(CANDIDATES, key=promise)
  model = component(method, protocol).fit(caches[''].values(preprocessing, train)[train], *seen)
  say = model.predict if numbers else model.scores
  return Prediction(
    {name: say(cache.values(preprocessing, train)[split.test]) for name, cache in caches.items()},
    None if numbers else model.classes,
    float(target_N[train].mean()) if numbers else 0.0,
    {'preprocessing': preprocessing, **model.chosen},
    model.error,
  )


def task(protocol: Protocol) -> str:
  """`NUMBERS` or `CLASSES`."""
  return NUMBERS if protocol.targets else CLASSES


def component(method: str, protocol: Protocol) -> Any:
  """The file of a method that does what the protocol asks.

  Raises:
    ValueError: there is none of this name.
  """
  name = f'spectra_jax.chemometrics.{method}'
  wanted = nested.REGRESSION if task(protocol) == NUMBERS else nested.CLASSIFICATION
  module = importlib.import_module(name) if importlib.util.find_spec(name) else None
  if wanted not in getattr(module, 'TASKS', ()):
    raise ValueError(
      f'method is {method!r}, expected a file of spectra_jax/chemometrics that does {wanted}'
    )
  return module


def config(name: str, protocol: Protocol, method: str, preprocessing: str) -> ConfigDict:
  """What decides the numbers of a report: names, and the candidates of every choice."""
  parameters = inspect.signature(component(method, protocol).fit).parameters.values()
  options = {p.name: p.default for p in parameters if p.default is not p.empty}
  wanted = CANDIDATES if preprocessing == CHOSEN else (preprocessing,)
  told = lambda step: f'{type(step).__module__.rsplit(".", 1)[1]} {dataclasses.asdict(step)}'
  candidates = {known: tuple(map(told, PREPROCESSINGS[known])) for known in wanted}
  return ConfigDict(
    {
      'task': {'name': task(protocol)},
      'dataset': {'name': protocol.dataset, protocol.dataset: dict(protocol.options)},
      'split': {'regime': protocol.regime},
      'protocol': {'name': name, 'repeats': len(protocol.repeats)},
      'method': {'name': method, method: options},
      'preprocessing': {'name': preprocessing, 'candidates': candidates},
      'seed': SEED,
    }
  )


def run(
  name: str, protocol: Protocol, method: str, preprocessing: str, folder: pathlib.Path
) -> dict[str, Any]:
  """The report of a method, from its folder if it is there; else it is made and written.

  Args:
    name: of the protocol.
    protocol: what is asked.
    method: file in spectra_jax/chemometrics.
    preprocessing: one of `PREPROCESSINGS`, or `CHOSEN`.
    folder: of this run alone.

  Raises:
    ValueError: an unknown method or preprocessing, splits that do not say what they are, or a
      folder that belongs to something else.
  """
  if preprocessing not in (CHOSEN, *PREPROCESSINGS):
    raise ValueError(
      f'preprocessing is {preprocessing!r}, expected {CHOSEN} or one of {", ".join(PREPROCESSINGS)}'
    )
  check_told(protocol.regime, protocol.hash)
  settings = config(name, protocol, method, preprocessing)
  make = lambda: evaluate(protocol, method, preprocessing)
  return once(protocol, settings, folder, make, PACKAGES)


def once(
  protocol: Protocol,
  settings: ConfigDict,
  folder: pathlib.Path,
  make: Callable[[], tuple[dict[str, Any], dict[str, np.ndarray]]],
  packages: Sequence[str],
) -> dict[str, Any]:
  """The report of a folder, if it is of these settings and this protocol; else made and written.

  Args:
    protocol: what is asked.
    settings: all else that decides the numbers.
    folder: of this report alone.
    make: gives results and the sums of their scores by test group.
    packages: whose versions the report tells beside the usual ones.

  Raises:
    ValueError: the folder belongs to something else.
  """
  asked = f'{protocol.spectra.source} {protocol.hash}'
  identity, path = workdir.identity(settings, asked), folder / 'report.json'
  if path.exists():
    return _checked(path, identity)
  with workdir.claim(folder, settings, asked):
    started = time.monotonic()
    results, sums = make()
    about = _about(protocol, settings, identity, time.monotonic() - started, packages)
    scores.write(folder, sums)
    workdir.write_json_atomic(path, {'task': task(protocol), 'results': results, **about})
  return _checked(path, identity)


def evaluate(
  protocol: Protocol, method: str, preprocessing: str
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
  """(results of a report, sums of its scores by test group), of all targets and splits."""
  spectra = {'': protocol.spectra, **protocol.moved}
  caches = {name: Preprocessed(own) for name, own in spectra.items()}
  every = lambda target: [
    predict(protocol, split, target, method, preprocessing, caches) for split in protocol.repeats
  ]
  made = {target: every(target) for target in protocol.targets or (LABEL,)}
  if protocol.targets:
    terms, results = scoring.of_numbers(protocol, made)
  else:
    terms, results = scoring.of_classes(protocol, made[LABEL])
  return results, scoring.nested(protocol, terms, results)


def _about(
  protocol: Protocol,
  settings: ConfigDict,
  identity: str,
  wall_s: float,
  packages: Sequence[str],
) -> dict[str, Any]:
  """What the numbers of a report are numbers of; rows a side are those of the middle split."""
  count = lambda side: int(np.median([len(getattr(split, side)) for split in protocol.repeats]))
  rows = {side: count(side) for side in SIDES}
  made = report.provenance()
  made['packages'] |= {name: importlib.metadata.version(name) for name in packages}
  return {
    'wall_s': wall_s,
    'wall_s_total': wall_s,  # what was stopped is made anew, nothing goes on
    'split': {'regime': protocol.regime, 'hash': protocol.hash, 'rows': rows},
    'seed': settings.seed,
    'identity': identity,
    'data_hash': protocol.spectra.source,
    **made,
    'config': json.loads(settings.to_json()),
  }


def _checked(path: pathlib.Path, identity: str) -> dict[str, Any]:
  """The report, if it is that of `identity`.

  Raises:
    ValueError: it is of other data, another split or other candidates.
  """
  document = json.loads(path.read_text())
  if document['identity'] != identity:
    raise ValueError(
      f'{path} is of other data, splits or settings than are asked for now, expected the same; '
      'use another folder, or move it away to have it made again'
    )
  return document
