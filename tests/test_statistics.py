"""Intervals, paired tests and Holm's correction against closed forms and enumeration."""

import itertools

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from spectra_jax import metrics
from spectra_jax.forms import draws
from spectra_jax.tables import statistics
from spectra_jax.tables.statistics import Sums, bootstrap, difference, holm, paired

P = st.lists(st.floats(0, 1), min_size=1, max_size=8)


def sums(numerator, denominator=None):
  numerator = np.atleast_2d(np.asarray(numerator, float))
  denominator = np.ones_like(numerator) if denominator is None else np.atleast_2d(denominator)
  return Sums(np.stack([numerator, np.asarray(denominator, float)]), 'ratio')


# ---- Holm ---------------------------------------------------------------------


def step_down(p, alpha):
  """Which hypotheses Holm's procedure rejects, as he wrote it: from the smallest p to a stop."""
  rejected = set()
  for rank, i in enumerate(sorted(range(len(p)), key=lambda i: p[i])):
    if p[i] > alpha / (len(p) - rank):
      break
    rejected.add(i)
  return rejected


@given(P, st.floats(0.001, 0.999))
def test_holm_rejects_what_the_procedure_rejects(p, alpha):
  adjusted = holm(np.array(p))
  if all(abs(value - alpha) > 1e-9 for value in adjusted):  # rounding decides no tie
    assert {i for i, value in enumerate(adjusted) if value <= alpha} == step_down(p, alpha)


@given(P, st.randoms())
def test_holm_keeps_order_and_does_not_depend_on_it(p, random):
  adjusted = holm(np.array(p))
  assert (adjusted >= p).all()
  assert (adjusted <= 1).all()
  order = list(range(len(p)))
  random.shuffle(order)
  np.testing.assert_array_equal(holm(np.array(p)[order]), adjusted[order])
  assert (np.diff(adjusted[np.argsort(p)]) >= 0).all()


def test_holm_by_hand():
  np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])
  assert holm([]).shape == (0,)


# ---- intervals ------------------------------------------------------------------


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10**6), st.integers(1, 4), st.integers(2, 12))
def test_interval_holds_the_mean_and_scales_with_the_numbers(seed, seeds, groups):
  rng = np.random.default_rng(seed)
  made = sums(rng.gamma(2.0, size=(seeds, groups)), rng.gamma(2.0, size=(seeds, groups)))
  value, low, high = bootstrap(made, 500, 0.99)
  assert low <= high
  above, below = made.parts_KxSxG
  np.testing.assert_allclose(value, np.mean(above.sum(1) / below.sum(1)))
  scaled = bootstrap(sums(3 * above, below), 500, 0.99)
  np.testing.assert_allclose(scaled, np.multiply(3, (value, low, high)), rtol=1e-9)
  wider = bootstrap(made, 500, 0.999)
  assert wider.low <= low
  assert wider.high >= high


def test_no_spread_no_width():
  assert bootstrap(sums(np.full((3, 5), 0.5)), 200, 0.95) == (0.5, 0.5, 0.5)


def test_one_seed_and_one_group_have_no_interval():
  assert bootstrap(sums([[2.0]]), 200, 0.95) is None


def test_groups_without_denominator_are_no_reason_to_fail():
  denominator = np.array([[0, 0, 0, 0, 0, 0, 0, 0, 0, 1.0]])
  assert bootstrap(sums(denominator / 2, denominator), 200, 0.95) is None  # one group speaks
  denominator = np.array([[0, 1, 2, 1, 2, 3.0]])
  value, low, high = bootstrap(sums(denominator / 2, denominator), 200, 0.95)
  np.testing.assert_allclose((value, low, high), 0.5)


@pytest.mark.parametrize(('seeds', 'groups'), [(1, 40), (3, 1), (4, 40)])
def test_spread_is_that_of_a_mean(seeds, groups):
  """Var = s_seeds^2 / S + s_groups^2 / G for effects that add, also with three seeds."""
  rng = np.random.default_rng(1)
  centre = lambda x: (x - x.mean()) / (x.std(ddof=1) if len(x) > 1 else 1.0)
  of_seed, of_group = centre(rng.normal(size=seeds)), centre(rng.normal(size=groups))
  made = sums(10 + 2 * of_seed[:, None] + 3 * of_group)
  _, low, high = bootstrap(made, 40_000, 0.6827)
  variance = (4 / seeds) * (seeds > 1) + (9 / groups) * (groups > 1)
  if seeds != 3:  # two draws of three take six values: no normal curve
    np.testing.assert_allclose((high - low) / 2, np.sqrt(variance), rtol=0.06)
  else:
    assert low < 10 < high
    weights = draws(np.random.default_rng(0), 3, 40_000)
    np.testing.assert_allclose(np.var(weights @ (2 * of_seed) / 3), variance, rtol=0.05)


# ---- paired tests ----------------------------------------------------------------


def swapped(a, b):
  """p by going through every swap of groups: |difference of ratios| at least as large."""
  size = lambda x, y: abs(x[0].sum() / x[1].sum() - y[0].sum() / y[1].sum())
  found = []
  for signs in itertools.product((False, True), repeat=a.shape[1]):
    found.append(size(np.where(signs, b, a), np.where(signs, a, b)))
  return np.mean(np.array(found) >= found[0] * (1 - 1e-9))


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 10**6), st.integers(3, 8))
def test_permutation_is_every_swap(seed, groups):
  rng = np.random.default_rng(seed)
  a, b = rng.gamma(2.0, size=(2, 2, groups))
  want = swapped(a, b)
  got = paired(sums(a[0], a[1]), sums(b[0], b[1]), 'permutation')
  np.testing.assert_allclose(got, min(1.0, want), atol=1e-12)


def test_seeds_are_averaged_before_groups_are_swapped():
  rng = np.random.default_rng(3)
  a, b = rng.gamma(2.0, size=(2, 3, 7))
  many = paired(sums(a), sums(b[:2]), 'permutation')
  one = paired(sums(a.mean(0)), sums(b[:2].mean(0)), 'permutation')
  assert many == one


def test_wilcoxon_is_scipys_on_the_groups_own_ratios():
  rng = np.random.default_rng(5)
  a, b, weight = rng.gamma(2.0, size=(3, 1, 30))
  want = scipy.stats.wilcoxon(a[0], b[0]).pvalue
  np.testing.assert_allclose(
    paired(sums(a * weight, weight), sums(b * weight, weight), 'wilcoxon'), want
  )


@pytest.mark.parametrize('test', statistics.TESTS)
def test_a_row_equals_itself_and_a_shift_is_found(test):
  rng = np.random.default_rng(0)
  row = rng.gamma(2.0, size=(1, 60))
  assert paired(sums(row), sums(row), test) == 1.0
  assert paired(sums(row), sums(row + 0.1 + 0.02 * rng.normal(size=row.shape)), test) < 0.001


def test_false_alarms_are_as_often_as_they_say():
  """200 pairs of equal rows: p < 0.1 in 20 +- 4 standard deviations of them."""
  rng = np.random.default_rng(0)
  p = [
    statistics._wilcoxon(np.stack([x, np.ones(25)]), np.stack([y, np.ones(25)]), 'ratio', 0)
    for x, y in rng.normal(size=(200, 2, 25))
  ]
  assert abs(np.sum(np.array(p) < 0.1) - 20) < 4 * np.sqrt(18)


def test_bad_requests_are_refused():
  row = sums(np.ones((1, 5)))
  with pytest.raises(ValueError, match="test is 't', expected one of permutation, wilcoxon"):
    paired(row, row, 't')
  empty = sums(np.ones((1, 5)), np.array([[0, 0, 0, 0, 1.0]]))
  with pytest.raises(ValueError, match=r'there are 1 test groups .* expected at least 2'):
    paired(row, empty, 'permutation')


def test_difference_has_the_spread_of_seeds_and_not_of_shared_groups():
  """Effects of groups are the same in both rows and cancel; those of 40 seeds each add up."""
  rng = np.random.default_rng(2)
  of_group, of_seed = 5 * rng.normal(size=30), rng.normal(size=(2, 40))
  of_seed = (of_seed - of_seed.mean(1, keepdims=True)) / of_seed.std(1, ddof=1, keepdims=True)
  ours, theirs = (sums(20 + x[:, None] + of_group) for x in of_seed)
  value, low, high = difference(ours, theirs, 20_000, 0.6827)
  np.testing.assert_allclose(value, 0.0, atol=1e-9)
  np.testing.assert_allclose((high - low) / 2, np.sqrt(1 / 40 + 1 / 40), rtol=0.06)


def test_a_seed_passes_a_test_by_groups_and_is_within_seeds():
  rng = np.random.default_rng(4)
  group = rng.normal(size=50)
  row = lambda effects: sums(20 + np.array(effects)[:, None] + group + 0.1 * rng.normal(size=50))
  ours, theirs = row([1.0, -1.2, 0.9]), row([0.7, 1.1, -1.0])
  _, low, high = difference(ours, theirs, 2000, 0.95)
  assert low < 0 < high
  assert paired(row([1.0]), row([0.0]), 'permutation') < 0.001


# ---- scores that are no ratios -----------------------------------------------------


def regression(seed, groups=25, rows=100, noise=1.0):
  """(predictions, references, group of each row)."""
  rng = np.random.default_rng(seed)
  reference = rng.normal(size=rows)
  return reference + noise * rng.normal(size=rows), reference, np.arange(rows) % groups


def of_row(metric, p, y, groups):
  terms = metric(p, y)
  return Sums(terms.by_group(groups)[:, None], terms.form)


@pytest.mark.parametrize('metric', [metrics.rmsep, metrics.sep, metrics.r2, metrics.rpd])
def test_one_run_in_a_table_has_the_interval_of_its_report(metric):
  p, y, groups = regression(0)
  terms = metric(p, y)
  value, low, high = bootstrap(of_row(metric, p, y, groups), 2000, 0.95)
  assert value == pytest.approx(terms.value)
  assert (low, high) == pytest.approx(terms.interval(groups))


@pytest.mark.parametrize('metric', [metrics.rmsep, metrics.sep, metrics.r2])
def test_swaps_of_groups_are_swaps_of_their_predictions(metric):
  p, y, groups = regression(1, groups=6, rows=12)
  other = y + 2 * np.random.default_rng(2).normal(size=12)
  size = lambda a, b: abs(metric(a, y).value - metric(b, y).value)
  found = []
  for signs in itertools.product((False, True), repeat=6):
    swap = np.array(signs)[groups]
    found.append(size(np.where(swap, other, p), np.where(swap, p, other)))
  want = np.mean(np.array(found) >= found[0] * (1 - 1e-9))
  rows = [of_row(metric, predicted, y, groups) for predicted in (p, other)]
  np.testing.assert_allclose(paired(*rows, 'permutation'), want, atol=1e-12)


def test_rows_of_two_forms_and_groups_without_a_score_of_their_own_are_refused():
  p, y, groups = regression(3)
  rows = [of_row(metric, p, y, groups) for metric in (metrics.sep, metrics.rmsep)]
  with pytest.raises(ValueError, match='one row has a score of form sep and the other of root_rat'):
    paired(*rows, 'permutation')
  with pytest.raises(ValueError, match='which have no sep of their own'):
    paired(rows[0], rows[0], 'wilcoxon')
  assert 0 < paired(rows[1], of_row(metrics.rmsep, p + 0.1, y, groups), 'wilcoxon') < 1
