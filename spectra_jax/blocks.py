"""The residual frame of recurrent backbones, and their three ways to run.

  whole sequence  `backbone(x_BxLxD, nu_L, mask_BxL, train)`, in parallel along L, both directions.
  chunk by chunk  `backbone.extend(state, x_BxTxD) -> (state, y_BxTxD)`, any T, one direction.
  token by token  `backbone.step(state, x_BxD) -> (state, y_BxD)`, O(1) state.

A state is a pytree that `rest` makes and nobody else looks into. A new recurrence is a linen module
`layer` with `reverse` among its fields and one compact method,

  advance(state, u_BxTxD) -> (state, y_BxTxD),

that goes on from `state` (None = at rest) along T, from the last token to the first if `reverse`.
At rest a state is zero.
"""

import abc
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from spectra_jax import gate
from spectra_jax.dropout import ExampleDropout

State = Any


class RMSNorm(nn.Module):
  """x / sqrt(mean_D(x^2) + 1e-6) * scale in float32, [.., D] -> [.., D] in `dtype`.

  As `nn.RMSNorm`, parameter and values, in an order that XLA on a CPU fuses: its gradient takes two
  thirds of the time and memory.
  """

  dtype: jnp.dtype

  @nn.compact
  def __call__(self, x_BxLxD: jax.Array) -> jax.Array:
    scale_D = self.param('scale', nn.initializers.ones, (x_BxLxD.shape[-1],))
    x_BxLxD = x_BxLxD.astype(jnp.promote_types(x_BxLxD.dtype, jnp.float32))
    mean_BxLx1 = jnp.mean(x_BxLxD * x_BxLxD, axis=-1, keepdims=True)
    return (x_BxLxD * jax.lax.rsqrt(mean_BxLx1 + 1e-6) * scale_D).astype(self.dtype)


NORMS = {'rms': RMSNorm, 'layer': nn.LayerNorm}


def normalise(kind: str, dtype: jnp.dtype, name: str) -> nn.Module:
  """RMSNorm or LayerNorm over the channels, statistics in float32.

  Raises:
    ValueError: another kind.
  """
  if kind not in NORMS:
    raise ValueError(
      f'unknown norm {kind!r}: expected one of {", ".join(NORMS)}; set `normalisation` to one'
    )
  return NORMS[kind](dtype=dtype, name=name)


class Gate(nn.Module):
  """x + dropout(GLU(dropout(GELU(y)))); parameters kernel [D, 2D] and bias of both halves."""

  @nn.compact
  def __call__(
    self, x_BxLxD: jax.Array, y_BxLxD: jax.Array, scale_in: jax.Array, scale_out: jax.Array
  ) -> jax.Array:
    width, dtype = x_BxLxD.shape[-1], x_BxLxD.dtype
    kernel_Dx2D = self.param('kernel', nn.initializers.lecun_normal(), (width, 2 * width))
    bias_2D = self.param('bias', nn.initializers.zeros, (2 * width,))
    weights = (kernel_Dx2D.astype(dtype), bias_2D.astype(dtype))
    return x_BxLxD + gate.gated(y_BxLxD, *weights, scale_in, scale_out)


class Block(nn.Module):
  """x + dropout(GLU(dropout(GELU(layer(norm(x)))))); the directions of the layer are summed.

  Attributes:
    layer: (reverse=, name=) -> the module of one direction.
    bidirectional: a second one runs from the last token to the first.
    dropout: rate of both dropouts, dimensionless.
    normalisation: 'rms' or 'layer'.
  """

  layer: Callable[..., nn.Module]
  bidirectional: bool
  dropout: float
  normalisation: str

  @nn.compact
  def advance(
    self, state: State, x_BxTxD: jax.Array, train: bool, exists_BxT: jax.Array | None = None
  ) -> tuple[State, jax.Array]:
    """The next T tokens from `state`, [B, T, D] -> [B, T, D]; None starts at rest.

    The layer sees zeros where `exists_BxT` is False; None = all tokens exist.
    """
    u_BxTxD = normalise(self.normalisation, x_BxTxD.dtype, 'norm')(x_BxTxD)
    if exists_BxT is not None:
      u_BxTxD = jnp.where(exists_BxT[..., None], u_BxTxD, 0)
    state, y_BxTxD = self.layer(reverse=False, name='forward').advance(state, u_BxTxD)
    if self.bidirectional:
      y_BxTxD += self.layer(reverse=True, name='backward').advance(None, u_BxTxD)[1]
    scale_in = ExampleDropout(self.dropout, name='dropout_state').scale(y_BxTxD, train)
    scale_out = ExampleDropout(self.dropout, name='dropout_glu').scale(y_BxTxD, train)
    return state, Gate(name='glu')(x_BxTxD, y_BxTxD, scale_in, scale_out)


class Recurrent(nn.Module, abc.ABC):
  """Stack of blocks around one kind of recurrence, x_BxLxD -> x_BxLxD; a subclass gives `layer`.

  Nothing here depends on the index of a token: shifting the tokens shifts the output, and the
  tokeniser fixes what one token is in cm^-1. Masked tokens are filtered like any other; that a
  token is hidden reaches the layer only as what the tokeniser put into x. There is no norm after
  the last block, so amplitudes pass through. Activations have the dtype of x (bfloat16 allowed);
  recurrences and all parameters are float32.

  Attributes:
    blocks: number of blocks.
    bidirectional: each block also runs from the last token to the first; such a stack cannot
      stream.
    dropout: rate of the two dropouts of a block, dimensionless.
    normalisation: 'rms' or 'layer', before each layer.
  """

  blocks: int = 2
  bidirectional: bool = True
  dropout: float = 0.0
  normalisation: str = 'rms'

  @nn.nowrap
  @abc.abstractmethod
  def layer(self) -> Callable[..., nn.Module]:
    """(reverse=, name=) -> the module of one direction of one block."""

  @nn.nowrap
  def block(self) -> type[nn.Module]:
    """What surrounds a layer: a module with the fields and the `advance` of `Block`."""
    return Block

  def __call__(
    self, x_BxLxD: jax.Array, nu_L: jax.Array, mask_BxL: jax.Array, train: bool
  ) -> jax.Array:
    """[B, L, D] -> [B, L, D]; nu_L [cm^-1] and mask_BxL (True = visible) are not used.

    Raises:
      ValueError: an option is unknown or out of range, or dropout runs without per-example keys.
    """
    del nu_L, mask_BxL
    return self._advance(None, x_BxLxD, train)[1]

  def extend(self, state: State, x_BxTxD: jax.Array) -> tuple[State, jax.Array]:
    """The next T tokens of B spectra, [B, T, D] -> [B, T, D], without dropout.

    Raises:
      ValueError: the stack runs in both directions.
    """
    if self.bidirectional:
      raise ValueError(
        f'{type(self).__module__.split(".")[-1]} has bidirectional = True and needs the whole '
        'spectrum before its first output, so that it cannot stream; train it with '
        'bidirectional = False'
      )
    return self._advance(state, x_BxTxD, False)

  def step(self, state: State, x_BxD: jax.Array) -> tuple[State, jax.Array]:
    """The next token of B spectra, [B, D] -> [B, D]; see `extend`."""
    state, y_Bx1xD = self.extend(state, x_BxD[:, None])
    return state, y_Bx1xD[:, 0]

  @nn.nowrap
  def rest(self, variables: Any, x_BxTxD: jax.Array) -> State:
    """The state before the first token: zeros, for the batch, width and dtype of `x_BxTxD`."""
    run = lambda v, x: self.apply(v, None, x[:, :1], method='extend')[0]
    shapes = jax.eval_shape(run, variables, x_BxTxD)
    return jax.tree.map(lambda a: jnp.zeros(a.shape, a.dtype), shapes)

  @nn.nowrap
  def in_chunks(self, variables: Any, x_BxLxD: jax.Array, chunk: int | None = None) -> jax.Array:
    """The whole sequence chunk by chunk through all blocks, [B, L, D] -> [B, L, D], for inference.

    Only the activations of one chunk exist at a time. `chunk` is in tokens; None takes 2048 / B,
    which stays in a CPU's cache.

    Raises:
      ValueError: the stack runs in both directions, or chunk is below 1.
    """
    batch, length, width = x_BxLxD.shape
    chunk = min(max(2048 // batch, 16) if chunk is None else chunk, length)
    if chunk < 1:
      raise ValueError(f'chunk is {chunk} tokens, expected at least 1; raise it')
    extend = lambda state, x: self.apply(variables, state, x, method='extend')
    whole = length // chunk * chunk
    parts_NxBxTxD = x_BxLxD[:, :whole].reshape(batch, -1, chunk, width).swapaxes(0, 1)
    state, y_NxBxTxD = jax.lax.scan(extend, self.rest(variables, x_BxLxD), parts_NxBxTxD)
    y_BxWxD = y_NxBxTxD.swapaxes(0, 1).reshape(batch, whole, width)
    if whole == length:
      return y_BxWxD
    return jnp.concatenate((y_BxWxD, extend(state, x_BxLxD[:, whole:])[1]), axis=1)

  @nn.compact
  def _advance(self, states, x_BxTxD, train, *exists):
    states, after = states or [None] * self.blocks, []
    for i, state in enumerate(states):
      parts = (self.layer(), self.bidirectional, self.dropout, self.normalisation)
      block = self.block()(*parts, name=f'block_{i}')
      state, x_BxTxD = block.advance(state, x_BxTxD, train, *exists)
      after.append(state)
    return after, x_BxTxD
