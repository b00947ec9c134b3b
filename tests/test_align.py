"""Interpolation is numpy's inside the measured range, and nothing is made up outside of it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spectra_jax.align import align
from spectra_jax.spectra import Spectra


def one(axis, values, unit='cm^-1', mask=None, kind='raman', state='measured', name='a'):
  values = np.atleast_2d(np.float32(values))
  mask = np.ones(values.shape, bool) if mask is None else np.atleast_2d(mask)
  meta = {'id': np.array([f'{name}{i}' for i in range(len(values))]), name: np.zeros(len(values))}
  return Spectra(values, np.float64(axis), unit, kind, state, mask, meta, name)


@st.composite
def grids(draw):
  steps = draw(st.lists(st.floats(0.1, 50), min_size=1, max_size=12))
  return np.cumsum([draw(st.floats(1, 500)), *steps])


@settings(max_examples=60, deadline=None)
@given(grids(), grids(), st.integers(0, 9))
def test_it_is_numpy_inside_and_masked_outside(grid, axis, seed):
  values = np.random.default_rng(seed).normal(size=(2, len(grid))).astype(np.float32)
  found = align([one(grid, values)], axis)
  inside = (axis >= grid[0]) & (axis <= grid[-1])
  np.testing.assert_array_equal(found.mask, [inside, inside])
  for row, value in zip(found.values, values, strict=True):
    np.testing.assert_allclose(row[inside], np.interp(axis[inside], grid, value), atol=1e-6)
  np.testing.assert_array_equal(found.values[:, ~inside], 0)


@settings(max_examples=30, deadline=None)
@given(grids(), grids())
def test_nanometres_are_wavenumbers_read_backwards(grid, axis):
  values = np.sin(grid)
  in_cm = align([one(grid, values)], axis)
  in_nm = align([one(1e7 / grid[::-1], values[::-1], 'nm')], axis)
  np.testing.assert_allclose(
    in_nm.values[in_nm.mask & in_cm.mask], in_cm.values[in_nm.mask & in_cm.mask], atol=1e-4
  )
  assert (in_nm.mask != in_cm.mask).sum() <= 2  # ends that two divisions moved by one rounding


def test_a_gap_is_not_bridged_and_its_ends_are_kept():
  mask = [True, True, False, True, True]
  found = align([one(range(1, 6), [1, 2, np.nan, 4, 5], mask=mask)], np.arange(1.0, 5.1, 0.5))
  np.testing.assert_array_equal(found.mask[0], [1, 1, 1, 0, 0, 0, 1, 1, 1])
  np.testing.assert_array_equal(found.values[0], [1, 1.5, 2, 0, 0, 0, 4, 4.5, 5])


def test_rows_of_several_grids_keep_their_order_and_what_is_known_of_all():
  parts = [one([1, 2, 3], np.eye(3)), one([0, 2, 4], [[1, 2, 3]], name='b')]
  found = align(parts, np.array([1.0, 2.0, 3.5]))
  assert list(found.meta) == ['id']
  assert found.meta['id'].tolist() == ['a0', 'a1', 'a2', 'b0']
  np.testing.assert_array_equal(found.mask[:, 2], [False, False, False, True])
  np.testing.assert_array_equal(found.values[3], [1.5, 2.0, 2.75])
  assert found.source not in ('a', 'b')
  assert align(parts[:1], np.array([1.0, 2.0])).source == 'a'


@pytest.mark.parametrize(
  ('spectra', 'words'),
  [
    ([], 'no spectra to align'),
    ([one([1, 2], [1, 2]), one([1, 2], [1, 2], kind='ir')], 'kinds ir, raman, expected one kind'),
    ([one([1, 2], [1, 2]), one([1, 2], [1, 2], state='snv')], 'states measured, snv, expected'),
    ([one([1, 2], [1, 2], 'index')], 'grid in index .* indices of points are no wavenumbers'),
  ],
)
def test_what_cannot_be_aligned_is_refused(spectra, words):
  with pytest.raises(ValueError, match=words):
    align(spectra, np.array([1.0, 2.0]))
