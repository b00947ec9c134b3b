"""Laws of single points: no negative amounts, and no more light than came in."""

from collections.abc import Iterator

import numpy as np

from spectra_jax.audit.assumptions import LABELS, Assumptions, unfit
from spectra_jax.audit.findings import Finding, NotTested
from spectra_jax.audit.predictions import Predictions, highest
from spectra_jax.losses import non_negativity as non_negative_loss
from spectra_jax.losses import passivity as passive_loss


def non_negativity(
  predictions: Predictions, assumptions: Assumptions
) -> Iterator[Finding | NotTested]:
  """v >= 0 for amounts of absorption or scattering, and for n; of T and R see `passivity`.

  Size: -(smallest value) over the largest of the row.
  """
  for kind, values_NxL in predictions.values.items():
    if kind in ('transmittance', 'reflectance'):
      continue
    name = f'non_negativity/{kind}'
    why = unfit(non_negative_loss.DOMAIN, kind, state=assumptions.state)
    if why:
      yield NotTested(name, why)
      continue
    share_NxL = -values_NxL / highest(values_NxL)[:, None]
    allowed_N = assumptions.allowed(values_NxL)
    yield Finding(
      name,
      share_NxL.max(-1),
      allowed_N,
      'of the maximum below 0',
      assumptions.tolerated(values_NxL),
      {'prediction': values_NxL},
      share_NxL > allowed_N[:, None],
      LABELS[kind],
    )


def passivity(predictions: Predictions, assumptions: Assumptions) -> Iterator[Finding | NotTested]:
  """0 <= T, 0 <= R, and T + R <= 1 where both are of one sample; shares, not per cent.

  Size: how far a share is below 0 or above 1. Allowed: 16 ulp of 1 and the tolerance.
  """
  kinds = [kind for kind in ('transmittance', 'reflectance') if kind in predictions.values]
  groups = [(kind,) for kind in kinds] + ([tuple(kinds)] if len(kinds) == 2 else [])
  if not groups:
    yield NotTested(
      'passivity', 'there is no transmittance or reflectance; nothing else is a share'
    )
  for group in groups:
    name = f'passivity/{"+".join(group)}'
    why = unfit(passive_loss.DOMAIN, *group, state=assumptions.state)
    yield NotTested(name, why) if why else _shares(name, group, predictions, assumptions)


def _shares(name, group, predictions, assumptions) -> Finding:
  parts = [predictions.values[kind] for kind in group]
  total_NxL = sum(np.float64(part) for part in parts)
  below_NxL = -total_NxL if len(parts) == 1 else -np.inf  # each alone is a law of its own
  size_NxL = np.maximum(below_NxL, total_NxL - 1)
  allowed = 16 * max(float(np.finfo(part.dtype).eps) for part in parts) + assumptions.tolerance
  curves = dict(zip(group, parts, strict=True))
  return Finding(
    name,
    size_NxL.max(-1),
    np.full(len(size_NxL), allowed),
    'outside of 0 to 1' if len(parts) == 1 else 'above 1',
    f'shares of the light that comes in, not per cent; tolerates {allowed:.2g}',
    curves if len(parts) == 1 else {**curves, 'sum': total_NxL},
    size_NxL > allowed,
    'Share of the light',
  )
