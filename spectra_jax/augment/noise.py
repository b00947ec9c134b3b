"""Noise of detectors: what each of them adds to the signal (`frame`), per example.

Every size is drawn evenly from 0 to the given one, so that quiet spectra stay among the noisy ones.
"""

import jax
import jax.numpy as jnp
import numpy as np

from spectra_jax.augment import rules
from spectra_jax.augment.frame import Frame, add_to_signal, level, signal


def read(
  key: jax.Array, values_L: jax.Array, mask_L: jax.Array, frame: Frame, *, fraction: float
) -> tuple[jax.Array, jax.Array]:
  """White noise of one size whatever the light: s + f n(0, 1), f up to `fraction` of the level.

  In absorbance its standard deviation is f 10^A / ln 10.
  """
  rules.check_magnitude('read.fraction', fraction)
  key_size, key_noise = jax.random.split(key)
  size = jax.random.uniform(key_size, maxval=fraction) * level(values_L, mask_L, frame)
  noise_L = jax.random.normal(key_noise, values_L.shape, values_L.dtype)
  return add_to_signal(values_L, size * noise_L, frame), mask_L


def shot(
  key: jax.Array, values_L: jax.Array, mask_L: jax.Array, frame: Frame, *, fraction: float
) -> tuple[jax.Array, jax.Array]:
  """Noise of counted photons: variance f^2 s s_0, f up to `fraction` at the level s_0.

  f = 1 / sqrt(N) for N photons at s_0 (the open beam, or the highest point); the normal limit of a
  Poisson distribution, good to a few per cent above 20 photons a point. None where s <= 0.
  """
  rules.check_magnitude('shot.fraction', fraction)
  key_size, key_noise = jax.random.split(key)
  size = jax.random.uniform(key_size, maxval=fraction)
  light_L = signal(values_L, frame) * level(values_L, mask_L, frame)
  lit_L = light_L > 0
  deviation_L = size * jnp.where(lit_L, jnp.sqrt(jnp.where(lit_L, light_L, 1)), 0)
  noise_L = jax.random.normal(key_noise, values_L.shape, values_L.dtype)
  return add_to_signal(values_L, deviation_L * noise_L, frame), mask_L


def flicker(
  key: jax.Array, values_L: jax.Array, mask_L: jax.Array, frame: Frame, *, fraction: float
) -> tuple[jax.Array, jax.Array]:
  """1/f noise of a scan along the axis: s + f p, p of unit variance, f up to `fraction` of s_0."""
  rules.check_magnitude('flicker.fraction', fraction)
  key_size, key_noise = jax.random.split(key)
  size = jax.random.uniform(key_size, maxval=fraction) * level(values_L, mask_L, frame)
  noise_L = pink(key_noise, len(values_L)).astype(values_L.dtype)
  return add_to_signal(values_L, size * noise_L, frame), mask_L


def pink(key: jax.Array, points: int) -> jax.Array:
  """[points] normal noise of unit variance whose power falls as 1 / frequency, without the mean.

  Half of a periodic sequence twice as long, so that the ends are not alike.
  """
  length = 2 * points
  amplitude_F = np.zeros(points + 1, np.float32)
  amplitude_F[1:] = np.arange(1, points + 1) ** -0.5
  twice_F = np.full(points + 1, 2.0)
  twice_F[[0, -1]] = 1  # the mean and the fastest frequency have no conjugate
  amplitude_F /= np.sqrt((twice_F * amplitude_F**2).sum() / length)
  white_F = jnp.fft.rfft(jax.random.normal(key, (length,)))
  return jnp.fft.irfft(white_F * amplitude_F, length)[:points]
