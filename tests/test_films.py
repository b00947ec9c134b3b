"""Films against Maxwell's equations, energy and closed forms; where Beer-Lambert fails."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from spectra_jax.physics import films, optics

NU = np.array([500.0, 900.0, 1234.5, 1700.0, 2950.0, 4000.0])
LOSSLESS = (1.0, 1.7, 1.38, 2.4)
ABSORBING = (1.0, 1.5 + 0.05j, 3.4, 0.3 + 4j, 1.4 + 0.3j, 1.5)
THIN = (3e-4, 1e-4)
LAYERS = (2e-4, 1e-4, 2e-6, 3e-4)


def on(*v):
  """Numbers as arrays on NU, so that one compilation serves every value."""
  return tuple(np.full(len(NU), n, np.complex128) for n in v)


@functools.cache
def compiled(function, polarisation):
  return jax.jit(functools.partial(function, polarisation=polarisation))


def evaluate(function, polarisation, *arguments, angle=0.0):
  with jax.enable_x64(True):
    out = compiled(function, polarisation)(*arguments, angle=angle)
    return [np.asarray(v) for v in out]


def all_waves(indices, thicknesses, nu, angle, polarisation):
  """Waves of every layer at once: continuity at every interface, one linear system, [M+2, 2].

  s: E and q E; p: H and q H / n^2. A wave is 1 at the interface that it leaves, so none overflows.
  """
  n = np.array(indices, complex)
  q = np.emath.sqrt(n**2 - (n[0] * np.sin(angle)) ** 2)
  y = q if polarisation == 's' else q / n**2
  across = np.exp(2j * np.pi * nu * np.array([0, *thicknesses, 0]) * q)
  count = len(n)
  system, right = np.zeros((2 * count, 2 * count), complex), np.zeros(2 * count, complex)
  for j in range(count - 1):
    front, back = slice(2 * j, 2 * j + 2), slice(2 * j + 2, 2 * j + 4)
    system[2 * j : 2 * j + 2, front] = [[across[j], 1], [y[j] * across[j], -y[j]]]
    enter = across[j + 1]
    system[2 * j : 2 * j + 2, back] = [[-1, -enter], [-y[j + 1], y[j + 1] * enter]]
  system[-2, 0], right[-2] = 1, 1
  system[-1, -1] = 1
  return np.linalg.solve(system, right).reshape(count, 2), q, y


def exact_power(indices, thicknesses, angle, polarisation):
  out = []
  for nu in NU:
    waves, _, y = all_waves(indices, thicknesses, nu, angle, polarisation)
    flux = y.conj().real if polarisation == 'p' else y.real
    out.append((abs(waves[0, 1]) ** 2, abs(waves[-1, 0]) ** 2 * flux[-1] / flux[0]))
  return np.array(out).T


@pytest.mark.parametrize('polarisation', ['s', 'p'])
@pytest.mark.parametrize('angle', [0.0, 0.7, 1.4])
def test_recursion_is_the_solution_of_all_interfaces_at_once(polarisation, angle):
  for indices, thicknesses in ((LOSSLESS, THIN), (ABSORBING, LAYERS)):
    found = evaluate(films.power, polarisation, on(*indices), thicknesses, NU, angle=angle)
    exact = exact_power(indices, thicknesses, angle, polarisation)
    np.testing.assert_allclose(found, exact, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize('polarisation', ['s', 'p'])
def test_amplitudes_are_the_sum_over_all_round_trips(polarisation):
  n, d, angle = (1.0, 1.5 + 0.02j, 2.4), 2e-4, 0.6
  r, t = evaluate(films.amplitudes, polarisation, on(*n), (d,), NU, angle=angle)
  q = [np.emath.sqrt(v**2 - np.sin(angle) ** 2) for v in np.array(n, complex)]
  if polarisation == 's':
    front, back = ((q[i] - q[i + 1]) / (q[i] + q[i + 1]) for i in range(2))
    enter, leave = (2 * q[i] / (q[i] + q[i + 1]) for i in range(2))
  else:
    total = [n[i + 1] ** 2 * q[i] + n[i] ** 2 * q[i + 1] for i in range(2)]
    front, back = (1 - 2 * n[i] ** 2 * q[i + 1] / total[i] for i in range(2))
    enter, leave = (2 * n[i] * n[i + 1] * q[i] / total[i] for i in range(2))
  once = np.exp(2j * np.pi * NU * d * q[1])
  trips = [(-front * back * once**2) ** m for m in range(60)]
  np.testing.assert_allclose(t, enter * leave * once * sum(trips), atol=1e-12)
  series = front + (1 - front**2) * back * once**2 * sum(trips)
  np.testing.assert_allclose(r, series, atol=1e-12)


# ---- energy -----------------------------------------------------------------


@pytest.mark.parametrize('polarisation', optics.POLARISATIONS)
def test_lossless_films_lose_nothing(polarisation):
  for angle in (0.0, 0.7, 1.4):
    R, T = evaluate(films.power, polarisation, on(*LOSSLESS), THIN, NU, angle=angle)
    np.testing.assert_allclose(R + T, 1, atol=1e-13)
    assert R.max() > 0.02


def test_what_is_missing_is_dissipated_inside():
  """1 - R - T = (k0 / q0) int Im(n^2) |E|^2 dz over the films, s polarised."""
  angle = 0.7
  R, T = evaluate(films.power, 's', on(*ABSORBING), LAYERS, NU, angle=angle)
  nodes, weights = np.polynomial.legendre.leggauss(80)
  for i, nu in enumerate(NU):
    waves, q, _ = all_waves(ABSORBING, LAYERS, nu, angle, 's')
    heat = 0.0
    for (onward, back), d, n, qj in zip(waves[1:], LAYERS, ABSORBING[1:], q[1:], strict=False):
      z, phase = d * (nodes + 1) / 2, 2j * np.pi * nu * qj
      E = onward * np.exp(phase * z) + back * np.exp(phase * (d - z))
      heat += np.imag(complex(n) ** 2) * (weights * np.abs(E) ** 2).sum() * d / 2
    np.testing.assert_allclose(1 - R[i] - T[i], 2 * np.pi * nu / q[0].real * heat, rtol=1e-9)


@pytest.mark.parametrize('polarisation', ['s', 'p'])
def test_transmission_is_the_same_from_both_sides(polarisation):
  there = evaluate(films.power, polarisation, on(*ABSORBING), LAYERS, NU, angle=0.7)
  inner = np.arcsin(np.sin(0.7) / 1.5)
  back = evaluate(films.power, polarisation, on(*ABSORBING[::-1]), LAYERS[::-1], NU, angle=inner)
  np.testing.assert_allclose(there[1], back[1], rtol=1e-10)
  assert np.abs(there[0] - back[0]).max() > 0.1  # reflection is not


# ---- closed forms -----------------------------------------------------------


def test_a_quarter_wave_stack():
  """R = [(Y - 1) / (Y + 1)]^2 at its design wavenumber, Y = n_s (n_H / n_L)^2N."""
  high, low, substrate, pairs, nu = 2.3, 1.38, 1.52, 3, 1700.0
  indices = (1.0, *(high, low) * pairs, substrate)
  thicknesses = tuple(1 / (4 * n * nu) for n in indices[1:-1])
  R, T = evaluate(films.power, 's', indices, thicknesses, np.full(6, nu))
  Y = substrate * (high / low) ** (2 * pairs)
  np.testing.assert_allclose(R, ((Y - 1) / (Y + 1)) ** 2, rtol=1e-12)
  assert R[0] > 0.88
  np.testing.assert_allclose(R + T, 1, atol=1e-13)


@pytest.mark.parametrize('polarisation', ['s', 'p'])
def test_light_tunnels_through_a_gap(polarisation):
  """1/T = 1 + [(q^2 + g^2) / (2 q g)]^2 sinh^2(2 pi nu d g), g^2 = s^2 - 1; p: q / n^2 for q."""
  n, d, angle = 2.4, 1e-4, 0.8
  _, T = evaluate(films.power, polarisation, on(n, 1.0, n), (d,), NU, angle=angle)
  q, g = n * np.cos(angle), np.sqrt((n * np.sin(angle)) ** 2 - 1)
  y = q if polarisation == 's' else q / n**2
  tunnel = ((y**2 + g**2) / (2 * y * g)) ** 2 * np.sinh(2 * np.pi * NU * d * g) ** 2
  np.testing.assert_allclose(T, 1 / (1 + tunnel), rtol=1e-10)


@pytest.mark.parametrize('polarisation', ['s', 'p'])
def test_an_opaque_film_is_a_half_space(polarisation):
  """Its transfer matrix holds exp(1e4), which neither precision can."""
  film = 1.5 + 0.1j
  exact = exact_power((1.0, film), (), 0.7, polarisation)[0]
  R, T = evaluate(films.power, polarisation, on(1.0, film, 3.4), (10.0,), NU, angle=0.7)
  np.testing.assert_allclose(R, exact, rtol=1e-12)
  assert (T == 0).all()
  single = tuple(v.astype(np.complex64) for v in on(1.0, film, 3.4))
  R, T = compiled(films.power, polarisation)(single, (10.0,), NU, angle=0.7)
  assert R.dtype == jnp.float32
  np.testing.assert_allclose(R, exact, rtol=1e-6)
  assert (T == 0).all()


def test_a_bare_slab():
  """T = (1 - R)^2 a / (1 - R^2 a^2), and 2 n / (n^2 + 1) without loss."""
  for index in (3.4, 1.5 + 1e-5j):
    R, T = evaluate(films.on_slab, 's', on(1.0, index), (), 0.1, NU)
    r = abs((index - 1) / (index + 1)) ** 2
    a = np.exp(-4 * np.pi * NU * 0.1 * np.imag(index))
    np.testing.assert_allclose(T, (1 - r) ** 2 * a / (1 - (r * a) ** 2), rtol=1e-4)
    np.testing.assert_allclose(R, r * (1 + a * T), rtol=1e-4)
  np.testing.assert_allclose(
    evaluate(films.on_slab, 's', on(1.0, 3.4), (), 0.1, NU)[1], 6.8 / (3.4**2 + 1), rtol=1e-12
  )


@pytest.mark.parametrize('polarisation', ['s', 'p'])
def test_a_slab_is_the_mean_of_coherent_ones_over_a_fringe(polarisation):
  """The mean over 64 thicknesses of one fringe, of an absorbing film on a lossless slab."""
  film, slab, angle = (1.5 + 0.05j, 2e-4), 3.4, 0.5
  period = 1 / (2 * NU * np.sqrt(slab**2 - np.sin(angle) ** 2))
  stack = on(1.0, film[0], slab, 1.0)
  coherent = jax.jit(
    jax.vmap(
      lambda d: jnp.stack(
        films.power(stack, (film[1], d), NU, angle=angle, polarisation=polarisation)
      )
    )
  )
  with jax.enable_x64(True):
    mean = np.asarray(coherent(0.01 + np.arange(64)[:, None] / 64 * period)).mean(0)
  found = evaluate(films.on_slab, polarisation, stack[:3], film[1:], 0.1, NU, angle=angle)
  np.testing.assert_allclose(found, mean, rtol=1e-9)


# ---- where Beer-Lambert fails -----------------------------------------------


def apparent(film, substrate, thickness, nu):
  with jax.enable_x64(True):
    call = jax.jit(
      functools.partial(films.apparent_absorbance, angle=0.0, polarisation='unpolarised')
    )
    return np.asarray(call(film, substrate, thickness, nu))


@pytest.mark.parametrize(
  ('substrate', 'extreme'), [(1.4, 0.01198), (2.4, -0.08023), (3.42, -0.13586)]
)
def test_fringes_of_a_film_that_absorbs_nothing(substrate, extreme):
  """CaF2, ZnSe, silicon: up to -0.14 of apparent absorbance where Beer-Lambert says 0."""
  n, d = 1.5, 5e-4
  quarter = np.arange(0, 12) / (4 * n * d)  # 333 cm^-1
  found = apparent(np.full(12, n), substrate, d, quarter)
  np.testing.assert_allclose(found[::2], 0, atol=1e-14)
  np.testing.assert_allclose(found[1::2], extreme, atol=1e-5)
  np.testing.assert_allclose(films.fringe_amplitude(n, substrate), extreme, atol=1e-5)
  between = apparent(np.full(12, n), substrate, d, quarter + quarter[1] * 0.37)
  assert (np.abs(between) < np.abs(extreme)).all()


def test_k_from_beer_lambert_is_wrong_by_the_fringe():
  """Of a 2 um film on silicon, k = 0.02: 14 % too low where fringes vanish, and negative elsewhere.

  In closed form: T = |t|^2 n_s with t = t01 t12 p / (1 + r01 r12 p^2), p = exp(2 pi i nu d (n + i
  k)), over 4 n_s / (1 + n_s)^2.
  """
  n, k, d, substrate = 1.5, 0.02, 2e-4, 3.42
  nu = np.linspace(1000, 3000, 401)
  index = n + 1j * k
  t01, t12 = 2 / (1 + index), 2 * index / (index + substrate)
  r01, r12 = (1 - index) / (1 + index), (index - substrate) / (index + substrate)
  once = np.exp(2j * np.pi * nu * d * index)
  t = t01 * t12 * once / (1 + r01 * r12 * once**2)
  exact = -np.log10(np.abs(t) ** 2 * (1 + substrate) ** 2 / 4)
  found = apparent(np.full(401, index), substrate, d, nu)
  np.testing.assert_allclose(found, exact, atol=1e-13)
  wrong = np.asarray(optics.extinction_of_absorbance(found, nu, d)) / k - 1
  np.testing.assert_allclose([wrong.min(), wrong.max()], [-5.381, -0.139], atol=2e-3)


# ---- gradients --------------------------------------------------------------


def test_gradients_are_finite_differences():
  """By n, k, thickness, angle and wavenumber, both polarisations and both films of a stack."""

  def loss(p):
    index = jax.lax.complex(p[:2], p[2:4])
    options = {'angle': p[6], 'polarisation': 'unpolarised'}
    R, T = films.power((1.0, *index), (1e-4 * p[4],), p[7:9] * 1e3, **options)
    return (R - p[5] * T) @ jnp.array([1.0, 0.6])

  call = jax.jit(jax.value_and_grad(loss))
  p = np.array([1.5, 3.1, 0.05, 0.3, 2.0, 0.5, 0.7, 1.2, 2.9])
  with jax.enable_x64(True):
    found = np.asarray(call(p)[1])
    exact = [(call(p + h)[0] - call(p - h)[0]) / 2e-6 for h in 1e-6 * np.eye(9)]
    single = call(p.astype(np.float32))[1]
  np.testing.assert_allclose(found, exact, rtol=1e-6, atol=1e-8)
  assert single.dtype == jnp.float32
  np.testing.assert_allclose(single, found, rtol=1e-4, atol=1e-4)


def test_an_opaque_film_has_a_finite_gradient():
  slope = jax.grad(
    lambda d: films.power((1.0, 1.5 + 0.1j, 3.4), (d,), 4000.0, angle=0.0, polarisation='s')[0]
  )
  assert jax.jit(slope)(10.0) == 0.0


# ---- faults -----------------------------------------------------------------


@pytest.mark.parametrize(
  ('indices', 'thicknesses', 'polarisation', 'words'),
  [
    ((1.0,), (), 's', 'a stack has 1 indices and 0 thicknesses'),
    ((1.0, 1.5, 1.0), (), 's', 'a stack has 3 indices and 0 thicknesses; expected ambient, films'),
    ((1.0, 1.5, 1.0), (1e-4,), 'TM', "polarisation is 'TM', expected one of s, p"),
  ],
)
def test_bad_stacks_are_refused_with_a_sentence(indices, thicknesses, polarisation, words):
  options = {'angle': 0.0, 'polarisation': polarisation}
  for function in (films.amplitudes, films.power):
    with pytest.raises(ValueError, match=words):
      function(indices, thicknesses, NU, **options)
  with pytest.raises(ValueError, match=words):
    films.on_slab(indices, thicknesses, 0.1, NU, **options)
