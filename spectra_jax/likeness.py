"""How like spectra are as wholes: cosine, spectral information divergence, nearest of classes."""

import numpy as np

from spectra_jax.forms import Terms


def cosine(predicted_NxL: np.ndarray, reference_NxL: np.ndarray) -> Terms:
  """Mean over spectra of p.y / (|p| |y|): 1 of equal shapes, whatever their scale.

  A background that both have makes it large; take it off first, or look at peaks as well.

  Raises:
    ValueError: shapes that differ, values that are not finite, or a spectrum of zeros.
  """
  p, y = _pair(predicted_NxL, reference_NxL)
  norm_N = np.linalg.norm(p, axis=1) * np.linalg.norm(y, axis=1)
  if not (norm_N > 0).all():
    raise ValueError(
      f'spectrum {np.flatnonzero(norm_N == 0)[0]} is zero everywhere, expected some intensity: '
      'zeros have no direction; leave it out'
    )
  return _mean((p * y).sum(1) / norm_N)


def nearest_of_classes(
  values_BxL: np.ndarray, library_NxL: np.ndarray, class_N: np.ndarray, classes: int
) -> np.ndarray:
  """[B, classes]: cosine to the nearest library spectrum of each class; -1 of a class without one.

  Args:
    values_BxL: spectra, or their differences.
    library_NxL: what is known, in the same form.
    class_N: number of the class of each, below `classes`.
    classes: how many there are.
  """
  cosine_BxN = _unit(values_BxL) @ _unit(library_NxL).T
  of_class = lambda c: cosine_BxN[:, class_N == c].max(1, initial=-1.0)
  return np.stack([of_class(c) for c in range(classes)], 1)


def _unit(x_NxL: np.ndarray) -> np.ndarray:
  return x_NxL / np.maximum(np.linalg.norm(x_NxL, axis=1, keepdims=True), 1e-12)


def spectral_information_divergence(
  predicted_NxL: np.ndarray, reference_NxL: np.ndarray, floor: float
) -> Terms:
  """Mean over spectra of sum (p - q) log(p / q), p and q the spectra over their sums.

  The symmetric Kullback-Leibler divergence of Chang 2000, doi:10.1109/18.857802: 0 of equal shapes.
  It is infinite where one spectrum is zero and the other is not, so `floor` times its mean is added
  to each spectrum; numbers with different floors do not compare.

  Args:
    predicted_NxL: predictions; below zero they count as zero, for a network may say so.
    reference_NxL: what was measured or computed, nowhere below zero.
    floor: share of the mean, such as 1e-3.

  Raises:
    ValueError: as of `cosine`, a reference below zero, or a floor that is not positive.
  """
  p, q = _pair(predicted_NxL, reference_NxL)
  if not floor > 0:
    raise ValueError(f'floor is {floor}, expected a positive share of the mean, such as 1e-3')
  if (q < 0).any():
    row = int(np.flatnonzero((q < 0).any(1))[0])
    raise ValueError(
      f'reference {row} is {q[row].min():.3g} somewhere, expected nothing below zero: a divergence '
      'is of intensities; use `cosine` for derivatives and centred spectra'
    )
  p, q = (_shares(x, floor) for x in (np.maximum(p, 0.0), q))
  return _mean(((p - q) * np.log(p / q)).sum(1))


def _shares(x_NxL: np.ndarray, floor: float) -> np.ndarray:
  mean_Nx1 = x_NxL.mean(1, keepdims=True)
  x_NxL = np.where(mean_Nx1 > 0, x_NxL + floor * mean_Nx1, 1.0)  # of nothing all is alike
  return x_NxL / x_NxL.sum(1, keepdims=True)


def _pair(predicted_NxL: np.ndarray, reference_NxL: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  p, y = np.float64(predicted_NxL), np.float64(reference_NxL)
  if p.shape != y.shape or p.ndim != 2 or not (np.isfinite(p).all() and np.isfinite(y).all()):
    raise ValueError(
      f'spectra have shapes {p.shape} and {y.shape}, or are not finite; expected [N, L] of both; '
      'cut them to what was measured'
    )
  return p, y


def _mean(score_N: np.ndarray) -> Terms:
  return Terms('ratio', np.stack([score_N, np.ones_like(score_N)]))
