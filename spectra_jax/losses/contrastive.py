"""What is alike belongs together, all else apart: supervised contrastive loss, NT-Xent for two."""

import jax
import jax.numpy as jnp

from spectra_jax.gather import own_rows, whole_batch

TINY = 1e-12  # of a squared length: a vector of zeros has no direction, and no slope either


def contrastive(z_BxVxD: jax.Array, label_BxV: jax.Array, *, temperature: float) -> jax.Array:
  """[B] mean over the V views i of an example of the loss of each as an anchor,

    l_i = -1/|P(i)| sum_{p in P(i)} log( exp(s_ip / t) / sum_{a != i} exp(s_ia / t) ),

  s the cosine, P(i) all other views of the whole batch with the label of i, a all views but i. This
  is L_out of Khosla et al. 2020 (arXiv:2004.11362, eq. 2); with two views of each label it is
  NT-Xent (Chen et al. 2020, arXiv:2002.05709). Which changes keep the label is said by the labels:
  two spectrometers' views of one molecule have the same, its isomers have others. An anchor that is
  alone with its label costs nothing. The whole batch is that of all devices.

  Args:
    z_BxVxD: vectors; their length does not matter.
    label_BxV: integers.
    temperature: t; small ones look at the nearest of the others alone.

  Raises:
    ValueError: a temperature that is not positive.
  """
  if not temperature > 0:
    raise ValueError(f'temperature is {temperature}, expected a positive one; 0.1 is usual')
  batch, views, width = z_BxVxD.shape
  unit = z_BxVxD * jax.lax.rsqrt((z_BxVxD**2).sum(-1, keepdims=True) + TINY)
  all_NxD, label_N = (x.reshape(-1, *x.shape[2:]) for x in whole_batch((unit, label_BxV)))
  place_I = (own_rows(batch)[:, None] * views + jnp.arange(views)).reshape(-1)
  other_IxN = jnp.arange(len(all_NxD)) != place_I[:, None]
  alike_IxN = (label_N == label_BxV.reshape(-1, 1)) & other_IxN
  logits_IxN = jnp.where(other_IxN, unit.reshape(-1, width) @ all_NxD.T / temperature, -jnp.inf)
  log_share_IxN = jax.nn.log_softmax(logits_IxN)
  total_I = -jnp.where(alike_IxN, log_share_IxN, 0.0).sum(-1)
  return (total_I / jnp.maximum(alike_IxN.sum(-1), 1)).reshape(batch, views).mean(-1)
