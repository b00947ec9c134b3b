"""Raman invariants against averages over orientations; exclusion on every shipped molecule."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from spectra_jax.datasets import computed
from spectra_jax.physics import selection_rules

# The icosahedral group averages tensors of rank 4 as all rotations do.
ROTATIONS = Rotation.create_group('I').as_matrix()


def tensor(seed):
  root = np.random.default_rng(seed).normal(size=(3, 3))
  return root + root.T


# ---- activities -------------------------------------------------------------


@given(st.integers(0, 2**31))
@settings(max_examples=25, deadline=None)
def test_a_tumbling_molecule_scatters_as_the_invariants_say(seed):
  alpha = tensor(seed)
  turned = ROTATIONS @ alpha @ ROTATIONS.transpose(0, 2, 1)
  parallel, across = (turned[:, 2, 2] ** 2).mean(), (turned[:, 2, 0] ** 2).mean()
  plane, natural = (
    selection_rules.depolarisation(alpha[None], light=light, silent=1e-6)[0]
    for light in ('plane', 'natural')
  )
  np.testing.assert_allclose(plane, across / parallel, rtol=1e-9)
  np.testing.assert_allclose(natural, 2 * across / (parallel + across), rtol=1e-9)
  assert 0 <= plane <= 0.75
  assert 0 <= natural <= 6 / 7
  activity = selection_rules.raman_activity(alpha[None])[0]
  np.testing.assert_allclose(activity, 45 * (parallel + across), rtol=1e-9)


def test_isotropic_traceless_and_silent_modes():
  alpha = np.array([2 * np.eye(3), np.diag([1.0, -1.0, 0.0]), 1e-8 * np.eye(3)])
  np.testing.assert_allclose(selection_rules.raman_activity(alpha), [180, 21, 0], atol=1e-12)
  for light, most in (('plane', 3 / 4), ('natural', 6 / 7)):
    ratio = selection_rules.depolarisation(alpha, light=light, silent=1e-6)
    np.testing.assert_allclose(ratio, [0, most, most])
  with pytest.raises(ValueError, match="light is 'laser', expected one of plane, natural"):
    selection_rules.depolarisation(alpha, light='laser', silent=1e-6)


def test_activities_in_float32_with_gradients_that_are_finite_where_a_mode_is_silent():
  alpha = np.stack([tensor(0), np.zeros((3, 3))]).astype(np.float32)
  ratio = lambda a: selection_rules.depolarisation(a, light='plane', silent=1e-6)
  found, slope = jax.jit(lambda a: (ratio(a), jax.grad(lambda a: ratio(a).sum())(a)))(alpha)
  assert found.dtype == jnp.float32
  np.testing.assert_allclose(found, ratio(alpha.astype(np.float64)), rtol=1e-5)
  step = np.zeros((2, 3, 3))
  step[0, 0, 1] = 1e-5
  change = ratio(alpha + step) - ratio(alpha - step)
  np.testing.assert_allclose(slope[0, 0, 1], change[0] / 2e-5, rtol=1e-3)
  np.testing.assert_array_equal(slope[1], 0)


# ---- mutual exclusion -------------------------------------------------------


@functools.cache
def lines():
  return computed.load_lines()


def test_what_parity_allows():
  infrared, raman = selection_rules.allowed(np.array([1, -1, 0]))
  assert infrared.tolist() == [False, True, True]
  assert raman.tolist() == [True, False, True]


def test_every_shipped_molecule_with_a_centre_obeys_mutual_exclusion():
  """And not by silence: nearly every molecule has lines of both kinds to exclude."""
  centred = np.flatnonzero(lines().centrosymmetric)
  assert len(centred) == 114
  leaks, wrong = [], []
  for m in centred:
    modes = lines().modes(m)
    lists = lines().ir_intensity[modes], lines().raman_activity[modes], lines().parity[modes]
    leaks.append(selection_rules.exclusion_leak(*lists))
    wrong.append(selection_rules.exclusion_leak(lists[0], lists[1], -lists[2]))
  assert max(leaks) < 1e-10
  assert min(wrong) == 1


def test_forbidden_intensity_is_a_fraction_and_has_a_gradient():
  """Two molecules, the second without any intensity; padded modes have parity 0."""
  ir = np.array([[3.0, 1.0, 0.0], [0.0, 0.0, 0.0]], np.float32)
  parity = np.array([[-1, 1, 0], [1, -1, 0]])
  infrared, raman = selection_rules.allowed(parity)
  fraction = jax.jit(lambda i: selection_rules.forbidden_fraction(i, infrared))
  np.testing.assert_allclose(fraction(ir), [0.25, 0])
  np.testing.assert_allclose(selection_rules.forbidden_fraction(ir, raman), [0.75, 0])
  slope = jax.jit(jax.grad(lambda i: fraction(i).sum()))(ir)
  np.testing.assert_allclose(slope, [[-1 / 16, 3 / 16, -1 / 16], [0, 0, 0]], atol=1e-7)
  np.testing.assert_allclose(selection_rules.exclusion_leak(ir, ir, parity), [1, 0])


# ---- coincidence ------------------------------------------------------------

IR = np.array([600.0, 1700.0, 2900.0, 0.0]), np.array([2.0, 5.0, 1.0, 0.0])
RAMAN = np.array([603.0, 1500.0, 2905.0]), np.array([1.0, 4.0, 3.0])


def float64(function, *args):
  with jax.enable_x64(True):
    return np.asarray(jax.jit(function)(*args))


def drawn(nu, intensity, axis):
  sigma = 8.0 / (2 * np.sqrt(2 * np.log(2)))
  return (intensity * np.exp(-0.5 * ((axis[:, None] - nu) / sigma) ** 2)).sum(-1)


def test_overlap_is_the_cosine_of_the_drawn_spectra():
  axis = np.arange(400, 3200, 0.5)
  a, b = drawn(*IR, axis), drawn(*RAMAN, axis)
  cosine = lambda *lists, shift=0.0: selection_rules.overlap(*lists, fwhm=8.0, shift=shift)
  found = float64(cosine, *IR, *RAMAN)
  np.testing.assert_allclose(found, a @ b / np.sqrt((a @ a) * (b @ b)), rtol=1e-10)
  moved = float64(functools.partial(cosine, shift=30.0), *IR, IR[0] - 30, IR[1])
  np.testing.assert_allclose(moved, 1)
  one = np.ones(1)
  half = float64(cosine, 9 * one, one, (9 + 8 / np.sqrt(2)) * one, one)
  np.testing.assert_allclose(half, 0.5, rtol=1e-10)


def test_the_expected_overlap_is_the_mean_of_the_null():
  shifts = np.linspace(-100, 100, 2001)
  null = lambda *a: selection_rules.overlap_null(*a, shifts, fwhm=8.0)
  mean = np.trapezoid(float64(null, *IR, *RAMAN), shifts) / 200
  expected = functools.partial(selection_rules.expected_overlap, fwhm=8.0, spread=100.0)
  np.testing.assert_allclose(float64(expected, *IR, *RAMAN), mean, rtol=1e-6)


def test_the_overlap_has_a_gradient_in_float32():
  function = lambda nu: selection_rules.overlap(*IR, nu, RAMAN[1], fwhm=8.0)
  slope = jax.jit(jax.grad(function))(RAMAN[0].astype(np.float32))
  step = np.array([1e-4, 0, 0])
  change = float64(function, RAMAN[0] + step) - float64(function, RAMAN[0] - step)
  np.testing.assert_allclose(slope[0], change / 2e-4, rtol=1e-3)


def test_exceedance_counts_itself():
  null = np.array([[0.1, 0.2, 0.3], [0.0, 0.0, 0.0]])
  found = selection_rules.exceedance(np.array([0.2, 0.5]), null)
  np.testing.assert_allclose(found, [3 / 4, 1 / 4])


def test_below_2000_coincidence_tells_molecules_without_a_centre():
  """As documented: an area under the curve of 0.98 at FWHM 4, and less with C-H stretches."""
  rng = np.random.default_rng(0)
  with_centre = np.flatnonzero(lines().centrosymmetric)
  without = rng.choice(np.flatnonzero(~lines().centrosymmetric), 200, replace=False)
  score = jax.jit(jax.vmap(functools.partial(selection_rules.overlap, fwhm=4.0)))
  area = {}
  for top in (2000.0, 5000.0):
    found = []
    for rows in (with_centre, without):
      nu, infrared = computed.padded_modes(lines(), 'ir_intensity', rows)
      _, raman = computed.padded_modes(lines(), 'raman_activity', rows)
      found.append(score(nu, infrared * (nu < top), nu, raman * (nu < top)))
    area[top] = (np.asarray(found[0])[:, None] < found[1]).mean()
  assert area[2000.0] > 0.96 > 0.85 > area[5000.0]


@pytest.mark.parametrize(
  ('call', 'words'),
  [
    (lambda: selection_rules.overlap(*IR, *RAMAN, fwhm=0.0), 'fwhm is 0.0 .* positive width'),
    (
      lambda: selection_rules.expected_overlap(*IR, *RAMAN, fwhm=8.0, spread=-1.0),
      'spread is -1.0 .* positive',
    ),
  ],
)
def test_bad_calls_are_refused_with_a_sentence(call, words):
  with pytest.raises(ValueError, match=words):
    call()
