"""What all data sets of measured spectra share: pairs, kinds, rows of several grids, names."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spectra_jax import native
from spectra_jax.spectra import Spectra

INFO = {'name': 'mine', 'version': '1', 'files': {}, 'content': {}, 'manual': 'find it'}
GRIDS = (np.arange(100.0, 140.0, 4), np.arange(90.0, 150.0, 3), np.arange(100.0, 140.0, 4))


def block(names, grid, kind='raman', state='measured'):
  values = np.float32([np.cos(grid / 9) + int(name[1:]) for name in names])
  meta = {'id': np.array(names), 'group': np.array(names)}
  mask = np.ones(values.shape, bool)
  return Spectra(values, grid, 'cm^-1', kind, state, mask, meta, 's')


def three(kind='raman'):
  names = (['r0', 'r1'], ['r2'], ['r3'])
  return [block(of_grid, grid, kind) for of_grid, grid in zip(names, GRIDS, strict=True)]


@settings(max_examples=40, deadline=None)
@given(st.slices(4))
def test_rows_of_several_grids_are_those_of_all(rows):
  axis = np.arange(104.0, 130.0)
  whole = native.on_axis(three(), axis)['raman']
  ordered = slice(rows.start, rows.stop, abs(rows.step or 1))
  found = native.on_axis(three(), axis, ordered)['raman']
  np.testing.assert_array_equal(found.values, whole.values[ordered])
  assert found.meta['id'].tolist() == whole.meta['id'][ordered].tolist()


def test_kinds_have_the_same_rows_or_are_refused():
  axis = np.arange(104.0, 130.0)
  found = native.on_axis([*three('n'), *three('k')], axis, slice(1, 3))
  assert [of.meta['id'].tolist() for of in found.values()] == [['r1', 'r2']] * 2
  with pytest.raises(ValueError, match=r'n and k are not row for row the same .*4 and 3 rows'):
    native.on_axis([*three('n'), *three('k')[:2]], axis)
  with pytest.raises(ValueError, match='n and k are not row for row the same samples'):
    native.on_axis([*three('n'), *three('k')[::-1]], axis)


def test_a_kind_or_state_is_chosen_where_there_are_several():
  mixed = [*three('n'), *three('k')]
  assert {one.kind for one in native.of_kind(mixed, 'k')} == {'k'}
  assert len(native.of_kind(three(), '')) == 3
  for wanted in ('', 'ir'):
    with pytest.raises(ValueError, match=f"kind is '{wanted}', expected one of k, n, which"):
      native.of_kind(mixed, wanted)
  with pytest.raises(ValueError, match="state is 'snv', expected one of measured"):
    native.of_state(mixed, 'snv')


def test_one_grid_makes_one_array_and_columns_of_all_stay():
  same = [block(['r0'], GRIDS[0]), block(['r1', 'r2'], GRIDS[0])]
  more = dataclasses.replace(same[0], meta={**same[0].meta, 'day': np.array(['Monday'])})
  assert set(native.alike([more, same[1]])[0].meta) == {'id', 'group'}
  joint = native.joined(same)
  assert joint.meta['id'].tolist() == ['r0', 'r1', 'r2']
  np.testing.assert_array_equal(joint.values[:, 0], np.float32(np.cos(100 / 9) + np.arange(3)))
  assert isinstance(native.joined(three()), list)
  other_state = dataclasses.replace(same[1], state='snv')
  assert isinstance(native.joined([same[0], other_state]), list)


@pytest.mark.parametrize(
  ('spectra', 'words'),
  [
    (
      lambda: [block(['r0'], GRIDS[0]), block(['r0'], GRIDS[1])],
      "mine has raman spectrum 'r0' twice",
    ),
    (lambda: dataclasses.replace(three()[0], meta={'id': np.array(['a', 'b'])}), 'gives no group'),
  ],
)
def test_rows_without_a_name_of_their_own_are_refused(tmp_path, spectra, words):
  read = native.reader(INFO, lambda place, source: spectra())
  with pytest.raises(ValueError, match=words):
    read(tmp_path)


def test_raw_and_processed_may_share_an_id(tmp_path):
  pair = [block(['r0'], GRIDS[0]), block(['r0'], GRIDS[0], state='baseline_corrected')]
  assert len(native.reader(INFO, lambda place, source: pair)(tmp_path)) == 2
