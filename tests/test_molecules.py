"""Which molecules are computed: filters, determinism, order."""

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip('rdkit', reason='rdkit is in the [compute] extra')
from rdkit import Chem

from spectra_jax.data import molecules

SMALL = [s for heavy in range(1, 5) for s in molecules.enumerate_molecules(heavy)]


@pytest.mark.parametrize(
  'smiles',
  ['C', 'O', 'CC', 'C=C', 'C#C', 'C=O', 'CO', 'CC#N', 'C1CO1', 'O=C=O', 'NC=O', 'CS', 'CCCl'],
)
def test_common_molecules_are_found(smiles):
  assert molecules.canonical(smiles) in SMALL


@pytest.mark.parametrize('smiles', ['c1cc[nH]c1', 'c1ccoc1', 'c1ccsc1', 'CC(C)=O', 'CC(=O)O'])
def test_growth_reaches_arenes_and_carbonyls(smiles):
  heavy = Chem.MolFromSmiles(smiles).GetNumAtoms()
  assert molecules.canonical(smiles) in molecules.enumerate_molecules(heavy)


@pytest.mark.parametrize(
  ('smiles', 'why'),
  [
    ('C1=CC=C1', 'antiaromatic'),
    ('C1=CO1', 'antiaromatic'),
    ('COOC', 'O-O'),
    ('CNNNC', 'N-N-N'),
    ('CNF', 'N-F'),
    ('COCl', 'O-Cl'),
    ('CSCl', 'S-Cl'),
    ('CN=S', 'S=N'),
    ('C1CC#CC1', 'triple bond in a ring'),
    ('C1=C=CCC1', 'allene in a ring'),
    ('C1CC2=CC1C2', 'anti-Bredt'),
    ('C1C2C1C2', 'fused small rings'),
    ('OCO', 'geminal diol'),
    ('C=CO', 'enol'),
    ('FC(F)(F)C(F)F', 'five F'),
    ('CSCCl', 'S and Cl'),
    ('NC(N)=NN', 'more heteroatoms than carbons'),
  ],
)
def test_filters_refuse(smiles, why):
  assert not molecules.is_sensible(Chem.MolFromSmiles(smiles)), why


@settings(max_examples=50, deadline=None)
@given(st.sampled_from(SMALL), st.randoms(use_true_random=False))
def test_filter_does_not_depend_on_the_atom_order(smiles, random):
  molecule = Chem.MolFromSmiles(smiles)
  order = list(range(molecule.GetNumAtoms()))
  random.shuffle(order)
  assert molecules.is_sensible(Chem.RenumberAtoms(molecule, order))


@settings(max_examples=50, deadline=None)
@given(st.sampled_from(SMALL))
def test_candidates_are_canonical_neutral_and_closed_shell(smiles):
  molecule = Chem.MolFromSmiles(smiles)
  assert molecules.canonical(smiles) == smiles
  assert Chem.GetFormalCharge(molecule) == 0
  assert not any(a.GetNumRadicalElectrons() or a.GetFormalCharge() for a in molecule.GetAtoms())


def test_order_is_by_hash_and_a_prefix_is_a_prefix():
  found = molecules.enumerate_molecules(4)
  assert list(found) == sorted(set(found), key=molecules.rank)
  assert molecules.candidates(130) == molecules.candidates(140)[:130]


def test_enumeration_is_the_same_in_another_process():
  code = 'from spectra_jax.data import molecules as m; print(*m.enumerate_molecules(4))'
  seeds = [
    subprocess.run(
      [sys.executable, '-c', code],
      env={'PYTHONHASHSEED': seed, 'PYTHONPATH': ':'.join(p for p in sys.path if p) or '.'},
      capture_output=True,
      text=True,
      check=True,
    ).stdout
    for seed in ('1', '2')
  ]
  assert seeds[0] == seeds[1] == ' '.join(molecules.enumerate_molecules(4)) + '\n'


def test_the_curated_list_is_first_and_has_no_repetition():
  listed = [molecules.canonical(s) for s in molecules.CENTROSYMMETRIC]
  assert len(set(listed)) == len(listed) >= 70
  first = molecules.candidates(len(listed) + 400)
  assert [s for s, is_listed in first if is_listed] == listed
  assert len({s for s, _ in first}) == len(first)


@pytest.mark.parametrize('heavy', [0, 8])
def test_sizes_out_of_range_are_refused(heavy):
  with pytest.raises(ValueError, match=f'heavy is {heavy}'):
    molecules.enumerate_molecules(heavy)
