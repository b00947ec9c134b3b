"""Roots of batched maps by Anderson's mixing (1965, J. ACM 12, 547), one system a spectrum.

No derivative of its own: callers wrap it in `jax.lax.custom_root` or `custom_linear_solve`.
"""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp

DEPTH = 5  # earlier steps that are remembered
_einsum = functools.partial(jnp.einsum, precision='highest')


def root(
  residual: Callable[[jax.Array], jax.Array],
  start_BxL: jax.Array,
  iterations: int,
  tolerance: float,
) -> tuple[jax.Array, jax.Array]:
  """(x, converged_B) with residual(x) = 0, by x <- x + f - (dX + dF) argmin_c |f - dF c|.

  dX, dF are the last DEPTH differences of x and of f = residual(x), one c a spectrum. A spectrum
  that has converged, or whose residual is no longer finite, stays where it is.
  """

  def advance(state):
    i, x, f, dX, dF, live = state
    stepped = x + f - _einsum('m...l,...m->...l', dX + dF, _fit(dF, f))
    moved = residual(stepped)
    finite = jnp.isfinite(moved).all(-1)
    go = (live & finite)[..., None]
    dX, dF = dX.at[i % DEPTH].set(stepped - x), dF.at[i % DEPTH].set(moved - f)
    x, f = jnp.where(go, stepped, x), jnp.where(go, moved, f)
    dX, dF = jnp.where(jnp.isfinite(dX), dX, 0), jnp.where(jnp.isfinite(dF), dF, 0)
    return i + 1, x, f, dX, dF, live & finite & ~small(f, x, tolerance)

  f = residual(start_BxL)
  history = jnp.zeros((DEPTH, *f.shape), f.dtype)
  live = jnp.isfinite(f).all(-1) & ~small(f, start_BxL, tolerance)
  start = (0, start_BxL, f, history, history, live)
  going = lambda state: (state[0] < iterations) & state[-1].any()
  _, x, f, *_ = jax.lax.while_loop(going, advance, start)
  return x, small(f, x, tolerance)


def _fit(dF_MxBxL, f_BxL):
  """argmin_c |f - sum_m c_m dF_m| for each spectrum, by normal equations of unit columns."""
  norm_MxB = jnp.sqrt((dF_MxBxL**2).sum(-1))
  norm_MxB = jnp.where(norm_MxB > 0, norm_MxB, 1)
  unit = dF_MxBxL / norm_MxB[..., None]
  gram = _einsum('m...l,k...l->...mk', unit, unit)
  ridge = 10 * jnp.finfo(gram.dtype).eps * jnp.eye(DEPTH, dtype=gram.dtype)
  right = _einsum('m...l,...l->...m', unit, f_BxL)
  c_BxM = jnp.linalg.solve(gram + ridge, right[..., None])[..., 0]
  return c_BxM / jnp.moveaxis(norm_MxB, 0, -1)


def small(f_BxL: jax.Array, x_BxL: jax.Array, tolerance: float) -> jax.Array:
  """Whether max |f| <= tolerance max |x|, for each spectrum [B]."""
  return jnp.abs(f_BxL).max(-1) <= tolerance * jnp.abs(x_BxL).max(-1)
