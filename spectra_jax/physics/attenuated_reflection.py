"""Attenuated total reflection (ATR): what a sample on a crystal absorbs, and n + i k back from it.

Light inside a lossless crystal of index n_c meets the sample at an angle [rad] above the critical
one; s = n_c sin(angle). One reflection gives A = -log10 R, R from Fresnel at the complex index
n + i k (k >= 0, e^{-i w t}; wavenumbers nu [cm^-1], lengths [cm]; the sample is a half-space, much
thicker than the wave that leaks into it). Divide a measured absorbance by the number of reflections
first; at 45 degrees R_p = R_s^2 whatever the sample is.

Because n falls through a band as nu rises, A peaks below k: with R = 1 - 4 q0 Re(q) / |q0 + q|^2,
the more so the nearer s is to n. So k is recovered together with n, by (Bertie & Eysel 1985,
Appl. Spectrosc. 39, 392)

  k <- k A_measured / A(n, k),    n <- c + T[k]

with Kramers-Kronig as a function `dispersion` of k, here as the root of
A_measured / (A(n, k) / k) - k. Anderson's mixing (`anderson`) takes 9 rounds on diamond for an
organic liquid and 14 for water to 1e-5, the plain iteration 17 and 31; gradients come from the
implicit function theorem.

How good the result is depends on the dispersion and not on the residual: water, with a transform
cut off at the edges of the window, CONVERGES to a k that is wrong by half of its maximum. `correct`
refuses that. Give tails and anchors where k does not vanish at the edges. Round trips, 500-4000
cm^-1 at 45 degrees, two anchors, largest errors relative to max k: organic bands 1.3e-6 on diamond,
4e-7 on germanium; a model of water, without 2 % at each edge, 3e-3 and 1.4e-3, at the lower edge
itself 2e-2 and 7e-3.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from spectra_jax.physics import anderson, kramers_kronig, optics

# Indices of crystals near 1000 cm^-1, to two decimals.
DIAMOND = 2.38  # Edwards & Ochoa 1981, J. Opt. Soc. Am. 71, 607
GERMANIUM = 4.00  # Icenogle, Platt & Wolfe 1976, Appl. Opt. 15, 2348

FLOOR = 1e-8  # k below which A / k is taken as constant
EDGE = 0.01  # of max k: more of it at an edge needs tails
LEAST = 0.05  # n that early rounds are kept above: with n < 0 the sample would emit


class Correction(NamedTuple):
  """The optical constants that explain ATR spectra.

  Attributes:
    n_BxL, k_BxL: NaN in spectra that did not converge.
    converged_B: the last step moved k by at most the tolerance, relative to max k.
    residual_B: max |A(n, k) - A_measured| / max |A_measured| where the iteration stopped.
  """

  n_BxL: jax.Array
  k_BxL: jax.Array
  converged_B: jax.Array
  residual_B: jax.Array


# ---- forward ----------------------------------------------------------------


def absorbance(
  index_BxL: jax.Array, *, crystal: float, angle: float, polarisation: str
) -> jax.Array:
  """A = -log10 R of one reflection, decadic, [..., L]; of R_s, R_p or their mean.

  From 1 - R in closed form (`optics.transmittance`), so that a weak band keeps its digits:
  relative error 1e-6 in float32 at k = 1e-6, where -log10 of R itself has lost 2 % of it.

  Args:
    index_BxL: n + i k of the sample.
    crystal: its real index.
    angle: [rad] inside the crystal.
    polarisation: 's', 'p' or 'unpolarised'.

  Raises:
    ValueError: on another polarisation.
  """
  lost = optics.transmittance(index_BxL, incident=crystal, angle=angle, polarisation=polarisation)
  return jnp.log1p(-lost) / -np.log(10.0)


def penetration_depth(n: jax.Array, nu_L: jax.Array, *, crystal: float, angle: float) -> jax.Array:
  """d_p = 1 / (2 pi nu sqrt(s^2 - n^2)) [cm], where the FIELD has fallen to 1/e (Harrick 1967).

  Infinite at the critical angle s = n and NaN below it, where the wave does not decay.
  """
  s = optics.tangential_index(crystal, angle)
  return 1 / (2 * np.pi * nu_L * jnp.sqrt((s - n) * (s + n)))


def effective_path(
  n: jax.Array, nu_L: jax.Array, *, crystal: float, angle: float, polarisation: str
) -> jax.Array:
  """d_e [cm], the path on which Beer-Lambert gives A of a weak band, A = 4 pi nu d_e k / ln 10.

  With q0 = n_c cos(angle), g^2 = s^2 - n^2 (Harrick & du Pre 1966, Appl. Opt. 5, 1739):

    s: n q0 / (pi nu g (n_c^2 - n^2)),    p: n_c^2 n q0 (2 s^2 - n^2) / (pi nu g (n_c^4 g^2 + n^4
    q0^2)),

  and their mean for unpolarised light. Of first order in k, and at fixed n: no band shift.

  Raises:
    ValueError: on another polarisation.
  """
  s, q0 = optics.tangential_index(crystal, angle), crystal * jnp.cos(angle)
  decay_squared = (s - n) * (s + n)
  common = n * q0 / (np.pi * nu_L * jnp.sqrt(decay_squared))

  def one(polarisation):
    if polarisation == 's':
      return common / ((crystal - n) * (crystal + n))
    return common * crystal**2 * (2 * s**2 - n**2) / (crystal**4 * decay_squared + n**4 * q0**2)

  return optics.mean_power(one, polarisation)


# ---- the correction ---------------------------------------------------------


def correct(
  absorbance_BxL: np.ndarray,
  plan: kramers_kronig.Plan,
  n_known: np.ndarray,
  *,
  crystal: float,
  angle: float,
  polarisation: str,
  noise: float,
  iterations: int = 100,
  tolerance: float = 1e-5,
) -> Correction:
  """`solve` on the host, for measured spectra: numbers that can be relied upon or a ValueError.

  Args:
    absorbance_BxL: decadic, of one reflection, [..., L] on the axis of the plan.
    plan: of Kramers-Kronig; with anchors the dispersion is `kramers_kronig.anchored`, and without
      n_known + `kramers_kronig.transform`.
    n_known: n at the anchors [..., Q], or the n_infinity of the window.
    crystal: its real index, a number.
    noise: absorbances down to -noise pass (and give a negative k); lower ones are refused.
    angle, polarisation, iterations, tolerance: as `solve`.

  Raises:
    ValueError: an absorbance is not finite or below -noise; the angle is not in radians; nothing is
      reflected totally, even air; a spectrum did not converge; k does not vanish at an edge beyond
      which the plan has nothing, when it converges and is wrong; as `kramers_kronig.transform`.
  """
  values = np.asarray(absorbance_BxL)
  _check_absorbance(values, noise)
  _check_geometry(crystal, angle)
  known = np.asarray(n_known, values.dtype)
  options = {'polarisation': polarisation, 'iterations': iterations, 'tolerance': tolerance}
  result = _solve_plan(values, plan, known, crystal, angle, **options)
  _check_converged(result, iterations)
  if plan.tails == 'none':
    _check_edges(result.k_BxL)
  return result


@functools.partial(jax.jit, static_argnames=('polarisation', 'iterations', 'tolerance'))
def _solve_plan(absorbance_BxL, plan, n_known, crystal, angle, **options):
  if plan.basis_CxQ is None:
    dispersion = lambda k_BxL: n_known + kramers_kronig.transform(plan, k_BxL)
  else:
    dispersion = lambda k_BxL: kramers_kronig.anchored(plan, k_BxL, n_known)
  return solve(absorbance_BxL, dispersion, crystal=crystal, angle=angle, **options)


def solve(
  absorbance_BxL: jax.Array,
  dispersion: Callable[[jax.Array], jax.Array],
  *,
  crystal: float,
  angle: float,
  polarisation: str,
  iterations: int = 100,
  tolerance: float = 1e-5,
) -> Correction:
  """n + i k of samples whose ATR absorbance of one reflection is given; jit, vmap, grad.

  The gradient is that of the exact solution, with respect to the absorbance and whatever
  `dispersion`, `crystal` and `angle` were computed from; NaN where its own linear system does not
  converge. Spectra are independent: one that diverges changes nothing in the others.

  Args:
    absorbance_BxL: decadic, of one reflection, on the axis of the dispersion; [..., L]. Traced
      values cannot be checked: see `correct`.
    dispersion: k_BxL -> n_BxL, as `lambda k: n_infinity + kramers_kronig.transform(plan, k)`.
    crystal: its real index, a number or [L].
    angle: [rad] inside the crystal.
    polarisation: 's', 'p' or 'unpolarised'.
    iterations: at most so many, each one dispersion.
    tolerance: of the step in k, relative to max k of the spectrum; not below 3e-6 in float32.

  Raises:
    ValueError: on another polarisation.
  """
  options = {'crystal': crystal, 'angle': angle, 'polarisation': polarisation}

  def residual(k_BxL):
    return absorbance_BxL / _sensitivity(dispersion(k_BxL), k_BxL, options) - k_BxL

  def root(function, start_BxL):
    return anderson.root(function, start_BxL, iterations, tolerance)[0]

  def linear(function, y_BxL):
    x_BxL, done_B = anderson.root(lambda x: function(x) - y_BxL, -y_BxL, iterations, tolerance)
    return jnp.where(done_B[..., None], x_BxL, jnp.nan)

  def tangent(function, y_BxL):
    return jax.lax.custom_linear_solve(function, y_BxL, linear, transpose_solve=linear)

  start_BxL = _start(absorbance_BxL, dispersion, options)
  k_BxL = jax.lax.custom_root(residual, start_BxL, root, tangent)
  return _report(k_BxL, absorbance_BxL, dispersion, residual, options, tolerance)


def _report(k_BxL, absorbance_BxL, dispersion, residual, options, tolerance):
  n_BxL = dispersion(k_BxL)
  frozen = jax.lax.stop_gradient(k_BxL)
  found = absorbance(jax.lax.complex(jax.lax.stop_gradient(n_BxL), frozen), **options)
  off, largest = jnp.abs(found - absorbance_BxL).max(-1), jnp.abs(absorbance_BxL).max(-1)
  converged_B = anderson.small(jax.lax.stop_gradient(residual(frozen)), frozen, tolerance)
  converged_B &= (n_BxL > LEAST).all(-1)
  keep = lambda x: jnp.where(converged_B[..., None], x, jnp.nan)
  residual_B = jnp.where(largest > 0, off / jnp.where(largest > 0, largest, 1), off)
  return Correction(keep(n_BxL), keep(k_BxL), converged_B, jax.lax.stop_gradient(residual_B))


def _start(absorbance_BxL, dispersion, options):
  """k of weak absorption at the n of k = 0, which is kept to total reflection: with anchors that n
  can be anything."""
  none = jnp.zeros_like(absorbance_BxL)
  s = optics.tangential_index(options['crystal'], options['angle'])
  return absorbance_BxL / _sensitivity(jnp.clip(dispersion(none), 0.5 * s, 0.8 * s), none, options)


def _sensitivity(n_BxL, k_BxL, options):
  """A(n, k) / k, finite as k -> 0 in total reflection."""
  index = jax.lax.complex(jnp.maximum(n_BxL, LEAST), jnp.maximum(k_BxL, FLOOR))
  return absorbance(index, **options) / index.imag


# ---- checks -----------------------------------------------------------------


def _check_absorbance(values, noise) -> None:
  bad = np.argwhere(~np.isfinite(values))
  if len(bad):
    raise ValueError(
      f'the absorbance at {tuple(bad[0].tolist())} is not finite ({len(bad)} such values); '
      'expected numbers; cut those points off or interpolate them before Kramers-Kronig'
    )
  if values.min() < -noise:
    raise ValueError(
      f'the lowest absorbance is {values.min():g}; expected at least {-noise:g}, noise below 0; '
      'convert reflectance to -log10 R, subtract the baseline or state more noise'
    )


def _check_geometry(crystal, angle) -> None:
  if not 0 < angle < np.pi / 2:
    raise ValueError(
      f'the angle of incidence is {angle:g}; expected radians between 0 and pi/2; convert degrees'
    )
  if not np.min(crystal) * np.sin(angle) > 1:
    raise ValueError(
      f'a crystal of index {np.min(crystal):g} at {angle:g} rad does not even reflect totally onto '
      'air; expected index * sin(angle) > 1; correct the index or the angle'
    )


def _check_converged(result, iterations) -> None:
  failed = np.flatnonzero(~np.atleast_1d(result.converged_B))
  if len(failed):
    residuals = np.atleast_1d(result.residual_B)[failed]
    raise ValueError(
      f'spectra {failed.tolist()} have no solution after {iterations} iterations: their absorbance '
      f'is missed by {residuals.max():.1e} of its maximum; expected a fixed point of n and k; give '
      'Kramers-Kronig tails and anchors where k does not vanish at the edges of the window'
    )


def _check_edges(k_BxL) -> None:
  largest_B = np.maximum(np.abs(k_BxL).max(-1), FLOOR)
  share = float(np.max(np.abs(k_BxL[..., [0, -1]]).max(-1) / largest_B))
  if share > EDGE:
    raise ValueError(
      f'k at an edge of the window is {share:.2g} of its maximum and the plan has tails '
      f"'none'; expected at most {EDGE:g}, or n is wrong by what is missing; plan with tails "
      "'power_law' and anchors"
    )
