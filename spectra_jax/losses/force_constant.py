"""Isotopes change masses and not force constants: nu' / nu = sqrt(mu / mu')."""

import jax
import jax.numpy as jnp

from spectra_jax.losses import check_tolerance, log_ratio
from spectra_jax.signals import Domain

DOMAIN = Domain(
  law='the isotope shift',
  kinds=(('wavenumber',),),
  states=('measured', 'computed'),
  why={
    'wavelength': 'a wavelength goes as sqrt(mu) and not as its inverse; take 1e7 / nm',
    'sqrt': 'a root of a wavenumber shifts by the fourth root',
    'snv': 'positions have no such state',
    'derivative': 'positions have no such state',
  },
  otherwise='it binds the positions of bands and not the values of a spectrum',
)


def force_constant(
  nu_BxK: jax.Array,
  isotope_BxK: jax.Array,
  mass_ratio_BxK: jax.Array,
  *,
  tolerance: float,
  kind: str,
  state: str,
) -> jax.Array:
  """mean_K max(|ln(nu' / nu) - ln(mu / mu') / 2| - tolerance, 0)^2, [B].

  From nu = sqrt(k / mu) / (2 pi c), a diatomic or a mode of one bond; for whole molecules
  `product_rule`. Exact for harmonic wavenumbers. Fundamentals shift less, by about x_e nu: for
  H35Cl / D35Cl the harmonic ratio is right to 3e-5, that of the fundamentals off by 1.0 %, for C-H
  stretches by 2 to 4 %.

  Args:
    nu_BxK, isotope_BxK: positions before and after substitution [cm^-1].
    mass_ratio_BxK: mu / mu', reduced masses before and after; 0 for padding.
    tolerance: relative deviation that is not punished; positive for measured positions.
    kind, state: of both positions.

  Raises:
    ValueError: signals that are no wavenumbers, a tolerance outside 0 to 1, or none for measured
      positions.
  """
  _check(tolerance, kind, state)
  real_BxK = mass_ratio_BxK > 0
  nu_BxK = jnp.where(real_BxK, nu_BxK, 1)
  shift_BxK = log_ratio(jnp.where(real_BxK, isotope_BxK, 1), nu_BxK)
  law_BxK = 0.5 * jnp.log(jnp.where(real_BxK, mass_ratio_BxK, 1))
  excess_BxK = jnp.maximum(jnp.abs(shift_BxK - law_BxK) - tolerance, 0) ** 2
  return excess_BxK.sum(-1) / jnp.maximum(real_BxK.sum(-1), 1)


def product_rule(
  nu_BxK: jax.Array,
  isotope_BxK: jax.Array,
  product_B: jax.Array,
  *,
  tolerance: float,
  kind: str,
  state: str,
) -> jax.Array:
  """max(|mean_K ln(nu' / nu) - ln(product) / K| - tolerance, 0)^2, [B]: Teller and Redlich.

  The product of nu' / nu over all modes of a molecule follows from masses and geometry alone
  (Redlich 1935, Z. phys. Chem. B 28, 371). Exact for harmonic wavenumbers of any molecule, whatever
  its force constants; a single mode of it has no such law.

  Args:
    nu_BxK, isotope_BxK: all modes before and after [cm^-1]; no padding.
    product_B: prod_k nu'_k / nu_k, as `physics.isotopes.product_ratio` gives it.
    tolerance, kind, state: as `force_constant`, for the geometric mean of the ratios.

  Raises:
    ValueError: as `force_constant`.
  """
  _check(tolerance, kind, state)
  law_B = jnp.log(product_B) / nu_BxK.shape[-1]
  return jnp.maximum(jnp.abs(log_ratio(isotope_BxK, nu_BxK).mean(-1) - law_B) - tolerance, 0) ** 2


def _check(tolerance: float, kind: str, state: str) -> None:
  DOMAIN.check(kind, state=state)
  check_tolerance(tolerance)
  if state == 'measured' and tolerance == 0:
    raise ValueError(
      'tolerance is 0 for measured positions, expected a positive one: fundamentals are anharmonic '
      'and miss the law by 1 to 4 %; give 0.04 for X-H stretches, or compare harmonic wavenumbers'
    )
