"""Oscillator strength of absorption: partial sums only grow, and are those of a reference."""

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np

from spectra_jax.audit.assumptions import Assumptions, unfit
from spectra_jax.audit.findings import Finding, NotTested
from spectra_jax.audit.predictions import Predictions, highest
from spectra_jax.losses import sum_rules as loss
from spectra_jax.physics.sum_rules import partial_sums

START = 0.1  # share of the reference's total from which its partial sums are compared


def f_sum(predictions: Predictions, assumptions: Assumptions) -> Iterator[Finding | NotTested]:
  """`growth` of each kind that has an f-sum, and `against` its reference where there is one."""
  for kind, values_NxL in predictions.values.items():
    why = unfit(loss.DOMAIN, kind, state=assumptions.state)
    if why:
      yield NotTested(f'f_sum/{kind}', why)
      continue
    sums_NxL = _sums(predictions.axis, values_NxL, kind)
    yield growth(kind, sums_NxL, values_NxL, assumptions)
    if kind in predictions.truth:
      truth_NxL = _sums(predictions.axis, predictions.truth[kind], kind)
      yield against(kind, sums_NxL, truth_NxL, assumptions)
    else:
      yield NotTested(f'f_sum/{kind}', f'there is no reference; store true_{kind} [N, L]')


def growth(kind, sums_NxL, values_NxL, assumptions) -> Finding:
  """n_eff(nu) never falls; size: its deepest fall below an earlier value, over the largest."""
  top_N = highest(sums_NxL)
  fall_NxL = (np.maximum.accumulate(sums_NxL, -1) - sums_NxL) / top_N[:, None]
  allowed_N = assumptions.allowed(values_NxL)
  return Finding(
    f'f_sum_growth/{kind}',
    fall_NxL.max(-1),
    allowed_N,
    'of the largest sum',
    f'partial sums of oscillator strength only grow; {assumptions.tolerated(values_NxL)}',
    {'partial sum': sums_NxL / top_N[:, None]},
    fall_NxL > allowed_N[:, None],
    'Partial sum / largest',
  )


def against(kind, sums_NxL, truth_NxL, assumptions) -> Finding:
  """ln(S / S_reference) of partial sums from START of the total on; size: the largest |ln|.

  A sum that is not positive counts as 1e-3 of its reference.
  """
  total_N = highest(truth_NxL)[:, None]
  compared_NxL = truth_NxL >= START * total_N
  ratio_NxL = sums_NxL / np.where(compared_NxL, truth_NxL, 1.0)
  off_NxL = np.where(compared_NxL, np.abs(np.log(np.maximum(ratio_NxL, 1e-3))), 0.0)
  return Finding(
    f'f_sum/{kind}',
    off_NxL.max(-1),
    np.full(len(off_NxL), assumptions.sum_tolerance),
    'in ln(sum / reference)',
    f'partial sums as those of the reference, from {START:.0%} of the total on; tolerates '
    f'{assumptions.sum_tolerance:g} in their logarithm',
    {'reference': truth_NxL / total_N, 'prediction': sums_NxL / total_N},
    off_NxL > assumptions.sum_tolerance,
    'Partial sum / total',
  )


def _sums(axis_L, values_NxL, kind) -> np.ndarray:
  with jax.enable_x64(True):
    # As a JAX array: numpy values that are negative would be refused, and are a law of their own.
    return np.asarray(
      partial_sums(axis_L, jnp.asarray(np.float64(values_NxL)), loss.QUANTITY[kind])
    )
