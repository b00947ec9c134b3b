"""Cross-entropy of class probabilities, weighted by class, with label smoothing."""

import jax
import jax.numpy as jnp
import numpy as np


def cross_entropy(
  logits_BxC: jax.Array, target_BxC: jax.Array, *, weight_C: np.ndarray, smoothing: float
) -> jax.Array:
  """-w sum_c t'_c log softmax(logits)_c, t' = (1 - smoothing) t + smoothing / C, w = t . weight.

  Label smoothing after Szegedy et al. 2016 (arXiv 1512.00567); at smoothing 0 and weight 1 this is
  the negative log likelihood of the class.

  Args:
    logits_BxC: any real numbers.
    target_BxC: probabilities of the classes, one-hot or mixed, each row summing to 1.
    weight_C: of each class, 1 on average over the training spectra; see `balanced`.
    smoothing: share of the target that all classes divide, 0 to 1.

  Raises:
    ValueError: a share outside [0, 1).
  """
  if not 0 <= smoothing < 1:
    raise ValueError(f'smoothing is {smoothing}, expected a share of the target from 0 to below 1')
  smooth_BxC = (1 - smoothing) * target_BxC + smoothing / target_BxC.shape[-1]
  weight_B = target_BxC @ jnp.asarray(weight_C, jnp.float32)
  return -weight_B * (smooth_BxC * jax.nn.log_softmax(logits_BxC)).sum(-1)


def balanced(label_N: np.ndarray, classes: int) -> np.ndarray:
  """[C] weights N / (K N_c), K the number of classes that occur; 0 for one that does not.

  Every class has the same total weight, and the mean weight over the labels is 1.
  """
  counts_C = np.bincount(label_N, minlength=classes)
  there = counts_C > 0
  return np.where(there, len(label_N) / (there.sum() * np.maximum(counts_C, 1)), 0.0)
