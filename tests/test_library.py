"""Search of points: exact against a sort, growth that moves nothing, files, an index."""

import dataclasses

import numpy as np
import pytest

from spectra_jax import library
from spectra_jax.library import Library

RNG = np.random.default_rng(9)


def made(points, width=5, seed=0):
  rng = np.random.default_rng(seed)
  ids = np.array([f'm{seed}_{i}' for i in range(points)])
  return Library(ids, rng.normal(size=(points, width)).astype(np.float32))


def distances(query, points):
  return ((np.float64(query)[:, None] - points) ** 2).sum(-1)


@pytest.mark.parametrize(('points', 'k'), [(1, 1), (30, 7), (30, 30)])
def test_the_nearest_are_those_of_a_sort(points, k):
  found, query = made(points), RNG.normal(size=(3, 5)).astype(np.float32)
  place, squared = found.search(query, k)
  want = distances(query, found.points_MxV)
  np.testing.assert_array_equal(place, np.argsort(want, 1)[:, :k])
  np.testing.assert_allclose(squared, np.sort(want, 1)[:, :k], rtol=1e-5)


def test_chunks_and_columns_change_no_answer(monkeypatch):
  found, query = made(40), RNG.normal(size=(8, 5)).astype(np.float32)
  told = np.array([True, False, True, True, False])
  whole = found.search(query, 7, told)
  monkeypatch.setattr(library, 'CHUNK', 20)
  monkeypatch.setattr(library, 'QUERIES', 4)
  np.testing.assert_array_equal(found.search(query, 7, told)[0], whole[0])
  query[:, ~told] = 1e6
  np.testing.assert_array_equal(found.search(query, 7, told)[0], whole[0])
  want = distances(query[:, told], found.points_MxV[:, told])
  true = np.arange(8)
  np.testing.assert_array_equal(
    found.ranks(query, true, told), (want < want[true, true][:, None]).sum(1)
  )


def test_near_copies_far_from_the_first_point_are_told_apart():
  """A product of matrices in float32 cannot: 240^2 has no digits left for 1e-5."""
  rng = np.random.default_rng(2)
  direction = rng.normal(size=8)
  copies = 240 * direction / np.linalg.norm(direction) + 2e-3 * rng.normal(size=(20, 8))
  found = Library(np.arange(21).astype(str), np.float32(np.concatenate([np.zeros((1, 8)), copies])))
  query = np.float32(copies[4:5] + 1e-3 * rng.normal(size=(1, 8)))
  want = distances(query, found.points_MxV)
  place, squared = found.search(query, 6)
  np.testing.assert_array_equal(place, np.argsort(want, 1)[:, :6])
  assert (np.diff(squared) >= 0).all()
  nearest = np.argmin(want, 1)
  np.testing.assert_array_equal(found.ranks(query, nearest), [0])


def test_no_query_has_no_answer():
  none, found = np.zeros((0, 5), np.float32), made(7)
  assert found.search(none, 3)[0].shape == (0, 3)
  assert found.ranks(none, np.zeros(0, int)).shape == (0,)


def test_points_as_near_as_the_true_one_count_half():
  found = Library(np.array(list('abcd')), np.float32([[0, 0], [1, 0], [1, 0], [3, 0]]))
  ranks = found.ranks(np.zeros((4, 2), np.float32), np.arange(4))
  np.testing.assert_array_equal(ranks, [0, 1.5, 1.5, 3])
  same = Library(found.ids, np.ones((4, 2), np.float32))
  np.testing.assert_array_equal(same.ranks(np.zeros((1, 2), np.float32), np.array([2])), [1.5])


def test_growth_moves_old_ranks_only_by_what_comes_between():
  old, new = made(50), made(20, seed=1)
  query, true = RNG.normal(size=(50, 5)).astype(np.float32), np.arange(50)
  before, grown = old.ranks(query, true), old.grown(new.ids, new.points_MxV)
  own = distances(query, old.points_MxV)[true, true]
  between = (distances(query, new.points_MxV) < own[:, None]).sum(1)
  assert between.any()
  np.testing.assert_array_equal(grown.ranks(query, true), before + between)
  np.testing.assert_array_equal(grown.points_MxV[:50], old.points_MxV)


def test_a_saved_library_is_the_same(tmp_path):
  found = dataclasses.replace(made(7), made_by='abc')
  found.save(tmp_path / 'library.npz')
  back = library.load(tmp_path / 'library.npz')
  np.testing.assert_array_equal(back.ids, found.ids)
  np.testing.assert_array_equal(back.points_MxV, found.points_MxV)
  assert back.made_by == found.grown(['more'], np.zeros((1, 5))).made_by == 'abc'


def test_what_cannot_be_searched_is_refused(tmp_path):
  found = made(7)
  with pytest.raises(ValueError, match=r'shape \(2, 4\), expected \[Q, 5\]'):
    found.search(np.zeros((2, 4), np.float32), 3)
  with pytest.raises(ValueError, match='k is 8, expected 1 to 7'):
    found.search(np.zeros((2, 5), np.float32), 8)
  with pytest.raises(ValueError, match=r"\['m0_0'\] are in the library already"):
    found.grown(['m0_0'], np.zeros((1, 5)))
  with pytest.raises(ValueError, match=r"\['b'\] are in the library already or come twice"):
    found.grown(['b', 'b'], np.zeros((2, 5)))
  with pytest.raises(ValueError, match=r'new points have shape \(1, 4\)'):
    found.grown(['new'], np.zeros((1, 4)))
  with pytest.raises(ValueError, match='3 names for points of shape'):
    Library(np.array(list('abc')), np.zeros((2, 4), np.float32))
  np.save(tmp_path / 'array.npy', np.zeros(3))
  for name, content in (('cut.npz', b'PK\x03\x04'), ('empty.npz', b''), ('array.npy', None)):
    if content is not None:
      (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=f'{name} is no library'):
      library.load(tmp_path / name)
  with pytest.raises(ValueError, match=r'none\.npz is no library'):
    library.load(tmp_path / 'none.npz')


def test_the_index_finds_what_the_sort_finds_and_grows():
  pytest.importorskip('usearch')
  found, more = made(300), made(100, seed=1)
  index = found.index()
  query = RNG.normal(size=(20, 5)).astype(np.float32)
  agreed = (index.search(query, 5)[0] == found.search(query, 5)[0]).mean()
  assert agreed > 0.95
  index.add(more.points_MxV)
  grown = found.grown(more.ids, more.points_MxV)
  place, squared = index.search(query, 5)
  assert len(index) == 400
  assert (place == grown.search(query, 5)[0]).mean() > 0.95
  np.testing.assert_allclose(squared[:, 0], grown.search(query, 1)[1][:, 0], rtol=1e-3)
