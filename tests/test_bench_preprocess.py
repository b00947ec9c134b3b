"""The benchmark of preprocessing on few spectra; no claims about time."""

import json

from absl import flags
from absl.testing import flagsaver

from experiments import bench


def test_both_sides_compute_the_same_and_all_is_reported():
  module = bench.load('preprocess')
  with flagsaver.flagsaver():
    flags.FLAGS(
      ['bench', '--spectrum_rows=40', '--spectrum_points=32', '--rounds=2', '--chunks=16,32']
    )
    result = json.loads(json.dumps(module.run()))
  assert result['max_error'] < 1e-5
  assert result['max_error_f64'] < 1e-12
  assert set(result['seconds']) == {'chunk 16', 'chunk 32', 'chemotools'}
  ours, theirs = result['seconds']['chunk 16'], result['seconds']['chemotools']
  assert result['snv_sg_s'] == ours['median'] > 0
  assert result['ratio_over_chemotools'] == theirs['median'] / ours['median']
  assert len(module.lines({'device': 'here'} | result)) == 5
