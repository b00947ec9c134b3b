"""ATR spectra of known media: forward laws, the way back to n and k, its gradient, its failure."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.dielectrics import lorentz
from spectra_jax.physics import attenuated_reflection as atr
from spectra_jax.physics import films, kramers_kronig, optics

AXIS = np.linspace(500, 4000, 1024)
ANGLE = np.pi / 4
ANCHORS = np.array([600.0, 2500.0])
ORGANIC = (2.2, [(0.006, 1700, 30), (0.005, 1450, 40), (0.006, 1250, 30), (0.002, 2950, 40)])
WATER = (1.72, [(0.074, 3400, 350), (0.0167, 1640, 80), (0.55, 600, 400), (0.9, 180, 250)])
BOTH = np.array([[atr.DIAMOND], [atr.GERMANIUM]])


def medium(kind, nu=AXIS):
  """n + i k = sqrt(eps_inf + Lorentz lines). WATER: k up to 0.32, n 1.17 to 1.49."""
  background, lines = kind
  return np.sqrt(background + sum(lorentz(nu, *line) for line in lines))


@functools.cache
def spectrum(polarisation):
  call = functools.partial(atr.absorbance, polarisation=polarisation)
  return jax.jit(lambda index, crystal, angle: call(index, crystal=crystal, angle=angle))


def simulated(kind, crystal, polarisation, angle=ANGLE):
  with jax.enable_x64(True):
    return np.asarray(spectrum(polarisation)(medium(kind), crystal, angle))


@functools.cache
def plan(tails, anchors):
  return kramers_kronig.plan(AXIS, tails=tails, anchors_nu=anchors)


def corrected(A_BxL, kind, polarisation, crystal=BOTH, tolerance=1e-9):
  """Through tails and two anchors."""
  with jax.enable_x64(A_BxL.dtype == np.float64):
    known = medium(kind, ANCHORS).real.astype(A_BxL.dtype)
    options = {'polarisation': polarisation, 'iterations': 100, 'tolerance': tolerance}
    arguments = (A_BxL, plan('power_law', tuple(ANCHORS)), known, crystal, ANGLE)
    return jax.tree.map(np.asarray, atr._solve_plan(*arguments, **options))


def errors(found, kind):
  """|k - exact| and |n - exact|, relative to max k."""
  exact = medium(kind)
  off = [np.abs(found.k_BxL - exact.imag), np.abs(found.n_BxL - exact.real)]
  return np.array(off) / exact.imag.max()


# ---- forward ----------------------------------------------------------------


@pytest.mark.parametrize('polarisation', optics.POLARISATIONS)
def test_a_weak_band_obeys_beer_lambert_on_the_effective_path(polarisation):
  index = np.full(1024, 1.5 + 1e-7j)
  with jax.enable_x64(True):
    A = np.asarray(spectrum(polarisation)(index, atr.DIAMOND, 0.9))
    path = atr.effective_path(1.5, AXIS, crystal=atr.DIAMOND, angle=0.9, polarisation=polarisation)
    expected = optics.absorbance_of_extinction(np.full(1024, 1e-7), AXIS, path)
  np.testing.assert_allclose(A, expected, rtol=1e-5)


def test_penetration_depths():
  """1.5 on diamond and germanium at 1000 cm^-1: 2.09 um and 0.66 um; the field falls to 1/e."""
  depths = [
    atr.penetration_depth(1.5, 1000.0, crystal=c, angle=ANGLE) for c in (atr.DIAMOND, atr.GERMANIUM)
  ]
  np.testing.assert_allclose(depths, [2.086e-4, 0.664e-4], rtol=2e-3)
  q = optics.normal_index(1.5, optics.tangential_index(atr.DIAMOND, ANGLE))
  field = jnp.exp(2j * np.pi * 1000.0 * q * depths[0])
  np.testing.assert_allclose(np.abs(field), np.exp(-1), rtol=1e-5)


def test_at_45_degrees_p_absorbs_twice_as_much_as_s():
  for crystal in (atr.DIAMOND, atr.GERMANIUM):
    s, p = (simulated(WATER, crystal, polarisation) for polarisation in ('s', 'p'))
    np.testing.assert_allclose(p, 2 * s, rtol=1e-12)


def test_a_thick_film_on_the_crystal_is_a_half_space():
  options = {'angle': ANGLE, 'polarisation': 'unpolarised'}
  with jax.enable_x64(True):
    stack = jax.jit(lambda n: films.power((atr.DIAMOND, n, 1.0), (0.05,), AXIS, **options)[0])
    R = np.asarray(stack(medium(WATER)))
  np.testing.assert_allclose(-np.log10(R), simulated(WATER, 2.38, 'unpolarised'), rtol=1e-9)


def test_bands_move_to_lower_wavenumbers():
  """Of a carbonyl band at 1700 cm^-1, FWHM 20, k = 0.30: by -5 cm^-1 on diamond, -2 on germanium.

  k itself peaks at 1701, and p moves as s does at 45 degrees.
  """
  nu = np.linspace(1600, 1800, 1024)
  strength = 0.0105
  index = np.sqrt(2.2 + lorentz(nu, strength, 1700, 20))
  peak = nu[index.imag.argmax()]
  shift = {}
  for crystal in (atr.DIAMOND, atr.GERMANIUM):
    with jax.enable_x64(True):
      for pol in ('s', 'p'):
        shift[crystal, pol] = nu[np.asarray(spectrum(pol)(index, crystal, ANGLE)).argmax()] - peak
    np.testing.assert_allclose(shift[crystal, 's'], shift[crystal, 'p'], atol=1e-9)
  np.testing.assert_allclose(shift[atr.DIAMOND, 's'], -5, atol=0.5)
  np.testing.assert_allclose(shift[atr.GERMANIUM, 's'], -2, atol=0.5)


def test_weak_bands_keep_their_digits_in_float32():
  index = np.full(1024, 1.5 + 1e-6j)
  with jax.enable_x64(True):
    exact = np.asarray(spectrum('s')(index, 2.38, ANGLE))
  single = spectrum('s')(index.astype(np.complex64), 2.38, ANGLE)
  assert single.dtype == jnp.float32
  np.testing.assert_allclose(single, exact, rtol=2e-6)


# ---- and back ---------------------------------------------------------------


SLOW = [pytest.param(pol, marks=pytest.mark.slow) for pol in ('s', 'p')]


@pytest.mark.parametrize('polarisation', ['unpolarised', *SLOW])
def test_an_organic_liquid_comes_back(polarisation):
  """On diamond and on germanium."""
  found = corrected(simulated(ORGANIC, BOTH, polarisation), ORGANIC, polarisation)
  assert found.converged_B.all()
  assert found.residual_B.max() < 1e-8
  of_k, of_n = errors(found, ORGANIC)
  assert of_k.max() < 1e-5
  assert of_n.max() < 1e-4


def test_water_comes_back_with_tails_and_two_anchors():
  found = corrected(simulated(WATER, BOTH, 'unpolarised'), WATER, 'unpolarised')
  assert found.converged_B.all()
  of_k = errors(found, WATER)[0]
  assert of_k[:, 20:-20].max() < 5e-3
  assert np.sqrt((of_k**2).mean(-1)).max() < 5e-3
  assert of_k.max() < 3e-2  # at 500 cm^-1, where a strong band is cut


def test_water_without_tails_converges_to_a_wrong_k_and_is_refused():
  """Negative control: the residual is small, and k is off by a large part of itself."""
  A = simulated(WATER, BOTH, 'unpolarised')
  bare, geometry = plan('none', ()), {'crystal': BOTH, 'angle': ANGLE}
  options = {'polarisation': 'unpolarised', 'iterations': 100, 'tolerance': 1e-5}
  with jax.enable_x64(True):
    found = atr._solve_plan(A, bare, np.float64(1.31), *geometry.values(), **options)
    assert found.converged_B.all()
    assert found.residual_B.max() < 1e-4
    assert errors(found, WATER)[0].max(-1).min() > 0.2
    with pytest.raises(ValueError, match=r"k at an edge of the window is .* tails 'none'"):
      atr.correct(A, bare, 1.31, **geometry, **options, noise=0.0)


def test_what_has_no_solution_is_reported_and_changes_nothing_beside_it():
  """The absorbance of four reflections taken for that of one."""
  A = simulated(WATER, np.full((2, 1), 2.38), 'unpolarised') * [[4], [1]]
  found = corrected(A, WATER, 'unpolarised', np.full((2, 1), 2.38))
  assert found.converged_B.tolist() == [False, True]
  assert found.residual_B[0] > 0.01
  assert np.isnan(found.k_BxL[0]).all()
  assert np.isnan(found.n_BxL[0]).all()
  alone = corrected(A[::-1], WATER, 'unpolarised', np.full((2, 1), 2.38))
  np.testing.assert_array_equal(found.k_BxL[1], alone.k_BxL[0])


def test_float32_reaches_its_tolerance():
  A = simulated(ORGANIC, BOTH, 'unpolarised').astype(np.float32)
  found = corrected(A, ORGANIC, 'unpolarised', BOTH.astype(np.float32), tolerance=3e-6)
  assert found.k_BxL.dtype == found.n_BxL.dtype == np.float32
  assert found.converged_B.all()
  assert errors(found, ORGANIC)[0].max() < 1e-5


def test_noise_below_zero_gives_k_below_zero():
  """Linear there, so that averages stay unbiased; nothing where nothing is absorbed."""
  A = np.zeros((2, 1024))
  A[1] = -1e-4
  found = corrected(A, ORGANIC, 'unpolarised')
  assert found.converged_B.all()
  assert (found.k_BxL[0] == 0).all()
  assert (found.k_BxL[1] < 0).all()
  again = corrected(-A, ORGANIC, 'unpolarised')
  np.testing.assert_allclose(found.k_BxL[1], -again.k_BxL[1], rtol=2e-2)


# ---- gradients --------------------------------------------------------------

SHORT = np.linspace(1000, 2000, 64)


@functools.cache
def slopes(implicit):
  """Gradients of a sum over n and k by A, n_infinity, crystal and angle; unrolled for control."""
  short = kramers_kronig.plan(SHORT, tails='power_law')
  rng = np.random.default_rng(0)
  on_n, on_k = rng.normal(size=(2, 2, 64))

  def loss(A_BxL, n_infinity, crystal, angle):
    dispersion = lambda k: n_infinity + kramers_kronig.transform(short, k)
    options = {'crystal': crystal, 'angle': angle, 'polarisation': 'unpolarised'}
    if implicit:
      found = atr.solve(A_BxL, dispersion, **options, tolerance=1e-12)
      k_BxL, n_BxL = found.k_BxL, found.n_BxL
    else:

      def plain(k_BxL, _):
        calculated = atr.absorbance(jax.lax.complex(dispersion(k_BxL), k_BxL), **options)
        return k_BxL * A_BxL / calculated, None

      k_BxL, _ = jax.lax.scan(plain, 0.01 + 0 * A_BxL, length=150)
      n_BxL = dispersion(k_BxL)
    return (on_n * n_BxL + on_k * k_BxL).sum()

  return jax.jit(jax.value_and_grad(loss, argnums=(0, 1, 2, 3)))


def gradient_point():
  lines = [(0.02, 1700.0, 80.0), (0.02, 1300.0, 60.0)]
  index = np.stack([np.sqrt(2.1 + f * sum(lorentz(SHORT, *v) for v in lines)) for f in (0.5, 1)])
  with jax.enable_x64(True):
    A = np.asarray(spectrum('unpolarised')(index, 2.38, ANGLE))
  return A, np.full((2, 1), np.sqrt(2.1)), np.float64(2.38), np.float64(ANGLE)


@pytest.mark.slow
def test_the_implicit_gradient_is_the_unrolled_one():
  point = gradient_point()
  with jax.enable_x64(True):
    value, found = slopes(True)(*point)
    other, exact = slopes(False)(*point)
  np.testing.assert_allclose(value, other, rtol=1e-10)
  for mine, theirs in zip(found, exact, strict=True):
    np.testing.assert_allclose(mine, theirs, rtol=1e-7, atol=1e-8 * np.abs(theirs).max())


def test_the_implicit_gradient_is_the_finite_difference():
  point = gradient_point()
  rng = np.random.default_rng(1)
  directions = [rng.normal(size=np.shape(v)) * np.abs(v) for v in point]
  with jax.enable_x64(True):
    _, found = slopes(True)(*point)
    for i, direction in enumerate(directions):
      moved = lambda h, i=i, direction=direction: slopes(True)(
        *(v + h * direction if i == j else v for j, v in enumerate(point))
      )[0]
      exact = (moved(1e-6) - moved(-1e-6)) / 2e-6
      np.testing.assert_allclose((found[i] * direction).sum(), exact, rtol=1e-5)


# ---- faults -----------------------------------------------------------------


def correct(**change):
  A = simulated(ORGANIC, BOTH, 'unpolarised').astype(np.float32)
  geometry = {'crystal': BOTH.astype(np.float32), 'angle': ANGLE, 'polarisation': 'unpolarised'}
  options = {'noise': 0.01, 'iterations': 100, 'tolerance': 3e-6, **geometry, **change}
  A = options.pop('change', lambda A: A)(A)
  return atr.correct(A, plan('power_law', tuple(ANCHORS)), medium(ORGANIC, ANCHORS).real, **options)


def test_what_can_be_corrected_is():
  found = correct()
  assert errors(found, ORGANIC)[0].max() < 1e-5


@pytest.mark.parametrize(
  ('change', 'words'),
  [
    (
      {'change': lambda A: np.where(np.arange(1024) == 7, np.nan, A)},
      r'absorbance at \(0, 7\) is not finite \(2 such values\)',
    ),
    ({'change': lambda A: A - 0.02}, 'lowest absorbance is -0.0.*; expected at least -0.01'),
    ({'angle': 45.0}, 'angle of incidence is 45; expected radians'),
    ({'crystal': 1.3}, 'crystal of index 1.3 at 0.785398 rad does not even'),
    ({'change': lambda A: A[:, :4]}, r'k has shape \(2, 4\) and the axis of the plan'),
    ({'polarisation': 'TE'}, "polarisation is 'TE'"),
    ({'change': lambda A: A * np.float32([[9], [1]])}, r'spectra \[0\] have no solution after 100'),
  ],
)
def test_bad_calls_are_refused_with_a_sentence(change, words):
  with pytest.raises(ValueError, match=words):
    correct(**change)
