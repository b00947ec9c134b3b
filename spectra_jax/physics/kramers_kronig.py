"""Kramers-Kronig on a finite window: differentiable, batched, with a stated range and error.

Convention e^{-i w t}: for an index n + i k (or a susceptibility, n - 1 -> Re chi, k -> Im chi) that
is causal and passive, k >= 0, with wavenumbers in cm^-1,

  n(nu) - 1 =  (2/pi)    P int_0^inf x k(x)     / (x^2 - nu^2) dx      `transform`
  k(nu)     = -(2 nu/pi) P int_0^inf (n(x) - 1) / (x^2 - nu^2) dx      `inverse`

The integrals run over the window of the axis and over what the plan assumes outside: nothing
(tails='none') or power laws that go on from both edges (tails='power_law'); `anchored` adds an
index known at one to three wavenumbers.

Quadrature error, against closed forms, relative to max|chi|, h = step, at every sample, both ends
included (how: `kramers_kronig_quadrature`):

  HWHM of a Lorentz line    its centre from the edge    transform    inverse
  20 h                      300 h                       2e-11        8e-11
  6 h                       100 h                       7e-9         1.3e-8
  6 h                       40 h                        2.3e-8       4e-8
  6 h                       20 h                        6e-7         4e-7
  6 h                       on it                       6e-5         2.3e-4
  HWHM                      >= 100 h                    2 exp(-pi HWHM / h): 1.6e-4 at 3 h

In float32 add 1e-7. **What the window does not show costs far more**: for water, 500-4000 cm^-1, n
is off by 4e-2 RMS without tails, 6e-3 with them, 1e-3 with two anchors, 2e-4 with three (`python -m
experiments.bench optical_constants`). And what is narrower than the step is seen by no method.

Absorbance alone obeys no Kramers-Kronig relation that a loss could enforce: any k >= 0 on a finite
band is the imaginary part of some causal chi, H(H k) + k = 0 for all of them. What binds is k and n
of one sample, or a reflectance. And a transform of a window, taken back by the inverse of that
window, is not k: the difference is the truncation, not a fault of k.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from spectra_jax.physics import kramers_kronig_anchors as outside
from spectra_jax.physics import kramers_kronig_quadrature as quadrature
from spectra_jax.physics.kramers_kronig_plan import Plan as Plan
from spectra_jax.physics.kramers_kronig_plan import plan as plan

# ---- transforms -------------------------------------------------------------


def transform(plan: Plan, k_BxL: jax.Array) -> jax.Array:
  """Delta n(nu) = (2/pi) P int x k(x) / (x^2 - nu^2) dx over the window and the plan's tails.

  Linear in k (which may be signed), differentiable, jitted; float32 or float64 as k is.

  Args:
    plan: of the axis of k.
    k_BxL: [..., L], any unit; the result has the same.

  Raises:
    ValueError: k has another length than the axis, or is not of float32 or float64.
  """
  return _transform(*_ready(plan, k_BxL, 'k'), 1)


def inverse(plan: Plan, n_BxL: jax.Array) -> jax.Array:
  """k(nu) = -(2 nu/pi) P int n(x) / (x^2 - nu^2) dx over the window and the plan's tails.

  A constant n gives k = 0 with tails='power_law' (n(a) goes on below, n(b) above), and needs no
  subtraction. The error is truncation: for a Lorentz line of FWHM 20 in 500-4000 cm^-1 with these
  tails 2e-3 of max k at 1700, 5e-3 at 1000, 1.8e-2 at 3500; without, n_inf subtracted, 2 to 5e-2.

  Raises:
    ValueError: as `transform`.
  """
  return _transform(*_ready(plan, n_BxL, 'n'), -1)


def phase(plan: Plan, reflectance_BxL: jax.Array) -> jax.Array:
  """theta(nu) = -(2 nu/pi) P int ln sqrt(R(x)) / (x^2 - nu^2) dx [rad], of r = sqrt(R) e^{i theta}.

  r = (N - 1)/(N + 1), N = n + i k, of a bulk at normal incidence: 0 <= theta <= pi, and r has no
  zero in the upper half plane (minimum phase), which is what makes ln R enough. That does **not**
  hold for p polarisation at an angle with eps(0) > tan^2 > n_inf^2 (off by 1.6 rad where normal
  incidence is off by 0.006), for films, behind a window, or in attenuated reflection. R goes on
  constant beyond the window: for lines at 1100 (FWHM 20) in 500-4000 cm^-1, n_inf^2 = 2.2, theta is
  off by 1 % of its maximum for strengths 0.002 to 0.02, and by 0.15 rad for a reststrahlen band.

  Args:
    plan: with tails='power_law'.
    reflectance_BxL: absolute, 0 < R <= 1 (checked where it is numpy; traced values cannot be).

  Raises:
    ValueError: R is outside that range, the plan has no tails, or as `transform`.
  """
  if plan.tails != 'power_law':
    raise ValueError(
      f'the plan of a phase has tails {plan.tails!r}, which sets R = 1 outside; expected '
      "'power_law', where R goes on beyond the window; make the plan with it"
    )
  if isinstance(reflectance_BxL, np.ndarray):
    _check_reflectance(reflectance_BxL)
  plan, reflectance_BxL = _ready(plan, reflectance_BxL, 'reflectance')
  return _transform(plan, 0.5 * jnp.log(reflectance_BxL), -1)


def anchored(plan: Plan, k_BxL: jax.Array, n_at_anchors_BxQ: jax.Array) -> jax.Array:
  """n(nu) = T k + c_0 - sum_j c_j a^2 / (nu^2 - x_j^2), c from n at the plan's anchors.

  With c_j so that nothing outside emits (`kramers_kronig_anchors`), exact where signs allow:
  n(nu_q) is what it was told. Tabulated liquids, 500-4000 cm^-1, RMS of n without the outermost
  1 % at each edge: two anchors 5e-5 to 9e-5 (organic), 9e-4 (water); three 2e-5 to 4e-5, 9e-5.
  An error of n at an anchor comes out up to `amplification(plan)` times as large. One anchor should
  be near the lower edge; where bands lie close above the window, say so (`virtual_nu`).

  Args:
    plan: with anchors_nu.
    k_BxL: [..., L].
    n_at_anchors_BxQ: [..., Q], the absolute index in the order of anchors_nu.

  Raises:
    ValueError: the plan has no anchors, their number differs, n is not finite (where it is numpy),
      or as `transform`.
  """
  _check_anchored(plan)
  _check_n(plan, n_at_anchors_BxQ)
  plan, k_BxL = _ready(plan, k_BxL, 'k')
  return _anchored(plan, k_BxL, jnp.asarray(n_at_anchors_BxQ, k_BxL.dtype))


def amplification(plan: Plan) -> float:
  """Largest change of n in the window per error of n at the anchors (all of them, worst signs).

  Raises:
    ValueError: the plan has no anchors.
  """
  _check_anchored(plan)
  return float(np.abs(plan.basis_CxL.T @ plan.solution_SxCxQ[0]).sum(-1).max())


@jax.jit
def _anchored(plan, k_BxL, n_BxQ):
  product = functools.partial(jnp.matmul, precision='highest')
  grid_BxN = _on_grid(plan, k_BxL, 1)
  floor_BxC = k_BxL[..., :1] * plan.floor_C
  residual_BxQ = n_BxQ - _interpolate(plan.to_anchors, grid_BxN)
  shifted_BxQ = residual_BxQ + product(floor_BxC, plan.basis_CxQ)
  c_BxC = outside.fit(shifted_BxQ, plan.basis_CxQ, plan.solution_SxCxQ) - floor_BxC
  return _interpolate(plan.to_axis, grid_BxN) + product(c_BxC, plan.basis_CxL)


@functools.partial(jax.jit, static_argnames='sign')
def _transform(plan, f_BxL, sign):
  return _interpolate(plan.to_axis, _on_grid(plan, f_BxL, sign))


def _on_grid(plan, f_BxL, sign):
  """H f on the even grid, [..., N]; 'highest' keeps an accelerator from rounding to bfloat16."""
  f_BxN = _interpolate(plan.to_grid, f_BxL)
  ends = (f_BxN[..., : quadrature.STENCIL], f_BxN[..., -quadrature.STENCIL :])
  rows_14xN = plan.even_14xN if sign > 0 else plan.odd_14xN
  edges_BxN = jnp.matmul(jnp.concatenate(ends, -1), rows_14xN, precision='highest')
  return quadrature.rule(jnp, f_BxN, plan.toeplitz_F, plan.hankel_F, plan.length, sign) + edges_BxN


def _interpolate(to, f_BxL):
  """With the batch last, so that samples are gathered as whole rows."""
  if to is None:
    return f_BxL
  index_Mx6, weight_Mx6 = to
  f_LxB = jnp.moveaxis(f_BxL, -1, 0)
  weight_6xMx1 = weight_Mx6.T.reshape(6, -1, *(1,) * (f_BxL.ndim - 1))
  weighted = (f_LxB[index_Mx6[:, j]] * weight_6xMx1[j] for j in range(6))
  return jnp.moveaxis(sum(weighted), 0, -1)


def _ready(plan, values_BxL, name):
  """Plan and values as arrays of one precision.

  Cast here and not where they are used: JAX keeps a constant of an outer jit by the identity of its
  numpy array, whose first precision would then stay for the other one.
  """
  values_BxL = _checked(plan, values_BxL, name)
  kinds = {'f': values_BxL.dtype, 'c': jnp.result_type(values_BxL, jnp.complex64), 'i': jnp.int32}
  cast = lambda leaf: jnp.asarray(leaf, kinds[leaf.dtype.kind])
  return jax.tree.map(cast, plan), values_BxL


# ---- checks -----------------------------------------------------------------


def _checked(plan, values_BxL, name) -> jax.Array:
  values_BxL = jnp.asarray(values_BxL)
  if values_BxL.shape[-1:] != plan.axis.shape:
    raise ValueError(
      f'{name} has shape {values_BxL.shape} and the axis of the plan {plan.axis.shape}; expected '
      '[..., L] on that axis; make a plan for the axis of these values'
    )
  if values_BxL.dtype not in (jnp.float32, jnp.float64):
    raise ValueError(
      f'{name} has dtype {values_BxL.dtype}; expected float32 or float64, in which the error is '
      'stated; cast it'
    )
  return values_BxL


def _check_reflectance(values_BxL) -> None:
  if not ((values_BxL > 0) & (values_BxL <= 1)).all():
    raise ValueError(
      f'reflectance is {values_BxL.min():g} to {values_BxL.max():g}; expected absolute values, 0 < '
      'R <= 1; divide by the reference, and by 100 where it is in percent'
    )


def _check_n(plan, n_BxQ) -> None:
  count = plan.basis_CxQ.shape[-1]
  if np.shape(n_BxQ)[-1:] != (count,):
    raise ValueError(
      f'n_at_anchors has shape {np.shape(n_BxQ)}; expected [..., {count}], one n for each anchor '
      'of the plan; give them in its order'
    )
  if isinstance(n_BxQ, np.ndarray) and not np.isfinite(n_BxQ).all():
    raise ValueError(
      f'n_at_anchors is {n_BxQ}; expected finite indices; leave out the anchors that have none'
    )


def _check_anchored(plan) -> None:
  if plan.basis_CxQ is None:
    raise ValueError(
      'the plan has 0 anchors; expected 1 to 3 wavenumbers where n is known; make it with '
      'anchors_nu'
    )
