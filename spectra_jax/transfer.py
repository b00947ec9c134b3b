"""What a trained linear layer does along the axis: poles, zeros, transfer function, in cm^-1."""

from typing import NamedTuple

import jax


class OscillatorFilter(NamedTuple):
  """y = c_out x + d u with the real filter of `spectra_jax.scan.oscillator` driven by b u.

  g_P, c_P, e_P: damping, stiffness and 4 - 2g - c per step; b_QxD, c_out_DxQ with Q = 2P channels,
  real over imaginary parts; d_D feed-through; delay: tokens by which x comes late (scheme EX: 1).
  """

  g_P: jax.Array
  c_P: jax.Array
  e_P: jax.Array
  b_QxD: jax.Array
  c_out_DxQ: jax.Array
  d_D: jax.Array
  delay: int = 0


class DiagonalFilter(NamedTuple):
  """x_n = poles x_{n-1} + b u_n, y = Re(c_out x) + d u; complex [P], [P, D], [D, P], real [D]."""

  poles_P: jax.Array
  b_PxD: jax.Array
  c_out_DxP: jax.Array
  d_D: jax.Array


class ChannelFilter(NamedTuple):
  """A diagonal filter for each channel: x_n = poles x_{n-1} + b u_n, y = Re(sum_N c_out x) + d u.

  poles_DxN, b_DxN, c_out_DxN complex, d_D real.
  """

  poles_DxN: jax.Array
  b_DxN: jax.Array
  c_out_DxN: jax.Array
  d_D: jax.Array
