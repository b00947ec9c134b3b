"""Distances between sets of poles, exact tests, planted structure, and a layer that learns it."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st

from configs import default, spektron_poles
from spectra_jax import discretisation, pole_drift, pole_report, train, transfer
from spectra_jax.backbones.linoss import Oscillators
from spectra_jax.datasets import planted
from spectra_jax.transfer import OscillatorFilter
from spectra_jax.workdir import claim
from tests import processes

AXIS = np.linspace(400.0, 4000.0, 401)


def ring(seed, count=6, shift=0.0):
  rng = np.random.default_rng(seed)
  upper = rng.uniform(0.6, 0.95, count) * np.exp(1j * (rng.uniform(0.2, 2.5, count) + shift))
  return np.concatenate([upper, upper.conj()])


# ---- distances ----------------------------------------------------------------


def test_a_distance_knows_no_order_and_is_that_of_logarithms():
  poles = ring(0)
  mixed = np.random.default_rng(1).permutation(poles)
  assert pole_drift.distance(poles, mixed) == pytest.approx(0, abs=1e-12)
  shrunk = poles * 0.99
  assert pole_drift.distance(poles, shrunk[::-1]) == pytest.approx(-np.log(0.99))
  turned = np.where(poles.imag > 0, poles * np.exp(0.001j), poles * np.exp(-0.001j))
  assert pole_drift.distance(poles, turned) == pytest.approx(0.001)


def test_angles_are_compared_the_short_way_round():
  one, other = np.array([0.9 * np.exp(3.13j)]), np.array([0.9 * np.exp(-3.13j)])
  assert pole_drift.distance(one, other) == pytest.approx(2 * (np.pi - 3.13))


def test_a_pole_at_zero_is_as_far_as_one_that_forgets_at_once():
  zero = np.array([0.0 + 0j])
  assert np.isfinite(pole_drift.distance(zero, np.array([0.5 + 0j])))
  with pytest.raises(ValueError, match='cannot be paired, expected'):
    pole_drift.distance(ring(0), ring(0)[:-1])


def test_seeds_alone_are_no_drift_and_a_common_turn_is():
  layers = lambda seeds, **more: [[ring(seed, **more)] for seed in seeds]
  draw = lambda k: (layers(range(10 * k, 10 * k + 5)), layers(range(10 * k + 5, 10 * k + 10)))
  p = [pole_drift.drift(*draw(k)).p for k in range(30)]
  assert 0.25 < np.mean(p) < 0.8  # one half where nothing is different
  assert np.mean(np.array(p) <= 1 / 16) < 0.2
  found = pole_drift.drift(layers(range(5)), layers(range(50, 55), shift=0.5))
  assert found.p == found.least_p == 1 / 16
  assert found.excess > 0.05
  still = pole_drift.drift(layers(range(5)), layers(range(5)))
  assert (still.moved, still.by_index) == (0, 0)
  assert still.initial == still.trained > 0
  with pytest.raises(ValueError, match='for at least two seeds'):
    pole_drift.drift(layers([0]), layers([1]))


def test_excess_is_what_its_definition_says():
  """Two seeds whose tables can be written down."""
  table = np.array([[0, 1, 9, 5], [1, 0, 7, 9], [9, 7, 0, 3], [5, 9, 3, 0]], float)
  excess, p, least = pole_drift.flip_test(table)
  assert excess == (5 + 7) / 2 - (1 + 3) / 2
  assert (p, least) == (0.5, 0.5)  # the other exchange gives (1 + 3) / 2 - (5 + 7) / 2


def test_nearest_and_preference():
  assert pole_drift.nearest(ring(0), ring(0)[3]) == 0
  poles, wanted = np.array([0.9 * np.exp(1j)]), 0.9 * np.exp(-1.1j)
  assert pole_drift.nearest(poles, wanted) == pytest.approx(0.1)
  gap, p, least = pole_drift.preference([1.0, 2.0, 1.0], [3.0, 3.0, 4.0])
  assert (gap, p, least) == (2.0, 1 / 8, 1 / 8)
  assert pole_drift.preference([3.0, 3.0, 4.0], [1.0, 2.0, 1.0])[1] == 1.0


# ---- poles, angles and lengths go round ---------------------------------------


@settings(max_examples=12, deadline=None)
@given(
  scheme=st.sampled_from(['imex', 'imex2']),
  radius=st.floats(0.3, 0.999),
  theta=st.floats(0.02, 3.1),
  dnu=st.floats(0.5, 200.0),
)
def test_pole_angles_round_trip(scheme, radius, theta, dnu):
  """(r, theta) -> A, G -> coefficients -> poles -> cm^-1 -> angle."""
  with jax.enable_x64(True):
    r, t, h = (jnp.array([x], jnp.float64) for x in (radius, theta, 0.5))
    a, g = discretisation.SCHEMES[scheme].from_pole(r, t, h)
    found = discretisation.coefficients(scheme, 'oscillatory', a, g, h)
  g_P, c_P, e_P, f_P = (np.asarray(x) for x in found)
  zero = np.zeros((2, 1))
  poles = transfer.poles(OscillatorFilter(g_P, c_P, e_P, zero, zero.T, np.ones(1)))
  upper = poles[np.argmax(poles.imag)]
  assert abs(upper) == pytest.approx(radius, rel=1e-9)
  assert np.angle(upper) == pytest.approx(theta, rel=1e-7)
  period, decay = transfer.period_cm(upper, dnu), transfer.decay_length_cm(upper, dnu)
  assert transfer.angle(period, dnu) == pytest.approx(theta, rel=1e-7)
  assert planted.pole(period, decay, dnu) == pytest.approx(upper, rel=1e-7)
  assert f_P > 0


# ---- planted data -------------------------------------------------------------


def test_fringes_have_the_covariance_that_is_said_on_uneven_axes_too():
  rng = np.random.default_rng(0)
  nu = np.cumsum(rng.uniform(5.0, 40.0, 12))
  x = planted.fringes(rng, nu, 40_000, 180.0, 400.0)
  gap = np.abs(nu[:, None] - nu)
  wanted = np.exp(-gap / 400.0) * np.cos(2 * np.pi * gap / 180.0)
  np.testing.assert_allclose(x.T @ x / len(x), wanted, atol=0.03)  # six standard errors


def test_planted_spectra_are_positive_seeded_and_refused_where_they_cannot_be():
  first, again, other = (planted.load(AXIS, count=50, seed=s)['ir'] for s in (0, 0, 1))
  np.testing.assert_array_equal(first.values, again.values)
  assert (first.values != other.values).any()
  assert first.source == again.source != other.source
  assert (first.values > 0).all()
  for change, words in (
    ({'period_cm': 0.0}, 'two positive lengths'),
    ({'contrast': 0.5}, 'change sign'),
  ):
    with pytest.raises(ValueError, match=words):
      planted.load(AXIS, **change)


# ---- learning -----------------------------------------------------------------


def wiener(theta_T, pole, noise):
  """H(e^{i theta}) of the best causal prediction of x_{n+1} from y_m = x_m + noise e_m, m <= n.

  Steady state of the Kalman filter of z_{n+1} = pole z_n + w, x = Re z, by the Riccati equation.
  """
  a = np.array([[pole.real, -pole.imag], [pole.imag, pole.real]])
  c, q = np.array([[1.0, 0.0]]), (1 - abs(pole) ** 2) * np.eye(2)
  p = scipy.linalg.solve_discrete_are(a.T, c.T, q, np.array([[noise**2]]))
  gain = p @ c.T / (c @ p @ c.T + noise**2)
  inner = a @ (np.eye(2) - gain @ c)
  resolve = lambda w: (c @ np.linalg.solve(np.eye(2) - w * inner, a @ gain)).item()
  return np.array([resolve(np.exp(-1j * theta)) for theta in theta_T]), (c @ p @ c.T).item()


# From angles up to pi the same steps end at 1.4 times the best error of the slower fringes.
RING = {'r_min': 0.5, 'theta_max': 1.0}


@pytest.mark.slow
@pytest.mark.parametrize('period', [120.0, 300.0])
def test_a_layer_that_predicts_fringes_becomes_the_kalman_filter(period):
  dnu, decay, noise, length, batch = 14.0, 600.0, 0.7, 192, 64
  pole = planted.pole(period, decay, dnu)
  names = ('discretisation', 'damped', 'region', 'initialisation', 'r_min', 'r_max', 'theta_max')
  chosen = default.get_config().backbone.linoss
  options = {name: chosen[name] for name in (*names, 'input_norm', 'heads', 'sequence_axis')}
  layer = Oscillators(state=6, algorithm='sequential', reverse=False, **{**options, **RING})
  rng = np.random.default_rng(0)
  x = np.float32(planted.fringes(rng, np.arange(length + 1) * dnu, 40 * batch, period, decay))
  y = (x + noise * rng.normal(size=x.shape)).astype('f4')
  params = layer.init(jax.random.key(0), y[:2, :, None])
  tx = optax.adam(optax.cosine_decay_schedule(2e-2, 400))

  def loss(params, seen, wanted):
    said = layer.apply(params, seen[:, :-1, None])[..., 0]
    return ((said - wanted[:, 1:]) ** 2)[:, 60:].mean()  # past the start

  @jax.jit
  def epoch(params, state, xs, ys):
    def step(carry, batch):
      slope = jax.grad(loss)(carry[0], *batch)
      updates, state = tx.update(slope, carry[1])
      return (optax.apply_updates(carry[0], updates), state), None

    return jax.lax.scan(step, (params, state), (ys, xs))[0]

  state = tx.init(params)
  cut = lambda a: a.reshape(40, batch, -1)
  before = params
  for _ in range(10):
    params, state = epoch(params, state, cut(x), cut(y))
  theta = np.linspace(0.02, 1.5, 200)
  wanted, best = wiener(theta, pole, noise)
  assert loss(params, y, x) < 1.02 * best
  assert loss(before, y, x) > 1.2 * best
  found = transfer.response(layer.apply(params, 1, method='state_space'), theta)[:, 0, 0]
  peak = lambda h_T: theta[np.abs(h_T).argmax()]
  assert abs(peak(found) - peak(wanted)) < 0.05
  assert abs(peak(found) - 2 * np.pi * dnu / period) < 0.08  # noise makes the best one wider
  assert np.linalg.norm(found - wanted) < 0.2 * np.linalg.norm(wanted)


@pytest.mark.slow
def test_runs_of_two_tasks_are_reported_and_tabled(tmp_path):
  for seed in (0, 1):
    for period in (120.0, 300.0):
      c = spektron_poles.get_config('tiny')
      c.seed, c.dataset.planted.period_cm = seed, period
      c.log.figures, c.log.tensorboard = False, False
      run = train.prepare(c, str(tmp_path / 'runs' / f'{period:g}-{seed}'))
      with claim(run.workdir, run.config, run.data_hash):
        train.train(run)
  root = tmp_path / 'spektron_pole_reports'
  words = ('-m', 'experiments.poles', f'--runs={tmp_path}/runs/*', f'--root={root}')
  document = json.loads(processes.finish(processes.start(*words)).splitlines()[-1])
  assert set(document['groups']) == {'planted-120-600-linoss', 'planted-300-600-linoss'}
  found = document['groups']['planted-120-600-linoss']
  assert 0 < found['poles']['moved'] <= found['poles']['by_index'] + 1e-9
  assert found['poles']['moved'] < found['poles']['initial']  # ten steps
  assert found['planted']['p_other'] in (0.25, 0.5, 0.75, 1.0)
  report = json.loads((root / 'planted-120-600-linoss' / 'report.json').read_text())
  assert report['seeds'] == [0, 1]
  assert (root / 'planted-120-600-linoss' / 'poles.png').stat().st_size > 1000
  with pytest.raises(ValueError, match='expected a run that has finished'):
    pole_report.read(tmp_path)


def test_groups_that_differ_by_size_alone_have_folders_of_their_own_in_any_order():
  runs = []
  for width, seed in ((16, 0), (16, 1), (32, 0)):
    c = default.get_config()
    c.backbone.width, c.seed = width, seed
    runs.append(pole_report.Poles(c, {}, 28.0, [], [], np.zeros((2, 0))))
  names = pole_report.folders(pole_report.groups(runs))
  assert len(names) == len(set(names.values())) == 2
  assert pole_report.folders(pole_report.groups(runs[::-1])) == names
  assert list(pole_report.folders(pole_report.groups(runs[:2])).values()) == ['computed-linoss']
  with pytest.raises(ValueError, match=r'have the seeds \[0, 0, 1\], expected each once'):
    pole_report.groups([*runs[:2], runs[0]])


def test_preference_of_many_seeds_is_near_the_exact_one():
  rng = np.random.default_rng(0)
  own, other = rng.normal(size=(2, 12)) + np.array([[0.0], [0.5]])
  exact = pole_drift.preference(own, other)
  twice = pole_drift.preference(np.tile(own, 2), np.tile(other, 2))
  assert twice[0] == pytest.approx(exact[0])
  assert 1 / 4096 <= twice[1] < exact[1] < 0.5
