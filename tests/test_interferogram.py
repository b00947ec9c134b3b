"""Spectrum and interferogram, lines and poles, and the backbone along retardation."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.fft
import scipy.linalg
import scipy.optimize
from hypothesis import given, settings
from hypothesis import strategies as st

from configs import default
from spectra_jax import interferogram as ig
from spectra_jax import transfer
from spectra_jax.backbones import interferogram as backbone
from spectra_jax.backbones import linoss
from spectra_jax.discretisation import coefficients
from spectra_jax.scan import oscillator_ssm
from tests.parameters import draw
from tests.planted_lines import AREA, AXIS, CENTRE, GAMMA, lorentzians, mirrored


def transform(function, values, nu_L):
  with jax.enable_x64(True):
    return np.asarray(jax.jit(lambda v: function(v, nu_L))(values))


def closed_form(centre, gamma, area, nu_L):
  """sum area exp(-pi gamma delta) cos(2 pi (centre - edge) delta)."""
  return damped(centre, gamma, area, nu_L, np.arange(len(nu_L)))


def damped(centre, gamma, area, nu_L, k_L):
  dnu = nu_L[1] - nu_L[0]
  delta_Lx1 = np.abs(k_L)[:, None] / (2 * len(nu_L) * dnu)
  phase = 2 * np.pi * (centre - nu_L[0] + dnu / 2) * delta_Lx1
  return (area * np.exp(-np.pi * gamma * delta_Lx1) * np.cos(phase)).sum(-1)


# ---- spectrum <-> interferogram ---------------------------------------------


@pytest.mark.parametrize(('length', 'first', 'dnu'), [(2, 0.5, 1.0), (24, 400, 2.0), (57, 9, 0.3)])
def test_the_pair_is_the_cosine_sum_and_its_inverse(length, first, dnu):
  nu_L = first + dnu * np.arange(length)
  values = np.random.default_rng(0).normal(size=(3, length))
  delta = ig.retardation(nu_L)
  kernel = np.cos(2 * np.pi * np.outer(nu_L - ig.lower_edge(nu_L), delta))
  found = transform(ig.interferogram, values, nu_L)
  np.testing.assert_allclose(found, dnu * values @ kernel, atol=1e-12)
  np.testing.assert_allclose(transform(ig.spectrum, found, nu_L), values, atol=1e-12)
  weights = np.where(delta == 0, 1, 2) * 2 * delta[1]
  np.testing.assert_allclose((found * weights) @ kernel.T, values, atol=1e-12)


def test_float32_stays_float32_and_keeps_its_digits():
  values = np.random.default_rng(0).normal(size=1000).astype(np.float32)
  there = jax.jit(lambda v: ig.interferogram(v, AXIS[:1000]))(values)
  back = jax.jit(lambda v: ig.spectrum(v, AXIS[:1000]))(there)
  assert there.dtype == back.dtype == jnp.float32
  np.testing.assert_allclose(back, values, atol=5e-6)


def test_the_gradient_is_the_transposed_sum():
  nu_L = 400 + 2.0 * np.arange(24)
  weight = np.random.default_rng(1).normal(size=24)
  kernel = np.cos(2 * np.pi * np.outer(nu_L - ig.lower_edge(nu_L), ig.retardation(nu_L)))
  loss = lambda values, nu_L: jax.grad(lambda v: ig.interferogram(v, nu_L) @ weight)(values)
  found = transform(loss, np.zeros(24), nu_L)
  np.testing.assert_allclose(found, 2.0 * kernel @ weight, atol=1e-12)


def test_a_line_with_all_its_tails_is_a_damped_exponential():
  lines = (CENTRE, GAMMA, AREA, AXIS)
  found = transform(ig.interferogram, mirrored(*lines), AXIS)
  echo = lambda m: (-1) ** m * damped(*lines, np.arange(2000) + 4000 * m)  # of points dnu apart
  np.testing.assert_allclose(found, sum(map(echo, range(-3, 4))), atol=1e-12)
  first = np.abs(found - closed_form(*lines))
  assert (
    first <= 1.01 * AREA.sum() * np.exp(-np.pi * 8.0 * (1 / 1.8 - ig.retardation(AXIS)))
  ).all()


def test_a_window_takes_the_area_of_the_tails_that_it_cuts():
  line = lorentzians(np.array([1700.0]), 20.0, 1.0, AXIS)
  missing = 1 - transform(ig.interferogram, line, AXIS)[0]
  low, high = ig.lower_edge(AXIS), ig.lower_edge(AXIS) + 1.8 * 2000
  exact = 1 - (np.arctan((high - 1700) / 10) - np.arctan((low - 1700) / 10)) / np.pi
  np.testing.assert_allclose(missing, exact, rtol=1e-5)


# ---- lines <-> poles <-> LinOSS ---------------------------------------------


def oscillator(A, G, h):
  """The filter (g, c, e) of damped IMEX as the layer computes it, in float64."""
  with jax.enable_x64(True):
    arrays = (jnp.asarray(np.atleast_1d(v), jnp.float64) for v in (A, G, h))
    return [np.asarray(v) for v in coefficients('imex', 'oscillatory', *arrays)]


def filter_poles(A, G, h):
  g, c, e, _ = oscillator(A, G, h)
  count = len(g)
  rest = np.zeros((2 * count, 1)), np.zeros((1, 2 * count)), np.zeros(1)
  return transfer.poles(transfer.OscillatorFilter(g, c, e, *rest))[:count]


@given(
  centre=st.floats(405, 3990), gamma=st.floats(0.01, 300), h=st.sampled_from([1e-4, 0.3, 0.5, 0.99])
)
@settings(max_examples=60, deadline=None)
def test_a_linoss_oscillator_has_the_pole_of_the_line(centre, gamma, h):
  nu0 = np.hypot(centre, gamma / 2)
  step = ig.retardation(AXIS)[1]
  exact = np.exp(-np.pi * gamma * step + 2j * np.pi * (centre - ig.lower_edge(AXIS)) * step)
  np.testing.assert_allclose(ig.pole(nu0, gamma, AXIS), exact, atol=4e-16)
  A, G = ig.dynamics(nu0, gamma, h, AXIS)
  M = np.array([[1, -h * A], [h, 1 + h * G - h * h * A]]) / (1 + h * G)
  np.testing.assert_allclose(np.linalg.det(M), abs(exact) ** 2, atol=2e-15)
  np.testing.assert_allclose(np.trace(M), 2 * exact.real, atol=2e-15)
  np.testing.assert_allclose(ig.line_of_dynamics(A, G, h, AXIS), (nu0, gamma), rtol=0, atol=2e-9)
  found = ig.line_of_pole(np.array([exact, exact.conj()]), AXIS)
  np.testing.assert_allclose(found, [[nu0] * 2, [gamma] * 2], rtol=0, atol=2e-9)


def test_poles_match_to_the_last_digit():
  nu_L = 400 + 1.8 * np.arange(2000)
  nu0 = np.hypot(CENTRE, GAMMA / 2)
  A, G = ig.dynamics(nu0, GAMMA, 0.5, nu_L)
  exact = ig.pole(nu0, GAMMA, nu_L)
  assert np.abs(filter_poles(A, G, np.full(5, 0.5)) - exact).max() < 1e-15


def test_the_map_is_the_published_one_with_its_factors_of_two_pi():
  """On a window from 0: S = exp(Gamma dt), G = (S-1)/dt, A = (1 + S - 2 sqrt(S) cos(W_d dt))/dt^2.

  With Gamma = 2 pi gamma, W0 = 2 pi nu0, and poles those of x'' + Gamma x' + W0^2 x = 0 after dt.
  """
  nu_L = 1.0 + 2.0 * np.arange(2500)
  dt = ig.retardation(nu_L)[1]
  assert dt == 1 / (2 * 5000)
  gamma, omega = 2 * np.pi * 12.0, 2 * np.pi * 1700.0
  S, ring = np.exp(gamma * dt), np.sqrt(omega**2 - gamma**2 / 4)
  A, G = ig.dynamics(1700.0, 12.0, dt, nu_L)
  np.testing.assert_allclose(G, (S - 1) / dt, rtol=1e-12)
  np.testing.assert_allclose(A, (1 + S - 2 * np.sqrt(S) * np.cos(ring * dt)) / dt**2, rtol=1e-12)
  flow = scipy.linalg.expm(np.array([[0, 1], [-(omega**2), -gamma]]) * dt)
  exact = np.linalg.eigvals(flow)
  found = ig.pole(1700.0, 12.0, nu_L)
  np.testing.assert_allclose(found, exact[exact.imag > 0][0], atol=1e-12)


def test_without_the_map_a_line_at_1700_is_read_at_1793():
  """The negative control: the continuous A = W0^2, G = Gamma in the discrete scheme."""
  nu_L = 1.0 + 2.0 * np.arange(2500)  # Nyquist wavenumber 5000
  dt = ig.retardation(nu_L)[1]
  gamma = 0.01
  pole = filter_poles((2 * np.pi * 1700.0) ** 2, 2 * np.pi * gamma, dt)
  naive, _ = ig.line_of_pole(pole, nu_L)
  np.testing.assert_allclose(naive, 1793.4, atol=0.1)
  mapped, _ = ig.line_of_pole(filter_poles(*ig.dynamics(1700.0, gamma, dt, nu_L), dt), nu_L)
  np.testing.assert_allclose(mapped, 1700.0, atol=1e-9)


@functools.cache
def linoss_interferogram(length):
  """(A, G) -> [L], a line through the layer's scan as x_n - r cos(theta) x_{n-1}; and a loss."""

  def run(A, G):
    g, c, e, _ = coefficients('imex', 'oscillatory', A[None], G[None], jnp.full(1, 0.5))
    later = jnp.stack([jnp.ones(1), -(2 - g - c) / 2])  # [re; im] drive of u_n and of u_{n-1}
    taps = jnp.stack([jnp.eye(length)[0], jnp.eye(length)[1]], -1)[None]
    drive = jnp.concatenate([later, jnp.zeros((2, 1))], 1).T  # [Q = 2, D = 2]
    out = jnp.ones((1, 2)).at[0, 1].set(0.0)
    arrays = (g, c, drive, jnp.tile(out, (2, 1)), jnp.zeros(2), taps)
    return oscillator_ssm(*arrays, e_P=e, algorithm='sequential')[0, :, 0]

  return jax.jit(run), jax.jit(
    lambda A, G, y: jax.value_and_grad(lambda p: ((run(*p) - y) ** 2).sum())(jnp.stack([A, G]))
  )


def test_the_filter_of_the_layer_sounds_the_line():
  A, G = ig.dynamics(np.hypot(1700.0, 15.0), 30.0, 0.5, AXIS)
  with jax.enable_x64(True):
    found = linoss_interferogram(300)[0](jnp.asarray(A), jnp.asarray(G))
  exact = closed_form(1700.0, 30.0, 1.0, AXIS)[:300]
  np.testing.assert_allclose(found, exact, atol=1e-12)


def test_gradient_descent_on_the_filter_finds_the_line():
  """BFGS through the scan, from a line 4 cm^-1 off and 50 % too wide."""
  target = closed_form(1700.0, 30.0, 1.0, AXIS)[:300]
  start = np.array(ig.dynamics(1704.0, 45.0, 0.5, AXIS))
  with jax.enable_x64(True):
    loss = linoss_interferogram(300)[1]
    value = lambda q: [np.asarray(v) for v in loss(*(start * np.exp(q)), target)]
    scaled = lambda q: (value(q)[0], value(q)[1] * start * np.exp(q))
    fit = scipy.optimize.minimize(scaled, np.zeros(2), jac=True, method='BFGS', tol=1e-12)
  nu0, gamma = ig.line_of_dynamics(*(start * np.exp(fit.x)), 0.5, AXIS)
  assert abs(ig.centre(nu0, gamma) - 1700.0) < 1e-3
  assert abs(gamma - 30.0) < 1e-3


# ---- the backbone -----------------------------------------------------------

SHAPE, NU = (2, 19, 6), 406 + 14.0 * np.arange(19)
OPTIONS = {'state': 4, 'blocks': 1, 'algorithm': 'sequential'}


@functools.cache
def model(bidirectional):
  """(module, variables, tokens, apply) in float32."""
  module = backbone.Backbone(**OPTIONS, bidirectional=bidirectional)
  x = jax.random.normal(jax.random.key(0), SHAPE)
  variables = draw(lambda key: module.init(key, x, NU, None, False))
  return module, variables, x, jax.jit(lambda v, x: module.apply(v, x, NU, None, False))


@pytest.mark.parametrize('bidirectional', [False, True])
def test_the_backbone_is_linoss_between_the_transforms(bidirectional):
  _, variables, x, apply = model(bidirectional)
  inner = linoss.Backbone(**OPTIONS, bidirectional=bidirectional)
  z = scipy.fft.dct(np.asarray(x, np.float64), axis=1, norm='ortho').astype(np.float32)
  z = jax.jit(lambda v, z: inner.apply(v, z, NU, None, False))(variables, z)
  y = scipy.fft.idct(np.asarray(z, np.float64), axis=1, norm='ortho')
  np.testing.assert_allclose(apply(variables, x), y, atol=2e-5)


def test_a_causal_backbone_answers_in_the_order_of_resolution():
  """Output at short retardations depends on nothing that only long ones tell."""
  _, variables, x, apply = model(False)
  z = scipy.fft.dct(np.asarray(x), axis=1, norm='ortho')
  coarse = z * (np.arange(19) < 7)[:, None]
  out = [
    scipy.fft.dct(
      np.asarray(apply(variables, scipy.fft.idct(v, axis=1, norm='ortho'))), axis=1, norm='ortho'
    )
    for v in (z, coarse)
  ]
  np.testing.assert_allclose(out[0][:, :7], out[1][:, :7], atol=2e-5)
  assert np.abs(out[0][:, 7:] - out[1][:, 7:]).max() > 1e-2


def test_retardations_stream_through_linoss_with_the_same_parameters():
  module, variables, x, apply = model(False)
  inner = linoss.Backbone(**OPTIONS, bidirectional=False)
  z = jax.scipy.fft.dct(x, axis=1, norm='ortho')
  state, parts = inner.rest(variables, z), []
  extend = jax.jit(lambda v, s, z: inner.apply(v, s, z, method='extend'))
  for k in range(19):
    state, y = extend(variables, state, z[:, k : k + 1])
    parts.append(y)
  y = jax.scipy.fft.idct(jnp.concatenate(parts, 1), axis=1, norm='ortho')
  np.testing.assert_allclose(apply(variables, x), y, atol=2e-5)
  with pytest.raises(ValueError, match='cannot stream over tokens'):
    module.apply(variables, None, x, method='extend')


def test_the_poles_of_a_layer_read_as_planted_lines():
  """Through `transfer.layers`: learned parameters in, nu0 and gamma in cm^-1 out."""
  module, variables, _, _ = model(False)
  steps = variables['params']['block_0']['forward']['dynamics']['steps']
  planted = np.hypot([450.0, 500.0, 600.0, 640.0], 15.0)
  A, G = ig.dynamics(planted, np.full(4, 30.0), np.asarray(jax.nn.sigmoid(steps), np.float64), NU)
  params = jax.tree.map(lambda a: a, variables['params'])
  params['block_0']['forward']['dynamics'] = {
    'A': jnp.float32(A),
    'G': jnp.float32(G),
    'steps': steps,
  }
  system = transfer.layers(module, {'params': params}, 6)['block_0/forward']
  nu0, gamma = ig.line_of_pole(transfer.poles(system)[:4], NU)
  np.testing.assert_allclose(nu0, planted, atol=2e-3)  # float32 parameters
  np.testing.assert_allclose(gamma, 30.0, atol=2e-3)


def test_its_options_are_those_of_linoss_but_for_the_direction():
  config = default.get_config().backbone
  assert config.interferogram.to_dict() == {**config.linoss.to_dict(), 'bidirectional': False}


# ---- faults -----------------------------------------------------------------

UNEVEN = np.array([1.0, 2.0, 4.0, 5.0])


@pytest.mark.parametrize(
  ('call', 'words'),
  [
    (lambda: ig.interferogram(np.ones(4), UNEVEN), 'expected an even ascending axis'),
    (lambda: ig.spectrum(np.ones(4), -np.arange(4)), 'expected an even ascending axis'),
    (lambda: ig.retardation(np.ones(1)), r'wavenumbers have shape \(1,\); expected \[L\]'),
    (lambda: ig.interferogram(np.ones(5), AXIS), r'values have shape \(5,\) and wavenumbers'),
    (lambda: ig.pole(4500.0, 10.0, AXIS), 'maxima at .* expected 399.1 to 3999.1'),
    (lambda: ig.dynamics(500.0, -1.0, 0.5, AXIS), 'expected 0 <= gamma <= 2 nu0'),
    (
      lambda: backbone.Backbone().apply({}, np.ones((1, 4, 2)), UNEVEN, None, False),
      'expected an even ascending axis',
    ),
    (
      lambda: backbone.Backbone(sequence_axis='seq').apply({}, np.ones((1, 4, 2)), AXIS, 0, False),
      "sequence_axis = 'seq', expected '': its cosine transform needs all tokens on one device",
    ),
  ],
)
def test_bad_calls_are_refused_with_a_sentence(call, words):
  with pytest.raises(ValueError, match=words):
    call()
