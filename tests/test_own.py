"""A folder of one's own, as docs/real_spectra.md and configs/own.py say, ends in a report."""

import json

import numpy as np
import pytest

from configs import own
from spectra_jax.train import prepare
from tests import labelled, processes

AXIS = 200.0 + 0.25 * np.arange(600)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  """40 spectra of four classes as text files, and their labels.csv."""
  place, made = tmp_path_factory.mktemp('own'), labelled.spectra(40)
  lines = ['file,group,label,target/amount,axis_unit,kind']
  for row, values in enumerate(made.values):
    points = np.stack([AXIS, np.interp(AXIS, made.axis, values)], 1)
    np.savetxt(place / f'{row}.csv', points, '%.6g', ',')
    told = [made.meta[name][row] for name in ('group', 'label', 'target/amount')]
    lines.append(','.join([f'{row}.csv', *map(str, told), 'cm^-1', 'raman']))
  (place / 'labels.csv').write_text('\n'.join(lines))
  return place


@pytest.mark.parametrize(
  'variant',
  [pytest.param(name, marks=[pytest.mark.slow] * (name != 'tiny')) for name in own.VARIANTS],
)
def test_all_that_was_measured_is_read_and_replicates_stay_together(variant, folder, tmp_path):
  config = own.get_config(variant)
  config.dataset.folder.path = str(folder)
  if variant != 'classes':
    config.task.regress.targets = ('amount',)
  task = prepare(config, str(tmp_path)).task
  spectra = task.spectra
  np.testing.assert_allclose(spectra.axis, AXIS)
  sides = [set(spectra.meta['group'][rows]) for rows in task.split.sides[:3]]
  assert sum(map(len, sides)) == len(set.union(*sides)) == 20


@pytest.mark.slow
def test_the_documented_command_runs(folder, tmp_path):
  words = ('--config=configs/own.py:tiny', f'--workdir={tmp_path}/mine')
  words += (f'--config.dataset.folder.path={folder}', "--config.task.regress.targets=('amount',)")
  printed = processes.finish(processes.start('-m', 'experiments.train', *words))
  rmsep = json.loads(printed.splitlines()[-1])['amount']['rmsep']
  assert 0 < rmsep['model'] < 3 * rmsep['mean']
