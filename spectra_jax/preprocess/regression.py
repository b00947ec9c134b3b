"""Spectra regressed on a reference and on what is to be taken off them."""

from collections.abc import Mapping

import jax
import numpy as np

from spectra_jax.preprocess.windows import combine, unless_flat


def constants(
  reference_L: np.ndarray, nuisance_KxL: np.ndarray, weight_L: np.ndarray | None
) -> dict[str, np.ndarray]:
  """What `correct` needs.

  Args:
    reference_L: what a spectrum is brought onto.
    nuisance_KxL: shapes to take off; the first is constant.
    weight_L: of the residuals of the points; None = 1.

  Raises:
    ValueError: the shapes are linearly dependent, so that their shares cannot be told apart.
  """
  design = np.concatenate([reference_L[None], nuisance_KxL]).T
  weight = np.ones(len(design)) if weight_L is None else np.float64(weight_L)
  weighted = weight[:, None] * design / np.abs(design).max(0)
  rank = np.linalg.matrix_rank(weighted)
  if rank < design.shape[1]:
    raise ValueError(
      f'reference, polynomials and interferents are {design.shape[1]} shapes of rank {rank}, '
      'expected independent ones; drop an interferent or lower the degree'
    )
  inverse = np.linalg.pinv(weighted) * weight / np.abs(design).max(0)[:, None]
  return {'inverse': inverse, 'nuisance': np.float64(nuisance_KxL)}


def correct(constants: Mapping[str, jax.Array], values_BxL: jax.Array) -> jax.Array:
  """[B, L] (x - sum_k c_k nuisance_k) / b of the least squares fit x = b reference + sum_k ..."""
  # The level is taken off first and belongs to the constant: sums then keep their digits.
  level = values_BxL.mean(-1, keepdims=True)
  share = combine(constants['inverse'], values_BxL - level)
  off = (share[:, 1:, None] * constants['nuisance']).sum(1)
  return (values_BxL - level - off) / unless_flat(values_BxL, share[:, :1])
