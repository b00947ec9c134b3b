"""Asymmetrically reweighted penalized least squares: a baseline that knows the noise."""

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from spectra_jax.preprocess import whittaker
from spectra_jax.preprocess.signal import INTENSITIES, Signal, check_kind


@dataclasses.dataclass(frozen=True)
class Step:
  """y = x - z, z of the Whittaker smoother with the weights, for residuals r = x - z,

    w = 1 / (1 + exp(2 (r - (2 s - m)) / s)),

  m and s the mean and standard deviation (1/(n - 1)) of the negative residuals. Fewer than two of
  them end the iteration. (Baek et al. 2015, doi:10.1039/C4AN01061B; iterated as pybaselines does)

  Attributes:
    lam: penalty of the second difference per point; large = stiff.
    iterations: most reweightings.
    tolerance: of the relative change of the weights, at which a spectrum is done.
  """

  lam: float
  iterations: int = 50
  tolerance: float = 1e-3
  learns: ClassVar[bool] = False

  def after(self, signal: Signal) -> Signal:
    whittaker.check_options('arpls', self.lam, self.iterations, self.tolerance)
    return check_baseline('arpls', signal)

  def fit(self, signal: Signal, values_NxL: np.ndarray) -> dict[str, np.ndarray]:
    return {}

  def apply(self, constants: dict, values_BxL: jax.Array) -> jax.Array:
    whittaker.check_precision('arpls', values_BxL.dtype)
    options = {'lam': self.lam, 'iterations': self.iterations, 'tolerance': self.tolerance}
    return values_BxL - whittaker.reweighted(values_BxL, _weigh, **options)


def check_baseline(step: str, signal: Signal) -> Signal:
  """What is left after a baseline.

  Raises:
    ValueError: the spectra have no baseline below their bands.
  """
  check_kind(step, signal, INTENSITIES, 'other quantities have no baseline')
  if signal.state == 'derivative':
    raise ValueError(
      f"{step} got spectra in state 'derivative', expected ones with a baseline below their bands; "
      'a derivative has none; put the baseline before it'
    )
  return signal.becomes(state='baseline_corrected')


def _weigh(residual_BxL: jax.Array) -> tuple[jax.Array, jax.Array]:
  """(weights [B, L], fewer than two negative residuals [B])."""
  negative = residual_BxL < 0
  count = negative.sum(-1, keepdims=True)
  few = count < 2
  total = jnp.where(negative, residual_BxL, 0).sum(-1, keepdims=True)
  mean = total / jnp.maximum(count, 1)
  square = jnp.where(negative, (residual_BxL - mean) ** 2, 0).sum(-1, keepdims=True)
  # Where few are negative the weights are not used; the sum must not be 0 under a root's gradient.
  variance = jnp.where(few, 1, square / jnp.maximum(count - 1, 1))
  deviation = jnp.sqrt(jnp.maximum(variance, jnp.finfo(residual_BxL.dtype).tiny))
  weights = jax.nn.sigmoid(-2 / deviation * (residual_BxL - (2 * deviation - mean)))
  return weights, few[:, 0]
