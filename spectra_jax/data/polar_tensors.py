"""Sum rules of atomic polar tensors P = d(mu)/dx: rigid motions and enforcement.

With them the F-sum of a molecule (`spectra_jax.physics.intensities`) becomes exact. Numpy only; N
atoms; `x` is in angstrom with the centre of mass at the origin.
"""

import numpy as np

from spectra_jax.data import symmetry


def rigid_motions(mass: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """Orthonormal mass-weighted translations and rotations.

  Rotation a: sqrt(m) (e_a x q) / sqrt(I_a) about the principal axes e_a; a linear molecule has
  no rotation about its axis.

  Args:
    mass: [N], amu.
    x: [N, 3], angstrom, centre of mass at the origin.

  Returns:
    (U [3N, 5 or 6]: translations first; axes [2 or 3, 3]; moments [2 or 3], amu angstrom^2).
  """
  moments, axes = symmetry.inertia(mass, x)
  if symmetry.is_linear(moments):
    moments, axes = moments[1:], axes[1:]
  root = np.sqrt(mass)[:, None]
  shift = [(root * e).ravel() / np.sqrt(mass.sum()) for e in np.eye(3)]
  turn = [(root * np.cross(e, x)).ravel() / np.sqrt(i) for e, i in zip(axes, moments, strict=True)]
  return np.array(shift + turn).T, axes, moments


def enforce_sum_rules(
  polar: np.ndarray, mass: np.ndarray, x: np.ndarray, dipole: np.ndarray
) -> tuple[np.ndarray, float]:
  """Atomic polar tensors that obey the translational and rotational sum rules exactly.

  E(RX, RF) = E(X, F) for a neutral molecule gives sum_atoms P = 0 and
  sum_atoms (e x q) . P = e x mu. With P~ = P / sqrt(m) and the rigid motions U these read
  U^T P~ = C, C = 0 (translations), (e_a x mu) / sqrt(I_a) (rotations). The correction
  P~ + U (C - U^T P~) is the one of least mass-weighted norm; it leaves the part of P~ that
  vibrations see as it was.

  Args:
    polar: [3N, 3], e.
    mass, x: [N] amu, [N, 3] angstrom about the centre of mass.
    dipole: [3], e*angstrom.

  Returns:
    (P [3N, 3], ||C - U^T P~||_F / ||P~||_F before the correction).
  """
  rigid, axes, moments = rigid_motions(mass, x)
  root = np.sqrt(np.repeat(mass, 3))[:, None]
  wanted = np.zeros((rigid.shape[1], 3))
  wanted[3:] = np.cross(axes, dipole) / np.sqrt(moments)[:, None]
  missing = wanted - rigid.T @ (polar / root)
  violation = np.linalg.norm(missing) / np.linalg.norm(polar / root)
  return polar + root * (rigid @ missing), float(violation)
