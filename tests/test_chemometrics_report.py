"""Reports of classical methods: blind to the test side, made once, and fit to stand in tables."""

import dataclasses
import functools
import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from spectra_jax import chemometrics_report, protocols, splits
from spectra_jax.chemometrics import pls_da
from spectra_jax.chemometrics_report import Preprocessed, predict, run
from spectra_jax.protocols import Protocol
from spectra_jax.spectra import Spectra
from spectra_jax.tables import cells, spec
from tests.test_chemometrics import classes, mixtures

ROOT = pathlib.Path(__file__).parent.parent


@functools.cache
def protocol(repeats=2):
  """Mixtures of three bands, of which two properties are asked."""
  values, content, sample = mixtures(40)
  groups = np.array([f'sample-{i}' for i in sample])
  meta = {
    'id': np.array([f'{g}-{i}' for i, g in enumerate(groups)]),
    'group': groups,
    'target/content': np.float32(content),
    'target/square': np.where(sample % 5 == 0, np.nan, np.float32(content**2)),
  }
  about = (np.linspace(1100.0, 1200.0, values.shape[1]), 'nm', 'absorbance', 'measured')
  spectra = Spectra(np.float32(values), *about, np.ones(values.shape, bool), meta, 'mixtures')
  shares = (0.5, 0.25, 0.25)
  make = lambda seed: splits.make_split(meta['id'], groups, 'grouped', shares, seed)
  return Protocol('made', spectra, ('content', 'square'), [make(seed) for seed in range(repeats)])


def caches(made):
  return {'': Preprocessed(made.spectra)}


def poisoned(clean, split):
  """The same protocol with other test spectra and other test targets."""
  values, target = np.array(clean.spectra.values), np.array(clean.spectra.meta['target/content'])
  values[split.test] = np.random.default_rng(9).normal(5.0, 3.0, values[split.test].shape)
  target[split.test] = 1e6
  meta = {**clean.spectra.meta, 'target/content': target}
  return dataclasses.replace(
    clean, spectra=dataclasses.replace(clean.spectra, values=values, meta=meta)
  )


@pytest.mark.parametrize(('method', 'preprocessing'), [('pls', 'chosen'), ('ridge', 'msc')])
def test_no_choice_sees_the_test_side(method, preprocessing):
  clean = protocol()
  split = clean.repeats[0]
  found = [
    predict(one, split, 'content', method, preprocessing, caches(one))
    for one in (clean, poisoned(clean, split))
  ]
  assert found[0].chosen == found[1].chosen
  assert found[0].error == found[1].error  # to the last bit
  assert found[0].mean == found[1].mean
  assert np.abs(found[0].outputs[''] - found[1].outputs['']).min() > 0  # it was another test side


def test_splits_that_do_not_say_what_they_are_are_not_reported(tmp_path):
  nameless = [dataclasses.replace(split, regime='') for split in protocol().repeats]
  with pytest.raises(ValueError, match=r"a score has regime '' .* it cannot be reported"):
    run('made', dataclasses.replace(protocol(), repeats=nameless), 'pls', 'raw', tmp_path / 'x')
  assert not (tmp_path / 'x').exists()


def test_a_poison_in_training_is_seen():
  clean = protocol()
  split = clean.repeats[0]
  other = poisoned(clean, dataclasses.replace(split, test=split.validation))
  found = [predict(one, split, 'content', 'pls', 'raw', caches(one)) for one in (clean, other)]
  assert found[1].error > 100 * found[0].error  # the test above can fail


def test_what_learns_nothing_is_applied_once():
  cache, split = Preprocessed(protocol().spectra), protocol().repeats
  trains = [one.train for one in split]
  assert cache.values('snv', trains[0]) is cache.values('snv', trains[1])
  assert (cache.values('msc', trains[0]) != cache.values('msc', trains[1])).any()
  row = np.float64(protocol().spectra.values[3])
  np.testing.assert_allclose(
    cache.values('snv', trains[0])[3], (row - row.mean()) / row.std(), atol=1e-12
  )


@pytest.fixture(scope='module')
def reports(tmp_path_factory):
  root = tmp_path_factory.mktemp('results')
  for method in ('pls', 'pcr'):
    run('made', protocol(), method, 'snv', root / 'chemometrics' / 'made' / f'{method}-snv')
  return root


def test_a_report_says_what_its_numbers_are_of(reports):
  folder = reports / 'chemometrics' / 'made' / 'pls-snv'
  report = json.loads((folder / 'report.json').read_text())
  found, made = report['results']['square'], protocol()
  assert report['split'] == {
    'regime': 'grouped',
    'hash': splits.joint_hash(made.repeats),
    'rows': {'train': 40, 'validation': 20, 'test': 20},
  }
  assert found['rmsep']['model'] < found['rmsep']['mean']
  assert [one['split'] for one in found['repeats']] == [split.hash for split in made.repeats]
  assert all(0.2 < one['rmsep'] / one['folds'] < 5 for one in found['repeats'])
  errors = []
  for split, one in zip(made.repeats, found['repeats'], strict=True):
    again = predict(made, split, 'square', 'pls', 'snv', caches(made))
    assert one['components'] == again.chosen['components']
    errors.append(again.outputs[''] - made.target('square')[split.test])
  pooled = np.concatenate(errors)
  assert np.isnan(pooled).any()  # what nobody knows is predicted and not scored
  expected = np.sqrt(np.nanmean(pooled**2))
  assert found['rmsep']['model'] == pytest.approx(expected)
  each = found['rmsep']['splits']['model']
  assert each == pytest.approx([np.sqrt(np.nanmean(error**2)) for error in errors])
  assert each == pytest.approx([one['rmsep'] for one in found['repeats']])
  half = 12.7062 * np.std(each, ddof=1) * np.sqrt(1 / 2 + 20 / 60)  # t of one degree of freedom
  assert found['rmsep']['intervals']['model'] == pytest.approx((expected - half, expected + half))
  assert found['median_error']['model'] == pytest.approx(np.nanmedian(np.abs(pooled)))


def test_a_report_is_made_once_and_of_one_thing(reports, monkeypatch):
  folder = reports / 'chemometrics' / 'made' / 'pls-snv'
  monkeypatch.setattr(chemometrics_report, 'predict', None)
  assert run('made', protocol(), 'pls', 'snv', folder)['seed'] == 0
  with pytest.raises(ValueError, match='is of other data, splits or settings'):
    run('made', protocol(3), 'pls', 'snv', folder)


def test_reports_stand_in_tables(reports):
  table = dataclasses.replace(
    spec.load('tecator'),
    rows=(spec.Row('{method.name}', 'chemometrics/made/*', {}, 'model'),),
    columns=tuple(
      dataclasses.replace(
        column,
        metric=column.metric.replace('fat', 'content'),
        regime=column.regime and 'grouped',
      )
      for column in spec.load('tecator').columns
    ),
    references=(),
  )
  lines = cells.build(dataclasses.replace(table, against='pls'), reports)
  assert [line.label for line in lines] == ['pcr', 'pls']
  cell = lines[0].cells[0]
  assert cell.low < cell.value < cell.high
  assert cell.over == '2 splits'
  assert 0 < cell.p_holm <= 1


@pytest.mark.parametrize(
  ('method', 'preprocessing', 'words'),
  [
    ('pls_da', 'raw', "method is 'pls_da', expected a file .* that does regression"),
    ('nothing', 'raw', "method is 'nothing'"),
    ('pls', 'snow', "preprocessing is 'snow', expected chosen or one of raw, snv"),
  ],
)
def test_what_is_not_there_is_refused(method, preprocessing, words, tmp_path):
  with pytest.raises(ValueError, match=words):
    run('made', protocol(), method, preprocessing, tmp_path / 'run')
  assert not (tmp_path / 'run').exists()


EXPECTED = {  # train, validation and test rows of the first split, splits
  'corn_m5': (48, 12, 20, 20),
  'tecator': (129, 43, 43, 1),
  'tablets_1': (151, 40, 460, 1),
  'nirsoil': (618, 0, 207, 1),
  'wheat_kernels': (415, 0, 108, 1),
}


@pytest.mark.parametrize('name', EXPECTED)
def test_protocols_have_the_sides_of_their_publishers(name, real_data):
  found = protocols.load(name, real_data)
  rows = tuple(map(len, found.repeats[0].sides))
  assert (*rows, len(found.repeats)) == EXPECTED[name]


def test_no_duplicate_is_on_both_sides(real_data):
  both, apart = (protocols.load(name, real_data) for name in ('tecator', 'tecator_apart'))
  shared = lambda one: np.intersect1d(
    *(
      one.spectra.meta['group'][rows]
      for rows in (np.r_[one.repeats[0].train, one.repeats[0].validation], one.repeats[0].test)
    )
  )
  assert len(shared(both)) == 7
  assert len(shared(apart)) == 0
  assert len(apart.repeats[0].train) + len(apart.repeats[0].validation) == 165
  np.testing.assert_array_equal(both.repeats[0].test, apart.repeats[0].test)


def test_an_unknown_protocol_is_refused():
  with pytest.raises(ValueError, match="protocol is 'corm', expected one of corn_m5"):
    protocols.load('corm', pathlib.Path('nowhere'))


def test_classes_are_reported_as_by_networks(tmp_path):
  """Scores of all classes, also on moved spectra, and those that training lacks count as missed."""
  made, label = protocol(1), classes(protocol(1).target('content'))
  split = made.repeats[0]
  label[split.test[0]] = 'unseen'
  spectra = dataclasses.replace(made.spectra, meta={**made.spectra.meta, 'label': label})
  values = np.array(spectra.values)
  values[split.test] = np.roll(values[split.test], 12, 1)
  moved = {'shift_12': dataclasses.replace(spectra, values=values)}
  asked = Protocol('made', spectra, (), (split,), ('train',), {'labels': 40}, moved)
  results = run('classes', asked, 'pls_da', 'raw', tmp_path)['results']
  model = pls_da.fit(
    np.float64(spectra.values)[split.train],
    label[split.train],
    spectra.meta['group'][split.train],
    0,
  )
  hits = model.predict(spectra.values[split.test]) == label[split.test]
  assert results['top1']['model'] == pytest.approx(hits.mean())
  assert results['top3']['model'] == pytest.approx(1 - 1 / len(hits))
  assert results['shift_12']['top1']['model'] < results['top1']['model']
  assert 'splits' not in results['top1']
  low, high = results['top1']['intervals']['model']
  assert low < hits.mean() < high
  with pytest.raises(ValueError, match=r"method is 'pcr', expected .* that does classification"):
    run('classes', asked, 'pcr', 'raw', tmp_path / 'other')


def command(*flags):
  words = [sys.executable, '-m', 'experiments.chemometrics', *flags]
  return subprocess.run(words, cwd=ROOT, capture_output=True, text=True)


@pytest.mark.slow
def test_the_binary_says_its_scores_and_goes_on(real_data, tmp_path):
  flags = ['--methods=pls', '--preprocessings=raw', f'--root={tmp_path}', f'--data_dir={real_data}']
  output = tmp_path / 'said.json'
  first = command('--protocols=tecator', *flags)
  second = command('--protocols=tecator', *flags, f'--output={output}')
  said = json.loads(first.stdout.splitlines()[-1])
  assert said == json.loads(second.stdout.splitlines()[-1])  # its wall time too: nothing ran again
  assert said == json.loads((tmp_path / 'chemometrics.json').read_text())
  assert said == json.loads(output.read_text())
  assert 1 < said['cells'][0]['score']['fat'] < 3
  wrong = command('--protocols=tecatur', *flags)
  assert wrong.returncode == 1
  assert "error: protocol is 'tecatur', expected one of" in wrong.stderr
