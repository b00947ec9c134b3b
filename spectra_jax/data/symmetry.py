"""Symmetry of a molecule from its geometry: inversion centre and point group.

Everything here reads `numbers [N]` (atomic numbers) and `x_Nx3` (angstrom, centre of mass at the
origin) and knows nothing of bonds, SMILES or electronic structure.
"""

import itertools

import numpy as np
from scipy.optimize import linear_sum_assignment

INVERSION_TOLERANCE = 0.05  # angstrom, largest distance between an atom and an inverted partner
LINEAR_TOLERANCE = 1e-6  # smallest over largest moment of inertia of a linear molecule
POINT_GROUP_TOLERANCES = (0.02, 0.1)  # angstrom; a point group is told when both give the same
MAX_ORDER = 8  # highest rotation order that is looked for


def inertia(mass: np.ndarray, x_Nx3: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """Principal moments and axes of inertia about the centre of mass.

  I = sum_atoms m (|q|^2 1 - q q^T), q = x - centre of mass.

  Args:
    mass: [N], amu.
    x_Nx3: positions, angstrom.

  Returns:
    (moments [3] in amu angstrom^2, ascending; axes [3, 3], one axis a ROW).
  """
  q = x_Nx3 - mass @ x_Nx3 / mass.sum()
  tensor = np.sum(mass * (q * q).sum(1)) * np.eye(3) - (mass[:, None] * q).T @ q
  moments, columns = np.linalg.eigh(tensor)
  return moments, columns.T


def is_linear(moments: np.ndarray) -> bool:
  """Whether ascending principal moments [3] are those of a linear molecule (ratio < 1e-6)."""
  return bool(moments[0] < LINEAR_TOLERANCE * moments[2])


def inversion_partners(numbers: np.ndarray, x_Nx3: np.ndarray) -> tuple[np.ndarray, float]:
  """The matching of atoms under x -> -x that costs least (Hungarian method).

  Args:
    numbers: [N] atomic numbers.
    x_Nx3: positions about the centre of mass, angstrom.

  Returns:
    (partner [N], largest |x_i + x_partner(i)| in angstrom); infinity where the best matching
    is no involution, that is, no inversion.
  """
  distance = np.linalg.norm(x_Nx3[:, None] + x_Nx3[None], axis=-1)
  forbidden = numbers[:, None] != numbers[None]
  _, partner = linear_sum_assignment(np.where(forbidden, 1e6, distance**2))
  involution = (partner[partner] == np.arange(len(numbers))).all()
  return partner, float(distance[np.arange(len(numbers)), partner].max()) if involution else np.inf


def point_group(numbers: np.ndarray, x_Nx3: np.ndarray) -> str:
  """Schoenflies symbol of a molecule, or '' when two tolerances (0.02, 0.1 angstrom) disagree.

  Told apart: C1, Ci, Cs, Cn, Cnv, Cnh, Dn, Dnh, Dnd, S2n, Td, Oh, Coov, Dooh (oo = infinity).
  Candidate axes are the inertia axes, atoms, midpoints and differences of equivalent pairs.

  Args:
    numbers: [N] atomic numbers, N >= 2.
    x_Nx3: positions about the centre of mass, angstrom.
  """
  names = {_point_group(numbers, x_Nx3, tolerance) for tolerance in POINT_GROUP_TOLERANCES}
  return names.pop() if len(names) == 1 else ''


def _point_group(numbers, x_Nx3, tolerance) -> str:
  moments, principal = inertia(numbers.astype(float), x_Nx3)
  inverted = _maps(-np.eye(3)[None], numbers, x_Nx3, tolerance)[0]
  if moments[0] < tolerance**2:
    return 'Dooh' if inverted else 'Coov'
  candidates = _candidates(numbers, x_Nx3, principal, tolerance)
  order = _orders(candidates, numbers, x_Nx3, tolerance)
  mirror = _distinct(candidates[_maps(_reflections(candidates), numbers, x_Nx3, tolerance)])[0]
  axes, order = _distinct(candidates[order > 1], order[order > 1])
  if (order > 2).sum() > 1:
    return _cubic(order, len(mirror), inverted)
  if not len(axes):
    return 'Cs' if len(mirror) else 'Ci' if inverted else 'C1'
  return _axial(axes, order, mirror, lambda op: _maps(op[None], numbers, x_Nx3, tolerance)[0])


def _cubic(order, mirrors, inverted) -> str:
  if inverted and (order == 4).sum() == 3 and mirrors == 9:
    return 'Oh'
  return 'Td' if not inverted and order.max() == 3 and mirrors == 6 else ''


def _axial(axes, order, mirror, holds) -> str:
  """Name of a group with one main axis: the highest order, then the most mirrors through it."""
  through = (abs(axes @ mirror.T) < 0.1).sum(1) if len(mirror) else np.zeros(len(axes))
  best = max(range(len(axes)), key=lambda i: (order[i], through[i]))
  n, main = int(order[best]), axes[best]
  horizontal = bool(len(mirror)) and bool((abs(mirror @ main) > 0.99).any())
  across = int(((abs(axes @ main) < 0.1) & (order % 2 == 0)).sum())
  letter = 'D' if across >= n else 'C'
  if horizontal:
    return f'{letter}{n}h'
  if through[best] >= n:
    return f'D{n}d' if letter == 'D' else f'C{n}v'
  improper = _reflections(main[None])[0] @ _rotations(main[None], 2 * n)[0]
  return f'S{2 * n}' if letter == 'C' and holds(improper) else f'{letter}{n}'


def _candidates(numbers, x_Nx3, principal, tolerance) -> np.ndarray:
  """Unit vectors [K, 3], one for each line that a rotation axis or mirror normal can have."""
  radius = np.linalg.norm(x_Nx3, axis=1)
  lines = [principal, x_Nx3]
  for i, j in itertools.combinations(range(len(numbers)), 2):
    if numbers[i] == numbers[j] and abs(radius[i] - radius[j]) < tolerance:
      lines.append(np.stack([x_Nx3[i] + x_Nx3[j], x_Nx3[i] - x_Nx3[j]]))
  lines = np.concatenate(lines)
  length = np.linalg.norm(lines, axis=1)
  return lines[length > 0.3] / length[length > 0.3, None]


def _distinct(lines, order=None) -> tuple[np.ndarray, np.ndarray]:
  """One of each bundle of lines within 8 degrees, the one of highest order."""
  order = np.ones(len(lines), int) if order is None else order
  ranked = np.argsort(-order, kind='stable')
  lines, order = lines[ranked], order[ranked]
  repeated = np.triu(abs(lines @ lines.T) > 0.99, 1).any(0)
  return lines[~repeated], order[~repeated]


def _orders(axes_Kx3, numbers, x_Nx3, tolerance) -> np.ndarray:
  """Highest order n of a rotation 2 pi / n about each axis that maps the molecule on itself."""
  order = np.ones(len(axes_Kx3), int)
  for n in range(2, MAX_ORDER + 1):
    order[_maps(_rotations(axes_Kx3, n), numbers, x_Nx3, tolerance)] = n
  return order


def _maps(ops_Kx3x3, numbers, x_Nx3, tolerance) -> np.ndarray:
  """Whether each operation puts every atom within `tolerance` of its own atom of one kind."""
  moved = np.einsum('kab,nb->kna', ops_Kx3x3, x_Nx3)
  distance = np.linalg.norm(moved[:, :, None] - x_Nx3, axis=-1)
  distance = np.where(numbers[:, None] == numbers, distance, np.inf)
  image = np.sort(distance.argmin(-1), axis=-1)
  onto = (image == np.arange(len(numbers))).all(-1)
  return onto & (distance.min(-1).max(-1) < tolerance)


def _rotations(axes_Kx3, n) -> np.ndarray:
  """Rodrigues: R = cos t 1 + sin t [e]x + (1 - cos t) e e^T, t = 2 pi / n."""
  angle = 2 * np.pi / n
  cross = np.cross(np.eye(3)[None], axes_Kx3[:, None])  # [e]x: row b is e_b x e
  outer = axes_Kx3[:, :, None] * axes_Kx3[:, None, :]
  return np.cos(angle) * np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * outer


def _reflections(normals_Kx3) -> np.ndarray:
  """R = 1 - 2 e e^T."""
  return np.eye(3) - 2 * normals_Kx3[:, :, None] * normals_Kx3[:, None, :]
