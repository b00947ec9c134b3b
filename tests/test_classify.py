"""Classification: what the model sees, what is counted, what baselines know, what is refused."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from spectra_jax import model
from spectra_jax.losses.cross_entropy import balanced, cross_entropy
from spectra_jax.tasks import classify
from tests import labelled
from tests.parameters import draw


def make_task(data=None, **changes):
  data = data or labelled.spectra()
  config = labelled.config('classify', **changes)
  return classify.build(config, {'raman': data}, labelled.split(data))


@pytest.fixture(scope='module')
def task():
  return make_task(**{'task.classify.shifts_cm': (0.0, 7.0, -3.0), 'task.classify.shift_fill': 2.5})


# --- loss ----------------------------------------------------------------------------------------


def test_cross_entropy_is_the_negative_log_likelihood_of_the_smoothed_class():
  logits = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
  label = np.array([0, 2, 1, 1, 0])
  target, weight = np.eye(3, dtype=np.float32)[label], np.array([1.0, 2.0, 3.0])
  probability = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
  plain = cross_entropy(logits, target, weight_C=np.ones(3), smoothing=0.0)
  np.testing.assert_allclose(plain, -np.log(probability[np.arange(5), label]), rtol=1e-5)
  smooth = cross_entropy(logits, target, weight_C=weight, smoothing=0.3)
  by_hand = -weight[label] * ((0.7 * target + 0.1) * np.log(probability)).sum(1)
  np.testing.assert_allclose(smooth, by_hand, rtol=1e-5)
  with pytest.raises(ValueError, match='smoothing is 1, expected a share'):
    cross_entropy(logits, target, weight_C=weight, smoothing=1)


def test_balanced_weights_give_every_class_the_same_say():
  label = np.array([0, 0, 0, 1, 3, 3])
  weight = balanced(label, 5)
  assert weight[label].mean() == pytest.approx(1)
  np.testing.assert_allclose(np.bincount(label, weight[label], 5), [2, 2, 0, 2, 0])
  unbalanced = make_task(**{'task.classify.balanced': False})
  np.testing.assert_array_equal(unbalanced.weight_C, 1)


# --- what the model sees -------------------------------------------------------------------------


def test_held_out_spectra_are_shifted_by_whole_points_and_filled(task):
  examples = task.examples('test')
  count = len(task.split.test)
  assert len(examples['row']) == 3 * count
  inputs, targets = task.inputs(None, 0, examples, train=False)
  raw = task.spectra.values[task.split.test] / task.scale
  seen = np.asarray(inputs['values_BxL'])
  np.testing.assert_allclose(seen[:count], raw, rtol=1e-6)
  np.testing.assert_allclose(seen[count : 2 * count, 7:], raw[:, :-7], rtol=1e-6)
  np.testing.assert_allclose(seen[count : 2 * count, :7], 2.5 / task.scale, rtol=1e-6)
  np.testing.assert_allclose(seen[2 * count :, :-3], raw[:, 3:], rtol=1e-6)
  assert np.asarray(inputs['visible_BxL']).all()
  np.testing.assert_array_equal(targets['target'][:count], targets['target'][-count:])


def test_what_is_not_measured_is_neither_seen_nor_part_of_the_scale():
  data = labelled.spectra()
  mask = np.full(data.values.shape, True)
  mask[:, 100:] = False
  other = np.where(mask, data.values, 1e6).astype(np.float32)
  hidden = make_task(dataclasses.replace(data, mask=mask))
  changed = make_task(dataclasses.replace(data, mask=mask, values=other))
  assert changed.scale == pytest.approx(hidden.scale)
  for one in (hidden, changed):
    inputs, _ = one.inputs(None, 0, one.examples('test'), train=False)
    assert (np.asarray(inputs['values_BxL'])[:, 100:] == 0).all()
    assert not np.asarray(inputs['visible_BxL'])[:, 100:].any()


def test_augmentation_moves_training_spectra_alone_and_by_their_own_keys():
  task = make_task(**{'augment.shift.max_cm': 9.0, 'augment.mixing.share': 0.5})
  batch = {name: x[:6] for name, x in task.examples('train').items()}
  keys = jax.random.split(jax.random.key(0), 6)
  inputs = jax.jit(lambda keys, batch: task.inputs(keys, 0, batch, train=True))
  seen, targets = inputs(keys, batch)
  turned, _ = inputs(keys[::-1], {name: x[::-1] for name, x in batch.items()})
  np.testing.assert_allclose(turned['values_BxL'][::-1], seen['values_BxL'], atol=1e-6)
  assert (~np.asarray(seen['visible_BxL'])).any()  # moved in from where nothing was measured
  share = np.asarray(targets['target'])
  np.testing.assert_allclose(share.sum(1), 1, rtol=1e-6)
  assert ((share > 0).sum(1) == 2).any()
  plain = {name: x[:6] for name, x in task.examples('test').items()}
  still, _ = task.inputs(None, 0, plain, train=False)
  raw = task.spectra.values[task.split.test[:6]] / task.scale
  np.testing.assert_allclose(still['values_BxL'], raw, rtol=1e-6)


# --- what is counted -----------------------------------------------------------------------------


def test_scores_count_each_shift_apart(task):
  label = task.examples('test')['target'].argmax(1)
  count = len(task.split.test)
  order = np.stack([label, (label + 1) % 4, (label + 2) % 4, (label + 3) % 4], 1)
  logits = np.zeros((len(label), 4), np.float32)
  for rank, score in zip(order.T, (3.0, 2.0, 1.0, 0.0), strict=True):
    logits[np.arange(len(label)), rank] = score
  wrong = np.arange(count, 2 * count)  # at +7 cm^-1 the true class comes second
  logits[wrong, label[wrong]] = 1.5
  logits[wrong[0], label[wrong[0]]] = -1.0
  found = {name: float(x) for name, x in task.score(logits, 'test').items()}
  assert found['top1'] == found['balanced_accuracy'] == found['macro_f1'] == 1
  assert found['shift_7.top1'] == 0
  assert found['shift_7.top3'] == pytest.approx(1 - 1 / count)
  assert found['shift_-3.top1'] == 1


def test_report_and_scores_by_group_are_one_number(task):
  baselines = {name: task.score(x, 'test') for name, x in task.baselines('test').items()}
  report = task.report(baselines['nearest'], baselines, None)
  ratios = task.ratios(baselines['nearest'], baselines, None)
  for name, terms in ratios.items():
    *path, method = name.split('.')
    at = report
    for part in path:
      at = at[part]
    assert at[method] == pytest.approx(float(terms))
    low, high = at['intervals'][method]
    if path != [classify.CALIBRATION]:  # which is biased upwards where there are few examples
      assert low <= at[method] <= high
    assert terms.by_group(task.groups('test')).shape[1] == len(set(task.groups('test')))
  assert set(report) == {
    *('top1', 'top3', 'balanced_accuracy', 'macro_f1', 'shift_7', 'shift_-3', 'calibration_error'),
  }
  assert set(report['calibration_error']) == {'model', 'intervals'}


def test_calibration_is_of_the_probabilities_at_the_first_shift(task):
  """Who is right three times of four and says so is calibrated; who is sure of it is not."""
  label = task.examples('test')['target'].argmax(1)
  said = np.where(np.arange(len(label)) % 4, label, (label + 1) % 4)
  right = (said == label)[: len(task.split.test)].mean()
  for confidence in (0.75, 0.99):
    probability = np.full((len(label), 4), (1 - confidence) / 3)
    probability[np.arange(len(label)), said] = confidence
    found = task.score(np.log(probability) + 5.0, 'test')['calibration_error']
    assert float(found) == pytest.approx(abs(confidence - right))


def test_baselines_know_frequencies_and_the_nearest_training_spectrum(task):
  outputs = task.baselines('test')
  train = task.examples('train')
  np.testing.assert_allclose(outputs['mean'][0], train['target'].mean(0), rtol=1e-6)
  at = {name: float(task.score(x, 'test')['top1']) for name, x in outputs.items()}
  assert at['nearest'] == 1
  own = task.examples('test')['values'][0]
  cosine = train['values'] @ own / np.linalg.norm(train['values'], axis=1) / np.linalg.norm(own)
  best = [cosine[train['target'].argmax(1) == c].max() for c in range(4)]
  np.testing.assert_allclose(outputs['nearest'][0], best, rtol=1e-4)


def test_rare_and_unseen_classes_are_left_out_where_that_is_asked_for():
  data = labelled.spectra()
  split, label = labelled.split(data), data.meta['label'].astype('<U9')
  label[split.train[:3]], label[split.test[:2]] = 'rare', 'untrained'
  data = dataclasses.replace(data, meta={**data.meta, 'label': label})
  without = make_task(data, **{'task.classify.least': 4})
  assert without.classes.tolist() == [f'class {c}' for c in range(4)]
  np.testing.assert_array_equal(without.split.train, split.train[3:])
  np.testing.assert_array_equal(without.split.test, split.test[2:])
  assert without.split.hash != split.hash
  known = make_task(data, **{'task.classify.leave_out_unseen': True})
  assert known.classes[-1] == 'rare'
  np.testing.assert_array_equal(known.split.train, split.train)
  np.testing.assert_array_equal(known.split.test, split.test[2:])


def parameters(task):
  """(module, parameters), drawn without compiling what initialises them."""
  module, batch = task.module(), {n: x[:2] for n, x in task.examples('test').items()}
  inputs, _ = task.inputs(None, 0, batch, train=False)
  initialise = lambda key, inputs: module.init(key, **inputs, nu_L=task.nu_L, train=False)
  return module, draw(initialise, inputs)


@pytest.mark.parametrize('encoder', model.names('encoders'))
def test_members_share_no_parameter(encoder):
  counts = []
  for members in (1, 2):
    config = labelled.config('classify', **{'train.members': members, 'encoder.name': encoder})
    module = model.build_pooled(config, kinds=1, outputs=4)
    values_BxL = np.zeros((1, config.axis.points), np.float32)
    nu_L = np.linspace(config.axis.low_cm, config.axis.high_cm, config.axis.points)
    initialise = functools.partial(module.init, nu_L=nu_L, train=False)
    arrays = (jax.random.key(0), values_BxL, values_BxL == 0, np.zeros(1, np.int32))
    leaves = jax.tree.leaves(jax.eval_shape(initialise, *arrays)['params'])
    counts.append(sum(leaf.size for leaf in leaves))
  assert counts[1] == 2 * counts[0]


def test_members_learn_apart_and_predict_together_whatever_the_batch():
  task = make_task(**{'train.members': 2})
  module, params = parameters(task)
  inputs, targets = task.inputs(None, 0, task.examples('test'), train=False)
  both = lambda x: tuple(
    module.apply(params, **x, nu_L=task.nu_L, train=on) for on in (True, False)
  )
  run = jax.jit(both)
  outputs, together = run(inputs)
  assert outputs.shape == (len(task.split.test), 2, 4)
  assert jnp.ptp(outputs, 1).max() > 1e-3
  np.testing.assert_allclose(jnp.exp(together), jax.nn.softmax(outputs).mean(1), rtol=1e-5)
  part = run({name: x[:7] for name, x in inputs.items()})[1]
  np.testing.assert_allclose(part, together[:7], rtol=1e-4, atol=1e-5)
  alone = [task.losses(outputs[:, [m]], targets)['cross_entropy'] for m in range(2)]
  apart = task.losses(outputs, targets)['cross_entropy']
  np.testing.assert_allclose(apart, np.mean(alone, 0), rtol=1e-5)
  with pytest.raises(ValueError, match=r'train.members is 0, expected at least 1'):
    make_task(**{'train.members': 0}).module()


# --- what is refused -----------------------------------------------------------------------------


def test_bad_requests_are_refused():
  data = labelled.spectra()
  with pytest.raises(ValueError, match=r'shifts_cm has 0.5, expected multiples of 1 cm'):
    make_task(**{'task.classify.shifts_cm': (0.5,)})
  unnamed = {name: data.meta[name] for name in ('id', 'group')}
  with pytest.raises(ValueError, match='expected label for classification'):
    make_task(dataclasses.replace(data, meta=unnamed))
  both = {'ir': data, 'raman': data}
  with pytest.raises(ValueError, match='gives ir, raman, expected spectra of one kind'):
    classify.build(labelled.config('classify'), both, labelled.split(data))
  label = data.meta['label'].copy()
  label[labelled.split(data).test[0]] = 'rare'
  with pytest.raises(ValueError, match="no training spectrum, such as 'rare'"):
    make_task(dataclasses.replace(data, meta={**data.meta, 'label': label}))
  with pytest.raises(ValueError, match="'reconstruct', which gives spectra; expected classify or"):
    make_task(**{'head.name': 'reconstruct'}).module()
