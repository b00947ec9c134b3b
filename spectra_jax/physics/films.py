"""Stacks of plane films by 2x2 transfer matrices, on a coherent or a thick substrate.

Convention e^{-i w t}, indices n + i k with k >= 0, wavenumbers nu [cm^-1], thicknesses [cm], angles
[rad] in the first medium, which is lossless. A stack is (ambient, films..., exit): indices that
broadcast to [..., L], one thickness for each film.

A film of normal index q (`optics.normal_index`) delays by delta = 2 pi nu d q. From the exit
(1, 0) backwards, the waves (forward, backward) in front of an interface are

  [f, b] = (1/t) [[1, r], [r, 1]] diag(e^{-i delta}, e^{i delta}) [f, b]_next

(Heavens 1955; Yeh 1988). The factor e^{-i delta}, which grows with absorption, is kept apart for
the transmitted amplitude, and f is divided out at each interface: what is left is the recursion
r <- (r_j + r e^{2 i delta}) / (1 + r_j r e^{2 i delta}), without overflow however opaque a film is.

The phase delta is as good as the precision: 1 mm at 4000 cm^-1 and n = 1.5 is 4e3 rad, 2e-4 rad of
rounding in float32. A slab that thick does not interfere in a real instrument anyway: `on_slab`.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from spectra_jax.physics import optics


def amplitudes(
  indices: Sequence[jax.Array],
  thicknesses: Sequence[float],
  nu_L: jax.Array,
  *,
  angle: float,
  polarisation: str,
) -> tuple[jax.Array, jax.Array]:
  """(r, t) of the electric field through a coherent stack, complex [..., L].

  Args:
    indices: n + i k of ambient, films..., exit; each a number or [..., L].
    thicknesses: of the films [cm]; two fewer than indices.
    nu_L: wavenumbers [cm^-1].
    angle: [rad] in the ambient.
    polarisation: 's' or 'p'.

  Raises:
    ValueError: other numbers of films and thicknesses, or another polarisation.
  """
  _check_stack(indices, thicknesses)
  return _amplitudes(_media(indices, angle), thicknesses, nu_L, polarisation)


def power(
  indices: Sequence[jax.Array],
  thicknesses: Sequence[float],
  nu_L: jax.Array,
  *,
  angle: float,
  polarisation: str,
) -> tuple[jax.Array, jax.Array]:
  """(R, T) of a coherent stack, real [..., L]; 1 - R - T is absorbed in the films.

  T is what crosses the last interface: beyond the critical angle of a lossless exit it is 0, and an
  exit that absorbs takes it all. Arguments and errors as `amplitudes`, and 'unpolarised' is the
  mean of s and p.
  """
  _check_stack(indices, thicknesses)
  media = _media(indices, angle)
  return _mean(lambda pol: _power(media, thicknesses, nu_L, pol), polarisation)


def on_slab(
  indices: Sequence[jax.Array],
  thicknesses: Sequence[float],
  slab: float,
  nu_L: jax.Array,
  *,
  angle: float,
  polarisation: str,
) -> tuple[jax.Array, jax.Array]:
  """(R, T) of (ambient, films..., slab, ambient) with a slab too thick to interfere, real [..., L].

  Waves inside the slab add as powers: with R, T of the film side from outside, R', T' from inside,
  R_b, T_b of the bare back and the attenuation a = exp(-4 pi nu d Im q),

    R + T T' a^2 R_b / (1 - R' R_b a^2),    T a T_b / (1 - R' R_b a^2)

  (Heavens 1955), the mean over a fringe of a lossless slab. Powers inside a slab that absorbs
  are defined up to terms of k/n: meant for k << n.

  Args:
    indices: n + i k of ambient, films..., slab; the medium behind the slab is the ambient again.
    thicknesses: of the films [cm].
    slab: thickness of the slab [cm].
    nu_L, angle, polarisation: as `power`.

  Raises:
    ValueError: as `power`.
  """
  _check_stack(indices, thicknesses)
  media = _media(indices, angle)
  attenuation = jnp.exp(-2 * _delay(media[-1][1], slab, nu_L).imag)

  def one(pol):
    R, T = _power(media, thicknesses, nu_L, pol)
    inner_R, inner_T = _power(media[::-1], thicknesses[::-1], nu_L, pol)
    back_R, back_T = _power((media[-1], media[0]), (), nu_L, pol)
    echoes = 1 / (1 - inner_R * back_R * attenuation**2)
    return R + T * inner_T * attenuation**2 * back_R * echoes, T * attenuation * back_T * echoes

  return _mean(one, polarisation)


# ---- where Beer-Lambert fails -----------------------------------------------


def apparent_absorbance(
  film: jax.Array,
  substrate: float,
  thickness: float,
  nu_L: jax.Array,
  *,
  angle: float,
  polarisation: str,
) -> jax.Array:
  """-log10 (T / T_0) of a film on a half-space in air, T_0 the bare substrate, [..., L].

  What a spectrometer shows after the division by the clean window. It contains the reflection of
  the film and its fringes besides the absorption 4 pi nu d k / ln 10 that Beer-Lambert calls it.

  Args:
    film: n + i k, [..., L].
    substrate: its real index.
    thickness: of the film [cm].

  Raises:
    ValueError: on another polarisation than 's', 'p', 'unpolarised'.
  """
  options = {'angle': angle, 'polarisation': polarisation}
  _, T = power((1.0, film, substrate), (thickness,), nu_L, **options)
  return optics.absorbance(T / optics.transmittance(substrate, incident=1.0, **options))


def fringe_amplitude(film: float, substrate: float) -> float:
  """The extreme of `apparent_absorbance` of a LOSSLESS film, where Beer-Lambert says 0.

  A = log10[(n^2 + n_s)^2 / (n (1 + n_s))^2] at normal incidence and odd multiples of nu = 1 / (4 n
  d), 0 at even ones: fringes 1 / (2 n d) [cm^-1] apart. Negative if n < n_s, where the film is an
  anti-reflection coating. Free of k and d, so no thickness makes it small.
  """
  return 2 * jnp.log10((film**2 + substrate) / (film * (1 + substrate)))


# ---- one stack --------------------------------------------------------------


def _media(indices, angle):
  """[(n + i k, normal index)]; the ambient's is n cos(angle), which keeps its digits at grazing."""
  indices = [optics.as_complex(index) for index in indices]
  tangential = optics.tangential_index(indices[0].real, angle)
  ambient = optics.as_complex(indices[0].real * jnp.cos(angle))
  return [
    (indices[0], ambient),
    *((index, optics.normal_index(index, tangential)) for index in indices[1:]),
  ]


def _amplitudes(media, thicknesses, nu_L, polarisation):
  r, t = optics.interface(*media[-2], *media[-1], polarisation)
  films = zip(media[-3::-1], media[-2:0:-1], thicknesses[::-1], strict=True)
  for front, film, thickness in films:
    front_r, front_t = optics.interface(*front, *film, polarisation)
    once = jnp.exp(1j * _delay(film[1], thickness, nu_L))
    back = r * once * once
    echoes = 1 / (1 + front_r * back)
    r, t = (front_r + back) * echoes, front_t * once * t * echoes
  return r, t


def _power(media, thicknesses, nu_L, polarisation):
  r, t = _amplitudes(media, thicknesses, nu_L, polarisation)
  ratio = _flux(*media[-1], polarisation) / _flux(*media[0], polarisation)
  return optics.squared(r), optics.squared(t) * ratio


def _flux(index, q, polarisation):
  """Power along the normal of a wave of unit field: Re q, or Re(n^2 q*) / |n|^2 for p."""
  if polarisation == 's':
    return q.real
  return (index**2 * q.conj()).real / optics.squared(index)


def _delay(q, thickness, nu_L):
  """2 pi nu d q, complex; nu d in float64 on the host before it meets a float32 index."""
  return jnp.asarray(2 * np.pi * thickness * nu_L, q.real.dtype) * q


def _mean(both, polarisation):
  return tuple(optics.mean_power(lambda pol: jnp.stack(both(pol)), polarisation))


def _check_stack(indices, thicknesses) -> None:
  if len(indices) < 2 or len(thicknesses) != len(indices) - 2:
    raise ValueError(
      f'a stack has {len(indices)} indices and {len(thicknesses)} thicknesses; expected ambient, '
      'films, exit and one thickness a film; give the films between the two outer media'
    )
