"""What follows the mixing layer of a residual block: GELU, dropout, gated linear unit, dropout."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

ROWS = 2048  # tokens in one piece of the backward pass on a CPU: its arrays then stay in the cache


def glu(both: jax.Array) -> jax.Array:
  """value * sigmoid(gate) of [value, gate], so that one matmul makes both: [.., 2D] -> [.., D]."""
  value, gate = jnp.split(both, 2, axis=-1)
  return value * nn.sigmoid(gate)


def gated(
  y_BxLxD: jax.Array,
  kernel_Dx2D: jax.Array,
  bias_2D: jax.Array,
  scale_in_Bx1xD: jax.Array,
  scale_out_Bx1xD: jax.Array,
) -> jax.Array:
  """scale_out * GLU((scale_in * GELU(y)) kernel + bias), [B, L, D] -> [B, L, D].

  The scales are dropout masks, 0 or 1 / (1 - rate), and carry no gradient. On a CPU the gradient
  runs over pieces of an example and recomputes them, so that nothing of this chain but y is kept
  from the forward pass: a third of the time of the plain one, most of which goes to memory.
  """
  scales = lax.stop_gradient((scale_in_Bx1xD, scale_out_Bx1xD))
  function = _by_pieces if jax.default_backend() == 'cpu' else _plain
  return function(y_BxLxD, kernel_Dx2D, bias_2D, *scales)


def _plain(y_BxLxD, kernel_Dx2D, bias_2D, scale_in_Bx1xD, scale_out_Bx1xD):
  both = (scale_in_Bx1xD * nn.gelu(y_BxLxD)) @ kernel_Dx2D + bias_2D
  return scale_out_Bx1xD * glu(both)


def _divisor(number, limit):
  """The largest divisor of `number` that is at most `limit`, and at least 1."""
  return max(n for n in range(1, max(limit, 1) + 1) if number % n == 0)


def _piece(batch, length):
  """(examples, tokens) of one piece: whole short examples, or an equal part of a long one."""
  if length <= ROWS:
    return _divisor(batch, ROWS // length), length
  tokens = _divisor(length, ROWS)
  return 1, tokens if 16 * tokens >= ROWS else length  # a length with no useful divisor stays whole


@jax.custom_vjp
def _by_pieces(*arrays):
  return _plain(*arrays)


def _backward(arrays, dout_BxLxD):
  y_BxLxD, kernel_Dx2D, bias_2D, *scales = arrays
  batch, length, width = y_BxLxD.shape
  examples, tokens = _piece(batch, length)
  cut = lambda a_BxLxD: a_BxLxD.reshape(-1, examples * tokens, width)

  def of_piece(scale):
    scale_BxD = jnp.broadcast_to(scale[:, 0], (batch, width))
    return jnp.repeat(scale_BxD, length // tokens, axis=0).reshape(-1, examples, width)

  def one_piece(i, carry):
    sums, rows_NxRxD = carry
    of_row = [jnp.repeat(scale_NxExD[i], tokens, axis=0) for scale_NxExD in scales_of_pieces]
    run = lambda *learned: _plain(*learned, *of_row)
    dy_RxD, *both = jax.vjp(run, rows_NxRxD[i], kernel_Dx2D, bias_2D)[1](dout_NxRxD[i])
    # In the place of y, which is not needed again: memory of its own would cost a tenth.
    return jax.tree.map(jnp.add, sums, both), rows_NxRxD.at[i].set(dy_RxD)

  dout_NxRxD, scales_of_pieces = cut(dout_BxLxD), [of_piece(scale) for scale in scales]
  zeros = [jnp.zeros(a.shape, jnp.promote_types(a.dtype, jnp.float32)) for a in arrays[1:3]]
  both, dy = lax.fori_loop(0, len(dout_NxRxD), one_piece, (zeros, cut(y_BxLxD)))
  learned = (sums.astype(a.dtype) for sums, a in zip(both, arrays[1:3], strict=True))
  return dy.reshape(y_BxLxD.shape), *learned, *map(jnp.zeros_like, scales)


_by_pieces.defvjp(lambda *arrays: (_plain(*arrays), arrays), _backward)
