"""The plan of a Kramers-Kronig transform: all that follows from the axis, made once on the host.

Used as `kramers_kronig.plan`, where the transforms are.
"""

import dataclasses
import functools

import jax
import numpy as np

from spectra_jax.physics import kramers_kronig_anchors as outside
from spectra_jax.physics import kramers_kronig_quadrature as quadrature

EVEN = 1e-6  # largest deviation of a step from their mean, relative
FEWEST = 2 * quadrature.STENCIL + 2  # points of an axis
TAILS = ('none', 'power_law')

_ARRAYS = ('axis', 'toeplitz_F', 'hankel_F', 'even_14xN', 'odd_14xN', 'to_grid', 'to_axis')
_ANCHORS = ('to_anchors', 'basis_CxL', 'basis_CxQ', 'floor_C', 'solution_SxCxQ')


@functools.partial(
  jax.tree_util.register_dataclass,
  data_fields=_ARRAYS + _ANCHORS,
  meta_fields=('tails', 'points', 'length'),
)
@dataclasses.dataclass(frozen=True)
class Plan:
  """What a transform needs, float64 on the host; a pytree, so it goes through jit as an argument.

  Attributes:
    axis: the wavenumbers [L] of all spectra [cm^-1].
    toeplitz_F, hankel_F, even_14xN, odd_14xN: of `kramers_kronig_quadrature`, on an even grid of N.
    to_grid, to_axis: (index, weight) of interpolation from the axis to that grid and back; None
      where the axis is the grid.
    to_anchors: the same from the grid to the anchors; None without anchors, as are the next four.
    basis_CxL, basis_CxQ, floor_C, solution_SxCxQ: of `kramers_kronig_anchors`.
    tails: 'none' or 'power_law'.
    points, length: N, and the points of its FFT.
  """

  axis: np.ndarray
  toeplitz_F: np.ndarray
  hankel_F: np.ndarray
  even_14xN: np.ndarray
  odd_14xN: np.ndarray
  to_grid: tuple[np.ndarray, np.ndarray] | None
  to_axis: tuple[np.ndarray, np.ndarray] | None
  to_anchors: tuple[np.ndarray, np.ndarray] | None
  basis_CxL: np.ndarray | None
  basis_CxQ: np.ndarray | None
  floor_C: np.ndarray | None
  solution_SxCxQ: np.ndarray | None
  tails: str
  points: int
  length: int


def plan(
  axis_L: np.ndarray,
  *,
  tails: str,
  anchors_nu: tuple[float, ...] = (),
  virtual_nu: tuple[float, ...] | None = None,
  resample_points: int = 0,
) -> Plan:
  """Everything of the axis, once, on the host, in float64; 0.02 s for 2048 points, 0.5 s for 2^17.

  Args:
    axis_L: ascending wavenumbers [cm^-1], evenly spaced unless `resample_points` is given. (Evenly
      spaced nm cannot be told from cm^-1: convert first, nu = 1e7 / nm, and flip.)
    tails: outside the window, 'none': k = 0 (for `inverse`, n = 0: subtract n_inf first).
      'power_law': k = k(a) nu/a below and k(b) (b/nu)^3 above (for `inverse`, n(a) and n(b) go
      on), so that nothing diverges at the edges. With 'none' the end samples, where the integral
      diverges as k ln|end - nu|, are Hadamard's finite part with k held for one step more.
    anchors_nu: at most three wavenumbers where `anchored` is told n [cm^-1].
    virtual_nu: oscillators outside the window, strengths >= 0, at most one fewer than anchors; None
      = at the nodes of the lower tail, see `kramers_kronig_anchors`.
    resample_points: 0, or the points of an even grid to which an uneven axis is interpolated by
      local quintics, transformed, and taken back; at least as many as the axis has. A line with a
      HWHM of 6 of its local steps on an axis even in nm: 4e-5 of max|chi|, of 10 steps 2e-6 (5e-5
      at the ends); more points of the even grid do not help. It costs 30 times as much as an even
      axis: where spectra are used often, resample them once.

  Raises:
    ValueError: the axis is too short, not positive, finite and ascending, or uneven without
      `resample_points`; `tails` is not a name; anchors are more than three, outside the window or
      too close; virtual oscillators are inside it or too many.
  """
  axis_L = np.asarray(axis_L, np.float64)
  _check_axis(axis_L, resample_points)
  if tails not in TAILS:
    raise ValueError(f'tails is {tails!r}; expected one of {", ".join(TAILS)}; give one of them')
  grid_N = np.linspace(axis_L[0], axis_L[-1], resample_points or len(axis_L))
  first = grid_N[0] * (len(grid_N) - 1) / (grid_N[-1] - grid_N[0])
  length, toeplitz_F, hankel_F = quadrature.kernels(first, len(grid_N))
  even = resample_points == 0
  return Plan(
    axis_L,
    toeplitz_F,
    hankel_F,
    _edges(grid_N, tails, 1),
    _edges(grid_N, tails, -1),
    None if even else quadrature.lagrange(axis_L, grid_N),
    None if even else quadrature.lagrange(grid_N, axis_L),
    *_anchors(axis_L, grid_N, tails, anchors_nu, virtual_nu),
    tails,
    len(grid_N),
    length,
  )


def _edges(grid_N, tails, sign):
  rows_14xN = quadrature.edges(grid_N, sign)
  if tails == 'power_law':
    lower_N, upper_N = quadrature.tails(grid_N, sign)
    rows_14xN[0] += lower_N
    rows_14xN[-1] += upper_N
  return rows_14xN


def _anchors(axis_L, grid_N, tails, anchors_nu, virtual_nu):
  """(to_anchors, basis_CxL, basis_CxQ, floor_C, solution_SxCxQ)."""
  anchors_Q = np.asarray(anchors_nu, np.float64)
  outside.check(anchors_Q, axis_L, np.asarray(virtual_nu or (), np.float64))
  if len(anchors_Q) == 0:
    return None, None, None, None, None
  low = axis_L[0]
  ratio_J, weight_J = outside.nodes(len(anchors_Q) - 1)
  if virtual_nu is not None or tails == 'none':
    weight_J = 0 * weight_J
  if virtual_nu is not None:
    ratio_J, weight_J = np.array(virtual_nu) / low, np.zeros(len(virtual_nu))
  basis_CxL, basis_CxQ = (outside.basis(nu, low, low * ratio_J) for nu in (axis_L, anchors_Q))
  solution_SxCxQ = outside.solutions(basis_CxQ)
  worst = np.abs(basis_CxL.T @ solution_SxCxQ[0]).sum(-1).max()
  outside.check_amplification(worst, anchors_Q)
  to_anchors = quadrature.lagrange(grid_N, anchors_Q)
  return to_anchors, basis_CxL, basis_CxQ, np.append(0.0, weight_J), solution_SxCxQ


def _check_axis(axis_L, resample_points) -> None:
  if axis_L.ndim != 1 or len(axis_L) < FEWEST:
    raise ValueError(
      f'the axis has shape {axis_L.shape}; expected [L] with at least {FEWEST} wavenumbers, of '
      f'which {quadrature.STENCIL} at each edge are corrected; give a longer spectrum'
    )
  steps = np.diff(axis_L)
  if not (np.isfinite(axis_L).all() and axis_L[0] > 0 and (steps > 0).all()):
    raise ValueError(
      f'the axis goes from {axis_L[0]:g} to {axis_L[-1]:g} with steps of {steps.min():g} to '
      f'{steps.max():g}; expected finite, positive, ascending wavenumbers in cm^-1; flip a '
      'descending axis with its values, and convert wavelengths by 1e7 / nm'
    )
  mean = steps.mean()
  if resample_points == 0 and np.abs(steps - mean).max() > EVEN * mean:
    raise ValueError(
      f'the axis steps by {mean:g} cm^-1 on average and deviates by up to '
      f'{np.abs(steps - mean).max():g}; expected an even axis in cm^-1 (not nm); give '
      'resample_points, or resample the spectra'
    )
  if resample_points and resample_points < len(axis_L):
    raise ValueError(
      f'resample_points is {resample_points} for an axis of {len(axis_L)} points; expected at '
      'least as many, so that nothing is lost; give twice as many'
    )
