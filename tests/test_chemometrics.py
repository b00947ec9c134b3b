"""Every classical method learns, repeats itself and chooses by groups, and is what it says."""

import importlib
import pkgutil
import warnings

import ikpls.fast_cross_validation.numpy
import numpy as np
import pytest
from sklearn.cross_decomposition import PLSRegression
from sklearn.decomposition import PCA
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.linear_model import LinearRegression, Ridge

import spectra_jax.chemometrics
from spectra_jax.chemometrics import (
  aligned_svm,
  gaussian_process,
  linear,
  neighbours,
  nested,
  pcr,
  pls,
  pls_da,
  random_convolutions,
  ridge,
  wavelet_peaks,
)

CHANNELS = 40
SMALL = {  # so that all of them take seconds
  'aligned_svm': {'windows': (5,), 'lags': 3, 'gammas': (1.0,)},
  'forest': {'trees': 30, 'shares': (0.33,)},
  'gaussian_process': {'components': (2, 4)},
  'neighbours': {'counts': (3,)},
  'random_convolutions': {'count': 84, 'most': 3},
  'svm': {'costs': (10.0, 100.0), 'widths': (0.1,)},
  'wavelet_peaks': {'costs': (10.0, 100.0), 'widths': (0.1,)},
}


def methods(task):
  """Names of the files of chemometrics that do `task`."""
  names = [found.name for found in pkgutil.iter_modules(spectra_jax.chemometrics.__path__)]
  load = lambda name: importlib.import_module(f'spectra_jax.chemometrics.{name}')
  return [name for name in names if task in getattr(load(name), 'TASKS', ())]


def mixtures(samples, seed=0, replicates=2, noise=0.005):
  """(values, concentration of one component, sample) of mixtures of three bands on a slope."""
  rng = np.random.default_rng(seed)
  place = np.arange(CHANNELS)
  bands = np.exp(-(((place - np.array([[10], [17], [28]])) / 4.0) ** 2))
  content = rng.uniform(0.2, 1.0, (samples, 3)).repeat(replicates, 0)
  slope = rng.normal(0, 0.05, (len(content), 1)) * place / CHANNELS
  values = content @ bands + slope + rng.normal(0, noise, (len(content), CHANNELS))
  return values, content[:, 1], np.arange(samples).repeat(replicates)


def classes(target):
  return np.array(['low', 'middle', 'high'])[np.digitize(target, [0.45, 0.75])]


def fit(name, values, targets, groups, seed=0):
  module = importlib.import_module(f'spectra_jax.chemometrics.{name}')
  return module.fit(values, targets, groups, seed, **SMALL.get(name, {}))


@pytest.mark.parametrize('name', methods('regression'))
def test_it_predicts_a_concentration(name):
  values, target, groups = mixtures(30)
  model = fit(name, values, target, groups)
  new, truth, _ = mixtures(20, seed=1)
  error = np.sqrt(((model.predict(new) - truth) ** 2).mean())
  assert error < 0.6 * truth.std()
  assert 0.3 < np.sqrt(model.error) / error < 3  # what the folds said is what new samples find
  np.testing.assert_array_equal(model.predict(new), fit(name, values, target, groups).predict(new))


@pytest.mark.parametrize('name', methods('classification'))
def test_it_tells_classes_apart(name):
  values, target, groups = mixtures(40)
  model = fit(name, values, classes(target), groups)
  new, truth, _ = mixtures(20, seed=1)
  found, score = model.predict(new), model.scores(new)
  assert (found == classes(truth)).mean() > 0.65
  assert 0 <= model.error < 0.5
  assert score.shape == (len(new), 3)
  np.testing.assert_array_equal(model.classes[score.argmax(1)], found)


@pytest.mark.parametrize('name', methods('regression'))
def test_a_fold_never_sees_replicates_of_its_samples(name):
  """Targets that only the replicate tells: whoever looked at it would find nearly no error."""
  rng = np.random.default_rng(3)
  values = rng.normal(size=(15, CHANNELS)).repeat(2, 0)
  target = rng.normal(size=15).repeat(2)
  model = fit(name, values, target, np.arange(15).repeat(2))
  assert model.error > 0.5 * target.var()


def test_one_neighbour_ranks_all_classes_by_their_nearest_spectrum():
  rng = np.random.default_rng(0)
  values, tested = rng.normal(size=(30, 6)), rng.normal(size=(7, 6))
  target, one = np.repeat(list('abcde'), 6), {'counts': (1,), 'metrics': ('euclidean',)}
  model = neighbours.fit(values, target, np.arange(30), 0, orders=(0,), **one)
  distance = np.linalg.norm(tested[:, None] - values, axis=2).reshape(7, 5, 6).min(2)
  np.testing.assert_array_equal((-model.scores(tested)).argsort(1), distance.argsort(1))
  np.testing.assert_array_equal(model.predict(tested), np.array(list('abcde'))[distance.argmin(1)])


def test_neighbours_without_groups_find_the_replicate():
  values, groups = np.random.default_rng(3).normal(size=(15, CHANNELS)), np.arange(30)
  target = np.random.default_rng(4).normal(size=15).repeat(2)
  model = neighbours.fit(values.repeat(2, 0), target, groups, 0, counts=(1,), folds=15)
  assert model.error < 0.5 * target.var()  # the test above can fail


def test_pls_is_that_of_scikit_learn():
  values, target, _ = mixtures(20)
  path = pls.path(values, target[:, None], 6)
  theirs = [PLSRegression(n, scale=False).fit(values, target).predict(values) for n in range(1, 7)]
  np.testing.assert_allclose(path.predict(values)[:, :, 0], theirs, atol=1e-9)
  for place in (0, 5):
    slope, intercept = path.coefficients(place)
    np.testing.assert_allclose(values @ slope[:, 0] + intercept, theirs[place], atol=1e-9)


def test_errors_of_folds_are_those_of_fast_cross_validation():
  values, target, groups = mixtures(20)
  fold = nested.fold_numbers(groups, 5, seed=2)
  fitted = lambda x, y: pls.path(x, y, 4)
  ours = [linear.errors(fitted, values, target[:, None], False, fold == k) for k in range(5)]
  oracle = ikpls.fast_cross_validation.numpy.PLS(scale_X=False, scale_Y=False)
  squares = lambda truth, found: ((found - truth) ** 2).sum(-1)
  theirs = oracle.cross_validate(values, target, 4, fold, squares, n_jobs=1, verbose=0)
  for k in range(5):
    np.testing.assert_allclose(ours[k], theirs[k], atol=1e-10)


def test_pcr_is_least_squares_on_scores():
  values, target, _ = mixtures(20)
  ours = pcr.path(values, target[:, None], 7).predict(values)[:, :, 0]
  for place in (0, 6):
    scores = PCA(place + 1).fit_transform(values)
    theirs = LinearRegression().fit(scores, target).predict(scores)
    np.testing.assert_allclose(ours[place], theirs, atol=1e-9)


def test_ridge_is_that_of_scikit_learn():
  values, target, _ = mixtures(20)
  unit = (np.linalg.svd(values - values.mean(0))[1][:-1] ** 2).mean()  # centring takes one away
  path = ridge.path(values, target[:, None], (1.0, 1e-3))
  for place, shrinkage in enumerate((1.0, 1e-3)):
    theirs = Ridge(shrinkage * unit).fit(values, target)
    np.testing.assert_allclose(path.predict(values)[place, :, 0], theirs.predict(values), atol=1e-9)
    np.testing.assert_allclose(path.coefficients(place)[0][:, 0], theirs.coef_, atol=1e-9)


def test_paths_go_on_beyond_the_rank():
  values, target, groups = mixtures(8, replicates=1)
  for module in (pls, pcr):
    with warnings.catch_warnings():
      warnings.simplefilter('error')
      model = module.fit(values, target, groups, 0, most=30, folds=4)
    assert np.isfinite(model.predict(values)).all()


def test_one_standard_error_is_stiffer():
  values, target, groups = mixtures(25, noise=0.1)
  least = pls.fit(values, target, groups, 0)
  stiff = pls.fit(values, target, groups, 0, rule='one_standard_error')
  assert stiff.chosen['components'] < least.chosen['components']
  assert least.error <= stiff.error
  with pytest.raises(ValueError, match="rule is 'best', expected one of least"):
    pls.fit(values, target, groups, 0, rule='best')


def test_components_of_discriminants_are_chosen_by_wrong_classes():
  values, target, groups = mixtures(25)
  model = pls_da.fit(values, classes(target), groups, 0)
  wrong = (model.predict(values) != classes(target)).mean()
  assert wrong <= model.error
  assert set(model.classes) == {'low', 'middle', 'high'}
  np.testing.assert_allclose(model.scores(values).sum(1), 1)  # indicators sum to one


def test_residuals_of_a_process_are_those_without_the_fold():
  values, target, groups = mixtures(12)
  fold = nested.fold_numbers(groups, 4, 0)
  model = gaussian_process.fit(values, target, groups, 0, components=(3,), folds=4)
  scores, kernel = model.scores.transform(values), model.process.kernel_
  centred = target - target.mean()
  residual = gaussian_process.residuals(kernel(scores), centred, fold)
  for k in range(4):
    refit = GaussianProcessRegressor(kernel, optimizer=None).fit(
      scores[fold != k], centred[fold != k]
    )
    out = centred[fold == k] - refit.predict(scores[fold == k])
    np.testing.assert_allclose(residual[fold == k], out, atol=1e-6)
  assert model.error == pytest.approx((residual**2).mean(), rel=1e-6)


def test_a_process_says_how_sure_it_is():
  values, target, groups = mixtures(30)
  model = gaussian_process.fit(values, target, groups, 0, components=(4,))
  new, truth, _ = mixtures(40, seed=1)
  scaled = (model.predict(new) - truth) / model.deviation(new)
  assert 0.6 < scaled.std() < 1.6
  assert model.deviation(20 * new).mean() > 2 * model.deviation(new).mean()


def test_convolutions_are_what_the_formula_says():
  values = np.random.default_rng(0).normal(size=(3, 31)).astype(np.float32)
  weights = random_convolutions.kernels()
  assert (weights.sum(1) == 0).all()
  assert len({tuple(row) for row in weights}) == 84
  found = np.asarray(random_convolutions.convolve(values, 3))
  padded = np.pad(values, ((0, 0), (12, 12)), 'edge')
  for b, k, place in ((0, 0, 0), (1, 40, 15), (2, 83, 30)):
    expected = sum(weights[k, t] * padded[b, place + 3 * t] for t in range(9))
    assert found[b, k, place] == pytest.approx(expected, abs=1e-5)
  features = random_convolutions.Convolutions(2.0, np.array([3]), np.full((1, 84, 1), 0.5))
  share, height = features(2.0 * values).reshape(3, 2, 84).swapaxes(0, 1)
  np.testing.assert_allclose(share, (found > 0.5).mean(-1), atol=1e-6)
  above = np.where(found > 0.5, found - 0.5, 0).sum(-1) / (found > 0.5).sum(-1)
  np.testing.assert_allclose(height, above, rtol=1e-5)


def test_convolutions_treat_a_spectrum_alone_as_in_a_batch():
  values, _, _ = mixtures(20)
  features = random_convolutions.draw(values, seed=1, count=84, most=3)
  np.testing.assert_array_equal(features(values[33:34]), features(values)[33:34])
  lifted = features(values + 7.0)  # kernels sum to zero: an offset of the spectrum is not seen
  assert np.abs(lifted - features(values)).max() < 0.05
  other = random_convolutions.draw(values, seed=2, count=84, most=3)
  assert (other.bias_DxKxQ != features.bias_DxKxQ).any()
  with pytest.raises(ValueError, match='spectra have 8 points, expected at least 9'):
    random_convolutions.draw(values[:, :8], 0, 84, 3)


def test_wavelet_peaks_are_where_the_bands_are():
  place = np.arange(256)
  band = lambda centre, width: np.exp(-0.5 * ((place - centre) / width) ** 2)
  values = np.stack([band(100, 3.0), band(180, 12.0)]) + 0.02 * place
  found = wavelet_peaks.features(values, (2.0, 4.0, 8.0, 16.0), 8).reshape(2, 4, 32)
  inside = found[:, :, 8:28]  # the slope ends where the axis ends
  scale, stretch = np.unravel_index(inside.reshape(2, -1).argmax(1), inside.shape[1:])
  np.testing.assert_array_equal(stretch + 8, [100 // 8, 180 // 8])
  assert scale[0] < scale[1]
  flat = wavelet_peaks.features(values - 0.02 * place, (2.0, 4.0), 8).reshape(2, 2, 32)
  np.testing.assert_allclose(found[:, :2, 8:28], flat[:, :, 8:28], atol=1e-4)


@pytest.mark.parametrize(
  ('change', 'words'),
  [
    (lambda x, y, g: (x, classes(y), g), 'asks for classification, expected regression'),
    (lambda x, y, g: (x, y[:-1], g), 'with 19 targets and 20 groups'),
    (lambda x, y, g: (x, np.where(g == 3, np.nan, y), g), r'row 6 .*not finite \(2 such rows\)'),
    (lambda x, y, g: (x * np.inf, y, g), r'row 0 .*not finite \(20 such rows\)'),
    (lambda x, y, g: (x, np.ones(20), g), r'all 20 targets are \[1.\]'),
    (lambda x, y, g: (x, y, g // 5), '2 groups of 20 rows cannot be dealt to 5 folds'),
  ],
)
def test_what_nothing_can_be_learned_from_is_refused(change, words):
  with pytest.raises(ValueError, match=words):
    pls.fit(*change(*mixtures(10)), 0)


def test_aligned_likeness_is_the_best_lag_less_its_cost():
  rng = np.random.default_rng(0)
  a, b = rng.normal(size=(3, 60)), rng.normal(size=(2, 60))
  found = aligned_svm.likeness(a, b, 0.01, (5, 9), 4)
  wanted = np.zeros((3, 2))
  for window in (5, 9):
    x, y = (aligned_svm.edges(values, window) for values in (a, b))
    for i, j in np.ndindex(3, 2):
      each = []
      for lag in range(-4, 5):
        pairs = [(x[i, t + lag], y[j, t]) for t in range(60) if 0 <= t + lag < 60]
        u, v = np.array(pairs).T
        each.append(u @ v / np.sqrt((u @ u) * (v @ v)) - 0.01 * abs(lag))
      wanted[i, j] += max(each) / 2
  np.testing.assert_allclose(found, wanted, rtol=1e-10)
  np.testing.assert_allclose(aligned_svm.likeness(b, a, 0.01, (5, 9), 4), found.T, rtol=1e-10)


def test_moved_spectra_differ_by_the_cost_of_the_lag_whatever_their_scale():
  place = np.arange(200.0)
  line = lambda centre: np.exp(-(((place - centre) / 4) ** 2))
  still, moved = line(80) + 0.5 * line(130), line(87) + 0.5 * line(137)
  found = aligned_svm.likeness(5 * moved[None], still[None], 0.003, (9,), 10)
  np.testing.assert_allclose(found, 1 - 7 * 0.003, rtol=1e-6)
  far = aligned_svm.likeness(moved[None], still[None], 0.003, (9,), 3)
  assert far < 0.8  # no lag reaches that far
  with pytest.raises(ValueError, match='lags is 101 for 200 points, expected 0 to 100'):
    aligned_svm.likeness(moved[None], still[None], 0.003, (9,), 101)
