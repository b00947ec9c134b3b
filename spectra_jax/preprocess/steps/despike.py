"""Cosmic rays: differences between neighbours that no line of the spectrometer can have."""

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from spectra_jax.preprocess.signal import INTENSITIES, Signal, check_kind, check_range, check_state


@dataclasses.dataclass(frozen=True)
class Step:
  """Points beside a difference d_i = x_{i+1} - x_i whose modified z-score

    |0.6745 (d_i - median d) / median |d - median d||

  exceeds `threshold` become the mean of the sound points within `reach` of them; where there is
  none, a point stays. Both points of a difference count as hit, so that a ray across several
  detector pixels is taken whole. (Whitaker & Hayes 2018, doi:10.1016/j.chemolab.2018.06.009, who
  count the first one.) Lines as narrow as a pixel or two look the same: the threshold is to be set
  by looking at them.

  Attributes:
    threshold: of the modified z-score, 6 to 10 is usual.
    reach: points to either side.
  """

  threshold: float
  reach: int
  learns: ClassVar[bool] = False

  def after(self, signal: Signal) -> Signal:
    check_kind('despike', signal, INTENSITIES, 'rays hit a detector')
    check_state('despike', signal, ('measured',), 'other steps spread a ray over its neighbours')
    check_range('despike', 'threshold', self.threshold, 1, 1e6)
    check_range('despike', 'reach', self.reach, 1, (len(signal.axis) - 1) // 2)
    return signal

  def fit(self, signal: Signal, values_NxL: np.ndarray) -> dict[str, np.ndarray]:
    return {}

  def apply(self, constants: dict, values_BxL: jax.Array) -> jax.Array:
    hit = self._hit(values_BxL)
    sound = jnp.where(hit, 0, 1).astype(values_BxL.dtype)
    count, total = self._around(sound), self._around(jnp.where(hit, 0, values_BxL))
    mean = total / jnp.maximum(count, 1)
    return jnp.where(hit & (count > 0), mean, values_BxL)

  def _hit(self, values_BxL: jax.Array) -> jax.Array:
    difference = jnp.diff(jax.lax.stop_gradient(values_BxL))
    off = jnp.abs(difference - jnp.median(difference, axis=-1, keepdims=True))
    spread = jnp.median(off, axis=-1, keepdims=True)
    # Without any spread (a noiseless spectrum) there is no scale to judge by.
    outlier = (0.6745 * off > self.threshold * spread) & (spread > 0)
    return jnp.pad(outlier, ((0, 0), (1, 0))) | jnp.pad(outlier, ((0, 0), (0, 1)))

  def _around(self, x_BxL: jax.Array) -> jax.Array:
    """[B, L] sums over the points within `reach`."""
    padded = jnp.pad(x_BxL, ((0, 0), (self.reach, self.reach)))
    return sum(padded[:, t : t + x_BxL.shape[1]] for t in range(2 * self.reach + 1))
