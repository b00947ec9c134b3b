"""What an augmentation has to know of a spectrum beside its values: axis, kind, state, signal.

A detector sees light, not absorbance. What disturbs the light is written as a change of the signal
s and carried over to the values x:

  absorbance, atr, log_reflectance   s = 10^-x, a share of the open beam
  transmittance, reflectance         s = x, a share of the open beam
  raman, counts, ir                  s = x, in arbitrary units: of its highest measured point
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np

from spectra_jax.align import NM_PER_CM
from spectra_jax.spectra import Spectra

LOGARITHMIC = ('absorbance', 'atr', 'log_reflectance')
RELATIVE = ('transmittance', 'reflectance')
ARBITRARY = ('raman', 'counts', 'ir')
FLOOR = 1e-6  # share of the open beam below which a detector reads nothing: absorbance 6
EVEN = 1e-6  # largest deviation of a step from their mean, relative


@dataclasses.dataclass(frozen=True, eq=False)
class Frame:
  """Axis, kind and state of the spectra that an augmentation is for, as in `Spectra`."""

  axis_L: np.ndarray
  axis_unit: str
  kind: str
  state: str

  @classmethod
  def of(cls, spectra: Spectra) -> 'Frame':
    return cls(np.asarray(spectra.axis, np.float64), spectra.axis_unit, spectra.kind, spectra.state)

  @functools.cached_property
  def nu_L(self) -> np.ndarray:
    """[L] wavenumbers [cm^-1] of the values, descending where the axis is in nm.

    Raises:
      ValueError: the axis counts points.
    """
    if self.axis_unit == 'index':
      raise ValueError(
        f'the axis of these {self.kind} spectra counts points, expected cm^-1 or nm: a distance in '
        'cm^-1 means nothing on it; give the spectra their axis or leave this augmentation off'
      )
    return self.axis_L if self.axis_unit == 'cm^-1' else NM_PER_CM / self.axis_L

  def even_step(self, unit: str) -> float:
    """The step of the axis.

    Raises:
      ValueError: the axis is not in `unit`, or not even in it.
    """
    step = (self.axis_L[-1] - self.axis_L[0]) / (len(self.axis_L) - 1)
    worst = np.abs(np.diff(self.axis_L) - step).max()
    if self.axis_unit != unit or worst > EVEN * step:
      raise ValueError(
        f'the axis is in {self.axis_unit} and its steps deviate by up to {worst:.3g} from '
        f'{step:.3g}; expected one that is even in {unit}; resample the spectra'
      )
    return float(step)

  def points(self, shift_cm: jax.Array) -> jax.Array:
    """Shifts of bands at each point [cm^-1, scalar or [L]] as numbers of points of an even axis.

    On an even axis in nm a shift s at wavenumber nu is -lambda s / (nu - s) [nm], exactly.
    """
    step = self.even_step('nm' if self.axis_unit == 'nm' else 'cm^-1')
    if self.axis_unit == 'cm^-1':
      return shift_cm / jnp.float32(step)
    nu_L = jnp.asarray(self.nu_L, jnp.float32)
    return -jnp.asarray(self.axis_L / step, jnp.float32) * shift_cm / (nu_L - shift_cm)


# ---- from light to values ---------------------------------------------------


def level(values_L: jax.Array, mask_L: jax.Array, frame: Frame) -> jax.Array:
  """The signal that magnitudes are shares of: the open beam (1), or the highest measured point."""
  if frame.kind not in ARBITRARY:
    return jnp.ones((), values_L.dtype)
  # Not max(): its gradient compares with a maximum that XLA may compute twice, once rounded apart.
  size_L = jnp.abs(jnp.where(mask_L, values_L, 0))
  return size_L[jnp.argmax(size_L)]


def signal(values_L: jax.Array, frame: Frame) -> jax.Array:
  """s of the values."""
  return 10.0**-values_L if frame.kind in LOGARITHMIC else values_L


def values_of(signal_L: jax.Array, frame: Frame) -> jax.Array:
  """The values of s, which reads as `FLOOR` where a logarithm needs it and it is less."""
  return -jnp.log10(jnp.maximum(signal_L, FLOOR)) if frame.kind in LOGARITHMIC else signal_L


def add_to_signal(values_L: jax.Array, change_L: jax.Array, frame: Frame) -> jax.Array:
  """The values once s has become s + change; no change gives the same bits.

  Logarithmic: x - log10(1 + change 10^x), with s held at `FLOOR` where it would fall below.
  """
  if frame.kind not in LOGARITHMIC:
    return values_L + change_L
  inverse_L = 10.0 ** jnp.minimum(values_L, 30.0)  # stays finite in float32
  least_L = jnp.minimum(FLOOR * inverse_L, 1.0)
  return values_L - jnp.log1p(jnp.maximum(change_L * inverse_L, least_L - 1)) / np.log(10)


def amplify(values_L: jax.Array, gain_L: jax.Array, frame: Frame) -> jax.Array:
  """The values once s has become gain s, gain > 0; a gain of 1 gives the same bits."""
  return values_L - jnp.log10(gain_L) if frame.kind in LOGARITHMIC else values_L * gain_L


def bridged(values_L: jax.Array, mask_L: jax.Array) -> jax.Array:
  """Unmeasured points lie on straight lines between measured ones, and go on level at the ends."""
  values_L, mask_L, points = jnp.asarray(values_L), jnp.asarray(mask_L), len(values_L)
  i_L = jnp.arange(points)
  before_L = jax.lax.cummax(jnp.where(mask_L, i_L, -1))
  after_L = jax.lax.cummin(jnp.where(mask_L, i_L, points), reverse=True)
  left_L = jnp.where(before_L < 0, after_L, before_L) % points
  right_L = jnp.where(after_L == points, before_L, after_L) % points
  share_L = (i_L - left_L) / jnp.maximum(right_L - left_L, 1)
  known_L = jnp.where(mask_L, values_L, 0)
  return known_L[left_L] + share_L.astype(values_L.dtype) * (known_L[right_L] - known_L[left_L])
