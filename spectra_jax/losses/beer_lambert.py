"""A mixture that does not react absorbs what its parts absorb: A = sum_c amount_c A_c."""

import jax
import jax.numpy as jnp

from spectra_jax.losses import check_tolerance, relative
from spectra_jax.signals import Domain

DOMAIN = Domain(
  law='Beer-Lambert linearity',
  kinds=(('absorbance',), ('ir',), ('k',)),
  states=('measured', 'computed', 'derivative'),
  why={
    'transmittance': 'transmittances multiply where absorbances add; take -log10 of them',
    'reflectance': 'a reflectance is no linear function of the amounts; convert it to k',
    'atr': 'the depth that light reaches depends on n and so on the mixture; convert it to k',
    'raman': 'scattering has no path length, and what is absorbed on the way depends on the whole',
    'n': 'refractivities add, not indices',
    'snv': 'SNV divides each spectrum by its own deviation, another factor for each mixture',
    'sqrt': 'roots of absorbances do not add',
  },
  otherwise='it is no absorption of a sample',
)


def beer_lambert(
  mixture_BxL: jax.Array,
  pure_BxCxL: jax.Array,
  amount_BxC: jax.Array,
  *,
  tolerance: float,
  kind: str,
  state: str,
) -> jax.Array:
  """max(|m - s|^2 / stopgrad((|m|^2 + |s|^2) / 2) - tolerance^2, 0), [B]; s = sum amount pure.

  Mixtures that react, associate (water, alcohols) or saturate the detector are beyond the law.

  Args:
    mixture_BxL: absorption of the mixtures, decadic or not, its derivative too.
    pure_BxCxL: absorption per unit of amount, or [C, L] for all examples.
    amount_BxC: concentration times path, in the units of `pure`.
    tolerance: relative deviation that is not punished; 0 for computed spectra.
    kind, state: of mixture and parts alike.

  Raises:
    ValueError: signals that do not add, or a tolerance outside 0 to 1.
  """
  DOMAIN.check(kind, state=state)
  check_tolerance(tolerance)
  sum_BxL = (amount_BxC[:, None] @ pure_BxCxL)[:, 0]
  size_B = ((mixture_BxL**2).mean(-1) + (sum_BxL**2).mean(-1)) / 2
  return jnp.maximum(relative(((mixture_BxL - sum_BxL) ** 2).mean(-1), size_B) - tolerance**2, 0)
