"""Oscillators against closed forms of their own, and against integrals over all wavenumbers."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import dielectrics
from spectra_jax.heads.oscillators import Head
from spectra_jax.physics import kramers_kronig, oscillators
from spectra_jax.physics.oscillators import Oscillators
from tests.parameters import draw

NU = np.linspace(400, 4000, 1501)  # not representable in float32
VOIGT = jax.jit(lambda lines: oscillators.voigt(NU, lines))
SUMS = jax.jit(oscillators.sums)
LORENTZ = jax.jit(lambda *parameters: oscillators.lorentz(NU, *parameters))


def lines(count, sigma, seed=0):
  """Float32 values in float64 arrays [2, count]."""
  rng = np.random.default_rng(seed)
  draws = [(0, 1e5), (300, 4200), (8, 60), sigma]
  arrays = (rng.uniform(*range_, (2, count)).astype(np.float32) for range_ in draws)
  return Oscillators(*(a.astype(np.float64) for a in arrays))


def single(parameters):
  return jax.tree.map(lambda a: a.astype(np.float32), parameters)


def oracle(parameters, nu):
  def one(plasma, centre, gamma, sigma):
    if sigma == 0:
      nu0 = np.hypot(centre, gamma / 2)
      return dielectrics.lorentz(nu, plasma / nu0**2, nu0, gamma)
    A = plasma / (np.sqrt(8 / np.pi) * sigma * centre)
    return dielectrics.voigt(nu, A, centre, sigma, gamma / 2)

  rows = zip(*parameters, strict=True)
  return np.stack([sum(map(one, *row)) for row in rows])


# ---- values -----------------------------------------------------------------


@pytest.mark.parametrize('sigma', [(0, 0), (1, 60)])
def test_lines_are_the_closed_form_in_both_precisions(sigma):
  parameters = lines(5, sigma)
  exact = oracle(parameters, NU)
  with jax.enable_x64(True):
    found = VOIGT(parameters)
  assert found.dtype == jnp.complex128
  np.testing.assert_allclose(found, exact, rtol=0, atol=1e-13 * np.abs(exact).max())
  found = VOIGT(single(parameters))
  assert found.dtype == jnp.complex64
  np.testing.assert_allclose(found, exact, rtol=0, atol=6e-7 * np.abs(exact).max())
  assert (np.asarray(found).imag > 0).all()


def test_lorentz_is_the_closed_form_where_the_textbook_form_loses_its_digits():
  _, nu0, gamma, _ = lines(5, (0, 0))
  f = np.linspace(0, 1, 10).reshape(2, 5).astype(np.float32).astype(np.float64)
  exact = sum(
    [
      dielectrics.lorentz(NU, *(v[:, None] for v in row))
      for row in zip(f.T, nu0.T, gamma.T, strict=True)
    ]
  )
  with jax.enable_x64(True):
    np.testing.assert_allclose(LORENTZ(f, nu0, gamma), exact, rtol=0, atol=1e-13)
  small = [v.astype(np.float32) for v in (f, nu0, gamma)]
  found = LORENTZ(*small)
  scale = np.abs(exact).max()
  np.testing.assert_allclose(found, exact, rtol=0, atol=5e-7 * scale)
  nu, (f, nu0, gamma) = NU.astype(np.float32)[:, None], (v[:, None] for v in small)
  textbook = (f * nu0**2 / (nu0**2 - nu**2 - 1j * gamma * nu)).sum(-1)
  assert textbook.dtype == np.complex64
  assert np.abs(textbook - exact).max() > 3e-6 * scale


def test_a_traced_axis_gives_the_same_to_its_own_rounding():
  parameters = [np.linspace(1.0, 2.0, 3), np.linspace(500, 3000, 3), np.linspace(10, 90, 3)]
  traced = jax.jit(oscillators.lorentz)
  with jax.enable_x64(True):
    exact = np.asarray(LORENTZ(*parameters))
    np.testing.assert_allclose(traced(jnp.asarray(NU), *parameters), exact, atol=1e-12)
  small = [v.astype(np.float32) for v in parameters]
  error = np.abs(traced(jnp.asarray(NU), *small) - exact).max() / np.abs(exact).max()
  assert 1e-6 < error < 3e-5  # where a host axis gives 2e-7


def test_the_index_keeps_the_digits_of_a_small_k_and_the_right_branch():
  rng = np.random.default_rng(0)
  chi = rng.uniform(-6, 6, 400) + 1j * 10 ** rng.uniform(-9, 1, 400)
  chi = chi.astype(np.complex64)
  exact = np.sqrt(2 + chi.astype(np.complex128))
  found = np.asarray(jax.jit(oscillators.refractive_index)(chi, 2.0))
  np.testing.assert_allclose(found.real, exact.real, rtol=1e-6)
  np.testing.assert_allclose(found.imag, exact.imag, rtol=1e-6)
  assert (found.real > 0).all()
  assert (found.imag > 0).all()


# ---- gradients --------------------------------------------------------------


def norm(chi, sine):
  return (chi.real**2 + sine(chi.imag)).mean()


GRADIENT = jax.jit(jax.grad(lambda lines: norm(oscillators.voigt(NU, lines), jnp.sin)))


def test_float32_gradients_are_the_differences_of_float64_values():
  """In every parameter by itself, where sigma = 0 too."""
  parameters = lines(5, (0, 40))
  parameters.sigma[0, :2] = 0.0
  found = jax.tree.map(np.asarray, GRADIENT(single(parameters)))

  def slope(field, index, step):
    value = lambda change: norm(np.asarray(VOIGT(parameters._replace(**{field: change}))), np.sin)
    base = getattr(parameters, field)
    shift = step * (np.arange(base.size) == index).reshape(base.shape)
    return (value(base + shift) - value(base - shift)) / (2 * step)

  with jax.enable_x64(True):
    for field, step in zip(Oscillators._fields, (10.0, 2e-3, 2e-3, 2e-3), strict=True):
      exact = np.reshape([slope(field, i, step) for i in range(10)], (2, 5))
      error = np.abs(getattr(found, field) - exact).max()
      assert error < 2e-5 * np.abs(exact).max(), field
  assert (found.sigma[0, :2] == 0).all()


def test_memory_is_that_of_the_spectrum_however_many_lines():
  def total(parameters):
    return (jnp.abs(oscillators.lorentz(NU, *parameters)) ** 2).sum()

  def size(count):
    shapes = [jax.ShapeDtypeStruct((4, count), np.float32)] * 3
    return jax.jit(jax.grad(total)).lower(shapes).compile().memory_analysis().temp_size_in_bytes

  assert size(256) < size(32) + 50_000  # 6 MB for one array of all lines


# ---- laws over all wavenumbers ----------------------------------------------

STEP, REACH = 1 / 1000, 20.0  # of ln(x / nu)
T = (np.arange(-round(REACH / STEP), round(REACH / STEP)) + 0.5) * STEP


@functools.cache
def absorbed(form):
  """Im chi at float64 points [N] of lines [K]."""
  return jax.jit(lambda x, parameters: jnp.imag(form(x, parameters)))


def integrals(form, parameters, nu):
  """(Re chi(nu) by Kramers-Kronig, f-sum, static sum) by quadrature from 0 to infinity.

  x = nu e^t turns (2/pi) P int x Im chi / (x^2 - nu^2) dx into (2/pi) P int Im chi e^t / (2 sinh t)
  dt, whose midpoint sum about t = 0 converges as exp(-2 pi d / step), d ~ gamma / (2 c): no closed
  form of anything enters.
  """
  with jax.enable_x64(True):
    x = nu * np.exp(T)
    im = np.asarray(absorbed(form)(jnp.asarray(x), parameters))
  weight = STEP * 2 / np.pi
  kk = weight * (im * np.exp(T) / (2 * np.sinh(T))).sum()
  return kk, weight * (im * x**2).sum(), weight * im.sum()


POINTS = (437.0, 1021.0, 1700.0, 2950.0)


@functools.cache
def head():
  """(float32 lines, chi, n, k at `POINTS`) of a head with random weights, from its own code."""
  module = Head(step_cm=400.0, knots_per_step=1, gamma_min_cm=24.0, width_cm=40.0)
  tokens = 3 * np.random.default_rng(0).normal(size=(1, 10, 8)).astype(np.float32)
  axis = 400 + 3.0 * np.arange(1201)
  variables = draw(lambda key: module.init(key, tokens, axis))
  parts = lambda v, x: (
    module.apply(v, x, axis, method='lines'),
    module.apply(v, x, axis, method='susceptibility'),
    module.apply(v, x, axis),
  )
  found, chi, index = jax.jit(parts)(variables, tokens)
  found = Oscillators(*(np.asarray(v, np.float64)[0] for v in found))
  return found, axis, np.asarray(chi)[0], {name: np.asarray(v)[0] for name, v in index.items()}


def test_the_output_of_the_float32_head_obeys_the_laws_to_1e_6():
  """Re chi and both sums of the head against integrals to infinity over its own lines."""
  parameters, axis, chi, index = head()
  assert chi.dtype == np.complex64
  assert parameters.sigma.min() < 20 < parameters.sigma.max()
  scale = np.abs(chi).max()
  plasma, static = (float(v) for v in SUMS(single(parameters)))
  for nu in axis[[7, 301, 650, 1190]]:
    kk, f_sum, static_sum = integrals(oscillators.voigt, parameters, nu)
    here = chi[np.flatnonzero(axis == nu)[0]]
    assert abs(here.real - kk) < 1e-6 * scale
    assert abs(f_sum / plasma - 1) < 1e-6
    assert abs(static_sum / static - 1) < 1e-6
  eps = (index['n'].astype(np.float64) + 1j * index['k']) ** 2
  np.testing.assert_allclose(eps - 2.0, chi, rtol=0, atol=1e-6 * np.abs(eps).max())
  assert (index['k'] > 0).all()


def kim(nu, parameters):
  """A Lorentzian with a damping that falls off as a Gaussian (Kim et al. 1992): not causal."""
  plasma, centre, gamma, _ = (p[..., None] for p in parameters)
  damping = gamma * jnp.exp(-0.1 * ((nu - centre) / gamma) ** 2)
  detuning = (centre - nu) * (centre + nu)
  return (plasma / (detuning - 1j * damping * nu)).sum(-2)


def test_the_negative_controls_fail_the_same_test():
  """Damping that depends on nu breaks causality and the f-sum, Brendel-Bormann the static sum.

  The latter is an average of causal oscillators and stays causal; it counts some with nu0 = 0.
  """
  line = Oscillators(*(np.array([v]) for v in (1e6, 1000.0, 60.0, 350.0)))
  found = {}
  for form in (oscillators.voigt, oscillators.brendel_bormann, kim):
    at = np.array([300.0, 1300.0, 1000.0])
    with jax.enable_x64(True):
      chi = np.asarray(jax.jit(form)(jnp.asarray(at), line))
    laws = [integrals(form, line, nu) for nu in at[:2]]
    kk = max(abs(law[0] - c.real) for law, c in zip(laws, chi[:2], strict=True))
    found[form] = kk / np.abs(chi).max(), abs(laws[0][1] / 1e6 - 1), laws[0][2]
  static = float(SUMS(single(line))[1])
  assert max(found[oscillators.voigt][:2]) < 1e-8
  assert abs(found[oscillators.voigt][2] / static - 1) < 1e-6
  assert max(found[oscillators.brendel_bormann][:2]) < 1e-8
  assert found[oscillators.brendel_bormann][2] > 100 * static
  assert found[kim][0] > 5e-3
  assert found[kim][1] > 1e-1


def test_brendel_bormann_is_the_gaussian_average_that_defines_it():
  parameters = Oscillators(*(np.array([v]) for v in (1e6, 1000.0, 60.0, 200.0)))
  nu = np.array([200.0, 990.0, 1700.0])
  t = np.arange(-9, 9, 0.01)
  x = 1000.0 + 200.0 * t
  weight = np.exp(-(t**2) / 2) * 0.01 / np.sqrt(2 * np.pi)
  exact = (1e6 * weight / (x**2 - nu[:, None] ** 2 - 60j * nu[:, None])).sum(-1)
  with jax.enable_x64(True):
    found = jax.jit(oscillators.brendel_bormann)(nu, parameters)
  np.testing.assert_allclose(found, exact, rtol=1e-9)


def test_a_residual_brings_its_dispersion():
  """Lines taken out of a spectrum and put back as a residual are the whole again, to the window."""
  axis = 400 + 4.0 * np.arange(600)
  sharp, broad = (0.001, 1500.0, 40.0), (0.02, 1400.0, 120.0)
  plan = kramers_kronig.plan(axis, tails='none')
  rest = dielectrics.lorentz(axis, *broad).imag
  with jax.enable_x64(True):
    chi = dielectrics.lorentz(axis, *sharp)
    found = np.asarray(jax.jit(oscillators.with_residual)(plan, chi, rest))
  windowed = dielectrics.lorentz_window(axis, *broad, axis[0], axis[-1]) + 1j * rest
  exact = dielectrics.lorentz(axis, *sharp) + windowed
  inside = slice(20, -20)
  np.testing.assert_allclose(found[inside], exact[inside], rtol=0, atol=1e-6)


# ---- the head ---------------------------------------------------------------


def test_lines_of_a_head_stay_near_their_tokens_and_wide_enough():
  module = Head(step_cm=14.0, knots_per_step=2)
  axis = np.arange(5.0, 700.0, 4.0)
  tokens = 50 * np.random.default_rng(0).normal(size=(2, 51, 8)).astype(np.float32)
  variables = draw(lambda key: module.init(key, tokens, axis))
  found = jax.jit(lambda v, x: module.apply(v, x, axis, method='lines'))(variables, tokens)
  knots = np.maximum(7.0 * np.arange(102), 14.0)
  assert (np.abs(found.centre - knots) <= 7.0 + 1e-4).all()
  assert (np.asarray(found.centre) > 0).all()
  assert (np.asarray(found.gamma) >= oscillators.narrowest(axis)).all()
  assert (np.asarray(found.sigma) >= 0).all()
  assert (np.asarray(found.plasma) >= 0).all()


# ---- faults -----------------------------------------------------------------

ONE = Oscillators(1.0, 1000.0, 10.0, 0.0)


@pytest.mark.parametrize(
  ('call', 'words'),
  [
    (lambda: oscillators.voigt(-NU, ONE), r'nu\[0\] is -400.0 cm\^-1, expected finite'),
    (lambda: oscillators.voigt(NU[None], ONE), r'wavenumbers have shape \(1, 1501\), expected'),
    (lambda: oscillators.voigt(NU, ONE._replace(plasma=-1.0)), 'plasma is -1.0, expected finite'),
    (lambda: oscillators.voigt(NU, ONE._replace(centre=0.0)), 'centre is 0.0, expected finite'),
    (lambda: oscillators.lorentz(NU, 1.0, 1e3, np.nan), 'gamma is nan, expected finite and > 0'),
    (
      lambda: Head(14.0, 2, gamma_min_cm=5.0).apply({}, np.ones((1, 9, 4)), NU),
      r'gamma_min_cm is 5 cm\^-1, expected at least 6, 2.5 steps of this axis',
    ),
  ],
)
def test_bad_calls_are_refused_with_a_sentence(call, words):
  with pytest.raises(ValueError, match=words):
    call()
