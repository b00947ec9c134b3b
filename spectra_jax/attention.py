"""Softmax attention along the token axis with rotary phases in cm^-1: no parameters, no flax.

  y_t = sum_s p_ts v_s,   p_ts = exp(l_ts) / sum_s' exp(l_ts'),   l_ts = q_t . k_s / sqrt(E),

over visible keys s (s <= t if causal). A query that sees no key gets zeros. Shapes: B batch, L
tokens, H heads, E channels of a head, C tokens of a chunk, N chunks.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

ALGORITHMS = ('auto', 'plain', 'chunked', 'cudnn')
_CHUNK = {'cpu': 128}  # tokens in a chunk: the logits of a pair then stay in the L2 cache
_CHUNK_ELSEWHERE = 512  # an accelerator wants larger matmuls
_PLAIN_ELSEWHERE = 4096  # tokens whose logits fit into the memory of an accelerator
_HIDDEN = -1e30  # logit of a key that must not be seen; far below _LOWEST, so exp gives zero
_LOWEST = -1e20  # running maximum before the first key


def rotary_phases(nu_L: np.ndarray, periods_F: np.ndarray) -> np.ndarray:
  """2 pi nu / period in [0, 2 pi): wavenumbers and periods in cm^-1 -> [L, F] radians.

  In float64 on the host, since 4000 cm^-1 are many turns. (Su et al. 2021, arXiv 2104.09864, where
  the phase counts tokens.)
  """
  turns_LxF = np.asarray(nu_L, np.float64)[:, None] / periods_F
  return 2 * np.pi * (turns_LxF - np.floor(turns_LxF))


def rotate(x_BxLxHxE: jax.Array, phases_LxF: np.ndarray) -> jax.Array:
  """Turns the pairs (x_f, x_{f + E/2}) by their phase: dot products see phase differences only.

  Shapes [B, L, H, E] and [L, F = E/2]; in float32 where x is narrower, returned in its dtype.
  """
  dtype = jnp.promote_types(x_BxLxHxE.dtype, jnp.float32)
  cos_Lx1xF, sin_Lx1xF = (f(phases_LxF)[:, None].astype(dtype) for f in (np.cos, np.sin))
  a, b = jnp.split(x_BxLxHxE.astype(dtype), 2, axis=-1)
  turned = (a * cos_Lx1xF - b * sin_Lx1xF, a * sin_Lx1xF + b * cos_Lx1xF)
  return jnp.concatenate(turned, -1).astype(x_BxLxHxE.dtype)


def attend(
  q_BxLxHxE: jax.Array,
  k_BxLxHxE: jax.Array,
  v_BxLxHxE: jax.Array,
  visible_BxL: jax.Array | None = None,
  *,
  causal: bool = False,
  algorithm: str = 'auto',
  chunk: int | None = None,
) -> jax.Array:
  """y_BxLxHxE of the module docstring, in the dtype of v; softmax and sums in float32 at least.

    plain    `jax.nn.dot_product_attention` by XLA: holds all L^2 logits.
    chunked  pairs of chunks one after another with a running maximum and sum (Milakov & Gimelshein
             2018, arXiv 1805.02867; Dao et al. 2022, arXiv 2205.14135); the gradient recomputes the
             logits of a pair, so memory is O(B L D). Reverse mode of any order, no forward mode.
    cudnn    the same idea in one GPU kernel; float16 and bfloat16.
    auto     cudnn on a GPU for half precision and heads of 8, 16, ... 128 channels; else plain for
             one chunk on a CPU and up to 4096 tokens elsewhere, and chunked beyond. (On two CPU
             cores at B, L, H, E = 4, 2048, 4, 16 chunked trains ten times as fast as plain.)

  Args:
    q_BxLxHxE, k_BxLxHxE, v_BxLxHxE: queries, keys, values.
    visible_BxL: keys that may be seen; None is all of them.
    causal: no query sees a later key.
    algorithm: one of the above.
    chunk: most tokens in a chunk of `chunked`; None takes 128 on a CPU and 512 elsewhere.

  Raises:
    ValueError: the algorithm is unknown.
  """
  if algorithm not in ALGORITHMS:
    raise ValueError(
      f'unknown attention algorithm {algorithm!r}: expected one of {sorted(ALGORITHMS)}; '
      'set `algorithm` to one of them'
    )
  backend = jax.default_backend()
  chunk = _CHUNK.get(backend, _CHUNK_ELSEWHERE) if chunk is None else chunk
  if algorithm == 'auto':
    algorithm = _choose(backend, chunk, q_BxLxHxE)
  if algorithm == 'chunked':
    return _chunked(q_BxLxHxE, k_BxLxHxE, v_BxLxHxE, visible_BxL, causal, chunk)
  implementation = 'xla' if algorithm == 'plain' else 'cudnn'
  return _whole(q_BxLxHxE, k_BxLxHxE, v_BxLxHxE, visible_BxL, causal, implementation)


def _choose(backend, chunk, q_BxLxHxE):
  _, length, _, channels = q_BxLxHxE.shape
  half = q_BxLxHxE.dtype in (jnp.bfloat16, jnp.float16)
  if backend == 'gpu' and half and channels % 8 == 0 and channels <= 128:
    return 'cudnn'
  plain = length <= (chunk if backend == 'cpu' else _PLAIN_ELSEWHERE)
  return 'plain' if plain else 'chunked'


def _whole(q_BxLxHxE, k_BxLxHxE, v_BxLxHxE, visible_BxL, causal, implementation):
  mask = None if visible_BxL is None else visible_BxL[:, None, None]
  options = {'mask': mask, 'is_causal': causal, 'implementation': implementation}
  y_BxLxHxE = jax.nn.dot_product_attention(q_BxLxHxE, k_BxLxHxE, v_BxLxHxE, **options)
  if visible_BxL is None:
    return y_BxLxHxE
  along = lax.cummax if causal else functools.partial(jnp.max, keepdims=True)
  seen_BxL = along(visible_BxL.astype(jnp.int8), axis=1) > 0  # else the softmax of nothing is even
  return jnp.where(seen_BxL[:, :, None, None], y_BxLxHxE, 0)


class _Tiles(NamedTuple):
  """What the loop over pairs knows before the arrays."""

  causal: bool
  chunk: int
  count: int

  def pairs(self):
    """Query chunks and key chunks of all pairs with something to see: two index arrays."""
    of_query, of_key = np.indices((self.count, self.count)).reshape(2, -1)
    seen = of_query >= (of_key if self.causal else 0)
    return of_query[seen], of_key[seen]


def _chunked(q_BxLxHxE, k_BxLxHxE, v_BxLxHxE, visible_BxL, causal, chunk):
  batch, length, heads, _ = q_BxLxHxE.shape
  count = -(-length // chunk)
  size = -(-length // count)
  tiles = _Tiles(causal, size, count)
  dtype = jnp.promote_types(v_BxLxHxE.dtype, jnp.float32)
  if visible_BxL is None:
    visible_BxL = np.ones((batch, length), bool)

  def cut(a_BxLx):
    """[B, L, ...] -> [N, B, C, ...], zeros at the end."""
    padding = [(0, 0)] * a_BxLx.ndim
    padding[1] = (0, tiles.count * size - length)
    parts = jnp.pad(a_BxLx, padding).reshape(batch, tiles.count, size, *a_BxLx.shape[2:])
    return jnp.moveaxis(parts, 1, 0)

  chunks = (jnp.swapaxes(cut(a.astype(dtype)), 2, 3) for a in (q_BxLxHxE, k_BxLxHxE, v_BxLxHxE))
  y_NxBxHxCxE = _tiled(tiles, *chunks, cut(visible_BxL))
  y_BxNxCxHxE = y_NxBxHxCxE.transpose(1, 0, 3, 2, 4)
  y_BxLxHxE = y_BxNxCxHxE.reshape(batch, -1, heads, v_BxLxHxE.shape[3])[:, :length]
  return y_BxLxHxE.astype(v_BxLxHxE.dtype)


def _at(arrays, i):
  return [lax.dynamic_index_in_dim(a, i, keepdims=False) for a in arrays]


def _put(arrays, parts, i):
  return [lax.dynamic_update_index_in_dim(a, p, i, 0) for a, p in zip(arrays, parts, strict=True)]


def _logits(tiles, q_BxHxCxE, k_BxHxCxE, visible_BxC, i, j):
  """Logits of query chunk i and key chunk j, [B, H, C, C], _HIDDEN where nothing may be seen."""
  logits = jnp.einsum('bhte,bhse->bhts', q_BxHxCxE, k_BxHxCxE) * q_BxHxCxE.shape[-1] ** -0.5
  allowed = visible_BxC[:, None, None]
  if tiles.causal:
    t, s = (c * tiles.chunk + np.arange(tiles.chunk) for c in (i, j))
    allowed = allowed & (t[:, None] >= s)
  return jnp.where(allowed, logits, _HIDDEN)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _tiled(tiles, q_NxBxHxCxE, k_NxBxHxCxE, v_NxBxHxCxE, visible_NxBxC):
  return _tiled_forward(tiles, q_NxBxHxCxE, k_NxBxHxCxE, v_NxBxHxCxE, visible_NxBxC)[0]


def _tiled_forward(tiles, *inputs):
  q_NxBxHxCxE, k_NxBxHxCxE, v_NxBxHxCxE, visible_NxBxC = inputs

  def add(carry, pair):
    i, j = pair
    (q, highest, weight, total), (k, v, visible) = (
      _at((q_NxBxHxCxE, *carry), i),
      _at((k_NxBxHxCxE, v_NxBxHxCxE, visible_NxBxC), j),
    )
    logits = _logits(tiles, q, k, visible, i, j)
    higher = jnp.maximum(highest, logits.max(-1))
    shrink, p = jnp.exp(highest - higher), jnp.exp(logits - higher[..., None])
    total = total * shrink[..., None] + jnp.einsum('bhts,bhse->bhte', p, v)
    return _put(carry, (higher, weight * shrink + p.sum(-1), total), i), None

  zero_NxBxHxC = jnp.zeros_like(q_NxBxHxCxE[..., 0])
  rest = [zero_NxBxHxC + _LOWEST, zero_NxBxHxC, jnp.zeros_like(v_NxBxHxCxE)]
  highest, weight, total = lax.scan(add, rest, tiles.pairs())[0]
  weight, some = jnp.where(weight > 0, weight, 1), weight > 0
  y_NxBxHxCxE = total / weight[..., None]
  scale_NxBxHxC = jnp.where(some, highest + jnp.log(weight), 0)
  return y_NxBxHxCxE, (*inputs, y_NxBxHxCxE, scale_NxBxHxC)


def _tiled_backward(tiles, kept, g_NxBxHxCxE):
  """dl = p (dL/dp - y . dL/dy) with p = exp(l - scale) again, pair by pair."""
  q_NxBxHxCxE, k_NxBxHxCxE, v_NxBxHxCxE, visible_NxBxC, y_NxBxHxCxE, scale_NxBxHxC = kept
  mean_NxBxHxC = jnp.sum(y_NxBxHxCxE * g_NxBxHxCxE, -1)
  factor = q_NxBxHxCxE.shape[-1] ** -0.5

  def add(carry, pair):
    i, j = pair
    q, g, scale, mean, by_q = _at(
      (q_NxBxHxCxE, g_NxBxHxCxE, scale_NxBxHxC, mean_NxBxHxC, carry[0]), i
    )
    k, v, visible, *by_kv = _at((k_NxBxHxCxE, v_NxBxHxCxE, visible_NxBxC, *carry[1:]), j)
    p = jnp.exp(_logits(tiles, q, k, visible, i, j) - scale[..., None])
    by_p = jnp.einsum('bhte,bhse->bhts', g, v)
    by_logits = p * (by_p - mean[..., None]) * factor
    by_q += jnp.einsum('bhts,bhse->bhte', by_logits, k)
    by_k = by_kv[0] + jnp.einsum('bhts,bhte->bhse', by_logits, q)
    by_v = by_kv[1] + jnp.einsum('bhts,bhte->bhse', p, g)
    return [*_put(carry[:1], (by_q,), i), *_put(carry[1:], (by_k, by_v), j)], None

  zeros = [jnp.zeros_like(a) for a in kept[:3]]
  return *lax.scan(add, zeros, tiles.pairs())[0], None


_tiled.defvjp(_tiled_forward, _tiled_backward)
