"""Laws by construction hold for random weights, before any training."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.interpolate import CubicSpline

from spectra_jax.heads import integral_matched, non_negative, paired
from spectra_jax.losses.kramers_kronig import kramers_kronig
from spectra_jax.losses.non_negativity import non_negativity
from spectra_jax.losses.selection_rules import selection_rules
from spectra_jax.physics import kramers_kronig as transforms
from spectra_jax.tokenize import token_positions
from tests.parameters import draw

AXIS = np.linspace(410.0, 1390.0, 246)  # cm^-1, 4 apart
LATTICE = {'step_cm': 14.0, 'knots_per_step': 2}
LOUD = 8.0  # times the usual weights: laws by construction know no size


def tokens():
  shape = (3, len(token_positions(AXIS, 14.0)), 6)
  return np.random.default_rng(0).normal(size=shape).astype(np.float32)


@functools.cache
def loud(module):
  """Variables far from where training starts."""
  variables = draw(lambda key, x: module.init(key, x, AXIS), tokens())
  return jax.tree.map(lambda a: LOUD * a, variables)


@functools.cache
def applied(module, method='__call__'):
  return jax.jit(
    lambda variables, x, *known: module.apply(variables, x, AXIS, *known, method=method)
  )


# ---- n and k ----------------------------------------------------------------

MEDIUM = non_negative.Head(**LATTICE)


def test_random_weights_give_a_passive_causal_medium():
  out = applied(MEDIUM)(loud(MEDIUM), tokens())
  assert (out['k'] >= 0).all()
  assert out['k'].max() > 20 * MEDIUM.scale
  assert non_negativity(out['k'], kind='k', state='computed').max() == 0
  options = {'edge': 0.02, 'floor': 1e-14, 'kinds': ('n', 'k'), 'state': 'computed'}
  plan = transforms.plan(AXIS, tails=MEDIUM.tails)
  loss = jax.jit(lambda n, k: kramers_kronig(plan, n, k, tolerance=0.0, **options))
  assert jnp.sqrt(loss(out['n'], out['k'])).max() < 1e-5
  assert jnp.sqrt(loss(out['n'], 1.01 * out['k'])).min() > 5e-3


def test_n_is_the_principal_value_integral_of_k():
  """By direct quadrature of (2/pi) P int x k / (x^2 - nu^2), singularity taken off, no tails."""
  module = non_negative.Head(**LATTICE, tails='none')
  fine = np.linspace(410.0, 1390.0, 491)
  variables = draw(lambda key, x: module.init(key, x, AXIS), tokens())
  out = jax.jit(lambda v, x: module.apply(v, x, fine))(variables, tokens())
  spline = CubicSpline(fine, np.float64(out['k'][0]))
  nu, x = fine[50:-50:7, None], 410.0 + 980.0 * (np.arange(40_000) + 0.5) / 40_000
  smooth = (x * spline(x) - nu * spline(nu)) / ((x - nu) * (x + nu))
  a, b = fine[[0, -1]]
  log = np.log((b - nu) * (nu + a) / ((b + nu) * (nu - a)))
  direct = 2 / np.pi * (smooth.mean(-1) * 980.0 + 0.5 * (spline(nu) * log)[:, 0])
  rest = np.float64(out['n'][0])[50:-50:7] - direct
  shapes = np.concatenate([np.ones_like(nu), nu**-2.0, nu**2], -1)
  shapes /= shapes.max(0)
  unexplained = rest - shapes @ np.linalg.lstsq(shapes, rest, rcond=None)[0]
  assert np.abs(unexplained).max() < 2e-3 * np.ptp(direct)


def test_what_is_left_of_n_is_what_absorbs_outside():
  """n - T k = c0 - c1 (a / nu)^2 + c2 (nu / b)^2 with c >= 0, found again by least squares."""
  out = applied(MEDIUM)(loud(MEDIUM), tokens())
  with jax.enable_x64(True):
    plan = transforms.plan(AXIS, tails=MEDIUM.tails)
    rest = np.float64(out['n']) - np.asarray(transforms.transform(plan, np.float64(out['k'])))
  shapes = np.stack([np.ones_like(AXIS), -((AXIS[0] / AXIS) ** 2), (AXIS / AXIS[-1]) ** 2], -1)
  c, *_ = np.linalg.lstsq(shapes, rest.T, rcond=None)
  size = np.abs(out['n']).max()
  np.testing.assert_allclose(shapes @ c, rest.T, atol=2e-6 * size)
  assert (c > -1e-5 * size).all()
  assert (c.std(1) > 1e-4).all()


def test_tokens_of_zero_are_a_medium_of_the_stated_index():
  variables = draw(lambda key, x: MEDIUM.init(key, x, AXIS), tokens())
  variables = jax.tree.map(np.zeros_like, variables)
  out = applied(MEDIUM)(variables, tokens())
  np.testing.assert_allclose(out['k'], MEDIUM.scale * np.log(2), rtol=1e-6)
  middle = out['n'][:, 20:-20]
  assert jnp.abs(middle - MEDIUM.index).max() < 4 * MEDIUM.scale


def test_a_finer_axis_shows_the_same_medium():
  """To the quadrature of a spline with knots every 7 cm^-1 and the tails behind the edges."""
  fine = np.linspace(410.0, 1390.0, 491)
  variables = draw(lambda key, x: MEDIUM.init(key, x, AXIS), tokens())
  here = applied(MEDIUM)(variables, tokens())
  there = jax.jit(lambda v, x: MEDIUM.apply(v, x, fine))(variables, tokens())
  np.testing.assert_allclose(there['k'][:, ::2], here['k'], rtol=1e-4)
  inside = slice(10, -10)
  size = float(here['k'].max())
  np.testing.assert_allclose(there['n'][:, ::2][:, inside], here['n'][:, inside], atol=0.01 * size)


def test_tails_are_one_of_two():
  module = non_negative.Head(**LATTICE, tails='wagging')
  with pytest.raises(ValueError, match='wagging'):
    jax.eval_shape(lambda x: module.init(jax.random.key(0), x, AXIS), tokens())


# ---- a given integral -------------------------------------------------------

BAND = integral_matched.Head(**LATTICE, low_cm=600.0, high_cm=1000.0)
TOTAL = np.array([1e-3, 1.0, 1e4], np.float32)


def trapezoid(values, power=0, low=-np.inf, high=np.inf):
  """By numpy in float64, of nu^power values as straight lines between points."""
  where = (low <= AXIS) & (high >= AXIS)
  nu, values = AXIS[where], np.float64(values)[:, where]
  if not power:
    return np.trapezoid(values, nu)
  fine = np.linspace(nu[0], nu[-1], 40 * (len(nu) - 1) + 1)
  return np.trapezoid([fine * np.interp(fine, nu, row) for row in values], fine)


@pytest.mark.parametrize(
  ('module', 'part'),
  [
    (integral_matched.Head(**LATTICE), {}),
    (BAND, {'low': 600.0, 'high': 1000.0}),
    (integral_matched.Head(**LATTICE, power=1), {'power': 1}),
  ],
  ids=['axis', 'band', 'f-sum'],
)
def test_random_weights_meet_a_given_integral(module, part):
  values = applied(module, 'given')(loud(module), tokens(), TOTAL)
  assert (values >= 0).all()
  np.testing.assert_allclose(trapezoid(values, **part), TOTAL, rtol=2e-6)


def test_the_shape_is_the_tokens_and_the_size_is_given():
  given = applied(BAND, 'given')
  one, two = given(loud(BAND), tokens(), TOTAL), given(loud(BAND), tokens(), 2 * TOTAL)
  np.testing.assert_allclose(two, 2 * one, rtol=1e-6)
  np.testing.assert_array_equal(given(loud(BAND), tokens(), 0 * TOTAL), 0)


def test_without_a_given_integral_the_tokens_say_one():
  """Its mean over the band is a softplus: positive and of order one."""
  values = applied(BAND)(loud(BAND), tokens())
  mean = trapezoid(values, low=600.0, high=1000.0) / 400
  assert (mean > 0).all()
  assert np.ptp(mean) > 0.01
  again = applied(BAND, 'given')(loud(BAND), tokens(), np.float32(400 * mean))
  np.testing.assert_allclose(again, values, rtol=1e-2)


@pytest.mark.parametrize(
  ('options', 'words'),
  [
    (
      (900.0, 901.0, 0),
      r'low_cm = 900 and high_cm = 901 hold 0 points of an axis from 410 to 1390',
    ),
    ((0.0, 0.0, 2), 'power is 2, expected 0 .* or 1'),
  ],
)
def test_limits_and_powers_that_cannot_be_are_refused(options, words):
  with pytest.raises(ValueError, match=words):
    integral_matched.weights(AXIS, *options)


# ---- infrared and Raman -----------------------------------------------------

PAIR = paired.Head(step_cm=14.0, modes=12, fwhm_min_cm=10.0)
CENTRE = np.array([True, True, False])


def test_no_mode_of_a_centrosymmetric_molecule_has_both():
  modes = applied(PAIR, 'lines')(loud(PAIR), tokens(), CENTRE)
  both = np.asarray(modes.ir_BxK * modes.raman_BxK)
  np.testing.assert_array_equal(both[CENTRE], 0)
  assert (both[~CENTRE] > 0).sum() > 3
  assert (modes.ir_BxK >= 0).all()
  assert (modes.raman_BxK >= 0).all()
  active = np.asarray((modes.ir_BxK > 0) | (modes.raman_BxK > 0))
  assert active[CENTRE].mean() > 0.5
  kinds = {'kinds': ('ir', 'raman'), 'state': 'computed'}
  found = selection_rules(modes.ir_BxK, modes.raman_BxK, CENTRE, **kinds)
  np.testing.assert_array_equal(found, 0)


def test_modes_lie_on_the_axis_and_are_resolved():
  modes = applied(PAIR, 'lines')(loud(PAIR), tokens(), CENTRE)
  nu_T = token_positions(AXIS, 14.0)
  assert (modes.position_BxK >= nu_T[0] - 14).all()
  assert (modes.position_BxK <= nu_T[-1] + 14).all()
  assert (modes.fwhm_BxK >= PAIR.fwhm_min_cm).all()
  assert np.asarray(modes.position_BxK).std(0).min() > 0.1


def test_spectra_are_the_sums_of_their_modes():
  modes = jax.tree.map(np.float64, applied(PAIR, 'lines')(loud(PAIR), tokens(), CENTRE))
  spectra = applied(PAIR, 'given')(loud(PAIR), tokens(), CENTRE)
  half = 0.5 * modes.fwhm_BxK[..., None]
  offset = AXIS - modes.position_BxK[..., None]
  profile = half / np.pi / (offset**2 + half**2)
  for name, area in (('ir', modes.ir_BxK), ('raman', modes.raman_BxK)):
    expected = (area[..., None] * profile).sum(1)
    np.testing.assert_allclose(spectra[name], expected, rtol=2e-4, atol=1e-6 * expected.max())


def test_without_knowledge_molecules_have_no_centre():
  free = applied(PAIR)(loud(PAIR), tokens())
  told = applied(PAIR, 'given')(loud(PAIR), tokens(), 0 * CENTRE)
  for kind in ('ir', 'raman'):
    np.testing.assert_array_equal(free[kind], told[kind])


@pytest.mark.parametrize('options', [{'modes': 1}, {'fwhm_min_cm': 7.0}])
def test_modes_that_the_axis_cannot_hold_are_refused(options):
  module = paired.Head(**{'step_cm': 14.0, 'modes': 12, 'fwhm_min_cm': 10.0, **options})
  with pytest.raises(ValueError, match=r'expected 2 modes or more and two steps a width; raise'):
    jax.eval_shape(lambda x: module.init(jax.random.key(0), x, AXIS), tokens())
