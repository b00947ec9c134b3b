"""Optical constants of simulated liquids: the computed modes of a molecule as Lorentz oscillators.

  eps(nu) = eps_inf + sum_j S_j / (nu_j^2 - nu^2 - i gamma nu),  n + i k = sqrt(eps)  (e^{-i w t})
  R(nu) = |(n + i k - 1) / (n + i k + 1)|^2  at normal incidence from vacuum

S_j = nu_p^2 f_j with f_j = A_j / (N_A pi r_e) electrons a molecule and nu_p^2 = r_e N / pi of N =
N_A / V molecules a volume, which is S_j [cm^-2] = 1e5 A_j [km/mol] / (pi^2 V [cm^3/mol]). The molar
volume V is a sum over atoms of Le Bas' increments (in Poling, Prausnitz & O'Connell, The Properties
of Gases and Liquids, 5th ed. 2001), without those of rings.

This is a simulation of a liquid and no measurement of one: harmonic gas-phase modes, no local
field, no association, one line width and one eps_inf for all. What holds exactly is that every
medium is causal and passive, so that n follows from k. Modes below the axis are in n as well, where
a window on k does not show them.
"""

import pathlib
from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np

from spectra_jax.datasets import computed
from spectra_jax.physics import optics
from spectra_jax.spectra import Spectra, check_resolution

KINDS = ('reflectance', 'n', 'k')
INFO = {
  'name': 'computed_optical',
  'urls': (),  # the line lists that ship with the package
  'sha256_file': 'computed_vib.sha256',  # beside the .npz
  'version': '1.0.0',
  'licence': 'CC0-1.0',
  'citation': f'{computed.INFO["citation"]}; as liquids of Lorentz oscillators',
  'units': dict.fromkeys(KINDS, '1'),
}
# cm^3/mol at the boiling point, by atomic number; nitrogen as in double bonds, sulfur and chlorine
# as in thiols and on saturated carbon.
ATOM_VOLUME = {1: 3.7, 6: 14.8, 7: 15.6, 8: 7.4, 9: 8.7, 16: 25.6, 17: 24.6}
CHUNK = 128  # molecules at a time: bounds memory, one compilation


def molar_volumes(lines: computed.Lines) -> np.ndarray:
  """V = sum over atoms of `ATOM_VOLUME`: [M] cm^3/mol.

  Raises:
    ValueError: an element without an increment.
  """
  unknown = sorted(set(lines.atomic_number.tolist()) - set(ATOM_VOLUME))
  if unknown:
    raise ValueError(
      f'atomic number {unknown[0]} has no volume increment, expected one of {sorted(ATOM_VOLUME)}; '
      'add its Le Bas volume to ATOM_VOLUME'
    )
  increments_N = np.array([ATOM_VOLUME[number] for number in lines.atomic_number.tolist()])
  return np.add.reduceat(increments_N, lines.atom_offsets[:-1])


def strengths(lines: computed.Lines, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """(frequency_BxK [cm^-1], S_BxK [cm^-2]) of the molecules `rows`, padded with strength 0."""
  frequency, intensity = computed.padded_modes(lines, 'ir_intensity', rows)
  volume_Bx1 = molar_volumes(lines)[rows, None]
  return frequency, (1e5 / np.pi**2 / volume_Bx1 * intensity).astype(np.float32)


@jax.jit
def optical_constants(
  nu0_BxK: jax.Array, S_BxK: jax.Array, nu_L: jax.Array, fwhm_cm: float, eps_inf: float
) -> dict[str, jax.Array]:
  """{'reflectance', 'n', 'k'} [B, L] of oscillators `nu0` [cm^-1] of strengths S [cm^-2].

  n^2 - k^2 + 2 i n k = eps, n = sqrt((|eps| + Re eps) / 2), k = Im eps / 2n: without cancellation
  wherever Re eps > 0, which eps_inf keeps in lines as weak as those of molecules.
  """
  width_L = fwhm_cm * nu_L

  def add(eps, mode):  # one mode of every molecule: nothing of size B K L
    (real, imaginary), (nu0_B, S_B) = eps, mode
    away_BxL = (nu0_B[:, None] - nu_L) * (nu0_B[:, None] + nu_L)
    weight_BxL = S_B[:, None] / (away_BxL**2 + width_L**2)
    return (real + weight_BxL * away_BxL, imaginary + weight_BxL * width_L), None

  start = jnp.zeros((len(nu0_BxK), len(nu_L)), jnp.result_type(nu_L))
  (real, imaginary), _ = jax.lax.scan(add, (start + eps_inf, start), (nu0_BxK.T, S_BxK.T))
  n = jnp.sqrt(0.5 * (jnp.hypot(real, imaginary) + real))
  k = 0.5 * imaginary / n
  index = jax.lax.complex(n, k)
  reflected = optics.reflectance(index, incident=1.0, angle=0.0, polarisation='s')
  return {'reflectance': reflected, 'n': n, 'k': k}


there = computed.there  # the same line lists


def load(
  axis: np.ndarray,
  rows: slice = computed.ALL,
  *,
  path: str = '',
  fwhm_cm: float = 20.0,
  eps_inf: float = 1.9,
) -> Mapping[str, Spectra]:
  """Reflectance, n and k of every molecule's liquid on `axis` [cm^-1], row for row the same ones.

  Args:
    axis: [L] wavenumbers [cm^-1].
    rows: of some molecules alone.
    path: of a line-list file; '' is the one that ships.
    fwhm_cm: gamma, full width at half maximum of Im eps of every line [cm^-1].
    eps_inf: what electrons add to eps, constant over the axis.

  Raises:
    ValueError: an axis that does not suit the line width, or eps_inf below vacuum's 1; see also
      `computed.load_lines`.
  """
  check_resolution(axis, fwhm_cm)
  if not eps_inf >= 1:
    raise ValueError(
      f'eps_inf is {eps_inf}, expected at least 1, which is vacuum; 1.9 is typical of liquids'
    )
  lines = computed.load_lines(path)
  source = computed.file_hash(pathlib.Path(path) if path else computed.SHIPPED)
  meta = computed.columns(lines, rows)
  molecules, chunks = np.arange(len(lines))[rows], []
  for start in range(0, len(molecules), CHUNK):
    some = molecules[np.minimum(np.arange(start, start + CHUNK), len(molecules) - 1)]
    made = optical_constants(*strengths(lines, some), np.float32(axis), fwhm_cm, eps_inf)
    chunks.append(jax.tree.map(np.asarray, made))
  joined = {kind: np.concatenate([made[kind] for made in chunks]) for kind in KINDS}
  values = {kind: dense[: len(molecules)] for kind, dense in joined.items()}
  mask = np.ones((len(molecules), len(axis)), bool)
  return {
    kind: Spectra(values[kind], axis, 'cm^-1', kind, 'computed', mask, meta, source)
    for kind in KINDS
  }
