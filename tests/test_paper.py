"""The paper runs what is missing and nothing else, and makes its tables from what is there."""

import fnmatch
import importlib
import itertools
import json
import pathlib

import pytest

from configs import paper as contents
from spectra_jax import chemometrics_report, paper, protocols
from spectra_jax.tables import spec
from tests import processes

PART = {
  'sweeps': (
    {
      'folder': 'a',
      'config': 'configs/pretrain.py:tiny',
      'points': ({'seed': 0}, {'seed': 1}),
      'data': {},
    },
    {
      'folder': 'b/c',
      'config': 'configs/physics_ablation.py:paired-tiny',
      'points': (),
      'data': {},
    },
  ),
  'cells': ({'protocols': ('tecator',), 'methods': ('pls',), 'preprocessings': ('raw', 'snv')},),
  'tables': (),
}
REAL = {
  'folder': 'r',
  'config': 'configs/rruff.py:tiny',
  'points': ({'seed': 3},),
  'data': {'dataset.rruff_splits.path': 'rruff_splits'},
}
REPORT = {'wall_s': 1.0}


def finish(job):
  job.folder.mkdir(parents=True)
  (job.folder / 'report.json').write_text(json.dumps(REPORT))


def test_only_what_is_missing_is_run(tmp_path):
  said, launched = [], []
  every = paper.jobs(PART, tmp_path, tmp_path / 'data', said.append)
  assert len(every) == 2 + 9 + 2  # of the ablation: three seeds of three modes
  finish(every[0])

  def launch(jobs):
    launched.extend(jobs)
    for job in jobs[:-1]:
      finish(job)  # the last one fails

  left = paper.run(every, launch, said.append)
  assert [job.name for job in launched] == [job.name for job in every[1:]]
  assert left == [every[-1].name] == ['chemometrics/tecator/pls-snv']
  assert said[-1] == '1 of 13 runs are there or running, 12 to run'
  launched.clear()
  finish_last = lambda jobs: [launched.extend(jobs), *map(finish, jobs)]
  assert paper.run(every, finish_last, said.append) == []
  assert [job.name for job in launched] == left
  assert paper.run(every, pytest.fail, said.append) == []  # nothing is launched


def test_each_job_trains_its_point_in_its_folder(tmp_path):
  first, second, *_ = paper.jobs(PART, tmp_path, tmp_path / 'data', print)
  assert second.argv[1:4] == ('-m', 'experiments.train', '--config=configs/pretrain.py:tiny')
  assert f'--workdir={second.folder}' in second.argv
  assert '--config.seed=1' in second.argv
  assert first.folder != second.folder
  assert json.loads((tmp_path / 'a' / 'sweep.json').read_text())['points'][1]['overrides'] == {
    'seed': 1
  }


def test_each_cell_is_a_command_that_reports_in_its_folder(tmp_path):
  data = tmp_path / 'data'
  *_, cell = paper.jobs({**PART, 'sweeps': ()}, tmp_path, data, print)
  assert cell.folder == tmp_path / 'chemometrics' / 'tecator' / 'pls-snv'
  assert cell.argv[1:] == (
    '-m',
    'experiments.chemometrics',
    '--protocols=tecator',
    '--methods=pls',
    '--preprocessings=snv',
    f'--data_dir={data}',
    f'--root={tmp_path / "chemometrics"}',
    f'--output={cell.folder / "chemometrics.json"}',
  )


def test_networks_find_their_data_in_the_folder_and_are_named_without_it(real_data, tmp_path):
  (job,) = paper.jobs({'sweeps': (REAL,), 'cells': ()}, tmp_path, real_data, print)
  assert job.name == 'r/seed=3'
  assert f'--config.dataset.rruff_splits.path={real_data / "rruff_splits"}' in job.argv
  again = paper.jobs({'sweeps': (REAL,), 'cells': ()}, tmp_path, real_data, print)
  assert again == [job]


def test_what_has_no_data_is_left_out(tmp_path):
  part = {**PART, 'sweeps': (*PART['sweeps'], REAL)}
  every = ['rruff_splits', 'tecator']
  left, lacking = paper.with_data(part, None)
  assert lacking == every
  assert [sweep['folder'] for sweep in left['sweeps']] == ['a', 'b/c']
  assert left['cells'][0]['protocols'] == ()
  for there in every:
    (tmp_path / there / there).mkdir(parents=True)
    _, lacking = paper.with_data(part, tmp_path / there)
    assert lacking == [name for name in every if name != there]
  with pytest.raises(ValueError, match=r'--data_dir is .*nowhere, which is no folder; expected'):
    paper.with_data(part, tmp_path / 'nowhere')


@pytest.mark.slow
def test_studies_run_after_all_and_tell_what_failed(tmp_path):
  """Of no runs a report fails; what has no data is left out."""
  poles = {'folder': 'p', 'binary': 'poles', 'flags': {'runs': '{root}/none/*'}, 'data': ()}
  lacking = {**poles, 'folder': 'f', 'data': ('tecator',)}
  said = []
  assert paper.studies({'studies': (poles, lacking)}, tmp_path, tmp_path, said.append) == ['p']
  assert said == ['p: experiments.poles', 'left out: f, whose data are not there']


def test_parts_are_chosen_by_name():
  config = contents.get_config('full')
  assert paper.chosen(config, ['pretrain'])['tables'] == ['pretrain']
  each = [paper.chosen(config, [name])['tables'] for name in contents.PARTS]
  assert paper.chosen(config, [])['tables'] == [table for tables in each for table in tables]
  with pytest.raises(ValueError, match="no part 'reel', expected one of pretrain, physics, real"):
    paper.chosen(config, ['reel'])


def test_the_page_has_every_table(tmp_path):
  """From reports that are committed; pictures it shows are there."""
  results = pathlib.Path(paper.__file__).parent.parent / 'experiments' / 'results'
  made = paper.tables(('pretrain', 'paired'), results, tmp_path)
  page = (tmp_path / paper.PAGE).read_text()
  assert [x['table'] for x in made] == ['pretrain', 'paired']
  for name in ('pretrain', 'paired'):
    assert f'## {name}' in page
    assert f'![{name}]({name}.png)' in page
    assert (tmp_path / f'{name}.png').exists()
    assert (tmp_path / f'{name}.md').read_text() in page


@pytest.mark.parametrize('variant', ['full', 'quick'])
def test_the_contents_name_what_exists(variant):
  config = contents.get_config(variant)
  part = paper.chosen(config, [])
  assert tuple(part['name'] for part in config.parts) == contents.PARTS
  assert sorted(part['tables']) == spec.names()
  folders = [sweep['folder'] for sweep in part['sweeps']]
  folders += [f'chemometrics/{protocol}' for protocol, *_ in cells(part)]
  folders += [study['folder'] for study in part['studies']]
  for study in part['studies']:
    assert importlib.util.find_spec(f'experiments.{study["binary"]}')
  assert len(set(cells(part))) == len(cells(part))
  wanted = {row.runs.partition('/')[0] for name in part['tables'] for row in spec.load(name).rows}
  assert wanted <= {folder.partition('/')[0] for folder in folders}


def test_networks_and_classical_methods_find_their_data_in_the_same_folders():
  part = paper.chosen(contents.get_config('full'), ['real'])
  used = {folder for sweep in part['sweeps'] for folder in sweep['data'].values()}
  known = {folder for folder, _ in protocols.PROTOCOLS.values()}
  assert used == known | {'rruff_excellent_unoriented'}


def cells(part):
  """(protocol, method, preprocessing) of each."""
  of = lambda group: (group[name] for name in ('protocols', 'methods', 'preprocessings'))
  return [cell for group in part['cells'] for cell in itertools.product(*of(group))]


def test_every_row_is_of_runs_that_the_paper_makes():
  part = paper.chosen(contents.get_config('full'), [])
  sweeps, lacking = [f'{sweep["folder"]}/point' for sweep in part['sweeps']], []
  sweeps += [f'{study["folder"]}/{name}' for study in part['studies'] for name in study['makes']]
  made = [(f'chemometrics/{protocol}/run', *how) for protocol, *how in cells(part)]
  for row in (row for name in part['tables'] for row in spec.load(name).rows):
    asked = [row.where.get(f'{what}.name') for what in ('method', 'preprocessing')]
    runs = [folder for folder, *how in made if how == asked] if any(asked) else sweeps
    lacking += [] if fnmatch.filter(runs, row.runs) else [row]
  assert not lacking


def test_cells_are_of_protocols_and_methods_that_fit():
  for variant in ('full', 'quick'):
    for protocol, method, preprocessing in cells(paper.chosen(contents.get_config(variant), [])):
      assert protocol in protocols.PROTOCOLS
      tasks = importlib.import_module(f'spectra_jax.chemometrics.{method}').TASKS
      wanted = 'classification' if protocol.startswith('rruff') else 'regression'
      assert wanted in tasks
      assert preprocessing in (chemometrics_report.CHOSEN, *chemometrics_report.PREPROCESSINGS)


def test_an_unknown_variant_is_refused():
  with pytest.raises(ValueError, match="no variant 'fast', expected full or quick"):
    contents.get_config('fast')


@pytest.mark.slow
def test_binaries_end_with_one_json_object(tmp_path):
  """table, compare and paper as people call them; what they print last is in a file as well."""
  results = 'experiments/results'
  calls = {
    'table': ['--tables=pretrain,paired', f'--runs={results}', f'--output={tmp_path}'],
    'compare': [f'{results}/pretrain/{name}' for name in ('full', 'quick')],
    'paper': ['--norun', f'--root={results}', f'--output={tmp_path}'],
  }
  files = {'table': 'tables.json', 'compare': 'comparison.json', 'paper': 'paper.json'}
  calls['compare'].append(f'--output={tmp_path}/comparison.json')
  for name, words in calls.items():
    printed = processes.finish(processes.start('-m', f'experiments.{name}', *words))
    last = json.loads(printed.splitlines()[-1])
    assert last == json.loads((tmp_path / files[name]).read_text())
  wrong = processes.start('-m', 'experiments.table', '--tables=nope', f'--output={tmp_path}')
  assert processes.finish(wrong, code=1).startswith("error: configs/tables has no 'nope'")
