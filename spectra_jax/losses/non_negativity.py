"""Intensities, absorption, and what passes or is reflected, are not negative."""

import jax
import jax.numpy as jnp

from spectra_jax.losses import relative
from spectra_jax.signals import Domain

DOMAIN = Domain(
  law='non-negativity',
  kinds=tuple(
    (kind,)
    for kind in ('ir', 'raman', 'absorbance', 'transmittance', 'reflectance', 'atr', 'n', 'k')
  ),
  states=('measured', 'computed', 'sqrt'),
  why={
    'snv': 'SNV takes the mean off each spectrum, so that part of every one is negative',
    'derivative': 'a derivative changes its sign at every maximum',
    'baseline': 'a baseline drifts to either side of zero',
  },
  otherwise='it is no amount of light, absorption or scattering',
)


def non_negativity(values_BxL: jax.Array, *, kind: str, state: str) -> jax.Array:
  """mean_L max(-v, 0)^2 / stopgrad mean_L v^2, [B], 0 to 1.

  For n too: a passive medium has 0 <= arg eps < pi, hence n = Re sqrt(eps) >= 0. Measured values of
  weak bands may be negative by noise; predictions have no such excuse.

  Raises:
    ValueError: a kind or state that may be negative.
  """
  DOMAIN.check(kind, state=state)
  below_B = (jnp.minimum(values_BxL, 0) ** 2).mean(-1)
  return relative(below_B, (values_BxL**2).mean(-1))
