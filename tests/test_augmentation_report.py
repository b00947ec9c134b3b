"""Gains are paired, copies never cross a split, intervals count overlapping training sides."""

import functools
import json
import subprocess
import sys

import numpy as np
import pytest

from spectra_jax import augmentation_report, augmentation_studies
from spectra_jax.augmentation_report import Study
from spectra_jax.spectra import Spectra

ROWS, POINTS = 24, 60
NU = 600.0 + 4.0 * np.arange(POINTS)


def line(at):
  return np.exp(-0.5 * ((NU - np.asarray(at)[:, None]) / 8.0) ** 2)


def study(values, target, **changes):
  """Raman spectra of two samples each, dealt by sample."""
  ids = np.array([f'row-{i}' for i in range(ROWS)])
  meta = {'id': ids, 'group': np.array([f'sample-{i // 2}' for i in range(ROWS)])}
  values = np.float32(values)
  about = (NU, 'cm^-1', 'raman', 'measured', np.ones(values.shape, bool), meta, 'test')
  given = {
    'name': 'planted',
    'spectra': Spectra(values, *about),
    'target_N': target,
    'unit': '',
    'methods': {'1-NN': augmentation_studies.nearest},
    'trials': {},
    'conditions': {'as measured': values},
    'regime': 'grouped',
    'held_out': 0.25,
  }
  return Study(**given | changes)


def classes():
  """Two minerals whose line is at 680 or 740 cm^-1, and the same moved by 40."""
  target = np.array(['a', 'b'])[np.arange(ROWS) % 2]
  at = np.where(target == 'a', 680.0, 740.0) + np.linspace(-3, 3, ROWS)
  moved = np.float32(line(at + 40.0))
  return study(
    line(at),
    target,
    methods={'1-NN': augmentation_studies.nearest, 'ridge': augmentation_studies.ridge_classes},
    conditions={'as measured': np.float32(line(at)), 'moved': moved},
    trials={
      'nothing': {'shift': {'max_cm': 0.0}},
      'shift': {'shift': {'max_cm': 45.0}},
      'mixing': {'mixing': {'share': 0.5}},
      'flip': {'flip': {'share': 0.5}},
    },
  )


@functools.cache
def measured():
  return augmentation_report.measure(classes(), repeats=3, count=6)


def test_a_gain_is_where_the_world_differs_as_the_augmentation_does():
  """Lines moved by 40 are nearer to the other class, unless training shows them moved."""
  found = measured()
  for method in ('1-NN', 'ridge'):
    assert found['without'][method] == {'as measured': 100.0, 'moved': 50.0}
    gain = found['trials']['shift']['gain'][method]
    assert gain['as measured']['mean'] <= 0.0
    assert gain['moved']['mean'] > 10.0


def test_copies_that_change_nothing_gain_nothing():
  for of_method in measured()['trials']['nothing']['gain'].values():
    for gain in of_method.values():
      assert gain == {'mean': 0.0, 'low': 0.0, 'high': 0.0}


def test_a_report_says_its_regime_and_what_was_refused():
  found = measured()
  assert found['regime'] == 'grouped'
  assert found['splits'] == 3
  assert 'read backwards is that of no substance' in found['trials']['flip']['refused']
  assert 'half of each is neither' in found['trials']['mixing']['refused']
  rows = augmentation_report.table(json.loads(json.dumps(found)))
  assert {len(row) for row in rows} == {5}
  assert [row[0] for row in rows[1:]] == [
    'none: accuracy [%]',
    'nothing',
    'shift',
    'mixing',
    'flip',
  ]
  assert [row[1] for row in rows[4:]] == ['refused', 'refused']


def watched(seen):
  """A method that notes what it was given, and predicts the mean."""

  def method(values, target, groups):
    seen.append((values, target, groups))
    return lambda tested: np.full(len(tested), target.mean())

  return method


@pytest.mark.parametrize('name', ['mixing', 'read'])
def test_copies_never_cross_a_split(name):
  """Row i is measured at point i alone, so what a copy is made of can be read off it."""
  seen, target = [], np.linspace(1.0, 2.0, ROWS)
  options = {'mixing': {'share': 0.5}} if name == 'mixing' else {'read': {'fraction': 0.01}}
  planted = study(
    np.eye(ROWS, POINTS), target, methods={'watched': watched(seen)}, trials={name: options}
  )
  augmentation_report.measure(planted, repeats=2, count=3)
  deals = augmentation_report.repeated(planted, 2)
  for deal, (values, said, groups) in zip(deals, seen[2:], strict=True):
    assert len(values) == 4 * len(deal.train)
    parts = np.where(np.abs(values) > 0.1, values, 0)[:, :ROWS]
    assert np.abs(parts[:, deal.test]).max() == 0
    np.testing.assert_array_equal(groups, np.tile(planted.spectra.meta['group'][deal.train], 4))
    own = parts[np.arange(len(parts)), np.tile(deal.train, 4)]
    assert own.min() > 0.45
    if name == 'mixing':
      np.testing.assert_allclose(values[:, :ROWS] @ target, said, rtol=1e-5)
    else:
      np.testing.assert_array_equal(said, np.tile(target[deal.train], 4))


def test_mixing_goes_alone():
  options = {'mixing': {'share': 0.5}, 'read': {'fraction': 0.01}}
  planted = study(np.eye(ROWS, POINTS), np.linspace(1, 2, ROWS), trials={'both': options})
  with pytest.raises(ValueError, match='expected it alone'):
    augmentation_report.measure(planted, repeats=2, count=1)


def test_another_study_is_refused(tmp_path):
  with pytest.raises(ValueError, match="no study 'wheat', expected one of rruff, tecator, corn"):
    augmentation_studies.load('wheat', tmp_path)


@pytest.mark.slow
def test_the_binary_measures_real_spectra(real_data, tmp_path):
  command = [sys.executable, '-m', 'experiments.augmentation', f'--data_dir={real_data}']
  command += ['--studies=tecator', '--repeats=2', '--copies=1', f'--output={tmp_path}']
  said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
  document = json.loads(said.splitlines()[-1])
  assert document == json.loads((tmp_path / 'gains.json').read_text())
  found = document['studies']['tecator']
  assert found['regime'] == 'grouped'
  assert 1.5 < found['without']['PLS']['as measured'] < 4.5
  assert 'even in cm^-1' in found['trials']['resolution.fwhm_cm 50']['refused']
  assert (tmp_path / 'table.md').read_text().count('\n') > len(found['trials'])
