"""The filter of `spectra_jax.scan.oscillator` in chunks that run side by side, for accelerators.

A chunk of T tokens is one linear map per oscillator, the same for every chunk: a triangular
Toeplitz matrix of the impulse response, two rows for the state after the chunk, two columns for the
state before it. So a layer is one matmul, one batched matmul per oscillator and one matmul, each
over the whole sequence; only states go from chunk to chunk, in log2(L / T) steps.

All of it is made of powers of the filter's matrix, M^t = s^t (I + D_t), and D_t is carried without
the identity: D_{a+b} = D_a + D_b + D_a D_b. Squares of M itself are rounded at the size of I, which
costs 1e-2 in float32 on a pole at 1e-3 of theta = 0 or pi. Nothing is divided by a difference of
poles, so that a double pole is nothing special.

This is linear algebra, and its derivatives of any order, forward and reverse, are those of JAX: the
transposed maps are the filter run the other way, also from the cotangent of a last state.

State vectors are [V, P, 2, B, ..]: V = (zeta, x), then oscillator, (re, im) and batch.
"""

import math

import jax
import jax.numpy as jnp
from jax import lax

from spectra_jax.scan.filters import flip, rest

_EXACT = lax.Precision.HIGHEST  # an accelerator's default would round the filter's states
_CHUNK_MIN, _CHUNK_MAX = 16, 128


def chunked(state, g_P, c_P, e_P, b_QxD, c_out_DxQ, d_D, u_BxLxD, reverse, chunk):
  """b-matmul of all tokens -> filter, all chunks side by side -> c_out-matmul of all tokens."""
  batch, length, _ = u_BxLxD.shape
  tokens = min(length, default_chunk(length) if chunk is None else chunk)
  chunks = -(-length // tokens)
  padding = chunks * tokens - length  # behind the last token in order of processing
  padded = jnp.pad(u_BxLxD, ((0, 0), (padding, 0) if reverse else (0, padding), (0, 0)))
  w_Px2xBxL = drive(b_QxD, padded)
  w_Px2xBxNxT = w_Px2xBxL.reshape(*w_Px2xBxL.shape[:3], chunks, tokens)
  state = rest(batch, b_QxD.shape[0], u_BxLxD.dtype) if state is None else state
  s_P, g_P, k_P = (a_Q[: g_P.size] for a_Q in flip(g_P, c_P, e_P))
  powers = deflated_powers(generator(g_P, k_P), tokens)
  end, x_Px2xBxNxT = _filter(s_P, powers, split(state), w_Px2xBxNxT, tokens - padding, reverse)
  x_Px2xBxL = x_Px2xBxNxT.reshape(w_Px2xBxL.shape)
  x_Px2xBxL = x_Px2xBxL[..., padding:] if reverse else x_Px2xBxL[..., :length]
  return join(end), read(c_out_DxQ, x_Px2xBxL) + d_D * u_BxLxD


def default_chunk(length: int) -> int:
  """Tokens in one chunk: a power of two near sqrt(L), 64 for 1025 to 4096 tokens, 16 to 128.

  The work of a token grows with T and that of the states between chunks with L / T.
  """
  return min(max(2 ** math.ceil(math.log2(length) / 2), _CHUNK_MIN), _CHUNK_MAX)


def _filter(s_P, powers, start, w_Px2xBxNxT, left, reverse):
  """(end, x like w); `left` tokens of the chunk that is processed last are not padding."""
  tokens = w_Px2xBxNxT.shape[-1]
  impulse_VxTxP, free_VxTxP = responses(s_P, powers)
  ends = _contract(impulse_VxTxP, w_Px2xBxNxT, reverse)
  ends = ends[..., :0:-1] if reverse else ends[..., :-1]
  starts = carry(parity(s_P, tokens), powers[:, :, -1], start, ends)
  w_last = w_Px2xBxNxT[..., 0, tokens - left :] if reverse else w_Px2xBxNxT[..., -1, :left]
  end = end_state(s_P, powers, starts[..., -1], w_last, reverse)
  kernel_PxTxT = _toeplitz(impulse_VxTxP[1].T)
  side = 'pcbnt,ptj->pcbnj' if reverse else 'pcbnj,ptj->pcbnt'
  x_Px2xBxNxT = jnp.einsum(side, w_Px2xBxNxT, kernel_PxTxT, precision=_EXACT)
  starts = starts[..., ::-1] if reverse else starts
  return end, x_Px2xBxNxT + free_motion(free_VxTxP, starts, reverse)


def _toeplitz(h_PxT):
  """[P, T, T] with h_{t-j} at row t >= j and zero elsewhere, by a skewed copy (no gather)."""
  oscillators, tokens = h_PxT.shape
  rows = jnp.broadcast_to(
    jnp.pad(h_PxT, ((0, 0), (0, tokens)))[:, None], (oscillators, tokens, 2 * tokens)
  )
  skewed = rows.reshape(oscillators, -1)[:, : tokens * (2 * tokens - 1)]  # row j is j later
  return jnp.swapaxes(skewed.reshape(oscillators, tokens, -1)[..., :tokens], 1, 2)


# ---- layer from and to the filter's layout ----------------------------------


def drive(b_QxD: jax.Array, u_BxLxD: jax.Array) -> jax.Array:
  """The filter's input w = b u as [P, 2, B, L]."""
  b_Px2xD = jnp.swapaxes(b_QxD.reshape(2, -1, b_QxD.shape[1]), 0, 1)  # not the larger w
  return jnp.einsum('pcd,bld->pcbl', b_Px2xD, u_BxLxD)


def read(c_out_DxQ: jax.Array, x_Px2xBxL: jax.Array) -> jax.Array:
  """y = c_out x as [B, L, D]."""
  c_out_Px2xD = c_out_DxQ.reshape(c_out_DxQ.shape[0], 2, -1).transpose(2, 1, 0)
  return jnp.einsum('pcbl,pcd->bld', x_Px2xBxL, c_out_Px2xD)


def split(state: tuple[jax.Array, jax.Array]) -> jax.Array:
  """(zeta_BxQ, x_BxQ) as [V, P, 2, B]."""
  state_VxBxQ = jnp.stack(state)
  return state_VxBxQ.reshape(*state_VxBxQ.shape[:2], 2, -1).transpose(0, 3, 2, 1)


def join(state_VxPx2xB: jax.Array) -> tuple[jax.Array, jax.Array]:
  """The inverse of `split`."""
  batch = state_VxPx2xB.shape[-1]
  zeta_BxQ, x_BxQ = state_VxPx2xB.transpose(0, 3, 2, 1).reshape(2, batch, -1)
  return zeta_BxQ, x_BxQ


# ---- powers of M = s (I + E) ------------------------------------------------


def generator(g_P: jax.Array, k_P: jax.Array) -> jax.Array:
  """E = [[-g, -k], [1 - g, -k]] as [2, 2, P]."""
  return jnp.stack((jnp.stack((-g_P, -k_P)), jnp.stack((1 - g_P, -k_P))))


def times(a: jax.Array, b: jax.Array) -> jax.Array:
  """Products of 2x2 matrices, [2, 2, ..] each, elementwise over the rest."""
  return jnp.sum(a[:, :, None] * b[None], axis=1)


def deflated_powers(e_2x2xP: jax.Array, count: int) -> jax.Array:
  """D_t = (I + E)^t - I for t = 1 .. count, [2, 2, count, P], in log2(count) doublings."""
  powers = e_2x2xP[:, :, None]
  while powers.shape[2] < count:
    last = powers[:, :, -1:]
    powers = jnp.concatenate((powers, last + powers + times(last, powers)), axis=2)
  return powers[:, :, :count]


def deflated_power(e_2x2xP: jax.Array, exponent: int) -> jax.Array:
  """D_t = (I + E)^t - I of one t >= 0, [2, 2, P], from the binary digits of t."""
  power = jnp.zeros_like(e_2x2xP)
  for digit in f'{exponent:b}':
    power = 2 * power + times(power, power)
    power = power + e_2x2xP + times(power, e_2x2xP) if digit == '1' else power
  return power


def parity(s_P: jax.Array, exponent: int | jax.Array) -> jax.Array:
  """s^t of s = 1 or -1."""
  return jnp.where(exponent % 2 == 1, s_P, 1)


def advance(sign_P: jax.Array, power_2x2xP: jax.Array, states: jax.Array) -> jax.Array:
  """M^t v = s^t (v + D_t v) of states [V, P, ..]."""
  trailing = (1,) * (states.ndim - 2)
  power = power_2x2xP.reshape(*power_2x2xP.shape, *trailing)
  return sign_P.reshape(-1, *trailing) * (states + jnp.sum(power * states[None], axis=1))


# ---- responses --------------------------------------------------------------


def responses(s_P: jax.Array, powers: jax.Array) -> tuple[jax.Array, jax.Array]:
  """What T tokens do to a unit: T is the number of `deflated_powers`.

  Returns:
    impulse_VxTxP: state t = 0 .. T - 1 tokens after an input of 1, M^t [1, 1].
    free_VxTxP: x at t = 1 .. T tokens after zeta = 1 (first) or x = 1, the second row of M^t.
  """
  tokens = jnp.arange(powers.shape[2])[:, None]
  before = jnp.pad(powers[:, :, :-1], ((0, 0), (0, 0), (1, 0), (0, 0)))  # D_0 = 0
  impulse_VxTxP = parity(s_P, tokens) * (1 + jnp.sum(before, axis=1))
  unit = jnp.array([0, 1], powers.dtype)[:, None, None]
  return impulse_VxTxP, parity(s_P, tokens + 1) * (unit + powers[1])


def _contract(impulse_VxTxP, w_Px2xBxT, reverse):
  """State that inputs [P, 2, B, .., T] leave behind, from rest."""
  impulse_VxTxP = impulse_VxTxP if reverse else impulse_VxTxP[:, ::-1]
  return jnp.einsum('vtp,pcb...t->vpcb...', impulse_VxTxP, w_Px2xBxT, precision=_EXACT)


def end_state(
  s_P: jax.Array, powers: jax.Array, start: jax.Array, w_Px2xBxT: jax.Array, reverse: bool
) -> jax.Array:
  """[V, P, 2, B] after T tokens, T at most the number of powers."""
  tokens = w_Px2xBxT.shape[-1]
  powers = powers[:, :, :tokens]
  kept = advance(parity(s_P, tokens), powers[:, :, -1], start)
  return kept + _contract(responses(s_P, powers)[0], w_Px2xBxT, reverse)


def free_motion(free_VxTxP: jax.Array, starts: jax.Array, reverse: bool) -> jax.Array:
  """x [P, 2, B, .., T] that follows from states [V, P, 2, B, ..] before the first token."""
  free_VxTxP = free_VxTxP[:, ::-1] if reverse else free_VxTxP
  free_VxPxT = jnp.swapaxes(free_VxTxP, 1, 2)
  shape = (*free_VxPxT.shape[:2], *(1,) * (starts.ndim - 2), -1)
  return jnp.sum(free_VxPxT.reshape(shape) * starts[..., None], axis=0)


def carry(
  sign_P: jax.Array, power_2x2xP: jax.Array, start: jax.Array, ends: jax.Array
) -> jax.Array:
  """States before each of N segments and after the last, [V, P, .., N + 1], by doubling.

  Args:
    sign_P, power_2x2xP: M^T = s^T (I + D_T) of a segment of T tokens.
    start: [V, P, ..] before the first segment.
    ends: [V, P, .., N] after each segment, each from rest.
  """
  states = jnp.concatenate((start[..., None], ends), axis=-1)
  distance = 1
  while distance < states.shape[-1]:
    earlier = [(0, 0)] * (states.ndim - 1) + [(distance, 0)]
    shifted = jnp.pad(states[..., :-distance], earlier)
    states = states + advance(sign_P, power_2x2xP, shifted)
    power_2x2xP, sign_P = 2 * power_2x2xP + times(power_2x2xP, power_2x2xP), sign_P**2
    distance *= 2
  return states
