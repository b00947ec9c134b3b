"""Molecules as graphs of heavy atoms: what a SMILES says, and nothing of a geometry.

The graphs of the computed molecules ship with the package (data/computed_graphs.npz, made by
`python -m experiments.molecular_graphs`), so that only SMILES of other molecules need rdkit.
"""

import dataclasses
import hashlib
import pathlib
from collections.abc import Sequence
from types import ModuleType

import numpy as np

from spectra_jax import functional_groups

SHIPPED = pathlib.Path(__file__).parent / 'data' / 'computed_graphs.npz'
# Pairs of atoms: their bond, else how many bonds are between them, the last also for more.
SINGLE, DOUBLE, TRIPLE, AROMATIC = 1, 2, 3, 4
TWO_APART, FARTHEST = 5, 8
RELATIONS = FARTHEST + 1  # 0: an atom to itself, to an atom of another molecule, to padding
ATOM_COLUMNS = ('element', 'hydrogens', 'charge', 'aromatic', 'ring')
Arrays = dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Graphs:
  """M molecules, N heavy atoms and K bonds in all, cut by the two offset arrays.

  Bonds name atoms by their place in the molecule.
  """

  smiles: np.ndarray  # [M]
  atom_offsets: np.ndarray  # [M + 1]
  bond_offsets: np.ndarray  # [M + 1]
  element: np.ndarray  # [N] atomic number
  hydrogens: np.ndarray  # [N] on the atom
  charge: np.ndarray  # [N] formal
  aromatic: np.ndarray  # [N] bool
  ring: np.ndarray  # [N] size of the smallest ring through the atom, 0 = none
  bonds: np.ndarray  # [K, 2]
  order: np.ndarray  # [K] SINGLE, DOUBLE, TRIPLE or AROMATIC
  groups: np.ndarray  # [M, G] bool, of functional_groups.PATTERNS

  def __len__(self) -> int:
    return len(self.smiles)

  def take(self, rows: np.ndarray) -> 'Graphs':
    """These molecules in this order."""
    offsets = lambda cuts: np.cumsum([0, *np.diff(cuts)[rows]]).astype(np.int32)
    place = lambda cuts: np.concatenate([np.arange(cuts[row], cuts[row + 1]) for row in rows])
    atom, bond = place(self.atom_offsets), place(self.bond_offsets)
    return Graphs(
      self.smiles[rows],
      offsets(self.atom_offsets),
      offsets(self.bond_offsets),
      **{name: getattr(self, name)[atom] for name in ATOM_COLUMNS},
      bonds=self.bonds[bond],
      order=self.order[bond],
      groups=self.groups[rows],
    )

  @property
  def largest(self) -> int:
    """Atoms of the largest molecule."""
    return int(np.diff(self.atom_offsets).max())

  def padded(self, atoms: int = 0) -> Arrays:
    """What `spectra_jax/heads/molecule.py` reads, padded to `atoms` (0 = of the largest molecule).

    Returns:
      {'element', 'hydrogens', 'charge', 'aromatic', 'ring', 'degree': [M, atoms] int8, 'relation':
      [M, atoms, atoms] int8}; element 0 is padding.

    Raises:
      ValueError: a molecule is larger.
    """
    atoms = atoms or self.largest
    if self.largest > atoms:
      raise ValueError(
        f'a molecule has {self.largest} heavy atoms, expected at most {atoms}, which the library '
        'was made for; leave it out'
      )
    arrays = {name: self._rows(getattr(self, name), atoms) for name in ATOM_COLUMNS}
    relation = self._relations(atoms)
    bonded = (relation >= SINGLE) & (relation <= AROMATIC)
    return {**arrays, 'degree': bonded.sum(-1).astype(np.int8), 'relation': relation}

  def _rows(self, values: np.ndarray, atoms: int) -> np.ndarray:
    found = np.zeros((len(self), atoms), np.int8)
    found[np.arange(atoms) < np.diff(self.atom_offsets)[:, None]] = values
    return found

  def _relations(self, atoms: int) -> np.ndarray:
    molecule = np.repeat(np.arange(len(self)), np.diff(self.bond_offsets))
    first, second = self.bonds.T
    relation = np.zeros((len(self), atoms, atoms), np.int8)
    relation[molecule, first, second] = relation[molecule, second, first] = self.order
    step = ((relation > 0) | np.eye(atoms, dtype=bool)).astype(np.float32)
    reached = step > 0
    for apart in range(2, atoms):  # so many bonds reach the pairs that fewer did not
      further = np.matmul(reached.astype(np.float32), step) > 0
      relation[further & ~reached] = min(TWO_APART + apart - 2, FARTHEST)
      reached = further
    return relation


def load(path: str | pathlib.Path = SHIPPED) -> Graphs:
  """Reads a graph file, of the molecules that ship where none is named.

  Raises:
    ValueError: no such file, or one of something else.
  """
  try:
    with np.load(path, allow_pickle=False) as arrays:
      found = {field.name: arrays[field.name] for field in dataclasses.fields(Graphs)}
  except (OSError, KeyError, ValueError) as error:
    raise ValueError(
      f'{path} is no file of molecular graphs ({error}); make one with '
      '`python -m experiments.molecular_graphs`'
    ) from None
  return Graphs(**found)


def of_data_set(smiles: np.ndarray) -> Graphs:
  """The graphs that ship, where they are of all these molecules; else they are parsed.

  Raises:
    ValueError: other molecules, and rdkit is missing or reads none in them.
  """
  shipped = load()
  row = {name: n for n, name in enumerate(shipped.smiles.tolist())}
  if all(name in row for name in smiles.tolist()):
    return shipped.take(np.array([row[name] for name in smiles.tolist()]))
  return of_smiles(smiles)


def save(graphs: Graphs, path: str | pathlib.Path) -> str:
  """Writes a graph file; its sha256."""
  np.savez_compressed(path, **dataclasses.asdict(graphs))
  return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()


def of_smiles(smiles: Sequence[str]) -> Graphs:
  """Parses SMILES.

  Raises:
    ValueError: rdkit is missing, or a SMILES is none or has no heavy atom.
  """
  molecules = [parsed(one) for one in smiles]
  atoms = [_atoms(molecule) for molecule in molecules]
  bonds = [_bonds(molecule) for molecule in molecules]
  offsets = lambda parts: np.cumsum([0, *map(len, parts)]).astype(np.int32)
  element, hydrogens, charge, aromatic, ring = np.concatenate(atoms).T.astype(np.int8)
  flat = np.concatenate(bonds)
  return Graphs(
    np.asarray(smiles, str),
    offsets(atoms),
    offsets(bonds),
    *(element, hydrogens, charge, aromatic.astype(bool), ring),
    bonds=flat[:, :2].astype(np.uint16),
    order=flat[:, 2].astype(np.int8),
    groups=functional_groups.labels(smiles),
  )


def rdkit() -> ModuleType:
  """rdkit.Chem.

  Raises:
    ValueError: it is not installed.
  """
  try:
    from rdkit import Chem, RDLogger
  except ImportError:
    raise ValueError(
      'rdkit is not installed, which reads SMILES; expected it for molecules that do not ship with '
      "the package; pip install -e '.[compute]'"
    ) from None
  RDLogger.DisableLog('rdApp.*')
  return Chem


def parsed(smiles: str):
  """The rdkit molecule of a SMILES.

  Raises:
    ValueError: rdkit is missing, or the SMILES is none or has no heavy atom.
  """
  molecule = rdkit().MolFromSmiles(str(smiles))
  if molecule is None or not molecule.GetNumHeavyAtoms():
    raise ValueError(f'{smiles!r} is no SMILES of a molecule with heavy atoms; correct it')
  return molecule


def _atoms(molecule) -> np.ndarray:
  """[atoms, 5]: the columns `ATOM_COLUMNS`."""
  rings = molecule.GetRingInfo()
  row = lambda a: (
    a.GetAtomicNum(),
    a.GetTotalNumHs(),
    a.GetFormalCharge(),
    a.GetIsAromatic(),
    rings.MinAtomRingSize(a.GetIdx()),
  )
  return np.array([row(atom) for atom in molecule.GetAtoms()])


def _bonds(molecule) -> np.ndarray:
  """[bonds, 3]: two atoms and the order."""
  order = {1.0: SINGLE, 2.0: DOUBLE, 3.0: TRIPLE, 1.5: AROMATIC}
  row = lambda b: (b.GetBeginAtomIdx(), b.GetEndAtomIdx(), order[b.GetBondTypeAsDouble()])
  return np.array([row(bond) for bond in molecule.GetBonds()], int).reshape(-1, 3)
