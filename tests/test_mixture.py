"""Two experts a token, by an explicit loop; the balance at its ends."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from spectra_jax.mixture import Mixture, route
from tests.parameters import draw


def tokens(shape=(3, 7, 6)):
  return jnp.asarray(np.random.default_rng(0).normal(size=shape), jnp.float32)


def test_weights_are_two_a_token_and_sum_to_one():
  logits = np.float32(3 * np.random.default_rng(1).normal(size=(4, 9, 5)))
  weights, balance = (np.asarray(a) for a in jax.jit(route)(logits))
  np.testing.assert_array_equal((weights > 0).sum(-1), 2)
  np.testing.assert_allclose(weights.sum(-1), 1, rtol=1e-6)
  order = np.argsort(logits, -1)[..., ::-1]
  pairs = np.take_along_axis(weights, order[..., :2], -1)
  gap = np.diff(np.take_along_axis(np.asarray(logits), order[..., :2], -1))[..., 0]
  np.testing.assert_allclose(pairs[..., 1] / pairs[..., 0], np.exp(gap), rtol=1e-5)
  assert (balance >= 0.9).all()
  assert (balance <= 2.5).all()


def test_balance_is_one_for_even_routing_and_half_the_experts_for_the_same_two():
  logits = np.zeros((3, 8, 4), np.float32)
  for token in range(8):
    logits[1, token, [token % 4, (token + 1) % 4]] = 50  # each pair in turn
  logits[2, :, :2] = 50  # always the same pair
  np.testing.assert_allclose(jax.jit(route)(logits)[1], [1, 1, 2], rtol=1e-6)


def test_the_block_is_the_loop_over_chosen_experts():
  module, x = Mixture(experts=4, mlp_ratio=2.0), tokens()
  variables = draw(lambda key, x: module.init(key, x), x)
  y, balance = jax.jit(module.apply)(variables, x)
  p = jax.tree.map(np.float64, variables['params'])
  u = np.float64(x) / np.sqrt((np.float64(x) ** 2).mean(-1, keepdims=True) + 1e-6)
  u *= p['norm']['scale']
  want = np.float64(x)
  for place in np.ndindex(*x.shape[:2]):
    logits = u[place] @ p['router']['kernel']
    a, b = np.argsort(logits)[:-3:-1]
    share = np.exp(logits[[a, b]] - logits.max())
    for expert, weight in zip((a, b), share / share.sum(), strict=True):
      hidden = np.asarray(jax.nn.gelu(u[place] @ p['in'][expert]))
      want[place] += weight * (hidden @ p['out'][expert])
  np.testing.assert_allclose(y, want, atol=2e-5)
  assert balance.shape == (3,)


def test_routing_learns_from_the_output_and_from_the_balance():
  module, x = Mixture(experts=4), tokens()
  variables = draw(lambda key, x: module.init(key, x), x)
  both = lambda v: jnp.stack([(module.apply(v, x)[0] ** 2).sum(), module.apply(v, x)[1].sum()])
  stacked = jax.jit(jax.jacrev(both))(variables)
  output, balance = (jax.tree.map(lambda a, i=i: a[i], stacked) for i in (0, 1))
  for gradient in (output, balance):
    assert np.abs(gradient['params']['router']['kernel']).max() > 1e-3
  for leaf in jax.tree.leaves(output):
    assert np.abs(leaf).max() > 0


def test_routing_is_float32_whatever_the_tokens_are():
  module, x = Mixture(experts=4), tokens().astype(jnp.bfloat16)
  variables = draw(lambda key, x: module.init(key, x), x)
  apply = jax.jit(module.apply)
  y, balance = apply(variables, x)
  whole, exact = apply(variables, x.astype(jnp.float32))
  assert (y.dtype, balance.dtype) == (jnp.bfloat16, jnp.float32)
  np.testing.assert_array_equal(balance, exact)
  np.testing.assert_allclose(y.astype(jnp.float32), whole, rtol=0.05, atol=0.05)


def test_one_expert_is_refused():
  with pytest.raises(ValueError, match='experts is 1, expected at least the 2'):
    Mixture(experts=1).init(jax.random.key(0), tokens())
