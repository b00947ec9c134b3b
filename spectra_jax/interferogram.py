"""The interferogram of a spectrum, where a Lorentzian line is a damped exponential, and back.

On evenly spaced wavenumbers nu_l = edge + (l + 1/2) dnu [cm^-1], l < L, and retardations
delta_k = k step [cm], step = 1 / (2 L dnu),

  I(delta_k) = dnu sum_l S(nu_l) cos(2 pi (nu_l - edge) delta_k)
  S(nu_l) = 2 step (I_0 + 2 sum_{k>0} I_k cos(2 pi (nu_l - edge) delta_k)),

a DCT-II and its inverse: real to real, exact for any L and any window. S [X / cm^-1] gives I [X].
The phase counts from the lower edge of the window, as after mixing down by that wavenumber; where
edge = 0 this is the interferogram of a spectrometer, without apodisation.

A Lorentzian of unit area, centre nu_d and full width at half maximum gamma becomes

  I(delta) = exp(-pi gamma delta) cos(2 pi (nu_d - edge) delta),

the impulse response of a pole exp(-pi gamma step + 2 pi i (nu_d - edge) step). Exactly so on an
infinite window: a finite one cuts off the tails and mirrors the spectrum at its edges, which adds
what decays as 1 / delta^2, and points dnu apart add the echo exp(-pi gamma (1 / dnu - delta)).

The oscillator x'' + Gamma x' + W0^2 x = 0 per unit of retardation has Gamma = 2 pi gamma, W0 = 2 pi
nu0 and rings at W_d = sqrt(W0^2 - Gamma^2 / 4) = 2 pi nu_d, so nu_d = sqrt(nu0^2 - gamma^2 / 4) in
cm^-1. Here causality has a meaning: a filter along delta that looks back only answers from what a
shorter mirror travel, a coarser resolution, has already measured.

`dynamics` below are (A, G, h) of damped IMEX LinOSS (Boyer, Rusch & Rus 2025, arXiv 2505.12171):
S = 1 + h G, |lambda|^2 = 1/S, 2 Re lambda = (1 + S - h^2 A) / S. Only h G and h^2 A matter.
"""

import jax
import jax.numpy as jnp
import numpy as np

EVEN = 1e-6  # largest deviation of a step from their mean, relative


# ---- spectrum <-> interferogram ---------------------------------------------


def interferogram(spectrum_L: jax.Array, nu_L: np.ndarray) -> jax.Array:
  """I(delta) of spectra along the last axis, [..., L] in X / cm^-1 -> [..., L] in X.

  Raises:
    ValueError: `nu_L` [cm^-1] is not evenly spaced and ascending, or not as long as the spectrum.
  """
  _check_length(spectrum_L, nu_L)
  return jax.scipy.fft.dct(spectrum_L, axis=-1) * (0.5 * spacing(nu_L))


def spectrum(interferogram_L: jax.Array, nu_L: np.ndarray) -> jax.Array:
  """The inverse of `interferogram`, [..., L] in X -> [..., L] in X / cm^-1.

  Raises:
    ValueError: as there.
  """
  _check_length(interferogram_L, nu_L)
  return jax.scipy.fft.idct(interferogram_L, axis=-1) / (0.5 * spacing(nu_L))


def retardation(nu_L: np.ndarray) -> np.ndarray:
  """delta_k = k / (2 L dnu), [L] in cm, for wavenumbers in cm^-1.

  Raises:
    ValueError: they are not evenly spaced and ascending.
  """
  return np.arange(len(nu_L)) / (2 * len(nu_L) * spacing(nu_L))


def spacing(nu_L: np.ndarray) -> float:
  """dnu [cm^-1].

  Raises:
    ValueError: the wavenumbers are not evenly spaced and ascending.
  """
  nu_L = np.asarray(nu_L, np.float64)
  if nu_L.ndim != 1 or len(nu_L) < 2:
    raise ValueError(
      f'wavenumbers have shape {nu_L.shape}; expected [L] with at least 2 points; give the axis'
    )
  mean = (nu_L[-1] - nu_L[0]) / (len(nu_L) - 1)
  worst = np.abs(np.diff(nu_L) - mean).max()
  if not (mean > 0 and worst <= EVEN * mean):
    raise ValueError(
      f'wavenumbers step by {mean:g} cm^-1 on average and deviate by up to {worst:g}; expected an '
      'even ascending axis for a Fourier transform; resample the spectrum'
    )
  return float(mean)


def lower_edge(nu_L: np.ndarray) -> float:
  """Half a step below the first point, where phases count from [cm^-1]."""
  return float(nu_L[0] - 0.5 * spacing(nu_L))


# ---- lines <-> poles <-> LinOSS ---------------------------------------------
# numpy in, float64 numpy out; JAX in, JAX out (traced, differentiable, in its own precision).


def centre(nu0_K: np.ndarray, gamma_K: np.ndarray) -> np.ndarray:
  """nu_d = sqrt(nu0^2 - gamma^2 / 4) [cm^-1], the maximum of the Lorentzian."""
  xp = _namespace(nu0_K)
  return xp.sqrt((nu0_K - 0.5 * gamma_K) * (nu0_K + 0.5 * gamma_K))


def oscillator_wavenumber(centre_K: np.ndarray, gamma_K: np.ndarray) -> np.ndarray:
  """nu0 = sqrt(nu_d^2 + gamma^2 / 4) [cm^-1], the inverse of `centre`."""
  return _namespace(centre_K).hypot(centre_K, 0.5 * gamma_K)


def pole(nu0_K: np.ndarray, gamma_K: np.ndarray, nu_L: np.ndarray) -> np.ndarray:
  """exp(-pi gamma step + 2 pi i (nu_d - edge) step), complex [K], per step of retardation.

  Args:
    nu0_K, gamma_K: oscillator wavenumber and FWHM [cm^-1].
    nu_L: the wavenumbers of the spectrum [cm^-1].

  Raises:
    ValueError: a line has no real nu_d inside the window, or gamma < 0 (numpy input only).
  """
  decay_K, theta_K = _decay_and_angle(nu0_K, gamma_K, nu_L)
  return _namespace(nu0_K).exp(-decay_K + 1j * theta_K)


def line_of_pole(pole_K: np.ndarray, nu_L: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """(nu0, gamma) [cm^-1] of poles per step of retardation; a pole and its conjugate are one line.

  As `transfer.poles` gives them for a layer that runs along retardation.
  """
  xp = _namespace(pole_K)
  return _line(-xp.log(xp.abs(pole_K)), xp.abs(xp.angle(pole_K)), nu_L)


def dynamics(
  nu0_K: np.ndarray, gamma_K: np.ndarray, h_K: np.ndarray, nu_L: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
  """(A, G) with which damped LinOSS of step h has the pole of a line, [K], dimensionless.

  S = exp(2 pi gamma step), G = (S - 1) / h, A = (1 + S - 2 sqrt(S) cos theta) / h^2 with theta =
  2 pi (nu_d - edge) step; A as (sqrt(S) - 1)^2 + 4 sqrt(S) sin(theta / 2)^2, which cancels nothing.

  Raises:
    ValueError: as `pole`.
  """
  xp = _namespace(nu0_K)
  decay_K, theta_K = _decay_and_angle(nu0_K, gamma_K, nu_L)
  stretch_K = xp.expm1(decay_K)  # sqrt(S) - 1
  stiffness_K = stretch_K**2 + 4 * (1 + stretch_K) * xp.sin(0.5 * theta_K) ** 2
  return stiffness_K / h_K**2, xp.expm1(2 * decay_K) / h_K


def line_of_dynamics(
  A_K: np.ndarray, G_K: np.ndarray, h_K: np.ndarray, nu_L: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
  """(nu0, gamma) [cm^-1] that a damped LinOSS oscillator along retardation stands for, [K].

  The inverse of `dynamics`, for A inside the oscillatory band ((sqrt(S) -+ 1) / h)^2; elsewhere the
  layer projects A onto the band first, and so does this.
  """
  xp = _namespace(A_K)
  S_K = 1 + h_K * G_K
  low_K, high_K = (h_K * G_K / (xp.sqrt(S_K) + 1)) ** 2, (xp.sqrt(S_K) + 1) ** 2
  sine_K = xp.maximum(h_K**2 * A_K - low_K, 0)  # 4 sqrt(S) sin(theta / 2)^2
  cosine_K = xp.maximum(high_K - h_K**2 * A_K, 0)
  theta_K = 2 * xp.arctan2(xp.sqrt(sine_K), xp.sqrt(cosine_K))
  return _line(0.5 * xp.log1p(h_K * G_K), theta_K, nu_L)


def _decay_and_angle(nu0_K, gamma_K, nu_L):
  """(pi gamma step, 2 pi (nu_d - edge) step); 2 step is 1 / (L dnu)."""
  if not isinstance(nu0_K, jax.Array):
    _check_lines(np.asarray(nu0_K, np.float64), np.asarray(gamma_K, np.float64), nu_L)
  twice_step = 1 / (len(nu_L) * spacing(nu_L))
  angle_K = np.pi * (centre(nu0_K, gamma_K) - lower_edge(nu_L)) * twice_step
  return 0.5 * np.pi * gamma_K * twice_step, angle_K


def _line(decay_K, theta_K, nu_L):
  window = len(nu_L) * spacing(nu_L)  # 1 / (2 step)
  gamma_K = 2 * decay_K * window / np.pi
  return oscillator_wavenumber(lower_edge(nu_L) + theta_K * window / np.pi, gamma_K), gamma_K


def _namespace(x):
  return jnp if isinstance(x, jax.Array) else np


# ---- checks -----------------------------------------------------------------


def _check_length(values_L, nu_L) -> None:
  if np.shape(values_L)[-1:] != np.shape(nu_L):
    raise ValueError(
      f'values have shape {np.shape(values_L)} and wavenumbers {np.shape(nu_L)}; expected values '
      '[..., L] on an axis [L]; give the axis of these values'
    )
  spacing(nu_L)


def _check_lines(nu0_K, gamma_K, nu_L) -> None:
  low, high = lower_edge(nu_L), lower_edge(nu_L) + len(nu_L) * spacing(nu_L)
  if (gamma_K < 0).any() or (nu0_K < 0.5 * gamma_K).any():
    raise ValueError(
      f'lines have nu0 {nu0_K} and gamma {gamma_K} cm^-1; expected 0 <= gamma <= 2 nu0, beyond '
      'which an oscillator does not ring; correct the widths'
    )
  centre_K = centre(nu0_K, gamma_K)
  if not ((centre_K >= low) & (centre_K <= high)).all():
    raise ValueError(
      f'lines have their maxima at {centre_K} cm^-1; expected {low:g} to {high:g}, the window of '
      'this axis; use a wider spectrum or leave them out'
    )
