"""What every scan checks first, and how a sequence is cut into chunks that stay in the cache."""

import numbers
from collections.abc import Container

import jax
import jax.numpy as jnp
from jax import lax

_ROWS = 2048  # tokens times batch in one chunk: its channels then stay in the L2 cache
_LEAST, _MOST = 16, 512  # tokens


def check(algorithm: str, known: Container[str], length: int, chunk: int | None) -> None:
  """Raises a ValueError on an unknown algorithm, an empty sequence or a chunk that is none."""
  if algorithm not in known:
    raise ValueError(
      f'unknown scan algorithm {algorithm!r}: expected one of {sorted(known)}; '
      'set `algorithm` to one of them'
    )
  integer = isinstance(chunk, numbers.Integral) and not isinstance(chunk, bool)
  if chunk is not None and not (integer and chunk >= 1):
    raise ValueError(
      f'chunk is {chunk!r}: expected an integer of at least 1, tokens in one chunk; set `chunk` to '
      'one, or to None for the default'
    )
  if length == 0:
    raise ValueError(
      'the sequence has length 0: expected at least one token; leave the call out, the state stays'
    )


def plan(length: int, batch: int, chunk: int | None) -> list[tuple[int, slice]]:
  """Equal chunks, then what is left over: [(tokens of a chunk, the tokens it stands for), ...].

  `chunk` is the longest allowed; None takes clip(2048 / batch, 16, 512), or up to a third less
  where nothing is then left over: what is left costs a pass of its own and copies of all tokens.
  """
  longest = min(max(_ROWS // batch, _LEAST), _MOST) if chunk is None else chunk
  chunks = -(-length // longest)
  if chunk is None:
    even = (n for n in range(chunks, chunks * 3 // 2 + 1) if length % n == 0)
    chunks = next(even, chunks)
  whole = length // chunks * chunks
  parts = [(length // chunks, slice(0, whole)), (length - whole, slice(whole, length))]
  return parts if whole < length else parts[:1]


def cut(a_BxLxD: jax.Array, i: jax.Array, tokens: int) -> jax.Array:
  """Chunk i as rows [tokens * B, D], time first."""
  part_BxTxD = lax.dynamic_slice_in_dim(a_BxLxD, i * tokens, tokens, axis=1)
  return jnp.swapaxes(part_BxTxD, 0, 1).reshape(-1, a_BxLxD.shape[2])


def paste(a_BxLxD: jax.Array, rows_RxD: jax.Array, i: jax.Array, tokens: int) -> jax.Array:
  """`a_BxLxD` with its chunk i replaced by rows [tokens * B, D], in place where XLA can."""
  part_TxBxD = rows_RxD.reshape(tokens, -1, a_BxLxD.shape[2])
  return lax.dynamic_update_slice_in_dim(a_BxLxD, jnp.swapaxes(part_TxBxD, 0, 1), i * tokens, 1)
