"""A baseline bends slowly: over a given width by no more than its own size."""

import jax
import jax.numpy as jnp
import numpy as np

from spectra_jax.losses import relative
from spectra_jax.signals import Domain
from spectra_jax.spectra import check_axis

DOMAIN = Domain(
  law='smoothness of a baseline',
  kinds=(('baseline',),),
  states=('measured', 'computed'),
  why={
    'n': 'n has a dispersive step at every band',
    'sqrt': 'the root of a baseline has no slope where it crosses zero',
    'snv': 'SNV mixes the mean of the bands into it; take the baseline off first',
    'derivative': 'the derivative of a baseline is another curve, smooth over another width',
  },
  otherwise='its bands are sharp, and smoothing wears them down; give the baseline alone',
)


def baseline_smoothness(
  axis_L: np.ndarray, baseline_BxL: jax.Array, *, width_cm: float, kind: str, state: str
) -> jax.Array:
  """max(r^2 - 1, 0), r^2 = width^4 mean (b'')^2 / stopgrad mean b^2, [B].

  b'' is the second divided difference on any ascending axis, exact for parabolas. A sine of period
  p has r = (2 pi width / p)^2: periods above 2 pi width are free, as are straight lines; a ripple
  of a hundredth of the baseline with a tenth of that period counts as r = 1.

  Args:
    axis_L: ascending wavenumbers [cm^-1], on the host.
    baseline_BxL: the part of a spectrum that is taken off.
    width_cm: over which it may bend by its own size [cm^-1].
    kind, state: of the baseline.

  Raises:
    ValueError: anything but a baseline, an axis that is none or of fewer than 3 points, or a width
      that is not between two steps and the length of the axis.
  """
  DOMAIN.check(kind, state=state)
  axis_L = np.asarray(axis_L, np.float64)
  _check(axis_L, width_cm)
  left, right = np.diff(axis_L)[:-1], np.diff(axis_L)[1:]
  before, after = (
    2 * width_cm**2 / (left * (left + right)),
    2 * width_cm**2 / (right * (left + right)),
  )
  slope = jnp.diff(baseline_BxL, axis=-1)
  dtype = baseline_BxL.dtype
  bend = slope[..., 1:] * after.astype(dtype) - slope[..., :-1] * before.astype(dtype)
  return jnp.maximum(relative((bend**2).mean(-1), (baseline_BxL**2).mean(-1)) - 1, 0)


def _check(axis_L: np.ndarray, width_cm: float) -> None:
  check_axis(axis_L)
  least, most = 2 * float(np.diff(axis_L).max()), float(axis_L[-1] - axis_L[0])
  if len(axis_L) < 3 or not least <= width_cm <= most:
    raise ValueError(
      f'width_cm is {width_cm} on an axis of {len(axis_L)} points, expected {least:.3g} (two '
      f'steps) to {most:.4g} (the axis) in cm^-1; bands are narrower than it and baselines wider'
    )
