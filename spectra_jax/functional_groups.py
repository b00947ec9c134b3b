"""Functional groups as SMARTS: what a spectrum ought to tell, and how well it does.

`labels` needs rdkit (the [compute] extra); those of the molecules that ship are in their graph file
(spectra_jax/graphs.py), so that nothing else does.
"""

from collections.abc import Sequence

import numpy as np

# name -> SMARTS; a molecule may have many. What belongs to an amide or ester is no amine or ether.
PATTERNS = {
  'alkane CH3': '[CX4H3]',
  'alkane CH2': '[CX4H2]',
  'alkene': '[CX3;!$(C=[!#6])]=[CX3;!$(C=[!#6])]',
  'alkyne': '[CX2]#[CX2]',
  'terminal alkyne': '[CX2H]#[CX2]',
  'aromatic ring': 'a',
  'three-membered ring': '[r3]',
  'alcohol': '[OX2H][CX4]',
  'phenol or enol': '[OX2H][c,$(C=C)]',
  'ether': '[OX2;!$(OC=[O,N,S])]([#6])[#6]',
  'aldehyde': '[CX3H1,CX3H2](=O)[#6,#1]',
  'ketone': '[#6][CX3](=O)[#6]',
  'carboxylic acid': '[CX3](=O)[OX2H]',
  'ester': '[CX3](=O)[OX2][#6]',
  'amide': '[CX3](=O)[NX3]',
  'nitrile': '[CX2]#[NX1]',
  'imine': '[CX3;!$(C(=N)[O,N,S])]=[NX2]',
  'primary amine': '[NX3H2;!$(N[C,S]=[O,N,S])]',
  'secondary amine': '[NX3H1;!$(N[C,S]=[O,N,S]);!$([nH])]([#6])[#6]',
  'tertiary amine': '[NX3H0;!$(N[C,S]=[O,N,S]);!$(N=*)]([#6])([#6])[#6]',
  'thiol': '[SX2H]',
  'thioether': '[SX2;!$(SC=[O,N,S])]([#6])[#6]',
  'C-F': '[#6]F',
  'C-Cl': '[#6]Cl',
}
NAMES = tuple(PATTERNS)


def labels(smiles: Sequence[str]) -> np.ndarray:
  """[M, G] bool: which of `PATTERNS` each molecule has, in their order.

  Raises:
    ValueError: rdkit is missing, or a SMILES is none.
  """
  from spectra_jax.graphs import parsed, rdkit

  queries = [rdkit().MolFromSmarts(pattern) for pattern in PATTERNS.values()]
  has = lambda molecule: [molecule.HasSubstructMatch(query) for query in queries]
  return np.array([has(parsed(one)) for one in smiles], bool).reshape(-1, len(PATTERNS))
