"""What training asks of the foundation model: terms of the loss, of the parts that a model has.

Outputs are those of `spectra_jax/disentangled.py` and targets those of `tasks/foundation.py`, both
[B, K, V, ...]: B molecules, K kinds, V = 2 views of which the first is the reference. Every term is
[B], a mean over kinds and views; its formula is that of the loss it is made of.
"""

from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from spectra_jax import medium, roots
from spectra_jax.datasets import instruments
from spectra_jax.losses.adversary import adversary
from spectra_jax.losses.contrastive import contrastive
from spectra_jax.losses.denoising import denoising
from spectra_jax.losses.information_bottleneck import information_bottleneck
from spectra_jax.losses.masked_mse import masked_mse
from spectra_jax.losses.non_negativity import non_negativity
from spectra_jax.losses.sinkhorn import sinkhorn
from spectra_jax.losses.swap_consistency import swap_consistency
from spectra_jax.losses.view_consistency import view_consistency
from spectra_jax.views import PROTOCOL

Arrays = Mapping[str, jax.Array]
Terms = dict[str, jax.Array]


def terms(
  outputs: Arrays, targets: Arrays, options: ConfigDict, kinds: Sequence[str], nu_L: np.ndarray
) -> Terms:
  """{name: [B]}, those whose parts the model has.

  Args:
    outputs: of the model.
    targets: of the task.
    options: `config.task.foundation`.
    kinds: of spectra.
    nu_L: wavenumbers [cm^-1].
  """
  found = _of_tokens(outputs, targets, kinds, nu_L)
  if 'decoded' in outputs:
    found |= _of_decoder(outputs, targets, kinds)
  if 'chem' in outputs:
    found |= _of_latents(outputs, targets, options)
  for latent, term in (('chem', 'adversary'), ('inst', 'instrument')):
    if f'{latent}_logits' in outputs:
      found[term] = _told(outputs[f'{latent}_logits'], targets['number'])
  if 'properties' in outputs:
    asked = targets['properties'][:, None, None]
    found['properties_mse'] = ((outputs['properties'] - asked) ** 2).mean((1, 2, 3))
  if 'balance' in outputs:
    found['expert_balance'] = outputs['balance'].mean((1, 2))
  return found


def _of_tokens(outputs: Arrays, targets: Arrays, kinds: Sequence[str], nu_L: np.ndarray) -> Terms:
  """Of the heads that read tokens."""
  clean, seen, whole = targets['clean'], targets['visible'], outputs['reconstruction']
  found = {
    'masked_mse': _each(masked_mse, whole, clean, ~seen),
    'denoising': _each(denoising, whole, clean, seen),
  }
  if 'decoded' not in outputs:
    found['non_negativity'] = _negative(whole, kinds)
  reference = clean[:, :, PROTOCOL]
  if 'cross' in outputs:
    found['cross_mse'] = _error(outputs['cross'], reference[:, ::-1][:, :, None])
  if 'physics' in outputs:  # what absorbs is the molecule, whoever measured it
    absorbed = roots.softened(medium.intensity(outputs['physics'], nu_L))
    found['physics_mse'] = _error(absorbed, reference[:, :, None])
  if 'transferred' in outputs:
    found['transferred_mse'] = _error(outputs['transferred'], targets['swapped'])
  return found


def _of_decoder(outputs: Arrays, targets: Arrays, kinds: Sequence[str]) -> Terms:
  """Of spectra out of latents alone."""
  everywhere = lambda found, true: masked_mse(found, true, jnp.ones(true.shape, bool))
  return {
    'decoded_mse': _each(everywhere, outputs['decoded'], targets['clean']),
    'swap_consistency': _each(swap_consistency, outputs['swapped'], targets['swapped']),
    'non_negativity': _negative(outputs['decoded'], kinds),
  }


def _of_latents(outputs: Arrays, targets: Arrays, options: ConfigDict) -> Terms:
  """Of z_chem and z_inst themselves."""
  batch, kinds = outputs['chem'].shape[:2]
  views = lambda x: x.reshape(batch, -1, x.shape[-1])  # [B, K V, Z]
  alike = views(outputs['embedding' if 'embedding' in outputs else 'chem_mean'])
  molecule = kinds * targets['row'][:, None] + np.repeat(np.arange(kinds), 2)
  found = {
    'contrastive': contrastive(alike, molecule, temperature=options.temperature),
    'information_bottleneck': _price(outputs, 'chem', options.free_nats),
    'sinkhorn': _transport(outputs['chem_mean'], options),
    'view_consistency': _agreement(outputs),
  }
  if 'inst' in outputs:
    found['information_bottleneck'] += _price(outputs, 'inst', options.free_nats)
  return found


def _price(outputs: Arrays, latent: str, free_nats: float) -> jax.Array:
  moments = (outputs[f'{latent}_{part}'] for part in ('mean', 'log_variance'))
  return _each(lambda *x: information_bottleneck(*x, free=free_nats), *moments)


def _agreement(outputs: Arrays) -> jax.Array:
  moments = (outputs['chem_mean'], outputs['chem_log_variance'])
  return _each(view_consistency, *(x[:, :, view] for view in (0, 1) for x in moments))


def _transport(chem_BxKxVxZ: jax.Array, options: ConfigDict) -> jax.Array:
  """Between the clouds of reference and instruments, each kind on its own."""
  settings = {'blur': options.blur, 'iterations': options.iterations}
  kinds = chem_BxKxVxZ.shape[1]
  return sum(sinkhorn(*chem_BxKxVxZ[:, k].swapaxes(0, 1), **settings) for k in range(kinds)) / kinds


def _told(logits_BxKxVxI: jax.Array, number_BxKxV: jax.Array) -> jax.Array:
  """How badly the instruments of the second views are told; 1 = by chance."""
  true = jax.nn.one_hot(number_BxKxV[:, :, 1] - 1, instruments.TRAINING)
  return _each(adversary, logits_BxKxVxI[:, :, 1], true)


def _negative(values: jax.Array, kinds: Sequence[str]) -> jax.Array:
  return _each(lambda x: non_negativity(x, kind=kinds[0], state='sqrt'), values)


def _error(found: jax.Array, true: jax.Array) -> jax.Array:
  return ((found - true) ** 2).mean(-1).reshape(len(found), -1).mean(1)


def _each(loss, *arrays: jax.Array) -> jax.Array:
  """[B] mean of a loss over all that an example has, from arrays [B, ..., L]."""
  flat = (x.reshape(-1, x.shape[-1]) for x in arrays)
  return loss(*flat).reshape(len(arrays[0]), -1).mean(1)
