"""The nearest training spectra, raw or differentiated, by cosine or Euclidean distance."""

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


def fit(
  values_NxL: np.ndarray,
  targets_N: np.ndarray,
  groups_N: np.ndarray,
  seed: int,
  counts: Sequence[int] = COUNTS,
  metrics: Sequence[str] = METRICS,
  orders: Sequence[int] = ORDERS,
  folds: int = nested.FOLDS,
) -> nested.Tuned:
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
  return nested.tune(estimator, grid, values_NxL, targets_N, groups_N, seed, folds)
