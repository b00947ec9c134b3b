"""Hybrid backbone: convolutions, then oscillators, then attention, each a backbone of its own.

Local shape first, long memory at linear cost next, and exact look-up by wavenumber at the end, in a
visible ratio of blocks. (Mixing few attention layers into a state-space stack: Lieber et al. 2024,
arXiv 2403.19887; Waleffe et al. 2024, arXiv 2406.07887.)
"""

import flax.linen as nn
import jax
import numpy as np

from spectra_jax.backbones import conv, linoss, transformer


class Backbone(nn.Module):
  """transformer(linoss(conv(x))), x_BxLxD -> x_BxLxD; options not named here keep their defaults.

  Parameters are those of the three backbones under `conv`, `ssm` and `attention`. It does not
  stream, whatever the direction.

  Attributes:
    conv_blocks, ssm_blocks, attention_blocks: number of blocks of each, 0 or more.
    kernel_cm: width of a convolution [cm^-1].
    state: P, oscillators in one direction of one block.
    heads: attention heads; twice their number divides the width.
    bidirectional: every block looks both ways; else back only.
    dropout: rate of the two dropouts of a block, dimensionless.
    normalisation: 'rms' or 'layer', before each layer.
  """

  conv_blocks: int = 1
  ssm_blocks: int = 2
  attention_blocks: int = 1
  kernel_cm: float = 126.0
  state: int = 64
  heads: int = 4
  bidirectional: bool = True
  dropout: float = 0.0
  normalisation: str = 'rms'

  @nn.compact
  def __call__(
    self, x_BxLxD: jax.Array, nu_L: np.ndarray, mask_BxL: jax.Array, train: bool
  ) -> jax.Array:
    """[B, L, D] -> [B, L, D]; nu_L [cm^-1] on the host, even; mask_BxL, True = visible.

    The mask reaches attention alone, which is the only part that can leave tokens out.

    Raises:
      ValueError: a number of blocks is negative or all are 0, and what the three parts refuse.
    """
    counts = (self.conv_blocks, self.ssm_blocks, self.attention_blocks)
    if min(counts) < 0 or not any(counts):
      raise ValueError(
        f'conv_blocks, ssm_blocks and attention_blocks are {counts}, expected numbers from 0 on, '
        'not all 0; give at least one block'
      )
    frame = {
      'bidirectional': self.bidirectional,
      'dropout': self.dropout,
      'normalisation': self.normalisation,
    }
    parts = (
      conv.Backbone(self.conv_blocks, kernel_cm=self.kernel_cm, **frame, name='conv'),
      linoss.Backbone(self.ssm_blocks, state=self.state, **frame, name='ssm'),
      transformer.Backbone(self.attention_blocks, heads=self.heads, **frame, name='attention'),
    )
    for part, count in zip(parts, counts, strict=True):
      x_BxLxD = part(x_BxLxD, nu_L, mask_BxL, train) if count else x_BxLxD
    return x_BxLxD
