"""Nothing passes or comes back that was not sent in: 0 <= T, 0 <= R, T + R <= 1."""

import jax
import jax.numpy as jnp

from spectra_jax.signals import Domain

DOMAIN = Domain(
  law='passivity',
  kinds=(('transmittance',), ('reflectance',), ('transmittance', 'reflectance')),
  states=('measured', 'computed'),
  why={
    'absorbance': 'absorbance has no upper bound, and not being negative is a law of its own',
    'atr': 'it is a logarithm without upper bound, and not being negative is a law of its own',
    'k': 'a passive k has no upper bound, and not being negative is a law of its own',
    'sqrt': 'roots of T and R do not add up to a share of the light',
    'snv': 'SNV takes mean and scale off, and with them the bounds 0 and 1',
    'derivative': 'the slope of a share of light has no bounds',
  },
  otherwise='it is no share of the light that comes in',
)


def passivity(
  *signals_BxL: jax.Array, full_scale: float, kinds: tuple[str, ...], state: str
) -> jax.Array:
  """mean_L [sum_s max(-s, 0)^2 + max(sum_s s - 1, 0)^2], s = signal / full_scale, [B].

  Zero for T, for R, or for both of one sample, if it neither amplifies nor emits. Shares are
  already relative: the light sent in is their scale.

  Args:
    signals_BxL: transmittance, reflectance, or one after the other.
    full_scale: 1 for fractions, 100 for per cent.
    kinds: of the signals, in their order.
    state: of all signals.

  Raises:
    ValueError: kinds or a state without these bounds, a scale that is not positive, or as many
      kinds as there are not signals.
  """
  DOMAIN.check(*kinds, state=state)
  if len(kinds) != len(signals_BxL):
    raise ValueError(
      f'{len(signals_BxL)} signals have {len(kinds)} kinds {kinds}, expected one each; name them'
    )
  if not full_scale > 0:
    raise ValueError(
      f'full_scale is {full_scale}, expected a positive one; give 1 for fractions, 100 for per cent'
    )
  shares = [signal_BxL / full_scale for signal_BxL in signals_BxL]
  above_BxL = jnp.maximum(sum(shares) - 1, 0) ** 2
  return (above_BxL + sum(jnp.minimum(share, 0) ** 2 for share in shares)).mean(-1)
