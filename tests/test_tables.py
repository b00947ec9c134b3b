"""Tables of hand-made report folders: what is selected, refused, missing, linked."""

import csv
import dataclasses
import json
import pathlib
import re

import numpy as np
import pytest

from configs.tables import default
from spectra_jax import scores
from spectra_jax.tables import cells, output, runs, spec, statistics
from spectra_jax.tables.statistics import Interval, Sums, bootstrap, difference, paired

GROUPS = np.array([f'C{i}' for i in range(12)])
TRUTH = {'linoss': 0.2, 's5': 0.4}


def numbers(backbone, seed):
  """[2, G]: sums of a run, of known making."""
  rng = np.random.default_rng([len(backbone), seed])
  denominator_G = 1 + np.arange(12.0)
  return np.stack([denominator_G * TRUTH[backbone] * rng.uniform(0.9, 1.1, 12), denominator_G])


def make_run(root, name, backbone='linoss', seed=0, config=(), split=(), with_scores=True):
  """A folder like that of a finished run."""
  folder = root / name
  folder.mkdir(parents=True)
  sums = numbers(backbone, seed)
  gaussian = np.stack([0.6 * sums[1], sums[1]])
  report = {
    'results': {'ir': {'nre': float(sums[0].sum() / sums[1].sum()), 'gaussian': 0.6}},
    'wall_s': 120.0,
    'seed': seed,
    'parameters': 1234,
    'split': {'regime': 'grouped', 'hash': 'abc', **dict(split)},
    'config': {
      'seed': seed,
      'backbone': {'name': backbone, 'width': 16},
      'log': {'every': seed},
      **dict(config),
    },
  }
  (folder / 'report.json').write_text(json.dumps(report))
  if with_scores:
    groups = {'groups': GROUPS}
    scores.write(folder, {**groups, 'ir.nre': sums, 'ir.gaussian': gaussian})
  return folder


ROW = {'label': '{backbone.name}', 'runs': 'sweep/*', 'where': {}, 'method': 'model'}
NRE = {
  'label': 'IR NRE',
  'metric': 'results.ir.nre',
  'of_method': 'results.ir.{method}',
  'interval': 'results.ir.intervals.{method}',
  'regime': 'grouped',
  'format': '{:.3f}',
  'scale': 1.0,
}
MINUTES = {
  'label': 'time (min)',
  'metric': 'wall_s',
  'of_method': '',
  'interval': '',
  'regime': '',
  'format': '{:.0f}',
  'scale': 1 / 60,
}


def make_table(**changes):
  config = default.get_config()
  given = {'caption': 'Error & time.', 'rows': (ROW,), 'columns': (NRE, MINUTES), **changes}
  for key, value in given.items():
    config[key] = value
  return spec.parse('made', config)


@pytest.fixture
def root(tmp_path):
  """Two backbones, three seeds each."""
  for backbone in TRUTH:
    for seed in range(3):
      make_run(tmp_path, f'sweep/{backbone}-{seed}', backbone, seed)
  return tmp_path


def lines(root, **changes):
  return cells.build(make_table(**changes), root)


# ---- numbers ------------------------------------------------------------------


def test_one_run_without_scores_has_the_interval_that_it_gives_itself(tmp_path):
  folder = make_run(tmp_path / 'sweep', 'a', with_scores=False)
  report = json.loads((folder / 'report.json').read_text())
  report['results']['ir']['intervals'] = {'model': [0.1, 0.9], 'gaussian': [0.5, 0.7]}
  (folder / 'report.json').write_text(json.dumps(report))
  table = make_table(rows=(ROW, {**ROW, 'label': 'gaussian', 'method': 'gaussian'}))
  model, gaussian = (line.cells[0] for line in cells.build(table, tmp_path))
  assert (model.low, model.high, model.over) == (0.1, 0.9, 'test samples')
  assert (gaussian.low, gaussian.high, gaussian.over) == (0.5, 0.7, 'test samples')
  (other_level,) = cells.build(make_table(level=0.9), tmp_path)
  assert other_level.cells[0].low is None
  make_run(tmp_path / 'sweep', 'b', seed=1, with_scores=False)
  assert cells.build(table, tmp_path)[0].cells[0].over == 'seeds'


def test_rows_are_means_over_seeds_with_the_bootstrap_of_their_groups(root):
  found = lines(root, seeds=(0, 1, 2))
  assert [line.label for line in found] == ['linoss', 's5']
  for line in found:
    each = [numbers(line.label, seed) for seed in range(3)]
    cell, time = line.cells
    assert cell.value == pytest.approx(np.mean([n.sum() / d.sum() for n, d in each]))
    stacked = Sums(np.stack(each, 1), 'ratio')
    assert (cell.value, cell.low, cell.high) == pytest.approx(tuple(bootstrap(stacked, 2000, 0.95)))
    assert cell.over == 'seeds and groups'
    assert cell.seeds == [0, 1, 2]
    assert not cell.lacking
    assert output.cell_text(time) == '2'


def test_one_seed_has_groups_and_no_scores_have_seeds(root):
  make_run(root, 'alone/run', seed=7)
  for seed in range(2):
    make_run(root, f'bare/{seed}', seed=seed, with_scores=False)
  make_run(root, 'single/0', with_scores=False)
  rows = [ROW | {'label': name, 'runs': f'{name}/*'} for name in ('alone', 'bare', 'single')]
  over = [line.cells[0].over for line in lines(root, rows=tuple(rows))]
  assert over == ['groups', 'seeds', '']


def test_rows_are_tested_against_one_by_groups_with_holms_correction(root):
  linoss, s5 = lines(root, against='linoss', columns=(NRE,))
  stack = lambda name: Sums(np.stack([numbers(name, seed) for seed in range(3)], 1), 'ratio')
  assert linoss.cells[0].p is None
  assert s5.cells[0].p == paired(stack('s5'), stack('linoss'), 'permutation')
  assert s5.cells[0].p < 0.01
  assert s5.cells[0].difference == difference(stack('s5'), stack('linoss'), 2000, 0.95)
  assert s5.cells[0].difference.low > 0
  rows = (ROW | {'label': 'first', 'where': {'backbone.name': 'linoss', 'seed': 0}}, ROW)
  _, *others = lines(root, rows=rows, against='first', columns=(NRE,))
  p = sorted(line.cells[0].p for line in others)
  held = sorted(line.cells[0].p_holm for line in others)
  assert held == pytest.approx([min(1, 2 * p[0]), max(min(1, 2 * p[0]), p[1])])


def test_a_score_of_one_group_alone_is_not_tested(root):
  for run in (root / 'sweep').iterdir():
    sums = scores.read(run)
    report = json.loads((run / 'report.json').read_text())
    sums['ir.nre'][:, 1:] = 0
    report['results']['ir']['nre'] = float(np.divide(*sums['ir.nre'][:, 0]))
    (run / 'report.json').write_text(json.dumps(report))
    scores.write(run, sums)
  found = lines(root, against='linoss', columns=(NRE,))
  assert [line.cells[0].p for line in found] == [None, None]
  assert [line.cells[0].over for line in found] == ['seeds', 'seeds']


def test_baselines_are_rows_of_one_number(root):
  row = ROW | {'label': 'gaussian', 'method': 'gaussian'}
  for run in (root / 'sweep').iterdir():  # it is the same in all, and of any model
    assert json.loads((run / 'report.json').read_text())['results']['ir']['gaussian'] == 0.6
  (line,) = lines(root, rows=(row | {'where': {'backbone.name': 's5'}},))
  assert line.cells[0].value == 0.6
  assert (line.cells[0].low, line.cells[0].high) == pytest.approx((0.6, 0.6))
  assert not line.cells[1].applies


def test_a_row_is_called_what_the_table_calls_it(root):
  row = ROW | {'label': 'all bands, averaged', 'method': 'gaussian'}
  found = lines(root, rows=(row,))
  assert '| all bands, averaged |' in output.markdown(make_table(), found, root)


def test_a_baseline_that_two_runs_know_differently_is_refused(root):
  path = root / 'sweep/s5-1/report.json'
  report = json.loads(path.read_text())
  report['results']['ir']['gaussian'] = 0.61  # of an older commit, say
  path.write_text(json.dumps(report))
  row = ROW | {'label': 'gaussian', 'method': 'gaussian'}
  with pytest.raises(
    ValueError, match=r'gaussian is 0.6 in linoss-0 and 0.61 in s5-1; expected one'
  ):
    lines(root, rows=(row,))


def test_a_cell_reads_as_its_numbers():
  column = spec.Column(**NRE | {'scale': 10.0})
  cell = cells.Cell(column, value=0.2, low=0.1, high=0.34, p=0.01, p_holm=0.03, lacking=[1, 2])
  cell.difference = Interval(0.1, 0.05, 0.2)
  assert output.cell_text(cell) == '2.000 [1.000, 3.400], p 0.03, seeds 1, 2 missing'
  cell.difference = Interval(0.1, -0.05, 0.2)
  assert 'p 0.03, within groups, seeds 1' in output.cell_text(cell)
  cell.runs = [None, None]
  assert 'p 0.03, within seeds, seeds 1' in output.cell_text(cell)


def test_sections_keep_splits_apart(root):
  for share, split in ((0.5, 'half'), (0.1, 'tenth')):
    config = {'split': {'train_share': share}}
    make_run(root, f'shares/{share}', config=config, split={'hash': split})
  row = ROW | {'label': 'all', 'runs': 'shares/*'}
  with pytest.raises(ValueError, match=r"row 'all' mixes .* split.train_share is 0.1 and 0.5"):
    lines(root, rows=(row,))
  label = row | {'label': 'share {split.train_share}'}
  with pytest.raises(ValueError, match=r'has split tenth and .*/0.5 half; expected one split'):
    lines(root, rows=(label,))
  found = lines(root, rows=(row,), sections=('split.train_share',))
  assert [line.section for line in found] == ['split.train_share = 0.1', 'split.train_share = 0.5']


def test_seeds_with_molecules_of_their_own_are_one_row_and_their_baselines_a_mean(tmp_path):
  for seed in range(3):
    split = {'hash': f'own {seed}', 'made': {'thinned_from': 'abc'}}
    config = {'split': {'train_seed': seed}}
    folder = make_run(tmp_path, f'sweep/{seed}', seed=seed, split=split, config=config)
    report = json.loads((folder / 'report.json').read_text())
    report['results']['ir']['gaussian'] = 0.5 + 0.1 * seed
    (folder / 'report.json').write_text(json.dumps(report))
    (folder / 'scores.npz').unlink()
  make_run(tmp_path, 'whole/0', 's5')
  rows = (
    ROW,
    ROW | {'label': 'gaussian', 'method': 'gaussian'},
    ROW | {'label': 'whole', 'runs': 'whole/*'},
  )
  model, gaussian, _ = lines(tmp_path, rows=rows)
  assert model.cells[0].seeds == gaussian.cells[0].seeds == [0, 1, 2]
  assert gaussian.cells[0].value == pytest.approx(0.6)
  assert gaussian.cells[0].over == 'seeds'
  assert gaussian.cells[0].low < 0.5 < 0.7 < gaussian.cells[0].high


def test_time_of_older_reports_is_known_only_where_nothing_was_restarted(root):
  for seed, told in enumerate(({'resumed_from': 0}, {'resumed_from': 5}, {'wall_s_total': 600.0})):
    path = root / f'sweep/s5-{seed}/report.json'
    path.write_text(json.dumps(json.loads(path.read_text()) | told))
  found = lines(root, columns=(MINUTES | {'metric': 'wall_s_total'},), seeds=(0, 1, 2))
  cell = found[1].cells[0]
  assert (cell.value, cell.seeds, cell.lacking) == ((120.0 + 600.0) / 2, [0, 2], [1])


def test_a_classical_method_is_one_process_whose_time_is_the_whole(root):
  make_run(root, 'classical/pls', config={'method': {'name': 'pls'}})
  row = {'label': 'PLS', 'runs': 'classical/*', 'where': {'method.name': 'pls'}, 'method': 'model'}
  found = lines(root, rows=(row,), columns=(MINUTES | {'metric': 'wall_s_total'},))
  assert found[0].cells[0].value == 120.0


# ---- what is missing -------------------------------------------------------------


def test_what_is_missing_says_so_and_is_counted(root):
  (root / 'sweep/s5-1/report.json').unlink()  # still running
  absent = ROW | {'label': 'mamba', 'where': {'backbone.name': 'mamba'}}
  found = lines(root, rows=(ROW, absent), seeds=(0, 1, 2))
  text = output.markdown(make_table(), found, root / 'tables')
  assert 'seed 1 missing' in text
  assert '| mamba | missing | missing |' in text
  summary = output.write(make_table(), found, root / 'tables')
  assert (summary['cells'], summary['missing'], summary['lacking_seeds']) == (6, 2, 8)


def test_a_page_has_the_columns_that_it_names_in_that_order_and_rows_with_runs(root):
  absent = ROW | {'label': 'mamba', 'where': {'backbone.name': 'mamba'}}
  given = {'rows': (ROW, absent), 'page': (MINUTES['label'], NRE['label'])}
  text = output.markdown(make_table(**given), lines(root, **given), root, page=True)
  head, _, first, *_ = text.splitlines()
  assert head == '|  | time (min) | IR NRE |'
  mean = np.mean(
    [numbers('linoss', seed)[0].sum() / numbers('linoss', seed)[1].sum() for seed in range(3)]
  )
  assert first.startswith(f'| linoss | 2 | {mean:.3f} [')
  assert 'mamba' not in text
  narrow = output.markdown(
    make_table(**given | {'page': ('IR NRE',)}), lines(root), root, page=True
  )
  assert narrow.splitlines()[0] == '|  | IR NRE |'
  with pytest.raises(ValueError, match=r"has 'hours' in `page`, expected columns IR NRE, time"):
    make_table(page=('hours',))


def test_groups_that_no_score_is_about_are_not_counted_as_tested(root):
  for path in (root / 'sweep').glob('*/scores.npz'):
    arrays = dict(np.load(path))
    scores.write(
      path.parent,
      {
        **arrays,
        'ir.nre': arrays['ir.nre'] * (np.arange(12) < 7),
        'ir.gaussian': arrays['ir.gaussian'] * (np.arange(12) < 7),
      },
    )
    report = json.loads((path.parent / 'report.json').read_text())
    total = np.load(path)['ir.nre'].sum(1)
    report['results']['ir']['nre'] = float(total[0] / total[1])
    (path.parent / 'report.json').write_text(json.dumps(report))
  assert 'abc, 7 test groups' in output.markdown(make_table(), lines(root), root)


def test_keys_of_runs_that_are_not_there_yet_are_no_mistake(root):
  """The weights of a loss belong to one task; of another there may be no run so far."""
  where = {'backbone.name': 'mamba', 'backbone.mamba.state': 16}
  (line,) = lines(root, rows=(ROW | {'where': where},))
  assert line.cells[0].missing


def test_an_empty_folder_makes_a_table_of_missing_cells(tmp_path):
  found = lines(tmp_path)
  assert output.write(make_table(), found, tmp_path / 'tables')['missing'] == 2
  assert not (tmp_path / 'tables' / 'made.png').exists()


# ---- what is refused ---------------------------------------------------------------


@pytest.mark.parametrize(
  ('split', 'words'),
  [
    ({'regime': 'iid'}, r"odd is of regime 'iid', expected 'grouped'; numbers of two regimes"),
    ({'hash': 'other'}, r'has split abc and .*odd other; expected one split in a column'),
  ],
)
def test_other_splits_are_refused_in_one_column(root, split, words):
  make_run(root, 'odd', split=split)
  odd = ROW | {'label': 'odd', 'runs': 'odd'}
  with pytest.raises(ValueError, match=rf"table made, column 'IR NRE': .*{words}"):
    lines(root, rows=(ROW, odd))
  lines(root, rows=(ROW, odd), columns=(MINUTES,))  # times may stand side by side


def test_runs_of_one_row_differ_by_their_seed_alone(root):
  make_run(root, 'sweep/wide', seed=3, config={'backbone': {'name': 'linoss', 'width': 32}})
  with pytest.raises(ValueError, match=r"'linoss' mixes .* backbone.width is 16 and 32; .* add"):
    lines(root)
  assert len(lines(root, rows=(ROW | {'where': {'backbone.width': 16}},))) == 2


def test_a_seed_counts_once(root):
  make_run(root, 'sweep/again', seed=2)
  with pytest.raises(ValueError, match=r'has seed 2 twice, in .*again and .*linoss-2'):
    lines(root)


def test_scores_of_another_run_are_refused(root):
  scores.write(root / 'sweep/s5-0', {'groups': GROUPS, 'ir.nre': numbers('s5', 1)})
  with pytest.raises(ValueError, match=r'sweep/s5-0: scores.npz gives .* files of one run'):
    lines(root)


def test_other_test_groups_are_refused(root):
  sums = numbers('s5', 0)
  scores.write(root / 'sweep/s5-0', {'groups': GROUPS[::-1], 'ir.nre': sums})
  with pytest.raises(ValueError, match='12 and 12 test groups that are not the same'):
    lines(root)


@pytest.mark.parametrize('content', ['', '{}', '[]', '{"config": {}, "seed": 0, "split": {}}'])
def test_a_damaged_report_is_named(root, content):
  (root / 'sweep/s5-0/report.json').write_text(content)
  with pytest.raises(ValueError, match=r's5-0/report.json is not the report of a run'):
    lines(root)


@pytest.mark.parametrize(
  ('changes', 'words'),
  [
    ({'columns': (NRE | {'metric': 'results.ir.nri'},)}, "no report of 6 has a number at 'results"),
    ({'rows': (ROW | {'where': {'backbone.nam': 's5'}},)}, "selects by 'backbone.nam'"),
    ({'rows': (ROW | {'label': '{backbone.nam}'},)}, "names 'backbone.nam'"),
    ({'rows': (ROW, ROW)}, 'expected at least one and none twice'),
    ({'rows': ()}, 'expected at least one and none twice'),
    ({'rows': (ROW | {'were': 1},)}, r"has keys \['were'\] too many and \[\] too few"),
    ({'test': 't'}, "asks for test 't', expected one of permutation, wilcoxon"),
    ({'against': 'best'}, "compares with row 'best', expected one of 'linoss', 's5'"),
    ({'sections': ('split.share',)}, "has sections by 'split.share'"),
  ],
)
def test_a_table_that_contradicts_itself_is_refused(root, changes, words):
  with pytest.raises(ValueError, match=words):
    lines(root, **changes)


def test_references_are_of_the_same_regime(root):
  reference = {'label': 'Smith', 'values': {'IR NRE': 0.3}, 'regime': 'iid', 'source': 'doi:10/x'}
  with pytest.raises(ValueError, match="measured in regime 'iid' and column 'IR NRE' is of regime"):
    lines(root, references=(reference,))
  with pytest.raises(ValueError, match="gives 'Raman', expected columns IR NRE, time"):
    lines(root, references=(reference | {'values': {'Raman': 1.0}},))
  *_, smith = lines(root, references=(reference | {'regime': 'grouped'},))
  assert output.cell_text(smith.cells[0]) == '0.300'
  assert not smith.cells[1].applies


# ---- files ----------------------------------------------------------------------


@pytest.fixture
def written(root):
  folder = root / 'tables'
  reference = {'label': 'A_B', 'values': {'time (min)': 5}, 'regime': '', 'source': 'doi:10/x'}
  table = make_table(against='linoss', references=(reference,))
  found = cells.build(table, root)
  return folder, output.write(table, found, folder), found


def test_every_number_links_to_its_run(written):
  folder, summary, _ = written
  text = (folder / 'made.md').read_text()
  links = re.findall(r'\]\(([^)]+)\)', text)
  assert len(links) == 2 * 2 * 3  # rows, columns, seeds
  assert all((folder / link / 'report.json').exists() for link in links)
  assert {pathlib.Path(name).suffix for name in summary['files']} == {
    '.md',
    '.csv',
    '.tex',
    '.json',
    '.png',
  }
  assert all(pathlib.Path(name).exists() for name in summary['files'])
  assert 'split: grouped, abc, 12 test groups' in text
  assert 'Holm correction for 1 comparisons' in text
  assert 'A_B: doi:10/x' in text


def test_comma_separated_holds_the_numbers_unrounded(written):
  folder, _, found = written
  rows = list(csv.DictReader((folder / 'made.csv').open()))
  assert len(rows) == 5
  assert float(rows[2]['value']) == found[1].cells[0].value
  assert float(rows[2]['p_holm']) == found[1].cells[0].p_holm
  assert rows[2]['seeds'] == '0 1 2'
  assert rows[-1]['source'] == 'doi:10/x'
  assert json.loads((folder / 'made.json').read_text())['rows'][2]['value'] == float(
    rows[2]['value']
  )


def test_results_are_every_cell_with_its_interval(written):
  _, summary, found = written
  told = output.results(found)
  assert sum(len(row) for row in told.values()) == summary['cells']
  for line in found:
    for cell in line.cells:
      if cell.applies:
        ends = (cell.value, cell.low, cell.high)
        want = [None if x is None else x * cell.column.scale for x in ends]
        assert told[line.label][cell.column.label] == want
  assert told['linoss']['time (min)'] == [2.0, None, None]  # of 120 s


def test_latex_is_balanced_and_escaped(written):
  folder, *_ = written
  text = (folder / 'made.tex').read_text()
  for begin, end in (('{', '}'), (r'\begin', r'\end')):
    assert text.replace(r'\{', '').replace(r'\}', '').count(begin) == text.count(end)
  assert r'Error \& time.' in text
  assert r'A\_B' in text
  assert not re.search(r'(?<!\\)[%#]', text)
  rows = [line for line in text.splitlines() if line.endswith(r'\\')]
  assert {len(re.findall(r'(?<!\\)&', row)) for row in rows} == {2}


@pytest.mark.parametrize('name', spec.names())
def test_tables_of_this_project_can_be_made(name, tmp_path, monkeypatch):
  """From the committed reports; what they lack is missing and nothing is refused."""
  monkeypatch.setattr(statistics, 'SWAPS', 99)  # p values may be rough here
  table = dataclasses.replace(spec.load(name), resamples=100)
  found = cells.build(table, pathlib.Path(runs.__file__).parents[2] / 'experiments' / 'results')
  if not any(line.runs for line in found):
    pytest.skip(f'no report of {name} is committed yet')
  summary = output.write(table, found, tmp_path)
  assert summary['cells'] > summary['missing']


def test_an_unknown_table_is_refused_with_a_list():
  with pytest.raises(ValueError, match=r"configs/tables has no 'nope', expected one of .*pretrain"):
    spec.load('nope')


@pytest.mark.parametrize(
  'split', [{'regime': 'random', 'hash': 'abc'}, {'regime': 'iid', 'hash': ''}]
)
def test_a_report_without_a_regime_or_a_split_makes_no_table(root, split):
  path = root / 'sweep' / 's5-0' / 'report.json'
  report = json.loads(path.read_text())
  path.write_text(json.dumps({**report, 'split': split}))
  with pytest.raises(ValueError, match='without them it cannot be reported'):
    lines(root)
