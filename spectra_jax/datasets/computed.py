"""Computed IR and Raman line lists of small molecules (GFN2-xTB, harmonic); ship with the package.

How they were made and what they cannot tell: spectra_jax/data/README.md. Frequencies in cm^-1, IR
intensities in km/mol, Raman activities in A^4/amu; IR and Raman of one molecule share a row, so
they are paired by construction.
"""

import dataclasses
import hashlib
import pathlib
import zipfile
from collections.abc import Mapping

import numpy as np

from spectra_jax.physics import line_shapes
from spectra_jax.spectra import Spectra, check_resolution

SHIPPED = pathlib.Path(__file__).parent.parent / 'data' / 'computed_vib.npz'
INFO = {
  'name': 'computed',
  'urls': (),  # ships with the package
  'sha256_file': 'computed_vib.sha256',  # beside the .npz
  'version': '1.0.0',
  'licence': 'CC0-1.0',
  'citation': 'Harmonic GFN2-xTB vibrations computed with tblite (Bannwarth, Ehlert, Grimme 2019, '
  'doi:10.1021/acs.jctc.8b01176)',
  'units': {'ir': 'km/mol per cm^-1', 'raman': 'A^4/amu per cm^-1'},
}
ALL = slice(None)
INTENSITY_OF_KIND = {'ir': 'ir_intensity', 'raman': 'raman_activity'}


@dataclasses.dataclass(frozen=True)
class Lines:
  """Line lists of M molecules: K modes and N atoms in all, cut by the two offset arrays.

  The modes of molecule m are `frequency[mode_offsets[m]:mode_offsets[m + 1]]`, its atoms likewise.
  """

  smiles: np.ndarray  # [M] canonical
  formula: np.ndarray  # [M] Hill order
  point_group: np.ndarray  # [M] Schoenflies; '' where it could not be told
  centrosymmetric: np.ndarray  # [M] bool, found from the geometry
  listed: np.ndarray  # [M] bool, on the curated list of centrosymmetric molecules
  heavy_atoms: np.ndarray  # [M]
  atom_offsets: np.ndarray  # [M + 1]
  mode_offsets: np.ndarray  # [M + 1]
  atomic_number: np.ndarray  # [N]
  element_number: np.ndarray  # [E]
  element_mass: np.ndarray  # [E] amu, mean isotopic
  position: np.ndarray  # [N, 3] angstrom, centre of mass at the origin
  dipole: np.ndarray  # [M, 3] e angstrom
  frequency: np.ndarray  # [K] cm^-1
  ir_intensity: np.ndarray  # [K] km/mol
  raman_activity: np.ndarray  # [K] A^4/amu
  depolarisation: np.ndarray  # [K] ratio, 0 to 3/4
  parity: np.ndarray  # [K] +1 gerade, -1 ungerade, 0 no inversion centre
  fsum_total: np.ndarray  # [M] km/mol, from the atomic polar tensors
  sum_rule_violation: np.ndarray  # [M] relative, of the raw polar tensors
  gradient_max: np.ndarray  # [M] hartree/bohr at the optimum

  def __len__(self) -> int:
    return len(self.smiles)

  def modes(self, molecule: int) -> slice:
    return slice(self.mode_offsets[molecule], self.mode_offsets[molecule + 1])

  def atoms(self, molecule: int) -> slice:
    return slice(self.atom_offsets[molecule], self.atom_offsets[molecule + 1])


def file_hash(path: pathlib.Path) -> str:
  """sha256 of a file, in hexadecimal."""
  with open(path, 'rb') as file:
    return hashlib.file_digest(file, 'sha256').hexdigest()


def load_lines(path: str | pathlib.Path = '') -> Lines:
  """Reads and verifies a line-list file; '' is the one that ships.

  Raises:
    FileNotFoundError: no such file, or no sha256 beside it.
    ValueError: the file's sha256 is not the recorded one, or it is no line-list file.
  """
  path = pathlib.Path(path) if path else SHIPPED
  _verify(path)
  try:
    with np.load(path, allow_pickle=False) as arrays:
      return Lines(**{field.name: arrays[field.name] for field in dataclasses.fields(Lines)})
  except (KeyError, ValueError, zipfile.BadZipFile) as error:
    raise ValueError(
      f'{path} is not a file of computed line lists ({error}); make one with '
      '`python -m experiments.compute_spectra`'
    ) from error


def _verify(path: pathlib.Path) -> None:
  recorded = path.with_suffix('.sha256')
  for needed in (path, recorded):
    if not needed.is_file():
      raise FileNotFoundError(
        f'{needed} is missing, expected the line lists and their sha256 side by side; reinstall '
        'the package or make them with `python -m experiments.compute_spectra`'
      )
  want, found = recorded.read_text().split()[0], file_hash(path)
  if want != found:
    raise ValueError(
      f'{path} is damaged: its sha256 is {found[:12]}..., but {recorded.name} says '
      f'{want[:12]}...; restore the file (git checkout, or reinstall the package)'
    )


def padded_modes(lines: Lines, column: str, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """(frequency_BxK, intensity_BxK) of the molecules `rows`, padded with intensity 0, float32."""
  counts = np.diff(lines.mode_offsets)
  width = int(counts.max())
  index = lines.mode_offsets[rows][:, None] + np.arange(width)
  real = np.arange(width) < counts[rows][:, None]
  index = np.where(real, index, 0)
  pick = lambda values, fill: np.where(real, values[index], fill).astype(np.float32)
  return pick(lines.frequency, 0.0), pick(getattr(lines, column), 0.0)


def columns(lines: Lines, rows: slice = ALL) -> dict[str, np.ndarray]:
  """What `Spectra.meta` holds of each molecule: id, group, centrosymmetric, heavy_atoms."""
  return {
    'id': lines.smiles[rows],
    'group': lines.formula[rows],
    'centrosymmetric': lines.centrosymmetric[rows],
    'heavy_atoms': lines.heavy_atoms[rows],
  }


def render(
  lines: Lines,
  kind: str,
  axis: np.ndarray,
  line_shape: str,
  widths: tuple[float, ...],
  rows: slice = ALL,
) -> np.ndarray:
  """Broadens these molecules onto `axis` [L]: [M, L] float32, in INFO['units'][kind]."""
  if kind not in INTENSITY_OF_KIND:
    raise ValueError(f'kind is {kind!r}, expected one of {", ".join(INTENSITY_OF_KIND)}')
  if line_shape not in line_shapes.SHAPES:
    raise ValueError(
      f'line_shape is {line_shape!r}, expected one of {", ".join(line_shapes.SHAPES)}'
    )
  chunk = 256  # molecules at a time: bounds memory, one compilation
  molecules, spectra = np.arange(len(lines))[rows], []
  for start in range(0, len(molecules), chunk):
    some = molecules[np.minimum(np.arange(start, start + chunk), len(molecules) - 1)]
    frequency, intensity = padded_modes(lines, INTENSITY_OF_KIND[kind], some)
    dense = line_shapes.broaden(
      frequency, intensity, axis.astype(np.float32), shape=line_shape, widths=widths
    )
    spectra.append(np.asarray(dense))
  return np.concatenate(spectra)[: len(molecules)]


def there(path: str = '') -> tuple[str, int]:
  """(sha256 of the line lists, how many molecules they hold)."""
  return file_hash(pathlib.Path(path) if path else SHIPPED), len(load_lines(path))


def load(
  axis: np.ndarray,
  rows: slice = ALL,
  *,
  path: str = '',
  kinds: tuple[str, ...] = ('ir', 'raman'),
  line_shape: str = 'lorentz',
  fwhm_cm: float = 16.0,
  gauss_fwhm_cm: float = 0.0,
) -> Mapping[str, Spectra]:
  """The computed spectra on `axis` [cm^-1], one `Spectra` a kind, row for row the same molecules.

  `rows` takes some of them alone, with the values that they have among all.

  Raises:
    ValueError: an axis that is no axis or does not suit the line width; see also `load_lines`.
  """
  widths = (fwhm_cm, gauss_fwhm_cm) if line_shape == 'voigt' else (fwhm_cm,)
  check_resolution(axis, max(widths))
  if min(widths) <= 0:
    raise ValueError(f'line widths are {widths} cm^-1 for {line_shape}, expected positive ones')
  lines = load_lines(path)
  source = file_hash(pathlib.Path(path) if path else SHIPPED)
  meta = columns(lines, rows)
  spectra = {}
  for kind in kinds:
    values = render(lines, kind, axis, line_shape, widths, rows)
    mask = np.ones(values.shape, bool)
    spectra[kind] = Spectra(values, axis, 'cm^-1', kind, 'computed', mask, meta, source)
  return spectra
