"""Which molecules are computed: an enumeration of small ones and a list with inversion centres.

`enumerate_molecules(n)` grows graphs of C, N, O, F, S, Cl atom by atom, raises bond orders and
closes rings; a graph is kept if `is_sensible`. Order is by sha256 of the canonical SMILES, so a
prefix of what comes out is a reproducible random sample. Needs rdkit (the `[compute]` extra).
"""

import functools
import hashlib
import itertools
from collections.abc import Iterable, Iterator

from rdkit import Chem, RDLogger

RDLogger.DisableLog('rdApp.*')

ELEMENTS = ('C', 'N', 'O', 'F', 'S', 'Cl')
SEEDS = ('C', 'N', 'O', 'S')
MAX_HEAVY = 7
COMPLETE = 5  # heavy atoms up to which every molecule that is_sensible is a candidate
SEVENS, SEVENS_PER_SIX = 600, 3  # molecules of 7 heavy atoms: how many, and how they are spread
PARENTS = {7: 2500}  # how many molecules of n - 1 atoms (by hash) those of n atoms are grown from

# What no candidate contains, as SMARTS. Intermediates of the growth obey the list as well.
FORBIDDEN = (
  '[!#6]~[F,Cl]',  # halogen on a hetero atom
  '[#8]~[#8]',
  '[#8]~[#16]',
  '[#16]~[#7;!a]',
  '[#7;!a]~[#7]~[#7]',
  '[#7;!a]~[#8]~[#7]',
  '[#8]~[#7;!a]~[#7,#8]',
  '[OX2H,SX2H,NX3H2,NX3H1][CX4][O,N,F,Cl,S]',  # hemiacetals, aminals, 1-halo alcohols
  '[OX2H,SX2H][C;!a]=[C,N]',  # enols, imidic acids
  '[R](=*)=*',  # cumulated double bonds inside a ring
  '*=*=*=*',
  '*#@*',
  '[x3;!a]=*',  # double bond at a bridgehead or ring fusion (anti-Bredt)
  '[a;x3]',  # an arene with a small ring fused to it
  '*1=**=*1',  # antiaromatic four-membered rings
  '*1=*[O,N,S]1',  # antiaromatic three-membered rings
  '*1(=*)*=*1',
  '*1~*2~*~1~*~2',  # three-membered rings that share a bond
  '[R3]',
)

# Groups that are let through while growing, but of which only the smallest molecules are computed.
UNLIKELY = (
  '[CX3;!$(C[NX3])]=[SX1]',  # thioaldehydes and thioketones
  '*-[NX2]=[OX1]',  # nitroso
  '[NX3;!a]-[OX2;!a]',  # hydroxylamines
  '[CX3;!$(C(=N)[N,O])]=[NH1]',  # imines of ammonia
  '[NH1]=[#7]',
  '[NX3;r3]-[NX3;r3]',
  'C=C=N',
  '[O,S,NX3;!a]-C#C',
  '[OX2,SX2]-C#N',
  '[OX2H,SX2H,NX3H2,NX3H1]-C=[C;!a]',
  '*1=[#7]*1',
  '*1=[#7]**1',
  '[r3,r4]=*=*',
  '[r3;!a]=[!#6]',
)

# Molecules with an inversion centre in at least one conformer, which is the one computed.
CENTROSYMMETRIC = (
  'O=C=O',
  'S=C=S',
  'C=C',
  'C#C',
  'C#CC#C',
  'C#CC#CC#C',
  'N#CC#N',
  'N#CC#CC#N',
  'N#CC#CC#CC#N',
  'ClC#CCl',
  'FC#CC#CF',
  'CC',
  'FC(F)(F)C(F)(F)F',
  'ClC(Cl)(Cl)C(Cl)(Cl)Cl',
  'FCCF',
  'ClCCCl',
  'FC(F)C(F)F',
  'ClC(Cl)C(Cl)Cl',
  'N#CCCC#N',
  'C#CCCC#C',
  'C=CCCC=C',
  'O=CCCC=O',
  'OCCO',
  'NCCN',
  'SCCS',
  'CCCC',
  'CCCCCC',
  'CCCCCCCC',
  'CC(C)C(C)C',
  'FCCCCF',
  'COCCOC',
  'NN',
  'N=N',
  'F/N=N/F',
  'F/C=C/F',
  'Cl/C=C/Cl',
  'FC(F)=C(F)F',
  'ClC(Cl)=C(Cl)Cl',
  'N#C/C=C/C#N',
  'N#CC(C#N)=C(C#N)C#N',
  'O=C/C=C/C=O',
  'OC(=O)/C=C/C(=O)O',
  'C/C=C/C',
  'C#C/C=C/C#C',
  'C=CC=C',
  'C=C/C=C/C=C',
  'C=C/C=C/C=C/C=C',
  'C/C=C/C=C/C',
  'C=C(C)C(C)=C',
  'C=C(F)C(F)=C',
  'C=C(Cl)C(Cl)=C',
  'F/C=C/C=C/F',
  'FC(F)=CC=C(F)F',
  'FC(F)=C(F)C(F)=C(F)F',
  'O=CC=O',
  'NC(=O)C(N)=O',
  'FC(=O)C(F)=O',
  'ClC(=O)C(=O)Cl',
  'O/N=C/C=N/O',
  'c1ccccc1',
  'Fc1ccc(F)cc1',
  'Clc1ccc(Cl)cc1',
  'Oc1ccc(O)cc1',
  'Nc1ccc(N)cc1',
  'N#Cc1ccc(C#N)cc1',
  'C#Cc1ccc(C#C)cc1',
  'C=Cc1ccc(C=C)cc1',
  'O=Cc1ccc(C=O)cc1',
  'OC(=O)c1ccc(C(=O)O)cc1',
  'COc1ccc(OC)cc1',
  'Fc1cc(F)c(F)cc1F',
  'Clc1cc(Cl)c(Cl)cc1Cl',
  'Fc1c(F)c(F)c(F)c(F)c1F',
  'Clc1c(Cl)c(Cl)c(Cl)c(Cl)c1Cl',
  'Cc1cc(C)c(C)cc1C',
  'Fc1cc(Cl)c(F)cc1Cl',
  'Oc1cc(F)c(O)cc1F',
  'O=C1C=CC(=O)C=C1',
  'C=C1C=CC(=C)C=C1',
  'O=C1C(F)=C(F)C(=O)C(F)=C1F',
  'O=C1C=C(F)C(=O)C=C1F',
  'O=C1C=C(Cl)C(=O)C=C1Cl',
  'c1cnccn1',
  'Cc1cnc(C)cn1',
  'Fc1cnc(F)cn1',
  'Clc1cnc(Cl)cn1',
  'N#Cc1cnc(C#N)cn1',
  'Oc1cnc(O)cn1',
  'Fc1nc(F)c(F)nc1F',
  'c1ccc2ccccc2c1',
  'Fc1cccc2c(F)cccc12',
  'c1cnc2cccnc2c1',
  'c1cc2cnccc2cn1',
  'c1ccc2cc3ccccc3cc2c1',
  'c1ccc2nc3ccccc3nc2c1',
  'C1CCCCC1',
  'C1COCCO1',
  'C1CNCCN1',
  'C1CSCCS1',
  'CC1CCC(C)CC1',
  'C1=CCC=CC1',
  'O=C1CCC(=O)CC1',
  'C=C1CCC(=C)CC1',
  'C=C1CC(=C)C1',
  'O=C1CC(=O)C1',
  'C12C3C4C1C5C2C3C45',
  'c1cc2c(s1)ccs2',
  'c1cc2occc2o1',
  'c1cc2[nH]ccc2[nH]1',
)


def enumerate_molecules(heavy: int, likely: bool = True) -> tuple[str, ...]:
  """Canonical SMILES of the candidates of `heavy` atoms other than H, ordered by `rank`.

  With 7 atoms only descendants of the first 2500 molecules of 6 atoms are made.

  Args:
    heavy: 1 to 7.
    likely: True gives molecules without, False those with a group of `UNLIKELY`.

  Raises:
    ValueError: `heavy` is not in 1..7.
  """
  if not 1 <= heavy <= MAX_HEAVY:
    raise ValueError(f'heavy is {heavy}; molecules of 1 to {MAX_HEAVY} heavy atoms are made.')
  chosen = (s for s in _level(heavy) if _matches(Chem.MolFromSmiles(s), UNLIKELY) != likely)
  return tuple(sorted(chosen, key=rank))


def candidates(limit: int | None = None) -> list[tuple[str, bool]]:
  """What to compute, in order: (SMILES, listed in CENTROSYMMETRIC).

  First the list; then likely molecules of up to 5 heavy atoms; then 600 of 7 heavy atoms, three
  after each one of 6; then unlikely molecules of up to 5 heavy atoms; then all others of 6. Each
  group is in hash order.

  Args:
    limit: how many to return at most.
  """
  listed = [canonical(smiles) for smiles in CENTROSYMMETRIC]
  flat = {Chem.MolToSmiles(Chem.MolFromSmiles(s), isomericSmiles=False) for s in listed}
  rest = (s for s in _mixture() if s not in flat)
  pairs = itertools.chain(((s, True) for s in listed), ((s, False) for s in rest))
  return list(itertools.islice(pairs, limit))


def _mixture() -> Iterator[str]:
  for heavy in range(1, COMPLETE + 1):
    yield from enumerate_molecules(heavy)
  sixes, sevens = iter(enumerate_molecules(6)), enumerate_molecules(7)
  for first in range(0, SEVENS, SEVENS_PER_SIX):
    yield from itertools.islice(sixes, 1)
    yield from sevens[first : first + SEVENS_PER_SIX]
  for heavy in range(1, COMPLETE + 1):
    yield from enumerate_molecules(heavy, likely=False)
  yield from sixes


def rank(smiles: str) -> str:
  """sha256 of a SMILES: the order of candidates, the same on every machine."""
  return hashlib.sha256(smiles.encode()).hexdigest()


def canonical(smiles: str) -> str:
  """RDKit's canonical isomeric SMILES."""
  return Chem.MolToSmiles(Chem.MolFromSmiles(smiles))


@functools.cache
def _level(heavy: int) -> frozenset[str]:
  if heavy == 1:
    return frozenset(SEEDS)
  few = heavy in PARENTS
  parents = enumerate_molecules(heavy - 1)[: PARENTS[heavy]] if few else _level(heavy - 1)
  return _closure(_products(parents, _additions))


def _closure(found: set[str]) -> frozenset[str]:
  """Adds every sensible graph that unsaturation and ring closure reach."""
  found, fresh = set(found), found
  while fresh:
    fresh = _products(fresh, _tightenings) - found
    found |= fresh
  return frozenset(found)


def _products(parents: Iterable[str], steps) -> set[str]:
  """Sensible canonical SMILES one step away from the parents."""
  made = {}
  for parent in parents:
    molecule = _kekule(parent)
    for product in steps(molecule):
      smiles = _smiles(product)
      if smiles is not None and smiles not in made:
        made[smiles] = is_sensible(Chem.MolFromSmiles(smiles))
  return {smiles for smiles, sensible in made.items() if sensible}


def _kekule(smiles: str) -> Chem.Mol:
  molecule = Chem.MolFromSmiles(smiles)
  Chem.Kekulize(molecule, clearAromaticFlags=True)
  return molecule


def _smiles(product: Chem.RWMol) -> str | None:
  for atom in product.GetAtoms():
    atom.SetNoImplicit(False)
    atom.SetNumExplicitHs(0)
  try:
    Chem.SanitizeMol(product)
  except Chem.MolSanitizeException:
    return None
  return Chem.MolToSmiles(product)


def _free(molecule: Chem.Mol) -> list[int]:
  return [a.GetIdx() for a in molecule.GetAtoms() if a.GetTotalNumHs()]


def _additions(molecule: Chem.Mol) -> Iterator[Chem.RWMol]:
  """Replaces one hydrogen by an atom of each element."""
  for i, element in itertools.product(_free(molecule), ELEMENTS):
    product = Chem.RWMol(molecule)
    product.AddBond(i, product.AddAtom(Chem.Atom(element)), Chem.BondType.SINGLE)
    yield product


def _tightenings(molecule: Chem.Mol) -> Iterator[Chem.RWMol]:
  """Takes two hydrogens off: raises a bond order by one or closes a ring."""
  higher = {
    Chem.BondType.SINGLE: Chem.BondType.DOUBLE,
    Chem.BondType.DOUBLE: Chem.BondType.TRIPLE,
  }
  for i, j in itertools.combinations(_free(molecule), 2):
    product = Chem.RWMol(molecule)
    bond = product.GetBondBetweenAtoms(i, j)
    if bond is None:
      product.AddBond(i, j, Chem.BondType.SINGLE)
    elif bond.GetBondType() in higher:
      bond.SetBondType(higher[bond.GetBondType()])
    else:
      continue
    yield product


@functools.cache
def _patterns(smarts: tuple[str, ...]) -> tuple[Chem.Mol, ...]:
  return tuple(Chem.MolFromSmarts(text) for text in smarts)


def _matches(molecule: Chem.Mol, smarts: tuple[str, ...]) -> bool:
  return any(molecule.HasSubstructMatch(pattern) for pattern in _patterns(smarts))


def is_sensible(molecule: Chem.Mol) -> bool:
  """Whether a neutral closed-shell molecule is one that a chemist would expect to be stable.

  Element counts: at most one of S and Cl together, at most four F, heteroatoms (N, O, S, Cl) at
  most as many as carbons plus one and at most four, at most two hydrogens taken off per heavy
  atom pair in rings of three or four atoms; and nothing of `FORBIDDEN`.
  """
  symbols = [atom.GetSymbol() for atom in molecule.GetAtoms()]
  carbons, fluorines = symbols.count('C'), symbols.count('F')
  hetero = len(symbols) - carbons - fluorines
  if symbols.count('S') + symbols.count('Cl') > 1 or fluorines > 4 or hetero > 4:
    return False
  if len(symbols) > 2 and hetero > carbons + 1:
    return False
  small = sum(len(ring) < 5 for ring in molecule.GetRingInfo().AtomRings())
  return small <= 2 and not _matches(molecule, FORBIDDEN)
