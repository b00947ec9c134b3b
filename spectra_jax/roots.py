"""Square roots of intensities over a constant of the kind: how models of computed spectra see them.

  y = sqrt(I / c^2),   c^2 = mean of I over the training spectra of a kind and their points

so that every kind has mean square 1, whatever its unit, and weak bands count beside strong ones.
"""

import dataclasses
from collections.abc import Collection, Mapping

import jax
import jax.numpy as jnp
import numpy as np
import scipy.linalg

from spectra_jax import shards
from spectra_jax.spectra import Spectra

KINDS = ('ir', 'raman')  # of one molecule, row for row
# Kind of a measurement -> kind of the computed spectra that is the same quantity up to a factor.
SAME = {'absorbance': 'ir', 'atr': 'ir', 'counts': 'raman'}
FAINT = 1e-6  # of the squared scale: keeps the slope of a root finite where nothing is
SOFT = 1e-3  # of the squared scale: below it a root is a straight line, and noise stays as it is


def constants(values: np.ndarray | shards.Sharded, rows: np.ndarray) -> tuple[float, np.ndarray]:
  """(c, mean of y [L]) over the training rows of raw intensities, one kind's; float64."""
  mean_L, square_L = shards.moments(values, rows, root=True)
  scale = float(np.sqrt(square_L.mean()))
  return scale, mean_L / scale


def components(
  values: np.ndarray | shards.Sharded, rows: np.ndarray, scale: float, count: int
) -> np.ndarray:
  """[L, count]: principal components of the scaled roots of these rows, largest variance first."""
  total_L, square_LxL = 0.0, 0.0
  for block in shards.blocks(values, rows):
    root = np.sqrt(block) / scale
    total_L, square_LxL = total_L + root.sum(0), square_LxL + root.T @ root
  mean_L = total_L / len(rows)
  covariance_LxL = square_LxL / len(rows) - np.outer(mean_L, mean_L)
  largest = [len(mean_L) - count, len(mean_L) - 1]
  return scipy.linalg.eigh(covariance_LxL, subset_by_index=largest)[1][:, ::-1]


def of_intensity(share: jax.Array) -> jax.Array:
  """Scaled roots of predicted intensities >= 0 over c^2."""
  return jnp.sqrt(share + FAINT)


def softened(share: jax.Array) -> jax.Array:
  """x / sqrt(|x| + SOFT) of intensities over c^2, also below zero."""
  return share * jax.lax.rsqrt(jnp.abs(share) + SOFT)


def hardened(root: np.ndarray) -> np.ndarray:
  """The intensity over c^2 whose softened root this is."""
  square = np.float64(root) ** 2
  return np.sign(root) * (square + np.sqrt(square * (square + 4 * SOFT))) / 2


def squared(root: np.ndarray) -> np.ndarray:
  """sign(y) y^2: what was predicted below zero stays there."""
  return np.sign(root) * root**2


def check_both(kinds: Collection[str]) -> None:
  """Raises a ValueError unless a data set gives IR and Raman and nothing else."""
  if set(kinds) != set(KINDS):
    raise ValueError(
      f'the data set gives {", ".join(sorted(kinds))}, expected ir and raman of the same '
      'molecules; set dataset.name = computed and both dataset.computed.kinds'
    )


def with_centres(spectra: Mapping[str, Spectra]) -> dict[str, Spectra]:
  """The same with the column 'centrosymmetric', all False where the data do not tell it."""
  told = lambda s: {'centrosymmetric': np.zeros(len(s), bool), **s.meta}
  return {kind: dataclasses.replace(s, meta=told(s)) for kind, s in spectra.items()}


def check_intensities(spectra: Mapping[str, Spectra]) -> None:
  """Raises a ValueError unless all points were measured and have a real square root."""
  for kind, of_kind in spectra.items():
    if not np.asarray(of_kind.mask).all():
      raise ValueError(
        f'some {kind} spectra do not cover the axis, expected values at every point to hide and '
        'compare; narrow axis.low_cm to axis.high_cm'
      )
    least = min(block.min() for block in shards.blocks(of_kind.values, np.arange(len(of_kind))))
    if least < 0:
      raise ValueError(
        f'one {kind} spectrum goes down to {least:.3g}, expected none below 0, as the task takes '
        'square roots of intensities; choose other data or take the baseline off'
      )
