"""S4D backbone: residual blocks of diagonal state spaces, one for each channel.

Each channel has its own x' = A x + B u, y = 2 Re(C x) + D u with N/2 conjugate pairs of poles on a
diagonal A, discretised with its own step (Gu, Gupta, Goel & Re 2022, arXiv 2206.11893). The outputs
of a whole sequence are one convolution. The time of these equations is counted in tokens: poles are
decays and angles along the axis and say nothing of physical causality.
"""

import functools
from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from spectra_jax import blocks
from spectra_jax.scan.channels import DISCRETISATIONS, discretise
from spectra_jax.scan.convolution import advance_channels
from spectra_jax.transfer import ChannelFilter


def legs(state: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """HiPPO-LegS in the basis where its normal part is diagonal, one of each conjugate pair.

  A_nk = -sqrt((2n+1)(2k+1)) below the diagonal, -(n+1) on it; B_n = sqrt(2n+1); with p_n =
  sqrt(n + 1/2), A + p p^T = -1/2 + a skew matrix = V diag(lambda) V* (Gu, Goel & Re 2021, arXiv
  2111.00396). In float64.

  Returns:
    (lambda, V* B, V* p), complex [N/2] each, by rising Im(lambda) > 0.
  """
  p_N = np.sqrt(np.arange(state) + 0.5)
  lower = np.tril(np.outer(p_N, p_N), -1)
  skew = lower.T - lower  # A_nk = -2 p_n p_k, of which p p^T takes half to the other side
  frequencies_N, v_NxN = np.linalg.eigh(-1j * skew)
  half = slice(state // 2, None)  # eigh sorts: the upper half of the symmetric spectrum
  p_P = (v_NxN.conj().T @ p_N)[half]
  return -0.5 + 1j * frequencies_N[half], np.sqrt(2) * p_P, p_P


def _lin(state):
  """S4D-Lin, -1/2 + i pi n."""
  return -0.5 + 1j * np.pi * np.arange(state // 2)


def _inv(state):
  """S4D-Inv, -1/2 + i N/pi (N/(2n+1) - 1)."""
  return -0.5 + 1j * state / np.pi * (state / (2 * np.arange(state // 2) + 1) - 1)


INITIALISATIONS = {'lin': _lin, 'inv': _inv, 'legs': lambda state: legs(state)[0]}


def check_options(state: int, dt_min: float, dt_max: float) -> None:
  """Raises a ValueError unless the state is pairs and the steps are a range of positive numbers."""
  if state < 2 or state % 2:
    raise ValueError(
      f'state is {state}; expected an even number from 2 up, two for each conjugate pair of poles; '
      'set `state` to one'
    )
  if not 0 < dt_min <= dt_max:
    raise ValueError(
      f'dt_min is {dt_min} and dt_max is {dt_max}; expected 0 < dt_min <= dt_max in tokens; '
      'correct the one that is out of range'
    )


def _known(what, name, there):
  if name not in there:
    raise ValueError(
      f'unknown S4D {what} {name!r}: expected one of {sorted(there)}; set `{what}` to one of them'
    )


def log_steps(key: jax.Array, width: int, dt_min: float, dt_max: float) -> jax.Array:
  """log dt ~ U[log dt_min, log dt_max], [D]."""
  return jax.random.uniform(key, (width,), minval=np.log(dt_min), maxval=np.log(dt_max))


def copies(a_P: np.ndarray, width: int) -> jax.Array:
  """Complex [P] as float32 [2, D, P], real over imaginary part, the same for each channel."""
  parts_2xP = np.stack((a_P.real, a_P.imag)).astype(np.float32)
  return jnp.tile(parts_2xP[:, None], (1, width, 1))


def complex_normal(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
  """Real over imaginary parts of complex numbers with E|c|^2 = 1, the published C."""
  return jax.random.normal(key, (2, *shape)) * 0.5**0.5


def _initial_dynamics(key, width, a_P, dt_min, dt_max):
  real_DxP, frequency_DxP = copies(a_P, width)
  return {
    'log_decay': jnp.log(-real_DxP),
    'frequency': frequency_DxP,
    'log_step': log_steps(key, width, dt_min, dt_max),
    'B': copies(np.ones_like(a_P), width),
  }


class Channels(nn.Module):
  """One direction of D diagonal state spaces of one input and one output, u_BxLxD -> [B, L, D].

  Parameters, P = N/2: dynamics/{log_decay, frequency} [D, P] of A = -exp(log_decay) + i frequency,
  dynamics/log_step [D], dynamics/B [2, D, P] real over imaginary parts, which like the poles learns
  slowly and undecayed in the published code; C [2, D, P]; D [D], which starts at 1.
  """

  state: int
  initialisation: str
  discretisation: str
  dt_min: float
  dt_max: float
  reverse: bool

  def __call__(self, u_BxLxD: jax.Array) -> jax.Array:
    return self.advance(None, u_BxLxD)[1]

  def advance(self, state: blocks.State, u_BxTxD: jax.Array) -> tuple[blocks.State, jax.Array]:
    """The next T tokens; the contract of `spectra_jax.blocks`."""
    dtype = jnp.promote_types(u_BxTxD.dtype, jnp.float32)
    system, d_D = self._system(u_BxTxD.shape[-1], dtype)
    return advance_channels(system, state, u_BxTxD, d_D, reverse=self.reverse)

  def state_space(self, width: int) -> ChannelFilter:
    """The recurrence of one direction, D = width."""
    system, d_D = self._system(width, jnp.float32)
    return ChannelFilter(system.sign_DxP * (1 + system.m_DxP), system.b_DxP, system.c_DxP, d_D)

  @nn.compact
  def _system(self, width, dtype):
    check_options(self.state, self.dt_min, self.dt_max)
    _known('initialisation', self.initialisation, INITIALISATIONS)
    _known('discretisation', self.discretisation, DISCRETISATIONS)
    a_P = INITIALISATIONS[self.initialisation](self.state)
    steps = (self.dt_min, self.dt_max)
    dynamics = self.param('dynamics', _initial_dynamics, width, a_P, *steps)
    c_2xDxP = self.param('C', complex_normal, (width, self.state // 2))
    d_D = self.param('D', nn.initializers.ones, (width,)).astype(dtype)
    real_DxP, frequency_DxP, log_step_D, b_2xDxP, c_2xDxP = (
      a.astype(dtype)
      for a in (*(dynamics[k] for k in ('log_decay', 'frequency', 'log_step', 'B')), c_2xDxP)
    )
    a_DxP = lax.complex(-jnp.exp(real_DxP), frequency_DxP)
    arrays = (a_DxP, lax.complex(*b_2xDxP), lax.complex(*c_2xDxP), jnp.exp(log_step_D))
    return discretise(self.discretisation, *arrays), d_D


class Backbone(blocks.Recurrent):
  """Stack of S4D blocks, x_BxLxD -> x_BxLxD with every width equal to D.

  Attributes (others: `spectra_jax.blocks.Recurrent`):
    state: N, twice the conjugate pairs of poles of a channel, even.
    initialisation: 'lin' (S4D-Lin), 'inv' (S4D-Inv) or 'legs' (the diagonal of the normal part of
      HiPPO-LegS).
    discretisation: 'zoh' (input constant over a step) or 'bilinear'.
    dt_min, dt_max: initial steps are log-uniform in between, tokens.
  """

  state: int = 64
  initialisation: str = 'lin'
  discretisation: str = 'zoh'
  dt_min: float = 0.001
  dt_max: float = 0.1

  @nn.nowrap
  def layer(self) -> Callable[..., Channels]:
    names = ('state', 'initialisation', 'discretisation', 'dt_min', 'dt_max')
    return functools.partial(Channels, **{name: getattr(self, name) for name in names})
