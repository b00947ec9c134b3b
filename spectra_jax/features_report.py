"""What features of a network are worth: ridge on them, on the splits of the classical methods.

Three networks of one architecture: 'pretrained' as its weights have it, 'random' as it is drawn
(the control: what it brings is the architecture's), and 'test_time', the pretrained one after it
went on to fill in hidden bands of the unlabelled test spectra (`spectra_jax.unlabelled`). Nothing
of them sees a label; the ridge that does is that of `spectra_jax.chemometrics`.

Spectra are preprocessed so that each has root mean square 1 (SNV at the end), as the network's
inputs have; which preprocessing, grouped folds of the training side choose. Tokens must not be
closer than three points, so the tokeniser is read on a stretched axis: `stretch` times its spacing
and kernel in cm^-1. In near infrared its weights then see bands of other widths at other places
than any they were trained on.
"""

import dataclasses
import functools
import pathlib
from typing import Any

import flax.linen as nn
import jax
import numpy as np
from ml_collections import ConfigDict

from spectra_jax import chemometrics_scores as scoring
from spectra_jax import pretrained, tokenize, unlabelled
from spectra_jax.align import NM_PER_CM
from spectra_jax.chemometrics import ridge
from spectra_jax.chemometrics_report import NUMBERS, Preprocessed, once, task
from spectra_jax.chemometrics_scores import Prediction
from spectra_jax.protocols import LABEL, Protocol
from spectra_jax.spectra import Spectra
from spectra_jax.splits import check_told
from spectra_jax.weights import Weights

SOURCES = ('pretrained', 'random', 'test_time')
PREPROCESSINGS = ('snv', 'derivative_snv', 'second_derivative_snv')
STEPS = unlabelled.Steps(steps=20)
SEED = 0  # of folds
METHOD = 'ridge_on_features'


@dataclasses.dataclass(frozen=True, eq=False)
class Network:
  """A network that reads spectra of one axis.

  Attributes:
    module, params: `pretrained.module`, its spacing and kernel stretched.
    nu_L: axis [cm^-1], ascending.
    flipped: it runs against the spectra's own.
    kind: place of the kind that the spectra are like.
    stretch: spacing over that of the weights.
  """

  module: nn.Module
  params: Any
  nu_L: np.ndarray
  flipped: bool
  kind: int
  stretch: int

  def inputs(self, values_NxL: np.ndarray) -> dict[str, np.ndarray]:
    """As the network reads preprocessed values."""
    values = np.float32(values_NxL[:, ::-1] if self.flipped else values_NxL)
    kind = np.full(len(values), self.kind, np.int32)
    return {'values': values, 'visible': np.ones(values.shape, bool), 'kind': kind}

  def features(self, values_NxL: np.ndarray) -> np.ndarray:
    """[N, T D] float64: all tokens."""
    inputs = self.inputs(values_NxL)
    tokens = pretrained.run(self.module, self.params, 'tokens', inputs, self.nu_L)
    return np.float64(tokens.reshape(len(tokens), -1))

  def adapted(self, values_NxL: np.ndarray, how: unlabelled.Steps) -> 'Network':
    """Another one, that went on to fill in hidden bands of these spectra."""
    steps = dataclasses.replace(how, band_cm=how.band_cm * self.stretch)
    params = unlabelled.adapt(self.module, self.params, self.inputs(values_NxL), self.nu_L, steps)
    return dataclasses.replace(self, params=params)


def network(found: Weights, spectra: Spectra, kind: str, source: str, seed: int) -> Network:
  """The network of the weights, or one drawn from `seed`, for the axis of these spectra.

  Raises:
    ValueError: an axis without wavenumbers, or another kind or source.
  """
  if kind not in found.kinds or source not in SOURCES:
    raise ValueError(
      f'features of kind {kind!r} and source {source!r} were asked for, expected one of '
      f'{", ".join(found.kinds)} and of {", ".join(SOURCES)}; correct them'
    )
  nu_L, flipped = spectra.axis, spectra.axis_unit == 'nm'
  if spectra.axis_unit == 'index':
    raise ValueError('the axis is in index, expected cm^-1 or nm; choose data with an axis')
  nu_L = (NM_PER_CM / nu_L)[::-1] if flipped else nu_L
  module = pretrained.module(found)
  spacing = module.tokenizer.step_cm / module.tokenizer.knots_per_step
  stretch = int(np.ceil(tokenize.POINTS_A_KNOT * np.diff(nu_L).max() / spacing))
  module = _stretched(module, stretch)
  params = found.params
  if source == 'random':
    x, kinds = np.zeros((1, len(nu_L)), np.float32), np.zeros(1, np.int32)
    draw = lambda: module.init(jax.random.key(seed), x, x == 0, kinds, nu_L, False)['params']
    params = jax.tree.map(np.asarray, jax.jit(draw)())
  return Network(module, params, nu_L, flipped, found.kinds.index(kind), stretch)


def _stretched(module: nn.Module, stretch: int) -> nn.Module:
  """Tokeniser and reconstruction on an axis that is `stretch` times as long."""
  old = module.tokenizer
  longer = {'step_cm': old.step_cm * stretch, 'kernel_cm': old.kernel_cm * stretch}
  tokenizer = old.clone(**longer)
  if hasattr(module, 'head'):
    return module.clone(tokenizer=tokenizer, head=module.head.clone(step_cm=longer['step_cm']))
  only = {'reconstruction': module.heads['reconstruction'].clone(step_cm=longer['step_cm'])}
  return module.clone(tokenizer=tokenizer, heads=only)


# ---- the report -------------------------------------------------------------


def run(
  name: str,
  protocol: Protocol,
  found: Weights,
  kind: str,
  source: str,
  seed: int,
  folder: pathlib.Path,
) -> dict[str, Any]:
  """The report of a network's features, from its folder if it is there; else made and written.

  Args:
    name: of the protocol.
    protocol: what is asked.
    found: the weights, and the architecture.
    kind: which of their kinds the spectra are most like.
    source: one of `SOURCES`.
    seed: of a random network.
    folder: of this run alone.

  Raises:
    ValueError: as `network`, or a folder that belongs to something else.
  """
  check_told(protocol.regime, protocol.hash)
  made = network(found, protocol.spectra, kind, source, seed)
  settings = config(name, protocol, found, kind, source, seed, made)
  make = lambda: evaluate(protocol, made, adapt=source == 'test_time')
  return once(protocol, settings, folder, make, ('scikit-learn',))


def config(
  name: str,
  protocol: Protocol,
  found: Weights,
  kind: str,
  source: str,
  seed: int,
  made: Network,
) -> ConfigDict:
  """What decides the numbers of a report."""
  features = {
    'name': source,
    'kind': kind,
    'weights': found.hash,  # of a random network their architecture
    'step_cm': float(made.module.tokenizer.step_cm),
    'test_time': dataclasses.asdict(STEPS) if source == 'test_time' else {},
  }
  return ConfigDict(
    {
      'task': {'name': task(protocol)},
      'dataset': {'name': protocol.dataset, protocol.dataset: dict(protocol.options)},
      'split': {'regime': protocol.regime},
      'protocol': {'name': name, 'repeats': len(protocol.repeats)},
      'method': {'name': METHOD, METHOD: {'shrinkages': ridge.SHRINKAGES}},
      'preprocessing': {'name': 'chosen', 'candidates': PREPROCESSINGS},
      'features': features,
      'seed': seed,
    }
  )


def evaluate(
  protocol: Protocol, made: Network, adapt: bool
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
  """(results of a report, sums of its scores by test group), of all targets and splits."""
  caches = {key: Preprocessed(own) for key, own in {'': protocol.spectra, **protocol.moved}.items()}
  features = functools.lru_cache(None)(lambda name: made.features(_values(caches[''], name)))
  nearer = functools.lru_cache(None)(
    lambda name, test: made.adapted(_values(caches[''], name)[np.frombuffer(test, int)], STEPS)
  )
  targets = protocol.targets or (LABEL,)
  told = {target: [] for target in targets}
  for split in protocol.repeats:
    for target in targets:
      told[target].append(_predict(protocol, split, target, caches, made, features, nearer, adapt))
  if protocol.targets:
    terms, results = scoring.of_numbers(protocol, told)
  else:
    terms, results = scoring.of_classes(protocol, told[LABEL])
  return results, scoring.nested(protocol, terms, results)


def _predict(protocol, split, target, caches, made, features, nearer, adapt) -> Prediction:
  learn = np.sort(np.concatenate([getattr(split, side) for side in protocol.learn]))
  target_N, group_N = protocol.target(target), protocol.spectra.meta['group']
  numbers = task(protocol) == NUMBERS
  learn = learn[np.isfinite(target_N[learn])] if numbers else learn
  seen = (target_N[learn], group_N[learn], SEED)
  fits = {name: ridge.fit(features(name)[learn], *seen) for name in PREPROCESSINGS}
  name = min(fits, key=lambda name: fits[name].error)
  model, used = fits[name], made
  if adapt:
    used = nearer(name, split.test.tobytes())
    model = ridge.fit(used.features(_values(caches[''], name)[learn]), *seen)
  say = model.predict if numbers else model.scores
  of = lambda cache: say(used.features(_values(cache, name)[split.test]))
  return Prediction(
    {test: of(cache) for test, cache in caches.items()},
    None if numbers else model.classes,
    float(target_N[learn].mean()) if numbers else 0.0,
    {'preprocessing': name, **model.chosen},
    model.error,
  )


def _values(cache: Preprocessed, name: str) -> np.ndarray:
  """[N, L] preprocessed values of all rows; none of `PREPROCESSINGS` learns from any."""
  return cache.values(name, np.arange(len(cache.spectra)))
