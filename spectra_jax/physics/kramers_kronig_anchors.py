"""What lies outside the window, seen through the index n at one to three known wavenumbers.

The n that a transform of the window leaves over comes from absorption elsewhere. Far above it is a
constant, the n_inf of the window; below the lower edge a it is a sum of - s_j a^2 / (nu^2 - x_j^2),
virtual oscillators at x_j. With Q anchors, the constant and Q - 1 oscillators are found:

  n(nu_q) = T k(nu_q) + c_0 - sum_j c_j a^2 / (nu_q^2 - x_j^2),   c_j >= -w_j k(a),

by least squares.

The oscillators stand at the nodes of Gauss' rule for the tail k(a) x / a that the plan assumes
below a, and w_j k(a) is what that tail has there: c_j >= -w_j k(a) says that tail and correction
together still absorb. Without a tail, or at wavenumbers of the caller's choice, w_j = 0.

Measured on tabulated liquids, 500-4000 cm^-1, RMS of n without the outermost 1 %, these nodes
(0.775 a; 0.539 a and 0.906 a) beside {1, nu^-2} and {1, nu^-2, nu^2} at the same anchors (605,
2000; 570, 900, 3300) and with the same tails:

                two anchors          three anchors
  benzene       4.6e-5   4.7e-5      4.3e-5   5.7e-5
  ethanol       6.5e-5   2.0e-4      1.6e-5   3.7e-4     (a band at 433 cm^-1, below the window)
  propanol      9.2e-5   4.7e-5      3.2e-5   4.9e-5     (a band cut by the edge)
  water         8.1e-4   2.5e-4      9.1e-5   3.1e-4

They suit infrared windows, below which bands lie. More unknowns amplify errors without end: Q <= 3.
"""

import itertools

import jax
import jax.numpy as jnp
import numpy as np

MOST = 3  # anchors
AMPLIFICATION = 1e3  # of an error in one anchor's n, beyond which anchors are refused

# Nodes (x / a)^2 of Gauss' rules for int_0^1 x^2 g(x^2) dx, of one point and of two.
_SPREAD = np.sqrt(100 / 81 - 20 / 21)
_SQUARES = {0: [], 1: [3 / 5], 2: [(10 / 9 - _SPREAD) / 2, (10 / 9 + _SPREAD) / 2]}


def nodes(count: int) -> tuple[np.ndarray, np.ndarray]:
  """(x_j / a, w_j) of the lower tail: (2/pi) int_0^a x (x/a) g(x^2) dx = a^2 sum_j w_j g(x_j^2)."""
  square_J = np.array(_SQUARES[count])
  moments_J = 1 / (3.0 + 2 * np.arange(count))
  weight_J = np.linalg.solve(square_J ** np.arange(count)[:, None], moments_J)
  return np.sqrt(square_J), 2 / np.pi * weight_J


def basis(nu_L: np.ndarray, low: float, oscillators_J: np.ndarray) -> np.ndarray:
  """[1 + J, L]: the constant, and low^2 / (x_j^2 - nu^2) scaled to 1 where it is largest."""
  rows = [low**2 / ((x - nu_L) * (x + nu_L)) for x in oscillators_J]
  return np.stack([np.ones_like(nu_L), *rows])


def solutions(basis_CxQ: np.ndarray) -> np.ndarray:
  """[S, C, Q]: pseudo-inverses with each subset of the oscillators held at zero, all free first."""
  count = len(basis_CxQ)
  solved = []
  for kept in itertools.product((True, False), repeat=count - 1):
    free_C = np.array([True, *kept])
    found_CxQ = np.zeros_like(basis_CxQ)
    found_CxQ[free_C] = np.linalg.pinv(basis_CxQ[free_C].T)
    solved.append(found_CxQ)
  return np.stack(solved)


def fit(residual_BxQ: jax.Array, basis_CxQ: jax.Array, solution_SxCxQ: jax.Array) -> jax.Array:
  """argmin_c ||residual - c basis||, c_j >= 0 but for the constant, exactly: [..., Q] -> [..., C].

  Tries every active set (at most four) and keeps the best that obeys the signs; the gradient is
  that of the set kept.
  """
  product = lambda subscripts, *arrays: jnp.einsum(subscripts, *arrays, precision='highest')
  c_BxSxC = product('scq,...q->...sc', solution_SxCxQ, residual_BxQ)
  left_BxSxQ = product('...sc,cq->...sq', c_BxSxC, basis_CxQ) - residual_BxQ[..., None, :]
  obeys_BxS = (c_BxSxC[..., 1:] >= 0).all(-1)
  miss_BxS = jnp.where(obeys_BxS, (left_BxSxQ**2).sum(-1), jnp.inf)
  best_Bx1x1 = jnp.argmin(miss_BxS, -1)[..., None, None]
  return jnp.take_along_axis(c_BxSxC, best_Bx1x1, axis=-2)[..., 0, :]


def check(anchors_Q: np.ndarray, axis_L: np.ndarray, oscillators_J: np.ndarray) -> None:
  """Refuses what the window cannot support; see `kramers_kronig.plan`."""
  low, high = axis_L[[0, -1]]
  if len(anchors_Q) > MOST:
    raise ValueError(
      f'anchors_nu has {len(anchors_Q)} wavenumbers; expected at most {MOST}, beyond which the '
      'correction amplifies errors without end; keep those with the best known n'
    )
  if not ((anchors_Q >= low) & (anchors_Q <= high)).all():
    raise ValueError(
      f'anchors_nu is {anchors_Q} cm^-1; expected wavenumbers inside the window, {low:g} to '
      f'{high:g}; leave the others out or widen the window'
    )
  outside_J = (oscillators_J > 0) & ((oscillators_J < low) | (oscillators_J > high))
  if not outside_J.all():
    raise ValueError(
      f'virtual_nu is {oscillators_J} cm^-1; expected positive wavenumbers outside the window, '
      f'{low:g} to {high:g}; what is inside is in k'
    )
  if len(oscillators_J) > max(len(anchors_Q) - 1, 0):
    raise ValueError(
      f'virtual_nu has {len(oscillators_J)} oscillators for {len(anchors_Q)} anchors; expected at '
      'most one fewer than anchors, since the constant takes one; give more anchors'
    )


def check_amplification(amplification: float, anchors_Q: np.ndarray) -> None:
  """Refuses anchors so close that n between them is extrapolated."""
  if not amplification <= AMPLIFICATION:
    raise ValueError(
      f'anchors at {anchors_Q} cm^-1 amplify an error of their n {amplification:.3g} times; '
      f'expected at most {AMPLIFICATION:g} times; spread them over the window'
    )
