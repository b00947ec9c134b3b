"""n and k of one medium belong together: n - T k is what absorbs outside of the window.

There is no such law for an absorbance alone. Any k >= 0 on a finite band is the imaginary part of
some causal response, so that it can neither break it nor be improved by it; transforming k to n and
back within a window punishes true spectra for the window (12 to 43 %).
"""

import jax
import jax.numpy as jnp
import numpy as np

from spectra_jax.losses import check_tolerance, relative
from spectra_jax.physics.kramers_kronig import Plan, transform
from spectra_jax.signals import Domain
from spectra_jax.spectra import check_axis

_ALONE = (
  'any k >= 0 on a finite band is the imaginary part of some causal response, so that absorption '
  'alone neither breaks nor obeys it'
)
_STATE = 'n and k stand for themselves in it'
DOMAIN = Domain(
  law='Kramers-Kronig',
  kinds=(('n', 'k'),),
  states=('measured', 'computed'),
  why={
    'absorbance': _ALONE,
    'ir': _ALONE,
    'k': _ALONE,
    'atr': 'an ATR spectrum mixes n and k; fit both through the Fresnel equations',
    'transmittance': 'T mixes n and k; fit both through the Fresnel equations',
    'reflectance': 'R mixes n and k; retrieve its phase, or fit both through the Fresnel equations',
    'raman': 'Raman spectra are squares of responses, without a phase',
    'sqrt': f'{_STATE}, and not their roots',
    'snv': f'{_STATE}, and SNV scales them apart',
    'derivative': f'{_STATE}; take the loss before the derivative',
  },
  otherwise='it binds n and k of one medium',
)


def kramers_kronig(
  plan: Plan,
  n_BxL: jax.Array,
  k_BxL: jax.Array,
  *,
  edge: float,
  floor: float,
  tolerance: float,
  kinds: tuple[str, ...],
  state: str,
) -> jax.Array:
  """max(|P W (n - T k)|^2 / (stopgrad s + floor) - tolerance^2, 0), [B], at most 4.

  s = (|P W n|^2 + |P W T k|^2) / 2; with |P W n|^2 alone the loss of an n of the wrong sign rises
  on its way through zero, to |P W T k|^2 / floor there.

  T is `physics.kramers_kronig.transform`. W leaves out both ends, where the transform of a cut
  spectrum diverges; P takes off what {1, nu^-2, nu^2} fit, the n of all that absorbs far above and
  far below the window (`unconstrained`). |.|^2 is a mean over the points within W.

  Absorption close outside the window remains, and is what `tolerance` is for. Residuals |P W (n -
  T k)| / sqrt(s) of true pairs, 500-4000 cm^-1, edge 0.02, without tails / with power laws: five
  bands inside 3e-4 / 1e-4, and an electronic band at 30000 cm^-1 as well 2.4e-2 / 7e-3, or a band
  50 cm^-1 below the window 8e-3 / 7e-3, or one 100 above it 3.4e-2 / 2.6e-2; water 3.3e-2 / 5e-3.
  False ones: k 10 % too strong 0.1, the other sign convention 2.

  Args:
    plan: of the axis; closed over, not traced.
    n_BxL, k_BxL: refractive index and absorption index.
    edge: share of the points left out at each end, 0.01 to 0.02.
    floor: n^2 below which variation of n is none; the square of the noise of n.
    tolerance: relative residual that is not punished.
    kinds: of the two, ('n', 'k').
    state: of both.

  Raises:
    ValueError: other signals, an edge that leaves too few points, a floor that is not positive, or
      a tolerance outside 0 to 1.
  """
  DOMAIN.check(*kinds, state=state)
  check_tolerance(tolerance)
  if not floor > 0:
    raise ValueError(
      f'floor is {floor}, expected a positive n^2; give the square of the noise of n'
    )
  free_LxJ, inside = unconstrained(_axis(plan), edge)

  def bound(values_BxL):
    basis_LxJ = free_LxJ.astype(values_BxL.dtype)
    values_BxL = values_BxL[..., inside]
    return values_BxL - (values_BxL @ basis_LxJ) @ basis_LxJ.T

  seen_BxL, due_BxL = bound(n_BxL), bound(transform(plan, k_BxL))
  size_B = ((seen_BxL**2).mean(-1) + (due_BxL**2).mean(-1)) / 2 + floor
  residual_B = ((seen_BxL - due_BxL) ** 2).mean(-1)
  return jnp.maximum(relative(residual_B, size_B) - tolerance**2, 0)


def unconstrained(axis_L: np.ndarray, edge: float) -> tuple[np.ndarray, slice]:
  """(Q, inside): orthonormal columns [L', 3] that span {1, nu^-2, nu^2} on the points inside.

  float64, on the host; P x = x - Q Q^T x.

  Raises:
    ValueError: an edge that is not 0 to 0.25, fewer than 8 points left, or an axis that is none.
  """
  check_axis(axis_L)
  drop = int(np.ceil(edge * len(axis_L))) if 0 <= edge <= 0.25 else -1
  if drop < 0 or len(axis_L) - 2 * drop < 8 or not axis_L[0] > 0:
    raise ValueError(
      f'edge is {edge} on an axis of {len(axis_L)} points from {axis_L[0]:g} cm^-1, expected a '
      'share from 0 to 0.25 that leaves 8 points or more of a positive axis; give 0.01 to 0.02'
    )
  inside = slice(drop, len(axis_L) - drop)
  nu_L = np.asarray(axis_L, np.float64)[inside]
  square_L = nu_L**2 / (nu_L[0] * nu_L[-1])
  return np.linalg.qr(np.stack([np.ones_like(nu_L), 1 / square_L, square_L], -1))[0], inside


def _axis(plan: Plan) -> np.ndarray:
  if isinstance(plan.axis, jax.core.Tracer):
    raise ValueError(
      'plan is traced, expected a concrete one, whose wavenumbers can be read; close over it '
      'instead of passing it to a jitted function'
    )
  return np.asarray(plan.axis, np.float64)
