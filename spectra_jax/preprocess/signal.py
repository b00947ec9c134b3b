"""What a preprocessing step knows of the spectra that reach it, and how it refuses them."""

import dataclasses

import numpy as np

from spectra_jax.spectra import Spectra

# Quantities that light left behind: what scatter, offsets and baselines act on. Optical constants
# n and k are none of them.
INTENSITIES = (
  'ir',
  'raman',
  'absorbance',
  'transmittance',
  'reflectance',
  'log_reflectance',
  'kubelka_munk',
  'counts',
  'atr',
)
# States in which a value still is the physical quantity that its kind names.
PHYSICAL = ('measured', 'computed', 'smoothed')


@dataclasses.dataclass(frozen=True, eq=False)
class Signal:
  """Axis, kind and state, without any values; the words are those of `Spectra`."""

  axis: np.ndarray  # [L] float64, strictly increasing, in axis_unit
  axis_unit: str
  kind: str
  state: str

  @classmethod
  def of(cls, spectra: Spectra) -> 'Signal':
    """Of these spectra."""
    return cls(spectra.axis, spectra.axis_unit, spectra.kind, spectra.state)

  def becomes(self, **changes: str | np.ndarray) -> 'Signal':
    """The same with another axis, kind or state."""
    return dataclasses.replace(self, **changes)


def check_kind(step: str, signal: Signal, kinds: tuple[str, ...], why: str) -> None:
  """Raises a ValueError unless the kind is one of `kinds`, and the values are spectra still."""
  check_spectrum(step, signal)
  if signal.kind not in kinds:
    raise ValueError(
      f'{step} got spectra of kind {signal.kind!r}, expected {" or ".join(kinds)}: {why}'
    )


def check_spectrum(step: str, signal: Signal) -> None:
  """Raises a ValueError on scores, whose neighbours have nothing to do with each other."""
  if signal.state == 'scores':
    raise ValueError(
      f"{step} got spectra in state 'scores', expected values along an axis; put it before project"
    )


def check_state(step: str, signal: Signal, states: tuple[str, ...], why: str) -> None:
  """Raises a ValueError unless the state is one of `states`."""
  if signal.state not in states:
    raise ValueError(
      f'{step} got spectra in state {signal.state!r}, expected {" or ".join(states)}: {why}'
    )


def check_range(step: str, option: str, value: float, low: float, high: float) -> None:
  """Raises a ValueError unless low <= value <= high."""
  if not low <= value <= high:
    raise ValueError(f'{step}.{option} is {value}, expected {low:g} to {high:g}')


def check_window(step: str, option: str, points: int, signal: Signal) -> None:
  """Raises a ValueError unless a window is odd, so that it has a middle, and fits on the axis."""
  check_spectrum(step, signal)
  if points % 2 == 0 or not 1 <= points <= len(signal.axis):
    raise ValueError(
      f'{step}.{option} is {points}, expected an odd number of points from 1 to '
      f'{len(signal.axis)}, the points of the axis'
    )


def spacing(step: str, signal: Signal) -> float:
  """The step of a uniform axis; spectrometers store theirs rounded, so 1 % is let pass.

  Raises:
    ValueError: the axis is not uniform.
  """
  steps = np.diff(signal.axis)
  mean = float(steps.mean())
  if np.abs(steps - mean).max() > 0.01 * mean:
    raise ValueError(
      f'{step} got an axis with steps from {steps.min():.4g} to {steps.max():.4g} '
      f'{signal.axis_unit}, expected equal ones; resample first, or count per point'
    )
  return mean


def scaled_axis(signal: Signal) -> np.ndarray:
  """[L] the axis mapped onto [-1, 1], where polynomials are well conditioned."""
  low, high = signal.axis[0], signal.axis[-1]
  return (2 * signal.axis - low - high) / (high - low)
