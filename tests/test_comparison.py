"""Two hand-made runs: exactly what was changed differs, and nothing else."""

import copy
import json

import numpy as np
import pytest

from spectra_jax import comparison, scores
from spectra_jax.tables.statistics import Sums, paired

RNG = np.random.default_rng(0)
GROUPS = np.array([f'C{i}' for i in range(10)])
SUMS = RNG.gamma(2.0, size=(2, 10))
REPORT = {
  'identity': 'a' * 64,
  'data_hash': 'd' * 64,
  'results': {
    'ir': {'nre': float(SUMS[0].sum() / SUMS[1].sum()), 'interval': [0.1, 0.3], 'mean': 1.0}
  },
  'split': {'regime': 'grouped', 'hash': 'abc', 'rows': {'train': 8}},
  'packages': {'jax': '0.10.2', 'numpy': '2.4.6'},
  'commit': 'c' * 40,
  'device': 'cpu',
  'wall_s': 10.0,
  'config': {'seed': 0, 'optimizer': {'lr': 0.002}, 'loss': {'weights': [1.0, 2.0]}},
}


def make_run(folder, sums=SUMS, **changes):
  folder.mkdir()
  report = copy.deepcopy(REPORT) | changes
  (folder / 'report.json').write_text(json.dumps(report))
  scores.write(folder, {'groups': GROUPS, 'ir.nre': sums})
  return folder


def test_a_run_and_its_copy_differ_in_nothing(tmp_path):
  found = comparison.compare(make_run(tmp_path / 'a'), make_run(tmp_path / 'b'))
  assert found['same_run']
  assert found['finished'] == [True, True]
  for part in ('config', 'versions', 'data', 'devices', 'cost'):
    assert found[part] == {}
  assert found['metrics']['ir.nre']['difference'] == 0
  assert found['metrics']['ir.nre']['p'] is None
  assert '2 metrics are equal' in comparison.text(found)


def test_what_was_changed_is_found_and_only_that(tmp_path):
  better = SUMS * [[0.5], [1.0]]
  nre = float(better[0].sum() / better[1].sum())
  other = make_run(
    tmp_path / 'b',
    better,
    identity='b' * 64,
    results={'ir': {'nre': nre, 'interval': [0.0, 0.1], 'mean': 1.0}},
    packages={'jax': '0.11.0', 'numpy': '2.4.6', 'scipy': '1.17.1'},
    config={'seed': 1, 'optimizer': {'lr': 0.002, 'b1': 0.9}, 'loss': {'weights': [1.0, 2.0]}},
    split={'regime': 'grouped', 'hash': 'abd', 'rows': {'train': 8}},
    wall_s=12.0,
  )
  found = comparison.compare(make_run(tmp_path / 'a'), other)
  assert not found['same_run']
  assert found['config'] == {'seed': [0, 1], 'optimizer.b1': [None, 0.9]}
  assert found['versions'] == {
    'packages.jax': ['0.10.2', '0.11.0'],
    'packages.scipy': [None, '1.17.1'],
  }
  assert found['data'] == {'split.hash': ['abc', 'abd']}
  assert found['cost'] == {'wall_s': [10.0, 12.0]}
  metric = found['metrics']['ir.nre']
  assert metric['values'] == [REPORT['results']['ir']['nre'], nre]
  assert metric['difference'] == pytest.approx(-nre)
  rows = [Sums(x[:, None], 'ratio') for x in (SUMS, better)]
  assert metric['p'] == paired(*rows, 'permutation')
  assert found['metrics']['ir.mean'] == {'values': [1.0, 1.0], 'p': None, 'difference': 0.0}
  words = comparison.text(found)
  assert 'versions: packages.jax' in words
  assert '(absent)' in words


def test_other_test_groups_are_not_compared(tmp_path):
  other = make_run(tmp_path / 'b')
  scores.write(other, {'groups': GROUPS[::-1], 'ir.nre': SUMS})
  assert comparison.compare(make_run(tmp_path / 'a'), other)['metrics']['ir.nre']['p'] is None


def test_an_unfinished_run_has_a_config(tmp_path):
  other = make_run(tmp_path / 'b')
  (other / 'report.json').unlink()
  document = {'identity': 'b' * 64, 'data_hash': 'e' * 64, 'config': {'seed': 5}}
  (other / 'config.json').write_text(json.dumps(document))
  found = comparison.compare(make_run(tmp_path / 'a'), other)
  assert found['config']['seed'] == [0, 5]
  assert found['data']['data_hash'] == ['d' * 64, 'e' * 64]
  assert found['metrics'] == {}
  assert 'b has no report yet' in comparison.text(found)


@pytest.mark.parametrize(
  ('content', 'words'),
  [(None, 'has neither report.json nor config.json'), ('[]', 'is not of a run'), ('{', 'is not')],
)
def test_what_is_no_run_is_refused(tmp_path, content, words):
  folder = tmp_path / 'c'
  folder.mkdir()
  if content is not None:
    (folder / 'report.json').write_text(content)
  with pytest.raises(ValueError, match=words):
    comparison.compare(make_run(tmp_path / 'a'), folder)
