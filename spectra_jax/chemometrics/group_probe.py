"""What features tell of functional groups, by ridge regression: many yes-or-no answers."""

import numpy as np
import scipy.linalg

from spectra_jax.forms import Terms
from spectra_jax.splits import Split

RIDGES = (1e-3, 1e-2, 1e-1, 1.0)  # those tried, over the mean variance of a feature
THRESHOLDS = np.linspace(0.1, 0.9, 17)


def told(feature_MxF: np.ndarray, group_MxG: np.ndarray, split: Split) -> np.ndarray:
  """[test, G] bool: groups that are said of the test side.

  Least squares on the training side gives each group a number between about 0 and 1; ridge and
  each group's threshold are those of the best F1 on the validation side.
  """
  said = {}
  true = group_MxG[split.validation]
  for r in RIDGES:
    score_MxG = _fitted(np.float64(feature_MxF), np.float64(group_MxG), split.train, r)
    judged = np.stack([_f1(score_MxG[split.validation] > t, true) for t in THRESHOLDS])
    cut_G = THRESHOLDS[judged.argmax(0)]
    said[r] = judged.max(0).mean(), score_MxG[split.test] > cut_G
  return max(said.values(), key=lambda found: found[0])[1]


def f1(said_NxG: np.ndarray, true_NxG: np.ndarray, asked_M: np.ndarray) -> Terms:
  """Macro-F1 over the groups that occur, the N molecules being those of M examples `asked`."""
  counts = (said_NxG & true_NxG, said_NxG, true_NxG, np.ones((len(true_NxG), 1)))
  parts_NxK = np.concatenate(counts, 1)
  parts_KxM = np.zeros((parts_NxK.shape[1], len(asked_M)))
  parts_KxM[:, asked_M] = parts_NxK.T
  return Terms('macro_f1', parts_KxM)


def _f1(said_NxG: np.ndarray, true_NxG: np.ndarray) -> np.ndarray:
  return 2 * (said_NxG & true_NxG).sum(0) / np.maximum(said_NxG.sum(0) + true_NxG.sum(0), 1)


def _fitted(x_MxF: np.ndarray, y_MxG: np.ndarray, train: np.ndarray, ridge: float) -> np.ndarray:
  """[M, G] of the least squares on `train`, with a constant."""
  x, y = x_MxF[train] - x_MxF[train].mean(0), y_MxG[train] - y_MxG[train].mean(0)
  gram = x.T @ x
  gram[np.diag_indices_from(gram)] += ridge * np.trace(gram) / len(gram)
  weights_FxG = scipy.linalg.solve(gram, x.T @ y, assume_a='pos')
  return (x_MxF - x_MxF[train].mean(0)) @ weights_FxG + y_MxG[train].mean(0)
