"""A copy, a shifted copy and a replicate across a split are found; clean data is clean."""

import json
import subprocess
import sys

import numpy as np
import pytest

from spectra_jax import split_files, splits
from spectra_jax.datasets import computed, tecator
from spectra_jax.duplicates import find_copies, merged_groups
from spectra_jax.leakage import check_leakage, without
from tests.test_duplicates import measured, shifted, spectra


def planted():
  """24 spectra of 12 samples, two each; 24 copies 3, 25 copies 5 shifted; 26 replicates none."""
  values = measured(0, 24)
  groups = [f'g{i // 2}' for i in range(24)]
  values = np.concatenate([values, [values[3], 2 * shifted(values[5], 6.5, 1)]])
  return spectra(values, group=np.array([*groups, 'h0', 'h1']))


def sided(data, test):
  sides = np.full(len(data), 'train', dtype='<U10')
  sides[list(test)] = 'test'
  return splits.given(data.meta['id'], sides)


def test_each_planted_leak_is_found_and_named():
  data = planted()
  copy = check_leakage(sided(data, {24}), data)
  assert [(p.first, p.second, p.kind) for p in copy.copies] == [(3, 24, 'exact')]
  assert (copy.groups, copy.within) == ({}, 1)
  with pytest.raises(
    ValueError, match=r'1 pairs of copies .* is s3 \(train\) and s24 \(test\): exact'
  ):
    copy.refuse()
  moved = check_leakage(sided(data, {25}), data)
  assert [(p.first, p.second, p.kind) for p in moved.copies] == [(5, 25, 'shifted')]
  assert 's5 (train) and s25 (test): shifted, shift +6.5' in str(moved)
  replicate = check_leakage(sided(data, {8, 10, 11}), data)
  assert replicate.groups == {'g4': ('train', 'test')}
  assert not replicate.copies
  with pytest.raises(ValueError, match='the first is group g4: train, test'):
    replicate.refuse()


def test_what_is_on_one_side_or_left_out_is_no_leak():
  data = planted()
  leakage = check_leakage(sided(data, {3, 2, 24, 0, 1}), data)
  assert leakage.clean
  assert leakage.within == 2
  leakage.refuse()
  sides = np.where(np.arange(26) < 12, 'train', np.where(np.arange(26) < 24, 'test', ''))
  assert check_leakage(splits.given(data.meta['id'], sides), data).within == 0


def test_merged_groups_cannot_be_separated():
  data = planted()
  groups = merged_groups(data.meta['group'], find_copies(data))
  for seed in range(5):
    split = splits.make_split(data.meta['id'], groups, 'grouped', (0.5, 0.2, 0.3), seed)
    assert not check_leakage(split, data).copies


def test_tecator_has_22_copies_7_across_the_customary_split(real_data):
  data = tecator.read(real_data / 'tecator')
  pairs = find_copies(data, shift_points=8)
  assert [(p.first, p.second) for p in pairs] == sorted(tecator.INFO['duplicates'])
  assert {p.kind for p in pairs} == {'exact'}
  split = sided(data, range(172, 215))
  leakage = check_leakage(split, data, shift_points=8)
  assert (len(leakage.copies), leakage.within) == (7, 15)
  assert len(leakage.groups) == 7  # the data set names the pairs
  clean = without(split, leakage)
  assert (len(clean.train), len(clean.test)) == (165, 43)
  assert clean.hash != split.hash
  assert not check_leakage(clean, data, shift_points=8).copies


def run_program(output, *words):
  command = [sys.executable, '-m', 'experiments.split', '--config=configs/pretrain.py:tiny']
  command += ['--config.split.regime=iid', '--shift_points=0', f'--output={output}', *words]
  return subprocess.run(command, capture_output=True, text=True, timeout=300)


@pytest.mark.slow
def test_the_program_lists_what_a_split_of_rows_separates(tmp_path):
  """Molecules dealt one by one: isomers of one formula are on two sides."""
  done = run_program(tmp_path / 'split.json')
  told = json.loads(done.stdout.splitlines()[-1])
  assert (told['regime'], told['copies']) == ('iid', 0)
  assert told['groups'] > 100
  assert 'group C' in done.stdout
  ids = computed.load_lines().smiles
  split = split_files.read(told['file'], ids)
  assert split.hash == told['split']
  assert {side: len(getattr(split, side)) for side in splits.SIDES} == told['rows']


@pytest.mark.slow
def test_the_program_refuses_where_it_is_asked_to(tmp_path):
  done = run_program(tmp_path / 'split.json', '--strict')
  assert done.returncode == 1
  assert done.stderr.splitlines()[-1].startswith('error: the split leaks: 0 pairs of copies and')
  assert not (tmp_path / 'split.json').exists()
