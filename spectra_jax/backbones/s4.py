"""S4 backbone: residual blocks of state spaces with a diagonal plus low-rank A, one a channel.

Each channel has its own x' = A x + B u, y = C x + D u with A = Lambda - p p* (Gu, Goel & Re 2021,
arXiv 2111.00396; both factors of the low-rank part are the same, which keeps A stable: Goel, Gu,
Donahue & Re 2022, arXiv 2202.09729), starts at HiPPO-LegS and is discretised by the bilinear rule
with its own step. Everything comes in N/2 conjugate pairs, of which one half is stored. The time of
these equations is counted in tokens: decays and angles along the axis, not causality in a spectrum.
"""

import functools
from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from spectra_jax import blocks
from spectra_jax.backbones import s4d
from spectra_jax.scan.convolution import advance_channels
from spectra_jax.scan.low_rank import LowRank, pack
from spectra_jax.transfer import ChannelFilter


@jax.jit
def _packed(system):
  """(Abar - 1, Bbar, C) on packed states: real [D, N, N], [D, N], [D, N]."""
  return system.change(), pack(system.solve(system.b_DxP)), 2 * pack(jnp.conj(system.c_DxP))


def _initial_dynamics(key, width, state, dt_min, dt_max):
  a_P, b_P, p_P = s4d.legs(state)
  real_DxP, frequency_DxP = s4d.copies(a_P, width)
  return {
    'log_decay': jnp.log(-real_DxP),
    'frequency': frequency_DxP,
    'P': s4d.copies(p_P, width),
    'B': s4d.copies(b_P, width),
    'log_step': s4d.log_steps(key, width, dt_min, dt_max),
  }


class Channels(nn.Module):
  """One direction of D state spaces of one input and one output, u_BxLxD -> [B, L, D].

  Parameters, with P = N/2 and complex numbers as real over imaginary parts: dynamics/{log_decay,
  frequency} [D, P] of Lambda = -exp(log_decay) + i frequency, dynamics/P [2, D, P] the low-rank
  part, dynamics/log_step [D], dynamics/B [2, D, P], which like the poles learns slowly and
  undecayed in the published code; C [2, D, P]; D [D], which starts at 1.
  """

  state: int
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
    """The recurrence of one direction on its N eigenvectors, D = width; not under jit.

    In float64 on the host (numpy, complex128), which the sum over the poles needs: the eigenvectors
    of HiPPO-LegS are nearly parallel (Lemma 3.2 of the paper), so that terms of up to 1e8 cancel to
    a kernel of 1, measured with an error of 1e-7 at N = 64. `frequency_response` needs none of it.
    Real poles and both of each conjugate pair are among the N.
    """
    with jax.enable_x64(True):
      system, d_D = self._system(width, jnp.float64)
      e_DxNxN, b_DxN, c_DxN, d_D = jax.device_get((*_packed(system), d_D))
    change_DxN, v_DxNxN = np.linalg.eig(e_DxNxN)
    b_DxN = np.linalg.solve(v_DxNxN, b_DxN[..., None].astype(complex))[..., 0]
    c_DxN = np.einsum('dn,dnm->dm', c_DxN, v_DxNxN)
    return ChannelFilter(1 + change_DxN, b_DxN, c_DxN, d_D)

  def poles(self, width: int) -> np.ndarray:
    """Eigenvalues of Abar in float64 on the host, complex [D, N]; not under jit.

    Close to HiPPO-LegS only the slow ones have digits from N of about 30 on, see `state_space`.
    """
    with jax.enable_x64(True):
      e_DxNxN = jax.device_get(_packed(self._system(width, jnp.float64)[0])[0])
    return 1 + np.linalg.eigvals(e_DxNxN)

  def frequency_response(self, width: int, angles_W: np.ndarray) -> jax.Array:
    """sum_n k_n exp(-i n angle) + D of one direction, complex [D, W]; angles [rad per token]."""
    system, d_D = self._system(width, jnp.float32)
    return system.response(angles_W) + d_D[:, None]

  @nn.compact
  def _system(self, width, dtype):
    s4d.check_options(self.state, self.dt_min, self.dt_max)
    steps = (self.dt_min, self.dt_max)
    dynamics = self.param('dynamics', _initial_dynamics, width, self.state, *steps)
    c_2xDxP = self.param('C', s4d.complex_normal, (width, self.state // 2)).astype(dtype)
    d_D = self.param('D', nn.initializers.ones, (width,)).astype(dtype)
    dynamics = {name: a.astype(dtype) for name, a in dynamics.items()}
    dt_Dx1 = jnp.exp(dynamics['log_step'])[:, None]
    lambda_DxP = lax.complex(-jnp.exp(dynamics['log_decay']), dynamics['frequency'])
    h_DxP = dt_Dx1 / 2 * lambda_DxP
    q_DxP = jnp.sqrt(dt_Dx1 / 2) * lax.complex(*dynamics['P'])
    b_DxP = dt_Dx1 * lax.complex(*dynamics['B'])
    return LowRank(h_DxP, q_DxP, b_DxP, lax.complex(*c_2xDxP)), d_D


class Backbone(blocks.Recurrent):
  """Stack of S4 blocks, x_BxLxD -> x_BxLxD with every width equal to D.

  Attributes (others: `spectra_jax.blocks.Recurrent`):
    state: N, the size of a channel's HiPPO-LegS matrix, even.
    dt_min, dt_max: initial steps are log-uniform in between, tokens.
  """

  state: int = 64
  dt_min: float = 0.001
  dt_max: float = 0.1

  @nn.nowrap
  def layer(self) -> Callable[..., Channels]:
    names = ('state', 'dt_min', 'dt_max')
    return functools.partial(Channels, **{name: getattr(self, name) for name in names})
