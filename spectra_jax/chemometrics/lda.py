"""Linear discriminant analysis with a shrunk covariance, S = (1 - s) S_within + s tr(S_within)/R I.

Friedman 1989, doi:10.1080/01621459.1989.10478752; by scikit-learn. Channels are standardised, and S
is that of all principal component scores, of which there are no more than spectra.
"""

import warnings
from collections.abc import Sequence

import numpy as np
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from spectra_jax.chemometrics import nested

TASKS = (nested.CLASSIFICATION,)
SHRINKAGES = (0.9, 0.5, 0.1, 0.01, 0.001)  # the stiffest first


def fit(
  values_NxL: np.ndarray,
  targets_N: np.ndarray,
  groups_N: np.ndarray,
  seed: int,
  shrinkages: Sequence[float] = SHRINKAGES,
  folds: int = nested.FOLDS,
) -> nested.Tuned:
  """LDA whose shrinkage grouped folds choose; the other arguments are those of `svm.fit`."""
  values_NxL, targets_N = nested.checked(values_NxL, targets_N, groups_N, TASKS)
  scores = PCA(svd_solver='full')
  estimator = make_pipeline(StandardScaler(), scores, LinearDiscriminantAnalysis(solver='lsqr'))
  grid = {'lineardiscriminantanalysis__shrinkage': shrinkages}
  with warnings.catch_warnings():
    # A class of one spectrum adds nothing to the covariance within classes, and need not.
    warnings.filterwarnings('ignore', 'Only one sample available', UserWarning)
    return nested.tune(estimator, grid, values_NxL, targets_N, groups_N, seed, folds)
