"""The foundation model: one encoder of spectra, and the heads that a config asks for.

  values, visible, kind (domain), FWHM and grid step (resolution)
    -> tokenizer -> backbone [-> mixture of experts] [-> attention]   = tokens_BxTxD
    [-> bottleneck]                                                   = chem, inst (Gaussians)
    -> heads, by the name of their output:

  reconstruction  tokens + linear(chem)   the spectrum itself, also where it was hidden
  cross           tokens + linear(chem)   the other kind of spectrum of the same molecule
  physics         tokens + linear(chem)   n and k of a medium that obeys laws by construction
  decoded         chem, inst              the whole spectrum out of the latents alone
  transferred     tokens, inst of another the spectrum as that other instrument gives it
  properties      chem                    numbers of the molecule, standardised
  embedding       mean of chem            unit vector for retrieval

Parts in brackets are there when `config.foundation` says so; without one, its parameters are not in
the tree. A head is any file of spectra_jax/heads that reads tokens; a latent is a sequence of one
token to it. Where rows are told whose instrument to borrow, `transferred` is for that one, and

  swapped         own chem, borrowed inst the decoded spectrum on that other instrument
"""

import inspect
from collections.abc import Callable, Mapping
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from spectra_jax import model
from spectra_jax.bottleneck import Bottleneck, Gaussian
from spectra_jax.mixture import Mixture

# Output -> what its head reads.
READS = {
  'reconstruction': 'tokens',
  'cross': 'tokens',
  'physics': 'tokens',
  'decoded': 'latents',
  'transferred': 'instrument',
  'properties': 'chem',
  'embedding': 'chem',
}


class Encoded(NamedTuple):
  """What is known of a spectrum. A tree of arrays; what the model does not have is None.

  tokens: [B, T, D] after backbone, mixture and attention.
  chem, inst: `spectra_jax.bottleneck.Gaussian`, each of mean, log_variance, sample [B, Z].
  balance: [B], of the experts; 1 where all are used alike (`spectra_jax.mixture`).
  """

  tokens: jax.Array
  chem: Gaussian | None
  inst: Gaussian | None
  balance: jax.Array | None


class FoundationModel(nn.Module):
  """See the module docstring; None and a missing head are parts that are switched off.

  Attributes:
    tokenizer, backbone, mixture, attention, bottleneck: modules.
    heads: output -> module, of the names in `READS`.
  """

  tokenizer: nn.Module
  backbone: nn.Module
  mixture: nn.Module | None
  attention: nn.Module | None
  bottleneck: nn.Module | None
  heads: Mapping[str, nn.Module]

  def setup(self):
    reading = any(READS[name] == 'tokens' for name in self.heads)
    if self.bottleneck is not None and reading:
      self.from_chem = nn.Dense(self.tokenizer.width, use_bias=False)

  def encode(
    self,
    values_BxL: jax.Array,
    visible_BxL: jax.Array,
    kind_B: jax.Array,
    nu_L: np.ndarray,
    train: bool,
    fwhm_B: jax.Array | None = None,
  ) -> Encoded:
    """`values_BxL` is read only where `visible_BxL`; `fwhm_B` [cm^-1] as in the tokeniser."""
    x_BxTxD = self.tokenizer(values_BxL, visible_BxL, kind_B, nu_L, fwhm_B)
    nu_T = self.tokenizer.positions(nu_L)
    every_BxT = np.ones(x_BxTxD.shape[:2], bool)  # what a token saw is in its channels
    x_BxTxD = self.backbone(x_BxTxD, nu_T, every_BxT, train)
    balance_B = chem = inst = None
    if self.mixture is not None:
      x_BxTxD, balance_B = self.mixture(x_BxTxD)
    if self.attention is not None:
      x_BxTxD = self.attention(x_BxTxD, nu_T, every_BxT, train)
    if self.bottleneck is not None:
      chem, inst = self.bottleneck(x_BxTxD, train)
    return Encoded(x_BxTxD, chem, inst, balance_B)

  def decode(self, chem_BxZ: jax.Array, inst_BxZ: jax.Array | None, nu_L: np.ndarray) -> jax.Array:
    """Latents -> values_BxL on any axis; `inst_BxZ[::-1]` swaps the instruments of a batch."""
    z_BxZ = chem_BxZ if inst_BxZ is None else jnp.concatenate([chem_BxZ, inst_BxZ], -1)
    return self.heads['decoded'](z_BxZ[:, None], nu_L)

  def __call__(
    self,
    values_BxL: jax.Array,
    visible_BxL: jax.Array,
    kind_B: jax.Array,
    nu_L: np.ndarray,
    train: bool,
    fwhm_B: jax.Array | None = None,
    lend: Callable[[str, jax.Array], jax.Array] | None = None,
  ) -> dict[str, jax.Array]:
    """{output: array}: what the heads give, and of the latents and experts what there is of

      chem, chem_mean, chem_log_variance, inst, inst_mean, inst_log_variance [B, Z], balance [B].

    `chem` and `inst` are samples in training and the means in evaluation.

    Args:
      values_BxL, visible_BxL, kind_B, nu_L, train, fwhm_B: as `encode`.
      lend: ('swapped' or 'transferred', inst_BxZ of all rows) -> inst_BxZ that each row borrows
        for it; None: each keeps its own, and nothing is swapped.
    """
    encoded = self.encode(values_BxL, visible_BxL, kind_B, nu_L, train, fwhm_B)
    tokens_BxTxD, chem, inst, balance_B = encoded
    outputs = {} if balance_B is None else {'balance': balance_B}
    for name, latent in (('chem', chem), ('inst', inst)):
      if latent is not None:
        outputs |= {f'{name}_mean': latent.mean, f'{name}_log_variance': latent.log_variance}
        outputs[name] = latent.sample
    own_BxZ = None if inst is None else inst.sample
    borrow = lambda name: own_BxZ if lend is None or own_BxZ is None else lend(name, own_BxZ)
    for name, head in self.heads.items():
      if READS[name] == 'tokens':
        outputs[name] = head(self._told(tokens_BxTxD, chem), nu_L)
      elif READS[name] == 'instrument':
        outputs[name] = head.given(tokens_BxTxD, nu_L, borrow(name))
      elif READS[name] == 'latents':
        outputs[name] = self.decode(chem.sample, own_BxZ, nu_L)
        if lend is not None:
          outputs['swapped'] = self.decode(chem.sample, borrow('swapped'), nu_L)
      elif name == 'embedding':
        outputs[name] = head(chem.mean[:, None], nu_L)
      else:
        outputs[name] = head(chem.sample[:, None], nu_L, train)
    return outputs

  def _told(self, tokens_BxTxD: jax.Array, chem: Gaussian | None) -> jax.Array:
    """Tokens that also know the chemistry."""
    if chem is None:
      return tokens_BxTxD
    return tokens_BxTxD + self.from_chem(chem.sample)[:, None].astype(tokens_BxTxD.dtype)


def build_foundation(config: ConfigDict, kinds: int, targets: int) -> FoundationModel:
  """The model that `config.foundation` describes, for `kinds` kinds and `targets` properties.

  Raises:
    ValueError: a head reads what the model does not have, or is none of its place.
  """
  model.check_spectral(config)
  options = config.foundation
  names = {output: head for output, head in options.heads.items() if head}
  _check(config, names, targets)
  lattice = {name: config.tokenize[name] for name in ('step_cm', 'knots_per_step')}
  outputs = {'properties': targets, 'embedding': options.embedding}
  heads = {}
  for output, name in names.items():
    chosen = config.copy_and_resolve_references()
    chosen.head.name = name
    numbers = {'outputs': outputs[output]} if output in outputs else {}
    heads[output] = model.build_part(chosen, 'head', lattice | numbers)
  attention = model.component('backbones', 'transformer').Backbone
  return FoundationModel(
    tokenizer=model.tokenizer(config, kinds),
    backbone=model.build_part(config, 'backbone', {}),
    mixture=Mixture(**options.mixture.to_dict()) if options.mixture.experts else None,
    attention=attention(**options.attention.to_dict()) if options.attention.blocks else None,
    bottleneck=Bottleneck(**options.bottleneck.to_dict()) if options.bottleneck.chem else None,
    heads=heads,
  )


def _check(config: ConfigDict, names: Mapping[str, str], targets: int) -> None:
  options = config.foundation
  if unknown := sorted(set(names) - set(READS)):
    raise ValueError(
      f'foundation.heads names {unknown}, expected some of {", ".join(READS)}; drop the others'
    )
  for output, name in names.items():
    _check_reads(output, name, options.bottleneck)
    _check_gives(output, name)
  if 'properties' in names and targets < 1:
    raise ValueError(
      f'foundation.heads.properties is {names["properties"]!r} and there are {targets} targets, '
      "expected at least 1; set it to ''"
    )


def _check_reads(output: str, name: str, sizes: ConfigDict) -> None:
  latent = {'latents': 'chem', 'chem': 'chem', 'instrument': 'inst'}.get(READS[output])
  if latent and not (sizes.chem and sizes[latent]):
    raise ValueError(
      f'foundation.heads.{output} is {name!r}, which reads {latent}, and the bottleneck has '
      f'chem = {sizes.chem} and inst = {sizes.inst}; give foundation.bottleneck.{latent} a size, '
      "or set the head to ''"
    )


def _check_gives(output: str, name: str) -> None:
  head = model.component('heads', name).Head
  pools = 'outputs' in model.shared_fields(head, 'head')
  if pools != (output in ('properties', 'embedding')):
    raise ValueError(
      f'foundation.heads.{output} is {name!r}, which gives {"numbers" if pools else "spectra"}, '
      f'expected a head of {"spectra" if pools else "numbers"}; choose another'
    )
  if output == 'transferred' and not hasattr(head, 'given'):
    raise ValueError(
      f'foundation.heads.transferred is {name!r}, which no instrument can be given to, expected '
      'transfer_operator; choose it'
    )
  if (output == 'properties') != ('train' in inspect.signature(head.__call__).parameters):
    raise ValueError(
      f'foundation.heads.{output} is {name!r}, a head for '
      f'{"the embedding" if output == "properties" else "properties"}; choose another'
    )
