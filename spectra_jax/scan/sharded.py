"""The filter of `spectra_jax.scan.oscillator` along a sequence that is split over devices.

Each device has L_local neighbouring tokens. It runs them from rest to find what they leave behind,
all devices exchange these states ([B, 2Q] each, whatever L), each composes those before its own
with powers of M^L_local (`doubling.carry`), and runs its tokens from the right state. Norms, GELU,
GLU and dropout act on each token alone, so that a whole block needs no other communication.
"""

import functools

import jax
import jax.numpy as jnp
from jax import lax
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P

from spectra_jax.scan.doubling import carry, deflated_power, generator, join, parity, split
from spectra_jax.scan.filters import flip, rest
from spectra_jax.scan.oscillator import State, advance_oscillators

DATA_AXIS, SEQUENCE_AXIS = 'data', 'seq'


def advance_sharded(
  state: State | None,
  g_P: jax.Array,
  c_P: jax.Array,
  b_QxD: jax.Array,
  c_out_DxQ: jax.Array,
  d_D: jax.Array,
  u_BxLxD: jax.Array,
  *,
  axis_name: str,
  e_P: jax.Array | None = None,
  algorithm: str = 'auto',
  reverse: bool = False,
  chunk: int | None = None,
) -> tuple[State, jax.Array]:
  """`advance_oscillators` inside `jax.shard_map`, tokens split over the mesh axis `axis_name`.

  A derivative taken inside the map is this device's share: that of the parameters must be summed
  over the axis (`lax.psum`); that of u is complete.

  Args:
    state: before the first token of the whole sequence, the same on all devices of the axis.
    u_BxLxD: the tokens of this device, in the order of the axis and as many on each.
    axis_name: of the mesh axis.
    Others as in `advance_oscillators`; `algorithm` and `chunk` are those of the second run, the
      first is 'chunked'.

  Returns:
    the state after the last token of the whole sequence, the same on all devices, and y_BxLxD of
    the tokens of this device.

  Raises:
    ValueError: as `advance_oscillators`.
  """
  parameters, options = (g_P, c_P, b_QxD, c_out_DxQ, d_D), {'e_P': e_P, 'reverse': reverse}
  local = functools.partial(advance_oscillators, **options, chunk=chunk)
  end, _ = local(None, *parameters, u_BxLxD, algorithm='chunked')  # y is not computed under jit
  start = rest(*end[0].shape, end[0].dtype) if state is None else state
  starts = _starts(start, end, g_P, c_P, e_P, u_BxLxD.shape[1], axis_name, reverse)
  here = _own(starts, axis_name, reverse, axis=-1)
  _, y_BxLxD = local(join(here), *parameters, u_BxLxD, algorithm=algorithm)
  return join(starts[..., -1]), y_BxLxD


def tokens_before(
  before_BxD: jax.Array, last_BxD: jax.Array, axis_name: str, reverse: bool
) -> tuple[jax.Array, jax.Array]:
  """For a filter whose input is one token late, inside `jax.shard_map` as `advance_sharded`.

  Args:
    before_BxD: the token before the whole sequence, the same on all devices of the axis.
    last_BxD: the last token of this device in the direction of the filter.
    axis_name: of the mesh axis.
    reverse: the filter runs from the last token to the first.

  Returns:
    the token before those of this device, and the last one of all, the same on all devices.
  """
  last_NxBxD = lax.all_gather(last_BxD, axis_name)
  last_NxBxD = last_NxBxD[::-1] if reverse else last_NxBxD
  before_NxBxD = jnp.concatenate((before_BxD[None], last_NxBxD))
  return _own(before_NxBxD, axis_name, reverse, axis=0), before_NxBxD[-1]


def _own(per_device, axis_name, reverse, axis):
  """The entry of this device, along `axis` in processing order."""
  index = lax.axis_index(axis_name)
  index = lax.axis_size(axis_name) - 1 - index if reverse else index
  return lax.dynamic_index_in_dim(per_device, index, axis, keepdims=False)


def _starts(start, end, g_P, c_P, e_P, length, axis_name, reverse):
  """States [V, P, 2, B, N + 1] before each device's tokens and after all, in processing order."""
  ends = lax.all_gather(split(end), axis_name, axis=4)
  e_P = (4 - c_P) - 2 * g_P if e_P is None else e_P
  arrays = flip(*(a_P.astype(ends.dtype) for a_P in (g_P, c_P, e_P)))
  s_P, g_P, k_P = (a_Q[: g_P.size] for a_Q in arrays)
  power = deflated_power(generator(g_P, k_P), length)
  return carry(parity(s_P, length), power, split(start), ends[..., ::-1] if reverse else ends)


def own_tokens(x_BxLxD: jax.Array, axis_name: str) -> jax.Array:
  """The tokens of this device, [B, L / N, ...], of what all N devices of the axis have whole.

  Where N does not divide L, zeros (False) behind the last token fill up the last devices.
  """
  parts = lax.axis_size(axis_name)
  here = -(-x_BxLxD.shape[1] // parts)
  behind = here * parts - x_BxLxD.shape[1]
  padded = jnp.pad(x_BxLxD, [(0, behind if d == 1 else 0) for d in range(x_BxLxD.ndim)])
  return lax.dynamic_slice_in_dim(padded, lax.axis_index(axis_name) * here, here, axis=1)


def all_tokens(y_BxLxD: jax.Array, axis_name: str, length: int) -> jax.Array:
  """The first `length` tokens of all devices, on each of them: `own_tokens` undone."""
  return lax.all_gather(y_BxLxD, axis_name, axis=1, tiled=True)[:, :length]


def sharded_oscillator_ssm(
  mesh: Mesh,
  g_P: jax.Array,
  c_P: jax.Array,
  b_QxD: jax.Array,
  c_out_DxQ: jax.Array,
  d_D: jax.Array,
  u_BxLxD: jax.Array,
  *,
  e_P: jax.Array | None = None,
  algorithm: str = 'auto',
  reverse: bool = False,
  chunk: int | None = None,
) -> jax.Array:
  """`oscillator_ssm` of global arrays, the batch split over 'data' and the tokens over 'seq'.

  Args:
    mesh: with the axes 'data' and 'seq'.
    Others as in `advance_oscillators`.

  Returns:
    y_BxLxD, split like u; differentiable, with complete gradients.

  Raises:
    ValueError: an axis is missing, or B or L is no multiple of its axis.
  """
  _check_mesh(mesh, *u_BxLxD.shape[:2])
  if e_P is None:
    e_P = (4 - c_P) - 2 * g_P
  options = {'algorithm': algorithm, 'reverse': reverse, 'chunk': chunk}

  def local(e_P, *arrays):
    return advance_sharded(None, *arrays, e_P=e_P, axis_name=SEQUENCE_AXIS, **options)[1]

  split_u = P(DATA_AXIS, SEQUENCE_AXIS)
  mapped = jax.shard_map(
    local, mesh=mesh, in_specs=(*(P(),) * 6, split_u), out_specs=split_u, check_vma=False
  )
  return mapped(e_P, g_P, c_P, b_QxD, c_out_DxQ, d_D, u_BxLxD)


def _check_mesh(mesh, batch, length):
  for name, size, what in ((DATA_AXIS, batch, 'batch'), (SEQUENCE_AXIS, length, 'length')):
    if name not in mesh.shape:
      raise ValueError(
        f'the mesh has the axes {mesh.axis_names}: expected {DATA_AXIS!r} and {SEQUENCE_AXIS!r}; '
        'make one with both, of size 1 where nothing is split'
      )
    if size % mesh.shape[name]:
      raise ValueError(
        f'u_BxLxD has {what} {size}: expected a multiple of {mesh.shape[name]}, the devices on '
        f'axis {name!r} of the mesh; pad it or use fewer devices there'
      )
