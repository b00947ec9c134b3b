"""Pairs of n and k are told apart from false ones; an absorbance alone never is."""

import functools

import jax
import numpy as np
import pytest

from experiments import dielectrics
from spectra_jax.losses import kramers_kronig as losses
from spectra_jax.physics import kramers_kronig as transforms

AXIS = np.linspace(500.0, 4000.0, 1024)
PLAN = transforms.plan(AXIS, tails='power_law')
BANDS = [(0.004, 700.0, 40.0), (0.01, 1200.0, 50.0), (0.006, 1700.0, 45.0), (0.003, 2900.0, 60.0)]
FAR = [(1.2, 60_000.0, 1000.0), (0.3, 100.0, 30.0)]
OPTIONS = {'edge': 0.02, 'floor': 1e-14, 'kinds': ('n', 'k'), 'state': 'computed'}


@jax.jit
def residual(n_BxL, k_BxL):
  """The relative residual, without a tolerance."""
  return losses.kramers_kronig(PLAN, n_BxL, k_BxL, tolerance=0.0, **OPTIONS) ** 0.5


def index(lines):
  """(n, k), [1, L] float32, of a medium of these lines: sqrt(1 + chi), nothing cut off."""
  n = np.sqrt(1 + sum(dielectrics.lorentz(AXIS, *line) for line in lines))
  return np.float32(n.real)[None], np.float32(n.imag)[None]


def test_true_pairs_pass_whatever_absorbs_far_outside():
  alone, crowded = residual(*index(BANDS))[0], residual(*index(BANDS + FAR))[0]
  assert alone < 1e-3
  assert crowded < 5e-3


@pytest.mark.parametrize(
  ('n_of', 'k_of', 'least', 'most'),
  [
    (lambda n: 2 * n.mean() - n, lambda k: k, 1.99, 2.01),  # the convention e^{+i w t}
    (lambda n: n, lambda k: 1.1 * k, 0.09, 0.11),
    (lambda n: n, lambda k: np.roll(k, 3, -1), 0.2, 1.0),  # an axis off by 10 cm^-1
    (lambda n: n, lambda k: 0 * k, 1.41, 1.42),
    (lambda n: 0 * n + 1.4, lambda k: k, 1.41, 1.42),
  ],
)
def test_false_pairs_are_seen_at_the_size_of_their_fault(n_of, k_of, least, most):
  n, k = index(BANDS)
  assert least < residual(n_of(n), k_of(k))[0] < most


def test_what_absorbs_outside_is_free():
  """Constants, nu^-2 and nu^2 may be added to n: {1, nu^-2, nu^2} are taken off."""
  n, k = index(BANDS)
  wrong = 1.2 * k
  far = np.float32(0.3 - 0.01 * (1000 / AXIS) ** 2 + 0.02 * (AXIS / 4000) ** 2)
  np.testing.assert_allclose(residual(n + far, wrong), residual(n, wrong), rtol=1e-3)
  shape = np.float32(0.002 * (AXIS / 2000) ** 6)
  assert residual(n + shape, k)[0] > 0.05


def test_the_ends_do_not_count():
  n, k = index(BANDS)
  broken = n.copy()
  broken[:, [0, 20, -21, -1]] += 0.5
  np.testing.assert_array_equal(residual(broken, k), residual(n, k))
  broken[:, 21] += 0.5
  assert residual(broken, k)[0] > 0.5


def test_no_absorption_is_wrong_by_itself():
  """Any k >= 0 has an n that goes with it, so the loss can refute pairs and no k."""
  k = np.abs(np.random.default_rng(0).normal(size=(4, len(AXIS)))).astype(np.float32)
  n = 1.5 + transforms.transform(PLAN, k)
  assert residual(n, k).max() < 1e-6
  assert residual(n, k[::-1]).min() > 1


def test_unconstrained_directions_are_orthonormal_and_hold_the_three_functions():
  basis, inside = losses.unconstrained(AXIS, 0.02)
  np.testing.assert_allclose(basis.T @ basis, np.eye(3), atol=1e-14)
  assert inside == slice(21, 1003)
  for power in (-2, 0, 2):
    function = AXIS[inside] ** power
    np.testing.assert_allclose(basis @ (basis.T @ function), function, rtol=1e-11)


def test_float64_is_float32_to_rounding():
  n, k = index(BANDS)
  single = residual(n, 1.1 * k)
  with jax.enable_x64(True):
    plan = transforms.plan(AXIS, tails='power_law')
    run = functools.partial(losses.kramers_kronig, plan, tolerance=0.0, **OPTIONS)
    double = jax.jit(run)(np.float64(n), 1.1 * np.float64(k)) ** 0.5
    assert double.dtype == np.float64
  np.testing.assert_allclose(single, double, rtol=1e-4)


@pytest.mark.parametrize(
  ('change', 'words'),
  [
    ({'edge': 0.3}, 'edge is 0.3 on an axis of 1024 points'),
    ({'edge': -0.1}, 'edge is -0.1'),
    ({'floor': 0.0}, 'floor is 0.0, expected a positive n'),
    ({'tolerance': 1.0}, 'tolerance is 1.0, expected 0 to 1'),
  ],
)
def test_options_out_of_range_are_refused(change, words):
  n, k = index(BANDS)
  with pytest.raises(ValueError, match=words):
    losses.kramers_kronig(PLAN, n, k, **{'tolerance': 0.0, **OPTIONS, **change})


def test_a_traced_plan_is_refused():
  n, k = index(BANDS)
  run = lambda plan: losses.kramers_kronig(plan, n, k, tolerance=0.0, **OPTIONS)
  with pytest.raises(ValueError, match='plan is traced'):
    jax.eval_shape(run, PLAN)
