"""Choices that see the training side alone: grouped folds inside it, and the least error there.

A method is a file with `TASKS` and `fit(values_NxL, targets_N, groups_N, seed, ...)`; targets that
are floating-point numbers are to be predicted as such, all others are classes. What `fit` gives has
`predict(values)`, `chosen` (its hyperparameters) and `error`, which is what the folds said of the
choice: the mean squared error of numbers, the share of wrong classes. Where it tells classes apart
it also has `classes` and `scores(values)`. Keyword arguments of `fit` are candidates.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.model_selection import GridSearchCV, PredefinedSplit

from spectra_jax import splits

FOLDS = 5
REGRESSION, CLASSIFICATION = 'regression', 'classification'


def task(targets_N: np.ndarray) -> str:
  """'regression' of floating-point targets, 'classification' of all others."""
  return REGRESSION if np.asarray(targets_N).dtype.kind == 'f' else CLASSIFICATION


def checked(
  values_NxL: np.ndarray, targets_N: np.ndarray, groups_N: np.ndarray, tasks: Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
  """Values in float64 and targets, fit for a method that does `tasks`.

  Raises:
    ValueError: a task that the method does not do, numbers of rows that differ, values or targets
      that are not finite, or targets that are all the same.
  """
  values_NxL, targets_N = np.asarray(values_NxL, np.float64), np.asarray(targets_N)
  if task(targets_N) not in tasks:
    raise ValueError(
      f'targets are of type {targets_N.dtype}, which asks for {task(targets_N)}, expected '
      f'{" or ".join(tasks)}; give numbers as floats and classes as strings or integers'
    )
  rows = {'values': len(values_NxL), 'targets': len(targets_N), 'groups': len(groups_N)}
  if values_NxL.ndim != 2 or len(set(rows.values())) > 1:
    raise ValueError(
      f'values have shape {values_NxL.shape} with {rows["targets"]} targets and {rows["groups"]} '
      'groups, expected [N, L], N and N; give each spectrum one of each'
    )
  finite = np.isfinite(values_NxL).all(1)
  if task(targets_N) == REGRESSION:
    finite &= np.isfinite(targets_N)
  if not finite.all():
    raise ValueError(
      f'row {np.flatnonzero(~finite)[0]} has a value or target that is not finite '
      f'({(~finite).sum()} such rows), expected numbers; leave these rows out'
    )
  if len(np.unique(targets_N)) < 2:
    raise ValueError(
      f'all {len(targets_N)} targets are {targets_N[:1]}, expected at least two different ones; '
      'there is nothing to learn from them'
    )
  return values_NxL, targets_N


def fold_numbers(groups_N: np.ndarray, count: int, seed: int) -> np.ndarray:
  """[N] in 0..count-1: the fold that holds each row out; groups stay whole.

  Raises:
    ValueError: fewer groups than folds, or a deal that leaves a fold empty.
  """
  held_out = splits.folds(groups_N, count, seed)
  if min(map(len, held_out)) == 0:
    raise ValueError(
      f'{len(set(groups_N))} groups of {len(groups_N)} rows cannot be dealt to {count} folds, '
      'expected a row in each; use fewer folds or more groups'
    )
  fold_N = np.empty(len(groups_N), int)
  for number, rows in enumerate(held_out):
    fold_N[rows] = number
  return fold_N


@dataclasses.dataclass(frozen=True, eq=False)
class Tuned:
  """A scikit-learn estimator with its choices, fitted to the whole training side."""

  estimator: Any
  chosen: Mapping[str, Any]
  error: float

  def predict(self, values_BxL: np.ndarray) -> np.ndarray:
    """[B] numbers or classes."""
    return self.estimator.predict(np.asarray(values_BxL, np.float64))

  @property
  def classes(self) -> np.ndarray:
    """[C] in the order of the columns of `scores`."""
    return self.estimator.classes_

  def scores(self, values_BxL: np.ndarray) -> np.ndarray:
    """[B, C]: the larger, the likelier; probabilities where the method has them."""
    values_BxL = np.asarray(values_BxL, np.float64)
    if hasattr(self.estimator, 'predict_proba'):
      return self.estimator.predict_proba(values_BxL)
    score = self.estimator.decision_function(values_BxL)
    return score if score.ndim == 2 else np.stack([-score, score], 1)


@dataclasses.dataclass(frozen=True, eq=False)
class OnFeatures:
  """A model of features of spectra."""

  features: Callable[[np.ndarray], np.ndarray]  # of values [B, L]
  model: Any

  def predict(self, values_BxL: np.ndarray) -> np.ndarray:
    """[B] numbers or classes."""
    return self.model.predict(self.features(values_BxL))

  def scores(self, values_BxL: np.ndarray) -> np.ndarray:
    """[B, C]: the larger, the likelier."""
    return self.model.scores(self.features(values_BxL))

  @property
  def classes(self) -> np.ndarray:
    """[C] in the order of the columns of `scores`."""
    return self.model.classes

  @property
  def chosen(self) -> Mapping[str, Any]:
    return self.model.chosen

  @property
  def error(self) -> float:
    return self.model.error


def tune(
  estimator: Any,
  grid: Mapping[str, Sequence[Any]],
  values_NxL: np.ndarray,
  targets_N: np.ndarray,
  groups_N: np.ndarray,
  seed: int,
  folds: int = FOLDS,
) -> Tuned:
  """The estimator of the grid with the least error in grouped folds, fitted to all rows.

  Args:
    estimator: of scikit-learn.
    grid: parameter -> candidates; the earlier ones win ties.
    values_NxL, targets_N, groups_N: the training side, `checked`.
    seed: of the folds.
    folds: their number.
  """
  numbers = task(targets_N) == REGRESSION
  split = PredefinedSplit(fold_numbers(groups_N, folds, seed))
  scoring = 'neg_mean_squared_error' if numbers else 'accuracy'
  search = GridSearchCV(estimator, dict(grid), scoring=scoring, cv=split, error_score='raise')
  search.fit(values_NxL, targets_N)
  error = -search.best_score_ if numbers else 1 - search.best_score_
  chosen = {name.split('__')[-1]: value for name, value in search.best_params_.items()}
  return Tuned(search.best_estimator_, chosen, float(error))
