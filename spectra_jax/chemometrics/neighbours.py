"""The nearest training spectra, raw or differentiated, by cosine or Euclidean distance."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from spectra_jax.chemometrics import nested

TASKS = (nested.REGRESSION, nested.CLASSIFICATION)
COUNTS = (1, 3, 5, 9)
METRICS = ('cosine', 'euclidean')
ORDERS = (0, 1)


def differences(values_BxL: np.ndarray, order: int) -> np.ndarray:
  """[B, L - order]: neighbouring channels subtracted `order` times."""
  return np.diff(values_BxL, order)


@dataclasses.dataclass(frozen=True, eq=False)
class Neighbours(nested.Tuned):
  """What folds chose, and how it ranks classes that no near neighbour has."""

  targets_N: np.ndarray

  def scores(self, values_BxL: np.ndarray) -> np.ndarray:
    """[B, C]: 1 + share of the vote; of classes without one 1 / (1 + distance to the nearest).

    The vote alone would level all classes but the first of one neighbour, and top-3 with top-1.
    """
    vote_BxC, nearest = super().scores(values_BxL), self.estimator[-1]
    values_BxD = self.estimator[:-1].transform(np.asarray(values_BxL, np.float64))
    everyone = {'n_neighbors': len(self.targets_N)}
    distance_BxN, row_BxN = nearest.kneighbors(values_BxD, **everyone)
    target_BxN = self.targets_N[row_BxN]
    of_class = lambda name: np.where(target_BxN == name, distance_BxN, np.inf).min(1)
    closeness_BxC = np.stack([1 / (1 + of_class(name)) for name in self.classes], 1)
    return np.where(vote_BxC > 0, 1 + vote_BxC, closeness_BxC)


def fit(
  values_NxL: np.ndarray,
  targets_N: np.ndarray,
  groups_N: np.ndarray,
  seed: int,
  counts: Sequence[int] = COUNTS,
  metrics: Sequence[str] = METRICS,
  orders: Sequence[int] = ORDERS,
  folds: int = nested.FOLDS,
) -> Neighbours:
  """Mean target of the nearest spectra, or their commonest class; the nearer ones weigh more.

  Args:
    values_NxL: training spectra.
    targets_N: numbers or classes.
    groups_N: what is never on both sides of a fold.
    seed: of the folds.
    counts: candidates of the number of neighbours.
    metrics: candidates, 'cosine' or 'euclidean'.
    orders: candidates of how often neighbouring channels are subtracted before.
    folds: their number.
  """
  values_NxL, targets_N = nested.checked(values_NxL, targets_N, groups_N, TASKS)
  numbers = nested.task(targets_N) == nested.REGRESSION
  nearest = (KNeighborsRegressor if numbers else KNeighborsClassifier)(weights='distance')
  estimator = make_pipeline(FunctionTransformer(differences), nearest)
  name = type(nearest).__name__.lower()
  grid = {
    'functiontransformer__kw_args': [{'order': order} for order in orders],
    f'{name}__metric': metrics,
    f'{name}__n_neighbors': counts,
  }
  tuned = nested.tune(estimator, grid, values_NxL, targets_N, groups_N, seed, folds)
  return Neighbours(tuned.estimator, tuned.chosen, tuned.error, targets_N)
