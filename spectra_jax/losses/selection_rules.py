"""With a centre of inversion no mode is active in infrared and Raman both."""

import jax
import jax.numpy as jnp
import numpy as np

from spectra_jax.losses import relative
from spectra_jax.physics.line_shapes import lorentz
from spectra_jax.signals import Domain
from spectra_jax.spectra import check_axis

DOMAIN = Domain(
  law='mutual exclusion',
  kinds=(('ir', 'raman'), ('absorbance', 'raman'), ('k', 'raman')),
  states=('measured', 'computed', 'sqrt'),
  why={
    'snv': 'SNV adds a constant to every spectrum, so that absent modes are not zero',
    'derivative': 'a derivative is zero at the maximum of every mode',
  },
  otherwise='it compares what one mode absorbs with what it scatters',
)
NEAREST = 0.5  # positions closer than this many widths cannot be read apart


def selection_rules(
  ir_BxK: jax.Array,
  raman_BxK: jax.Array,
  centrosymmetric_B: jax.Array,
  *,
  kinds: tuple[str, str],
  state: str,
) -> jax.Array:
  """sum_k I_k^2 R_k^2 / stopgrad(sum_k I_k^2 sum_k R_k^2), [B], 0 to 1; 0 without such a centre.

  With an inversion centre every mode is g or u; only u modes change the dipole, only g modes the
  polarisability (Wilson, Decius & Cross 1955, sec. 7-7). Squares, so that the gradient is zero as
  well where one of the two is. Intensities of one mode stand at one index, degenerate ones summed;
  of spectra, as `read` gives them.

  Args:
    ir_BxK, raman_BxK: intensities of the modes, in any units; 0 for those that are padding.
    centrosymmetric_B: bool, who has a centre of inversion.
    kinds: of the two, ('ir', 'raman') for one.
    state: of both.

  Raises:
    ValueError: kinds or a state that this cannot be asked of.
  """
  DOMAIN.check(*kinds, state=state)
  ir_BxK, raman_BxK = ir_BxK**2, raman_BxK**2
  both_B = (ir_BxK * raman_BxK).sum(-1)
  return jnp.where(centrosymmetric_B, relative(both_B, ir_BxK.sum(-1) * raman_BxK.sum(-1)), 0)


def reader(nu_L: np.ndarray, position_K: np.ndarray, fwhm_cm: float) -> np.ndarray:
  """[K, L] float64 that reads the areas of known Lorentz modes off a spectrum: area = reader @ s.

  Least squares, sum_l (s_l - sum_k area_k lorentz(nu_l - position_k))^2; exact for such spectra,
  overlap included. A background is read as areas too: take it off first. On the host.

  Args:
    nu_L: ascending wavenumbers [cm^-1].
    position_K: modes [cm^-1], one molecule's.
    fwhm_cm: their full width at half maximum.

  Raises:
    ValueError: a width that is not positive, a position outside the axis, or two nearer than half a
      width, which no spectrum tells apart: a g and a u mode there would look like a violation.
  """
  check_axis(nu_L)
  nu_L, position_K = np.asarray(nu_L, np.float64), np.asarray(position_K, np.float64)
  if not fwhm_cm > 0:
    raise ValueError(f'fwhm_cm is {fwhm_cm}, expected a positive width in cm^-1; give the lines')
  outside = position_K[~((position_K >= nu_L[0]) & (position_K <= nu_L[-1]))]
  if len(outside):
    raise ValueError(
      f'a mode lies at {outside[0]:g} cm^-1, expected {nu_L[0]:g} to {nu_L[-1]:g}, the axis; '
      'leave it out'
    )
  gap_K = np.diff(np.sort(position_K))
  if len(gap_K) and gap_K.min() < NEAREST * fwhm_cm:
    raise ValueError(
      f'two modes are {gap_K.min():.3g} cm^-1 apart, expected at least {NEAREST * fwhm_cm:g} (half '
      'a width) to read them apart; leave out what lies so close or compare mode intensities'
    )
  return np.linalg.pinv(lorentz(nu_L[:, None] - position_K, fwhm_cm))
