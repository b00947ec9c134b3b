"""The paper runs what is missing and nothing else, and makes its tables from what is there."""

import json
import pathlib

import pytest

from configs import paper as contents
from spectra_jax import paper
from spectra_jax.tables import spec
from tests import processes

SWEEPS = (
  {'folder': 'a', 'config': 'configs/pretrain.py:tiny', 'points': ({'seed': 0}, {'seed': 1})},
  {'folder': 'b/c', 'config': 'configs/physics_ablation.py:paired-tiny', 'points': ()},
)
REPORT = {'wall_s': 1.0}


def finish(job):
  job.folder.mkdir(parents=True)
  (job.folder / 'report.json').write_text(json.dumps(REPORT))


def test_only_what_is_missing_is_run(tmp_path):
  said, launched = [], []
  every = paper.jobs(SWEEPS, tmp_path, said.append)
  assert len(every) == 2 + 9  # of the ablation: three seeds of three modes
  finish(every[0])

  def launch(jobs):
    launched.extend(jobs)
    for job in jobs[:-1]:
      finish(job)  # the last one fails

  left = paper.run(SWEEPS, tmp_path, launch, said.append)
  assert [job.name for job in launched] == [job.name for job in every[1:]]
  assert left == [every[-1].name]
  assert said[-1] == '1 of 11 runs are there or running, 10 to run'
  launched.clear()
  finish_last = lambda jobs: [launched.extend(jobs), *map(finish, jobs)]
  assert paper.run(SWEEPS, tmp_path, finish_last, said.append) == []
  assert [job.name for job in launched] == left
  assert paper.run(SWEEPS, tmp_path, pytest.fail, said.append) == []  # nothing is launched


def test_each_job_trains_its_point_in_its_folder(tmp_path):
  first, second, *_ = paper.jobs(SWEEPS, tmp_path, print)
  assert second.argv[1:4] == ('-m', 'experiments.train', '--config=configs/pretrain.py:tiny')
  assert f'--workdir={second.folder}' in second.argv
  assert '--config.seed=1' in second.argv
  assert first.folder != second.folder
  assert json.loads((tmp_path / 'a' / 'sweep.json').read_text())['points'][1]['overrides'] == {
    'seed': 1
  }


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
  assert set(config.tables) <= set(spec.names())
  folders = [sweep['folder'] for sweep in config.sweeps]
  assert len(set(folders)) == len(folders)
  wanted = {row.runs.partition('/')[0] for name in config.tables for row in spec.load(name).rows}
  assert wanted == {folder.partition('/')[0] for folder in folders}


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
