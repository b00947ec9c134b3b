"""Matched one to one and as many as can be; tops between the points."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from spectra_jax.peaks import find_peaks, match, peak_scores

POSITIONS = st.lists(st.integers(0, 40).map(lambda k: k / 2), max_size=12)


@settings(max_examples=200, deadline=None)
@given(POSITIONS, POSITIONS, st.sampled_from([0.0, 0.5, 1.0, 2.5]))
def test_no_assignment_has_more_pairs(found, true, tolerance):
  found, true = np.array(found), np.array(true)
  pairs = match(found, true, tolerance)
  assert len(set(pairs[:, 0])) == len(set(pairs[:, 1])) == len(pairs)
  assert (np.abs(found[pairs[:, 0]] - true[pairs[:, 1]]) <= tolerance).all()
  close = np.abs(found[:, None] - true) <= tolerance
  rows, columns = linear_sum_assignment(close, maximize=True)
  assert len(pairs) == close[rows, columns].sum()


def test_one_true_peak_serves_one_found_peak():
  assert match([1000.0, 1001.0, 1002.0], [1001.0], 5.0).tolist() == [[0, 0]]
  assert match([3.0, 1.0], [2.0, 0.0], 1.0).tolist() == [[1, 1], [0, 0]]
  with pytest.raises(ValueError, match='expected finite positions and a tolerance of at least 0'):
    match([np.nan], [1.0], 1.0)


def test_precision_and_recall_are_ratios_of_sums():
  found = [np.array([10.0, 20.0, 30.0]), np.array([]), np.array([5.0])]
  true = [np.array([11.0, 29.0]), np.array([7.0, 8.0]), np.array([5.0])]
  scores = peak_scores(found, true, 1.5)
  assert scores['precision'].value == 3 / 4
  assert scores['recall'].value == 3 / 5
  assert scores['f1'].value == 2 * 3 / 9
  p, r = scores['precision'].value, scores['recall'].value
  assert scores['f1'].value == pytest.approx(2 * p * r / (p + r))
  everywhere = peak_scores([np.arange(0.0, 40.0)] * 3, true, 1.5)
  assert everywhere['recall'].value == 1
  assert everywhere['precision'].value < 0.05
  with pytest.raises(ValueError, match='peaks of 2 predictions and 3 references'):
    peak_scores(found[:2], true, 1.0)


@settings(max_examples=40, deadline=None)
@given(st.floats(0.0, 1.0), st.floats(2.0, 8.0))
def test_tops_lie_between_points(offset, hwhm):
  axis = np.arange(400.0, 480.0)
  centre = 440.0 + offset
  values = 1 / (1 + ((axis - centre) / hwhm) ** 2)
  (top,) = find_peaks(values, axis, 0.1, 3.0)
  assert abs(top - centre) < 0.05


def test_a_parabola_on_an_uneven_axis_is_exact():
  axis = np.array([1.0, 2.0, 2.5, 4.0, 6.0])
  (top,) = find_peaks(5 - (axis - 2.7) ** 2, axis, 0.01, 0.0)
  assert top == pytest.approx(2.7)


def test_small_and_close_maxima_are_left_out():
  axis = np.arange(0.0, 200.0)
  line = lambda centre, height: height * np.exp(-(((axis - centre) / 4) ** 2))
  values = line(50, 1.0) + line(65, 0.5) + line(150, 0.02)
  assert np.round(find_peaks(values, axis, 0.01, 5.0)).tolist() == [50, 65, 150]
  assert np.round(find_peaks(values, axis, 0.05, 5.0)).tolist() == [50, 65]
  assert np.round(find_peaks(values, axis, 0.05, 30.0)).tolist() == [50]
  assert find_peaks(np.ones(200), axis, 0.01, 5.0).tolist() == []
  with pytest.raises(ValueError, match='or are not finite; expected one finite spectrum'):
    find_peaks(np.full(200, np.nan), axis, 0.1, 5.0)
