"""The five schemes against matrices solved from their updates, spectra and finite differences."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spectra_jax import discretisation
from spectra_jax.discretisation import REGIONS, SCHEMES

# whether stiffness, damping and velocity are taken at the new time
IMPLICIT = {
  'im': (1, 1, 1),
  'imex': (0, 1, 1),
  'imex2': (0, 0, 1),
  'imex3': (1, 0, 1),
  'ex': (0, 0, 0),
}
DAMPED = ('imex', 'imex2', 'ex')  # reach every angle
steps = st.floats(0.05, 0.95)


def transition(name, A, G, h):
  """M [.., 2, 2] and F [.., 2] on (velocity, position), from new w_n = old w_{n-1} + force."""
  stiff, damp, move = IMPLICIT[name]
  zero = np.zeros_like(A * h)
  matrix = lambda *rows: np.moveaxis(np.array([[r + zero for r in row] for row in rows]), -1, 0)
  new = matrix((1 + h * damp * G, h * stiff * A), (-h * move, 1))
  old = matrix((1 - h * (1 - damp) * G, -h * (1 - stiff) * A), (h * (1 - move), 1))
  force = np.stack((h + zero, zero), axis=-1)[..., None]
  return np.linalg.solve(new, old), np.linalg.solve(new, force)[..., 0]


@functools.cache
def compiled(name, region):
  return jax.jit(functools.partial(discretisation.coefficients, name, region))


def coefficients(name, region, *arrays):
  """The scheme's (g, c, e, f) in float64."""
  with jax.enable_x64(True):
    return jax.device_get(compiled(name, region)(*(np.atleast_1d(np.float64(a)) for a in arrays)))


@functools.cache
def compiled_round_trip(name, damped):
  def function(r, theta, h):
    scheme = SCHEMES[name]
    poles = (r, theta, h)
    A, G = scheme.from_pole(*poles) if damped else (scheme.undamped(*poles), 0 * h)
    return discretisation.coefficients(name, 'oscillatory', A, G, h)

  return jax.jit(function)


def filter_of_pole(name, r, theta, h, damped=True):
  with jax.enable_x64(True):
    arrays = (np.array([value], np.float64) for value in (r, theta, h))
    return [float(a[0]) for a in compiled_round_trip(name, damped)(*arrays)]


def pole(g, c):
  """(|lambda|, angle) of the filter, the angle without cancellation at 0 and pi.

  c = (1 - r)^2 + 4 r sin(theta/2)^2 with r^2 = 1 - g.
  """
  r = np.sqrt(1 - g)
  half_sine_squared = np.clip((c - (g / (1 + r)) ** 2) / (4 * r), 0, 1)
  return r, 2 * np.arctan2(np.sqrt(half_sine_squared), np.sqrt(1 - half_sine_squared))


def spectrum(trace, det):
  """(largest |lambda|, tr^2 - 4 det)."""
  discriminant = trace**2 - 4 * det
  real = (np.abs(trace) + np.sqrt(np.maximum(discriminant, 0))) / 2
  return np.where(discriminant < 0, np.sqrt(np.abs(det)), real), discriminant


def draws(seed, size):
  """(A, G, h) with h^2 A in [-1, 9] and h G in [-1, 5]."""
  rng = np.random.default_rng(seed)
  h = rng.uniform(0.05, 0.95, size)
  return rng.uniform(-1, 9, size) / h**2, rng.uniform(-1, 5, size) / h, h


@pytest.mark.parametrize('region', REGIONS)
@pytest.mark.parametrize('name', SCHEMES)
def test_projection_keeps_its_region_and_moves_the_rest_into_it(name, region):
  """The region is read off the eigenvalues of the solved matrix, not off a formula for it."""
  A, G, h = draws(0, 20_000)
  M, F = transition(name, A, G, h)
  radius, discriminant = spectrum(np.trace(M, axis1=1, axis2=2), np.linalg.det(M))
  inside = (A >= 0) & (G >= 0) & (radius < 1 - 1e-9)
  if region == 'oscillatory':
    inside &= discriminant < -1e-9
  assert 200 < inside.sum() < 19_800
  g, c, e, f = coefficients(name, region, A, G, h)
  radius, discriminant = spectrum(2 - g - c, 1 - g)
  assert radius.max() <= 1 + 1e-6  # a double pole moves by the root of a rounding
  assert region == 'stable' or discriminant.max() <= 1e-12
  np.testing.assert_allclose(4 - 2 * g - c, e, atol=1e-13)
  g, c, f, M, F = (a[inside] for a in (g, c, f, M, F))
  np.testing.assert_allclose(1 - g, np.linalg.det(M), atol=1e-12)
  np.testing.assert_allclose(2 - g - c, np.trace(M, axis1=1, axis2=2), atol=1e-12)
  late = SCHEMES[name].delay
  np.testing.assert_allclose(f, (M @ F[..., None])[:, 1, 0] if late else F[:, 1], rtol=1e-9)
  assert np.all(F[:, 1] == 0) == bool(late)


@pytest.mark.parametrize('name', SCHEMES)
def test_extreme_parameters_stay_stable_oscillations(name):
  exponents = np.random.default_rng(1).uniform(-12, 9, (2, 5000))
  A, G = np.random.default_rng(2).choice([-1, 1], (2, 5000), p=[0.1, 0.9]) * 10.0**exponents
  h = np.random.default_rng(3).uniform(1e-3, 0.999, 5000)
  g, c, e, f = coefficients(name, 'oscillatory', A, G, h)
  r = np.sqrt(1 - g)
  assert ((g >= 0) & (g <= 1) & (e >= 0) & (f >= 0)).all()
  digits = 1e-9 + 1e-15 / np.maximum(r, 1e-9)  # that 1 - g leaves to r
  assert ((g / (1 + r)) ** 2 * (1 - digits) <= c).all()
  assert (c <= (1 + r) ** 2 * (1 + digits)).all()


@pytest.mark.parametrize('name', DAMPED)
@given(r=st.floats(0.3, 1.0), theta=st.floats(1e-5, np.pi - 1e-5), h=steps)
@settings(max_examples=40, deadline=None)
def test_every_pole_survives_the_round_trip(name, r, theta, h):
  np.testing.assert_allclose(pole(*filter_of_pole(name, r, theta, h)[:2]), (r, theta), atol=1e-6)


@pytest.mark.parametrize('name', ['im', 'imex3'])
@given(r=st.floats(0.3, 1.0), share=st.floats(0, 1), h=steps)
@settings(max_examples=40, deadline=None)
def test_every_pole_below_the_cosine_survives_the_round_trip(name, r, share, h):
  theta = share * np.arccos(r)
  found_r, found_theta = pole(*filter_of_pole(name, r, theta, h)[:2])
  np.testing.assert_allclose(found_r, r, atol=1e-6)
  np.testing.assert_allclose(np.cos(found_theta), np.cos(theta), atol=1e-12)
  if theta > 1e-5:
    np.testing.assert_allclose(found_theta, theta, atol=1e-6)


@pytest.mark.parametrize('name', ['im', 'imex3'])
def test_no_damping_reaches_a_pole_beyond_the_cosine(name):
  A, G = SCHEMES[name].from_pole(0.9, np.arccos(0.9) + 1e-3, 0.5)
  assert A > 0 > G


@pytest.mark.parametrize('name', ['im', 'imex', 'imex2', 'imex3'])
@given(r=st.floats(0.3, 1.0), theta=st.floats(1e-5, np.pi - 1e-5), h=steps)
@settings(max_examples=20, deadline=None)
def test_undamped_schemes_reach_the_circle_or_the_cosine(name, r, theta, h):
  found = pole(*filter_of_pole(name, r, theta, h, damped=False)[:2])
  expected = (1, theta) if name in ('imex', 'imex2') else (r, np.arccos(r))
  np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize('region', REGIONS)
@pytest.mark.parametrize(('one', 'other'), [('imex', 'imex2'), ('im', 'imex3')])
def test_without_damping_two_schemes_are_one(one, other, region):
  A, _, h = draws(3, 200)
  pairs = (coefficients(name, region, A, 0 * A, h) for name in (one, other))
  np.testing.assert_allclose(*pairs, atol=1e-14)


@pytest.mark.parametrize('name', DAMPED)
@given(r=st.floats(0.9, 1.0), gap=st.floats(1e-5, 1.5), h=steps)
@settings(max_examples=20, deadline=None)
def test_stiffness_seen_from_pi_keeps_its_digits(name, r, gap, h):
  """e = (1 - r)^2 + 4 r sin(gap/2)^2 at theta = pi - gap, up to the rounding of A in float64."""
  e = filter_of_pole(name, r, np.pi - gap, h)[2]
  np.testing.assert_allclose(e, (1 - r) ** 2 + 4 * r * np.sin(gap / 2) ** 2, atol=2e-14)


def bounds(name, region, d):
  """The ends of h^2 A at h G = d, from the conditions of the papers."""
  root = np.sqrt(np.maximum(1 + d if name == 'imex' else 1 - d, 0))
  with np.errstate(divide='ignore'):
    ends = {
      'im': (d**2 / 4, 0 * d),
      'imex': ((root - 1) ** 2, (root + 1) ** 2),
      'imex2': ((1 - root) ** 2, (1 + root) ** 2),
      'imex3': (np.where(d < 1, d**2 / (4 * np.maximum(1 - d, 1e-9)), 1e9), 0 * d),
      'ex': (d**2 / 4, d),
    }
  if region == 'oscillatory':
    return ends[name]
  low = np.maximum(2 * d - 4, 0) if name in ('imex3', 'ex') else 0 * d
  return low, {'imex': 4 + 2 * d, 'imex2': 4 - 2 * d, 'ex': d}.get(name, low)


def boundary(name, region, size):
  """(A, G, h) on the ends of the region and around them, at d = 0, 1, 2 and 4 and between."""
  rng = np.random.default_rng(5)
  log = 10.0 ** rng.uniform(-12, 3, size)
  corners = rng.choice([0.0, 1.0, 2.0, 4.0], size) + rng.choice([-1, 0, 1], size) * log * 1e-12
  d = np.select(
    [rng.random(size) < p for p in (0.3, 0.6)], [rng.uniform(0, 4.5, size), corners], log
  )
  h = rng.uniform(0.05, 0.95, size)
  off = rng.choice([-1, 0, 0, 1], size) * 10.0 ** rng.uniform(-17, -2, size)
  return rng.choice(bounds(name, region, d)) * (1 + off) / h**2, d / h, h


DTYPES = [np.float32, pytest.param(np.float64, marks=pytest.mark.slow)]


@pytest.mark.parametrize('dtype', DTYPES)
def test_values_and_gradients_are_finite_on_100_000_boundary_points(dtype):
  cases = {(name, region): boundary(name, region, 10_000) for name in SCHEMES for region in REGIONS}

  @jax.jit
  def run(cases):
    def total(name, region, A, G, h):
      g, c, e, f = discretisation.coefficients(name, region, A, G, h)
      return jnp.sum(g + 2 * c + 3 * e + f + discretisation.unit_variance(g, c, e))

    both = jax.value_and_grad(total, argnums=(2, 3, 4))
    return [both(*key, *arrays) for key, arrays in cases.items()]

  with jax.enable_x64(True):
    results = jax.device_get(run(jax.tree.map(dtype, cases)))
  for key, result in zip(cases, results, strict=True):
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(result)), key


@pytest.mark.parametrize('region', REGIONS)
@pytest.mark.parametrize('name', SCHEMES)
def test_gradients_are_those_of_the_projected_values(name, region):
  """Against central differences, inside and outside the region; kinks are left out."""
  arrays = draws(7, 500)

  def values(*arrays):
    g, c, e, f = discretisation.coefficients(name, region, *arrays)
    return jnp.stack((g, c, e, f, discretisation.unit_variance(g, c, e)))

  with jax.enable_x64(True):
    run = jax.jit(values)
    slopes = jax.jit(jax.jacfwd(lambda A, G, h: values(A, G, h).sum(1), argnums=(0, 1, 2)))
    single = jax.jit(jax.vmap(lambda *a: jnp.stack(slopes(*(x[None] for x in a)))[..., 0]))
    exact = np.asarray(single(*arrays))  # [draw, argument, value]
    for i, step in enumerate((1e-6, 1e-6, 1e-7)):
      moved = [[a + sign * step * (j == i) for j, a in enumerate(arrays)] for sign in (1, 0, -1)]
      above, here, below = (np.asarray(run(*a)) for a in moved)
      left, right = (here - below) / step, (above - here) / step
      smooth = np.abs(left - right).max(0) < 1e-4 * (1 + np.abs(left).max(0))
      assert smooth.mean() > 0.7
      error = np.abs((left + right).T / 2 - exact[:, i])[smooth]
      assert error.max() < 1e-4 * (1 + np.abs(exact[smooth, i]).max())


@pytest.mark.parametrize('name', SCHEMES)
def test_unit_variance_is_the_sum_of_squares_of_the_impulse_response(name):
  """Real and complex poles with |lambda| < 0.99, by 4000 steps of the filter."""
  g, c, e, _ = coefficients(name, 'stable', *draws(11, 2000))
  inside = spectrum(2 - g - c, 1 - g)[0] < 0.99
  g, c, e = (a[inside] for a in (g, c, e))
  assert len(g) > 40
  with jax.enable_x64(True):
    zeta = x = np.asarray(discretisation.unit_variance(g, c, e))
  variance = x**2
  for _ in range(4000):
    zeta = zeta - (g * zeta + c * x)
    x = x + zeta
    variance = variance + x**2
  np.testing.assert_allclose(variance, 1, rtol=1e-9)


def test_unit_variance_goes_to_zero_with_the_damping():
  """As sqrt(g e c / 2) near |lambda| = 1, to exactly 0 there, and at a double integrator."""
  g, c = np.array([1e-4, 1e-8, 0, 0, 2]), np.array([1, 1, 1, 0, 0])
  with jax.enable_x64(True):
    factor = discretisation.unit_variance(g, c, 4 - 2 * g - c)
  np.testing.assert_allclose(factor, [*np.sqrt(1.5 * g[:2]), 0, 0, 0], rtol=1e-4, atol=0)


@pytest.mark.parametrize(
  ('name', 'damped'),
  [(name, damped) for name in SCHEMES for damped in (True, False) if damped or name != 'ex'],
)
def test_ring_is_uniform_over_the_poles_that_can_be_had(name, damped):
  poles = (500, name, damped, 0.9, 0.99, 2.0)
  dynamics = jax.device_get(discretisation.ring(jax.random.key(0), *poles))
  assert set(dynamics) == ({'A', 'G', 'steps'} if damped else {'A', 'steps'})
  A, G, h = dynamics['A'], dynamics.get('G', np.zeros(500)), jax.nn.sigmoid(dynamics['steps'])
  assert A.min() > 0
  assert G.min() >= 0
  r, theta = pole(*coefficients(name, 'oscillatory', A, G, h)[:2])
  share = np.arange(1, 501) / 501
  if not damped and name in ('imex', 'imex2'):
    np.testing.assert_allclose(r, 1, atol=1e-6)
  else:
    np.testing.assert_allclose(np.sort(r**2), 0.9**2 + (0.99**2 - 0.9**2) * share, atol=0.015)
  if damped or name in ('imex', 'imex2'):
    limit = np.minimum(2.0, np.arccos(r)) if name in ('im', 'imex3') else 2.0
    np.testing.assert_allclose(np.sort(theta / limit), share, atol=0.075)
  else:
    np.testing.assert_allclose(np.cos(theta), r, atol=1e-5)


def test_uniform_draws_from_the_unit_interval():
  dynamics = jax.device_get(discretisation.uniform(jax.random.key(0), 500, True))
  share = np.arange(1, 501) / 501
  for name in ('A', 'G'):
    np.testing.assert_allclose(np.sort(dynamics[name]), share, atol=0.08)
  assert np.abs(np.corrcoef(dynamics['A'], dynamics['G'])[0, 1]) < 0.15
  np.testing.assert_allclose(dynamics['steps'].std(), 0.5, rtol=0.15)
  assert set(discretisation.uniform(jax.random.key(0), 5, False)) == {'A', 'steps'}


SETTINGS = {
  'discretisation': 'imex',
  'damped': True,
  'region': 'oscillatory',
  'initialisation': 'ring',
  'r_min': 0.9,
  'r_max': 1.0,
  'theta_max': math.pi,
  'input_norm': False,
}


@pytest.mark.parametrize(
  ('changes', 'sentence'),
  [
    ({'discretisation': 'rk4'}, "unknown LinOSS discretisation 'rk4': expected one of im, imex, "),
    ({'region': 'all'}, "unknown LinOSS region 'all': expected one of oscillatory, stable; set"),
    ({'initialisation': 'hippo'}, "unknown LinOSS initialisation 'hippo': expected one of ring, "),
    ({'discretisation': 'ex', 'damped': False}, r"'ex' with damped = False has \|lambda\|\^2 = 1 "),
    ({'damped': False, 'input_norm': True}, "'imex' with damped = False .* no stationary variance"),
    ({'r_min': 0.95, 'r_max': 0.9}, 'r_min = 0.95 and r_max = 0.9, expected 0 < r_min <= r_max'),
    ({'r_max': 1.01}, 'r_min = 0.9 and r_max = 1.01, expected 0 < r_min <= r_max <= 1'),
    ({'r_min': 0.0}, 'r_min = 0.0 and r_max = 1.0, expected 0 < r_min <= r_max <= 1'),
    ({'theta_max': 3.2}, r'theta_max = 3.2, expected an angle in \(0, pi\]'),
    ({'theta_max': 0.0}, r'theta_max = 0.0, expected an angle in \(0, pi\]'),
    ({'theta_max': math.nan}, r'theta_max = nan, expected an angle in \(0, pi\]'),
  ],
)
def test_settings_without_meaning_are_refused(changes, sentence):
  discretisation.check(**SETTINGS)
  with pytest.raises(ValueError, match=sentence):
    discretisation.check(**SETTINGS | changes)


def test_damping_that_dissipates_allows_input_norm_without_a_parameter():
  discretisation.check(**SETTINGS | {'discretisation': 'im', 'damped': False, 'input_norm': True})
