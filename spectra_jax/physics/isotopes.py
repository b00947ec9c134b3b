"""How harmonic wavenumbers move when atoms are replaced by isotopes; forces stay as they are.

Born and Oppenheimer: geometry and force constants do not know the masses. Real shifts are a little
smaller than these, as anharmonicity goes with the amplitude: HCl / DCl is 1.3943 harmonic (omega_e)
and 1.3802 between the observed fundamentals (2886.0 and 2091.0 cm^-1, Herzberg 1950).
"""

import jax
import numpy as np

LINEAR = 1e-6  # smallest moment of inertia over the largest, below which a molecule is a line


def reduced_mass(mass_a: jax.Array, mass_b: jax.Array) -> jax.Array:
  """mu = m_a m_b / (m_a + m_b), in the unit of the masses."""
  return mass_a * mass_b / (mass_a + mass_b)


def diatomic_ratio(mass: jax.Array, new_mass: jax.Array) -> jax.Array:
  """nu' / nu = sqrt(mu / mu') of reduced masses; exact for a harmonic diatomic."""
  return (mass / new_mass) ** 0.5


def product_ratio(mass_N: np.ndarray, new_mass_N: np.ndarray, x_Nx3: np.ndarray) -> float:
  """Teller-Redlich: the product over all vibrations of nu' / nu, without any force constant.

  prod nu'_k / nu_k = prod_atoms (m / m')^(3/2) (M' / M)^(3/2) prod_axes (I' / I)^(1/2), M the sum
  of the masses, I the principal moments of inertia, two of them for a linear molecule (Redlich, Z.
  phys. Chem. B 28, 371 (1935); Wilson, Decius and Cross (1955), sec. 8-5). Harmonic: exact, 1e-13
  against normal modes. On the host, in float64.

  Args:
    mass_N, new_mass_N: amu, of the same atoms in the same order.
    x_Nx3: angstrom, the geometry of both.

  Raises:
    ValueError: masses that are not positive, or not one an atom.
  """
  mass_N, new_mass_N, x_Nx3 = (np.asarray(v, np.float64) for v in (mass_N, new_mass_N, x_Nx3))
  if not (mass_N.shape == new_mass_N.shape == x_Nx3.shape[:1] and x_Nx3.shape[1:] == (3,)):
    raise ValueError(
      f'masses have shapes {mass_N.shape} and {new_mass_N.shape}, positions {x_Nx3.shape}, '
      'expected [N], [N] and [N, 3]; give every atom, hydrogens too'
    )
  if not (np.concatenate([mass_N, new_mass_N]) > 0).all():
    raise ValueError(f'masses are {mass_N} and {new_mass_N} amu, expected positive ones')
  whole = np.log(new_mass_N.sum() / mass_N.sum()) - np.log(new_mass_N / mass_N).sum()
  turning = _log_moments(new_mass_N, x_Nx3) - _log_moments(mass_N, x_Nx3)
  return float(np.exp(1.5 * whole + 0.5 * turning))


def _log_moments(mass_N, x_Nx3) -> float:
  """Sum of the logarithms of the principal moments, without that of a linear molecule's axis."""
  q_Nx3 = x_Nx3 - mass_N @ x_Nx3 / mass_N.sum()
  second_3x3 = (mass_N[:, None] * q_Nx3).T @ q_Nx3
  moments = np.linalg.eigvalsh(np.trace(second_3x3) * np.eye(3) - second_3x3)
  return np.log(moments[moments > LINEAR * moments[-1]]).sum()
