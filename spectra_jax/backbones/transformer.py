"""Transformer backbone whose positions are wavenumbers.

Rotary phases are 2 pi nu / period with nu in cm^-1 (Su et al. 2021, arXiv 2104.09864, counts tokens
instead), so that a score depends on the difference of two wavenumbers and one set of weights fits
every token spacing. Pre-norm blocks (Xiong et al. 2020, arXiv 2002.04745).
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from spectra_jax.attention import attend, rotary_phases, rotate
from spectra_jax.blocks import normalise
from spectra_jax.dropout import ExampleDropout

MLPS = ('gelu', 'swiglu')


def rotary_periods(pairs: int, shortest_cm: float, longest_cm: float) -> np.ndarray:
  """`pairs` periods from the shortest to the longest, evenly spaced in their logarithm [cm^-1].

  Raises:
    ValueError: the shortest is not positive or exceeds the longest.
  """
  if not 0 < shortest_cm <= longest_cm:
    raise ValueError(
      f'the rotary periods are {shortest_cm} to {longest_cm} cm^-1, expected '
      '0 < period_min_cm <= period_max_cm; correct the two'
    )
  return np.geomspace(shortest_cm, longest_cm, pairs)


def head_width(width: int, heads: int) -> int:
  """Channels of one head.

  Raises:
    ValueError: the heads do not share the width in even parts.
  """
  if heads < 1 or width % (2 * heads):
    raise ValueError(
      f'heads is {heads} for a width of {width}, expected a number whose double divides the width; '
      'rotary phases turn pairs of channels'
    )
  return width // heads


def mlp_width(width: int, ratio: float) -> int:
  """Hidden channels of an MLP, ratio * width to the nearest.

  Raises:
    ValueError: there would be none.
  """
  hidden = round(ratio * width)
  if hidden < 1:
    raise ValueError(
      f'mlp_ratio is {ratio} for a width of {width}, expected one hidden channel or more; raise it'
    )
  return hidden


class Attention(nn.Module):
  """Multi-head attention, u_BxLxD -> [B, L, D]. Parameters: qkv [D, 3D], out [D, D], no bias."""

  heads: int
  causal: bool
  algorithm: str

  @nn.compact
  def __call__(self, u_BxLxD, phases_LxF, visible_BxL):
    batch, length, width = u_BxLxD.shape
    qkv = nn.Dense(3 * width, use_bias=False, dtype=u_BxLxD.dtype, name='qkv')(u_BxLxD)
    parts = jnp.split(qkv.reshape(batch, length, 3 * self.heads, -1), 3, axis=2)
    q_BxLxHxE, k_BxLxHxE = (rotate(part, phases_LxF) for part in parts[:2])
    options = {'causal': self.causal, 'algorithm': self.algorithm}
    y_BxLxHxE = attend(q_BxLxHxE, k_BxLxHxE, parts[2], visible_BxL, **options)
    y_BxLxD = y_BxLxHxE.reshape(u_BxLxD.shape)
    return nn.Dense(width, use_bias=False, dtype=u_BxLxD.dtype, name='out')(y_BxLxD)


class Mlp(nn.Module):
  """W2 GELU(W1 u), or SwiGLU (Shazeer 2020, arXiv 2002.05202): W2 (SiLU(V u) * W1 u)."""

  kind: str
  hidden: int

  @nn.compact
  def __call__(self, u_BxLxD):
    if self.kind not in MLPS:
      raise ValueError(
        f'unknown MLP {self.kind!r}: expected one of {", ".join(MLPS)}; set `mlp` to one'
      )
    gated, dtype = self.kind == 'swiglu', u_BxLxD.dtype
    h_BxLxM = nn.Dense((1 + gated) * self.hidden, dtype=dtype, name='in')(u_BxLxD)
    if gated:
      gate_BxLxM, h_BxLxM = jnp.split(h_BxLxM, 2, axis=-1)
      h_BxLxM = nn.silu(gate_BxLxM) * h_BxLxM
    else:
      h_BxLxM = nn.gelu(h_BxLxM)
    return nn.Dense(u_BxLxD.shape[-1], dtype=dtype, name='out')(h_BxLxM)


class Block(nn.Module):
  """One attention and one MLP, each x + dropout(layer(norm(x))); fields as in `Backbone`."""

  heads: int
  mlp: str
  mlp_ratio: float
  causal: bool
  dropout: float
  normalisation: str
  algorithm: str

  @nn.compact
  def __call__(self, x_BxLxD, phases_LxF, visible_BxL, train):
    dtype, hidden = x_BxLxD.dtype, mlp_width(x_BxLxD.shape[-1], self.mlp_ratio)
    u_BxLxD = normalise(self.normalisation, dtype, 'norm_attention')(x_BxLxD)
    attention = Attention(self.heads, self.causal, self.algorithm, name='attention')
    y_BxLxD = attention(u_BxLxD, phases_LxF, visible_BxL)
    x_BxLxD += ExampleDropout(self.dropout, name='dropout_attention')(y_BxLxD, train)
    u_BxLxD = normalise(self.normalisation, dtype, 'norm_mlp')(x_BxLxD)
    y_BxLxD = Mlp(self.mlp, hidden, name='mlp')(u_BxLxD)
    return x_BxLxD + ExampleDropout(self.dropout, name='dropout_mlp')(y_BxLxD, train)


class Backbone(nn.Module):
  """Stack of blocks x += dropout(attention(norm(x))), x += dropout(mlp(norm(x))).

  The output depends on differences of wavenumbers only. Tokens with mask False are seen by no
  query; they still get an output. Memory is linear in L where `spectra_jax.attention` runs in
  chunks or in cuDNN. It does not stream: every token needs all keys before it.

  Attributes:
    blocks: number of blocks.
    heads: attention heads; twice their number divides the width.
    mlp: 'gelu' or 'swiglu'.
    mlp_ratio: hidden channels of the MLP over the width.
    period_min_cm, period_max_cm: periods of the rotary phases are spaced geometrically between
      them [cm^-1].
    bidirectional: every token sees all; else itself and those before it.
    dropout: rate of the two dropouts of a block, dimensionless.
    normalisation: 'rms' or 'layer', before attention and MLP.
    algorithm: of `spectra_jax.attention.attend`.
  """

  blocks: int = 2
  heads: int = 4
  mlp: str = 'gelu'
  mlp_ratio: float = 4.0
  period_min_cm: float = 56.0
  period_max_cm: float = 8000.0
  bidirectional: bool = True
  dropout: float = 0.0
  normalisation: str = 'rms'
  algorithm: str = 'auto'

  @nn.compact
  def __call__(
    self, x_BxLxD: jax.Array, nu_L: np.ndarray, mask_BxL: jax.Array, train: bool
  ) -> jax.Array:
    """[B, L, D] -> [B, L, D]; nu_L [cm^-1] on the host, even or not; mask_BxL, True = visible,
    or None, everything is.

    Raises:
      ValueError: nu_L is missing or of another length, an option is unknown or out of range, or
        dropout runs without per-example keys.
    """
    width = x_BxLxD.shape[-1]
    pairs = head_width(width, self.heads) // 2
    periods_F = rotary_periods(pairs, self.period_min_cm, self.period_max_cm)
    if nu_L is None or len(nu_L) != x_BxLxD.shape[1]:
      raise ValueError(
        f'nu_L is {nu_L if nu_L is None else f"{len(nu_L)} wavenumbers"} for {x_BxLxD.shape[1]} '
        'tokens, expected one each; the rotary phases are made of them'
      )
    phases_LxF = rotary_phases(nu_L, periods_F)
    everything = mask_BxL is None or (isinstance(mask_BxL, np.ndarray) and mask_BxL.all())
    visible_BxL = None if everything else mask_BxL  # a kernel without a mask is a faster one
    parts = (self.heads, self.mlp, self.mlp_ratio, not self.bidirectional)
    parts += (self.dropout, self.normalisation, self.algorithm)
    for i in range(self.blocks):
      x_BxLxD = Block(*parts, name=f'block_{i}')(x_BxLxD, phases_LxF, visible_BxL, train)
    return x_BxLxD
