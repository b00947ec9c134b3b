"""Scores of predicted spectra, by spectra of known making."""

import numpy as np
import pytest

from spectra_jax import spectrum_scores
from spectra_jax.spectrum_scores import PeakRule

NU = np.arange(400.0, 1400.0, 4.0)
RULE = PeakRule(prominence=0.05, separation_cm=10.0, tolerance_cm=5.0)


def lines(*at, heights=None):
  """[L]: a Lorentzian of FWHM 16 at each place."""
  heights = heights or [1.0] * len(at)
  return sum(h / (1 + ((NU - place) / 8) ** 2) for place, h in zip(at, heights, strict=True))


def of_peaks(predicted, true):
  found, wanted = (RULE.peaks(np.stack(x), NU) for x in (predicted, true))
  return {k: float(v) for k, v in spectrum_scores.of_peaks(found, wanted, 5.0).items()}


def test_truth_is_perfect():
  truth = np.stack([lines(600, 900, 1101, heights=[1, 2, 3]), lines(700, 1003, heights=[3, 1])])
  assert float(spectrum_scores.squared_error(truth, truth)) == 0
  assert float(spectrum_scores.cosine(truth, truth)) == pytest.approx(1)
  scores = of_peaks(truth, truth)
  assert scores == pytest.approx({'precision': 1, 'recall': 1, 'f1': 1, 'intensity': 1})


def test_error_is_a_mean_over_points_and_cosine_knows_no_scale():
  truth = np.stack([lines(600), lines(900)])
  assert float(spectrum_scores.squared_error(truth + 3, truth)) == pytest.approx(9)
  assert float(spectrum_scores.cosine(7 * truth, truth)) == pytest.approx(1)
  assert float(spectrum_scores.cosine(truth[::-1], truth)) < 0.1


def test_cosine_leaves_out_references_without_intensity_and_counts_empty_predictions_as_wrong():
  truth = np.stack([lines(600), 0 * NU, lines(900)])
  predicted = np.stack([lines(600), lines(700), 0 * NU])
  found = spectrum_scores.cosine(predicted, truth)
  np.testing.assert_allclose(found.parts_KxN, [[1, 0, 0], [1, 0, 1]])


def test_peaks_are_counted_one_to_one_within_the_tolerance():
  # Of two true peaks one is met, 4 off, one missed by 6; one is made up.
  scores = of_peaks([lines(604, 906, 1200)], [lines(600, 900)])
  assert scores['precision'] == pytest.approx(1 / 3)
  assert scores['recall'] == pytest.approx(1 / 2)


def test_intensity_is_the_correlation_of_matched_heights_alone():
  true = [lines(600, 900, 1100, heights=[1, 2, 4])]
  assert of_peaks([lines(600, 900, 1100, heights=[2, 4, 8])], true)['intensity'] > 0.9999
  assert of_peaks([lines(600, 900, 1100, heights=[4, 2, 1])], true)['intensity'] < -0.7
  rng = np.random.default_rng(0)
  heights, others = rng.uniform(1, 2, (2, 40, 2))
  found, wanted = (
    [lines(600, 1000, heights=list(pair)) for pair in of] for of in (heights, others)
  )
  expected = np.corrcoef(
    *(np.concatenate([h for _, h in RULE.peaks(np.stack(x), NU)]) for x in (found, wanted))
  )[0, 1]
  assert of_peaks(found, wanted)['intensity'] == pytest.approx(expected)


def test_intensity_of_some_spectra_is_that_of_their_own_sums():
  heights = [[1, 2], [2, 1], [3, 5]]
  spectra = np.stack([lines(600, 1000, heights=h) for h in heights])
  off = np.stack([lines(600, 1000, heights=h[::-1]) for h in heights])
  found, wanted = RULE.peaks(off, NU), RULE.peaks(spectra, NU)
  terms = spectrum_scores.of_peaks(found, wanted, 5.0)['intensity']
  alone = terms.where([True, True, False])
  x, y = (np.concatenate([h for _, h in peaks[:2]]) for peaks in (found, wanted))
  assert float(alone) == pytest.approx(np.corrcoef(x, y)[0, 1])


def test_overlap_is_of_the_rows_asked_for():
  same, apart = np.stack([lines(600), lines(600)]), np.stack([lines(600), lines(1300)])
  for where, expected in (([True, False], 1.0), ([False, True], 0.0), ([True, True], 0.5)):
    assert float(spectrum_scores.overlap(same, apart, where)) == pytest.approx(expected, abs=0.01)
