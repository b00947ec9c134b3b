"""What moves, widens or cuts off bands: a bad calibration, a warm sample, a lesser spectrometer."""

import zlib

import jax
import jax.numpy as jnp
import numpy as np

from spectra_jax.augment import rules
from spectra_jax.augment.frame import Frame, signal, values_of
from spectra_jax.physics import instrument

# Folded into a sample's key. Small numbers are what `jax.random.split` folds in, so what is drawn
# would have the bits of the sample's masks.
WANDER, WIDEN = zlib.crc32(b'wander'), zlib.crc32(b'widen')
MOST_GAIN = 100.0  # of the fastest ripple of a spectrum that is made narrower
LEVELS = 16  # line widths that `resolution` chooses from, beside none


def shift(
  key: jax.Array, values_L: jax.Array, mask_L: jax.Array, frame: Frame, *, max_cm: float
) -> tuple[jax.Array, jax.Array]:
  """The whole spectrum moves by up to `max_cm` [cm^-1] either way; see `moved`."""
  rules.check_magnitude('shift.max_cm', max_cm, _span(frame) / 4)
  shift_cm = jax.random.uniform(key, minval=-max_cm, maxval=max_cm)
  return moved(values_L, mask_L, frame.points(shift_cm))


def drift(
  key: jax.Array,
  values_L: jax.Array,
  mask_L: jax.Array,
  frame: Frame,
  *,
  position_cm: float,
  width_cm: float,
  band_cm: float,
) -> tuple[jax.Array, jax.Array]:
  """A warmer sample: bands soften and widen together, not all of them alike.

  One temperature t ~ U(0, 1) an example moves a band at nu to lower wavenumbers by
  t position_cm (1 + r(nu)) / 2, r in [-1, 1] smooth over `band_cm`, and convolves all of it with a
  Lorentz line of FWHM t width_cm (anharmonic coupling: both grow with the bath's quanta).

  Raises:
    ValueError: moves that differ so fast that bands would cross, or a width on an axis that is not
      even in cm^-1.
  """
  rules.check_magnitude('drift.width_cm', width_cm, _span(frame) / 4)
  rules.check_range('drift.band_cm', (band_cm, band_cm), least=2 * _widest_step(frame))
  rules.check_magnitude('drift.position_cm', position_cm, band_cm / 10)
  key_warmth, key_field = jax.random.split(key)
  warmth = jax.random.uniform(key_warmth)
  field_L = smooth(key_field, frame.nu_L, band_cm)
  shift_L = -0.5 * position_cm * warmth * (1 + field_L)
  values_L, mask_L = moved(values_L, mask_L, frame.points(shift_L))
  if width_cm == 0:
    return values_L, mask_L
  delta_L = _retardations(len(values_L), frame.even_step('cm^-1'))
  damping_L = jnp.exp(-np.pi * warmth * width_cm * jnp.asarray(delta_L, values_L.dtype))
  return apodised(values_L, damping_L), mask_L


def resolution(
  key: jax.Array,
  values_L: jax.Array,
  mask_L: jax.Array,
  frame: Frame,
  *,
  fwhm_cm: float,
  apodisation: str,
) -> tuple[jax.Array, jax.Array]:
  """A Fourier spectrometer of shorter travel: the signal convolved with its line shape.

  Of 1 + `LEVELS` equally likely widths one is none (the same bits), the others go evenly from what
  the axis can just show to `fwhm_cm`. Light is convolved, not absorbance, which therefore becomes
  too small at narrow strong bands, as in an instrument. What the spectrum's own instrument did
  stays.

  Raises:
    ValueError: an axis that is not even in cm^-1 (a grating's slit is even in nm), or an `fwhm_cm`
      that it cannot show.
  """
  step = frame.even_step('cm^-1')
  least = instrument.fwhm(1 / (2 * step), apodisation)
  if fwhm_cm and not least <= fwhm_cm <= _span(frame) / 4:
    raise ValueError(
      f'augment.resolution.fwhm_cm is {fwhm_cm}, expected 0 (off), or from {least:.4g}, which '
      f'the axis can just show, to {_span(frame) / 4:.4g}'
    )
  delta_L, unit = _retardations(len(values_L), step), instrument.fwhm(1.0, apodisation)
  windows = [
    instrument.window(delta_L, unit / fwhm, apodisation)
    for fwhm in np.linspace(least, max(fwhm_cm, least), LEVELS)
  ]
  chosen = jax.random.randint(key, (), 0, LEVELS + 1)
  window_L = jnp.asarray(np.stack(windows), values_L.dtype)[chosen - 1]
  seen_L = values_of(apodised(signal(values_L, frame), window_L), frame)
  return jnp.where((chosen > 0) & (fwhm_cm > 0), seen_L, values_L), mask_L


def crop(
  key: jax.Array,
  values_L: jax.Array,
  mask_L: jax.Array,
  frame: Frame,
  *,
  edge_cm: float,
  keep_cm: tuple[tuple[float, float], ...],
) -> tuple[jax.Array, jax.Array]:
  """An instrument of a narrower range: up to `edge_cm` at either end counts as not measured.

  Raises:
    ValueError: no `keep_cm`, the diagnostic ranges [(low, high) in cm^-1], or a cut into them.
  """
  low, high = frame.nu_L.min(), frame.nu_L.max()
  rules.check_magnitude('crop.edge_cm', edge_cm, (high - low) / 4)
  lost = [band for band in keep_cm if band[0] < low + edge_cm or band[1] > high - edge_cm]
  if edge_cm and (lost or not keep_cm):
    raise ValueError(
      f'augment.crop.edge_cm is {edge_cm} and its keep_cm {tuple(keep_cm)}, expected diagnostic '
      f'bands within {low + edge_cm:g} to {high - edge_cm:g} cm^-1: a spectrum without them does '
      'not show what its label says; name the bands to keep or cut less'
    )
  cut_2 = edge_cm * jax.random.uniform(key, (2,))
  nu_L = jnp.asarray(frame.nu_L, jnp.float32)
  return values_L, mask_L & (nu_L >= low + cut_2[0]) & (nu_L <= high - cut_2[1])


# ---- of tasks, before anything is hidden ------------------------------------


def wander(
  key: jax.Array, values_SxL: jax.Array, nu_L: np.ndarray, most_cm: float, band_cm: float
) -> jax.Array:
  """Spectra of one sample with their bands moved together, by up to `most_cm` [cm^-1] either way,
  not all alike: those of a molecule with slightly other force constants. For computed spectra,
  whose wavenumbers are exact, and of which there are few.

  Args:
    key: of this sample.
    values_SxL: finite, on an even axis.
    nu_L: the axis [cm^-1].
    most_cm, band_cm: see `check_wander`; the field is `smooth` over band_cm.
  """
  field_L = smooth(jax.random.fold_in(key, WANDER), nu_L, band_cm)
  points_L = field_L * most_cm / (nu_L[1] - nu_L[0])
  there_L = jnp.ones(len(nu_L), bool)
  return jax.vmap(lambda values_L: moved(values_L, there_L, points_L)[0])(values_SxL)


def check_wander(key: str, most_cm: float, band_cm: float, nu_L: np.ndarray) -> None:
  """Raises a ValueError where bands could cross, or for an axis that is not even.

  Args:
    key: of most_cm in the config.
    most_cm, band_cm, nu_L: as of `wander`.
  """
  if not 0 <= 10 * most_cm <= band_cm:
    raise ValueError(
      f'{key} is {most_cm} cm^-1 over bands of {band_cm}, expected 0 to a tenth of that, so that '
      'bands do not cross; lower it'
    )
  steps = np.diff(nu_L)
  if most_cm and np.ptp(steps) > 1e-3 * steps.mean():
    raise ValueError(
      f'{key} is {most_cm} cm^-1 on an axis with steps of {steps.min():.4g} to {steps.max():.4g}, '
      'expected an even one; set axis.points, or it to 0'
    )


def widened(
  key: jax.Array, values_L: jax.Array, nu_L: np.ndarray, range_cm: tuple[float, float]
) -> jax.Array:
  """A spectrum of Lorentz lines whose FWHM are w larger, w ~ U(range_cm) [cm^-1], areas kept.

  A Lorentz line convolved with another one is one whose width is the sum, so that this is exact but
  for the ends of the axis, and w below 0 undoes it, to 1 % where a line has three points. For
  computed spectra: what is narrowed must have neither noise nor other line shapes. No intensity
  comes out below 0.

  Args:
    key: of this sample.
    values_L: finite, on an even axis.
    nu_L: the axis [cm^-1].
    range_cm: see `check_widths`.
  """
  low, high = range_cm
  width = jax.random.uniform(jax.random.fold_in(key, WIDEN), minval=low, maxval=high)
  delta_L = jnp.asarray(_retardations(len(nu_L), nu_L[1] - nu_L[0]), values_L.dtype)
  return jnp.maximum(apodised(values_L, jnp.exp(-np.pi * width * delta_L)), 0.0)


def check_widths(
  key: str, range_cm: tuple[float, float], least_cm: float, nu_L: np.ndarray
) -> None:
  """Raises a ValueError for a range that is none, or lines that would not stay lines.

  Args:
    key: of the range in the config.
    range_cm: (least, most) of what is added to the FWHM; (0, 0) = off.
    least_cm: FWHM of the lines as they are.
    nu_L: as of `widened`.
  """
  (low, high), steps = range_cm, np.diff(nu_L)
  even = np.ptp(steps) <= 1e-3 * steps.mean()
  narrowest = max(-least_cm, -np.log(MOST_GAIN) * 2 * steps.mean() / np.pi)
  if (low, high) != (0, 0) and not (even and narrowest < low <= high <= np.ptp(nu_L) / 4):
    raise ValueError(
      f'{key} is {tuple(range_cm)}, expected (least, most) from above {narrowest:.4g}, by which '
      f'lines of {least_cm:g} cm^-1 on this axis can be narrowed, to {np.ptp(nu_L) / 4:.4g}, on an '
      'axis with even steps; change it'
    )


# ---- parts ------------------------------------------------------------------


def moved(values_L: jax.Array, mask_L: jax.Array, points: jax.Array) -> tuple[jax.Array, jax.Array]:
  """values(i - points) between the points of an even axis: bands move to higher indices.

  Cubic convolution of four neighbours (Keys 1981, doi:10.1109/TASSP.1981.1163711): third order,
  with a slope everywhere, and the same bits at whole numbers of points. Nothing wraps: beyond an
  end the last value goes on and the mask is False, as it is between points of which one is masked.

  Args:
    values_L, mask_L: the spectrum; masked values must be finite.
    points: scalar or [L].
  """
  values_L, mask_L, length = jnp.asarray(values_L), jnp.asarray(mask_L), len(values_L)
  back_L = jnp.broadcast_to(-points, (length,)).astype(values_L.dtype)
  whole_L = jnp.floor(back_L)
  t_L = back_L - whole_L
  at_L = jnp.arange(length) + whole_L.astype(jnp.int32)
  there = lambda array_L, offset: array_L[jnp.clip(at_L + offset, 0, length - 1)]
  weights = (
    t_L * (-0.5 + t_L * (1 - 0.5 * t_L)),
    1 + t_L**2 * (1.5 * t_L - 2.5),
    t_L * (0.5 + t_L * (2 - 1.5 * t_L)),
    t_L**2 * (0.5 * t_L - 0.5),
  )
  moved_L = sum(
    w_L * there(values_L, offset) for offset, w_L in zip(range(-1, 3), weights, strict=True)
  )
  between_L = t_L > 0
  inside_L = (at_L >= 0) & (at_L + between_L < length)
  return moved_L, inside_L & there(mask_L, 0) & (there(mask_L, 1) | ~between_L)


def apodised(values_L: jax.Array, window_L: jax.Array) -> jax.Array:
  """The spectrum mirrored at its ends, convolved with the transform of `window_L` (as `observe`).

  window_L[i] is at retardation i / (2 L step) [cm]; window_L[0] = 1 keeps the area.
  """
  return jax.scipy.fft.idct(jax.scipy.fft.dct(values_L) * window_L)


def smooth(key: jax.Array, nu_L: np.ndarray, period_cm: float, terms: int = 4) -> jax.Array:
  """[L] random function in [-1, 1]: the mean of cosines of 1 to 4 times that period."""
  key_period, key_phase = jax.random.split(key)
  period_M = period_cm * 4 ** jax.random.uniform(key_period, (terms,))
  phase_M = jax.random.uniform(key_phase, (terms,), maxval=2 * np.pi)
  offset_L = jnp.asarray(nu_L - np.min(nu_L), jnp.float32)
  return jnp.cos(2 * np.pi * offset_L[:, None] / period_M + phase_M).mean(-1)


def _retardations(points: int, step: float) -> np.ndarray:
  return np.arange(points) / (2 * points * step)


def _span(frame: Frame) -> float:
  return float(np.ptp(frame.nu_L))


def _widest_step(frame: Frame) -> float:
  return float(np.abs(np.diff(frame.nu_L)).max())
