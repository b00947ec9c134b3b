"""Metrics against scikit-learn, and bootstrap intervals that cover as often as they say."""

import numpy as np
import pytest
import scipy.stats
import sklearn.metrics

from spectra_jax import metrics
from spectra_jax.forms import FORMS, Terms
from spectra_jax.metrics import mean_interval, ratio


def test_ratio_is_of_sums_and_merges():
  a, b = np.array([1.0, 2.0, 3.0]), np.array([2.0, 2.0, 4.0])
  assert ratio(a, b) == 0.75
  halves = [ratio(a[s], b[s]) * b[s].sum() for s in (slice(0, 1), slice(1, 3))]
  assert sum(halves) / b.sum() == ratio(a, b)


def interval(a, b, **options):
  return Terms('ratio', np.stack([a, b])).interval(range(len(a)), **options)


def test_interval_is_reproducible_and_holds_the_estimate():
  rng = np.random.default_rng(0)
  a, b = rng.gamma(1.0, 1.0, (2, 200))
  low, high = interval(a, b)
  assert (low, high) == interval(a, b)
  assert low < ratio(a, b) < high


def test_interval_of_a_constant_ratio_has_no_width():
  b = np.random.default_rng(0).gamma(1.0, 1.0, 50)
  low, high = interval(0.3 * b, b)
  assert abs(low - 0.3) < 1e-12
  assert abs(high - 0.3) < 1e-12


def test_interval_covers_the_truth_about_as_often_as_it_says():
  rng = np.random.default_rng(1)
  covered = 0
  for _ in range(200):
    a, b = rng.gamma(2.0, 0.5, 120), rng.gamma(2.0, 1.0, 120)
    low, high = interval(a, b, resamples=400)
    covered += low <= 0.5 <= high
  assert 178 <= covered <= 200  # 95 % nominal; below 178 has probability under 1e-4


def test_interval_over_seeds_covers_the_mean_as_often_as_it_says():
  values = np.random.default_rng(2).normal(1.0, 0.3, (2000, 3))
  covered = [low <= 1.0 <= high for _, low, high in map(mean_interval, values)]
  assert abs(np.mean(covered) - 0.95) < 0.02  # four standard errors
  mean, low, high = mean_interval([1.0, 2.0, 3.0])  # 4.303 = t of two degrees of freedom
  np.testing.assert_allclose((mean, high - mean, mean - low), (2.0, 4.3027 / 3**0.5, 2.4841), 1e-4)
  with pytest.raises(ValueError, match='there are 1 values, expected at least 2'):
    mean_interval([1.0])


def test_repeated_splits_are_not_taken_for_independent():
  """The mean of training rows predicts test rows: true error 1 + 1 / n, over 150 data sets."""
  rng, covered, plain = np.random.default_rng(0), 0, 0
  orders = [np.random.default_rng(seed).permutation(60) for seed in range(10)]
  for _ in range(150):
    y = rng.normal(size=60)
    values = [np.mean((y[order[:24]] - y[order[24:]].mean()) ** 2) for order in orders]
    _, low, high = mean_interval(values, test_over_train=24 / 36)
    _, narrow_low, narrow_high = mean_interval(values)
    covered += low <= 1 + 1 / 36 <= high
    plain += narrow_low <= 1 + 1 / 36 <= narrow_high
  assert covered >= 132  # 95 % nominal
  assert plain < 110
  wider = np.sqrt((1 / 10 + 24 / 36) / (1 / 10))
  assert high - low == pytest.approx(wider * (narrow_high - narrow_low))


# ---- metrics as functions of sums ---------------------------------------------------


def two(seed, count=60):
  """Predictions with a bias, and references."""
  rng = np.random.default_rng(seed)
  reference = 60 + 5 * rng.normal(size=count)
  return reference + 0.7 + rng.normal(size=count), reference


def said(seed, count=200, classes=6):
  """Probabilities of classes, and the true ones; class 5 never occurs."""
  rng = np.random.default_rng(seed)
  true = rng.integers(0, classes - 1, count)
  logits = rng.normal(size=(count, classes)) + 2 * (true[:, None] == np.arange(classes))
  return np.exp(logits) / np.exp(logits).sum(1, keepdims=True), true


@pytest.mark.parametrize('seed', range(3))
def test_errors_are_those_of_scikit_learn_and_of_their_definitions(seed):
  p, y = two(seed)
  rmsep = sklearn.metrics.root_mean_squared_error(y, p)
  assert metrics.rmsep(p, y).value == pytest.approx(rmsep)
  assert metrics.bias(p, y).value == pytest.approx(np.mean(p - y))
  assert metrics.sep(p, y).value == pytest.approx(np.std(p - y, ddof=1))
  assert metrics.r2(p, y).value == pytest.approx(sklearn.metrics.r2_score(y, p))
  assert metrics.rpd(p, y).value == pytest.approx(np.std(y, ddof=1) / rmsep)
  assert metrics.rpiq(p, y).value == pytest.approx(scipy.stats.iqr(y) / rmsep)
  n = len(y)
  assert 1 - metrics.r2(p, y).value == pytest.approx(n / (n - 1) / metrics.rpd(p, y).value ** 2)


@pytest.mark.parametrize('seed', range(3))
def test_classes_are_scored_as_scikit_learn_does(seed):
  probability, true = said(seed)
  guess = probability.argmax(1)
  occurring = {'labels': np.unique(true), 'average': 'macro'}
  oracle = sklearn.metrics.f1_score(true, guess, **occurring)
  assert metrics.macro_f1(guess, true).value == pytest.approx(oracle)
  oracle = sklearn.metrics.recall_score(true, guess, **occurring)
  assert metrics.balanced_accuracy(guess, true).value == pytest.approx(oracle)
  oracle = sklearn.metrics.accuracy_score(true, guess)
  assert metrics.accuracy(guess, true).value == pytest.approx(oracle)
  for k in (1, 2, 3):
    oracle = sklearn.metrics.top_k_accuracy_score(true, probability, k=k, labels=np.arange(6))
    assert metrics.top_k(probability, true, k).value == pytest.approx(oracle)


def test_names_are_classes_too():
  true, guess = np.array(['a', 'b', 'b']), np.array(['a', 'b', 'c'])
  assert metrics.balanced_accuracy(guess, true).value == 0.75
  assert metrics.macro_f1(guess, true).value == pytest.approx((1 + 2 / 3) / 2)


def test_a_model_that_says_nothing_has_no_luck_with_ties():
  flat, true = np.full((30, 10), 0.1), np.arange(30) % 10
  assert metrics.top_k(flat, true, 1).value == 0
  assert metrics.top_k(flat, true, 9).value == 1  # 9 classes level with it, half of them above


def calibration_error(probability, true, bins):
  """As Guo et al. write it: a loop over bins."""
  confidence, hit = probability.max(1), probability.argmax(1) == true
  found = 0.0
  for b in range(bins):
    inside = (confidence > b / bins) & (confidence <= (b + 1) / bins)
    if inside.any():
      found += inside.mean() * abs(confidence[inside].mean() - hit[inside].mean())
  return found


@pytest.mark.parametrize('bins', [1, 10, 15])
def test_calibration_error_is_that_of_a_loop_over_bins(bins):
  probability, true = said(4)
  want = calibration_error(probability, true, bins)
  assert metrics.expected_calibration_error(probability, true, bins).value == pytest.approx(want)


def test_calibration_error_of_a_sure_model_is_its_error():
  sure = np.eye(3)[[0, 1, 2, 0]]
  assert metrics.expected_calibration_error(sure, np.array([0, 1, 1, 1])).value == 0.5


def test_bins_end_with_their_upper_edge():
  """0.35 and 0.4 are both in (0.2, 0.4], where a hit and a miss make up for each other."""
  near = np.array([[0.4, 0.3, 0.3], [0.35, 0.33, 0.32]])
  error = metrics.expected_calibration_error(near, np.array([0, 1]), 5)
  assert error.value == pytest.approx(abs(0.4 - 1 + 0.35) / 2)


def scored():
  p, y = two(7)
  probability, true = said(7, len(p))
  guess = probability.argmax(1)
  regression = (metrics.rmsep, metrics.sep, metrics.bias, metrics.r2, metrics.rpd)
  found = {f.__name__: (lambda i, f=f: f(p[i], y[i])) for f in regression}
  found |= {
    'macro_f1': lambda i: metrics.macro_f1(guess[i], true[i]),
    'balanced_accuracy': lambda i: metrics.balanced_accuracy(guess[i], true[i]),
    'top_2': lambda i: metrics.top_k(probability[i], true[i], 2),
    'calibration': lambda i: metrics.expected_calibration_error(probability[i], true[i]),
  }
  return len(p), found


ROWS, SCORED = scored()


@pytest.mark.parametrize('name', SCORED)
def test_groups_drawn_again_give_the_metric_of_the_drawn_rows(name):
  """Weighted sums of groups are the metric itself, computed on rows that are repeated."""
  groups = np.random.default_rng(0).integers(0, 12, ROWS)
  whole = SCORED[name](np.arange(ROWS))
  names, sums = np.unique(groups.astype(str)), whole.by_group(groups)
  for seed in range(5):
    weight = np.random.default_rng(seed).multinomial(
      len(names), np.full(len(names), 1 / len(names))
    )
    rows = np.concatenate(
      [np.flatnonzero(groups.astype(str) == g) for g in np.repeat(names, weight)]
    )
    drawn = FORMS[whole.form](sums @ weight)
    assert float(drawn) == pytest.approx(SCORED[name](rows).value, rel=1e-9), seed


@pytest.mark.parametrize('name', SCORED)
def test_interval_holds_the_number_and_some_width(name):
  whole = SCORED[name](np.arange(ROWS))
  low, high = whole.interval(np.arange(ROWS))
  assert low < high
  if name != 'calibration':  # which is biased upwards in small samples
    assert low <= whole.value <= high


def test_interval_of_rmsep_covers_the_truth_about_as_often_as_it_says():
  """Groups of four whose errors share a part: rows drawn apart look twice as sure as they are."""
  rng, covered = np.random.default_rng(3), 0
  groups = np.repeat(np.arange(60), 4)
  for _ in range(100):
    error = rng.normal(size=60)[groups] * np.sqrt(0.9) + rng.normal(size=240) * np.sqrt(0.1)
    terms = metrics.rmsep(error, np.zeros(240))
    low, high = terms.interval(groups, resamples=200)
    covered += low <= 1.0 <= high
  assert 82 <= covered <= 99  # 92.5 % expected with 60 groups of squared normal errors
  apart = terms.interval(np.arange(240), resamples=200)
  assert apart[1] - apart[0] < 0.7 * (high - low)


def test_unknown_references_are_not_judged():
  p, y = two(1)
  holes = np.where(np.arange(len(y)) % 3, y, np.nan)
  known = ~np.isnan(holes)
  for f in (metrics.rmsep, metrics.sep, metrics.bias, metrics.r2, metrics.rpd, metrics.rpiq):
    assert f(p, holes).value == pytest.approx(f(p[known], y[known]).value)
  part = metrics.rmsep(p, y).where(known)
  assert part.value == pytest.approx(metrics.rmsep(p[known], y[known]).value)


def test_what_cannot_be_scored_is_refused():
  p, y = two(2, 10)
  probability, true = said(2, 10)
  with pytest.raises(ValueError, match=r'shape \(9,\) and references \(10,\)'):
    metrics.rmsep(p[:9], y)
  with pytest.raises(ValueError, match='prediction 3 is nan'):
    metrics.r2(np.where(np.arange(10) == 3, np.nan, p), y)
  with pytest.raises(ValueError, match='k is 7, expected 1 to 6'):
    metrics.top_k(probability, true, 7)
  with pytest.raises(ValueError, match='row 0 has probabilities that sum to'):
    metrics.expected_calibration_error(2 * probability, true)
  with pytest.raises(ValueError, match='true classes are'):
    metrics.top_k(probability, true + 5, 1)
  with pytest.raises(ValueError, match='1 test groups have something to judge'):
    metrics.rmsep(p, y).interval(['one'] * 10)
  with pytest.raises(ValueError, match='9 groups were given for 10 examples'):
    metrics.rmsep(p, y).interval(range(9))
