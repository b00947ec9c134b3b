"""Runs on the splits of the classical methods: the same sides, the data's own points."""

import numpy as np
import pytest

from configs import nir
from spectra_jax import protocols, storage


def config(real_data, name, **changes):
  c = nir.get_config('tiny')
  c.update_from_flattened_dict(nir.of_protocol(name) | changes)
  for dataset, folder in nir.FOLDERS.items():
    c.dataset[dataset].path = str(real_data / folder)
  return c


def test_folders_are_called_what_protocols_call_them(tmp_path):
  for dataset, folder in nir.FOLDERS.items():
    (tmp_path / folder).mkdir()
    assert protocols.found(tmp_path, dataset) == tmp_path / folder


@pytest.mark.parametrize('name', ['tecator_apart', 'tablets_2', 'wheat_kernels'])
def test_networks_learn_and_are_tested_on_what_classical_methods_are(real_data, name):
  wanted = protocols.load(name, real_data)
  (whole,), learn = wanted.repeats, np.sort(np.concatenate(wanted.repeats[0].sides[:2]))
  for refit in (True, False):
    c = config(real_data, name, **{'protocol.refit': refit})
    spectra, split = protocols.configured(c, storage.load(c))
    (of_kind,) = spectra.values()
    assert (split.hash, split.regime) == (whole.hash, whole.regime)
    np.testing.assert_array_equal(split.test, whole.test)
    both = np.concatenate([split.train, split.validation])
    np.testing.assert_array_equal(np.unique(both), learn)
    assert len(both) == len(learn) + refit * len(split.validation)
    assert len(split.validation) > len(learn) // 6
    np.testing.assert_array_equal(of_kind.meta['id'], wanted.spectra.meta['id'])
    np.testing.assert_array_equal(of_kind.values[:, ::-1], wanted.spectra.values)  # cm^-1, not nm
    np.testing.assert_array_equal(of_kind.axis, 1e7 / wanted.spectra.axis[::-1])


@pytest.mark.parametrize('name', nir.REPEATED)
def test_a_run_on_one_of_several_splits_says_which_and_of_which(real_data, name):
  wanted = protocols.load(name, real_data)
  c = config(real_data, name, **{'protocol.repeat': 7})
  _, split = protocols.configured(c, storage.load(c))
  assert split.hash == wanted.repeats[7].hash
  np.testing.assert_array_equal(split.test, wanted.repeats[7].test)
  np.testing.assert_array_equal(split.train, np.sort(np.concatenate(wanted.repeats[7].sides[:2])))
  told = {'repeat': 7, 'repeats': len(wanted.repeats), 'joint': wanted.hash, 'refit': True}
  assert told.items() <= split.made.items()


def test_the_sweep_has_every_split_of_a_repeated_protocol_once():
  points = [point for point in nir.sweep('cnn') if point['protocol.name'] in nir.REPEATED]
  asked = [(p['protocol.name'], repr(p['preprocess']), p['protocol.repeat']) for p in points]
  assert len(set(asked)) == len(asked) == 60
  assert {repeat for *_, repeat in asked} == set(range(protocols.REPEATS))
  assert not any('protocol.repeat' in point for point in nir.sweep('linoss'))


def test_protocols_that_do_not_suit_are_refused(real_data):
  wrong = [
    ({'protocol.name': 'tecatr'}, "protocol.name is 'tecatr', expected one of corn_m5"),
    ({'protocol.name': 'nirsoil'}, "nirsoil is of data set nirsoil and dataset.name is 'tecator'"),
    ({'split.regime': 'grouped'}, "regime is 'grouped' and protocol.repeat 0, expected 'given'"),
    ({'protocol.repeat': 1}, "protocol.repeat 1, expected 'given' and 0 to 0"),
  ]
  loaded = storage.load(config(real_data, 'tecator'))
  for changes, words in wrong:
    with pytest.raises(ValueError, match=words):
      protocols.configured(config(real_data, 'tecator', **changes), loaded)


def test_data_of_many_grids_have_no_points_of_their_own():
  c = nir.get_config('tiny')
  c.dataset.name = 'computed'
  with pytest.raises(ValueError, match='data set computed has 0 grids, expected one'):
    storage.load(c)
