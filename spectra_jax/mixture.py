"""Mixture of experts: a feed-forward block in which each token takes two of E networks.

  p = softmax(norm(x) W)   in float32,     g_e = p_e / (p_a + p_b)  for the two largest, a and b,
  y = x + sum_e g_e MLP_e(norm(x)).

Balance of Switch (Fedus et al. 2022, arXiv 2101.03961) over the tokens of one example,

  balance = E sum_e f_e mean_T(p_e),   f_e = share of the example's choices that fell on e,

which is 1 where all experts are used alike and E / 2 where all tokens take the same two. Per
example, so that it is an output like any other: no state, no count over a batch or its devices.

Dispatch is dense: every expert computes every token and what is not chosen gets the weight 0. No
token is ever dropped and no expert has a capacity, at E / 2 times the work of a sparse dispatch,
which the sizes here (some hundred tokens, some experts) do not pay for.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from spectra_jax.backbones.transformer import mlp_width
from spectra_jax.blocks import normalise

CHOSEN = 2  # experts a token


def route(logits_BxTxE: jax.Array) -> tuple[jax.Array, jax.Array]:
  """(weights [B, T, E], CHOSEN of them above 0 and their sum 1; balance [B]) of a router."""
  share_BxTxE = jax.nn.softmax(logits_BxTxE.astype(jnp.float32))
  best_BxTxC, index_BxTxC = jax.lax.top_k(share_BxTxE, CHOSEN)
  experts = logits_BxTxE.shape[-1]
  chosen_BxTxE = jax.nn.one_hot(index_BxTxC, experts).sum(2)
  weight_BxTxE = chosen_BxTxE * share_BxTxE / best_BxTxC.sum(-1, keepdims=True)
  used_BxE = chosen_BxTxE.mean(1) / CHOSEN
  return weight_BxTxE, experts * (used_BxE * share_BxTxE.mean(1)).sum(-1)


class Mixture(nn.Module):
  """x_BxTxD -> (y_BxTxD, balance_B). Parameters: router [D, E], in [E, D, H], out [E, H, D].

  Attributes:
    experts: E; 0 = the model has no mixture.
    mlp_ratio: hidden channels of one expert over the width.
    normalisation: 'rms' or 'layer', before router and experts.
  """

  experts: int = 0
  mlp_ratio: float = 1.0
  normalisation: str = 'rms'

  @nn.compact
  def __call__(self, x_BxTxD: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Raises a ValueError for fewer experts than a token chooses."""
    if self.experts < CHOSEN:
      raise ValueError(
        f'experts is {self.experts}, expected at least the {CHOSEN} that a token takes; raise it, '
        'or set it to 0 in a config for a model without a mixture'
      )
    width, dtype = x_BxTxD.shape[-1], x_BxTxD.dtype
    hidden = mlp_width(width, self.mlp_ratio)
    u_BxTxD = normalise(self.normalisation, jnp.float32, 'norm')(x_BxTxD)
    logits_BxTxE = nn.Dense(self.experts, use_bias=False, name='router')(u_BxTxD)
    weight_BxTxE, balance_B = route(logits_BxTxE)
    initialise = nn.initializers.lecun_normal(batch_axis=0)
    w_in_ExDxH = self.param('in', initialise, (self.experts, width, hidden)).astype(dtype)
    w_out_ExHxD = self.param('out', initialise, (self.experts, hidden, width)).astype(dtype)
    h_BxTxExH = nn.gelu(jnp.einsum('btd,edh->bteh', u_BxTxD.astype(dtype), w_in_ExDxH))
    h_BxTxExH *= weight_BxTxE[..., None].astype(dtype)
    return x_BxTxD + jnp.einsum('bteh,ehd->btd', h_BxTxExH, w_out_ExHxD), balance_B
