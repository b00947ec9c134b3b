"""No group on two sides, ever; the deal is reproducible and close to the shares asked for."""

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs import default
from spectra_jax import split_designs, split_files, splits
from spectra_jax.spectra import Spectra
from spectra_jax.split_configs import from_config, from_meta
from spectra_jax.split_regimes import (
  forward_chaining,
  instrument_split,
  leave_group_out,
  stratified_split,
)
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
  assert thin.made['thinned_from'] == split.hash != thin.hash
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


# ---- the other ways to come to sides ------------------------------------------------


def separate(split, groups):
  """No group on two sides, no row twice."""
  names = [set(groups[side]) for side in split.sides]
  rows = np.concatenate(split.sides)
  return len(set.union(*names)) == sum(map(len, names)) and len(set(rows)) == len(rows)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(['iid', 'grouped']))
def test_every_class_is_in_training_and_shares_hold(seed, regime):
  rng = np.random.default_rng(seed)
  ids, groups = named(rng.integers(0, 60, 300))
  labels = np.array([f'c{int(group[1:]) % 13}' for group in groups])
  split = stratified_split(ids, groups, labels, regime, (0.6, 0.1, 0.3), seed)
  assert set(labels[split.train]) == set(labels)
  assert regime == 'iid' or separate(split, groups)
  assert sum(map(len, split.sides)) == 300
  for side, share in zip(split.sides, (0.6, 0.1, 0.3), strict=True):
    assert abs(len(side) / 300 - share) < (0.25 if regime == 'grouped' else 0.06)


def test_small_classes_are_tested_as_often_as_their_share_says():
  """Two groups a class: dealt by the middles of their halves the second would never be tested."""
  ids, groups = named(np.arange(400))
  labels = np.array([f'c{i // 2}' for i in range(400)])
  split = stratified_split(ids, groups, labels, 'grouped', (0.7, 0.1, 0.2), 0)
  assert abs(len(split.test) - 80) < 25
  for seed in range(3):  # half of the classes would have no training
    split = stratified_split(ids, groups, labels, 'grouped', (0.25, 0.25, 0.5), seed)
    assert set(labels[split.train]) == set(labels)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.integers(3, 8))
def test_each_group_is_left_out_once(seed, count):
  rng = np.random.default_rng(seed)
  ids, groups = named(np.concatenate([np.arange(count), rng.integers(0, count, 40)]))
  found = leave_group_out(ids, groups, 0.0, 0)
  tested = np.concatenate([split.test for split in found])
  assert sorted(tested) == list(range(len(ids)))
  for split in found:
    assert set(groups[split.test]) == {split.made['test_on']}
    assert separate(split, groups)
    assert sum(map(len, split.sides)) == len(ids)
  for split in leave_group_out(ids, groups, 0.4, 1):
    assert len(split.validation)
    assert separate(split, groups)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 5), st.sampled_from([0.0, 0.25]))
def test_nothing_is_predicted_from_its_future(seed, blocks, validation):
  rng = np.random.default_rng(seed)
  days = rng.integers(0, 30, 200)
  ids, samples = named(rng.integers(0, 150, 200))
  for split in forward_chaining(ids, days, samples, blocks, validation):
    assert days[split.train].max() < days[split.test].min()
    if validation:
      assert days[split.train].max() < days[split.validation].min()
      assert days[split.validation].max() < days[split.test].min()
    assert separate(split, samples)
    assert split.regime == 'time'


def test_blocks_of_time_hold_about_as_many_rows_each():
  ids, samples = named(np.arange(100))
  dates = np.datetime64('2024-01-01') + np.arange(100) // 5
  found = forward_chaining(ids, dates, samples, 4, 0.0)
  assert [len(split.test) for split in found] == [25, 25, 25]
  assert [len(split.train) for split in found] == [25, 50, 75]


def test_another_instrument_is_also_another_sample():
  samples, instruments = np.tile(np.arange(80), 3), np.repeat(['m5', 'mp5', 'mp6'], 80)
  ids = np.array([f'{i}-{s}' for i, s in zip(instruments, samples, strict=True)])
  dealt = make_split(ids, samples, 'grouped', (0.7, 0.1, 0.2), 0)
  split = instrument_split(dealt, ids, instruments, ['m5'], ['mp5', 'mp6'])
  assert set(instruments[split.train]) == {'m5'}
  assert set(instruments[split.validation]) == {'m5'}
  assert set(instruments[split.test]) == {'mp5', 'mp6'}
  assert separate(split, samples)
  assert len(split.test) == 32
  with pytest.raises(ValueError, match=r'expected names among m5, mp5, mp6, none on both sides'):
    instrument_split(dealt, ids, instruments, ['m5'], ['m5'])
  with pytest.raises(ValueError, match=r'split.regime is iid below instruments'):
    instrument_split(make_split(ids, samples, 'iid', SHARES, 0), ids, instruments, ['m5'], ['mp5'])


def test_given_sides_are_taken_as_they_are():
  ids, _ = named(range(6))
  split = splits.given(ids, ['train', 'test', '', 'validation', 'train', 'test'])
  assert [side.tolist() for side in split.sides] == [[0, 4], [3], [1, 5]]
  assert split.regime == 'given'
  with pytest.raises(ValueError, match="side 'calibrate' is given, expected one of train, valid"):
    splits.given(ids, ['calibrate'] * 6)
  with pytest.raises(ValueError, match='the test side of a given split of 6 rows is empty'):
    splits.given(ids, ['train'] * 6)
  with pytest.raises(ValueError, match="id 'r1' occurs 2 times"):
    splits.given(ids[[0, 1, 1]], ['train', 'test', 'test'])


def test_repeats_are_all_different():
  ids, groups = named(range(30))
  found = splits.repeated(lambda seed: make_split(ids, groups, 'iid', SHARES, seed), range(4))
  assert len({split.hash for split in found}) == 4
  assert splits.common_regime(found) == 'iid'
  assert splits.joint_hash(found) != splits.joint_hash(found[::-1])
  with pytest.raises(ValueError, match='seeds 0 and 1 give the same split'):
    splits.repeated(lambda seed: found[0], (0, 1))
  other = make_split(ids, groups, 'grouped', SHARES, 0)
  with pytest.raises(ValueError, match=r"splits of regimes \['grouped', 'iid'\] were given"):
    splits.common_regime([found[0], other])


# ---- designs ----------------------------------------------------------------------


def by_the_book(distance, count):
  """Kennard and Stone's words over a whole table of distances."""
  chosen = list(np.unravel_index(distance.argmax(), distance.shape))
  while len(chosen) < count:
    rest = [i for i in range(len(distance)) if i not in chosen]
    chosen.append(max(rest, key=lambda i: (min(distance[i, j] for j in chosen), -i)))
  return [int(i) for i in chosen]


def table(x):
  return np.sqrt(((x[:, None] - x) ** 2).sum(-1))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(4, 20), st.integers(1, 3))
def test_designs_are_those_of_their_definitions(seed, rows, width):
  rng = np.random.default_rng(seed)
  x, y = rng.normal(size=(rows, width)), rng.normal(size=rows)
  count = rng.integers(2, rows + 1)
  assert split_designs.kennard_stone_order(x, count).tolist() == by_the_book(table(x), count)
  both = table(x) / table(x).max() + table(y[:, None]) / table(y[:, None]).max()
  assert split_designs.spxy_order(x, y, count).tolist() == by_the_book(both, count)


def test_designs_by_hand_and_with_copies(monkeypatch):
  x = np.array([[0.0], [1.0], [4.0], [4.0], [10.0], [10.0]])
  assert split_designs.kennard_stone_order(x, 6).tolist() == [0, 4, 2, 1, 3, 5]
  monkeypatch.setattr(split_designs, 'BLOCK', 2)
  assert split_designs.kennard_stone_order(x, 6).tolist() == [0, 4, 2, 1, 3, 5]


def test_designs_keep_replicates_together_and_say_so():
  rng = np.random.default_rng(0)
  ids, groups = named(np.repeat(np.arange(20), 3))
  values = np.repeat(rng.normal(size=(20, 5)), 3, 0) + 0.01 * rng.normal(size=(60, 5))
  targets = values @ rng.normal(size=5)
  for split in (
    split_designs.kennard_stone(ids, values, groups, 0.7),
    split_designs.spxy(ids, values, targets, groups, 0.7),
  ):
    assert separate(split, groups)
    assert (len(split.train), len(split.test)) == (42, 18)
    assert split.regime in ('kennard_stone', 'spxy')
    inside = values[split.test].mean(0) - values.mean(0)
    assert np.abs(inside).max() < 1.0
  with pytest.raises(ValueError, match='finite numbers; leave out rows without a reference'):
    split_designs.spxy_order(values, np.full(60, np.nan), 10)
  with pytest.raises(ValueError, match='1 of 60 rows are asked for'):
    split_designs.kennard_stone_order(values, 1)


# ---- files -------------------------------------------------------------------------


def test_a_file_gives_the_split_back_whatever_the_order_of_rows(tmp_path):
  ids, groups = named(np.arange(60) // 2)
  split = make_split(ids, groups, 'grouped', SHARES, 3)
  split_files.write(tmp_path / 'split.json', split, ids)
  again = split_files.read(tmp_path / 'split.json', ids)
  assert (again.hash, again.regime, again.made) == (split.hash, split.regime, split.made)
  order = np.random.default_rng(0).permutation(60)
  turned = split_files.read(tmp_path / 'split.json', ids[order])
  for side, other in zip(split.sides, turned.sides, strict=True):
    assert ids[side].tolist() == ids[order][other].tolist()


def test_a_changed_file_is_refused_whatever_was_changed(tmp_path):
  ids, groups = named(range(30))
  path = tmp_path / 'split.json'
  split_files.write(path, make_split(ids, groups, 'iid', SHARES, 3), ids)
  document = json.loads(path.read_text())
  moved = {'train': document['train'][1:], 'test': document['test'] + document['train'][:1]}
  changes = ({'regime': 'grouped'}, {'made': {'seed': 0}}, {'hash': '0' * 16}, moved)
  for change in changes:
    path.write_text(json.dumps({**document, **change}))
    with pytest.raises(ValueError, match=r'split.json was changed: it says split'):
      split_files.read(path, ids)
  for broken in ('', '{}', '[]', json.dumps(document)[:80]):
    path.write_text(broken)
    with pytest.raises(ValueError, match=r'split.json is no file of a split'):
      split_files.read(path, ids)
  path.write_text(json.dumps(document))
  with pytest.raises(ValueError, match=r'names 1 ids that the data do not have, the first is'):
    split_files.read(path, ids[1:])
  with pytest.raises(ValueError, match='is not of these 29 ids'):
    split_files.write(path, split_files.read(path, ids), ids[1:])


# ---- what a config asks for ----------------------------------------------------------


def options(**changes):
  return {**default.get_config().split.to_dict(), **changes}


def test_a_config_chooses_regime_columns_and_names():
  rng = np.random.default_rng(0)
  ids, groups = named(rng.integers(0, 60, 200))
  meta = {
    'id': ids,
    'group': groups,
    'day': np.array([f'd{i % 5}' for i in range(200)]),
    'label': np.array([f'c{int(g[1:]) % 7}' for g in groups]),
    'instrument': np.array(['a', 'b'])[rng.integers(0, 2, 200)],
    'side': np.where(np.arange(200) < 150, 'train', 'test'),
  }
  chosen = lambda **changes: from_meta(meta, **options(**changes))
  assert chosen().hash == make_split(ids, groups, 'grouped', SHARES, 0).hash
  by_label = chosen(stratified='label', seed=4)
  assert by_label.hash == stratified_split(ids, groups, meta['label'], 'grouped', SHARES, 4).hash
  assert separate(chosen(by='day', fractions=(0.6, 0.2, 0.2)), meta['day'])
  official = chosen(regime='given')
  assert official.test.tolist() == list(range(150, 200))
  assert len(official.validation) > 5
  other = chosen(regime='instrument', train_on=('a',), test_on=('b',))
  assert set(meta['instrument'][other.test]) == {'b'}
  both = chosen(regime='instrument', train_on=('a',), test_on=('b',), stratified='label')
  dealt = chosen(stratified='label')
  assert set(both.test) == {row for row in dealt.test if meta['instrument'][row] == 'b'}
  left = chosen(regime='leave_group_out', by='day', test_on=('d3',))
  assert set(meta['day'][left.test]) == {'d3'}
  with pytest.raises(ValueError, match=r"no meta column 'batch' that config.split asks for"):
    chosen(by='batch')
  with pytest.raises(
    ValueError, match=r"split\.regime is 'spxy', expected one of iid, grouped, .* kennard_stone or"
  ):
    chosen(regime='spxy')
  with pytest.raises(ValueError, match=r'expected the name of one group to leave out'):
    chosen(regime='leave_group_out', by='day')


def measured():
  """(config, spectra) of 60 rows of 20 samples, measured on 12 days."""
  rng = np.random.default_rng(4)
  groups = named(np.arange(60) % 20)[1]
  meta = {
    'id': np.array([f'r{i}' for i in range(60)]),
    'group': groups,
    'day': np.arange(60) // 5,
    'target/fat': rng.normal(size=60),
    'target/water': rng.normal(size=60),
  }
  values, axis = rng.normal(size=(60, 5)).astype(np.float32), np.arange(5.0)
  about = (axis, 'cm^-1', 'ir', 'measured', np.ones((60, 5), bool), meta, 'made')
  return default.get_config(), Spectra(values, *about)


@pytest.mark.parametrize('regime', ['kennard_stone', 'spxy'])
def test_a_config_chooses_a_design(regime):
  """Its test side is the design's; validation is dealt from what the design trains on."""
  c, spectra = measured()
  c.split.regime, c.split.fractions = regime, (0.6, 0.2, 0.2)
  c.task.regress.targets = ('fat',)
  split = from_config(c, {'ir': spectra})
  ids, groups, fat = (spectra.meta[name] for name in ('id', 'group', 'target/fat'))
  wanted = {
    'kennard_stone': lambda: split_designs.kennard_stone(ids, spectra.values, groups, 0.8),
    'spxy': lambda: split_designs.spxy(ids, spectra.values, fat, groups, 0.8),
  }[regime]()
  assert split.regime == regime
  np.testing.assert_array_equal(split.test, wanted.test)
  both = np.sort(np.concatenate([split.train, split.validation]))
  np.testing.assert_array_equal(both, wanted.train)
  assert separate(split, groups)
  assert len(split.validation) == 12
  with pytest.raises(ValueError, match=rf"regime is '{regime}' with kinds ir, raman and"):
    from_config(c, {'ir': spectra, 'raman': spectra})
  c.task.regress.targets = ('fat', 'water')
  if regime == 'spxy':
    with pytest.raises(ValueError, match='expected spectra of one kind, and one target for spxy'):
      from_config(c, {'ir': spectra})


def test_a_config_chooses_the_block_of_time_that_is_predicted():
  c, spectra = measured()
  c.split.regime, c.split.by, c.split.fractions = 'time', 'day', (0.5, 0.25, 0.25)
  day, group = spectra.meta['day'], named(np.arange(60) % 40)[1]  # some are measured again
  spectra = dataclasses.replace(spectra, meta={**spectra.meta, 'group': spectra.meta['id']})
  last = from_config(c, {'ir': spectra})
  assert set(day[last.test]) == {9, 10, 11}
  assert day[last.train].max() < day[last.validation].min() < 9
  c.split.test_on = ('1',)
  assert set(day[from_config(c, {'ir': spectra}).test]) == {3, 4, 5}
  again, c.split.test_on = dataclasses.replace(spectra, meta={**spectra.meta, 'group': group}), ()
  split = from_config(c, {'ir': again})
  assert set(group[split.train]).isdisjoint(group[split.test])
  assert not set(group[last.train]).isdisjoint(group[last.test])
  c.split.test_on = ('4',)
  with pytest.raises(ValueError, match='expected one of 1 to 3, the number of the block'):
    from_config(c, {'ir': spectra})
  c.split.fractions = (0.5, 0.2, 0.3)
  with pytest.raises(ValueError, match=r'expected 1/2, 1/3, 1/4, .* change the third'):
    from_config(c, {'ir': spectra})
