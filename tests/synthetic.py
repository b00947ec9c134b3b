"""Random line lists in the shipped format, for tests that need data of known making."""

import hashlib
import pathlib

import numpy as np

from spectra_jax.datasets.computed import Lines
from spectra_jax.spectra import Spectra


def lines(molecules: int = 40, seed: int = 0) -> Lines:
  """Molecules of 3 to 9 modes; formulas repeat, so groups hold several molecules."""
  rng = np.random.default_rng(seed)
  counts = rng.integers(3, 10, molecules)
  modes = int(counts.sum())
  atoms = np.full(molecules, 3)
  per_molecule = lambda value: np.full(molecules, value)
  return Lines(
    smiles=np.array([f'm{i}' for i in range(molecules)]),
    formula=np.array([f'C{i % (molecules // 2)}' for i in range(molecules)]),
    point_group=per_molecule('C1'),
    centrosymmetric=per_molecule(False),
    listed=per_molecule(False),
    heavy_atoms=per_molecule(np.uint8(1)),
    atom_offsets=np.concatenate([[0], np.cumsum(atoms)]).astype(np.int32),
    mode_offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int32),
    atomic_number=np.tile(np.array([8, 1, 1], np.uint8), molecules),
    element_number=np.array([1, 8], np.uint8),
    element_mass=np.array([1.008, 15.999]),
    position=rng.normal(size=(3 * molecules, 3)),
    dipole=rng.normal(size=(molecules, 3)),
    frequency=rng.uniform(450, 3900, modes).astype(np.float32),
    ir_intensity=rng.gamma(1.0, 30.0, modes),
    raman_activity=rng.gamma(1.0, 20.0, modes).astype(np.float32),
    depolarisation=rng.uniform(0, 0.75, modes).astype(np.float32),
    parity=np.zeros(modes, np.int8),
    fsum_total=per_molecule(1.0),
    sum_rule_violation=per_molecule(0.0),
    gradient_max=per_molecule(0.0),
  )


def write(folder: pathlib.Path, made: Lines) -> pathlib.Path:
  """The line lists as a file with its sha256 beside it, as `load_lines` wants them."""
  path = folder / 'lines.npz'
  np.savez(path, **vars(made))
  path.with_suffix('.sha256').write_text(hashlib.sha256(path.read_bytes()).hexdigest())
  return path


def spectra(values_NxL: np.ndarray, axis: np.ndarray, kind: str = 'ir') -> Spectra:
  """Rows named r0, r1, ... of which neighbours share a group."""
  names = np.array([f'r{i}' for i in range(len(values_NxL))])
  groups = np.array([f'g{i // 2}' for i in range(len(values_NxL))])
  meta = {'id': names, 'group': groups}
  mask = np.ones(values_NxL.shape, bool)
  return Spectra(values_NxL, axis, 'cm^-1', kind, 'computed', mask, meta, 'none')
