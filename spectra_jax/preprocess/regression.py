"""Spectra regressed on a reference and on what is to be taken off them.

The least squares fit x = b r + sum_k c_k z_k + e, residuals weighted by w, gives the corrected
spectrum (x - sum_k c_k z_k) / b. The shapes z_k are nearly parallel to r and to each other, so the
c_k are large and cancel. What is taken here instead is x' and r', the parts of x and r that the z_k
cannot explain: then b = <w r', w x'> / |w r'|^2, and the corrected spectrum is r - r' + x' / b.
"""

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
  weight = np.ones(len(reference_L)) if weight_L is None else np.float64(weight_L)
  design = np.concatenate([reference_L[None], nuisance_KxL]).T
  rank = np.linalg.matrix_rank(weight[:, None] * design / np.abs(design).max(0))
  if rank < design.shape[1]:
    raise ValueError(
      f'reference, polynomials and interferents are {design.shape[1]} shapes of rank {rank}, '
      'expected independent ones; drop an interferent or lower the degree'
    )
  probe_LxK, triangle = np.linalg.qr(weight[:, None] * nuisance_KxL.T)
  shape_KxL, probe_KxL = np.linalg.solve(triangle.T, nuisance_KxL), (probe_LxK * weight[:, None]).T
  rest = reference_L - (probe_KxL @ reference_L) @ shape_KxL
  slope = weight**2 * rest / np.sum((weight * rest) ** 2)
  offset = reference_L - rest
  return {'probe': probe_KxL, 'shape': shape_KxL, 'slope': slope, 'offset': offset}


def correct(constants: Mapping[str, jax.Array], values_BxL: jax.Array) -> jax.Array:
  """[B, L] the corrected spectra."""
  # The level belongs to the constant shape; taken off first, it costs the sums no digits.
  centred = values_BxL - values_BxL.mean(-1, keepdims=True)
  share = combine(constants['probe'], centred)
  rest = centred - (share[:, :, None] * constants['shape']).sum(1)
  factor = unless_flat(values_BxL, (rest * constants['slope']).sum(-1, keepdims=True))
  return constants['offset'] + rest / factor
