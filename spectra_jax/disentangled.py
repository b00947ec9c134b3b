"""The foundation model on views of samples: latents swapped between them, classifiers of them."""

from collections.abc import Mapping

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from spectra_jax.foundation import FoundationModel
from spectra_jax.gather import neighbours
from spectra_jax.losses.adversary import reverse
from spectra_jax.views import BORROWED, FIRST, PROTOCOL

# Held out: the view whose z_inst the first view on a training instrument borrows. The operator
# reads its own instrument too; in all that it was trained on one of the two is the reference.
LENDERS = {'swapped': BORROWED, 'transferred': PROTOCOL}


class Classifier(nn.Module):
  """Tells instruments apart by a latent, each kind's on its own.

  Attributes:
    instruments: I.
    hidden: channels of the layer between; 0 = none.
    reversal: an adversary's gradient goes back to the latent times minus this, where it tells the
      instrument better than by chance; where it does not there is nothing to hide from it, and to
      mislead it further would only make the latent grow. -1 = no adversary: all goes back as it is.
  """

  instruments: int
  hidden: int
  reversal: float

  @nn.compact
  def __call__(self, z_BxKxVxZ: jax.Array, number_BxKxV: jax.Array) -> jax.Array:
    """Latents and the numbers of their instruments, from 1 -> logits_BxKxVxI."""
    kinds = z_BxKxVxZ.shape[1]
    into = nn.Dense(self.hidden, name='in') if self.hidden else None
    out = nn.Dense(kinds * self.instruments, name='out')

    def logits(z):
      every = out(nn.gelu(into(z)) if into else z)
      return jnp.einsum('bkvki->bkvi', every.reshape(*z.shape[:3], kinds, self.instruments))

    if self.reversal < 0:
      return logits(reverse(z_BxKxVxZ, self.reversal))
    share_BxKxVxI = jax.nn.softmax(logits(jax.lax.stop_gradient(z_BxKxVxZ)))
    true_BxKxVxI = jax.nn.one_hot(number_BxKxV - 1, self.instruments)
    told_BxKxV = (share_BxKxVxI * true_BxKxVxI).sum(-1) > 1 / self.instruments
    return logits(reverse(z_BxKxVxZ, self.reversal * told_BxKxV[..., None]))


class Disentangled(nn.Module):
  """The foundation model on views, swaps of its latents, and classifiers, which only train it.

  Attributes:
    foundation: `spectra_jax.foundation.FoundationModel`, whose parameters are under this name.
    classifiers: latent -> what tells instruments by it, its logits being 'chem_logits' or so.
  """

  foundation: FoundationModel
  classifiers: Mapping[str, nn.Module]

  def __call__(
    self,
    values: jax.Array,
    visible: jax.Array,
    fwhm_cm: jax.Array,
    number: jax.Array,
    nu_L: np.ndarray,
    train: bool,
  ) -> dict[str, jax.Array]:
    """values and visible [V, K, B, L]; FWHM, instrument [V, K, B] -> outputs [B, K, V, ...].

    In training each view borrows the z_inst of the next example's other view; in evaluation the
    first view on a training instrument borrows: 'swapped' is it on the instrument of the lender,
    'transferred' on the reference. Both have that view alone.
    """
    views, kinds, batch = values.shape[:3]
    flat = lambda x: x.reshape(-1, *x.shape[3:])
    kind = jnp.broadcast_to(jnp.arange(kinds)[:, None], (views, kinds, batch))
    inputs = map(flat, (values, visible, kind))
    apart = lambda inst_NxZ: inst_NxZ.reshape(views, kinds, batch, -1)
    lend = lambda name, inst_NxZ: flat(_lent(apart(inst_NxZ), None if train else LENDERS[name]))
    found = self.foundation(*inputs, nu_L, train, flat(fwhm_cm), lend)
    first = lambda x: jnp.moveaxis(x, 2, 0).swapaxes(1, 2)
    part = lambda x: first(x.reshape(views, kinds, batch, *x.shape[1:]))
    outputs = jax.tree.map(part, found)
    if not train:
      borrowing = set(outputs) & set(LENDERS)
      outputs |= {name: outputs[name][:, :, FIRST : FIRST + 1] for name in borrowing}
    return outputs | {
      f'{latent}_logits': classify(outputs[f'{latent}_mean'], first(number))
      for latent, classify in self.classifiers.items()
    }


def _lent(inst_VxKxBxZ: jax.Array, lender: int | None) -> jax.Array:
  """The z_inst that each view borrows: of the next example's other view, or the first view on a
  training instrument that of the view `lender` and all others their own.
  """
  if lender is not None:
    return inst_VxKxBxZ.at[FIRST].set(inst_VxKxBxZ[lender])
  return jnp.moveaxis(neighbours(jnp.moveaxis(inst_VxKxBxZ, 2, 0)), 0, 2)[::-1]
