"""Spectra and molecules as points of one space, so that a molecule is found by its spectrum.

  spectrum -> coordinates of what is measured                      | embedding by tokens
  molecule -> coordinates of what its graph says will be measured  | embedding by atoms

The score is minus half the squared distance, over the coordinates that the spectrum tells: the log
likelihood of the spectrum under what the graph predicts, plus the likeness of the embeddings. A
molecule's point comes from its graph alone, so that a library takes in molecules nobody measured.
"""

from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from spectra_jax import model
from spectra_jax.forms import Terms
from spectra_jax.roots import KINDS

MODES = ('ir', 'raman', 'both')  # what is measured of a molecule
LIBRARY = len(MODES)  # 'kind' of a row that is there for its molecule's point
RECALLED = (1, 5, 10)  # k of recall@k
PARTS = ('spectrum', 'embedding')  # of the space
# Before training: how much a unit of each counts. Predicted spectra are off by several units of
# each coordinate; cosines are told apart by a temperature of 0.07.
SHARPNESS = {'spectrum': 0.15, 'embedding': 0.07**-0.5}

Arrays = Mapping[str, jax.Array]


class RetrievalModel(nn.Module):
  """Both ways into the space; a part that is None is not there, nor are its parameters.

  Attributes:
    atoms: graph -> x_BxAxD.
    spectra: atoms -> {'ir', 'raman'} as they are predicted; of the part 'spectrum'.
    tokenizer, backbone, of_tokens, of_atoms: of the part 'embedding'.
  """

  atoms: nn.Module
  spectra: nn.Module | None
  tokenizer: nn.Module | None
  backbone: nn.Module | None
  of_tokens: nn.Module | None
  of_atoms: nn.Module | None

  def setup(self):
    first = {} if self.spectra is None else dict.fromkeys(KINDS, SHARPNESS['spectrum'])
    first |= {} if self.of_tokens is None else {'embedding': SHARPNESS['embedding']}
    self.log_sharpness = {
      name: self.param(f'log_sharpness_{name}', nn.initializers.constant(np.log(x)), ())
      for name, x in first.items()
    }

  def __call__(
    self,
    values: Arrays,
    visible: Arrays,
    graph: Arrays,
    nu_L: np.ndarray,
    train: bool,
    isomers: Arrays | None = None,
  ) -> dict[str, Any]:
    """{'ir', 'raman': predicted roots [B, W, L], 'molecule': [B, W, V], 'embedding': [B, V],
    'sharpness': {'ir', 'raman', 'embedding': [B]}}: what there is of them.

    Args:
      values, visible: {kind: [B, L]}; values are read only where they are visible.
      graph: `Graphs.padded` of the B molecules.
      isomers: of W - 1 others for each, [B, W - 1, ...].
    """
    batch = len(values['ir'])
    outputs = self.of_molecules(_beside(graph, isomers), nu_L)
    outputs = jax.tree.map(lambda x: x.reshape(batch, -1, x.shape[-1]), outputs)
    if self.of_tokens is not None:
      outputs['embedding'] = self.embed(values, visible, nu_L, train)
    return outputs | {'sharpness': self.sharpness(batch)}

  def of_molecules(self, graph: Arrays, nu_L: np.ndarray) -> dict[str, jax.Array]:
    """What a graph says: {'ir', 'raman', 'molecule'}, those there are, [B, ...]."""
    x_BxAxD, there_BxA = self.atoms(graph), graph['element'] > 0
    outputs = {} if self.spectra is None else self.spectra(x_BxAxD, nu_L, there_BxA)
    if self.of_atoms is not None:
      outputs = outputs | {'molecule': self.of_atoms(x_BxAxD, nu_L)}
    return outputs

  def embed(self, values: Arrays, visible: Arrays, nu_L: np.ndarray, train: bool) -> jax.Array:
    """[B, V] of length 1: tokens of IR + tokens of Raman -> backbone -> head."""
    ir_B = jnp.zeros(len(values['ir']), jnp.int32)
    x_BxTxD = model.joined(self.tokenizer, values, visible, ir_B, nu_L)
    every_BxT = np.ones(x_BxTxD.shape[:2], bool)  # what a token saw is in its channels
    x_BxTxD = self.backbone(x_BxTxD, self.tokenizer.positions(nu_L), every_BxT, train)
    return self.of_tokens(x_BxTxD, nu_L)

  def sharpness(self, batch: int) -> dict[str, jax.Array]:
    """How much a unit of each part counts, for every example: {name: [batch]}."""
    return {name: jnp.full(batch, jnp.exp(log)) for name, log in self.log_sharpness.items()}


def _beside(graph: Arrays, isomers: Arrays | None) -> Arrays:
  """[B * W, ...]: each molecule, then the others of its row."""
  if isomers is None:
    return graph
  join = lambda one, more: jnp.concatenate([one[:, None], more], 1).reshape(-1, *one.shape[1:])
  return {name: join(x, isomers[name]) for name, x in graph.items()}


def seen(mode: jax.Array) -> dict[str, jax.Array]:
  """{kind: [B] bool}: what is measured in each of `MODES`; all of it for `LIBRARY`."""
  return {'ir': mode != MODES.index('raman'), 'raman': mode != MODES.index('ir')}


def columns(mode: str, widths: Mapping[str, int]) -> np.ndarray:
  """[V] bool: the coordinates that are compared in one of `MODES`.

  Args:
    widths: of 'ir', 'raman' and 'embedding' in a point, in that order.
  """
  told = {'ir': mode != 'raman', 'raman': mode != 'ir', 'embedding': True}
  return np.concatenate([np.full(width, told[name]) for name, width in widths.items()])


def ranked(rank_Q: np.ndarray, asked_N: np.ndarray) -> dict[str, Terms]:
  """recall@k and mean reciprocal rank of queries, each at its place among the examples."""

  def terms(value_Q):
    value_N = np.zeros(len(asked_N))
    value_N[asked_N] = value_Q
    return Terms('ratio', np.stack([value_N, np.float64(asked_N)]))

  return {f'recall_{k}': terms(rank_Q < k) for k in RECALLED} | {'mrr': terms(1 / (1 + rank_Q))}
