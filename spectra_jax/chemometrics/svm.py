"""Support vector machines with a Gaussian kernel, by scikit-learn (libsvm).

Channels are centred and divided by their standard deviations in the training rows of each fold, and
so are targets that are numbers; gamma is a multiple of 1/L, the mean square of a scaled channel
being 1.
"""

from collections.abc import Sequence

import numpy as np
from sklearn.compose import TransformedTargetRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR

from spectra_jax.chemometrics import nested

TASKS = (nested.REGRESSION, nested.CLASSIFICATION)
COSTS = (1.0, 10.0, 100.0, 1000.0)
WIDTHS = (0.001, 0.01, 0.1, 1.0)  # gamma L
EPSILON = 0.01  # of the target's standard deviation: errors below it are free


def fit(
  values_NxL: np.ndarray,
  targets_N: np.ndarray,
  groups_N: np.ndarray,
  seed: int,
  costs: Sequence[float] = COSTS,
  widths: Sequence[float] = WIDTHS,
  epsilon: float = EPSILON,
  folds: int = nested.FOLDS,
) -> nested.Tuned:
  """SVR or SVC whose cost and width grouped folds choose.

  Args:
    values_NxL: training spectra.
    targets_N: numbers or classes.
    groups_N: what is never on both sides of a fold.
    seed: of the folds.
    costs: candidates of C.
    widths: candidates of gamma L.
    epsilon: half the width of the tube of SVR, in standard deviations of the targets.
    folds: their number.
  """
  values_NxL, targets_N = nested.checked(values_NxL, targets_N, groups_N, TASKS)
  numbers = nested.task(targets_N) == nested.REGRESSION
  machine = SVR(epsilon=epsilon) if numbers else SVC(break_ties=True)
  estimator = make_pipeline(StandardScaler(), machine)
  prefix = 'svr__' if numbers else 'svc__'
  if numbers:
    estimator = TransformedTargetRegressor(estimator, transformer=StandardScaler())
    prefix = f'regressor__{prefix}'
  gammas = [width / values_NxL.shape[1] for width in widths]
  grid = {f'{prefix}C': costs, f'{prefix}gamma': gammas}
  return nested.tune(estimator, grid, values_NxL, targets_N, groups_N, seed, folds)
