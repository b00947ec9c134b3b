"""Every step against another implementation or a closed form; gradients; what does not fit."""

import json

import jax
import numpy as np
import pytest
from chemotools import baseline, derivative, physics, scatter
from pybaselines import Baseline
from scipy import signal as filters

from spectra_jax.preprocess import Pipeline, codec, offline
from spectra_jax.preprocess.signal import Signal
from spectra_jax.preprocess.steps import (
  absorbance,
  arpls,
  asls,
  autoscale,
  calibrate,
  crop,
  despike,
  detrend,
  emsc,
  gap_segment,
  kubelka_munk,
  msc,
  normalise,
  project,
  resample,
  rnv,
  savitzky_golay,
  snv,
  transmittance,
)
from tests.preprocessing import AXIS, EXAMPLES, drawn, spectra

X = drawn()


def run(*steps, x=X):
  """[N, M] float64."""
  return Pipeline(steps, 'float64', chunk=16).fit(x).transform(x.values)


def test_every_step_has_an_example():
  assert set(EXAMPLES) == set(codec.names())


# ---- oracles ----------------------------------------------------------------

WEIGHT = np.linspace(0.5, 2.0, len(AXIS))
INTERFERENT = np.cos(AXIS / 9)[None]
EMSC = emsc.Step(3, interferent_KxL=INTERFERENT, weight_L=WEIGHT)
ORACLES = {
  'snv': (snv.Step(), scatter.StandardNormalVariate()),
  'rnv': (rnv.Step(30.0, 1e-10), scatter.RobustNormalVariate(percentile=30)),
  'msc': (msc.Step(), scatter.MultiplicativeScatterCorrection()),
  'emsc': (
    EMSC,
    scatter.ExtendedMultiplicativeScatterCorrection(
      order=3, interferences=INTERFERENT, weights=WEIGHT
    ),
  ),
  'norris': (gap_segment.Step(5, 7, 1), derivative.NorrisWilliams(5, 7, 1)),
  'norris, second': (
    gap_segment.Step(3, 5, 2, 'mirror'),
    derivative.NorrisWilliams(3, 5, 2, mode='mirror'),
  ),
  'parabola': (detrend.Step(2), baseline.PolynomialCorrection(order=2)),
}


@pytest.mark.parametrize('name', ORACLES)
def test_steps_are_those_of_chemotools(name):
  step, oracle = ORACLES[name]
  np.testing.assert_allclose(run(step), oracle.fit_transform(X.values), atol=1e-9)


@pytest.mark.parametrize('edges', savitzky_golay.EDGES)
def test_savitzky_golay_is_scipys(edges):
  step = savitzky_golay.Step(9, 3, 2, edges, per='axis')
  wanted = filters.savgol_filter(X.values, 9, 3, deriv=2, delta=200 / 60, mode=edges)
  np.testing.assert_allclose(run(step), wanted, atol=1e-12)


@pytest.mark.parametrize(
  ('step', 'method', 'options'),
  [
    (arpls.Step(1e4), 'arpls', {'lam': 1e4}),
    pytest.param(asls.Step(1e4, 0.01), 'asls', {'lam': 1e4, 'p': 0.01}, marks=pytest.mark.slow),
    pytest.param(
      arpls.Step(1e7, iterations=3), 'arpls', {'lam': 1e7, 'max_iter': 3}, marks=pytest.mark.slow
    ),
  ],
)
def test_baselines_are_those_of_pybaselines(step, method, options):
  compute = getattr(Baseline(AXIS), method)
  wanted = [row - compute(row, **options)[0] for row in X.values]
  np.testing.assert_allclose(run(step), wanted, atol=1e-6)
  corrected = offline.subtract_baseline(X, method, options)
  np.testing.assert_allclose(corrected.values, wanted, atol=1e-6)
  assert corrected.state == 'baseline_corrected'


def test_conversions_are_those_of_chemotools_and_undo_each_other():
  fraction = drawn(kind='reflectance')
  wanted = lambda a, b, x: physics.IntensityConversion(a, b).fit_transform(x)
  logarithm = run(absorbance.Step(1e-6), x=fraction)
  np.testing.assert_allclose(logarithm, -np.log10(fraction.values), atol=1e-12)
  back = run(absorbance.Step(1e-6), transmittance.Step(), x=fraction)
  np.testing.assert_allclose(back, fraction.values, atol=1e-12)
  munk = run(kubelka_munk.Step(1e-3), x=fraction)
  np.testing.assert_allclose(munk, wanted('reflectance', 'kubelka_munk', fraction.values))


def test_each_size_becomes_one():
  sizes = {
    'area': lambda y: np.trapezoid(np.abs(y), AXIS),
    'sum': lambda y: np.abs(y).sum(1),
    'vector': lambda y: np.linalg.norm(y, axis=1),
    'max': lambda y: np.abs(y).max(1),
    'range': lambda y: y.max(1) - y.min(1),
  }
  assert set(sizes) == set(normalise.BY)
  x = spectra(X.values - 0.4)
  for by, size in sizes.items():
    y = run(normalise.Step(by), x=x)
    np.testing.assert_allclose(size(y), 1, atol=1e-12)
    slope = np.diff(y) / np.diff(x.values)
    np.testing.assert_allclose(slope, slope[:, :1] * np.ones_like(slope), rtol=1e-6)


def test_scores_have_no_mean_and_do_not_correlate():
  y = run(project.Step(3), autoscale.Step('sd'))
  np.testing.assert_allclose(y.T @ y / len(y), np.eye(3), atol=1e-9)
  np.testing.assert_allclose(y.mean(0), 0, atol=1e-9)


def test_a_point_that_never_varies_is_not_divided_by_rounding():
  values = np.full((13, 2), 1.7)
  assert (values.std(0) > 0).all()  # by rounding
  constants = autoscale.Step('sd').fit(None, values)
  np.testing.assert_array_equal(constants['factor'], 1.0)
  values[0, 1] += 1e-12
  factor = autoscale.Step('sd').fit(None, values)['factor']
  np.testing.assert_allclose(factor, [1.0, 1 / values[:, 1].std()])


# ---- invariances ------------------------------------------------------------


def test_scatter_goes_and_interferents_go():
  gain, offset = np.array([[0.5], [2.0]]), np.array([[0.3], [-0.1]])
  one = X.values[:1]
  for step in (snv.Step(), msc.Step()):
    fitted = Pipeline((step,), 'float64', 16).fit(X)
    np.testing.assert_allclose(
      fitted.transform(gain * one + offset), np.repeat(fitted.transform(one), 2, 0), atol=1e-9
    )
  fitted = Pipeline((emsc.Step(2, True, INTERFERENT),), 'float64', 16).fit(X)
  spoilt = one + 0.7 * INTERFERENT + 0.2 * np.log(AXIS) + 1e-3 * AXIS
  np.testing.assert_allclose(fitted.transform(spoilt), fitted.transform(one), atol=1e-9)


def test_rays_go_and_lines_stay():
  clean = drawn(4, kind='raman')
  hit = clean.values.copy()
  hit[0, 10] += 3.0
  hit[1, 30:33] += [2.0, 2.5, 1.5]
  hit[2, 60] += 4.0
  got = run(despike.Step(8.0, 4), x=spectra(hit, kind='raman'))
  np.testing.assert_allclose(got, clean.values, atol=0.07)
  np.testing.assert_array_equal(got[3], hit[3])
  assert np.abs(hit - clean.values).max() > 1


# ---- axes -------------------------------------------------------------------

NM = np.linspace(1100.0, 2500.0, 701)


@pytest.mark.parametrize('points', [61, 350, 1400])
def test_straight_lines_come_out_of_resampling_exactly(points):
  new = np.linspace(1e7 / NM[-1], 1e7 / NM[0], points)
  line = spectra(3 - 2e-4 * (1e7 / NM)[None], NM, unit='nm')
  got = run(resample.Step(new, 'cm^-1'), x=line)
  np.testing.assert_allclose(got[0], 3 - 2e-4 * new, atol=1e-9)


def test_resampling_onto_the_same_axis_changes_nothing():
  np.testing.assert_allclose(run(resample.Step(AXIS, 'cm^-1')), X.values, atol=1e-9)


@pytest.mark.parametrize('unit', ['nm', 'cm^-1'])
def test_thinning_folds_nothing_back(unit):
  """Waves that fewer points can hold stay, others vanish; grids even in nm thin 2 to 11 times."""
  even = np.linspace(4000.0, 9000.0, 1001) if unit == 'cm^-1' else NM
  position = even if unit == 'cm^-1' else 1e7 / even
  new = np.linspace(position.min(), position.max(), 200 if unit == 'cm^-1' else 140)
  wave = lambda x, per_step: np.sin(2 * np.pi * per_step * (x - new[0]) / (new[1] - new[0]))
  source = spectra(np.stack([wave(position, f) for f in (0.2, 0.9)]), even, unit=unit)
  got = run(resample.Step(new, 'cm^-1'), x=source)
  inner = slice(6, -6)
  np.testing.assert_allclose(got[0, inner], wave(new, 0.2)[inner], atol=0.03)
  assert np.abs(got[1, inner]).max() < 0.03
  assert np.abs(wave(new, 0.9)[inner]).max() > 0.9


def test_a_standard_calibrates_its_instrument():
  true = np.array([520.7, 610.2, 655.5, 689.3])
  wrong = lambda nu: nu + 1.5 + 0.01 * (nu - 600)
  lines = sum(np.exp(-(((AXIS - wrong(peak)) / 6) ** 2)) for peak in true)
  step = calibrate.from_standard(spectra(lines[None]), true, degree=1, reach=8.0)
  out = step.after(Signal.of(X))
  np.testing.assert_allclose(wrong(out.axis), AXIS, atol=0.1)
  np.testing.assert_array_equal(run(step), X.values)
  with pytest.raises(ValueError, match=r'no peak within 8 of 580'):
    calibrate.from_standard(spectra(lines[None]), [*true, 580.0], degree=1, reach=8.0)


# ---- gradients --------------------------------------------------------------


QUICK = ('asls', 'resample')  # the others take a second of compilation each


@pytest.mark.parametrize(
  'name', [pytest.param(n, marks=[] if n in QUICK else [pytest.mark.slow]) for n in EXAMPLES]
)
def test_gradients_are_those_of_finite_differences(name):
  step, kind = EXAMPLES[name]
  x = drawn(4, kind=kind)
  fitted = Pipeline((step,), 'float64', 16).fit(x)
  rng = np.random.default_rng(1)
  direction, weight = rng.normal(size=(4, len(AXIS))), rng.normal(size=(4, len(fitted.out.axis)))
  with jax.enable_x64(True):
    score = jax.jit(jax.value_and_grad(lambda v: (fitted(v) * weight).sum()))
    step_size = 1e-6
    up, down = (float(score(x.values + s * step_size * direction)[0]) for s in (1, -1))
    slope = float((score(x.values)[1] * direction).sum())
  assert abs(slope) > 1e-3
  np.testing.assert_allclose(slope, (up - down) / (2 * step_size), rtol=2e-5)


# ---- files and refusals -----------------------------------------------------


@pytest.mark.parametrize('name', EXAMPLES)
def test_steps_survive_json_to_the_bit(name):
  step, kind = EXAMPLES[name]
  x = drawn(kind=kind)
  constants = step.fit(Signal.of(x), x.values)
  text = json.dumps(codec.encode_step(step, constants))
  again, known = codec.decode_step(json.loads(text))
  assert json.dumps(codec.encode_step(again, known)) == text
  assert all(known[key].tobytes() == np.asarray(constants[key]).tobytes() for key in constants)
  assert {key: known[key].dtype for key in known} == {key: constants[key].dtype for key in known}


@pytest.mark.parametrize(
  ('steps', 'about', 'sentence'),
  [
    ((snv.Step(), snv.Step()), {}, 'a second time changes nothing'),
    ((snv.Step(),), {'kind': 'n'}, 'it corrects the scatter of measured light'),
    ((kubelka_munk.Step(1e-3),), {}, "kind 'absorbance', expected reflectance"),
    ((absorbance.Step(1e-3),), {'kind': 'transmittance', 'state': 'snv'}, 'a fraction of light'),
    ((transmittance.Step(),), {'kind': 'raman'}, 'undoes a decadic logarithm'),
    ((despike.Step(6, 2),), {'state': 'smoothed'}, 'spread a ray'),
    ((savitzky_golay.Step(5, 2, 1), arpls.Step(1e4)), {}, 'put the baseline before it'),
    ((savitzky_golay.Step(6, 2, 1),), {}, 'window is 6, expected an odd number'),
    ((savitzky_golay.Step(63, 2, 1),), {}, 'window is 63, expected an odd number'),
    ((savitzky_golay.Step(5, 2, 3),), {}, 'derivative is 3, expected 0 to 2'),
    ((savitzky_golay.Step(5, 2, 1, 'wrap'),), {}, "edges is 'wrap', expected one of interp"),
    ((gap_segment.Step(3, 1, 1),), {}, 'gap is 1, expected 3 to 61'),
    ((project.Step(3), savitzky_golay.Step(3, 1, 0)), {}, 'put it before project'),
    ((crop.Step(500, 501),), {}, 'leaves 1 points'),
    ((resample.Step(AXIS - 50, 'cm^-1'),), {}, 'goes beyond what was measured, 500 to 700'),
    ((resample.Step(AXIS, 'nm'),), {'unit': 'index'}, 'which has no value in nm'),
    ((emsc.Step(2, reference_L=np.ones(9)),), {}, 'reference_L has shape'),
    ((emsc.Step(2, interferent_KxL=AXIS[None]),), {}, '5 shapes of rank 4'),
    ((EXAMPLES['calibrate'][0],), {'unit': 'nm'}, 'calibrate before resampling'),
    ((asls.Step(1e4, 0.0),), {}, 'asls.p is 0.0, expected'),
    ((normalise.Step('height'),), {}, "by is 'height', expected one of area"),
  ],
)
def test_what_makes_no_sense_is_refused(steps, about, sentence):
  with pytest.raises(ValueError, match=sentence):
    Pipeline(steps).fit(drawn(**about))


def test_per_cent_uneven_axes_and_low_precision_are_refused():
  percent = spectra(100 * X.values, kind='transmittance')
  with pytest.raises(ValueError, match='divide per cent by 100'):
    Pipeline((absorbance.Step(1e-6),)).fit(percent)
  uneven = drawn(axis=1e7 / np.linspace(9000, 4000, 61), unit='nm')
  with pytest.raises(ValueError, match='resample first, or count per point'):
    Pipeline((savitzky_golay.Step(5, 2, 1, per='axis'),)).fit(uneven)
  jump = drawn(axis=np.append(AXIS[:30], AXIS[30:] + 40))
  with pytest.raises(ValueError, match=r'changes 13-fold at'):
    Pipeline((resample.Step(AXIS, 'cm^-1'),)).fit(jump)
  with pytest.raises(ValueError, match='expected float64, in which its stiff equations'):
    Pipeline((arpls.Step(1e4),)).fit(X).transform(X.values)
