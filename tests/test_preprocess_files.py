"""The same bits from one spectrum and from many, from a file and from an exported program."""

import copy
import functools
import json
import pickle

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spectra_jax import preprocess
from spectra_jax.datasets import corn
from spectra_jax.preprocess import Pipeline, codec, document, export
from spectra_jax.preprocess.signal import Signal
from spectra_jax.preprocess.steps import (
  arpls,
  autoscale,
  crop,
  despike,
  detrend,
  emsc,
  gap_segment,
  msc,
  normalise,
  project,
  resample,
  rnv,
  savitzky_golay,
  snv,
)
from tests.preprocessing import AXIS, drawn

SINGLE = (
  crop.Step(505.0, 695.0),
  emsc.Step(2),
  resample.Step(np.linspace(510.0, 690.0, 37), 'cm^-1'),
  savitzky_golay.Step(7, 2, 1),
  snv.Step(),
  project.Step(5),
)
FILED = (msc.Step(), savitzky_golay.Step(7, 2, 1), project.Step(5))
MORE = (msc.Step(), gap_segment.Step(3, 5, 1), normalise.Step('vector'))
SORTED = (despike.Step(6.0, 3), rnv.Step(), detrend.Step(1))  # medians take seconds to compile
DOUBLE = (arpls.Step(1e4, iterations=5), normalise.Step('area'))
MANY = drawn(70, kind='raman', seed=3)


@pytest.fixture
def optimised():
  """Programs as users run them: the suite's own are hardly optimised."""
  name = 'jax_disable_most_optimizations'
  before = jax.config.values[name]
  jax.config.update(name, False)
  yield
  jax.config.update(name, before)


@functools.cache
def fitted(steps, dtype='float32'):
  return Pipeline(steps, dtype, chunk=32).fit(MANY)


def same(a, b):
  return a.dtype == b.dtype and a.tobytes() == b.tobytes()


def alone_is_as_in_a_batch(steps, dtype):
  pipeline = fitted(steps, dtype)
  whole = pipeline.transform(MANY.values)

  @settings(max_examples=15, deadline=None)
  @given(st.integers(0, 69), st.integers(1, 70), st.randoms(use_true_random=False))
  def check(first, count, random):
    rows = list(range(70))
    random.shuffle(rows)
    rows = rows[first : first + count]
    assert same(pipeline.transform(MANY.values[rows]), whole[rows])

  check()


def test_a_spectrum_alone_has_the_bits_of_the_batch(optimised):
  alone_is_as_in_a_batch(SINGLE, 'float32')


@pytest.mark.slow
@pytest.mark.parametrize('case', [(MORE, 'float32'), (SORTED, 'float32'), (DOUBLE, 'float64')])
def test_so_it_has_with_other_steps(optimised, case):
  alone_is_as_in_a_batch(*case)


def test_another_chunk_is_another_pipeline():
  other = Pipeline(MORE, 'float32', chunk=16).fit(MANY)
  assert other.digest != fitted(MORE).digest
  assert Pipeline(MORE, 'float32', chunk=32).fit(MANY).digest == fitted(MORE).digest
  for chunk, dtype in ((24, 'float32'), (0, 'float32'), (32, 'float16')):
    with pytest.raises(ValueError, match=r'pipeline\.(chunk|dtype) is'):
      Pipeline(MORE, dtype, chunk).fit(MANY)


def test_a_file_gives_the_bits_that_were_written(optimised, tmp_path):
  pipeline = fitted(FILED)
  document.save(pipeline, tmp_path / 'pipeline.json')
  export.save(pipeline, tmp_path / 'program.json')
  wanted = pipeline.apply(MANY)
  read = document.load(tmp_path / 'pipeline.json')
  for known in (read, export.load(tmp_path / 'program.json')):
    got = known.apply(MANY)
    assert same(got.values, wanted.values)
    assert (got.kind, got.state, got.axis_unit) == ('raman', 'scores', 'index')
    np.testing.assert_array_equal(got.axis, wanted.axis)
    np.testing.assert_array_equal(got.meta['id'], MANY.meta['id'])
  assert read.digest == pickle.loads(pickle.dumps(pipeline)).digest == pipeline.digest
  assert wanted.source != MANY.source


@pytest.mark.slow
def test_so_it_does_in_float64(optimised, tmp_path):
  pipeline = fitted(DOUBLE, 'float64')
  document.save(pipeline, tmp_path / 'pipeline.json')
  export.save(pipeline, tmp_path / 'program.json', platforms=('cpu', 'cuda'))
  wanted = pipeline.transform(MANY.values)
  assert wanted.dtype == np.float64
  assert same(document.load(tmp_path / 'pipeline.json').transform(MANY.values), wanted)
  assert same(export.load(tmp_path / 'program.json').transform(MANY.values), wanted)


def _wider():
  step = gap_segment.Step(5, 5, 1)
  return step, step.fit(Signal.of(MANY), MANY.values)


def test_a_file_that_was_changed_is_refused_unless_within_tolerance():
  written = json.loads(json.dumps(document.to_json(fitted(MORE))))
  changed = copy.deepcopy(written)
  changed['steps'][1]['options']['segment'] = 5
  changed['steps'][1]['constants'] = codec.encode_step(*_wider())['constants']
  with pytest.raises(ValueError, match=r'gives other bits: max difference .* on cpu with jax'):
    document.from_json(changed)
  bent = copy.deepcopy(written)
  bent['steps'][2]['options']['by'] = 'sum'
  assert document.from_json(bent, tolerance=1.0).steps[2].by == 'sum'
  changed['steps'][1]['name'] = 'nope'
  with pytest.raises(ValueError, match="no preprocessing step 'nope', expected one of"):
    document.from_json(changed)
  with pytest.raises(ValueError, match="has format 'StableHLO', expected 'spectra_jax pre"):
    export.from_json({'format': 'StableHLO'})


def test_a_torn_file_is_refused(tmp_path):
  path = tmp_path / 'pipeline.json'
  document.save(Pipeline((snv.Step(),)).fit(MANY), path)
  for torn in (path.read_bytes()[:-100], b'\xff\x00', b'[]'):
    path.write_bytes(torn)
    for load in (document.load, export.load):
      with pytest.raises(ValueError, match=r'is no JSON|has format .list., expected'):
        load(path)


def test_golden_spectra_are_none_that_were_measured():
  golden = fitted(MORE).golden_GxL
  distance = np.abs(golden[:, None] - MANY.values).max(-1)
  assert distance.min() > 1e-3
  assert golden.shape == (4, len(AXIS))


def test_other_spectra_are_refused():
  pipeline = Pipeline((snv.Step(),), 'float32', 16).fit(MANY)
  refused = {
    "kind 'absorbance', but the pipeline was fitted on 'raman'": drawn(),
    "state 'snv', but the pipeline was fitted on 'measured'": drawn(kind='raman', state='snv'),
    '61 points from 501 to 701 cm': drawn(axis=AXIS + 1, kind='raman'),
    '60 points from 500': drawn(axis=AXIS[:60], kind='raman'),
  }
  for sentence, spectra in refused.items():
    with pytest.raises(ValueError, match=sentence):
      pipeline.apply(spectra)
  with pytest.raises(ValueError, match='training side has 0 spectra'):
    Pipeline((snv.Step(),)).fit(drawn(0))
  holes = drawn(kind='raman')
  holes.mask[2, 5] = False
  with pytest.raises(ValueError, match=r'spectrum 2 has no value at point 5 \(1 such points\)'):
    pipeline.apply(holes)
  flat = MANY.values[:40].copy()
  flat[33] = 0.3
  for step in (snv.Step(), msc.Step()):
    with pytest.raises(ValueError, match=r'spectrum 33 has no finite result .*0\.3 to 0\.3'):
      Pipeline((step,), 'float32', 16).fit(MANY).transform(flat)
  with pytest.raises(ValueError, match=r'shape \(70, 60\), expected \[N, 61\]'):
    pipeline.transform(MANY.values[:, 1:])


def test_constants_come_from_the_training_side_alone():
  train = drawn(8, kind='raman')
  pipeline = Pipeline((crop.Step(505.0, 695.0), autoscale.Step('none')), 'float64', 16).fit(train)
  wanted = (MANY.values - train.values.mean(0))[:, (AXIS > 505) & (AXIS < 695)]
  np.testing.assert_allclose(pipeline.transform(MANY.values), wanted, atol=1e-12)


@pytest.mark.parametrize(
  'step',
  [
    snv.Step(),
    emsc.Step(2, logarithm=True),
    resample.Step(np.linspace(4010.0, 9000.0, 600), 'cm^-1'),
  ],
)
def test_float32_is_enough_for_real_spectra(real_data, step):
  """Of one instrument, by what was learnt on another; a share of the largest value."""
  spectra = corn.read(real_data / 'corn')
  sides = [spectra.take(np.flatnonzero(spectra.meta['instrument'] == i)) for i in ('m5', 'mp5')]
  narrow, wide = (
    Pipeline((step,), dtype).fit(sides[0]).transform(sides[1].values)
    for dtype in ('float32', 'float64')
  )
  assert np.abs(narrow - wide).max() < 2e-6 * np.abs(wide).max()


def test_a_pipeline_in_words():
  words = ({'name': 'snv'}, {'name': 'savitzky_golay', 'window': 7, 'degree': 2, 'derivative': 1})
  wanted = Pipeline((snv.Step(), savitzky_golay.Step(7, 2, 1)))
  assert preprocess.described(words) == wanted
  with pytest.raises(ValueError, match=r"it needs \['degree', 'derivative', 'window'\]"):
    preprocess.described(({'name': 'savitzky_golay', 'window': 7},))
  with pytest.raises(ValueError, match=r"options \['window'\], expected \[\]"):
    preprocess.described(({'name': 'snv', 'window': 7},))
