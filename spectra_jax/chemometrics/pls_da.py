"""PLS discriminant analysis: PLS2 on the indicators of the classes, the largest one wins.

Barker & Rayens 2003, doi:10.1002/cem.785. The number of components is chosen by the share of wrong
classes in grouped folds, not by the error of the indicators.
"""

import numpy as np

from spectra_jax.chemometrics import linear, nested, pls

TASKS = (nested.CLASSIFICATION,)


def fit(
  values_NxL: np.ndarray,
  targets_N: np.ndarray,
  groups_N: np.ndarray,
  seed: int,
  most: int = pls.MOST,
  folds: int = nested.FOLDS,
  rule: str = 'least',
) -> linear.Linear:
  """PLS-DA; the arguments are those of `pls.fit`, the targets classes."""
  values_NxL, targets_N = nested.checked(values_NxL, targets_N, groups_N, TASKS)
  return pls.choose(values_NxL, targets_N, groups_N, seed, most, folds, rule)
