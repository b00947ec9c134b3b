"""The transformer: positions are wavenumbers, hidden tokens are seen by nobody, its block."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from spectra_jax.backbones.transformer import Backbone
from tests.parameters import draw

NU = np.arange(24) * 14.0 + 406.0
ALL = np.ones((2, 24), bool)


def tokens():
  return jax.random.normal(jax.random.key(0), (2, 24, 8))


@functools.cache
def backbone(**fields):
  """(apply(variables, x, nu, mask), variables) in evaluation mode."""
  module = Backbone(**{'blocks': 1, 'heads': 2, **fields})
  variables = draw(lambda key, x: module.init(key, x, NU, ALL, False), tokens())

  @functools.cache
  def compiled(nu):
    return jax.jit(lambda v, x, mask: module.apply(v, x, np.array(nu), mask, False))

  def apply(variables, x, nu=NU, mask=ALL):
    return compiled(tuple(nu))(variables, x, mask)

  return apply, variables


@pytest.mark.parametrize('mlp', ['gelu', 'swiglu'])
def test_block_is_its_formula(mlp):
  """Both residual branches in float64 from the backbone's parameters, pair by pair of tokens."""
  apply, variables = backbone(mlp=mlp)
  p, x = jax.tree.map(np.float64, (variables['params']['block_0'], tokens()))
  norm = lambda x, name: x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-6) * p[name]['scale']
  qkv = (norm(x, 'norm_attention') @ p['attention']['qkv']['kernel']).reshape(2, 24, 3, 2, 4)
  turn = np.exp(2j * np.pi * NU[:, None] / [56.0, 8000.0])[:, None]
  q, k = (turn * (part[..., :2] + 1j * part[..., 2:]) for part in (qkv[:, :, 0], qkv[:, :, 1]))
  weight = np.exp(np.einsum('bthf,bshf->bhts', q, k.conj()).real / 2)
  y = np.einsum('bhts,bshe->bthe', weight / weight.sum(-1, keepdims=True), qkv[:, :, 2])
  x = x + y.reshape(x.shape) @ p['attention']['out']['kernel']
  h = norm(x, 'norm_mlp') @ p['mlp']['in']['kernel'] + p['mlp']['in']['bias']
  if mlp == 'gelu':
    h = 0.5 * h * (1 + np.tanh(np.sqrt(2 / np.pi) * (h + 0.044715 * h**3)))
  else:
    h = h[..., :32] / (1 + np.exp(-h[..., :32])) * h[..., 32:]
  exact = x + h @ p['mlp']['out']['kernel'] + p['mlp']['out']['bias']
  np.testing.assert_allclose(apply(variables, tokens()), exact, atol=3e-5)


def test_only_differences_of_wavenumbers_count():
  apply, variables = backbone()
  y = apply(variables, tokens())
  np.testing.assert_allclose(apply(variables, tokens(), NU + 1234.5), y, atol=1e-5)
  assert np.abs(apply(variables, tokens(), NU * 1.1) - y).max() > 1e-2


@pytest.mark.parametrize('algorithm', ['plain', 'chunked'])
def test_half_the_token_step_gives_shared_tokens_the_same_output(algorithm):
  """Tokens between the old ones are hidden, whatever they hold."""
  apply, variables = backbone(algorithm=algorithm, blocks=2)
  fine = jax.random.normal(jax.random.key(3), (2, 48, 8)).at[:, ::2].set(tokens())
  hidden = np.arange(48) % 2 == 0
  y = apply(variables, fine, 406.0 + 7.0 * np.arange(48), np.tile(hidden, (2, 1)))
  np.testing.assert_allclose(y[:, ::2], apply(variables, tokens()), atol=1e-5)


def test_the_index_of_a_token_does_not_count():
  apply, variables = backbone()
  order = np.random.default_rng(1).permutation(24)
  turned = apply(variables, tokens()[:, order], NU[order])
  np.testing.assert_allclose(turned, apply(variables, tokens())[:, order], atol=1e-5)


def test_hidden_tokens_move_no_other_token():
  apply, variables = backbone()
  mask = ALL.copy()
  mask[0, 5:9] = False
  x = tokens()
  y, changed = (apply(variables, a, NU, mask) for a in (x, x.at[:, 5:9].add(1.0)))
  np.testing.assert_array_equal(changed[0, mask[0]], y[0, mask[0]])
  assert np.abs(changed - y)[0, 5:9].min() > 0
  assert np.abs(changed - y)[1].max(-1).min() > 1e-4


def test_one_direction_is_causal():
  apply, variables = backbone(bidirectional=False)
  x = tokens()
  change = np.abs(apply(variables, x.at[:, 11].add(1.0)) - apply(variables, x)).max((0, 2))
  np.testing.assert_array_equal(change[:11], 0)
  assert (change[11:] > 1e-5).all()


def test_bfloat16_activations_and_float32_parameters():
  apply, variables = backbone()
  x = tokens().astype(jnp.bfloat16)
  y, exact = apply(variables, x), np.asarray(apply(variables, x.astype(jnp.float32)))
  assert y.dtype == jnp.bfloat16
  assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {np.dtype('float32')}
  assert np.abs(np.float32(y) - exact).max() < 0.03 * np.abs(exact).max()


@pytest.mark.parametrize(
  ('fields', 'nu', 'sentence'),
  [
    ({'heads': 3}, NU, 'heads is 3 for a width of 8, expected a number whose double divides'),
    ({'heads': 8}, NU, 'heads is 8 for a width of 8'),
    ({'mlp': 'relu'}, NU, "unknown MLP 'relu': expected one of gelu, swiglu"),
    ({'mlp_ratio': 0.05}, NU, 'mlp_ratio is 0.05 for a width of 8, expected'),
    ({'period_min_cm': 0.0}, NU, 'the rotary periods are 0.0 to 8000.0 cm'),
    ({'period_min_cm': 9e3}, NU, 'expected 0 < period_min_cm <= period_max_cm'),
    ({'algorithm': 'flash'}, NU, "unknown attention algorithm 'flash'"),
    ({'normalisation': 'batch'}, NU, "unknown norm 'batch'"),
    ({}, None, 'nu_L is None for 24 tokens, expected one each'),
    ({}, NU[1:], 'nu_L is 23 wavenumbers for 24 tokens'),
  ],
)
def test_faults_are_refused(fields, nu, sentence):
  module = Backbone(**fields)
  with pytest.raises(ValueError, match=sentence):
    jax.eval_shape(lambda x: module.init(jax.random.key(0), x, nu, ALL, False), tokens())
