"""Scores of classical methods: predictions of all splits pooled, named as reports of networks are.

'<target>.rmsep.model' of numbers, 'top1.model' of classes, 'shift_15.top1.model' of a further test.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from spectra_jax import metrics, scores
from spectra_jax.forms import Terms
from spectra_jax.protocols import LABEL, Protocol
from spectra_jax.splits import Split

TABLED = ('rmsep', 'sep', 'top1', 'top3')  # whose sums a group are kept, for tests in tables


@dataclasses.dataclass(frozen=True, eq=False)
class Prediction:
  """Of one target on one test side.

  Attributes:
    outputs: '' and names of further tests -> numbers [B], or scores of classes [B, C].
    classes: [C], None of numbers.
    mean: of the training targets, 0 of classes.
    chosen: hyperparameters and preprocessing.
    error: what the folds inside the training side promised: mean squared error, or wrong classes.
  """

  outputs: Mapping[str, np.ndarray]
  classes: np.ndarray | None
  mean: float
  chosen: Mapping[str, Any]
  error: float


def test_rows(protocol: Protocol) -> np.ndarray:
  """Rows of all test sides, one split after the other."""
  return np.concatenate([split.test for split in protocol.repeats])


def nested(
  protocol: Protocol, terms: Mapping[str, Terms], results: dict[str, Any]
) -> dict[str, np.ndarray]:
  """Puts every score with its 95 % interval into `results`; sums a group of those of `TABLED`.

  Over several splits the interval is `metrics.split_interval`, and the scores of `TABLED` stand
  there split by split as well; of one split it is over its test groups.
  """
  group_N = protocol.spectra.meta['group'][test_rows(protocol)]
  scores.nest(results, {path: own.value for path, own in terms.items()})
  tabled = {path: own for path, own in terms.items() if path.split('.')[-2] in TABLED}
  if len(protocol.repeats) == 1:
    ends = {path: list(own.interval(group_N)) for path, own in terms.items()}
  else:
    of_splits = {path: _by_split(protocol, own) for path, own in terms.items()}
    share = _test_over_learned(protocol)
    ends = {
      path: list(metrics.split_interval(terms[path].value, np.array(values), share))
      for path, values in of_splits.items()
    }
    scores.nest(results, {path: of_splits[path] for path in tabled}, 'splits')
  scores.nest(results, ends, 'intervals')
  return scores.by_group(tabled, group_N)


def _by_split(protocol: Protocol, terms: Terms) -> list[float]:
  """The score of each test side of what `test_rows` pools."""
  ends = np.cumsum([len(split.test) for split in protocol.repeats])[:-1]
  return [Terms(terms.form, part).value for part in np.split(terms.parts_KxN, ends, 1)]


def _test_over_learned(protocol: Protocol) -> float:
  """Rows of the test side over those that a method learns from, averaged over splits."""
  learned = lambda split: sum(len(getattr(split, side)) for side in protocol.learn)
  return float(np.mean([len(split.test) / learned(split) for split in protocol.repeats]))


def of_numbers(
  protocol: Protocol, made: Mapping[str, Sequence[Prediction]]
) -> tuple[dict[str, Terms], dict[str, Any]]:
  """('<target>.<score>.<method>' -> terms, what else stands in a report), of all test sides.

  Methods are 'model' and 'mean', the training mean. 'median_error' is the median absolute error,
  which a few gross errors do not move; 'repeats' is what was chosen in each split, its RMSEP, and
  what the folds inside its training side had promised.
  """
  terms, results = {}, {}
  for target, several in made.items():
    reference_N = protocol.target(target)[test_rows(protocol)]
    said = {
      'model': np.concatenate([one.outputs[''] for one in several]),
      'mean': np.concatenate([np.full(len(one.outputs['']), one.mean) for one in several]),
    }
    for method, predicted_N in said.items():
      score = lambda metric, x_N=predicted_N, y_N=reference_N: metric(x_N, y_N)
      terms |= {
        f'{target}.{name}.{method}': score(metric) for name, metric in metrics.OF_NUMBERS.items()
      }
    pairs = zip(protocol.repeats, several, strict=True)
    errors = {method: terms[f'{target}.rmsep.{method}'] for method in said}
    results[target] = {
      'repeats': [_repeat(protocol, target, *pair) for pair in pairs],
      'median_error': {method: metrics.median_error(own) for method, own in errors.items()},
    }
  return terms, results


def of_classes(
  protocol: Protocol, several: Sequence[Prediction]
) -> tuple[dict[str, Terms], dict[str, Any]]:
  """('<score>.model' and '<further test>.<score>.model' -> terms, what else stands in a report)."""
  known_C, label_N = np.unique(protocol.target(LABEL), return_inverse=True)
  label_N, terms = label_N[test_rows(protocol)], {}
  for test in several[0].outputs:
    score_NxC = np.concatenate([_columns(one, test, known_C) for one in several])
    said = (score_NxC.argmax(1), label_N)
    found = {f'top{k}': metrics.top_k(score_NxC, label_N, k) for k in (1, 3)}
    if not test:
      found['balanced_accuracy'] = metrics.balanced_accuracy(*said)
      found['macro_f1'] = metrics.macro_f1(*said)
    terms |= {f'{test}.{name}.model'.lstrip('.'): own for name, own in found.items()}
  promised = [{'folds': one.error, **one.chosen} for one in several]
  return terms, {'repeats': promised}


def _columns(prediction: Prediction, test: str, known_C: np.ndarray) -> np.ndarray:
  """[B, C] scores of all classes; those that training lacks are the least likely."""
  score_BxC = prediction.outputs[test]
  whole = np.full((len(score_BxC), len(known_C)), score_BxC.min() - 1.0)
  whole[:, np.searchsorted(known_C, prediction.classes)] = score_BxC
  return whole


def _repeat(
  protocol: Protocol, target: str, split: Split, prediction: Prediction
) -> dict[str, Any]:
  error = metrics.rmsep(prediction.outputs[''], protocol.target(target)[split.test])
  promised = float(np.sqrt(prediction.error))
  return {'split': split.hash, 'rmsep': error.value, 'folds': promised, **prediction.chosen}
