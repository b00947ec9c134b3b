"""Oscillator strength is conserved: partial sums, bounds from above, and a molecule's own F-sum.

A window supports no other equality: superconvergence and the inertial rule leave a tenth of their
integral outside of 500 to 4000 cm^-1, and the infrared never comes near the count of electrons.
"""

import jax
import jax.numpy as jnp
import numpy as np

from spectra_jax.losses import check_tolerance, log_ratio
from spectra_jax.physics.sum_rules import partial_sums
from spectra_jax.signals import Domain

# Kind -> the quantity whose sum is proportional to its own; the factor drops out of a ratio.
QUANTITY = {'k': 'k', 'absorbance': 'alpha', 'ir': 'alpha'}
DOMAIN = Domain(
  law='the f-sum',
  kinds=tuple((kind,) for kind in QUANTITY),
  states=('measured', 'computed'),
  why={
    'raman': 'Raman activities count no electrons and are bounded by none',
    'n': 'the inertial rule of n leaves a tenth of its integral outside of a window',
    'atr': 'the depth that light reaches depends on n; convert it to k',
    'transmittance': 'strength is in the logarithm of a transmittance; take -log10 of it',
    'reflectance': 'a reflectance mixes n and k; convert it to k',
    'sqrt': 'the sum of roots is not the root of the sum; square the values',
    'snv': 'SNV takes the area off each spectrum',
    'derivative': 'a derivative sums to the difference of its ends',
  },
  otherwise='it holds no oscillator strength',
)


def sum_rules(
  axis_L: np.ndarray,
  predicted_BxL: jax.Array,
  reference_BxL: jax.Array,
  *,
  start: float,
  kind: str,
  state: str,
) -> jax.Array:
  """mean over nu of ln(S_predicted(nu) / S_reference(nu))^2, [B].

  S(nu) = int_a^nu x k dx, or int_a^nu of an absorbance or 'ir': proportional to the oscillator
  strength up to nu (`physics.sum_rules.partial_sums`, which see for quadrature and axis). Only
  where S_reference >= start times its total, as the first sums are 0. What differs from an error of
  values: a band a third of its sigma off costs a tenth of what one 1.5 times too strong does, up to
  the end of the axis. Below a ratio of 1e-3, and for negative sums, the tangent goes on.

  Args:
    axis_L: ascending wavenumbers [cm^-1], on the host.
    predicted_BxL, reference_BxL: on it; the reference not negative, with a positive total.
    start: share of the reference's total, 0 to 1, from which sums count; 0.1 for one,
      as the ratio of two first flanks says little.
    kind, state: of both.

  Raises:
    ValueError: signals without a sum rule, a share outside 0 to 1, or an axis that is none.
  """
  DOMAIN.check(kind, state=state)
  if not 0 < start < 1:
    raise ValueError(
      f'start is {start}, expected a share between 0 and 1 of the total, since the first partial '
      'sum is 0; give 0.1'
    )
  sums = lambda values_BxL: partial_sums(axis_L, values_BxL, QUANTITY[kind])
  reference_BxL = sums(reference_BxL)
  counts_BxL = reference_BxL >= start * reference_BxL[..., -1:]
  counts_BxL &= reference_BxL > 0
  error_BxL = log_ratio(sums(predicted_BxL), jnp.where(counts_BxL, reference_BxL, 1)) ** 2
  total_B = jnp.where(counts_BxL, error_BxL, 0).sum(-1)
  return total_B / jnp.maximum(counts_BxL.sum(-1), 1)


def upper_bound(
  axis_L: np.ndarray, values_BxL: jax.Array, plasma_B: jax.Array, *, kind: str, state: str
) -> jax.Array:
  """max(ln(S / plasma), 0)^2, [B]: a window absorbs no more than all wavenumbers do.

  S = (4/pi) int nu k, and plasma = nu_p^2 [cm^-2] of what is known to absorb. With the electrons of
  the infrared's own oscillators it binds; with all electrons never (100 km/mol is f = 2e-5).

  Raises:
    ValueError: signals other than k, whose sum alone has an absolute scale, or no axis.
  """
  DOMAIN.check(kind, state=state)
  if kind != 'k':
    raise ValueError(
      f'kind is {kind!r}, expected k: an upper bound in electrons needs absolute values; convert '
      'with thickness or concentration'
    )
  sum_B = partial_sums(axis_L, values_BxL, 'k')[..., -1]
  return jnp.maximum(log_ratio(sum_B, plasma_B), 0) ** 2


def molecule(
  intensity_BxK: jax.Array,
  rotational_B: jax.Array,
  f_sum_B: jax.Array,
  *,
  tolerance: float,
  kind: str,
  state: str,
) -> jax.Array:
  """max(|ln((sum_K A + rotational) / F)| - tolerance, 0)^2, [B]: the F-sum of one molecule.

  F = 974.880 km/mol sum_atoms |P_atom|^2 / m, P the atomic polar tensors [e], m [amu]: exact for
  harmonic modes (Crawford 1952, J. Chem. Phys. 20, 977; King et al. 1972, J. Chem. Phys. 56, 4440).
  It differs from molecule to molecule; no constant serves two.

  Args:
    intensity_BxK: A of all modes [km/mol], 0 for padding.
    rotational_B: the rotational term [km/mol], from the permanent dipole.
    f_sum_B: F > 0 [km/mol].
    tolerance: relative deviation that is not punished; 1e-4 for float32 sums of computed modes.
    kind: 'ir'.
    state: 'computed', since F is of harmonic modes and of all of them.

  Raises:
    ValueError: other signals, or a tolerance outside 0 to 1.
  """
  DOMAIN.check(kind, state=state)
  check_tolerance(tolerance)
  if (kind, state) != ('ir', 'computed'):
    raise ValueError(
      f'the signal is {kind}, {state}, expected ir, computed: the F-sum is of all harmonic modes '
      'of a molecule, in km/mol; use partial sums for spectra'
    )
  total_B = intensity_BxK.sum(-1) + rotational_B
  return jnp.maximum(jnp.abs(log_ratio(total_B, f_sum_B)) - tolerance, 0) ** 2
