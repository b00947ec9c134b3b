"""Sum rules hold for causal media from 0 to infinity, and refuse what a window cannot support."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from experiments import dielectrics
from spectra_jax.physics import oscillator_sums, sum_rules

F, NU0, GAMMA = np.array([0.02, 0.01, 0.03]), np.array([700.0, 1700.0, 3400.0]), 20.0
PLASMA = (F * NU0**2).sum()
WIDE = np.geomspace(1e-2, 1e7, 12001)
WINDOW = np.linspace(500.0, 4000.0, 1001)


def chi(axis):
  return dielectrics.lorentz(axis[:, None], F, NU0, GAMMA).sum(-1)


def float64(function, *args):
  with jax.enable_x64(True):
    return np.asarray(jax.jit(function)(*args))


def given_as(quantity, axis):
  n = np.sqrt(1 + chi(axis))
  alpha = 4 * np.pi * axis * n.imag
  named = {'im_eps': chi(axis).imag, 'k': n.imag, 'nk': n.real * n.imag}
  return {**named, 'alpha': alpha, 'n_alpha': n.real * alpha}[quantity]


@pytest.mark.parametrize('quantity', sum_rules.QUANTITIES)
def test_the_f_sum_of_every_quantity_is_the_plasma_wavenumber_squared(quantity):
  found = lambda v: sum_rules.f_sum(WIDE, v, quantity, PLASMA, span='complete')
  assert abs(float64(found, given_as(quantity, WIDE))) < 3e-5


def test_static_superconvergence_and_inertial_hold_from_zero_to_infinity():
  chi_L = chi(WIDE)

  def rules(chi_L, n_L):
    return jnp.stack(
      [
        sum_rules.static_sum(WIDE, chi_L.imag, F.sum(), span='complete'),
        sum_rules.superconvergence(WIDE, chi_L.real, span='complete'),
        sum_rules.inertial(WIDE, n_L, 1.0, span='complete'),
      ]
    )

  assert np.abs(float64(rules, chi_L, np.sqrt(1 + chi_L).real)).max() < 3e-4
  acausal = float64(rules, chi_L + 0.05 * 1e6 / (1e6 + WIDE**2), np.sqrt(1.01 + chi_L).real)
  assert np.abs(acausal[1:]).min() > 1e-2  # Re chi without its Im chi


@pytest.mark.parametrize(
  ('rule', 'values'),
  [
    (lambda v, **o: sum_rules.f_sum(WINDOW, v, 'im_eps', PLASMA, **o), chi(WINDOW).imag),
    (lambda v, **o: sum_rules.static_sum(WINDOW, v, 1.0, **o), chi(WINDOW).imag),
    (lambda v, **o: sum_rules.superconvergence(WINDOW, v, **o), chi(WINDOW).real),
    (lambda v, **o: sum_rules.inertial(WINDOW, v, 1.0, **o), 1 + chi(WINDOW).real),
  ],
)
def test_a_window_is_refused_by_every_equality_traced_or_not(rule, values):
  for span in ('window', 'complete'):
    words = rf'the {span} axis covers 500 to 4000 cm\^-1, 0.9 decades, .* use partial sums'
    with pytest.raises(ValueError, match=words):
      rule(values, span=span)
    with pytest.raises(ValueError, match=words):
      jax.jit(lambda v: rule(v, span=span))(values)  # noqa: B023
  with pytest.raises(
    ValueError, match=r'the window axis covers 0.01 to 1e\+07'
  ):  # the caller's word
    sum_rules.superconvergence(WIDE, chi(WIDE).real, span='window')
  with pytest.raises(ValueError, match="span is 'all', expected one of window, complete"):
    rule(values, span='all')
  with pytest.raises(TypeError):
    rule(values)


def test_what_has_not_died_out_is_no_complete_spectrum():
  band = np.geomspace(1.0, 1e5, 200)
  with pytest.raises(ValueError, match=r'at 100000 cm\^-1 the integrand of superconvergence still'):
    sum_rules.superconvergence(band, np.ones(200), span='complete')
  with pytest.raises(ValueError, match=r'at 1 cm\^-1 the integrand of the static sum rule still'):
    sum_rules.static_sum(band, np.exp(-band), 1.0, span='complete')


def test_partial_sums_are_those_of_the_closed_form():
  """Within the stated error at 10 points a FWHM; the ends are exact to rounding."""
  axis = np.linspace(500.0, 4000.0, 1751)
  found = float64(lambda v: sum_rules.partial_sums(axis, v, 'im_eps'), chi(axis).imag)
  lines = F, NU0, np.full(3, GAMMA)
  between = jax.vmap(lambda b: oscillator_sums.of_oscillators_between(*lines, 0.0, b).plasma)
  exact = float64(between, axis)
  exact = exact - exact[0]
  assert found[0] == 0
  assert np.abs(found - exact).max() < 1e-3 * exact[-1]
  assert abs(found[-1] / exact[-1] - 1) < 1e-7


@given(st.lists(st.floats(0, 5), min_size=6, max_size=6), st.integers(0, 2**16))
@settings(max_examples=15, deadline=None)
def test_partial_sums_are_exact_for_straight_pieces_and_never_decrease(values, seed):
  axis = np.sort(np.random.default_rng(seed).uniform(1, 100, 6))
  values = np.array(values)
  with jax.enable_x64(True):
    found = np.asarray(sum_rules.partial_sums(axis, values, 'k'))
    static = np.asarray(sum_rules.partial_static(axis, values))
  line = lambda x: np.interp(x, axis, values)
  exact = lambda f: quad(f, axis[0], axis[-1], points=axis[1:-1], epsabs=1e-12)[0]
  np.testing.assert_allclose(found[-1], 4 / np.pi * exact(lambda x: x * line(x)), 1e-9, 1e-12)
  np.testing.assert_allclose(static[-1], 2 / np.pi * exact(lambda x: line(x) / x), 1e-7, 1e-12)
  assert (np.diff(found) >= 0).all()
  assert (np.diff(static) >= 0).all()


def test_float32_and_gradients_of_the_logarithm():
  values = np.stack([chi(WINDOW).imag, 2 * chi(WINDOW).imag])

  def loss(v):
    log = sum_rules.log_partial_sums(WINDOW, v, 'im_eps', floor=100.0)
    return (log**2).sum(), log

  both = jax.jit(jax.value_and_grad(loss, has_aux=True))
  with jax.enable_x64(True):
    (_, log), slope = both(values)
    step = np.zeros_like(values)
    step[1, 300] = 1e-5
    change = np.subtract(both(values + step)[0][0], both(values - step)[0][0])
  log, slope = np.asarray(log), np.asarray(slope)
  np.testing.assert_allclose(change / 2e-5, slope[1, 300], rtol=1e-5)
  (_, single), slope_single = both(values.astype(np.float32))
  assert single.dtype == slope_single.dtype == jnp.float32
  np.testing.assert_allclose(single, log, atol=2e-6)
  np.testing.assert_allclose(slope_single, slope, rtol=2e-5)


def test_only_what_exceeds_the_bound_counts():
  found = sum_rules.excess(jnp.array([0.5, 1.0, 3.0]), 2.0)
  np.testing.assert_allclose(found, [0, 0, 0.5])
  inside = float64(lambda v: sum_rules.partial_sums(WINDOW, v, 'im_eps')[-1], chi(WINDOW).imag)
  assert 0.95 * PLASMA < inside < PLASMA


@pytest.mark.parametrize(
  ('call', 'words'),
  [
    (lambda a, v: sum_rules.partial_sums(a, v, 'raman'), "quantity is 'raman', expected one of"),
    (lambda a, v: sum_rules.partial_sums(a[::-1], v, 'k'), r'runs 5.0 to 1.0; .* nm by 1e7 / nm'),
    (lambda a, v: sum_rules.partial_sums(a - 2, v, 'k'), r'axis starts at -1 .* at least 0'),
    (lambda a, v: jax.jit(lambda a: sum_rules.partial_sums(a, v, 'k'))(a), 'axis is traced'),
    (lambda a, v: sum_rules.partial_static(a - 1, v), r'axis starts at 0 .* more than 0'),
    (lambda a, v: sum_rules.partial_sums(a, v[1:], 'k'), r'shape \(4,\), expected \[..., 5\]'),
    (lambda a, v: sum_rules.partial_sums(a, v - 3, 'k'), 'reach down to -3, expected .* >= 0'),
    (lambda a, v: sum_rules.partial_sums(a, v * np.nan, 'k'), 'reach down to nan'),
    (lambda a, v: sum_rules.log_partial_sums(a, v, 'k', floor=0.0), 'floor is 0.0 .* positive'),
  ],
)
def test_bad_calls_are_refused_with_a_sentence(call, words):
  with pytest.raises(ValueError, match=words):
    call(np.arange(1.0, 6.0), np.arange(5.0))
