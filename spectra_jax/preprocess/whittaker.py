"""Whittaker smoothing as a banded solve: (diag(w) + lam D'D) z = w y, D the second difference.

The matrix is pentadiagonal, symmetric and positive definite. It is factored as L diag(d) L' without
pivoting, L unit lower triangular with two bands, all spectra of a chunk side by side: 2 L dependent
steps a solve. Its condition number is about 16 lam over the smallest weight, far beyond what
float32 carries. (Eilers 2003, doi:10.1021/ac034173t)
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from spectra_jax.preprocess.signal import check_range


def solve(weights_BxL: jax.Array, lam: float, values_BxL: jax.Array) -> jax.Array:
  """z [B, L] of (diag(w) + lam D'D) z = b, for w >= 0 with at least two positive ones a row.

  Differentiable in both arguments through the solution, not through the elimination: the gradient
  is one more solve with the same matrix.
  """
  apply = lambda z: weights_BxL * z + lam * _penalty(z)
  solver = lambda _, b: _solve(weights_BxL, lam, b)
  return jax.lax.custom_linear_solve(apply, values_BxL, solver, symmetric=True)


def reweighted(
  values_BxL: jax.Array,
  weigh: Callable[[jax.Array], tuple[jax.Array, jax.Array]],
  *,
  lam: float,
  iterations: int,
  tolerance: float,
) -> jax.Array:
  """[B, L] baselines by solving and weighing in turn, from weights 1.

  Row for row it stops as pybaselines does: when the weights change by less than `tolerance` of
  their norm, when `weigh` says so, or after `iterations` new weights; the baseline is that of the
  last weights solved for. Rows that are done keep their weights while others go on, so that there
  is one program of a fixed length, which can be differentiated.

  Args:
    values_BxL: spectra.
    weigh: residuals [B, L] -> (new weights [B, L], whether to stop [B]).
    lam: penalty of the second difference.
    iterations: most reweightings.
    tolerance: of the relative change of the weights.
  """

  def step(carry, _):
    weights, _, done = carry
    baseline = solve(weights, lam, weights * values_BxL)
    new, stop = weigh(values_BxL - baseline)
    change, size = _norm(jax.lax.stop_gradient(new - weights)), _norm(weights)
    done = done | stop | (change < tolerance * size)
    return (jnp.where(done[:, None], weights, new), baseline, done), None

  start = jnp.ones_like(values_BxL), values_BxL, jnp.zeros(len(values_BxL), bool)
  (_, baseline, _), _ = jax.lax.scan(step, start, None, length=iterations + 1)
  return baseline


def check_precision(step: str, dtype: jnp.dtype) -> None:
  """Raises a ValueError in float32, in which lam = 1e3 already gave baselines off by a percent."""
  if dtype != jnp.float64:
    raise ValueError(
      f'{step} got {dtype} values, expected float64, in which its stiff equations can be solved; '
      "give the pipeline dtype='float64', or call it within jax.enable_x64(True)"
    )


def check_options(step: str, lam: float, iterations: int, tolerance: float) -> None:
  """Raises a ValueError on what cannot be iterated."""
  check_range(step, 'lam', lam, np.finfo(float).tiny, 1e12)
  check_range(step, 'iterations', iterations, 1, 1000)
  check_range(step, 'tolerance', tolerance, 0, 1)


def _norm(x_BxL: jax.Array) -> jax.Array:
  """[B]; its gradient is not needed, and is not finite at zero."""
  return jnp.sqrt((jax.lax.stop_gradient(x_BxL) ** 2).sum(-1))


def _penalty(z_BxL: jax.Array) -> jax.Array:
  """D'D z, D the second difference."""
  curvature = z_BxL[:, :-2] - 2 * z_BxL[:, 1:-1] + z_BxL[:, 2:]
  padded = jnp.pad(curvature, ((0, 0), (2, 2)))
  return padded[:, :-2] - 2 * padded[:, 1:-1] + padded[:, 2:]


def _bands(points: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """Diagonal of D'D, and its two bands below, each [L]; entry i stands left of the diagonal."""
  main, one, two = np.zeros(points), np.zeros(points), np.zeros(points)
  for offset, weight in enumerate((1.0, -2.0, 1.0)):
    main[offset : points - 2 + offset] += weight**2
  one[1:-1] += -2.0
  one[2:] += -2.0
  two[2:] = 1.0
  return main, one, two


def _solve(w_BxL: jax.Array, lam: float, b_BxL: jax.Array) -> jax.Array:
  main, one, two = (lam * jnp.asarray(band, b_BxL.dtype) for band in _bands(b_BxL.shape[-1]))

  def forward(carry, row):
    (d1, l1, y1), (d2, y2) = carry  # one and two rows back
    w, b, main, one, two = row
    low2 = two / d2
    low1 = (one - low2 * d2 * l1) / d1
    d = w + main - low1**2 * d1 - low2**2 * d2
    y = b - low1 * y1 - low2 * y2
    return ((d, low1, y), (d1, y1)), (d, low1, low2, y)

  def backward(carry, row):
    (z1, z2, up1, up2, beyond2), (d, low1, low2, y) = carry, row
    z = y / d - up1 * z1 - up2 * z2
    return (z, z1, low1, beyond2, low2), z

  rest = jnp.ones_like(b_BxL[:, 0])
  nothing = jnp.zeros_like(rest)
  start = ((rest, nothing, nothing), (rest, nothing))
  rows = (w_BxL.T, b_BxL.T, main, one, two)
  _, factors = jax.lax.scan(forward, start, rows)
  # z_i takes the factors of the two rows below it: they are carried backwards.
  _, z_LxB = jax.lax.scan(backward, (nothing,) * 5, factors, reverse=True)
  return z_LxB.T
