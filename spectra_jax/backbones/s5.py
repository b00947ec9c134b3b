"""S5 backbone: residual blocks around one multi-input, multi-output diagonal state space.

x' = Lambda x + B u, y = 2 Re(C x) + D u along the token axis (Smith, Warrington & Linderman 2022,
arXiv 2208.04933). The states are one of each conjugate pair, in the eigenbasis of the normal part
of the HiPPO-LegS matrix, and each has its own step Delta in place of a sampling interval.
"""

import functools
from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from spectra_jax import blocks
from spectra_jax.scan.diagonal import advance_diagonal
from spectra_jax.transfer import DiagonalFilter


def hippo_normal(size: int) -> tuple[np.ndarray, np.ndarray]:
  """Half of the eigensystem of the normal part of HiPPO-LegS, in float64.

  A_LegS[n, k] = -(sqrt((2n+1)(2k+1)) if n > k, n + 1 if n = k, 0 else), and A + p p^T with
  p_n = sqrt(n + 1/2) is -1/2 plus a skew-symmetric matrix, so its eigenvalues are -1/2 + i w
  (arXiv 2208.04933, appendix B).

  Returns:
    w_P, the size / 2 negative ones in ascending order, and their eigenvectors [size, P].
  """
  root = np.sqrt(2 * np.arange(size) + 1.0)
  lower = -np.tril(np.outer(root, root), -1) / 2
  values, vectors = np.linalg.eigh(-1j * (lower - lower.T))
  return values[: size // 2], vectors[:, : size // 2]


def zoh(eigenvalues_P: jax.Array, step_P: jax.Array) -> tuple[jax.Array, jax.Array]:
  """Zero-order hold: exp(Lambda Delta) and the factor (exp(Lambda Delta) - 1) / Lambda of B."""
  z_P = eigenvalues_P * step_P
  return jnp.exp(z_P), jnp.expm1(z_P) / eigenvalues_P


def bilinear(eigenvalues_P: jax.Array, step_P: jax.Array) -> tuple[jax.Array, jax.Array]:
  """(1 + Lambda Delta / 2) / (1 - Lambda Delta / 2), and Delta / (1 - Lambda Delta / 2) of B."""
  half_P = eigenvalues_P * step_P / 2
  return (1 + half_P) / (1 - half_P), step_P / (1 - half_P)


DISCRETISATIONS = {'zoh': zoh, 'bilinear': bilinear}


def _dynamics(key, frequencies_P, dt_min, dt_max):
  """Lambda = -exp(log_decay) + i frequency, Delta = exp(log_step) log-uniform."""
  low, high = np.log(dt_min), np.log(dt_max)
  return {
    'log_decay': jnp.full(frequencies_P.shape, np.log(0.5)),
    'frequency': jnp.asarray(frequencies_P, jnp.zeros(()).dtype),
    'log_step': jax.random.uniform(key, frequencies_P.shape, minval=low, maxval=high),
  }


def _complex(key, shape, contract):
  """Real and imaginary part of `contract(N(0, 1) of that shape)`, stacked in front."""
  product = contract(jax.random.normal(key, shape))
  return jnp.stack((product.real, product.imag))


class StateSpace(nn.Module):
  """One direction of S5 layer, u_BxLxD -> 2 Re(C x) + D u as [B, L, D].

  Parameters, all real: dynamics/{log_decay, frequency, log_step} [P] with Lambda = -exp(log_decay)
  + i frequency (so that no state grows; the published code trains the real part as it is) and
  Delta = exp(log_step); B [2, P, D] and C [2, D, P], real before imaginary parts, in the
  eigenbasis; D [D], which starts at 1 as in `spectra_jax.backbones.linoss`.
  """

  state: int
  init_blocks: int
  discretisation: str
  dt_min: float
  dt_max: float
  algorithm: str
  reverse: bool

  def __call__(self, u_BxLxD: jax.Array) -> jax.Array:
    return self.advance(None, u_BxLxD)[1]

  def advance(self, state: blocks.State, u_BxTxD: jax.Array) -> tuple[blocks.State, jax.Array]:
    """The next T tokens; the contract of `spectra_jax.blocks`."""
    arrays = self.state_space(u_BxTxD.shape[-1])
    return advance_diagonal(state, *arrays, u_BxTxD, algorithm=self.algorithm, reverse=self.reverse)

  @nn.compact
  def state_space(self, width: int) -> DiagonalFilter:
    """The discretised layer on `width` channels, the factor 2 of the conjugate pairs in c_out."""
    self._check()
    kept, copies = self.state // self.init_blocks, self.init_blocks
    frequencies_K, vectors_NxK = hippo_normal(2 * kept)

    def b_in_eigenbasis(b_JxNxD):
      return jnp.einsum('nk,jnd->jkd', vectors_NxK.conj(), b_JxNxD).reshape(-1, width)

    def c_in_eigenbasis(c_DxJxN):
      return jnp.einsum('djn,nk->djk', c_DxJxN, vectors_NxK).reshape(width, -1)

    options = (np.tile(frequencies_K, copies), self.dt_min, self.dt_max)
    dynamics = self.param('dynamics', _dynamics, *options)
    scaled = lambda fan_in, contract: lambda a: contract(a / np.sqrt(fan_in))
    to_b = scaled(width, b_in_eigenbasis)
    to_c = scaled(2 * self.state, c_in_eigenbasis)
    b_2xPxD = self.param('B', _complex, (copies, 2 * kept, width), to_b)
    c_2xDxP = self.param('C', _complex, (width, copies, 2 * kept), to_c)
    d_D = self.param('D', nn.initializers.ones, (width,))
    eigenvalues_P = jax.lax.complex(-jnp.exp(dynamics['log_decay']), dynamics['frequency'])
    discretise = DISCRETISATIONS[self.discretisation]
    poles_P, factor_P = discretise(eigenvalues_P, jnp.exp(dynamics['log_step']))
    b_PxD = factor_P[:, None] * jax.lax.complex(*b_2xPxD)
    return DiagonalFilter(poles_P, b_PxD, 2 * jax.lax.complex(*c_2xDxP), d_D)

  @nn.nowrap
  def _check(self):
    if self.discretisation not in DISCRETISATIONS:
      raise ValueError(
        f'unknown S5 discretisation {self.discretisation!r}: expected one of '
        f'{sorted(DISCRETISATIONS)}; set `discretisation` to one of them'
      )
    if self.init_blocks < 1 or self.state % self.init_blocks:
      raise ValueError(
        f'S5 cannot cut state = {self.state} into init_blocks = {self.init_blocks} equal HiPPO '
        'blocks; expected a divisor of state; change either'
      )
    if not 0 < self.dt_min <= self.dt_max:
      raise ValueError(
        f'S5 has steps from dt_min = {self.dt_min} to dt_max = {self.dt_max}; expected '
        '0 < dt_min <= dt_max; change either'
      )


class Backbone(blocks.Recurrent):
  """Stack of S5 blocks, x_BxLxD -> x_BxLxD with every width equal to D.

  Attributes (others: `spectra_jax.blocks.Recurrent`):
    state: P, complex states in one direction of one block, one of each conjugate pair (the paper
      counts both, 2P).
    init_blocks: equal HiPPO blocks that the states start as.
    discretisation: 'zoh' or 'bilinear'.
    dt_min, dt_max: initial steps are log-uniform between them, dimensionless; the time constants
      1 / (0.5 Delta) are then 20 to 2000 tokens.
    algorithm: of `spectra_jax.scan.diagonal.advance_diagonal`.
  """

  state: int = 64
  init_blocks: int = 8
  discretisation: str = 'zoh'
  dt_min: float = 0.001
  dt_max: float = 0.1
  algorithm: str = 'auto'

  @nn.nowrap
  def layer(self) -> Callable[..., StateSpace]:
    names = ('state', 'init_blocks', 'discretisation', 'dt_min', 'dt_max', 'algorithm')
    return functools.partial(StateSpace, **{name: getattr(self, name) for name in names})
