"""LinOSS backbone: residual blocks of harmonic oscillators that run along the token axis.

Each oscillator x'' = -A x - G x' + B u is discretised with its own step h (Rusch & Rus 2025, arXiv
2410.03943; damped: Boyer, Rusch & Rus 2025, arXiv 2505.12171); the five ways to do so are in
`spectra_jax.discretisation`. A learned angle theta per token is conjugate to the wavenumber (period
2 pi dnu / theta in cm^-1, dnu the token spacing): it is not a vibrational frequency, and a filter
along the axis says nothing of physical causality.
"""

import functools
from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from spectra_jax import blocks, discretisation
from spectra_jax.scan import advance_oscillators
from spectra_jax.scan.sharded import DATA_AXIS, advance_sharded, tokens_before
from spectra_jax.transfer import OscillatorFilter


def _uniform(fan_in):
  """U(+-1/sqrt(fan_in)), the initialisation of B and C in the published code."""
  bound = fan_in**-0.5
  return lambda key, shape: jax.random.uniform(key, shape, minval=-bound, maxval=bound)


def _block_diagonal(a_HxMxN):
  heads, rows, columns = a_HxMxN.shape
  blocks_HxMxHxN = a_HxMxN[:, :, None] * jnp.eye(heads, dtype=a_HxMxN.dtype)[:, None, :, None]
  return blocks_HxMxHxN.reshape(heads * rows, heads * columns)


class Oscillators(nn.Module):
  """One direction of state-space layer, u_BxLxD -> Re(C x) + D u as [B, L, D].

  Parameters: dynamics/{A, G, steps} [P] with h = sigmoid(steps), G only if damped; B [2P, D], real
  over imaginary parts; C [D, 2P] = [C_re, -C_im]; D [D], which starts at 1 (the published N(0, 1)
  diverged at a learning rate of 3e-3). With H > 1 heads, head h has the h-th P/H oscillators and
  the h-th D/H channels for itself: B [H, 2P/H, D/H] and C [H, D/H, 2P/H].

  A state is (zeta, x) of the filter; where the scheme is late, with the last input before it.

  With a `sequence_axis`, u has the tokens of one device (see `Backbone`); `init` and `state_space`
  need no mesh.
  """

  state: int
  discretisation: str
  damped: bool
  region: str
  initialisation: str
  r_min: float
  r_max: float
  theta_max: float
  input_norm: bool
  heads: int
  algorithm: str
  sequence_axis: str
  reverse: bool

  def __call__(self, u_BxLxD: jax.Array) -> jax.Array:
    return self.advance(None, u_BxLxD)[1]

  def advance(self, state: blocks.State, u_BxTxD: jax.Array) -> tuple[blocks.State, jax.Array]:
    """The next T tokens; the contract of `spectra_jax.blocks`."""
    *filters, d_D = self._filters(u_BxTxD.shape[-1])
    if self._axis:
      self._check_axis(state)
    if not discretisation.SCHEMES[self.discretisation].delay:
      return self._run(state, (*filters, d_D), u_BxTxD)
    dtype, u_BxTxD = u_BxTxD.dtype, u_BxTxD.astype(jnp.promote_types(u_BxTxD.dtype, jnp.float32))
    before_BxD, state = (jnp.zeros_like(u_BxTxD[:, 0]), None) if state is None else state
    before_BxD, late_BxTxD = self._one_token_late(before_BxD, u_BxTxD)
    state, y_BxTxD = self._run(state, (*filters, jnp.zeros_like(d_D)), late_BxTxD)
    return (before_BxD, state), (y_BxTxD + d_D.reshape(-1) * u_BxTxD).astype(dtype)

  def state_space(self, width: int) -> OscillatorFilter:
    """The layer as one filter, whatever its heads; `apply(..., width, method='state_space')`."""
    g_P, c_P, e_P, b_QxD, c_out_DxQ, d_D = self._filters(width)
    if self.heads > 1:
      b_QxD = jnp.concatenate([_block_diagonal(a) for a in jnp.split(b_QxD, 2, 1)], 0)
      c_out_DxQ = jnp.concatenate([_block_diagonal(a) for a in jnp.split(c_out_DxQ, 2, 2)], 1)
    g_P, c_P, e_P, d_D = (a.reshape(-1) for a in (g_P, c_P, e_P, d_D))
    delay = discretisation.SCHEMES[self.discretisation].delay
    return OscillatorFilter(g_P, c_P, e_P, b_QxD, c_out_DxQ, d_D, delay)

  @nn.compact
  def _filters(self, width):
    """(g, c, e, f B, C, D) of the layer; of more than one head, each with a leading axis H."""
    self._check(width)
    heads = () if self.heads == 1 else (self.heads,)
    states, channels = self.state // self.heads, width // self.heads
    dynamics = self.param('dynamics', self._initial_dynamics)
    b = self.param('B', _uniform(channels), (*heads, 2 * states, channels))
    c_out = self.param('C', _uniform(states), (*heads, channels, 2 * states))
    d_D = self.param('D', nn.initializers.ones, (width,))
    g, c, e, f = (a_P.reshape(*heads, -1) for a_P in self._coefficients(dynamics))
    b = jnp.concatenate((f, f), axis=-1)[..., None] * b
    return g, c, e, b, c_out, d_D.reshape(*heads, -1)

  def _initial_dynamics(self, key):
    if self.initialisation == 'uniform':
      return discretisation.uniform(key, self.state, self.damped)
    ranges = (self.r_min, self.r_max, self.theta_max)
    return discretisation.ring(key, self.state, self.discretisation, self.damped, *ranges)

  def _coefficients(self, dynamics):
    """The filter's (g, c, e, f), each [P], in float64 where the backend has it."""

    def function(A_P, G_P, steps_P):
      arrays = (A_P, G_P, nn.sigmoid(steps_P))
      g_P, c_P, e_P, f_P = discretisation.coefficients(self.discretisation, self.region, *arrays)
      return g_P, c_P, e_P, discretisation.unit_variance(g_P, c_P, e_P) if self.input_norm else f_P

    float64 = jax.default_backend() in ('cpu', 'gpu')  # a TPU emulates it at best
    function = discretisation.in_float64(function) if float64 else function
    G_P = dynamics['G'] if self.damped else jnp.zeros_like(dynamics['A'])
    return function(dynamics['A'], G_P, dynamics['steps'])

  @property
  def _axis(self):
    return '' if self.is_initializing() else self.sequence_axis

  def _one_token_late(self, before_BxD, u_BxTxD):
    """(the token that comes next, u shifted by one along the direction of the filter)."""
    last_BxD = u_BxTxD[:, 0 if self.reverse else -1]
    if self._axis:
      before_BxD, last_BxD = tokens_before(before_BxD, last_BxD, self._axis, self.reverse)
    before_Bx1xD = before_BxD[:, None]
    if self.reverse:
      return last_BxD, jnp.concatenate((u_BxTxD[:, 1:], before_Bx1xD), axis=1)
    return last_BxD, jnp.concatenate((before_Bx1xD, u_BxTxD[:, :-1]), axis=1)

  def _run(self, state, filters, u_BxTxD):
    advance = advance_oscillators
    if self._axis:
      advance = functools.partial(advance_sharded, axis_name=self._axis)

    def one_head(state, g_P, c_P, e_P, b_QxD, c_out_DxQ, d_D, u_BxTxD):
      options = {'e_P': e_P, 'algorithm': self.algorithm, 'reverse': self.reverse}
      return advance(state, g_P, c_P, b_QxD, c_out_DxQ, d_D, u_BxTxD, **options)

    if self.heads == 1:
      return one_head(state, *filters, u_BxTxD)
    u_BxTxHxK = u_BxTxD.reshape(*u_BxTxD.shape[:2], self.heads, -1)
    every_head = jax.vmap(one_head, in_axes=(1, *[0] * len(filters), 2), out_axes=(1, 2))
    state, y_BxTxHxK = every_head(state, *filters, u_BxTxHxK)
    return state, y_BxTxHxK.reshape(u_BxTxD.shape)

  def _check(self, width):
    if self.state < 1:
      raise ValueError(
        f'LinOSS state is {self.state}, expected at least 1 oscillator; set `state` to a number of '
        'oscillators'
      )
    if self.heads < 1 or width % self.heads or self.state % self.heads:
      raise ValueError(
        f'LinOSS heads is {self.heads}, expected a divisor of the width {width} and of the state '
        f'{self.state}; set `heads` to a number that divides both'
      )
    discretisation.check(
      *(self.discretisation, self.damped, self.region, self.initialisation),
      *(self.r_min, self.r_max, self.theta_max, self.input_norm),
    )

  def _check_axis(self, state):
    if self._axis == DATA_AXIS:
      raise ValueError(
        f'LinOSS sequence_axis is {DATA_AXIS!r}, along which examples are split, expected an axis '
        'that splits their tokens; give the mesh another one'
      )
    if state is not None:
      raise ValueError(
        f'LinOSS sequence_axis is {self._axis!r} and a state is given, expected whole sequences '
        "from rest; stream with sequence_axis = ''"
      )
    try:
      lax.axis_size(self._axis)
    except NameError:
      raise ValueError(
        f'LinOSS sequence_axis is {self._axis!r}, expected an axis of the mesh of a jax.shard_map '
        "around the backbone; map it over the tokens, or set `sequence_axis` to ''"
      ) from None


_SHARED = (
  *('state', 'discretisation', 'damped', 'region', 'initialisation', 'r_min', 'r_max'),
  *('theta_max', 'input_norm', 'heads', 'algorithm', 'sequence_axis'),
)


class Backbone(blocks.Recurrent):
  """Stack of LinOSS blocks, x_BxLxD -> x_BxLxD with every width equal to D.

  The coefficients of the filter pass through float64 on a CPU or GPU, so that a layer has no
  forward mode.

  Attributes (others: `spectra_jax.blocks.Recurrent`):
    state: P, oscillators in one direction of one block (2P real channels).
    discretisation: 'im', 'imex', 'imex2', 'imex3' or 'ex'; 'imex' with damping is D-LinOSS.
    damped: G is a parameter; False sets G = 0, so that |lambda| = 1 in 'imex' and 'imex2' and
      |lambda| = cos theta in 'im' and 'imex3' ('ex' would be unstable and is refused).
    region: 'oscillatory' keeps the poles complex, 'stable' allows all poles with |lambda| <= 1.
    initialisation: 'ring' of the poles, by the next three, or 'uniform', A and G ~ U[0, 1].
    r_min, r_max: initial range of |lambda| per token, dimensionless; no effect where it is 1.
    theta_max: initial angles are U[0, theta_max], radians per token, in 'im' and 'imex3' up to
      arccos |lambda|; no effect where |lambda| = cos theta.
    input_norm: scale the input of each oscillator so that white noise gives unit variance.
    heads: H groups of D/H channels and P/H oscillators that do not see each other.
    algorithm: of `spectra_jax.scan.advance_oscillators`.
    sequence_axis: mesh axis along which the tokens are split; '' = not split. Otherwise x_BxLxD is
      what one device has of them inside `jax.shard_map`, as many on each and in the order of the
      axis, and gradients of parameters are to be summed over the axis, as in
      `spectra_jax.scan.sharded.advance_sharded`. Tokens where mask_BxL is False then fill up the
      last devices: they exist for no other token.
  """

  state: int = 64
  discretisation: str = 'imex'
  damped: bool = True
  region: str = 'oscillatory'
  initialisation: str = 'ring'
  r_min: float = 0.9
  r_max: float = 1.0
  theta_max: float = 3.141592653589793
  input_norm: bool = False
  heads: int = 1
  algorithm: str = 'auto'
  sequence_axis: str = ''

  def __call__(
    self, x_BxLxD: jax.Array, nu_L: jax.Array, mask_BxL: jax.Array, train: bool
  ) -> jax.Array:
    """As `blocks.Recurrent`, unless the tokens are split."""
    if not self.sequence_axis or mask_BxL is None:
      return super().__call__(x_BxLxD, nu_L, mask_BxL, train)
    return self._advance(None, x_BxLxD, train, mask_BxL)[1]

  @nn.nowrap
  def layer(self) -> Callable[..., Oscillators]:
    return functools.partial(Oscillators, **{name: getattr(self, name) for name in _SHARED})
