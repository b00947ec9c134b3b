"""Kramers-Kronig against closed forms, adaptive quadrature and the laws of any such operator."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from experiments import dielectrics
from spectra_jax.physics import kramers_kronig as kk
from spectra_jax.physics import kramers_kronig_anchors as outside
from spectra_jax.physics import kramers_kronig_quadrature as quadrature

AXIS = np.linspace(500.0, 4000.0, 2048)
STEP = 3500.0 / 2047
SHORT = 500.0 + 50.0 * np.arange(71)


@functools.cache
def plan(tails, axis=tuple(AXIS), **options):
  return kk.plan(np.array(axis), tails=tails, **options)


def exact(function, *arguments):
  """`function` in float64, as numpy."""
  with jax.enable_x64(True):
    return np.asarray(function(*arguments))


def lines(widths, distances):
  """(chi, its windowed transform and inverse) of Lorentz lines; HWHM, edge distance in steps."""
  made = []
  for width, distance in zip(widths, distances, strict=True):
    line = (1e-2, 500 + distance * STEP, 2 * width * STEP)
    ends = (500.0, 4000.0, STEP)
    forward = dielectrics.lorentz_window(AXIS, *line, *ends)
    inverse = dielectrics.lorentz_window_inverse(AXIS, *line, *ends)
    made.append((dielectrics.lorentz(AXIS, *line), forward, inverse))
  return (np.stack(rows) for rows in zip(*made, strict=True))


def worst(found, expected, chi):
  """Largest error of each row relative to max|chi|."""
  return np.abs(found - expected).max(-1) / np.abs(chi).max(-1)


# ---- accuracy ---------------------------------------------------------------


def test_the_errors_that_the_docstring_states():
  """Both ends included; a mirrored line tests the other edge."""
  widths = np.array([20, 6, 6, 6, 6, 6, 3])
  distances = np.array([300, 100, 40, 20, 0, 1947, 700.3])
  chi, forward, inverse = lines(widths, distances)
  found = worst(exact(kk.transform, plan('none'), chi.imag), forward, chi)
  assert (found < [3e-11, 1e-8, 3e-8, 7e-7, 7e-5, 3e-8, 2.1 * np.exp(-3 * np.pi)]).all(), found
  found = worst(exact(kk.inverse, plan('none'), chi.real), inverse, chi)
  assert (found < [1e-10, 2e-8, 5e-8, 5e-7, 3e-4, 3e-8, 3.0 * np.exp(-3 * np.pi)]).all(), found
  single = kk.transform(plan('none'), chi.imag.astype(np.float32))
  assert single.dtype == jnp.float32
  assert (worst(single, forward, chi)[[0, 1, 2, 5]] < 3e-7).all()


def test_a_line_that_is_too_narrow_errs_as_the_law_says():
  widths = np.repeat([0.25, 0.5, 1.0, 2.0, 4.0], 3)
  chi, forward, _ = lines(widths, 900 + np.tile([0, 0.25, 0.5], 5))
  found = worst(exact(kk.transform, plan('none'), chi.imag), forward, chi).reshape(5, 3).max(-1)
  law = np.exp(-np.pi * widths[::3])
  assert (found < 3 * law).all(), found / law
  assert (found[1:] > law[1:]).all(), found / law  # the law is a fact, not only a bound


def test_gauss_and_voigt_lines():
  chi = dielectrics.gaussian(AXIS, 0.3, 1700.0, 30.0)
  found = exact(kk.transform, plan('none'), chi.imag[None])[0]
  np.testing.assert_allclose(found, chi.real, atol=1e-10)
  chi = dielectrics.voigt(AXIS, 0.3, 1700.0, 20.0, 10.0)
  error = [
    np.abs(exact(kk.transform, plan(tails), chi.imag[None])[0] - chi.real).max()
    for tails in ('none', 'power_law')
  ]
  assert error[1] < 2e-6
  assert error[0] > 10 * error[1]  # the tails that a window cuts


def test_a_narrow_window_far_from_zero():
  """There the mirror image of the window is hundreds of its widths away."""
  axis = 20000.0 + np.arange(71)
  line = (1e-4, 20035.0, 12.0)
  expected = dielectrics.lorentz_window(axis, *line, axis[0], axis[-1])
  found = exact(kk.transform, plan('none', tuple(axis)), dielectrics.lorentz(axis, *line).imag)
  np.testing.assert_allclose(found, expected, atol=2e-6 * np.abs(expected).max())


def principal_value(f, nu, sign):
  """(sign/pi) P int_0^inf f(x) [1/(x - nu) + sign/(x + nu)] dx by adaptive quadrature."""
  wide = {'epsabs': 1e-11, 'limit': 400}
  whole = lambda x: f(x) * (sign / (x - nu) + 1 / (x + nu))
  width = 0.5 * nu
  pole = lambda x: sign * f(x) + f(x) * (x - nu) / (x + nu)
  middle = quad(pole, nu - width, nu + width, weight='cauchy', wvar=nu, **wide)[0]
  kinks = [x for x in (500.0, 4000.0) if x > nu + width]
  parts = [0, nu - width], *zip([nu + width, *kinks], [*kinks, np.inf], strict=True)
  return (middle + sum(quad(whole, *part, **wide)[0] for part in parts)) / np.pi


@pytest.mark.parametrize('sign', [1, -1])
def test_tails_are_the_integrals_outside(sign):
  """Of a k (or n) that is straight inside and goes on as the plan assumes; at both ends too."""
  if sign > 0:
    f = lambda x: np.where(x < 4000, x / 1000, 4 * (4000 / np.maximum(x, 1)) ** 3)
    operator = kk.transform
  else:
    f = lambda x: np.clip(x, 500, 4000) / 1000 - 4.0  # n - n_inf: any constant drops out
    operator = kk.inverse
  found = exact(operator, plan('power_law', tuple(SHORT)), f(SHORT) + (4.0 if sign < 0 else 0))
  for index in (0, 1, 20, 43, 69, 70):
    np.testing.assert_allclose(found[index], principal_value(f, SHORT[index], sign), atol=2e-7)


def test_a_constant_index_absorbs_nothing():
  found = exact(kk.inverse, plan('power_law', tuple(SHORT)), np.full(71, 1.5))
  np.testing.assert_allclose(found, 0, atol=1e-13)


def test_the_high_tail_does_not_cancel_on_a_wide_axis():
  """Far below the upper edge the tail adds (2/pi) (1/3 + (nu/b)^2 / 5 + ...)."""
  _, upper = quadrature.tails(np.linspace(1.0, 20000.0, 20000), 1)
  t = np.array([1, 10, 100, 1000, 3999, 4001]) / 20000.0
  series = sum(t ** (2 * m) / (2 * m + 3) for m in range(20))
  np.testing.assert_allclose(upper[[0, 9, 99, 999, 3998, 4000]], 2 / np.pi * series, rtol=1e-12)


@pytest.mark.parametrize('tangent', [0.0, 1.5])
def test_phase_of_a_reflectance(tangent):
  """At normal incidence; not of p at an angle where eps(0) = 2.3 > tan^2 = 2.25 > n_inf^2 = 2.2."""
  epsilon = 2.2 + dielectrics.lorentz(AXIS, 0.1, 1100.0, 60.0)
  outer = np.cos(np.arctan(tangent))
  inner = np.sqrt(1 - np.sin(np.arctan(tangent)) ** 2 / epsilon)
  index = np.sqrt(epsilon)
  r = (index * outer - inner) / (index * outer + inner)
  found = exact(kk.phase, plan('power_law'), np.abs(r)[None] ** 2)[0]
  error = found - np.unwrap(np.angle(r))
  if tangent == 0:
    assert np.abs(error).max() < 0.02 * np.ptp(found)
  else:
    assert np.ptp(error) > 1  # rad


# ---- laws of the operator ---------------------------------------------------


def matrices():
  """{name: (function, dense matrix)} of two plans at a small length, in float64."""
  uneven = tuple(SHORT[:24] + 10 * np.sin(np.arange(24)))
  plans = {
    'even': plan('power_law', tuple(SHORT[:24])),
    'uneven': plan('power_law', uneven, resample_points=40),
  }
  return {name: (p, exact(kk.transform, p, np.eye(24)).T) for name, p in plans.items()}


def test_the_gradient_is_the_transposed_matrix():
  rng = np.random.default_rng(0)
  k, v = rng.normal(size=(2, 3, 24))
  for p, dense in matrices().values():
    with jax.enable_x64(True):
      value, pull_back = jax.vjp(lambda k, p=p: kk.transform(p, k), k)
      (adjoint,) = pull_back(v)
    np.testing.assert_allclose(value, k @ dense.T, atol=1e-13)
    np.testing.assert_allclose(adjoint, v @ dense, atol=1e-13)


@given(seed=st.integers(0, 2**31), scale=st.floats(-3, 3))
@settings(max_examples=5, deadline=None)
def test_linear_and_the_same_in_any_batch(seed, scale):
  a, b = np.random.default_rng(seed).normal(size=(2, 3, 24))
  p = plan('none', tuple(SHORT[:24]))
  run = lambda k: exact(kk.transform, p, k)
  np.testing.assert_allclose(run(a + scale * b), run(a) + scale * run(b), atol=1e-12)
  np.testing.assert_allclose(run(a)[1], run(a[[1, 0, 2]])[0], rtol=0, atol=1e-14)


def test_only_ratios_of_wavenumbers_count():
  """The transform is homogeneous of degree 0: the same for nu in cm^-1 and in THz."""
  k = np.random.default_rng(0).random(24)
  for name in ('none', 'power_law'):
    first = exact(kk.transform, plan(name, tuple(SHORT[:24])), k)
    other = exact(kk.transform, plan(name, tuple(SHORT[:24] * 0.0299792458)), k)
    np.testing.assert_allclose(first, other, atol=1e-12)


def test_gradients_in_float32_and_a_plan_as_an_argument():
  """Of a loss that is not quadratic; the plan is a pytree, its arrays may live on a device."""
  loss = jax.jit(jax.grad(lambda k, p: jnp.cos(kk.transform(p, k)).sum()))
  k = np.random.default_rng(0).random(24)
  p = plan('power_law', tuple(SHORT[:24]))
  single = loss(k.astype(np.float32), jax.device_put(p))
  assert single.dtype == jnp.float32
  with jax.enable_x64(True):
    double = np.asarray(loss(k, p))
    shifted = lambda i, by: exact(kk.transform, p, k + by * np.eye(24)[i])
  numeric = [
    (np.cos(shifted(i, 1e-5)).sum() - np.cos(shifted(i, -1e-5)).sum()) / 2e-5 for i in (0, 7, 23)
  ]
  np.testing.assert_allclose(double[[0, 7, 23]], numeric, atol=1e-8)
  np.testing.assert_allclose(single, double, atol=2e-6)


# ---- where it is empty ------------------------------------------------------


def test_absorbance_alone_obeys_no_relation():
  """H(H k) + k ~ 0 for any bands k >= 0, whatever their heights: nothing to penalise."""
  heights = np.random.default_rng(0).random((4, 40))
  centre = np.linspace(1500.0, 3000.0, 40)
  bands = np.exp(-0.5 * ((AXIS - centre[:, None]) / 12.0) ** 2)
  wide = np.linspace(10.0, 24000.0, 2400 * 2)
  k = heights @ np.exp(-0.5 * ((wide - centre[:, None]) / 24.0) ** 2)
  p = plan('power_law', tuple(wide))
  back = exact(lambda k: kk.inverse(p, kk.transform(p, k)), k)
  assert np.abs(back - k).max() < 5e-3 * k.max()
  k = heights @ bands
  windowed = exact(lambda k: kk.inverse(plan('none'), kk.transform(plan('none'), k)), k)
  ratio = np.linalg.norm(windowed - k, axis=-1) / np.linalg.norm(k, axis=-1)
  assert (ratio > 0.05).all(), ratio  # so a loss on one window would punish causal spectra


# ---- uneven axes ------------------------------------------------------------


def test_an_axis_even_in_wavelength():
  axis = 1e7 / np.linspace(1e7 / 4000, 1e7 / 500, 1501)[::-1]
  local = np.interp(1700, axis[1:], np.diff(axis))
  line = (1e-2, 1700.0, 20 * local)
  p = plan('none', tuple(axis), resample_points=3002)
  expected = dielectrics.lorentz_window(axis, *line, axis[0], axis[-1])
  chi = dielectrics.lorentz(axis, *line)
  found = exact(kk.transform, p, chi.imag)
  assert np.abs(found - expected)[5:-5].max() < 2e-5 * np.abs(chi).max()


def test_interpolation_is_exact_for_quintics():
  axis = SHORT[:24] + 10 * np.sin(np.arange(24))
  at = np.linspace(axis[0], axis[-1], 50)
  index, weight = quadrature.lagrange(axis, at)
  polynomial = np.polynomial.Polynomial([1, -2, 3, -1, 2, -0.5], domain=[500, 1650])
  np.testing.assert_allclose((polynomial(axis)[index] * weight).sum(-1), polynomial(at), atol=1e-12)


# ---- anchors ----------------------------------------------------------------

ANCHORS = (605.0, 900.0, 3300.0)


def outer_medium(strengths, nu=SHORT):
  """n - n_inf of oscillators below the window, at the nodes of two."""
  ratio, _ = outside.nodes(2)
  return strengths @ outside.basis(np.array(nu), 500.0, 500.0 * ratio)[1:]


def at_anchors(n):
  """n between the samples, as the plan reads it."""
  index, weight = quadrature.lagrange(SHORT, np.array(ANCHORS))
  return (n[index] * weight).sum(-1)


def test_the_nodes_are_gauss_rules_of_the_lower_tail():
  """(2/pi) int_0^1 x^2 x^2p dx for p < 2 count; and the pole at nu is nearly right already."""
  for count in (1, 2):
    ratio, weight = outside.nodes(count)
    powers = np.arange(2 * count)
    np.testing.assert_allclose(
      weight @ ratio[:, None] ** (2 * powers), 2 / np.pi / (3 + 2 * powers), rtol=1e-14
    )
  below = quadrature.tails(SHORT, 1)[0]
  nodes = weight @ outside.basis(SHORT, 500.0, 500.0 * ratio)[1:]
  np.testing.assert_allclose(nodes[10:], below[10:], atol=2e-4)


@pytest.mark.parametrize('tails', ['none', 'power_law'])
def test_anchors_find_the_medium_outside(tails):
  """Its constant and oscillators exactly; with tails, also one that is weaker than they assume."""
  p = plan(tails, tuple(SHORT), anchors_nu=ANCHORS)
  k = dielectrics.lorentz(SHORT, 0.1, 1500.0, 600.0).imag
  _, weight = outside.nodes(2)
  strengths = np.array([0.02, 0.05]) if tails == 'none' else -0.5 * weight * k[0]
  inside = exact(kk.transform, p, k) + 1.4
  told = at_anchors(inside) + outer_medium(strengths, ANCHORS)
  found = exact(kk.anchored, p, k, told)
  np.testing.assert_allclose(found, inside + outer_medium(strengths), atol=1e-11)
  single = kk.anchored(p, k.astype(np.float32), told.astype(np.float32))
  np.testing.assert_allclose(single, found, atol=1e-5)  # 2e-7 of rounding, amplified


def test_nothing_outside_emits():
  """n that falls as if from gain below the window; without tails only the constant is left."""
  p = plan('none', tuple(SHORT), anchors_nu=ANCHORS)
  k = np.linspace(0.1, 0.2, 71)
  inside = exact(kk.transform, p, k)
  told = at_anchors(inside) + 1.4 + outer_medium(np.array([-0.02, -0.05]), ANCHORS)
  outer = exact(kk.anchored, p, k, told) - inside
  np.testing.assert_allclose(outer, outer[0], atol=1e-12)


@given(seed=st.integers(0, 2**31))
@settings(max_examples=15, deadline=None)
def test_the_fit_is_non_negative_least_squares(seed):
  rng = np.random.default_rng(seed)
  residual = rng.normal(size=(4, 3))
  basis = outside.basis(np.array(ANCHORS), 500.0, np.array([300.0, 450.0]))
  found = exact(_fit, residual, basis, outside.solutions(basis))
  for row, c in zip(residual, found, strict=True):
    limits = ([-np.inf, 0, 0], np.inf)
    best = scipy.optimize.lsq_linear(basis.T, row, limits, method='bvls', tol=1e-14)
    np.testing.assert_allclose(c, best.x, atol=1e-8 * np.abs(best.x).max() + 1e-12)


_fit = jax.jit(outside.fit)


def anchored_error(bands, anchors, **options):
  """Deviation [RMS] of n of a medium with these Lorentz bands, told its n at the anchors."""
  index = np.sqrt(1 + sum(dielectrics.lorentz(SHORT, *band) for band in bands))
  p = plan('power_law', tuple(SHORT), anchors_nu=anchors, **options)
  told = index.real[np.searchsorted(SHORT, anchors)]
  return np.std(exact(kk.anchored, p, index.imag, told) - index.real)


def test_each_anchor_brings_n_closer():
  """Bands below and beside the window, and electrons."""
  bands = ((0.05, 380.0, 40.0), (0.2, 200.0, 150.0), (0.9, 70000.0, 1.0))
  one, two, three = (
    anchored_error(bands, anchors) for anchors in ((2000,), (600, 2000), (600, 900, 3300))
  )
  assert one > 5 * two, (one, two)
  assert two > 1.1 * three, (two, three)


def test_oscillators_where_the_caller_knows_of_bands():
  bands = ((0.02, 5200.0, 90.0), (0.9, 70000.0, 1.0))
  anchors = (2000, 3500)
  known = anchored_error(bands, anchors, virtual_nu=(5200.0,))
  assert known < 0.1 * anchored_error(bands, anchors)


def test_an_error_at_an_anchor_is_amplified_as_stated():
  p = plan('none', tuple(SHORT), anchors_nu=ANCHORS)
  told = 1.4 + outer_medium(np.array([0.02, 0.05]), ANCHORS)
  moved = exact(jax.jit(jax.jacobian(lambda told: kk.anchored(p, np.zeros(71), told))), told)
  np.testing.assert_allclose(np.abs(moved).sum(-1).max(), kk.amplification(p), rtol=1e-6)
  np.testing.assert_allclose(moved.sum(-1), 1, atol=1e-9)  # all three up by 0.01, n up by 0.01


# ---- faults -----------------------------------------------------------------


@pytest.mark.parametrize(
  ('call', 'words'),
  [
    (lambda: kk.plan(SHORT[:15], tails='none'), r'shape \(15,\); expected \[L\] with at least 16'),
    (lambda: kk.plan(SHORT[::-1], tails='none'), 'flip a descending axis'),
    (lambda: kk.plan(SHORT - 500, tails='none'), 'from 0 to .* expected finite, positive'),
    (lambda: kk.plan(np.append(SHORT, np.nan), tails='none'), 'expected finite, positive'),
    (lambda: kk.plan(1e7 / SHORT[::-1], tails='none'), r'expected an even axis in cm\^-1 \(not nm'),
    (lambda: kk.plan(SHORT, tails='none', resample_points=70), 'resample_points is 70 for an axis'),
    (lambda: kk.plan(SHORT, tails='zero'), "tails is 'zero'; expected one of none, power_law"),
    (
      lambda: kk.plan(SHORT, tails='none', anchors_nu=(600, 700, 800, 900)),
      'anchors_nu has 4 wavenumbers; expected at most 3',
    ),
    (lambda: kk.plan(SHORT, tails='none', anchors_nu=(400.0,)), 'inside the window, 500 to 4000'),
    (
      lambda: kk.plan(SHORT, tails='none', anchors_nu=(3000, 3001, 3002)),
      'amplify an error of their n .* spread them',
    ),
    (
      lambda: kk.plan(SHORT, tails='none', anchors_nu=(600, 900), virtual_nu=(700.0,)),
      'virtual_nu is .* expected positive wavenumbers outside the window',
    ),
    (
      lambda: kk.plan(SHORT, tails='none', anchors_nu=(600,), virtual_nu=(70.0,)),
      'virtual_nu has 1 oscillators for 1 anchors',
    ),
    (
      lambda: kk.transform(plan('none'), np.ones(7)),
      r'k has shape \(7,\) and the axis of the plan',
    ),
    (lambda: kk.inverse(plan('none'), np.ones(2048, int)), 'n has dtype int.* expected float32'),
    (lambda: kk.phase(plan('none'), np.ones(2048)), "has tails 'none', which sets R = 1 outside"),
    (lambda: kk.phase(plan('power_law'), np.full(2048, 4.0)), 'reflectance is 4 to 4; expected'),
    (lambda: kk.phase(plan('power_law'), np.full(2048, np.nan)), 'reflectance is nan to nan'),
    (lambda: kk.anchored(plan('none'), np.ones(2048), np.ones(0)), 'the plan has 0 anchors'),
    (lambda: kk.amplification(plan('none')), 'the plan has 0 anchors'),
    (
      lambda: kk.anchored(
        plan('power_law', tuple(SHORT), anchors_nu=ANCHORS), np.ones(71), np.ones(2)
      ),
      r'n_at_anchors has shape \(2,\); expected \[..., 3\]',
    ),
    (
      lambda: kk.anchored(
        plan('power_law', tuple(SHORT), anchors_nu=ANCHORS), np.ones(71), np.array([1, np.nan, 1])
      ),
      'expected finite indices',
    ),
  ],
)
def test_bad_calls_are_refused_with_a_sentence(call, words):
  with pytest.raises(ValueError, match=words):
    call()


@pytest.mark.slow
def test_a_long_axis():
  """2^17 points: the plan keeps its digits, and needs no N x N matrix."""
  axis = np.linspace(500.0, 4000.0, 2**17)
  step = axis[1] - axis[0]
  line = (1e-2, 500 + 100 * step, 12 * step)
  chi = dielectrics.lorentz(axis, *line)
  found = exact(kk.transform, kk.plan(axis, tails='none'), chi.imag[None])
  expected = dielectrics.lorentz_window(axis, *line, 500.0, 4000.0, step)
  assert worst(found, expected, chi[None]).max() < 1e-8


def test_one_plan_serves_both_precisions_inside_an_outer_jit():
  k = dielectrics.lorentz(SHORT, 1e-2, 1700.0, 600.0).imag
  made = kk.plan(SHORT, tails='power_law')
  outer = jax.jit(lambda k: kk.transform(made, k))
  single = np.asarray(outer(np.float32(k)))
  with jax.enable_x64(True):
    double = np.asarray(outer(k))
  assert (single.dtype, double.dtype) == (np.float32, np.float64)
  np.testing.assert_allclose(single, double, atol=5e-7 * np.abs(double).max())
