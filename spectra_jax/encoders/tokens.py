"""Tokeniser and backbone, as config.tokenize and config.backbone describe them."""

import flax.linen as nn
import jax
import numpy as np


class Encoder(nn.Module):
  """tokenise -> backbone: whatever the grid, a feature every `tokenize.step_cm`.

  Attributes:
    tokenizer, backbone: modules.
  """

  tokenizer: nn.Module
  backbone: nn.Module

  def __call__(
    self,
    values_BxL: jax.Array,
    visible_BxL: jax.Array,
    kind_B: jax.Array,
    nu_L: np.ndarray,
    train: bool,
  ) -> jax.Array:
    """-> [B, T, D], T tokens of width D."""
    x_BxTxD = self.tokenizer(values_BxL, visible_BxL, kind_B, nu_L)
    every_BxT = np.ones(x_BxTxD.shape[:2], bool)  # what a token saw is in its channels
    return self.backbone(x_BxTxD, self.tokenizer.positions(nu_L), every_BxT, train)
