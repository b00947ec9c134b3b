"""A spectrum that cannot be one is refused in a sentence that names the place."""

import dataclasses

import numpy as np
import pytest

from spectra_jax.shards import Sharded
from spectra_jax.spectra import Spectra, check_axis, check_resolution, uniform_axis
from tests import synthetic

AXIS = uniform_axis(400.0, 500.0, 11)


def test_uniform_axis_holds_both_ends_in_float64():
  assert AXIS[0] == 400.0
  assert AXIS[-1] == 500.0
  assert AXIS.dtype == np.float64
  np.testing.assert_allclose(np.diff(AXIS), 10.0, rtol=1e-12)


@pytest.mark.parametrize(
  ('axis', 'words'),
  [
    ([400.0, 410.0, 405.0], 'not strictly increasing: 410 then 405 cm.* index 1; sort it'),
    ([400.0, 410.0, 410.0], 'not strictly increasing: 410 then 410'),
    ([400.0, np.nan, 420.0], r'axis\[1\] is nan'),
    ([400.0], 'at least 2 points'),
  ],
)
def test_bad_axis_is_refused(axis, words):
  with pytest.raises(ValueError, match=words):
    check_axis(np.array(axis))


def test_nan_is_refused_where_measured_and_allowed_where_masked():
  values = np.zeros((3, 11), np.float32)
  values[1, 4] = np.nan
  with pytest.raises(ValueError, match=r'ir spectrum 1 is nan at point 4 .1 such values.'):
    synthetic.spectra(values, AXIS)
  good = synthetic.spectra(np.zeros((3, 11), np.float32), AXIS)
  mask = np.isfinite(values)
  masked = Spectra(values, AXIS, 'cm^-1', 'ir', 'measured', mask, good.meta, 'none')
  assert len(masked) == 3


@pytest.mark.parametrize(
  ('change', 'words'),
  [
    ({'kind': 'xray'}, "kind is 'xray', expected one of ir, raman"),
    ({'axis_unit': 'm'}, "axis_unit is 'm'"),
    ({'state': 'cooked'}, "state is 'cooked'"),
    ({'values': np.zeros((3, 10), np.float32)}, r'shape \(3, 10\), expected \[N, 11\]'),
    ({'mask': np.ones((2, 11), bool)}, 'mask has shape'),
    ({'meta': {'id': np.zeros(2)}}, "meta column 'id' has 2 rows, expected 3"),
  ],
)
def test_inconsistent_fields_are_refused(change, words):
  good = vars(synthetic.spectra(np.zeros((3, 11), np.float32), AXIS))
  with pytest.raises(ValueError, match=words):
    Spectra(**{**good, **change})


def test_grid_must_suit_the_line_width():
  check_resolution(uniform_axis(400, 4000, 1024), 16.0)
  with pytest.raises(ValueError, match=r'step is 36\.4 .* at most 8; raise axis.points'):
    check_resolution(uniform_axis(400, 4000, 100), 16.0)
  with pytest.raises(ValueError, match=r'finer than lines of FWHM 16 .* lower axis.points'):
    check_resolution(uniform_axis(400, 4000, 40_000), 16.0)
  with pytest.raises(ValueError, match='expected a positive FWHM'):
    check_resolution(AXIS, 0.0)


@pytest.mark.parametrize('rows', [slice(1, None), [2, 0, 2], np.array([True, False, True])])
def test_take_gives_these_rows_in_memory_and_in_shards(rows):
  whole = synthetic.spectra(np.arange(33, dtype=np.float32).reshape(3, 11), AXIS)
  stored = dataclasses.replace(
    whole, values=Sharded([whole.values], np.zeros(3, int), np.arange(3))
  )
  for taken in (whole.take(rows), stored.take(rows)):
    np.testing.assert_array_equal(taken.values, whole.values[rows])
    np.testing.assert_array_equal(taken.meta['id'], whole.meta['id'][rows])
  assert isinstance(stored.take(rows).values, Sharded)
  with pytest.raises(IndexError):
    whole.take([3])
