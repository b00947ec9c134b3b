"""Runs on repeated splits pool to what one classical report of all splits says, or are refused."""

import json

import numpy as np
import pytest
import scipy.stats

from spectra_jax import metrics, scores, splits
from spectra_jax.tables import cells, output
from tests.test_tables import NRE, ROW, make_table

SPLITS, ROWS, TEST = 4, 24, 6
GROUPS = np.array([f'meat {i // 2}' for i in range(ROWS)])  # duplicates
TRUTH = np.random.default_rng(0).normal(size=ROWS)
COLUMN = NRE | {
  'label': 'fat RMSEP',
  'metric': 'results.fat.rmsep.model',
  'of_method': 'results.fat.rmsep.{method}',
  'interval': 'results.fat.rmsep.intervals.{method}',
}
NETWORK = ROW | {'label': 'network', 'runs': 'nir/*'}
R2 = COLUMN | {'label': 'R2', 'metric': 'results.fat.r2.model'}


def deal(repeat):
  ids = np.array([f'r{i}' for i in range(ROWS)])
  return splits.make_split(ids, GROUPS, 'grouped', (0.5, 0.25, 0.25), repeat)


DEALS = [deal(repeat) for repeat in range(SPLITS)]
JOINT = splits.joint_hash(DEALS)


def predicted(repeat, seed=0):
  test = DEALS[repeat].test
  return TRUTH[test] + np.random.default_rng([repeat, seed]).normal(0.1, 0.3, len(test))


def make_run(root, repeat, seed=0, width=8, joint=JOINT, split=None):
  """The folder of a network on one of the splits; joint='' is the report of an older commit."""
  folder, test = root / f'nir/{repeat}-{seed}-{width}', DEALS[repeat].test
  folder.mkdir(parents=True)
  terms = {
    f'fat.{metric.__name__}.{method}': metric(values, TRUTH[test])
    for metric in (metrics.rmsep, metrics.sep, metrics.r2)
    for method, values in (('model', predicted(repeat, seed)), ('mean', np.zeros(len(test))))
  }
  results = {}
  scores.nest(results, {path: own.value for path, own in terms.items()})
  made = {'repeat': repeat, 'repeats': SPLITS, 'joint': joint} if joint else {}
  hashed = split or DEALS[repeat].hash
  rows = {'train': 12, 'validation': 6, 'test': len(test)}
  report = {
    'results': results,
    'wall_s': 60.0,
    'wall_s_total': 60.0,
    'seed': seed,
    'split': {'regime': 'grouped', 'hash': hashed, 'rows': rows, 'made': made},
    'config': {
      'seed': seed,
      'backbone': {'width': width},
      'protocol': {'name': 'meat', 'repeat': repeat, 'refit': False},
    },
  }
  (folder / 'report.json').write_text(json.dumps(report))
  scores.write(folder, scores.by_group(terms, GROUPS[test]))
  return folder


@pytest.fixture
def root(tmp_path):
  for repeat in range(SPLITS):
    make_run(tmp_path, repeat)
  return tmp_path


def build(root, **changes):
  return cells.build(make_table(**{'rows': (NETWORK,), 'columns': (COLUMN,), **changes}), root)


def by_hand(values_S, value):
  rows = [len(one.test) / (12 + 6) for one in DEALS]
  spread = np.std(values_S, ddof=1) * np.sqrt(1 / SPLITS + np.mean(rows))
  half = scipy.stats.t.ppf(0.975, SPLITS - 1) * spread
  return value - half, value + half


def test_all_splits_are_one_number_with_the_interval_of_repeated_splits(root):
  (line,) = build(root)
  errors = [predicted(repeat) - TRUTH[DEALS[repeat].test] for repeat in range(SPLITS)]
  pooled = np.sqrt(np.mean(np.concatenate(errors) ** 2))
  each = [np.sqrt(np.mean(error**2)) for error in errors]
  (cell,) = line.cells
  assert cell.value == pytest.approx(pooled)
  assert (cell.low, cell.high) == pytest.approx(by_hand(each, pooled))
  assert cell.over == f'{SPLITS} splits'
  assert [run.split for run in cell.runs] == [JOINT]
  (groups,) = (run.groups for run in cell.runs)
  assert groups == sorted({str(GROUPS[i]) for one in DEALS for i in one.test})
  narrow = metrics.rmsep(np.concatenate(errors), np.zeros(sum(map(len, errors))))
  low, high = narrow.interval(np.concatenate([GROUPS[one.test] for one in DEALS]))
  assert cell.high - cell.low > high - low


@pytest.mark.parametrize('joint', [JOINT, ''])
def test_it_stands_in_one_column_with_a_classical_report_and_is_tested_against_it(tmp_path, joint):
  """Whose numbers are made of the pooled rows at once; another joint hash is refused."""
  root, _ = tmp_path, [make_run(tmp_path, repeat, joint=joint) for repeat in range(SPLITS)]
  test = np.concatenate([one.test for one in DEALS])
  said = TRUTH[test] + np.random.default_rng(5).normal(0.0, 0.2, len(test))
  terms = {'fat.rmsep.model': metrics.rmsep(said, TRUTH[test])}
  folder = root / 'classical'
  folder.mkdir()
  each = [0.2, 0.21, 0.22, 0.23]
  fat = {'rmsep': {'model': terms['fat.rmsep.model'].value, 'splits': {'model': each}}}
  rows = {'train': 12, 'validation': 6, 'test': 6}
  report = {
    'results': {'fat': fat},
    'wall_s': 1.0,
    'seed': 0,
    'split': {'regime': 'grouped', 'hash': JOINT, 'rows': rows},
    'config': {'method': {'name': 'pls'}, 'protocol': {'name': 'meat', 'repeats': SPLITS}},
  }
  (folder / 'report.json').write_text(json.dumps(report))
  scores.write(folder, scores.by_group(terms, GROUPS[test]))
  classical = ROW | {'label': 'PLS', 'runs': 'classical', 'where': {'method.name': 'pls'}}
  network, pls = build(root, rows=(NETWORK, classical), against='PLS')
  assert 0 < network.cells[0].p <= 1
  spread = np.std(each, ddof=1) * np.sqrt(1 / SPLITS + 6 / 18)
  assert pls.cells[0].high - pls.cells[0].value == pytest.approx(3.182446 * spread, rel=1e-6)
  report['split']['hash'] = 'other'
  (folder / 'report.json').write_text(json.dumps(report))
  told = rf'has split {JOINT} and .*classical other; expected one' if joint else 'expected other of'
  with pytest.raises(ValueError, match=told):
    build(root, rows=(NETWORK, classical))


def test_seeds_are_averaged_split_by_split(root):
  for repeat in range(SPLITS):
    make_run(root, repeat, seed=1)
  (line,) = build(root, seeds=(0, 1))
  error = lambda seed, repeat: predicted(repeat, seed) - TRUTH[DEALS[repeat].test]
  root_mean = lambda errors: np.sqrt(np.mean(np.concatenate(errors) ** 2))
  value = np.mean([root_mean([error(s, r) for r in range(SPLITS)]) for s in (0, 1)])
  each = [np.mean([root_mean([error(s, r)]) for s in (0, 1)]) for r in range(SPLITS)]
  assert line.cells[0].value == pytest.approx(value)
  assert (line.cells[0].low, line.cells[0].high) == pytest.approx(by_hand(each, value))


def test_fewer_splits_are_no_number(root):
  (root / 'nir/2-0-8/report.json').unlink()
  (line,) = build(root)
  assert line.cells[0].value is None
  assert output.cell_text(line.cells[0]) == 'missing (seed 0: 3 of 4 splits)'
  table = make_table(columns=(COLUMN,))
  assert output.write(table, [line], root / 'tables')['missing'] == 1
  for repeat in range(SPLITS):
    make_run(root, repeat, seed=1)
  (line,) = build(root)
  assert line.cells[0].seeds == [1]
  assert output.cell_text(line.cells[0]).endswith('(seed 0: 3 of 4 splits)')


def test_a_baseline_of_the_runs_is_pooled_too_and_times_are_added(root):
  mean = NETWORK | {'label': 'mean', 'method': 'mean'}
  time = NRE | {'label': 'time', 'metric': 'wall_s_total', 'regime': '', 'of_method': ''}
  network, baseline = build(root, rows=(NETWORK, mean), columns=(COLUMN, time))
  test = np.concatenate([one.test for one in DEALS])
  assert baseline.cells[0].value == pytest.approx(np.sqrt(np.mean(TRUTH[test] ** 2)))
  assert baseline.cells[0].over == f'{SPLITS} splits'
  assert network.cells[1].value == 60.0 * SPLITS
  assert output.notes(make_table(), [network])[-1].startswith('over splits: training sides')


def test_scores_that_look_at_their_own_side_are_not_added(root):
  (line,) = build(root, columns=(COLUMN, R2))
  assert line.cells[1].missing


@pytest.mark.parametrize(
  ('changes', 'words'),
  [
    ({'width': 9}, r'backbone.width is 8 and 9; expected runs that differ by their seed'),
    ({'seed': 0, 'width': 8.0}, r"'network' has protocol.repeat 3 twice, in .*3-0-8 and .*3-0-8.0"),
  ],
)
def test_runs_that_are_not_one_method_on_each_split_are_refused(root, changes, words):
  make_run(root, 3, **changes)
  with pytest.raises(ValueError, match=words):
    build(root)


@pytest.mark.parametrize(
  ('what', 'words'),
  [
    ({'split': 'another'}, r'have the joint hash \w+, expected \w+ of protocol meat'),
    ({'joint': 'another'}, rf'of seed 0 are of 4 splits another and of 4 splits {JOINT}, expected'),
  ],
)
def test_splits_of_another_protocol_are_refused(tmp_path, what, words):
  for repeat in range(SPLITS):
    make_run(tmp_path, repeat, **(what if repeat == 0 else {}))
  with pytest.raises(ValueError, match=words):
    build(tmp_path)


def test_runs_without_sums_are_refused(root):
  (root / 'nir/1-0-8' / scores.FILE).unlink()
  with pytest.raises(ValueError, match=r'1-0-8 has no scores.npz, expected the sums'):
    build(root)
