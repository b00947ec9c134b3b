"""What an augmentation is worth: the change of a score, measured on repeated splits, in pairs.

A method is fitted with and without augmented copies of its training spectra and tested on the same
spectra, which are never augmented. Copies belong to the row (`batches.example_keys`), so all
methods and splits get the same ones.
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from spectra_jax import augment, batches, metrics, splits
from spectra_jax.spectra import Spectra
from spectra_jax.splits import Split

Predict = Callable[[np.ndarray], np.ndarray]
# (values, targets, groups) of training rows -> predictions of values
Method = Callable[[np.ndarray, np.ndarray, np.ndarray], Predict]
Options = Mapping[str, Mapping[str, Any]]
TOGETHER = 64  # spectra that are augmented at a time; part of no number


@dataclasses.dataclass(frozen=True, eq=False)
class Study:
  """One data set: who learns what, what is tried, and in which states of the world it is tested.

  Attributes:
    name: of the study.
    spectra: what is learned from, complete (no point masked).
    target_N: classes (strings), or numbers (floats).
    unit: of the numbers; '' for classes.
    methods: name -> method.
    trials: name -> config.augment of one trial.
    conditions: name -> [N, L] values that are tested, row for row those of `spectra`.
    regime: 'iid' or 'grouped' by meta['group'].
    held_out: share of the rows on the test side.
  """

  name: str
  spectra: Spectra
  target_N: np.ndarray
  unit: str
  methods: Mapping[str, Method]
  trials: Mapping[str, Options]
  conditions: Mapping[str, np.ndarray]
  regime: str
  held_out: float

  @property
  def classes(self) -> bool:
    return np.asarray(self.target_N).dtype.kind != 'f'


def repeated(study: Study, count: int) -> list[Split]:
  """`count` deals of the rows to training and test."""
  ids = study.spectra.meta['id']
  keys = ids if study.regime == 'iid' else study.spectra.meta['group']
  shares = (1 - study.held_out, study.held_out)

  def deal(seed):
    train, test = splits.cut(keys, splits.digest_order(keys, seed), shares)
    made = {'seed': seed, 'held_out': study.held_out}
    return splits.of_sides(ids, (train, np.empty(0, int), test), study.regime, made)

  return splits.repeated(deal, range(count))


def copies(options: Options, study: Study, count: int) -> tuple[np.ndarray, np.ndarray]:
  """`count` augmented copies of every row: values [count, N, L] and targets [count, N].

  What is moved out of the measured range goes on level. Mixtures take their partner from all rows,
  training or not, so a trial that mixes makes its copies of training rows alone: see `mixtures`.

  Raises:
    ValueError: an augmentation that does not suit these spectra, or classes to be mixed.
  """
  augmented = augment.build(options, study.spectra)
  values_NxL = np.asarray(study.spectra.values)
  run = jax.jit(jax.vmap(lambda key, x_L: augmented(key, x_L, jnp.ones(x_L.shape, bool))[0]))
  found = []
  for copy in range(count):
    keys_N = batches.example_keys(0, copy, jnp.arange(len(values_NxL)))
    parts = [
      run(keys_N[rows], values_NxL[rows])[real]
      for rows, real in batches.padded_batches(np.arange(len(values_NxL)), TOGETHER)
    ]
    found.append(np.concatenate(parts))
  return np.stack(found), np.broadcast_to(study.target_N, (count, len(study.target_N)))


def mixtures(
  options: Options, study: Study, count: int, train: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
  """`count` mixtures of each training row with another one: [count, T, L] and [count, T]."""
  augmented = augment.build(options, study.spectra)
  values_TxL = np.asarray(study.spectra.values)[train]
  library = {'values': values_TxL, 'target': np.float32(study.target_N[train])}
  run = jax.jit(jax.vmap(lambda key, one: augmented.mix(key, one, library)))
  found = [run(batches.example_keys(0, copy, jnp.asarray(train)), library) for copy in range(count)]
  of = lambda name: np.stack([np.asarray(one[name]) for one in found])
  return of('values'), of('target').astype(np.float64)


def measure(study: Study, repeats: int, count: int) -> dict[str, Any]:
  """Scores of all methods and conditions without augmentation, and the gain of every trial.

  Args:
    study: what is measured.
    repeats: splits.
    count: augmented copies of each training spectrum, beside the spectrum itself.

  Returns:
    JSON: 'regime', 'split' (joint hash), 'score', 'without' (method -> condition -> mean),
    'trials' (name -> 'options', and 'gain' by method and condition, or 'refused': the sentence).
  """
  deals = repeated(study, repeats)
  nothing = lambda train: (np.empty((0, len(train), len(study.spectra.axis))), np.empty((0, 0)))
  without = _scores(study, deals, nothing)
  trials = {}
  for name, options in study.trials.items():
    refusal = _refusal(study, options)
    if refusal:
      trials[name] = {'options': options, 'refused': refusal}
      continue
    scored = _scores(study, deals, _made(study, options, count))
    ratio = np.mean([len(deal.test) / len(deal.train) for deal in deals])
    trials[name] = {'options': options, 'gain': _gains(study, without, scored, ratio)}
  return {
    'study': study.name,
    'regime': splits.common_regime(deals),
    'split': splits.joint_hash(deals),
    'splits': repeats,
    'rows': {'train': len(deals[0].train), 'test': len(deals[0].test)},
    'copies': count,
    'score': 'accuracy [%]' if study.classes else f'RMSEP [{study.unit}]',
    'gain': 'points of accuracy' if study.classes else '% less RMSEP',
    'without': _nested(without, lambda values_R: float(values_R.mean())),
    'trials': trials,
  }


def table(document: Mapping[str, Any]) -> list[list[str]]:
  """Rows of one study: a trial, then its gain [interval] for each method and condition."""
  cells = [(m, c) for m, conditions in document['without'].items() for c in conditions]
  first = [f'none: {document["score"]}']
  first += [f'{document["without"][m][c]:.3g}' for m, c in cells]
  rows = [['augmentation', *(f'{m}, {c}' for m, c in cells)], first]
  for name, trial in document['trials'].items():
    if 'refused' in trial:
      rows.append([name, 'refused', *[''] * (len(cells) - 1)])
      continue
    gain = lambda m, c, trial=trial: trial['gain'][m][c]
    cell = lambda m, c, gain=gain: '{mean:+.1f} [{low:+.1f}, {high:+.1f}]'.format(**gain(m, c))
    rows.append([name, *(cell(m, c) for m, c in cells)])
  return rows


# ---- parts ------------------------------------------------------------------


def _refusal(study: Study, options: Options) -> str:
  """Why these spectra cannot be augmented so; '' where they can."""
  if study.classes and 'mixing' in options:
    return (
      'these methods learn one class a spectrum, and half of each is neither; expected numbers to '
      'be mixed; leave mixing to what learns shares of classes'
    )
  try:
    augment.build(options, study.spectra)
  except ValueError as error:
    return str(error)
  return ''


def _made(study: Study, options: Options, count: int) -> Callable[[np.ndarray], tuple]:
  """train -> (values [count, T, L], targets [count, T]) of the copies of these rows."""
  if set(options) == {'mixing'}:
    return functools.partial(mixtures, options, study, count)
  if 'mixing' in options:
    raise ValueError(
      f'a trial has mixing among {sorted(options)}, expected it alone: its mixtures are of '
      'training rows, the other copies of all; make two trials'
    )
  values_CxNxL, target_CxN = copies(options, study, count)
  return lambda train: (values_CxNxL[:, train], target_CxN[:, train])


def _scores(study: Study, deals: Sequence[Split], made: Callable) -> dict[str, dict]:
  """method -> condition -> [R] scores."""
  scores = {m: {c: [] for c in study.conditions} for m in study.methods}
  values_NxL, groups_N = np.asarray(study.spectra.values), study.spectra.meta['group']
  for deal in deals:
    train = deal.train
    more_CxTxL, target_CxT = made(train)
    values = np.concatenate([values_NxL[train], *more_CxTxL])
    target = np.concatenate([study.target_N[train], *target_CxT])
    groups = np.tile(groups_N[train], 1 + len(more_CxTxL))
    for name, method in study.methods.items():
      predict = method(values, target, groups)
      for condition, tested_NxL in study.conditions.items():
        said = predict(tested_NxL[deal.test])
        scores[name][condition].append(_score(study, said, study.target_N[deal.test]))
  return _nested(scores, np.array)


def _score(study: Study, said: np.ndarray, true: np.ndarray) -> float:
  if study.classes:
    return 100 * metrics.accuracy(said, true).value
  return metrics.rmsep(said, true).value


def _gains(study: Study, without: dict, scored: dict, test_over_train: float) -> dict[str, dict]:
  def gain(method, condition):
    before_R, after_R = without[method][condition], scored[method][condition]
    better_R = after_R - before_R if study.classes else 100 * (1 - after_R / before_R)
    ends = metrics.mean_interval(better_R, test_over_train=test_over_train)
    return dict(zip(('mean', 'low', 'high'), ends, strict=True))

  return {m: {c: gain(m, c) for c in study.conditions} for m in study.methods}


def _nested(scores: Mapping[str, Mapping], apply: Callable) -> dict[str, dict]:
  return {m: {c: apply(x) for c, x in conditions.items()} for m, conditions in scores.items()}
