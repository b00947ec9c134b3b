"""Molecular graph -> what its spectra look like: atoms talk to each other, then add up.

`Atoms` gives every heavy atom a vector that knows the molecule around it; `Head` lets each atom say
which intensity it adds where. No geometry enters: a spectrum's own geometry would tell it.
"""

from collections.abc import Mapping

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from spectra_jax.graphs import RELATIONS
from spectra_jax.tokenize import spline_basis

ELEMENTS = (5, 6, 7, 8, 9, 14, 15, 16, 17, 35, 53)  # atomic numbers that are told apart
COUNTS = 8  # hydrogens, neighbours, ring size: more count as this many
CHARGES = (-1, 0, 1)
FAINT = 1e-4  # of the squared scale: keeps the slope of a root finite where nothing is


def features(graph: Mapping[str, jax.Array]) -> jax.Array:
  """One-hot columns of each atom, 0 for padding: `Graphs.padded` -> [B, A, F] float32."""
  told = {'element': ELEMENTS, 'charge': CHARGES, 'aromatic': (1,)}
  is_one = lambda x, values: x[..., None] == np.asarray(values, np.int8)
  columns = [is_one(graph[name], values) for name, values in told.items()]
  for name in ('hydrogens', 'degree', 'ring'):
    columns.append(is_one(jnp.minimum(graph[name], COUNTS), range(COUNTS + 1)))
  return jnp.concatenate(columns, -1) * (graph['element'] > 0)[..., None].astype(jnp.float32)


class Atoms(nn.Module):
  """Message passing with a matrix for each relation of two atoms, and a node that hears all.

    m_i = sum_r sum_{j: r_ij = r} W_r x_j ,   x_i += MLP(W x_i, m_i, V mean_j x_j) ,

  relations being the kinds of bonds and, for atoms that are not bonded, how many bonds are between
  them (relational graph convolution, Schlichtkrull et al. 2018, arXiv:1703.06103; virtual node,
  Gilmer et al. 2017, arXiv:1704.01212). Nothing depends on the order of the atoms.

  Attributes:
    width: D, channels of an atom.
    layers: rounds of messages.
  """

  width: int
  layers: int

  @nn.compact
  def __call__(self, graph: Mapping[str, jax.Array]) -> jax.Array:
    """`Graphs.padded` -> x_BxAxD float32, 0 for padding."""
    there_BxAx1 = (graph['element'] > 0)[..., None].astype(jnp.float32)
    batch, atoms, _ = there_BxAx1.shape
    related = graph['relation'][..., None] == np.arange(1, RELATIONS, dtype=np.int8)
    related_BxAxAR = related.astype(jnp.float32).reshape(batch, atoms, -1)
    narrow = self.width // 2
    x = nn.Dense(self.width, name='features')(features(graph)) * there_BxAx1
    for k in range(self.layers):
      y = nn.RMSNorm(name=f'norm_{k}')(x) * there_BxAx1
      told = nn.Dense((RELATIONS - 1) * narrow, use_bias=False, name=f'messages_{k}')(y)
      heard = related_BxAxAR @ told.reshape(batch, -1, narrow)
      mean = y.sum(1, keepdims=True) / there_BxAx1.sum(1, keepdims=True)
      overall = jnp.broadcast_to(nn.Dense(narrow, name=f'overall_{k}')(mean), heard.shape)
      z = jnp.concatenate([nn.Dense(self.width, name=f'own_{k}')(y), heard, overall], -1)
      x += nn.Dense(self.width, name=f'out_{k}')(
        nn.gelu(nn.Dense(2 * self.width, name=f'in_{k}')(z))
      )
      x *= there_BxAx1
    return nn.RMSNorm(name='norm')(x) * there_BxAx1


class Head(nn.Module):
  """root(nu) = sqrt(sum_i sum_j softplus(c_ij) B((nu - knot_j) / spacing) + FAINT), i the atoms.

  Intensities add up over the parts of a molecule, their square roots do not; so atoms give
  intensities >= 0 of each kind, and the root is taken of their sum.

  Attributes:
    names: of the spectra.
    hidden: channels between an atom and its splines.
    spacing_cm: of the knots [cm^-1].
    low_cm, high_cm: range that any axis must lie in [cm^-1].
  """

  names: tuple[str, ...] = ('ir', 'raman')
  hidden: int = 256
  spacing_cm: float = 12.0
  low_cm: float = 350.0
  high_cm: float = 4050.0

  @nn.compact
  def __call__(
    self, x_BxTxD: jax.Array, nu_L: np.ndarray, there_BxT: jax.Array | None = None
  ) -> dict[str, jax.Array]:
    """Atoms, all of them there unless told -> {name: scaled root_BxL float32}.

    Raises:
      ValueError: the axis leaves the range.
    """
    if nu_L[0] < self.low_cm or nu_L[-1] > self.high_cm:
      raise ValueError(
        f'the axis is {nu_L[0]:g} to {nu_L[-1]:g} cm^-1, expected one within the '
        f'{self.low_cm:g} to {self.high_cm:g} of head.molecule; cut it, or widen that and train'
      )
    first = np.floor(self.low_cm / self.spacing_cm) - 1
    last = np.ceil(self.high_cm / self.spacing_cm) + 1
    knots_J = np.arange(first, last + 1) * self.spacing_cm
    h_BxTxH = nn.gelu(nn.Dense(self.hidden, name='hidden')(x_BxTxD.astype(jnp.float32)))
    faint = nn.initializers.constant(-3.0)
    raw = nn.Dense(len(self.names) * len(knots_J), bias_init=faint, name='splines')(h_BxTxH)
    added = nn.softplus(raw)
    if there_BxT is not None:
      added *= there_BxT[..., None]
    total_BxNxJ = added.sum(1).reshape(len(added), len(self.names), -1)
    root_BxNxL = jnp.sqrt(total_BxNxJ @ spline_basis(nu_L, knots_J, self.spacing_cm).T + FAINT)
    return {name: root_BxNxL[:, n] for n, name in enumerate(self.names)}
