"""What an infrared intensity in km/mol is worth, and the dipole F-sum of a molecule.

Intensities A are integrated Napierian molar absorption coefficients of fundamentals in the double
harmonic approximation: A = N_A / (12 eps_0 c^2) |d mu / d Q|^2 (Q mass-weighted), 1 km/mol = 1e5
cm/mol. Arrays keep their kind and dtype: numpy in, numpy out; JAX in, JAX out.

The F-sum of intensities (Crawford, J. Chem. Phys. 20, 977 (1952); King, Mast and Blanchette, J.
Chem. Phys. 56, 4440 (1972)): sum_modes A + rotational term = 974.880 sum_atoms ||P||_F^2 / m,
because modes, rotations and translations together are a complete basis. The total is a number of
that molecule. A sum of A that is the same for all molecules is no law: what the number of electrons
fixes is the f-sum over all absorption (`sum_rules`), of which 100 km/mol is 2e-5 electrons.
"""

import jax
import jax.numpy as jnp
import numpy as np

from spectra_jax.physics import constants

LINEAR = 1e-6  # smallest moment of inertia over the largest, below which a molecule is a line


# ---- units ------------------------------------------------------------------


def infrared_intensity(dipole_derivative_Kx3: jax.Array) -> jax.Array:
  """A = 974.880 |d mu / d Q|^2 [km/mol], [..., K]; d mu / d Q in e / sqrt(amu), x, y, z last.

  Derivatives in (debye / angstrom) / sqrt(amu) times `constants.DEBYE_E_ANGSTROM` are in e /
  sqrt(amu): 42.2561 km/mol each squared.
  """
  return constants.KM_MOL_PER_E2_AMU * (dipole_derivative_Kx3**2).sum(-1)


def oscillator_strength(intensity_K: jax.Array) -> jax.Array:
  """f = A / (N_A pi r_e) = 1.87572e-7 A [km/mol]: electrons of a line in the f-sum."""
  return constants.STRENGTH_PER_KM_MOL * intensity_K


def intensity_of_strength(f_K: jax.Array) -> jax.Array:
  """A [km/mol] = f / 1.87572e-7, the inverse of `oscillator_strength`."""
  return f_K / constants.STRENGTH_PER_KM_MOL


def plasma_of_density(electrons: jax.Array) -> jax.Array:
  """nu_p^2 = r_e N / pi [cm^-2] of N electrons / cm^3, bound or free."""
  return constants.ELECTRON_RADIUS_CM / np.pi * electrons


def density_of_plasma(plasma: jax.Array) -> jax.Array:
  """N = pi nu_p^2 / r_e [electrons / cm^3]; over molecules / cm^3 it is n_eff of a molecule."""
  return np.pi / constants.ELECTRON_RADIUS_CM * plasma


def wavenumber_of_force(force_constant: jax.Array, mass: jax.Array) -> jax.Array:
  """nu = sqrt(k / mu) / (2 pi c) = 1302.791 sqrt(k / mu) [cm^-1], harmonic.

  Args:
    force_constant: k [mdyn / angstrom] (1 mdyn / angstrom = 100 N/m).
    mass: reduced mass mu [amu], as `isotopes.reduced_mass`.
  """
  xp = _namespace(force_constant, mass)
  return constants.CM_PER_ROOT_MDYN_ANGSTROM_AMU * xp.sqrt(force_constant / mass)


def force_of_wavenumber(nu: jax.Array, mass: jax.Array) -> jax.Array:
  """k = mu (nu / 1302.791)^2 [mdyn / angstrom], the inverse of `wavenumber_of_force`."""
  return mass * (nu / constants.CM_PER_ROOT_MDYN_ANGSTROM_AMU) ** 2


# ---- the F-sum of a molecule ------------------------------------------------


def dipole_f_sum(polar_Nx3x3: jax.Array, mass_N: jax.Array) -> jax.Array:
  """974.880 sum_atoms ||P||_F^2 / m [km/mol], [...]: the right side of the F-sum.

  Args:
    polar_Nx3x3: P = d mu / d x of each atom [e].
    mass_N: amu, positive.
  """
  return constants.KM_MOL_PER_E2_AMU * ((polar_Nx3x3**2).sum((-1, -2)) / mass_N).sum(-1)


def rotational_term(mass_N: jax.Array, x_Nx3: jax.Array, dipole_3: jax.Array) -> jax.Array:
  """974.880 sum_axes |e_a x mu|^2 / I_a [km/mol], [...], from the dipole at rest (Crawford 1952).

  Computed as |mu|^2 tr I^+ - mu I^+ mu with I^+ the pseudo-inverse of the tensor of inertia: a
  linear molecule turns about two axes, and its mu lies along the third. For neutral molecules. In
  this form no axes are named, so that gradients exist for spherical and symmetric tops as well.

  Args:
    mass_N: amu; leading axes are molecules, atoms of mass 0 pad.
    x_Nx3: angstrom, about any origin.
    dipole_3: e angstrom.
  """
  xp = _namespace(mass_N, x_Nx3)
  weight_Nx1 = mass_N[..., None]
  q_Nx3 = x_Nx3 - (weight_Nx1 * x_Nx3).sum(-2, keepdims=True) / weight_Nx1.sum(-2, keepdims=True)
  second_3x3 = xp.einsum('...na,...nb->...ab', weight_Nx1 * q_Nx3, q_Nx3)
  trace = xp.trace(second_3x3, axis1=-2, axis2=-1)[..., None, None]
  inertia_3x3 = trace * xp.eye(3, dtype=q_Nx3.dtype) - second_3x3
  inverse_3x3 = xp.linalg.pinv(inertia_3x3, rtol=LINEAR, hermitian=True)
  turning = (dipole_3**2).sum(-1) * xp.trace(inverse_3x3, axis1=-2, axis2=-1)
  along = xp.einsum('...a,...ab,...b->...', dipole_3, inverse_3x3, dipole_3)
  return constants.KM_MOL_PER_E2_AMU * (turning - along)


def f_sum_residual(intensity_K: jax.Array, rotational: jax.Array, total: jax.Array) -> jax.Array:
  """(sum_modes A + rotational term - total) / total, [...]; 0 for harmonic intensities.

  At most 1e-14 over the molecules that ship with the package.

  Args:
    intensity_K: all modes of a molecule, padded with 0 [km/mol].
    rotational, total: what `rotational_term` and `dipole_f_sum` return [km/mol].
  """
  return (intensity_K.sum(-1) + rotational - total) / total


def _namespace(*arrays):
  return jnp if any(isinstance(a, jax.Array) for a in arrays) else np
