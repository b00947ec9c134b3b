"""Kernel ridge regression from molecular graphs: the classical way from structure to spectrum."""

from collections.abc import Mapping

import numpy as np
import scipy.linalg
import scipy.sparse

RIDGES = (1e-3, 1e-2, 1e-1)  # those tried


def subtrees(graph: Mapping[str, np.ndarray], radius: int) -> scipy.sparse.csr_matrix:
  """[M, F] counts of what atoms look like from 0 to `radius` bonds away.

  Weisfeiler-Lehman labels (Shervashidze et al. 2011, JMLR 12, 2539): an atom's label is first its
  element, hydrogens, charge, ring; then again and again its own with those of its neighbours and
  their bonds. What is behind 'Morgan' fingerprints, here not folded.
  """
  names, bonds = ('element', 'hydrogens', 'charge', 'aromatic', 'ring'), range(1, 5)
  there_MxA = graph['element'] > 0
  label = _numbered(np.stack([graph[name][there_MxA] for name in names], 1))
  molecule = np.nonzero(there_MxA)[0]
  place_MxA = np.cumsum(there_MxA.ravel()).reshape(there_MxA.shape) - 1
  m, i, j = np.nonzero(np.isin(graph['relation'], list(bonds)))
  start, end, order = place_MxA[m, i], place_MxA[m, j], graph['relation'][m, i, j]
  levels = [label]
  for _ in range(radius):
    heard = [[] for _ in label]
    for a, pair in zip(start, zip(order.tolist(), label[end].tolist(), strict=True), strict=True):
      heard[a].append(pair)
    looks = [(own, *sorted(pairs)) for own, pairs in zip(label.tolist(), heard, strict=True)]
    number = {look: n for n, look in enumerate(dict.fromkeys(looks))}
    label = np.array([number[look] for look in looks])
    levels.append(label)
  shape = lambda labels: (len(there_MxA), labels.max() + 1)
  count = lambda labels: scipy.sparse.csr_matrix(
    (np.ones(len(labels), np.float32), (molecule, labels)), shape(labels)
  )
  return scipy.sparse.hstack([count(labels) for labels in levels]).tocsr()


def subtree_kernel(graph: Mapping[str, np.ndarray], radius: int) -> np.ndarray:
  """[M, M] float32: sum of the lesser counts over that of the larger (Tanimoto); 1 of the same."""
  counts = subtrees(graph, radius)
  levels = [counts >= k for k in range(1, int(counts.max()) + 1)]  # min(a, b) = sum_k [a>=k][b>=k]
  both = scipy.sparse.hstack(levels).tocsr().astype(np.float32)
  common = (both @ both.T).toarray()
  total = np.asarray(both.sum(1))
  return common / (total + total.T - common)


def ridge(
  kernel_MxM: np.ndarray, target_MxY: np.ndarray, train: np.ndarray, validation: np.ndarray
) -> np.ndarray:
  """[M, Y]: mean + K (K_train + r 1)^-1 (targets - mean), r of `RIDGES` the best in validation."""
  mean_Y = target_MxY[train].mean(0)
  wanted, seen_MxN = target_MxY[train] - mean_Y, kernel_MxM[:, train]
  best, least = None, np.inf
  for r in RIDGES:
    factor = scipy.linalg.cho_factor(kernel_MxM[np.ix_(train, train)] + r * np.eye(len(train)))
    weights = np.float32(scipy.linalg.cho_solve(factor, wanted))
    error = ((seen_MxN[validation] @ weights + mean_Y - target_MxY[validation]) ** 2).sum()
    if error < least:
      best, least = weights, error
  return seen_MxN @ best + mean_Y


def _numbered(rows: np.ndarray) -> np.ndarray:
  """A number for each different row."""
  return np.unique(rows, axis=0, return_inverse=True)[1].reshape(-1)
