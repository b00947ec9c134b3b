"""A classifier tries to tell the instrument from the chemistry; what it learns from is turned."""

import jax
import jax.numpy as jnp
import numpy as np

from spectra_jax.losses.cross_entropy import cross_entropy


@jax.custom_vjp
def reverse(x: jax.Array, strength: jax.Array) -> jax.Array:
  """x; its gradient comes back times -strength, which is a number or broadcasts to x.

  What lies before makes the loss larger by the same step that makes it smaller for what lies
  behind (Ganin & Lempitsky 2015, arXiv:1409.7495).
  """
  del strength
  return x


def _reverse_fwd(x, strength):
  return x, strength


def _reverse_bwd(strength, cotangent):
  return -strength * cotangent, jnp.zeros_like(strength)


reverse.defvjp(_reverse_fwd, _reverse_bwd)


def adversary(logits_BxI: jax.Array, target_BxI: jax.Array) -> jax.Array:
  """Cross-entropy of the instrument over that of guessing: -log p_true / log I, [B].

  1 = chance, the aim of what lies before `reverse`; 0 = the instrument is told for certain.

  Args:
    logits_BxI: of a classifier that looks at `reverse(z_chem, strength)`. Of one that looks at
      z_inst as it is the same loss asks that the instrument be told.
    target_BxI: one-hot.

  Raises:
    ValueError: fewer than two instruments.
  """
  instruments = logits_BxI.shape[-1]
  if instruments < 2:
    raise ValueError(
      f'the adversary tells {instruments} instruments apart, expected at least 2; measure on more '
      'or set its weight to 0'
    )
  weight_I = np.full(instruments, 1 / np.log(instruments))
  return cross_entropy(logits_BxI, target_BxI, weight_C=weight_I, smoothing=0.0)
