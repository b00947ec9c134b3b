"""Fresnel coefficients against Maxwell's boundary conditions; the limits; absorbance."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from spectra_jax.physics import optics

INDEX = np.array([1.5, 0.3, 1.0, 2.0 + 0.7j, 1.3 + 1e-6j, 0.2 + 3j, 4.0 + 0.01j, 1.4 + 0.2j])
ANGLE = np.array([0.0, 0.4, 1.2, 0.9, 0.7, 1.5, 0.785, 1.1])
INCIDENT = np.array([1.0, 1.0, 2.4, 1.0, 2.4, 1.5, 1.33, 4.0])


@functools.cache
def compiled(function, polarisation):
  call = lambda n, incident, angle: function(
    n, incident=incident, angle=angle, polarisation=polarisation
  )
  return jax.jit(call)


def evaluate(function, polarisation, index=INDEX, incident=INCIDENT, angle=ANGLE):
  with jax.enable_x64(True):
    out = compiled(function, polarisation)(index, incident, angle)
    return jax.tree.map(np.asarray, out)


def boundary_conditions(index, incident, angle, polarisation):
  """(r, t) from continuous tangential E and H, with field vectors in three dimensions.

  k = (kx, 0, kz) in units of the vacuum's; E = y for s, and for p perpendicular to k with H = y n;
  H = k x E.
  """
  kx = incident * np.sin(angle)
  wave = lambda n, sign: np.array([kx, 0, sign * np.emath.sqrt(n**2 - kx**2)], complex)
  waves = [(wave(incident, -1), incident), (wave(index, 1), index), (wave(incident, 1), incident)]
  fields = []
  for k, n in waves:
    E = np.array([0, 1, 0]) if polarisation == 's' else np.cross(np.array([0, n, 0]), k) / n**2
    fields.append(np.concatenate([E[:2], np.cross(k, E)[:2]]))
  back, onward, source = fields
  (r, t), *_ = np.linalg.lstsq(np.stack([-back, onward], -1), source, rcond=None)
  return r, t


@pytest.mark.parametrize('polarisation', ['s', 'p'])
@given(
  n=st.floats(0.1, 5),
  k=st.one_of(st.just(0.0), st.floats(1e-6, 5)),
  incident=st.floats(1, 4),
  angle=st.floats(0, 1.55),
)
@settings(max_examples=40, deadline=None)
def test_fields_are_continuous(polarisation, n, k, incident, angle):
  arrays = [np.full(8, v) for v in (n + 1j * k, incident, angle)]
  r, t = evaluate(optics.amplitudes, polarisation, *arrays)
  exact = boundary_conditions(n + 1j * k, incident, angle, polarisation)
  scale = 1 + abs(exact[1])
  assert abs(r[0] - exact[0]) < 1e-10 * scale
  assert abs(t[0] - exact[1]) < 1e-10 * scale


@pytest.mark.parametrize('polarisation', optics.POLARISATIONS)
def test_what_is_not_reflected_enters(polarisation):
  R, T = (evaluate(f, polarisation) for f in (optics.reflectance, optics.transmittance))
  np.testing.assert_allclose(R + T, 1, atol=2e-15)
  assert (T >= 0).all()


def test_unpolarised_light_is_the_mean_of_both():
  s, p, mean = (evaluate(optics.reflectance, pol) for pol in optics.POLARISATIONS)
  np.testing.assert_allclose(mean, (s + p) / 2, rtol=1e-15)
  assert np.abs(s - p).max() > 0.1


def test_at_normal_incidence():
  r_s, t_s = evaluate(optics.amplitudes, 's', angle=np.zeros(8))
  r_p, t_p = evaluate(optics.amplitudes, 'p', angle=np.zeros(8))
  np.testing.assert_allclose(r_s, (INCIDENT - INDEX) / (INCIDENT + INDEX), atol=1e-15)
  np.testing.assert_allclose(r_p, -r_s, atol=1e-15)
  np.testing.assert_allclose(t_p, t_s, atol=1e-15)


def test_at_brewsters_angle_no_p_light_returns():
  n, n0 = INDEX.real + 0.1, INCIDENT
  with jax.enable_x64(True):
    angle = np.asarray(optics.brewster_angle(n0, n))
  assert evaluate(optics.reflectance, 'p', n, n0, angle).max() < 1e-30
  assert evaluate(optics.reflectance, 's', n, n0, angle).min() > 1e-5


def test_total_reflection_begins_at_the_critical_angle():
  with jax.enable_x64(True):
    angle = float(optics.critical_angle(2.4, 1.5))
  assert np.isclose(np.degrees(angle), 38.68, atol=0.01)
  angles = angle + np.array([-0.1, -0.01, -1e-4, 0, 1e-4, 0.01, 0.1, 0.8])
  for polarisation in ('s', 'p'):
    R = evaluate(optics.reflectance, polarisation, np.full(8, 1.5), np.full(8, 2.4), angles)
    assert (R[:3] < 1 - 1e-3).all()
    np.testing.assert_allclose(R[4:], 1, atol=1e-14)
    T = evaluate(optics.transmittance, polarisation, np.full(8, 1.5), np.full(8, 2.4), angles)
    assert (T[4:] == 0).all()


def test_at_45_degrees_p_reflects_as_the_square_of_s():
  """Abeles: r_p = r_s^2 for any complex index, amplitudes included."""
  angle = np.full(8, np.pi / 4)
  r_s, _ = evaluate(optics.amplitudes, 's', angle=angle)
  r_p, _ = evaluate(optics.amplitudes, 'p', angle=angle)
  np.testing.assert_allclose(r_p, r_s**2, atol=1e-14)


@pytest.mark.parametrize('polarisation', ['s', 'p'])
def test_stokes_relations_hold_in_absorbing_media(polarisation):
  a, b = INDEX, np.roll(INDEX, 3) + 0.1j

  @jax.jit
  def both_ways(a, b):
    q = [optics.normal_index(n, 0.4) for n in (a, b)]
    there = optics.interface(a, q[0], b, q[1], polarisation)
    return there, optics.interface(b, q[1], a, q[0], polarisation)

  with jax.enable_x64(True):
    (r, t), (back_r, back_t) = both_ways(a, b)
  np.testing.assert_allclose(back_r, -r, atol=1e-14)
  np.testing.assert_allclose(t * back_t + r * r, 1, atol=1e-13)


NORMAL = jax.jit(optics.normal_index)


@given(n=st.floats(0.01, 6), k=st.one_of(st.just(-0.0), st.floats(0, 6)), s=st.floats(0, 4))
@example(n=1.0, k=1e-250, s=1.0)  # where y^2 underflows
@settings(max_examples=60, deadline=None)
def test_the_wave_decays_away_from_the_interface(n, k, s):
  with jax.enable_x64(True):
    q = complex(NORMAL(np.complex128(complex(n, k)), s))
  assert q.imag >= 0
  assert q.real >= 0
  square = complex((n - s) * (n + s) - k * k, 2 * n * k)
  assert abs(q**2 - square) <= 1e-14 * abs(square) + 1e-300  # subnormal numbers count as 0


def test_float32_keeps_the_digits_of_weak_absorption():
  """1 - R would lose them: T = 3e-6 here."""
  index = np.array([1.5 + 1e-6j, 1.5 + 1e-4j])
  for polarisation in ('s', 'p'):
    with jax.enable_x64(True):
      exact = compiled(optics.transmittance, polarisation)(index, 2.38, np.pi / 4)
      single = compiled(optics.transmittance, polarisation)(
        index.astype(np.complex64), np.float32(2.38), np.float32(np.pi / 4)
      )
    assert single.dtype == jnp.float32
    np.testing.assert_allclose(single, exact, rtol=3e-6)


# ---- gradients --------------------------------------------------------------


@functools.cache
def gradient(polarisation):
  def loss(n, k, angle, incident):
    index = jax.lax.complex(n, k)
    options = {'incident': incident, 'angle': angle, 'polarisation': polarisation}
    r, t = optics.amplitudes(index, **options)
    return (
      r.real - 0.7 * r.imag + 0.3 * t.real + 0.2 * t.imag + optics.transmittance(index, **options)
    )

  each = lambda *v: jax.vmap(jax.value_and_grad(loss, argnums=(0, 1, 2, 3)))(*v)
  return jax.jit(each)


@pytest.mark.parametrize('polarisation', ['s', 'p'])
def test_gradients_are_finite_differences(polarisation):
  point = np.stack([INDEX.real + 0.05, INDEX.imag + 0.02, 0.9 * ANGLE + 0.05, INCIDENT])
  with jax.enable_x64(True):
    value = lambda v: np.asarray(gradient(polarisation)(*v)[0])
    found = np.stack(gradient(polarisation)(*point)[1])
    steps = 1e-6 * np.eye(4)[:, :, None]
    exact = np.stack([(value(point + h) - value(point - h)) / 2e-6 for h in steps])
  np.testing.assert_allclose(found, exact, rtol=1e-6, atol=1e-7)
  with jax.enable_x64(True):
    single = gradient(polarisation)(*point.astype(np.float32))[1]
  assert all(g.dtype == jnp.float32 for g in single)
  np.testing.assert_allclose(np.stack(single), found, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize('polarisation', ['s', 'p'])
def test_gradients_are_finite_where_roots_vanish(polarisation):
  """Normal incidence, grazing, the critical angle, and an index equal to that of the crystal."""
  angle = np.array([0, 0, np.pi / 2, np.pi / 2, np.pi / 6, np.pi / 6, 0, 0.3])
  sine = np.float32(2.0) * np.sin(np.float32(np.pi / 6))
  n = np.array([1.5, 1.5, 1.5, 1.5, sine, sine, 2.0, 2.0])
  k = np.array([0.0, 0.1, 0.0, 0.1, 0.0, 0.1, 0.0, 0.0])
  for dtype in (np.float32, np.float64):
    with jax.enable_x64(True):
      point = (v.astype(dtype) for v in (n, k, angle, 0 * n + 2))
      value, slopes = gradient(polarisation)(*point)
    assert np.isfinite(value).all()
    assert np.isfinite(slopes).all()


def test_the_gradient_at_the_critical_angle_itself_is_zero():
  with jax.enable_x64(True):
    slope = jax.jit(jax.value_and_grad(lambda s: optics.normal_index(1.5, s).imag))
    assert slope(1.5) == (0.0, 0.0)
    assert slope(1.6)[1] > 1


# ---- absorbance -------------------------------------------------------------


def test_absorbance_is_decadic_and_returns():
  T = np.array([1.0, 0.1, 0.01], np.float32)
  np.testing.assert_allclose(optics.absorbance(T), [0, 1, 2], atol=1e-7)
  np.testing.assert_allclose(optics.transmitted(optics.absorbance(T)), T, rtol=1e-6)


def test_beer_lambert_adds_what_solutions_absorb():
  """Filters behind each other multiply T; concentrations and paths trade against each other."""
  rng = np.random.default_rng(0)
  eps, c = rng.uniform(size=(3, 5)), rng.uniform(size=(2, 3))
  total = optics.beer_lambert(eps, c, 0.5)
  each = [optics.beer_lambert(eps[k : k + 1], c[:, k : k + 1], 0.5) for k in range(3)]
  through = np.prod([optics.transmitted(A) for A in each], 0)
  np.testing.assert_allclose(optics.absorbance(through), total, rtol=1e-5)
  np.testing.assert_allclose(optics.beer_lambert(eps, 2 * c, 0.25), total, rtol=1e-6)


def test_extinction_and_absorbance_are_inverse():
  """The wave |exp(2 pi i nu (n + i k) l)|^2 = 10^-A; and k = 0.1 at 1000 cm^-1 is 0.55 in 10 um."""
  nu, k = np.array([500.0, 1000.0, 4000.0]), np.array([0.2, 0.1, 0.01], np.float32)
  A = optics.absorbance_of_extinction(k, nu, 1e-3)
  wave = np.abs(np.exp(2j * np.pi * nu * (1.5 + 1j * k.astype(np.float64)) * 1e-3)) ** 2
  np.testing.assert_allclose(A, -np.log10(wave), rtol=1e-6)
  np.testing.assert_allclose(A[1], 0.5457, atol=1e-4)
  assert A.dtype == jnp.float32
  np.testing.assert_allclose(optics.extinction_of_absorbance(A, nu, 1e-3), k, rtol=1e-6)
  with jax.enable_x64(True):
    assert optics.absorbance_of_extinction(k, nu, 1e-3).dtype == jnp.float32


# ---- faults -----------------------------------------------------------------


@pytest.mark.parametrize(
  ('call', 'words'),
  [
    (
      lambda: optics.reflectance(1.5, incident=1.0, angle=0.1, polarisation='TE'),
      "polarisation is 'TE', expected one of s, p, unpolarised",
    ),
    (
      lambda: optics.amplitudes(1.5, incident=1.0, angle=0.1, polarisation='unpolarised'),
      "polarisation is 'unpolarised', expected one of s, p",
    ),
    (lambda: optics.critical_angle(1.5, 2.4), 'total reflection from index 1.5 onto 2.4'),
  ],
)
def test_bad_calls_are_refused_with_a_sentence(call, words):
  with pytest.raises(ValueError, match=words):
    call()
