"""A stack of D-LinOSS blocks, one direction, with dropout: ours against published algorithms.

  fused        spectra_jax.backbones.linoss; inference runs chunk by chunk through all blocks.
  associative  the published scan in the same blocks (norm, gated unit, dropout rate, random bits,
               one matmul for both halves of the gate), written plainly and left to XLA.
  published    the block of the paper as well: BatchNorm without scale and offset, a random bit for
               each value, two matmuls for the gate.

Training is the gradient of the mean square of the output by all parameters and the input. All
three start from the same parameters; the outputs of the first two are compared.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from absl import flags

from experiments import timing
from spectra_jax.backbones import linoss
from spectra_jax.blocks import normalise
from spectra_jax.dropout import ExampleDropout, example_keys

_BLOCKS = flags.DEFINE_integer('blocks', 4, 'blocks of the stack', lower_bound=1)


class Plain(nn.Module):
  """The blocks of `linoss.Backbone` with the same parameters and bits, written out."""

  backbone: linoss.Backbone

  @nn.compact
  def __call__(self, x_BxLxD, train):
    for i in range(self.backbone.blocks):
      x_BxLxD = PlainBlock(self.backbone, name=f'block_{i}')(x_BxLxD, train)
    return x_BxLxD


class PlainBlock(nn.Module):
  backbone: linoss.Backbone

  @nn.compact
  def __call__(self, x_BxLxD, train):
    dropout = self.backbone.dropout
    norm = normalise(self.backbone.normalisation, x_BxLxD.dtype, 'norm')
    y_BxLxD = self.backbone.layer()(reverse=False, name='forward')(norm(x_BxLxD))
    y_BxLxD = ExampleDropout(dropout, name='dropout_state')(nn.gelu(y_BxLxD), train)
    both = nn.Dense(2 * x_BxLxD.shape[-1], name='glu')(y_BxLxD)
    value_BxLxD, gate_BxLxD = jnp.split(both, 2, axis=-1)
    y_BxLxD = value_BxLxD * nn.sigmoid(gate_BxLxD)
    return x_BxLxD + ExampleDropout(dropout, name='dropout_glu')(y_BxLxD, train)


class Published(nn.Module):
  """The stack of arXiv 2505.12171: batch statistics in training, running ones in inference."""

  backbone: linoss.Backbone

  @nn.compact
  def __call__(self, x_BxLxD, train):
    plain = {'use_running_average': not train, 'use_bias': False, 'use_scale': False}
    for i in range(self.backbone.blocks):
      drop = nn.Dropout(self.backbone.dropout, deterministic=not train)
      y_BxLxD = nn.BatchNorm(**plain, name=f'norm_{i}')(x_BxLxD)
      y_BxLxD = self.backbone.layer()(reverse=False, name=f'layer_{i}')(y_BxLxD)
      y_BxLxD = drop(nn.gelu(y_BxLxD))
      value_BxLxD, gate_BxLxD = (nn.Dense(y_BxLxD.shape[-1])(y_BxLxD) for _ in range(2))
      x_BxLxD = x_BxLxD + drop(value_BxLxD * nn.sigmoid(gate_BxLxD))
    return x_BxLxD


def _ours(backbone, variables, u_BxLxD, keys_B):
  """{'inference_fused': (function, arguments), 'training_fused': ...}."""
  whole = lambda v, u, keys: backbone.apply(v | example_keys(keys), u, None, None, True)
  return {
    'inference_fused': (backbone.in_chunks, (variables, u_BxLxD)),
    'training_fused': (timing.mean_square(whole), (variables, u_BxLxD, keys_B)),
  }


def _same_settings(backbone, variables, u_BxLxD, keys_B):
  module = Plain(backbone)
  train = lambda v, u, keys: module.apply(v | example_keys(keys), u, True)
  return {
    'inference_associative': (lambda v, u: module.apply(v, u, False), (variables, u_BxLxD)),
    'training_associative': (timing.mean_square(train), (variables, u_BxLxD, keys_B)),
  }


def _as_published(backbone, u_BxLxD):
  module = Published(backbone)
  variables = jax.jit(lambda key, u: module.init(key, u, False))(jax.random.key(0), u_BxLxD)
  statistics = {'batch_stats': variables['batch_stats']}

  def train(v, u, key):
    rngs = {'dropout': key}
    return module.apply(v | statistics, u, True, mutable=['batch_stats'], rngs=rngs)[0]

  inference = lambda v, u: module.apply(v, u, False)
  learned = {'params': variables['params']}
  return {
    'inference_published': (inference, (variables, u_BxLxD)),
    'training_published': (timing.mean_square(train), (learned, u_BxLxD, jax.random.key(1))),
  }


def run() -> dict:
  """Times, temporary memory and ratios of the whole stack at --shape."""
  (batch, length, width, state), rate = timing.shape(), timing.DROPOUT.value
  u_BxLxD = np.random.default_rng(0).standard_normal((batch, length, width), np.float32)
  keys_B = jax.random.split(jax.random.key(1), batch)
  make = lambda algorithm: linoss.Backbone(
    blocks=_BLOCKS.value,
    bidirectional=False,
    dropout=rate,
    state=state,
    algorithm=algorithm,
  )
  ours, published = make('fused'), make('associative')
  initialise = jax.jit(lambda key, u: ours.init(key, u, None, None, False))
  variables = initialise(jax.random.key(0), u_BxLxD)
  functions = _ours(ours, variables, u_BxLxD, keys_B)
  functions |= _same_settings(published, variables, u_BxLxD, keys_B)
  outputs = [jax.jit(f)(*given)[0] for f, given in (functions[k] for k in _TRAINING)]
  functions |= _as_published(published, u_BxLxD)
  measured = timing.interleaved(functions, timing.ROUNDS.value)
  ratio = lambda what, other, key='ms': timing.ratio(
    measured, f'{what}_{other}', f'{what}_fused', key
  )
  return {
    'case': ','.join(
      [*timing.SHAPE.value, f'blocks={_BLOCKS.value}', f'dropout={timing.DROPOUT.value}']
    ),
    'rounds': timing.ROUNDS.value,
    'ratio_inference': ratio('inference', 'associative'),
    'ratio_training': ratio('training', 'associative'),
    'ratio_memory': ratio('training', 'associative', 'temp_mib'),
    'ratio_inference_published_settings': ratio('inference', 'published'),
    'ratio_training_published_settings': ratio('training', 'published'),
    'loss_difference': float(abs(outputs[0] / outputs[1] - 1)),
    'measured': measured,
  }


_TRAINING = ('training_fused', 'training_associative')


def lines(result: dict) -> list[str]:
  """The result as a table."""
  keys = [key for key in result if key.startswith(('ratio', 'loss'))]
  return [
    f'stack (B,L,D,P) = {result["case"]} on {result["device"]}',
    *timing.table(result['measured']),
    *(f'{key:38} {result[key]:.3g}' for key in keys),
  ]
