"""Planted copies of every sort are found, and nothing else is: not replicates, not real spectra."""

import pathlib

import numpy as np
import pytest
import scipy.interpolate
import scipy.ndimage
from hypothesis import example, given, settings
from hypothesis import strategies as st

from spectra_jax import duplicates
from spectra_jax.duplicates import EXACT, SCALED, SHIFTED, find_copies, merged_groups
from spectra_jax.spectra import Spectra

POINTS = 400


def lines(rng, count):
  """[count, POINTS] sums of Lorentz lines on a sloping background, without noise."""
  x = np.arange(POINTS)
  centre, width = rng.uniform(0, POINTS, (count, 12, 1)), rng.uniform(2, 15, (count, 12, 1))
  height = rng.gamma(1.0, size=(count, 12, 1))
  shape = (height / (1 + ((x - centre) / width) ** 2)).sum(1)
  return shape + rng.uniform(0, 2, (count, 1)) + rng.uniform(-1e-3, 1e-3, (count, 1)) * x


def spectra(values, mask=None, **meta):
  values = np.float32(values)
  mask = np.ones(values.shape, bool) if mask is None else mask
  meta = {'id': np.array([f's{i}' for i in range(len(values))]), **meta}
  axis = 400.0 + np.arange(values.shape[1])
  return Spectra(values, axis, 'cm^-1', 'raman', 'measured', mask, meta, 'made')


def measured(seed, count=12, noise=3e-3):
  rng = np.random.default_rng(seed)
  return lines(rng, count) + noise * rng.normal(size=(count, POINTS))


def shifted(x, shift, order):
  """x(. - shift) on the same points by a spline; what comes in at the edge repeats the last."""
  spline = scipy.interpolate.make_interp_spline(np.arange(len(x)), x, order)
  return spline(np.clip(np.arange(len(x)) - shift, 0, len(x) - 1))


@settings(max_examples=12, deadline=None)
@given(
  st.integers(0, 10**6),
  st.floats(0.2, 5.0),
  st.floats(-1.0, 1.0),
  st.one_of(st.just(0.0), st.integers(-20, 20).map(float), st.floats(-20, 20)),
  st.sampled_from([1, 3]),
)
@example(0, 2.0, 0.0, 6.5, 1)
@example(1, 0.5, 0.0, -0.5, 3)
def test_a_planted_copy_is_found_with_its_shift(seed, gain, offset, shift, order):
  values = measured(seed)
  copy = offset + gain * shifted(values[3], shift, order)
  (pair,) = find_copies(spectra(np.concatenate([values, copy[None]])))
  assert (pair.first, pair.second) == (3, len(values))
  assert pair.shift == pytest.approx(shift, abs=0.05)
  assert pair.kind == (SHIFTED if abs(shift) > 0.15 else SCALED) or 0.05 < abs(shift) < 0.15


def test_bytes_rounding_smoothing_and_order_of_rows():
  values = np.float32(measured(1))
  smooth = scipy.ndimage.uniform_filter1d(values[5], 3)
  planted = np.stack([values[2], np.round(values[4], 3), smooth])
  found = find_copies(spectra(np.concatenate([planted, values])))
  assert [(p.first, p.second, p.kind) for p in found] == [
    (0, 5, EXACT),
    (1, 7, SCALED),
    (2, 8, SCALED),
  ]


@pytest.mark.parametrize('points', [80, 150, 400])
def test_smoothed_and_shifted_copies_of_short_spectra(points):
  """Below 256 points the first pass leaves out none, and has no margin from that."""
  values = measured(6, noise=0.05)[:, :points]
  moved = shifted(values[7], 3.5, 1)
  planted = [scipy.ndimage.uniform_filter1d(values[i], 3) for i in (2, 5)] + [moved]
  found = find_copies(spectra(np.concatenate([values, planted])), shift_points=10)
  assert [(p.first, p.second, p.kind) for p in found] == [
    (2, 12, SCALED),
    (5, 13, SCALED),
    (7, 14, SHIFTED),
  ]


@pytest.mark.parametrize('noise', [1e-3, 1e-2, 0.1, 1.0])
def test_replicates_have_noise_of_their_own_and_are_no_copies(noise):
  """40 measurements of one sample: 780 pairs that differ by their noise alone."""
  rng = np.random.default_rng(0)
  values = lines(rng, 1) + noise * rng.normal(size=(40, POINTS))
  assert not find_copies(spectra(values), shift_points=5)
  if noise < 0.1:
    assert len(find_copies(spectra(values), shift_points=0, ratio=1.7)) == 780


def test_replicates_of_unequal_noise_are_no_copies():
  rng = np.random.default_rng(1)
  noise = np.geomspace(1e-3, 0.3, 20)[:, None]
  assert not find_copies(spectra(lines(rng, 1) + noise * rng.normal(size=(20, POINTS))))


def test_noise_alone_and_flat_spectra_are_no_copies():
  rng = np.random.default_rng(2)
  assert not find_copies(spectra(rng.normal(size=(60, POINTS))))
  flat = np.ones((3, POINTS)) * [[1.0], [1.0], [2.0]]
  assert [p.kind for p in find_copies(spectra(flat))] == [EXACT]


def test_only_what_both_measured_is_compared():
  """Windows that overlap by half: a copy is found there, whatever fills the rest."""
  values = measured(3, 6)
  copy = shifted(2 * values[1] + 1, 7, 1)
  both = np.concatenate([values, copy[None]])
  mask = np.ones(both.shape, bool)
  mask[1, 300:], mask[6, :90], mask[2, 50:60] = False, False, False
  both[~mask] = 1e3
  (pair,) = find_copies(spectra(both, mask))
  assert (pair.first, pair.second, round(pair.shift)) == (1, 6, 7)
  mask[6, :280] = False  # 20 shared points tell nothing
  assert not find_copies(spectra(both, mask))


def test_blocks_of_rows_change_nothing(monkeypatch):
  values = measured(4, 20)
  planted = np.stack([values[0], shifted(values[19], 4, 1), 3 * values[7]])
  whole = find_copies(spectra(np.concatenate([values, planted])))
  monkeypatch.setattr(duplicates, 'BLOCK', 6)
  assert find_copies(spectra(np.concatenate([values, planted]))) == whole
  assert [(p.first, p.second) for p in whole] == [(0, 20), (7, 22), (19, 21)]


def test_noise_is_told_below_bands():
  rng = np.random.default_rng(5)
  clean = lines(rng, 30)
  mask = np.ones(clean.shape, bool)
  mask[:, ::37] = False
  for level in (0.01, 0.1):
    found = duplicates.noise(clean + level * rng.normal(size=clean.shape), mask)
    np.testing.assert_allclose(found, level, rtol=0.35)
    np.testing.assert_allclose(np.median(found), level, rtol=0.08)


def test_groups_that_share_a_copy_become_one():
  groups = np.array(['a', 'a', 'b', 'c', 'd', 'e'])
  pair = lambda i, j: duplicates.Pair(i, j, EXACT, 0.0, 0.0)
  merged = merged_groups(groups, [pair(1, 3), pair(3, 4)])
  assert merged.tolist() == ['a', 'a', 'b', 'a', 'a', 'e']
  assert merged_groups(groups, []).tolist() == groups.tolist()


def test_shifts_that_leave_nothing_are_refused():
  with pytest.raises(
    ValueError, match=r'shifts of 380 points on an axis of 400 .* expected 0 to 368'
  ):
    find_copies(spectra(measured(0, 2)), shift_points=380)


# ---- real spectra ------------------------------------------------------------------


def raw(folder: pathlib.Path, keys):
  with np.load(folder / 'rruff_splits' / 'soysal_rruff.npz') as stored:
    return np.concatenate([stored[key] for key in keys])


def test_minerals_shifted_by_their_authors_are_found_and_no_others(real_data):
  """150 test spectra and the same moved by 15 points; no pair of the training set is a copy."""
  values = raw(real_data, ('raw_test_X', 'raw_test_shift15_X'))
  found = find_copies(spectra(values))
  assert [(p.first, p.second) for p in found] == [(i, i + 150) for i in range(150)]
  np.testing.assert_allclose([p.shift for p in found], 15, atol=0.05)
  assert not find_copies(spectra(raw(real_data, ('raw_train_union_X', 'raw_test_X'))), 8)


def test_near_infrared_spectra_that_correlate_to_six_digits_are_no_copies(real_data):
  with np.load(real_data / 'nirsoil' / 'NIRsoil.npz') as stored:
    soils = next(stored[k] for k in stored if stored[k].shape == (825, 700))
  assert not find_copies(spectra(soils), 2)
