"""What lies under or over the bands: scatter, fluorescence, fringes, the response of a detector."""

import jax
import jax.numpy as jnp
import numpy as np

from spectra_jax.augment import rules
from spectra_jax.augment.bands import smooth
from spectra_jax.augment.frame import ARBITRARY, RELATIVE, Frame, amplify, level


def polynomial(
  key: jax.Array,
  values_L: jax.Array,
  mask_L: jax.Array,
  frame: Frame,
  *,
  height: float,
  order: int,
) -> tuple[jax.Array, jax.Array]:
  """A baseline sum_j c_j P_j of Legendre polynomials over the axis, |baseline| <= `height`.

  c_j is drawn evenly from +-height / (order + 1), j = 0 to order. Unit of the height: see `raised`.
  """
  rules.check_magnitude('polynomial.height', height)
  if not 0 <= order <= 10:
    raise ValueError(
      f'augment.polynomial.order is {order}, expected 0 to 10: one of a higher order has the '
      'curvature of bands'
    )
  low, high = frame.nu_L.min(), frame.nu_L.max()
  basis_LxJ = np.polynomial.legendre.legvander(2 * (frame.nu_L - low) / (high - low) - 1, order)
  most = height / (order + 1)
  c_J = jax.random.uniform(key, (order + 1,), minval=-most, maxval=most)
  return raised(values_L, mask_L, jnp.asarray(basis_LxJ, jnp.float32) @ c_J, frame), mask_L


def exponential(
  key: jax.Array,
  values_L: jax.Array,
  mask_L: jax.Array,
  frame: Frame,
  *,
  height: float,
  decay_cm: tuple[float, float],
) -> tuple[jax.Array, jax.Array]:
  """A tail from one end of the axis, up to `height` there, which falls to 1/e within decay_cm.

  Raman: fluorescence, from the low end. Absorption: the Urbach tail of an electronic edge, from the
  high end. The decay length is drawn evenly on a logarithmic scale.
  """
  rules.check_magnitude('exponential.height', height)
  rules.check_range(
    'exponential.decay_cm', decay_cm, least=float(np.abs(np.diff(frame.nu_L)).max())
  )
  key_height, key_decay = jax.random.split(key)
  decay = log_uniform(key_decay, decay_cm)
  emitted = frame.kind in ('raman', 'counts')
  away_L = frame.nu_L - frame.nu_L.min() if emitted else frame.nu_L.max() - frame.nu_L
  peak = jax.random.uniform(key_height, maxval=height)
  tail_L = peak * jnp.exp(-jnp.asarray(away_L, jnp.float32) / decay)
  return raised(values_L, mask_L, tail_L, frame), mask_L


def etalon(
  key: jax.Array,
  values_L: jax.Array,
  mask_L: jax.Array,
  frame: Frame,
  *,
  contrast: float,
  period_cm: tuple[float, float],
) -> tuple[jax.Array, jax.Array]:
  """Fringes of two parallel faces: s (1 + c cos(2 pi nu / P + phase)), c up to `contrast`.

  P = 1 / (2 n d) [cm^-1] for a plate d [cm] thick of index n at normal incidence, drawn evenly on a
  logarithmic scale; first order in the reflectivity of the faces (Born & Wolf, ch. 7.6).

  Raises:
    ValueError: a contrast of 1 or more, or a period shorter than two steps of the axis.
  """
  rules.check_magnitude('etalon.contrast', contrast, most=0.9)
  finest = 2 * float(np.abs(np.diff(frame.nu_L)).max())
  rules.check_range('etalon.period_cm', period_cm, least=finest)
  key_contrast, key_period, key_phase = jax.random.split(key, 3)
  c = jax.random.uniform(key_contrast, maxval=contrast)
  phase = jax.random.uniform(key_phase, maxval=2 * np.pi)
  wave_L = fringes(frame.nu_L, log_uniform(key_period, period_cm), phase)
  return amplify(values_L, 1 + c * wave_L, frame), mask_L


def response(
  key: jax.Array,
  values_L: jax.Array,
  mask_L: jax.Array,
  frame: Frame,
  *,
  fraction: float,
  period_cm: float,
) -> tuple[jax.Array, jax.Array]:
  """A detector or a reference that has aged: s (1 + f r(nu)), f up to `fraction`, r smooth.

  r in [-1, 1] has no period shorter than `period_cm`.
  """
  rules.check_magnitude('response.fraction', fraction, most=0.9)
  finest = 2 * float(np.abs(np.diff(frame.nu_L)).max())
  rules.check_range('response.period_cm', (period_cm, period_cm), least=finest)
  key_size, key_field = jax.random.split(key)
  size = jax.random.uniform(key_size, maxval=fraction)
  return amplify(values_L, 1 + size * smooth(key_field, frame.nu_L, period_cm), frame), mask_L


# ---- parts ------------------------------------------------------------------


def raised(
  values_L: jax.Array, mask_L: jax.Array, baseline_L: jax.Array, frame: Frame
) -> jax.Array:
  """The values over a baseline: in absorbance, or as a share of the level of arbitrary units.

  Transmittance and reflectance lose light to it: s 10^-baseline.
  """
  if frame.kind in RELATIVE:
    return values_L * 10.0**-baseline_L
  if frame.kind in ARBITRARY:
    return values_L + level(values_L, mask_L, frame) * baseline_L
  return values_L + baseline_L


def fringes(nu_L: np.ndarray, period_cm: jax.Array, phase: jax.Array) -> jax.Array:
  """cos(2 pi nu / P + phase), nu counted from the lowest, so that float32 keeps the phase."""
  offset_L = jnp.asarray(nu_L - np.min(nu_L), jnp.float32)
  return jnp.cos(2 * np.pi * (offset_L / period_cm) + phase)


def log_uniform(key: jax.Array, limits: tuple[float, float]) -> jax.Array:
  """Drawn evenly on a logarithmic scale between the two limits."""
  low, high = limits
  return low * (high / low) ** jax.random.uniform(key)
