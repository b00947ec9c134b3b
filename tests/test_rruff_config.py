"""Runs on the published Raman splits: labels, shifted tests, the archive beside them."""

import numpy as np
import pytest

from configs import rruff, rruff_minerals
from spectra_jax import protocols, split_configs, storage
from spectra_jax.datasets import rruff_splits
from spectra_jax.tasks import classify


def config(real_data, module=rruff, variant='tiny', **changes):
  c = module.get_config(variant)
  c.dataset[c.dataset.name].path = str(real_data / c.dataset.name)
  c.update_from_flattened_dict(changes)
  return c


def task(c):
  spectra = storage.load(c)
  meta = next(iter(spectra.values())).meta
  return classify.build(c, spectra, split_configs.from_meta(meta, **c.split.to_dict()))


@pytest.mark.parametrize('labels', rruff.LABELS)
def test_labels_train_and_the_rest_of_what_is_published_validates(real_data, labels):
  made = task(config(real_data, **{'dataset.rruff_splits.labels': labels}))
  assert [len(side) for side in made.split.sides] == [labels, 347 - labels, 150]
  assert len(made.classes) == 63
  assert made.split.regime == 'given'


def test_shifted_test_sides_are_those_of_the_authors(real_data):
  made = task(config(real_data, **{'task.classify.shifts_cm': (0.0, 15.0, 30.0)}))
  inputs, _ = made.inputs(None, 0, made.examples('test'), train=False)
  seen = np.asarray(inputs['values_BxL']).reshape(3, 150, -1) * made.scale
  with np.load(real_data / 'rruff_splits' / 'soysal_rruff.npz') as stored:
    for values, name in zip(seen, ('', '_shift15', '_shift30'), strict=True):
      np.testing.assert_allclose(values, stored[f'raw_test{name}_X'], atol=1e-6)


def test_a_run_on_a_deal_has_the_sides_and_moved_tests_of_the_classical_methods(real_data):
  known = protocols.load('rruff_deals', real_data)
  overrides = rruff.sweep('strong')[-1]
  c = config(real_data, **overrides | {'task.classify.shifts_cm': (0.0, 30.0)})
  made = classify.build(c, *protocols.configured(c, storage.load(c)))
  own = known.repeats[overrides['protocol.repeat']]
  assert made.split.hash == own.hash
  assert [list(side) for side in made.split.sides] == [list(side) for side in own.sides]
  inputs, _ = made.inputs(None, 0, made.examples('test'), train=False)
  seen = np.asarray(inputs['values_BxL']).reshape(2, len(own.test), -1) * made.scale
  for values, spectra in zip(seen, (known.spectra, known.moved['shift_30']), strict=True):
    np.testing.assert_allclose(values, spectra.values[own.test], atol=1e-6)


def test_the_nearest_neighbour_has_the_accuracy_that_was_found_before(real_data):
  """Of cosines with raw spectra and their differences, made without this project's code."""
  made = task(config(real_data))
  known = {'nearest': (0.560, 0.120), 'nearest_difference': (0.767, 0.033)}
  for name, (still, moved) in known.items():
    scores = made.score(made.baselines('test', (name,))[name], 'test')
    assert float(scores['top1']) == pytest.approx(still, abs=6e-4)
    assert float(scores['shift_30.top1']) == pytest.approx(moved, abs=6e-4)


def test_the_archive_adds_training_spectra_of_the_same_minerals_alone(real_data):
  archive = {'dataset.rruff_splits.archive': str(real_data / 'rruff_excellent_unoriented')}
  alone, beside = task(config(real_data)), task(config(real_data, **archive))
  assert len(beside.split.train) - len(alone.split.train) == 961
  for side in ('validation', 'test'):
    values = [made.spectra.values[getattr(made.split, side)] for made in (alone, beside)]
    np.testing.assert_array_equal(*values)
  np.testing.assert_array_equal(beside.classes, alone.classes)
  assert beside.spectra.values.max() <= 1 + 1e-6
  assert beside.spectra.source != alone.spectra.source  # another archive is another run
  with pytest.raises(ValueError, match='expected all of them: what the archive adds is counted'):
    rruff_splits.load(
      rruff_splits.AXIS,
      slice(0, 10),
      path=str(real_data / 'rruff_splits'),
      archive=archive['dataset.rruff_splits.archive'],
    )


@pytest.mark.parametrize('overrides', rruff_minerals.sweep('cnn')[:: len(rruff_minerals.SEEDS)])
def test_minerals_hold_out_specimens_and_lasers(real_data, overrides):
  made = task(config(real_data, rruff_minerals, 'cnn', **overrides))
  meta, split = made.spectra.meta, made.split
  groups = [set(meta['group'][side]) for side in split.sides]
  assert not groups[0] & groups[2]
  if split.regime == 'instrument':
    lasers = [set(meta['laser_nm'][side]) for side in split.sides]
    assert not lasers[0] & lasers[2]
  assert set(meta['label'][split.test]) <= set(meta['label'][split.train])
  assert len(split.test) > 100
