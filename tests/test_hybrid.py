"""The hybrid is the three backbones one after another, with their own parameters."""

import functools

import jax
import numpy as np
import pytest

from spectra_jax.backbones import conv, linoss, transformer
from spectra_jax.backbones.hybrid import Backbone
from tests.parameters import draw

NU = np.arange(20) * 14.0 + 406.0
MASK = np.arange(40).reshape(2, 20) % 3 > 0


def tokens():
  return jax.random.normal(jax.random.key(0), (2, 20, 4))


@functools.cache
def backbone(conv_blocks=1, ssm_blocks=1, attention_blocks=1, **fields):
  """(apply(variables, x), variables) in evaluation mode."""
  counts = (conv_blocks, ssm_blocks, attention_blocks)
  module = Backbone(*counts, kernel_cm=42.0, state=3, heads=2, **fields)
  initialise = lambda key, x: module.init(key, x, NU, MASK, False)
  apply = jax.jit(lambda v, x: module.apply(v, x, NU, MASK, False))
  return apply, draw(initialise, tokens())


@pytest.mark.parametrize('bidirectional', [True, False])
def test_hybrid_is_its_three_parts(bidirectional):
  apply, variables = backbone(bidirectional=bidirectional)
  frame = {'bidirectional': bidirectional}
  parts = {
    'conv': conv.Backbone(1, kernel_cm=42.0, **frame),
    'ssm': linoss.Backbone(1, state=3, **frame),
    'attention': transformer.Backbone(1, heads=2, **frame),
  }

  @jax.jit
  def chain(variables, x):
    for name, part in parts.items():
      x = part.apply({'params': variables['params'][name]}, x, NU, MASK, False)
    return x

  assert set(variables['params']) == set(parts)
  np.testing.assert_allclose(apply(variables, tokens()), chain(variables, tokens()), atol=1e-6)


def test_one_direction_is_causal():
  apply, variables = backbone(bidirectional=False)
  x = tokens()
  change = np.abs(apply(variables, x.at[:, 11].add(1.0)) - apply(variables, x)).max((0, 2))
  np.testing.assert_allclose(change[:11], 0, atol=1e-6)
  assert (change[11:] > 1e-5).all()


def test_a_part_without_blocks_is_left_out():
  apply, variables = backbone(conv_blocks=2, ssm_blocks=0, attention_blocks=0)
  assert set(variables['params']) == {'conv'}
  assert set(variables['params']['conv']) == {'block_0', 'block_1'}
  alone = lambda v, x: conv.Backbone(2, kernel_cm=42.0).apply(v, x, NU, MASK, False)
  y = jax.jit(alone)({'params': variables['params']['conv']}, tokens())
  np.testing.assert_allclose(apply(variables, tokens()), y, atol=1e-6)


@pytest.mark.parametrize('counts', [(0, 0, 0), (1, -1, 1)])
def test_impossible_numbers_of_blocks_are_refused(counts):
  with pytest.raises(ValueError, match='conv_blocks, ssm_blocks and attention_blocks are'):
    backbone(*counts)
