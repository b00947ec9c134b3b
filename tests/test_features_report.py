"""Few-label protocols, and features of networks on spectra of another range."""

import dataclasses
import functools

import numpy as np
import pytest

from spectra_jax import features_report, pretrained, protocols, splits, weights
from spectra_jax.protocols import Protocol
from spectra_jax.spectra import TARGET, Spectra


def labelled(count=60, seed=0):
  """Spectra in nm whose target is the height of a band beside one that stays, on a small slope."""
  rng = np.random.default_rng(seed)
  nm, target = np.arange(1100.0, 1500.0, 2.0), rng.uniform(0.5, 1.5, count)
  band = lambda place: np.exp(-(((nm - place) / 30) ** 2))
  slope = 0.2 * rng.uniform(0, 1, (count, 1)) * (nm - 1100) / 400
  values = 1 + target[:, None] * band(1230) + band(1390) + slope
  ids = np.array([f's{row}' for row in range(count)])
  meta = {'id': ids, 'group': ids, TARGET + 'height': target}
  noisy = (values + 1e-3 * rng.normal(size=values.shape)).astype('f4')
  mask = np.ones(noisy.shape, bool)
  return Spectra(noisy, nm, 'nm', 'absorbance', 'measured', mask, meta, 'made')


def whole(spectra, several=1):
  meta = spectra.meta
  make = lambda seed: splits.make_split(meta['id'], meta['group'], 'grouped', (0.6, 0.1, 0.3), seed)
  return Protocol('made', spectra, ('height',), tuple(map(make, range(several))))


@pytest.mark.parametrize('several', [1, 3])
def test_draws_are_nested_differ_and_never_touch_the_test_side(several):
  spectra = labelled()
  make = functools.partial(whole, several=several)
  few, more = (protocols.few_labels(spectra, make, labels) for labels in (10, 20))
  outer = make(spectra).repeats
  assert len(few.repeats) == protocols.DRAWS
  for k, (small, large) in enumerate(zip(few.repeats, more.repeats, strict=True)):
    assert (len(small.train), len(large.train)) == (10, 20)
    assert set(small.train) < set(large.train)
    test = outer[k % several].test
    np.testing.assert_array_equal(small.test, test)
    assert not set(large.train) & set(test)
    assert not len(small.validation)
  drawn = {tuple(split.train) for split in few.repeats}
  assert len(drawn) == len({split.hash for split in few.repeats}) == protocols.DRAWS
  assert few.hash != more.hash
  again = protocols.few_labels(spectra, make, 10)
  assert again.hash == few.hash
  every = protocols.few_labels(spectra, make, 0)
  assert [split.hash for split in every.repeats] == [split.hash for split in outer]
  with pytest.raises(ValueError, match='500 labelled spectra were asked for, expected at most 42'):
    protocols.few_labels(spectra, make, 500)


def test_few_label_protocols_have_names_that_other_tables_do_not_match():
  names = [name for name in protocols.NUMBERS if name.startswith('few_')]
  assert len(names) == len(protocols.FEW_FROM) * (len(protocols.FEW) + 1)
  assert set(names) <= set(protocols.OF_RUNS)


@pytest.mark.slow
def test_features_of_all_sources_predict_and_leave_a_report(tmp_path):
  protocol, found = whole(labelled()), weights.read()
  results = {}
  for source in features_report.SOURCES:
    asked = ('made', protocol, found, 'ir', source, 0, tmp_path / source)
    results[source] = features_report.run(*asked)
    assert features_report.run(*asked) == results[source]
  error = {name: of['results']['height']['rmsep'] for name, of in results.items()}
  assert all(of['model'] < 0.5 * of['mean'] for of in error.values())
  assert len({of['model'] for of in error.values()}) == len(features_report.SOURCES)
  step_cm = pretrained.module(found).tokenizer.step_cm
  assert results['random']['config']['features']['step_cm'] % step_cm == 0
  assert results['random']['split']['hash'] == protocol.hash
  other = dataclasses.replace(found, hash='other')
  with pytest.raises(ValueError, match='is of other data, splits or settings'):
    features_report.run('made', protocol, other, 'ir', 'pretrained', 0, tmp_path / 'pretrained')


def test_a_network_is_read_on_a_stretched_axis_and_refuses_what_it_cannot_read():
  spectra, found = labelled(4), weights.read()
  made = features_report.network(found, spectra, 'ir', 'pretrained', 0)
  assert made.flipped
  own, wide = pretrained.module(found).tokenizer, made.module.tokenizer
  assert wide.step_cm == own.step_cm * made.stretch
  needed = 1.5 * np.diff(made.nu_L).max() * wide.knots_per_step / own.step_cm
  assert made.stretch - 1 < needed <= made.stretch
  assert made.module.head.step_cm == made.module.tokenizer.step_cm
  np.testing.assert_array_equal(made.inputs(spectra.values)['values'], spectra.values[:, ::-1])
  for change, words in (
    ({'kind': 'nir'}, "kind 'nir' and source"),
    ({'source': 'none'}, "source 'none' were asked for"),
  ):
    asked = {'kind': 'ir', 'source': 'random', **change}
    with pytest.raises(ValueError, match=words):
      features_report.network(found, spectra, **asked, seed=0)
  index = dataclasses.replace(spectra, axis_unit='index')
  with pytest.raises(ValueError, match='the axis is in index'):
    features_report.network(found, index, 'ir', 'pretrained', 0)
