"""No group on two sides, ever; the deal is reproducible and close to the shares asked for."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spectra_jax.splits import folds, make_split, thin_training

SHARES = (0.8, 0.1, 0.1)


def named(groups):
  return np.array([f'r{i}' for i in range(len(groups))]), np.array([f'g{g}' for g in groups])


@settings(max_examples=40, deadline=None)
@given(st.integers(40, 90), st.integers(0, 5))
def test_groups_stay_whole_and_rows_are_dealt_once(distinct, seed):
  ids, groups = named(np.random.default_rng(seed).integers(0, distinct, 500))
  split = make_split(ids, groups, 'grouped', SHARES, seed)
  sides = [split.train, split.validation, split.test]
  assert sorted(np.concatenate(sides)) == list(range(len(ids)))
  names = [set(groups[side]) for side in sides]
  assert len(names[0] | names[1] | names[2]) == sum(map(len, names))
  largest = max(np.unique(groups, return_counts=True)[1])
  for side, share in zip(sides, SHARES, strict=True):
    assert abs(len(side) - share * len(ids)) <= largest


def test_iid_ignores_groups_and_says_so():
  ids, groups = named([0] * 100)
  split = make_split(ids, groups, 'iid', SHARES, 0)
  assert split.regime == 'iid'
  assert [len(split.train), len(split.validation), len(split.test)] == [80, 10, 10]
  with pytest.raises(ValueError, match='side is empty: 1 groups'):
    make_split(ids, groups, 'grouped', SHARES, 0)


def test_hash_tells_the_split_and_not_the_order_of_rows():
  ids, groups = named(np.arange(200) // 2)
  first = make_split(ids, groups, 'grouped', SHARES, 0)
  assert first.hash == make_split(ids, groups, 'grouped', SHARES, 0).hash
  assert first.hash != make_split(ids, groups, 'grouped', SHARES, 1).hash
  assert first.hash != make_split(ids, groups, 'iid', SHARES, 0).hash


def test_a_groups_side_does_not_depend_on_far_groups():
  ids, groups = named(np.arange(400))
  whole = make_split(ids, groups, 'grouped', SHARES, 0)
  more = make_split(*named(np.arange(404)), 'grouped', SHARES, 0)
  moved = set(groups[whole.test]) ^ set(named(np.arange(404))[1][more.test])
  assert len(moved) <= 8


def test_thinning_touches_training_alone():
  ids, groups = named(np.arange(300) // 3)
  split = make_split(ids, groups, 'grouped', SHARES, 0)
  thin = thin_training(split, ids, groups, 0.25, 0)
  assert set(thin.train) < set(split.train)
  assert 0.15 < len(thin.train) / len(split.train) < 0.35
  assert set(groups[thin.train]).isdisjoint(groups[np.setdiff1d(split.train, thin.train)])
  np.testing.assert_array_equal(thin.test, split.test)
  assert thin.hash != split.hash
  assert thin_training(split, ids, groups, 1.0, 0) is split


def test_folds_cover_all_rows_once_with_whole_groups():
  _, groups = named(np.arange(90) // 3)
  held_out = folds(groups, 3)
  assert sorted(np.concatenate(held_out)) == list(range(90))
  assert all(
    set(groups[held_out[i]]).isdisjoint(groups[held_out[j]]) for i in range(3) for j in range(i)
  )


@pytest.mark.parametrize(
  ('regime', 'shares', 'words'),
  [
    ('random', SHARES, "split.regime is 'random', expected one of iid, grouped"),
    ('iid', (0.8, 0.1, 0.2), 'three shares that sum to 1'),
  ],
)
def test_bad_requests_are_refused(regime, shares, words):
  with pytest.raises(ValueError, match=words):
    make_split(*named(range(10)), regime, shares, 0)
