"""Resampling onto another axis, also from nm to cm^-1, without aliases where points get fewer."""

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from spectra_jax.align import NM_PER_CM
from spectra_jax.preprocess.signal import Signal
from spectra_jax.spectra import check_axis, check_member

LOBES = 3  # of the Lanczos kernel
JUMP = 3  # times the step beside it: there a detector ends, and no kernel reaches across


@dataclasses.dataclass(frozen=True, eq=False)
class Step:
  """y_j = sum_i w_ji x_i, w_ji = k((i - u_j) / r_j), k(t) = sinc(t) sinc(t / 3) for |t| < 3.

  u_j is where the new point lies between the old ones, counted in old points, and r_j = max(1,
  new step / old step) there. So a kernel has the width of the coarser grid: finer grids are
  interpolated, and what a coarser grid cannot hold is averaged out instead of folded back. An axis
  that is even in nm is treated like an even one, since steps are counted in points. Weights are
  corrected so that straight lines come out exactly, up to the ends. (Duchon 1979,
  doi:10.1175/1520-0450(1979)018<1016:LFIOAT>2.0.CO;2)

  Attributes:
    axis: [M] of the result, strictly increasing.
    axis_unit: its unit; 'cm^-1' and 'nm' become each other by 1e7 / x.
  """

  axis: np.ndarray
  axis_unit: str
  learns: ClassVar[bool] = False

  def after(self, signal: Signal) -> Signal:
    check_axis(self.axis, self.axis_unit)
    old = _positions(signal, self.axis_unit)
    slack = 1e-6 * (old[-1] - old[0])
    if self.axis[0] < old[0] - slack or self.axis[-1] > old[-1] + slack:
      raise ValueError(
        f'resample to {self.axis[0]:g} to {self.axis[-1]:g} {self.axis_unit} goes beyond what was '
        f'measured, {old[0]:g} to {old[-1]:g}; narrow it'
      )
    return signal.becomes(axis=np.float64(self.axis), axis_unit=self.axis_unit)

  def fit(self, signal: Signal, values_NxL: np.ndarray) -> dict[str, np.ndarray]:
    old = _positions(signal, self.axis_unit)
    point, weight = _weights(old, np.float64(self.axis))
    if self.axis_unit != signal.axis_unit:  # 1e7 / x turned the order around
      point = len(old) - 1 - point
    return {'point': point.T, 'weight': weight.T}

  def apply(self, constants: dict, values_BxL: jax.Array) -> jax.Array:
    add = lambda total, tap: (total + values_BxL[:, tap[0]] * tap[1], None)
    zero = jnp.zeros((len(values_BxL), len(self.axis)), values_BxL.dtype)
    return jax.lax.scan(add, zero, (constants['point'], constants['weight']))[0]


def _positions(signal: Signal, unit: str) -> np.ndarray:
  """[L] the axis in `unit`, increasing."""
  check_member('resample.axis_unit', unit, ('cm^-1', 'nm', 'index'))
  if unit == signal.axis_unit:
    old = signal.axis
  elif 'index' in (unit, signal.axis_unit) or signal.axis[0] <= 0:
    raise ValueError(
      f'resample got an axis in {signal.axis_unit} from {signal.axis[0]:g}, which has no value in '
      f'{unit}; expected positive cm^-1 or nm'
    )
  else:
    old = NM_PER_CM / signal.axis[::-1]
  steps = np.diff(old)
  ratio = np.maximum(steps[1:] / steps[:-1], steps[:-1] / steps[1:]) if len(steps) > 1 else [1.0]
  if np.max(ratio) > JUMP:
    at = old[int(np.argmax(ratio)) + 1]
    raise ValueError(
      f'resample got an axis whose step changes {np.max(ratio):.3g}-fold at {at:g} {unit}, '
      f'expected at most {JUMP}-fold; crop it there and treat the ranges apart'
    )
  return old


def _weights(old_L: np.ndarray, new_M: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """(points [M, T] int32, weights [M, T]) that give each new point from T old ones."""
  place = np.interp(new_M, old_L, np.arange(len(old_L)))
  width = np.maximum(1.0, np.gradient(place))
  taps = min(len(old_L), 2 * int(np.ceil(LOBES * width.max())) + 1)
  first = np.clip(np.round(place).astype(int) - taps // 2, 0, len(old_L) - taps)
  point = first[:, None] + np.arange(taps)
  offset = (point - place[:, None]) / width[:, None]
  inside = np.abs(offset) < LOBES
  kernel = np.where(inside, np.sinc(offset) * np.sinc(offset / LOBES), 0) / width[:, None]
  distance = (old_L[point] - new_M[:, None]) / np.abs(old_L[point] - new_M[:, None]).max(1)[:, None]
  return point.astype(np.int32), _straight(kernel, distance, inside * (LOBES - np.abs(offset)))


def _straight(kernel: np.ndarray, distance: np.ndarray, window: np.ndarray) -> np.ndarray:
  """`kernel` + window (a + b distance) with sum 1 and first moment 0, row by row."""
  moment = lambda w, power: (w * distance**power).sum(1)
  lack = np.stack([1 - moment(kernel, 0), -moment(kernel, 1)], -1)
  zero, one, two = (moment(window, power) for power in range(3))
  matrix = np.stack([np.stack([zero, one], -1), np.stack([one, two], -1)], -2)
  share = np.linalg.solve(matrix, lack[..., None])[..., 0]
  return kernel + window * (share[:, :1] + share[:, 1:] * distance)
