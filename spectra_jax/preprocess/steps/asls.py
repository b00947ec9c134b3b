"""Asymmetric least squares baseline: a stiff curve that most of a spectrum lies above."""

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from spectra_jax.preprocess import whittaker
from spectra_jax.preprocess.signal import Signal, check_range
from spectra_jax.preprocess.steps.arpls import check_baseline


@dataclasses.dataclass(frozen=True)
class Step:
  """y = x - z, z of the Whittaker smoother with weights p above z and 1 - p below.

  (Eilers & Boelens 2005; iterated as pybaselines iterates)

  Attributes:
    lam: penalty of the second difference per point; large = stiff.
    p: weight of points above the baseline, 0.001 to 0.1 for positive bands.
    iterations: most reweightings.
    tolerance: of the relative change of the weights, at which a spectrum is done.
  """

  lam: float
  p: float
  iterations: int = 50
  tolerance: float = 1e-3
  learns: ClassVar[bool] = False

  def after(self, signal: Signal) -> Signal:
    check_range('asls', 'p', self.p, 1e-9, 1 - 1e-9)
    whittaker.check_options('asls', self.lam, self.iterations, self.tolerance)
    return check_baseline('asls', signal)

  def fit(self, signal: Signal, values_NxL: np.ndarray) -> dict[str, np.ndarray]:
    return {}

  def apply(self, constants: dict, values_BxL: jax.Array) -> jax.Array:
    whittaker.check_precision('asls', values_BxL.dtype)
    never = jnp.zeros(len(values_BxL), bool)
    weigh = lambda residual: (self._weights(residual), never)
    options = {'lam': self.lam, 'iterations': self.iterations, 'tolerance': self.tolerance}
    return values_BxL - whittaker.reweighted(values_BxL, weigh, **options)

  def _weights(self, residual_BxL: jax.Array) -> jax.Array:
    above, below = (jnp.asarray(w, residual_BxL.dtype) for w in (self.p, 1 - self.p))
    return jnp.where(residual_BxL > 0, above, below)
