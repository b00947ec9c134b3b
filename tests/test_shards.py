"""Shards hold the same values in the same order as memory, and a damaged one is refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spectra_jax import shards


def cut(values, cuts):
  """`values` as shards in memory, cut before these rows."""
  pieces = np.split(values, sorted(cuts))
  piece_N = np.repeat(np.arange(len(pieces)), [len(piece) for piece in pieces])
  row_N = np.concatenate([np.arange(len(piece)) for piece in pieces])
  return shards.Sharded(pieces, piece_N, row_N)


@st.composite
def arrays(draw):
  """(values [N, 3], the same in shards, rows with repetitions in any order)."""
  count = draw(st.integers(1, 30))
  values = np.random.default_rng(draw(st.integers(0, 99))).random((count, 3), np.float32)
  cuts = draw(st.lists(st.integers(0, count), max_size=5))
  rows = draw(st.lists(st.integers(-count, count - 1), max_size=40))
  return values, cut(values, cuts), np.array(rows, int)


@settings(max_examples=60, deadline=None)
@given(arrays())
def test_gathers_are_those_of_numpy(given_):
  values, stored, rows = given_
  np.testing.assert_array_equal(stored[rows], values[rows])
  np.testing.assert_array_equal(np.asarray(stored), values)
  np.testing.assert_array_equal(stored[1:-1], values[1:-1])
  np.testing.assert_array_equal(stored[0], values[0])
  wanted = values[:, 0] > 0.5
  np.testing.assert_array_equal(stored[wanted], values[wanted])
  assert (stored.shape, stored.dtype, len(stored)) == (values.shape, values.dtype, len(values))


@settings(max_examples=60, deadline=None)
@given(arrays(), arrays(), st.data())
def test_selections_and_joints_are_those_of_numpy(first, second, data):
  (values, stored, rows), (others, more, _) = first, second
  joint = shards.concatenate([shards.select(stored, rows), more])
  expected = np.concatenate([shards.select(values, rows), others])
  assert isinstance(joint, shards.Sharded)
  batch = np.array(data.draw(st.lists(st.integers(0, len(expected) - 1), max_size=9)), int)
  np.testing.assert_array_equal(joint[batch], expected[batch])
  half = shards.concatenate([stored, others])
  np.testing.assert_array_equal(half, np.concatenate([values, others]))


def test_moments_have_the_same_bits_and_are_those_of_numpy():
  values = np.random.default_rng(0).random((2 * shards.BLOCK + 7, 5), np.float32)
  stored, rows = cut(values, (3, 1500)), np.arange(0, len(values), 2)
  for root in (False, True):
    found = shards.moments(stored, rows, root)
    np.testing.assert_array_equal(found, shards.moments(values, rows, root))
    x = np.float64(values[rows]) ** (0.5 if root else 1.0)
    np.testing.assert_allclose(found, (x.mean(0), (x**2).mean(0)), rtol=1e-13)


@pytest.fixture
def written(tmp_path):
  values = np.random.default_rng(0).random((10, 4), np.float32)
  parts = (values[:4], values[4:8], values[8:])
  return values, tmp_path, [shards.write(tmp_path, f'a-{i}', p) for i, p in enumerate(parts)]


def test_files_map_back(written):
  values, folder, files = written
  stored = shards.read(folder, files, verify=True)
  np.testing.assert_array_equal(stored[[9, 0, 4, 4]], values[[9, 0, 4, 4]])
  assert all(isinstance(piece.base, np.memmap) for piece in stored.pieces)


def test_a_flipped_bit_is_refused_where_it_is_looked_for(written):
  _, folder, files = written
  path = folder / files[1]['file']
  content = bytearray(path.read_bytes())
  content[-3] ^= 1
  path.write_bytes(content)
  with pytest.raises(ValueError, match=r'a-1\.npy is damaged: .* delete'):
    shards.read(folder, files, verify=True)
  assert len(shards.read(folder, files, verify=False)) == 10


def test_a_missing_or_short_shard_is_refused(written):
  _, folder, files = written
  np.save(folder / files[2]['file'], np.zeros((1, 4), np.float32))
  with pytest.raises(ValueError, match=r'a-2\.npy has 1 rows, expected 2'):
    shards.read(folder, files, verify=False)
  (folder / files[0]['file']).unlink()
  with pytest.raises(ValueError, match=r'a-0\.npy is missing'):
    shards.read(folder, files, verify=False)
