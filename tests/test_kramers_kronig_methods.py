"""The methods of the comparison do what they are named for, and the benchmark runs."""

import json

import jax
import numpy as np
import pytest
import scipy.signal
from absl import flags
from absl.testing import flagsaver

from experiments import bench, dielectrics
from experiments import kramers_kronig_methods as methods

FIRST, POINTS = 60, 300
NU = (FIRST + np.arange(POINTS)) * 10.0
LINE = (0.02, 2000.0, 120.0)
K = dielectrics.lorentz(NU, *LINE).imag
EXACT = dielectrics.lorentz_window(NU, *LINE, NU[0], NU[-1])


def error(found):
  return np.abs(np.asarray(found) - EXACT)[1:-1].max() / 0.33


def test_hilbert_is_that_of_scipy():
  with jax.enable_x64(True):
    for k_L in (K, K[1:]):
      np.testing.assert_allclose(methods.hilbert(k_L), -scipy.signal.hilbert(k_L).imag, atol=1e-14)


def test_padding_the_odd_extension_helps_as_its_square():
  with jax.enable_x64(True):
    errors = [error(methods.odd_extension(K, FIRST, pad)) for pad in (1, 2, 4)]
  assert errors[0] > 3 * errors[1] > 6 * errors[2]
  assert errors[2] < 3e-3


@pytest.mark.parametrize(('name', 'below'), [('maclaurin', 2e-3), ('trapezoid', 4e-3)])
def test_a_quadrature_is_as_exact_as_its_order(name, below):
  assert 0 < error(K @ methods.MATRICES[name](NU)) < below


def test_piecewise_linear_is_exact_for_piecewise_linear_spectra():
  """A triangle with corners at samples, on its grid and on one five times as fine."""
  coarse = 400 + 20.0 * np.arange(61)
  fine = 400 + 4.0 * np.arange(301)
  triangle = lambda nu: np.maximum(0, 1 - np.abs(nu - 1000) / 200)
  coarse_L = triangle(coarse) @ methods.piecewise_linear(coarse)
  fine_L = triangle(fine) @ methods.piecewise_linear(fine)
  np.testing.assert_allclose(coarse_L, fine_L[::5], atol=1e-12)
  assert error(K @ methods.piecewise_linear(NU)) < 1e-2


def result_of(*arguments):
  module = bench.load('kk')
  with flagsaver.flagsaver():
    flags.FLAGS(['bench', *arguments, '--media=3', '--rounds=1'])
    result = json.loads(json.dumps(module.run()))
  assert module.lines({'device': 'here'} | result)
  return result


def test_the_benchmark_measures_and_counts():
  result = result_of('--spectra=2,256', '--growth=64')
  assert result['bound_violations'] == 0
  assert 1 < result['bound_median_slack'] < 100
  errors = result['errors']['water_like']
  assert errors['ours'] < 2e-3 < errors['fft_pad8'] < errors['hilbert']
  assert result['error_f64'] <= 1.01 * result['error_f32']
  assert result['ms_2x256'] > 0


@pytest.mark.slow
def test_the_benchmark_draws(tmp_path):
  result = result_of('--spectra=2,64', '--growth=64,128,256', f'--figures={tmp_path}')
  assert set(result['growth']) == {'64', '128', '256'}
  names = {path.name for path in tmp_path.iterdir()}
  assert names == {'kk_error_width.png', 'kk_error_edge.png', 'kk_growth.png'}
