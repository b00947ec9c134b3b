"""Pipelines as transformers of scikit-learn, and its fitted transformers as pipelines."""

import numpy as np
import pytest
from chemotools import baseline, derivative, feature_selection, physics, scale, scatter, smooth
from sklearn import decomposition, pipeline, preprocessing
from sklearn.base import clone
from sklearn.utils.estimator_checks import check_estimator

from spectra_jax.preprocess.adapters.imported import from_fitted
from spectra_jax.preprocess.adapters.transformer import SpectraTransformer
from spectra_jax.preprocess.signal import Signal
from spectra_jax.preprocess.steps import autoscale, detrend, savitzky_golay, snv
from tests.preprocessing import AXIS, drawn

X = drawn(12)
NEW = drawn(5, seed=1).values
WEIGHT = np.linspace(0.5, 2.0, len(AXIS))
CHAINS = {
  'nir': (
    scatter.StandardNormalVariate(),
    derivative.SavitzkyGolay(7, 2, 1),
    preprocessing.StandardScaler(with_std=False),
    decomposition.PCA(3, whiten=True),
    preprocessing.StandardScaler(),
  ),
  'weighted': (
    feature_selection.RangeCut(3, 50),
    scatter.MultiplicativeScatterCorrection(method='median', weights=WEIGHT[3:50]),
    smooth.SavitzkyGolayFilter(5, 2, mode='interp'),
    scale.NormScaler(1),
    preprocessing.MinMaxScaler((-1, 1)),
  ),
  'extended': (
    physics.IntensityConversion('absorbance', 'transmittance'),
    physics.IntensityConversion('transmittance', 'absorbance'),
    scatter.ExtendedMultiplicativeScatterCorrection(order=1, interferences=np.cos(AXIS / 9)[None]),
    baseline.PolynomialCorrection(order=2),
    preprocessing.Normalizer('max'),
  ),
  'robust': (
    scatter.RobustNormalVariate(percentile=40),
    derivative.NorrisWilliams(3, 5, 2),
    'passthrough',
    scale.MinMaxScaler(),
  ),
}


def given(kind='absorbance'):
  return Signal(AXIS, 'cm^-1', kind, 'measured')


@pytest.mark.parametrize('name', CHAINS)
def test_a_fitted_chain_is_taken_over(name):
  chain = pipeline.make_pipeline(*CHAINS[name]).fit(X.values)
  fitted = from_fitted(chain, given(), X.values.mean(0), chunk=16)
  np.testing.assert_allclose(fitted.transform(NEW), chain.transform(NEW), atol=1e-6)


@pytest.mark.parametrize(
  ('transformer', 'sentence'),
  [
    (preprocessing.RobustScaler(), 'sklearn.RobustScaler has no equivalent here, expected one of'),
    (baseline.ArPls(), 'chemotools.ArPls has no equivalent'),
    (derivative.SavitzkyGolay(5, 2, 1, mode='wrap'), "edges is 'wrap'"),
    (derivative.NorrisWilliams(4, 5, 1), 'segment is 4, expected an odd number'),
    (preprocessing.MinMaxScaler(clip=True), 'no step here cuts values off'),
    (scale.MinMaxScaler(use_min=False), 'a maximum that may be negative'),
    (scale.NormScaler(3), 'l_norm is 3'),
    (baseline.PolynomialCorrection(1, [0, 5]), 'detrend fits all points'),
  ],
)
def test_what_has_no_equivalent_is_refused(transformer, sentence):
  with pytest.raises(ValueError, match=sentence):
    from_fitted(transformer.fit(X.values), given(), X.values[0])


def test_what_was_not_fitted_on_this_axis_is_refused():
  with pytest.raises(ValueError, match='PCA is not fitted, expected 61'):
    from_fitted(decomposition.PCA(2), given(), X.values[0])
  scaler = preprocessing.StandardScaler().fit(X.values[:, 1:])
  with pytest.raises(ValueError, match='was fitted on 60 columns, expected 61'):
    from_fitted(scaler, given(), X.values[0])


def test_a_pipeline_is_a_transformer():
  steps = (snv.Step(), savitzky_golay.Step(7, 2, 1, per='axis'))
  transformer = SpectraTransformer(steps, axis=AXIS, axis_unit='cm^-1', chunk=16)
  chain = pipeline.make_pipeline(clone(transformer), preprocessing.StandardScaler())
  got = chain.fit_transform(X.values)
  ours = transformer.fit(X.values)
  wanted = preprocessing.StandardScaler().fit_transform(ours.fitted_.transform(X.values))
  np.testing.assert_array_equal(got, wanted)
  assert ours.get_feature_names_out()[0] == '500 cm^-1'
  with pytest.raises(ValueError, match='X has 60 features'):
    ours.transform(X.values[:, 1:])
  with pytest.raises(ValueError, match="axis is None with axis_unit 'nm'"):
    SpectraTransformer(steps, axis_unit='nm').fit(X.values)


@pytest.mark.slow
@pytest.mark.parametrize('step', [autoscale.Step('sd'), detrend.Step(0)])
def test_scikit_learn_finds_nothing_wrong(step):
  found = check_estimator(SpectraTransformer((step,), chunk=16), on_skip=None)
  assert len(found) > 40
  assert all(result['status'] in ('passed', 'skipped') for result in found)
