"""The weights that ship, on spectra of one's own: axes, scales, gaps, damage."""

import dataclasses
import functools
import hashlib
import json
import subprocess
import sys
import warnings

import numpy as np
import pytest

import spectra_jax
from configs import pretrain, spektron
from spectra_jax import features_report, foundation, model_card, splits, train, unlabelled, weights
from spectra_jax.align import NM_PER_CM
from spectra_jax.datasets import computed
from spectra_jax.spectra import Spectra
from spectra_jax.unlabelled import Steps
from spectra_jax.workdir import claim
from tests.parameters import draw

AXIS = np.linspace(400.0, 4000.0, 1024)
TRAINED = AXIS.tobytes()


@functools.cache
def model():
  return spectra_jax.load_pretrained()


@functools.cache
def molecules(axis=TRAINED):
  """32 IR spectra of the side that the weights have not seen."""
  spectra = computed.load(np.frombuffer(axis))['ir']
  meta = spectra.meta
  split = splits.make_split(meta['id'], meta['group'], 'grouped', (0.8, 0.1, 0.1), 0)
  assert split.hash == model().weights.about['split']['hash']
  return spectra.take(split.test[::20][:32])


def with_gaps(spectra, seed=0):
  mask = np.ones(spectra.values.shape, bool)
  for row, start in enumerate(np.random.default_rng(seed).integers(0, 990, (len(mask), 10))):
    for first in start:
      mask[row, first : first + 17] = False  # 60 cm^-1
  return dataclasses.replace(spectra, mask=mask)


def roots(values):
  return np.sign(values) * np.sqrt(np.abs(values))


@pytest.mark.slow
def test_gaps_are_filled_and_what_was_measured_comes_back():
  there, whole = molecules(), with_gaps(molecules())
  hidden = ~whole.mask
  filled = model().reconstruct(whole)
  np.testing.assert_array_equal(filled.values[~hidden], there.values[~hidden])
  mean = np.sqrt(there.values).mean(0)
  error = ((roots(filled.values) - roots(there.values))[hidden] ** 2).sum()
  nre = error / ((mean - roots(there.values))[hidden] ** 2).sum()
  assert nre < 0.4  # the card's is of 40 % hidden
  assert filled.mask.all()
  garbage = dataclasses.replace(whole, values=np.where(hidden, 1e6, there.values).astype('f4'))
  np.testing.assert_array_equal(model().reconstruct(garbage).values, filled.values)


def test_lines_that_the_weights_have_not_seen_are_warned_of():
  axis = lambda fwhm_cm: np.arange(400.0, 4000.0, fwhm_cm / 8)
  widths = lambda fwhm_cm: computed.load(axis(fwhm_cm), slice(3000, 3008), fwhm_cm=fwhm_cm)['ir']
  seen = model().weights.line_widths
  with warnings.catch_warnings():
    warnings.simplefilter('error')
    for fwhm_cm in seen:
      model()._warn_of_widths(widths(fwhm_cm))
  for fwhm_cm in (seen[0] / 2, 2 * seen[1]):
    with pytest.warns(UserWarning, match=r'cm\^-1 wide \(FWHM\) and the weights have seen'):
      model()._warn_of_widths(widths(fwhm_cm))


@pytest.mark.slow
def test_what_is_measured_has_no_unit():
  """Ten times the absorbance: the same vector, ten times the filled band."""
  one = dataclasses.replace(with_gaps(molecules()), state='measured', kind='absorbance')
  ten = dataclasses.replace(one, values=10 * one.values)
  np.testing.assert_allclose(model().embed(ten), model().embed(one), atol=2e-4)
  filled = [model().reconstruct(x).values for x in (one, ten)]
  np.testing.assert_allclose(filled[1], 10 * filled[0], rtol=2e-3, atol=1e-3 * filled[1].max())


def test_spectra_computed_by_others_have_no_unit():
  """The constants of training are for the file that was trained on and for no other."""
  own = molecules().take(slice(0, 2))
  other = dataclasses.replace(own, source='0' * 64)
  louder = dataclasses.replace(other, values=100 * other.values)
  values = [model().inputs(x)[0]['values'] for x in (own, other, louder)]
  np.testing.assert_allclose(values[2], values[1], rtol=1e-5)
  np.testing.assert_allclose((values[1] ** 2).mean(1), 1.0, rtol=1e-4)
  assert np.abs(values[0] / values[1] - 1).max() > 0.1


@pytest.mark.slow
def test_an_axis_in_nm_is_read_as_wavenumbers():
  there = molecules().take(slice(0, 4))
  nm = dataclasses.replace(
    there, values=there.values[:, ::-1], axis=(NM_PER_CM / there.axis)[::-1], axis_unit='nm'
  )
  np.testing.assert_allclose(model().embed(nm), model().embed(there), atol=1e-4)


@pytest.mark.slow
def test_finer_uneven_and_shorter_axes_agree():
  there = model().embed(molecules())
  other = np.vstack([there[1:], there[:1]])  # what a difference between molecules is
  far = np.sqrt(((there - other) ** 2).mean())
  rng = np.random.default_rng(0)
  fine = np.linspace(400.0, 4000.0, 1801)
  uneven = np.sort(fine + np.r_[0, rng.uniform(-0.8, 0.8, 1799), 0])
  for axis, most in ((fine, 0.01), (uneven, 0.01)):
    found = model().embed(molecules(axis.tobytes()))
    assert np.sqrt(((found - there) ** 2).mean()) < most * far
  short = AXIS[(AXIS > 600) & (AXIS < 3600)]
  spectra = molecules(short.tobytes())
  assert (
    np.sqrt(((model().embed(spectra) - there) ** 2).mean()) < 0.8 * far
  )  # a tenth of it is hidden
  assert model().reconstruct(spectra).values.shape == spectra.values.shape


@pytest.mark.parametrize(
  ('change', 'words'),
  [
    ({'kind': 'transmittance'}, 'of kind transmittance, expected one of ir, raman, absorbance'),
    ({'axis': AXIS + 8000.0}, 'expected at least 16 points between 400 and 4000'),
    ({'axis': AXIS + 200.0 * (AXIS > 2000)}, r'step of 204 cm\^-1 from 1997.65 to 2201.17, exp'),
    ({'axis_unit': 'index'}, 'the axis is in index, expected cm'),
    ({'state': 'derivative'}, 'the spectra are derivative'),
    ({'negative': True}, 'is below zero, expected intensities'),
  ],
)
def test_what_the_model_cannot_read_is_refused(change, words):
  spectra = molecules().take(slice(0, 2))
  if change.pop('negative', False):
    change = {'values': spectra.values - spectra.values.mean(), 'state': 'measured'}
  with pytest.raises(ValueError, match=words):
    model().embed(dataclasses.replace(spectra, **change))


@pytest.mark.slow
def test_a_calibration_on_the_features_says_more_of_unseen_formulas_than_their_mean():
  spectra = computed.load(AXIS)['ir']
  meta, rows = spectra.meta, np.random.default_rng(0).permutation(len(spectra))[:400]
  cut = splits.make_split(meta['id'][rows], meta['group'][rows], 'grouped', (0.6, 0.1, 0.3), 0)
  learn, test = spectra.take(rows[cut.train]), spectra.take(rows[cut.test])
  target = lambda of: of.meta['heavy_atoms'].astype(float)
  found = model().calibrate(learn, target(learn), learn.meta['group']).predict(test)
  error = np.sqrt(((found - target(test)) ** 2).mean())
  assert error < 0.97 * np.std(target(test))


@pytest.mark.slow
def test_going_on_without_labels_gives_another_model_and_leaves_this_one():
  few = molecules().take(slice(0, 4))
  before = {name: leaf.copy() for name, leaf in weights.flat(model().params).items()}
  how = Steps(steps=2, batch_size=4)
  first, second = (model().adapted(few, how) for _ in range(2))
  for name, leaf in weights.flat(model().params).items():
    np.testing.assert_array_equal(leaf, before[name], err_msg=name)
    twice = [weights.flat(found.params)[name] for found in (first, second)]
    np.testing.assert_array_equal(*twice, err_msg=name)
    assert name.startswith('head') == np.array_equal(twice[0], leaf), name


@pytest.mark.slow
def test_going_on_lowers_the_error_on_the_spectra_it_goes_on_with():
  """Spectra of a resolution that was not in training."""
  fwhm_cm = 2 * model().weights.line_widths[1]
  spectra = computed.load(AXIS, fwhm_cm=fwhm_cm)['ir'].take(slice(0, 32))
  whole = with_gaps(spectra)

  def error(found):
    filled = roots(found.reconstruct(whole).values) - roots(spectra.values)
    return (filled[~whole.mask] ** 2).sum()

  assert error(model().adapted(whole, Steps(steps=60))) < 0.9 * error(model())
  with pytest.raises(ValueError, match='0 steps were asked for on 32 spectra'):
    unlabelled.adapt(model().module, model().params, model().inputs(whole)[0], AXIS, Steps(0))


@pytest.mark.slow
def test_a_foundation_model_is_read_as_any_other(tmp_path):
  """Its vector is the mean of z_chem; it fills in, goes on without labels and is stretched."""
  c = spektron.get_config('tiny')
  c.axis.high_cm, c.axis.points, c.head.transfer_operator.period_cm = 4000.0, 1024, 4608.0
  targets = 3
  module = foundation.build_foundation(c, 2, targets)
  nu = np.linspace(400.0, 4000.0, 1024)
  x, kind = np.ones((2, len(nu)), np.float32), np.zeros(2, np.int32)
  params = draw(lambda key, x: module.init(key, x, x > 0, kind, nu, False), x)['params']
  config = json.loads(c.to_json())
  about = {'config': config, 'kinds': ['ir', 'raman'], 'scale': [1.0, 1.0], 'targets': targets}
  weights.write(tmp_path / 'w.npz', params, about)
  made = spectra_jax.load_pretrained(tmp_path / 'w.npz')
  few = with_gaps(molecules().take(slice(0, 3)))
  assert made.embed(few).shape == (3, c.foundation.bottleneck.chem)
  filled = made.reconstruct(few)
  np.testing.assert_array_equal(filled.values[few.mask], few.values[few.mask])
  after = made.adapted(few, Steps(steps=1, batch_size=2))
  assert np.abs(after.embed(few) - made.embed(few)).max() > 0
  nir = dataclasses.replace(few, axis=few.axis * 2)
  network = features_report.network(made.weights, nir, 'ir', 'pretrained', 0)
  assert np.isfinite(network.features(few.values)).all()


# ---- files --------------------------------------------------------------------


def test_weights_come_back_and_a_damaged_file_is_refused(tmp_path):
  path, params = (
    tmp_path / 'w.npz',
    {'a': {'b': np.arange(4, dtype='f4') / 3}, 'c': np.ones((2, 2))},
  )
  digest = weights.write(path, params, {'kinds': ['ir']})
  found = weights.read(path)
  np.testing.assert_array_equal(found.params['a']['b'], params['a']['b'])
  assert (found.hash, found.kinds) == (digest, ('ir',))
  weights.write(tmp_path / 'half.npz', params, {'kinds': ['ir']}, 'float16')
  np.testing.assert_allclose(
    weights.read(tmp_path / 'half.npz').params['a']['b'], params['a']['b'], rtol=1e-3
  )
  path.write_bytes(path.read_bytes()[:-1] + b'x')
  with pytest.raises(ValueError, match='is damaged: its sha256 is'):
    weights.read(path)
  path.with_suffix('.sha256').unlink()
  with pytest.raises(FileNotFoundError, match=r'w\.sha256 is missing'):
    weights.read(path)


def test_a_file_is_never_unpickled(tmp_path):
  path = tmp_path / 'evil.npz'
  np.savez(path, about=np.array([object()], object))
  digest = hashlib.sha256(path.read_bytes()).hexdigest()
  path.with_suffix('.sha256').write_text(digest)
  with pytest.raises(ValueError, match='is no file of weights'):
    weights.read(path)


def test_what_cannot_ship_is_refused(tmp_path, monkeypatch):
  large = {'a': np.random.default_rng(0).normal(size=1_200_000)}
  weights.write(tmp_path / 'own.npz', large, {})  # the limit is for the package
  monkeypatch.setattr(weights, 'SHIPPED', (tmp_path / 'a.npz').resolve())
  with pytest.raises(ValueError, match=r'the weights take .* MiB, expected at most 4 to ship'):
    weights.write(tmp_path / 'a.npz', large, {})
  assert not (tmp_path / 'a.npz').exists()
  with pytest.raises(ValueError, match='float16 cannot hold'):
    weights.write(tmp_path / 'a.npz', {'a': np.array([1e6])}, {}, 'float16')
  with pytest.raises(ValueError, match="written as 'int8'"):
    weights.write(tmp_path / 'a.npz', {'a': np.ones(2)}, {}, 'int8')


@pytest.mark.slow  # a run
@pytest.mark.parametrize('adapt', ['full', 'lora'])
def test_a_run_becomes_a_file_and_its_card(tmp_path, adapt):
  """Widths that its axis cannot hold are left out; adapted weights are exported as they act."""
  config = pretrain.get_config('tiny')
  config.axis.points = 401  # 5 cm^-1
  config.tokenize.step_cm = 60.0
  config.adapt.name, config.log.figures = adapt, False
  run = train.prepare(config, str(tmp_path / 'run'))
  with claim(run.workdir, config, run.data_hash):
    train.train(run)
  digest, about = model_card.export(run.workdir, tmp_path / 'own.npz')
  found = weights.read(tmp_path / 'own.npz')
  assert found.hash == digest
  assert list(about['line_widths']) == ['12', '16', '24', '32', '40']
  for kind in ('ir', 'raman'):
    assert about['line_widths']['16'][kind]['model'] == pytest.approx(
      about['results'][kind]['nre'], rel=1e-4
    )
  page = model_card.page(found.about, tmp_path / 'own.npz', digest)
  assert f'| 40 | {about["line_widths"]["40"]["ir"]["model"]:.3f} |' in page


def test_the_shipped_file_is_small_and_its_card_is_made_from_it():
  root = weights.SHIPPED.parents[2]
  assert weights.SHIPPED.stat().st_size < weights.MOST_BYTES
  found = weights.read()
  path = weights.SHIPPED.relative_to(root)
  card = root / 'docs' / 'model_card.md'
  assert card.read_text() == model_card.page(found.about, path, found.hash)


def test_the_package_does_not_import_jax_by_itself():
  assert not hasattr(spectra_jax, 'nothing')
  program = "import sys, spectra_jax; assert 'jax' not in sys.modules; spectra_jax.load_pretrained"
  subprocess.run([sys.executable, '-c', program], check=True)


def test_a_flat_spectrum_gives_numbers():
  values = np.zeros((1, len(AXIS)), np.float32)
  none = Spectra(values, AXIS, 'cm^-1', 'raman', 'measured', values == 0, {}, '')
  assert np.isfinite(model().embed(none)).all()
