"""Scores of numbers and classes, and their intervals: exact sums, ratios, errors, hits.

A metric takes predictions and references and gives `Terms` (spectra_jax/forms.py): what each
example adds to its sums. `rmsep(p, y).value` is the number, `.interval(groups)` its bootstrap over
test groups, and `scores.by_group({'fat.rmsep': rmsep(p, y)}, groups)` is what tables need for
intervals and paired tests, with results['fat']['rmsep'] = rmsep(p, y).value in the report.
Peaks: spectra_jax/peaks.py; whole spectra: spectra_jax/likeness.py.
"""

import numpy as np
import scipy.stats

from spectra_jax.forms import Terms


def ratio(numerator_N: np.ndarray, denominator_N: np.ndarray) -> float:
  """sum numerator / sum denominator: a ratio of means over all examples, not a mean of ratios."""
  return float(numerator_N.sum() / denominator_N.sum())


def mean_interval(
  values_S: np.ndarray, level: float = 0.95, test_over_train: float = 0.0
) -> tuple[float, float, float]:
  """(mean, low, high) of independent values (seeds), or of those of repeated splits.

  Student's t of S - 1 degrees of freedom with s^2 (1 / S + test / train) for the variance of the
  mean. Training sides of repeated splits share most of their rows, so S splits tell less than S
  samples (Nadeau & Bengio 2003, doi:10.1023/A:1024068626366).

  Args:
    values_S: one number each.
    level: of the interval.
    test_over_train: rows of the test side over those of training; 0 = the values are independent.

  Raises:
    ValueError: fewer than two values, which say nothing about their spread.
  """
  count = len(values_S)
  if count < 2:
    raise ValueError(f'there are {count} values, expected at least 2 for an interval; add seeds')
  spread = np.sqrt(1 / count + test_over_train)
  mean, error = float(np.mean(values_S)), float(np.std(values_S, ddof=1)) * spread
  half = float(scipy.stats.t.ppf(0.5 + level / 2, count - 1)) * error
  return mean, mean - half, mean + half


def split_interval(
  value: float, values_S: np.ndarray, test_over_train: float, level: float = 0.95
) -> tuple[float, float]:
  """`value`, of the pooled test sides of S splits, plus and minus the half width that
  `mean_interval` finds for repeated splits.

  A bootstrap over the pooled samples takes the trained models as given. On corn and Tecator (20
  splits; PLS, ridge, SVM) this is 1.1 to 3 times as wide, so this is what stands in tables.

  Args:
    value: the score of all test sides together.
    values_S: the same score of each split.
    test_over_train: rows of the test side over those that a method learned from.
    level: of the interval.
  """
  mean, _, high = mean_interval(values_S, level, test_over_train)
  return value - (high - mean), value + (high - mean)


# ---- regression ---------------------------------------------------------------


def rmsep(predicted_N: np.ndarray, reference_N: np.ndarray) -> Terms:
  """Root mean square error of prediction, sqrt(mean (p - y)^2), in the unit of the reference.

  As all metrics here it is of the examples whose reference is known (not NaN); `.value` is the
  number and `.interval(groups)` its spread over test groups.
  """
  error_N, _, count_N = _errors(predicted_N, reference_N)
  return Terms('root_ratio', np.stack([error_N**2, count_N]))


def sep(predicted_N: np.ndarray, reference_N: np.ndarray) -> Terms:
  """Standard error of prediction: sd of p - y about their mean, the bias taken off, with n - 1."""
  error_N, _, count_N = _errors(predicted_N, reference_N)
  return Terms('sep', np.stack([error_N**2, error_N, count_N]))


def bias(predicted_N: np.ndarray, reference_N: np.ndarray) -> Terms:
  """mean(p - y): positive where the model says too much."""
  error_N, _, count_N = _errors(predicted_N, reference_N)
  return Terms('ratio', np.stack([error_N, count_N]))


def r2(predicted_N: np.ndarray, reference_N: np.ndarray) -> Terms:
  """1 - sum (p - y)^2 / sum (y - mean y)^2, the mean of these references, not of training."""
  return Terms('r2', _with_spread(predicted_N, reference_N))


def rpd(predicted_N: np.ndarray, reference_N: np.ndarray) -> Terms:
  """sd / RMSEP, sd of the references that were predicted, with n - 1 (Williams 1987).

  Over RMSEP and not over SEP: a bias is an error too. So 1 - R2 = n / (n - 1) / RPD^2.
  """
  return Terms('rpd', _with_spread(predicted_N, reference_N))


def rpiq(predicted_N: np.ndarray, reference_N: np.ndarray) -> Terms:
  """(Q3 - Q1) / RMSEP of the references that were predicted (Bellon-Maurel et al. 2010).

  Quartiles are linear between order statistics; intervals and tests hold them fixed, for they are
  no sums: it is the spread of the error alone. doi:10.1016/j.trac.2010.05.006
  """
  error_N, reference_N, count_N = _errors(predicted_N, reference_N)
  known = reference_N[count_N > 0]
  low, high = np.quantile(known, [0.25, 0.75]) if len(known) else (0.0, 0.0)
  return Terms('root_ratio', np.stack([count_N * (high - low) ** 2, error_N**2, count_N]))


def median_error(errors: Terms) -> float:
  """Median of |p - y| over the known references, of what `rmsep` gave; no function of sums.

  A few gross errors, which make most of RMSEP, do not move it.
  """
  square_N, known_N = errors.parts_KxN
  return float(np.median(np.sqrt(square_N[known_N > 0])))


def _errors(
  predicted_N: np.ndarray, reference_N: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """(p - y, y about its mean, 1), each [N] and 0 where the reference is not known.

  Raises:
    ValueError: shapes that differ, or a prediction that is no number.
  """
  predicted_N, reference_N = np.float64(predicted_N), np.float64(reference_N)
  if predicted_N.shape != reference_N.shape or predicted_N.ndim != 1:
    raise ValueError(
      f'predictions have shape {predicted_N.shape} and references {reference_N.shape}, expected '
      '[N] of both; score one property at a time'
    )
  if not np.isfinite(predicted_N).all():
    row = int(np.flatnonzero(~np.isfinite(predicted_N))[0])
    raise ValueError(
      f'prediction {row} is {predicted_N[row]}, expected a finite number of every example; a model '
      'that cannot predict it has no score'
    )
  known_N = ~np.isnan(reference_N)
  centre = reference_N[known_N].mean() if known_N.any() else 0.0
  zero_else = lambda x_N: np.where(known_N, x_N, 0.0)
  return (
    zero_else(predicted_N - reference_N),
    zero_else(reference_N - centre),
    np.float64(known_N),
  )


def _with_spread(predicted_N: np.ndarray, reference_N: np.ndarray) -> np.ndarray:
  error_N, centred_N, count_N = _errors(predicted_N, reference_N)
  return np.stack([error_N**2, centred_N**2, centred_N, count_N])


OF_NUMBERS = {metric.__name__: metric for metric in (rmsep, sep, bias, r2, rpd, rpiq)}


# ---- classes ------------------------------------------------------------------


def accuracy(said_N: np.ndarray, true_N: np.ndarray) -> Terms:
  """Share of examples whose class was said."""
  hit_N = np.float64(np.asarray(said_N) == np.asarray(true_N))
  return Terms('ratio', np.stack([hit_N, np.ones_like(hit_N)]))


def top_k(scores_NxC: np.ndarray, true_N: np.ndarray, k: int) -> Terms:
  """Share of examples whose class is among the k likeliest; ties count half against it.

  The rank of the true class is the number of classes above it plus half of those level with it, so
  that a model that says the same of all classes has no luck with their order.

  Raises:
    ValueError: k is no number of classes, or scores that are not finite.
  """
  scores_NxC, true_N = _checked_scores(scores_NxC, true_N)
  if not 1 <= k <= scores_NxC.shape[1]:
    raise ValueError(
      f'k is {k}, expected 1 to {scores_NxC.shape[1]}, the number of classes; correct it'
    )
  own_Nx1 = np.take_along_axis(scores_NxC, true_N[:, None], 1)
  above_N = (scores_NxC > own_Nx1).sum(1)
  level_N = (scores_NxC == own_Nx1).sum(1) - 1
  hit_N = np.float64(above_N + level_N / 2 < k)
  return Terms('ratio', np.stack([hit_N, np.ones_like(hit_N)]))


def macro_f1(said_N: np.ndarray, true_N: np.ndarray) -> Terms:
  """Mean over the classes that occur on the test side of F1 = 2 hits / (said + true).

  A class that is said and never true has no F1 of its own; it costs those it is said instead of.
  """
  said_NxC, true_NxC = _one_hot(said_N, true_N)
  parts = (said_NxC * true_NxC, said_NxC, true_NxC, np.ones((len(said_NxC), 1)))
  return Terms('macro_f1', np.concatenate(parts, 1).T)


def balanced_accuracy(said_N: np.ndarray, true_N: np.ndarray) -> Terms:
  """Mean recall over the classes that occur on the test side."""
  said_NxC, true_NxC = _one_hot(said_N, true_N)
  parts = (said_NxC * true_NxC, true_NxC, np.ones((len(said_NxC), 1)))
  return Terms('balanced_accuracy', np.concatenate(parts, 1).T)


def expected_calibration_error(
  probability_NxC: np.ndarray, true_N: np.ndarray, bins: int = 15
) -> Terms:
  """sum_b n_b / N |mean confidence - accuracy| over bins of equal width of the confidence.

  The confidence is the largest probability, a hit is that this class is true; bin b holds
  (b / B, (b + 1) / B]. Guo et al. 2017, arXiv:1706.04599. It is not 0 for a perfectly calibrated
  model on few examples: compare models on one test side.

  Raises:
    ValueError: rows that are no probabilities, or no bins.
  """
  probability_NxC, true_N = _checked_scores(probability_NxC, true_N)
  if bins < 1:
    raise ValueError(f'bins is {bins}, expected at least 1')
  total_N = probability_NxC.sum(1)
  wrong = np.flatnonzero((abs(total_N - 1) > 1e-3) | (probability_NxC < 0).any(1))
  if len(wrong):
    raise ValueError(
      f'row {wrong[0]} has probabilities that sum to {total_N[wrong[0]]:.4g} or are negative, '
      'expected none below 0 and a sum of 1; apply softmax to scores'
    )
  confidence_N = probability_NxC.max(1)
  gap_N = confidence_N - (probability_NxC.argmax(1) == true_N)
  bin_N = np.clip(np.ceil(confidence_N * bins).astype(int) - 1, 0, bins - 1)
  parts_NxB = gap_N[:, None] * (bin_N[:, None] == np.arange(bins))
  parts = np.concatenate([parts_NxB, np.ones((len(gap_N), 1))], 1)
  return Terms('expected_calibration_error', parts.T)


def _one_hot(said_N: np.ndarray, true_N: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """[N, C] of 0 and 1 for both, C the classes that are true of some example."""
  said_N, true_N = np.asarray(said_N), np.asarray(true_N)
  if said_N.shape != true_N.shape or true_N.ndim != 1:
    raise ValueError(
      f'said classes have shape {said_N.shape} and true ones {true_N.shape}, expected [N] of both; '
      'take the likeliest class of each example'
    )
  classes_C = np.unique(true_N)
  return tuple(np.float64(x[:, None] == classes_C) for x in (said_N, true_N))


def _checked_scores(scores_NxC: np.ndarray, true_N: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  scores_NxC, true_N = np.float64(scores_NxC), np.asarray(true_N)
  if scores_NxC.ndim != 2 or len(scores_NxC) != len(true_N):
    raise ValueError(
      f'scores have shape {scores_NxC.shape} and there are {len(true_N)} classes to be found, '
      'expected [N, C] and N; give one row of scores an example'
    )
  if not np.isfinite(scores_NxC).all():
    row = int(np.flatnonzero(~np.isfinite(scores_NxC).all(1))[0])
    raise ValueError(
      f'row {row} has scores that are not finite, expected numbers of all classes; look at '
      'the model'
    )
  classes = scores_NxC.shape[1]
  if true_N.dtype.kind not in 'iu' or not ((true_N >= 0) & (true_N < classes)).all():
    raise ValueError(
      f'true classes are {np.unique(true_N)[:5]} ... of type {true_N.dtype}, expected integers '
      f'from 0 to {classes - 1}, the columns of the scores; number the labels of the training side'
    )
  return scores_NxC, true_N
