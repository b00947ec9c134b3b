"""Random forests (Breiman 2001, doi:10.1023/A:1010933404324), by scikit-learn."""

from collections.abc import Sequence

import numpy as np
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from spectra_jax.chemometrics import nested

TASKS = (nested.REGRESSION, nested.CLASSIFICATION)
TREES = 200
SHARES = (0.1, 0.33)  # of the channels that a node may split by


def fit(
  values_NxL: np.ndarray,
  targets_N: np.ndarray,
  groups_N: np.ndarray,
  seed: int,
  trees: int = TREES,
  shares: Sequence[float] = SHARES,
  folds: int = nested.FOLDS,
) -> nested.Tuned:
  """A forest whose share of channels grouped folds choose.

  Args:
    values_NxL: training spectra.
    targets_N: numbers or classes.
    groups_N: what is never on both sides of a fold.
    seed: of the trees and the folds.
    trees: their number.
    shares: candidates of the share of channels at each node.
    folds: their number.
  """
  values_NxL, targets_N = nested.checked(values_NxL, targets_N, groups_N, TASKS)
  numbers = nested.task(targets_N) == nested.REGRESSION
  cls = RandomForestRegressor if numbers else RandomForestClassifier
  grid = {'max_features': shares}
  forest = cls(trees, random_state=seed)
  return nested.tune(forest, grid, values_NxL, targets_N, groups_N, seed, folds)
