"""Light at a plane interface: Fresnel coefficients at complex indices; absorbance, Beer-Lambert.

Convention e^{i (kx x + kz z - w t)}: an index n + i k with k >= 0 absorbs. Wavenumbers nu [cm^-1],
lengths [cm], angles [rad] from the normal; an index or an angle is a float or an array that
broadcasts. What an interface conserves is the tangential index s = n_incident sin(angle), real
because the medium that light comes from is taken as lossless; q = sqrt(n^2 - s^2) = n cos(theta) is
what remains along the normal. Real input of either precision gives output of that precision.

  s: r = (q0 - q1) / (q0 + q1)                          t = 2 q0 / (q0 + q1)
  p: r = (n1^2 q0 - n0^2 q1) / (n1^2 q0 + n0^2 q1)      t = 2 n0 n1 q0 / (n1^2 q0 + n0^2 q1)

as ratios of electric fields (Born & Wolf, Principles of Optics, 1.5.2; Verdet's sign: r_p = -r_s
at normal incidence). Media are isotropic, non-magnetic and without gain.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

POLARISATIONS = ('s', 'p', 'unpolarised')


# ---- waves ------------------------------------------------------------------


def tangential_index(incident: float, angle: float) -> jax.Array:
  """s = n_incident sin(angle), the same in every parallel layer (Snell)."""
  return incident * jnp.sin(angle)


def normal_index(index: jax.Array, tangential: jax.Array) -> jax.Array:
  """q = sqrt(n^2 - s^2), complex, on the branch Im q >= 0, Re q >= 0: away from the interface
  the wave decays or carries power.

  With n^2 - s^2 = x + i y = (n - s)(n + s) - k^2 + 2 i n k and m = |x + i y|, one part of q is
  sqrt((m + |x|) / 2) and the other |y| / 2 over it, so neither cancels: 1e-7 in float32.
  At x = y = 0, the critical angle of a lossless medium, dq/ds is infinite; it is given as 0.
  """
  index, tangential = as_complex(index), jnp.asarray(tangential)
  n, k = index.real, index.imag
  x = (n - tangential) * (n + tangential) - k * k
  x, y = jnp.broadcast_arrays(x, 2 * n * k)
  critical = (x == 0) & (y == 0)
  x = jnp.where(critical, 1, x)
  a, b = jnp.where(x < 0, -x, x), jnp.abs(y)
  larger, smaller = jnp.maximum(a, b), jnp.minimum(a, b)
  m = larger * jnp.sqrt(1 + (smaller / larger) ** 2)
  size = jnp.sqrt((m + a) / 2)
  other = y / (2 * size)
  q = jnp.where(x < 0, jax.lax.complex(other, size), jax.lax.complex(size, other))
  return jnp.where(critical, 0, q)


def interface(
  incident: jax.Array, q0: jax.Array, index: jax.Array, q1: jax.Array, polarisation: str
) -> tuple[jax.Array, jax.Array]:
  """(r, t) of the electric field between media of which both may absorb, as inside a stack.

  Args:
    incident, index: n + i k on either side.
    q0, q1: their normal indices, for one and the same tangential index.
    polarisation: 's' or 'p'.

  Raises:
    ValueError: on another polarisation.
  """
  _check_polarisation(polarisation, POLARISATIONS[:2])
  if polarisation == 's':
    return (q0 - q1) / (q0 + q1), 2 * q0 / (q0 + q1)
  forward, backward = index**2 * q0, incident**2 * q1
  total = forward + backward
  return (forward - backward) / total, 2 * incident * index * q0 / total


def amplitudes(
  index: jax.Array, *, incident: float, angle: float, polarisation: str
) -> tuple[jax.Array, jax.Array]:
  """(r, t) of the electric field from a lossless `incident` onto `index` = n + i k, complex.

  Args:
    index: [..., L].
    incident: real index of the medium that light comes from.
    angle: [rad] in that medium, 0 to pi/2.
    polarisation: 's' or 'p'.

  Raises:
    ValueError: on another polarisation.
  """
  q1 = normal_index(index, tangential_index(incident, angle))
  q0 = as_complex(incident * jnp.cos(angle))
  return interface(as_complex(incident), q0, as_complex(index), q1, polarisation)


# ---- power ------------------------------------------------------------------


def reflectance(index: jax.Array, *, incident: float, angle: float, polarisation: str) -> jax.Array:
  """R = |r|^2 of a half-space `index` = n + i k seen from a lossless `incident`; real.

  Arguments and errors as `amplitudes`, and 'unpolarised' is the mean of s and p.
  """
  return mean_power(lambda pol: _reflected(index, incident, angle, pol), polarisation)


def transmittance(
  index: jax.Array, *, incident: float, angle: float, polarisation: str
) -> jax.Array:
  """T = 1 - R, the power that enters the half-space and stays there if it absorbs; real.

  4 q0 Re(q1) / |q0 + q1|^2 for s, 4 n0^2 q0 Re(n1^2 q1*) / |n1^2 q0 + n0^2 q1|^2 for p: without the
  cancellation of 1 - R, so that weak absorption keeps its digits in float32.
  Arguments and errors as `reflectance`.
  """
  return mean_power(lambda pol: _entering(index, incident, angle, pol), polarisation)


def brewster_angle(incident: float, index: float) -> float:
  """arctan(n1 / n0) [rad], where a lossless medium reflects no p light."""
  return jnp.arctan2(index, incident)


def critical_angle(incident: float, index: float) -> float:
  """arcsin(n1 / n0) [rad], above which a lossless medium reflects everything.

  Raises:
    ValueError: n1 >= n0 (concrete numbers only): there is no total reflection.
  """
  if not isinstance(index, jax.core.Tracer) and not np.all(np.less(index, incident)):
    raise ValueError(
      f'total reflection from index {incident} onto {index} does not exist; expected the medium '
      'that light comes from to be the denser one; use a crystal of higher index'
    )
  return jnp.arcsin(index / incident)


def _reflected(index, incident, angle, polarisation):
  r, _ = amplitudes(index, incident=incident, angle=angle, polarisation=polarisation)
  return squared(r)


def _entering(index, incident, angle, polarisation):
  index = as_complex(index)
  q0 = incident * jnp.cos(angle)
  q1 = normal_index(index, tangential_index(incident, angle))
  if polarisation == 's':
    return 4 * q0 * q1.real / squared(q0 + q1)
  power, total = index**2, index**2 * q0 + incident**2 * q1
  carried = power.real * q1.real + power.imag * q1.imag
  return 4 * incident**2 * q0 * carried / squared(total)


# ---- absorbance -------------------------------------------------------------


def absorbance(transmitted: jax.Array) -> jax.Array:
  """A = -log10 T, decadic; infinite where T = 0."""
  return -jnp.log10(transmitted)


def transmitted(absorbance: jax.Array) -> jax.Array:
  """T = 10^-A."""
  return jnp.exp(-np.log(10.0) * absorbance)


def beer_lambert(
  absorptivity_KxL: jax.Array, concentration_BxK: jax.Array, path: float
) -> jax.Array:
  """A = l sum_k eps_k c_k, additive in absorbance, [B, L].

  Args:
    absorptivity_KxL: decadic molar absorptivities eps [L mol^-1 cm^-1].
    concentration_BxK: c [mol / L].
    path: l [cm].

  Holds where light crosses the sample once: no interfaces, no interference, no scattering, and
  solutes that do not interact. `films.apparent_absorbance` is what a film shows instead.
  """
  return path * jnp.einsum('...k,kl->...l', concentration_BxK, absorptivity_KxL)


def absorbance_of_extinction(k_BxL: jax.Array, nu_L: jax.Array, path: float) -> jax.Array:
  """A = 4 pi nu l k / ln 10 of a path l [cm]; k from e^{-i w t}, nu [cm^-1]; no interfaces."""
  return k_BxL * _absorbance_per_extinction(nu_L, path, k_BxL)


def extinction_of_absorbance(A_BxL: jax.Array, nu_L: jax.Array, path: float) -> jax.Array:
  """k = ln(10) A / (4 pi nu l), the inverse of `absorbance_of_extinction`."""
  return A_BxL / _absorbance_per_extinction(nu_L, path, A_BxL)


def _absorbance_per_extinction(nu_L, path, like):
  return jnp.asarray(4 * np.pi / np.log(10.0) * path * nu_L, jnp.result_type(like))


def mean_power(power: Callable[[str], jax.Array], polarisation: str) -> jax.Array:
  """`power` of 's' or 'p', or for 'unpolarised' the mean of both."""
  _check_polarisation(polarisation, POLARISATIONS)
  if polarisation == 'unpolarised':
    return 0.5 * (power('s') + power('p'))
  return power(polarisation)


def squared(z: jax.Array) -> jax.Array:
  """|z|^2 without the root that has no gradient at 0."""
  return z.real**2 + z.imag**2


def as_complex(index: jax.Array) -> jax.Array:
  """Real indices as n + 0 i, in their own precision."""
  index = 1.0 * jnp.asarray(index)
  return jax.lax.complex(jnp.real(index), jnp.imag(index))


def _check_polarisation(polarisation, legal) -> None:
  if polarisation not in legal:
    raise ValueError(f'polarisation is {polarisation!r}, expected one of {", ".join(legal)}')
