"""Convolutions with weights that are not learned, pooled, and ridge on what they give.

MiniRocket (Dempster, Schmidt & Webb 2021, doi:10.1145/3447548.3467231): the 84 kernels of nine
weights, three of them 2 and six -1, which sum to zero, at dilations that grow as powers of two
up to the length of the spectrum; biases are quantiles of what a kernel gives for training
spectra. Each pair of kernel and bias b gives two features of y = w * x - b: the share of points
with y > 0, and the mean of y over these points, which carries the intensity (the latter from
MultiRocket: Tan, Dempster, Bergmeir & Webb 2022, doi:10.1007/s10618-022-00844-1).

Departures: ends are filled with the outermost values instead of zeros, since a spectrum does not
end in a step to zero; spectra are divided by one constant of the training rows.
"""

import dataclasses
import itertools

import jax
import jax.numpy as jnp
import numpy as np

from spectra_jax.chemometrics import nested, ridge

TASKS = (nested.REGRESSION, nested.CLASSIFICATION)
TAPS = 9
FEATURES = 5000  # at most, of each of the two kinds
DILATIONS = 16  # at most
CHUNK = 16  # spectra at a time; part of no number


def kernels() -> np.ndarray:
  """[84, 9]: -1 everywhere but for three places, where it is 2."""
  weights_KxT = np.full((84, TAPS), -1.0, np.float32)
  for row, places in zip(weights_KxT, itertools.combinations(range(TAPS), 3), strict=True):
    row[list(places)] = 2.0
  return weights_KxT


def dilations(length: int, most: int) -> np.ndarray:
  """Distinct whole parts of 2^e, e even in [0, log2((L - 1) / 8)]: the kernel spans the spectrum.

  Raises:
    ValueError: a spectrum that is shorter than a kernel.
  """
  if length < TAPS:
    raise ValueError(
      f'spectra have {length} points, expected at least {TAPS}, the length of a kernel; resample '
      'them more finely'
    )
  return np.unique(np.int32(2 ** np.linspace(0, np.log2((length - 1) / (TAPS - 1)), most)))


@dataclasses.dataclass(frozen=True, eq=False)
class Convolutions:
  """The features, with what they take from the training rows.

  Attributes:
    scale: standard deviation of all training values about the mean spectrum.
    dilation_D: points between two weights.
    bias_DxKxQ: quantiles, in units of `scale`.
  """

  scale: float
  dilation_D: np.ndarray
  bias_DxKxQ: np.ndarray

  def __call__(self, values_BxL: np.ndarray) -> np.ndarray:
    """[B, 2 D K Q] features."""
    scaled = np.asarray(values_BxL / self.scale, np.float32)
    chunks = np.array_split(scaled, range(CHUNK, len(scaled), CHUNK))
    return np.concatenate([self._of_chunk(chunk) for chunk in chunks])

  def _of_chunk(self, values_BxL: np.ndarray) -> np.ndarray:
    count = len(values_BxL)
    filled = np.pad(values_BxL, ((0, CHUNK - count), (0, 0)))  # one shape, one compilation
    parts = [
      _pooled(filled, dilation, bias_KxQ)
      for dilation, bias_KxQ in zip(self.dilation_D, self.bias_DxKxQ, strict=True)
    ]
    return np.concatenate([np.reshape(part, (CHUNK, -1)) for part in parts], 1)[:count]


def convolve(values_BxL: jax.Array, dilation: jax.Array) -> jax.Array:
  """[B, K, L]: all kernels at one dilation, centred, the ends repeated."""
  length = values_BxL.shape[1]
  offset_T = (jnp.arange(TAPS) - TAPS // 2) * dilation
  place_TxL = jnp.clip(jnp.arange(length) + offset_T[:, None], 0, length - 1)
  return jnp.einsum('kt,btl->bkl', kernels(), values_BxL[:, place_TxL], precision='highest')


@jax.jit
def _pooled(values_BxL: jax.Array, dilation: jax.Array, bias_KxQ: jax.Array) -> jax.Array:
  """[B, 2, Q, K]: share of points above the bias, and their mean height above it."""
  found_BxKxL = convolve(values_BxL, dilation)

  def of_bias(bias_K):
    above_BxKxL = found_BxKxL - bias_K[:, None]
    positive_BxKxL = above_BxKxL > 0
    count_BxK = positive_BxKxL.sum(-1)
    height_BxK = jnp.where(positive_BxKxL, above_BxKxL, 0).sum(-1) / jnp.maximum(count_BxK, 1)
    return jnp.stack([count_BxK / found_BxKxL.shape[-1], height_BxK], 1)

  return jnp.moveaxis(jax.lax.map(of_bias, bias_KxQ.T), 0, 2)


def draw(values_NxL: np.ndarray, seed: int, count: int, most: int) -> Convolutions:
  """Dilations for this length and biases from training spectra that `seed` draws.

  Args:
    values_NxL: training spectra.
    seed: another seed, other spectra for the quantiles.
    count: of features of each kind, rounded down to a multiple of kernels times dilations.
    most: dilations at most.
  """
  rng = np.random.default_rng(seed)
  scale = float((values_NxL - values_NxL.mean(0)).std())
  dilation_D = dilations(values_NxL.shape[1], most)
  quantiles = max(count // (len(kernels()) * len(dilation_D)), 1)
  # The low-discrepancy sequence of the golden ratio, as in the paper.
  level_DxKxQ = (np.arange(1, len(dilation_D) * 84 * quantiles + 1) * (5**0.5 + 1) / 2) % 1
  level_DxKxQ = level_DxKxQ.reshape(len(dilation_D), 84, quantiles)
  bias_DxKxQ = np.empty(level_DxKxQ.shape, np.float32)
  run = jax.jit(convolve)
  for bias_KxQ, level_KxQ, dilation in zip(bias_DxKxQ, level_DxKxQ, dilation_D, strict=True):
    row_K = rng.integers(len(values_NxL), size=84)
    found_KxL = np.asarray(run(np.float32(values_NxL[row_K] / scale), dilation))[
      np.arange(84), np.arange(84)
    ]
    for k in range(84):
      bias_KxQ[k] = np.quantile(found_KxL[k], level_KxQ[k])
  return Convolutions(scale, dilation_D, bias_DxKxQ)


def fit(
  values_NxL: np.ndarray,
  targets_N: np.ndarray,
  groups_N: np.ndarray,
  seed: int,
  count: int = FEATURES,
  most: int = DILATIONS,
  folds: int = nested.FOLDS,
) -> nested.OnFeatures:
  """Ridge on standardised random convolutions; its shrinkage is chosen in grouped folds.

  Args:
    values_NxL: training spectra.
    targets_N: numbers or classes.
    groups_N: what is never on both sides of a fold.
    seed: of the biases and the folds.
    count: of features of each of the two kinds.
    most: dilations at most.
    folds: their number.
  """
  values_NxL, targets_N = nested.checked(values_NxL, targets_N, groups_N, TASKS)
  convolutions = draw(values_NxL, seed, count, most)
  found_NxF = np.float64(convolutions(values_NxL))
  mean_F, deviation_F = found_NxF.mean(0), found_NxF.std(0)
  deviation_F[deviation_F < 1e-6] = np.inf  # float32 rounding of a constant is no feature
  features = lambda values_BxL: (np.float64(convolutions(values_BxL)) - mean_F) / deviation_F
  model = ridge.fit(features(values_NxL), targets_N, groups_N, seed, folds=folds)
  return nested.OnFeatures(features, model)
