"""What a trained linear layer does along the axis: poles and transfer function, in cm^-1.

A layer runs along the wavenumber axis, one token every dnu [cm^-1]. The angle theta of a pole
lambda = r exp(i theta) is conjugate to the wavenumber: the layer rings with a period of

  period = 2 pi dnu / theta,     decay length = -dnu / ln r     (both in cm^-1 ALONG the axis),

as interference fringes do. Neither is the position or the width of a band, and nothing here is a
vibrational frequency; only after the transform of `spectra_jax.interferogram` is a pole a line.

Everything is float64 numpy on the host. A transfer function H(z) = sum_n y_n z^-n is the response
to a unit impulse in the direction in which the layer runs: a backward layer seen along ascending
tokens has H at -theta, which for these real filters is the conjugate.
"""

from typing import Any, NamedTuple

import flax.linen as nn
import jax
import numpy as np

from spectra_jax import blocks


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


LinearFilter = OscillatorFilter | DiagonalFilter | ChannelFilter


# ---- poles ------------------------------------------------------------------


def poles(system: LinearFilter) -> np.ndarray:
  """All poles of the real filter, conjugates included: complex [2P], of a ChannelFilter [D, 2N]."""
  match on_host(system):
    case OscillatorFilter() as filter_:
      return _oscillator_poles(filter_)
    case DiagonalFilter(poles_P) | ChannelFilter(poles_P):
      return np.concatenate([poles_P, poles_P.conj()], -1)


def _oscillator_poles(filter_: OscillatorFilter) -> np.ndarray:
  """Eigenvalues of [[1 - g, -c], [1 - g, 1 - c]], [2P], without cancellation near theta = 0, pi.

  With r = sqrt(1 - g): c = (1 - r)^2 + 4 r sin(theta/2)^2, e = (1 - r)^2 + 4 r cos(theta/2)^2 and
  1 - r = g / (1 + r). The smaller of c and e is the one that the layer runs on, and has the digits.
  """
  g_P, c_P, e_P = filter_[:3]
  det_P = 1 - g_P
  r_P = np.sqrt(np.maximum(det_P, 0))
  near_P = np.minimum(c_P, e_P) - (g_P / (1 + r_P)) ** 2
  far_P, side_P = 4 * r_P - near_P, np.where(c_P <= e_P, 1.0, -1.0)
  folded_P = det_P < 0  # two real poles of opposite sign: nothing cancels in the quadratic formula
  half_trace_P = np.where(folded_P, (2 - g_P - c_P) / 2, side_P * (far_P - near_P) / 4)
  discriminant_P = np.where(folded_P, half_trace_P**2 - det_P, -near_P * far_P / 4)
  root_P = np.sqrt(np.abs(discriminant_P))
  larger_P = half_trace_P + np.copysign(root_P, half_trace_P)
  smaller_P = np.divide(det_P, larger_P, out=np.zeros_like(det_P), where=larger_P != 0)
  real_P, turn_P = discriminant_P >= 0, half_trace_P + 1j * root_P
  return np.concatenate(
    [np.where(real_P, larger_P, turn_P), np.where(real_P, smaller_P, turn_P.conj())]
  )


def period_cm(poles: np.ndarray, dnu: float) -> np.ndarray:
  """2 pi dnu / |theta|: length along the wavenumber axis of one ring of a pole, in cm^-1.

  Not the position of a band. Infinite for a positive real pole; at least 2 dnu.

  Args:
    poles: complex, any shape.
    dnu: token spacing [cm^-1].

  Raises:
    ValueError: dnu is not positive.
  """
  _check_spacing(dnu)
  with np.errstate(divide='ignore'):
    return 2 * np.pi * dnu / np.abs(np.angle(poles))


def decay_length_cm(poles: np.ndarray, dnu: float) -> np.ndarray:
  """-dnu / ln |lambda|: how far along the wavenumber axis a pole falls by e, in cm^-1.

  Not the width of a band. Infinite on the unit circle (to rounding), negative outside it.

  Args:
    poles: complex, any shape.
    dnu: token spacing [cm^-1].

  Raises:
    ValueError: dnu is not positive.
  """
  _check_spacing(dnu)
  with np.errstate(divide='ignore'):
    decay = -np.log(np.abs(poles))
    return dnu / np.where(np.abs(decay) < 4 * np.finfo(float).eps, 0.0, decay)


# ---- the transfer function --------------------------------------------------


def response(system: LinearFilter, theta_T: np.ndarray) -> np.ndarray:
  """H(e^{i theta}): what the layer makes of a sinusoid of theta radians per token, [T, D, D].

  H_ij is from input channel j to output channel i. With w = e^{-i theta}, d on the diagonal and
  w^delay before the sum,

    oscillators  H = d + sum_p h_p (C_re B_re - C_im B_im)_p,  1/h_p = 1 - (2-g-c) w + (1-g) w^2
    diagonal     H = d + sum_p (h_p C_p B_p + conj(...)) / 2,  1/h_p = 1 - lambda_p w

  where conj(...) has the conjugate of lambda, C and B, but not of w. The oscillator's 1/h_p is
  taken as (1 - w)^2 + g w (1 - w) + c w, or the same in -w with e for c, from the half angle:
  nothing cancels at either end.
  """
  theta_T = np.atleast_1d(np.asarray(theta_T, np.float64))
  system, w_Tx1 = on_host(system), np.exp(-1j * theta_T)[:, None]
  match system:
    case OscillatorFilter(b_QxD=b_QxD, c_out_DxQ=c_out_DxQ):
      h_TxQ = np.tile(_oscillator_response(system, theta_T), 2) * w_Tx1**system.delay
      h_TxDxD = (h_TxQ[:, None] * c_out_DxQ) @ b_QxD
    case DiagonalFilter(poles_P, b_PxD, c_out_DxP):
      up_TxP, down_TxP = 1 / (1 - w_Tx1 * poles_P), 1 / (1 - w_Tx1 * poles_P.conj())
      h_TxDxD = ((up_TxP[:, None] * c_out_DxP) @ b_PxD) / 2
      h_TxDxD += ((down_TxP[:, None] * c_out_DxP.conj()) @ b_PxD.conj()) / 2
    case ChannelFilter(poles_DxN, b_DxN, c_out_DxN):
      w_Tx1x1, cb_DxN = w_Tx1[..., None], c_out_DxN * b_DxN
      h_TxD = (cb_DxN / (1 - w_Tx1x1 * poles_DxN)).sum(-1) / 2
      h_TxD += (cb_DxN.conj() / (1 - w_Tx1x1 * poles_DxN.conj())).sum(-1) / 2
      h_TxDxD = h_TxD[:, :, None] * np.eye(len(cb_DxN))
  return h_TxDxD + np.diag(system.d_D)


def _oscillator_response(filter_: OscillatorFilter, theta_T: np.ndarray) -> np.ndarray:
  """h_p at the angles, [T, P]."""
  g_P, c_P, e_P = filter_[:3]
  side_P = np.where(c_P <= e_P, 1.0, -1.0)
  w_TxP = side_P * np.exp(-1j * theta_T)[:, None]
  turn_Tx1 = np.exp(-0.5j * theta_T)[:, None]
  half_Tx1 = 0.5 * theta_T[:, None]
  rest_TxP = 2 * turn_Tx1 * np.where(side_P > 0, 1j * np.sin(half_Tx1), np.cos(half_Tx1))
  return 1 / (rest_TxP**2 + g_P * w_TxP * rest_TxP + np.minimum(c_P, e_P) * w_TxP)


def response_at_period(system: LinearFilter, period_cm_T: np.ndarray, dnu: float) -> np.ndarray:
  """`response` to ripples whose period along the wavenumber axis is given in cm^-1, [T, D, D].

  Raises:
    ValueError: dnu is not positive, or a period is below 2 dnu, which tokens cannot carry.
  """
  return response(system, angle(period_cm_T, dnu))


def angle(period_cm_T: np.ndarray, dnu: float) -> np.ndarray:
  """theta = 2 pi dnu / period, radians per token, for periods along the wavenumber axis [cm^-1].

  Raises:
    ValueError: dnu is not positive, or a period is below 2 dnu, which tokens cannot carry.
  """
  _check_spacing(dnu)
  period_T = np.asarray(period_cm_T, np.float64)
  if (period_T < 2 * dnu).any():
    raise ValueError(
      f'period {period_T.min():g} cm^-1 is shorter than two tokens of {dnu:g} cm^-1; expected at '
      f'least {2 * dnu:g} cm^-1; ask for a longer one'
    )
  return 2 * np.pi * dnu / period_T


def gain(system: LinearFilter, theta_T: np.ndarray) -> np.ndarray:
  """sqrt(sum_ij |H_ij|^2 / D) at the angles, [T]: rms amplitude out of D unit inputs; 1 = as is."""
  squares = lambda theta: (np.abs(response(system, theta)) ** 2).sum((1, 2))
  theta_T = np.asarray(theta_T, np.float64)
  parts = np.array_split(theta_T, -(-len(theta_T) // 32))  # [32, D, D] at a time
  return np.sqrt(np.concatenate([squares(part) for part in parts]) / len(system.d_D))


# ---- layers of a model ------------------------------------------------------


def layers(backbone: nn.Module, variables: Any, width: int) -> dict[str, LinearFilter]:
  """Every linear layer of a `spectra_jax.blocks.Recurrent`: {'block_0/forward': system, ...}.

  Args:
    backbone: the module, not bound.
    variables: its own variables, {'params': {'block_0': ..., ...}}.
    width: D, channels of a token.

  Raises:
    ValueError: the layers of this backbone are not linear and time-invariant.
  """
  make = backbone.layer() if isinstance(backbone, blocks.Recurrent) else None
  if make is None or not hasattr(make(reverse=False, name=None), 'state_space'):
    name = type(backbone).__module__.split('.')[-1]
    raise ValueError(
      f'the layers of {name} have no state_space: expected linear ones with constant coefficients '
      'in a stack of recurrent blocks; choose a run whose backbone is made of such layers'
    )
  found = {}
  for i in range(backbone.blocks):
    block = variables['params'][f'block_{i}']
    for direction in ('forward', 'backward') if backbone.bidirectional else ('forward',):
      layer = make(reverse=direction == 'backward', name=None)
      system = layer.apply({'params': block[direction]}, width, method='state_space')
      found[f'block_{i}/{direction}'] = on_host(system)
  return found


def on_host(system: LinearFilter) -> LinearFilter:
  """The same with float64 and complex128 arrays on the host."""
  if not isinstance(system, LinearFilter):
    raise ValueError(
      f'a layer is given as {type(system).__name__}; expected one of OscillatorFilter, '
      'DiagonalFilter, ChannelFilter; build one of these'
    )
  wide = lambda x: np.asarray(x).astype(np.result_type(np.asarray(x).dtype, np.float64))
  return type(system)(*(value if isinstance(value, int) else wide(value) for value in system))


def _check_spacing(dnu: float) -> None:
  if not dnu > 0:
    raise ValueError(f'dnu is {dnu!r} cm^-1; expected the positive spacing of the tokens; give it')
