"""Molecular graphs: those that ship are what the SMILES say, and what the computed data say."""

import collections
import re
import sys

import numpy as np
import pytest
from scipy.sparse.csgraph import shortest_path

from spectra_jax import functional_groups, graphs
from spectra_jax.datasets import computed

SYMBOLS = {6: 'C', 7: 'N', 8: 'O', 9: 'F', 16: 'S', 17: 'Cl'}
SHIPPED = graphs.load()
SOME = np.arange(0, len(SHIPPED), 97)


def test_the_shipped_graphs_have_the_formulas_of_the_computed_molecules():
  lines = computed.load_lines()
  np.testing.assert_array_equal(SHIPPED.smiles, lines.smiles)
  for m, formula in enumerate(lines.formula.tolist()):
    atoms = slice(SHIPPED.atom_offsets[m], SHIPPED.atom_offsets[m + 1])
    counted = collections.Counter(SYMBOLS[z] for z in SHIPPED.element[atoms].tolist())
    counted['H'] += int(SHIPPED.hydrogens[atoms].sum())
    told = {s: int(n or 1) for s, n in re.findall('([A-Z][a-z]?)([0-9]*)', formula)}
    assert +counted == told, formula


def test_the_shipped_graphs_are_those_of_the_smiles():
  pytest.importorskip('rdkit')
  parsed, shipped = graphs.of_smiles(SHIPPED.smiles[SOME]), SHIPPED.take(SOME)
  for name in graphs.ATOM_COLUMNS + ('bonds', 'order', 'groups', 'atom_offsets', 'bond_offsets'):
    np.testing.assert_array_equal(getattr(parsed, name), getattr(shipped, name), name)


def test_relations_are_bonds_and_distances():
  graph = SHIPPED.take(SOME).padded()
  assert graph['relation'].max() == graphs.FARTHEST
  for element, relation in zip(graph['element'], graph['relation'], strict=True):
    atoms = int((element > 0).sum())
    assert not relation[atoms:].any()
    assert not relation[:, atoms:].any()
    own = relation[:atoms, :atoms]
    bonded = (own >= graphs.SINGLE) & (own <= graphs.AROMATIC)
    apart = shortest_path(bonded, unweighted=True)
    np.testing.assert_array_equal(bonded, apart == 1)
    told = np.minimum(graphs.TWO_APART + apart - 2, graphs.FARTHEST)
    np.testing.assert_array_equal(own[apart > 1], told[apart > 1])


def test_written_graphs_are_read(tmp_path):
  path = tmp_path / 'graphs.npz'
  graphs.save(SHIPPED.take(SOME), path)
  back = graphs.load(path).padded()
  for name, x in SHIPPED.take(SOME).padded().items():
    np.testing.assert_array_equal(back[name], x)


def test_what_is_no_graph_is_refused(tmp_path, monkeypatch):
  with pytest.raises(ValueError, match='is no file of molecular graphs'):
    graphs.load(tmp_path / 'none.npz')
  with pytest.raises(ValueError, match='a molecule has 14 heavy atoms, expected at most 3'):
    SHIPPED.padded(3)
  monkeypatch.setitem(sys.modules, 'rdkit', None)
  with pytest.raises(ValueError, match='rdkit is not installed, which reads SMILES'):
    graphs.of_data_set(np.array(['CCO', 'not shipped']))
  assert len(graphs.of_data_set(SHIPPED.smiles[:3])) == 3


@pytest.mark.parametrize('smiles', ['C1CC', '', '[H][H]'])
def test_smiles_without_a_molecule_are_refused(smiles):
  pytest.importorskip('rdkit')
  with pytest.raises(ValueError, match='no SMILES of a molecule with heavy atoms'):
    graphs.of_smiles([smiles])


@pytest.mark.parametrize(
  ('smiles', 'groups'),
  [
    ('CCO', {'alkane CH3', 'alkane CH2', 'alcohol'}),
    ('CC(=O)O', {'alkane CH3', 'carboxylic acid'}),
    ('COC(C)=O', {'alkane CH3', 'ester'}),
    ('CC(N)=O', {'alkane CH3', 'amide'}),
    ('CC(C)=O', {'alkane CH3', 'ketone'}),
    ('CC=O', {'alkane CH3', 'aldehyde'}),
    ('C#CC#N', {'alkyne', 'terminal alkyne', 'nitrile'}),
    ('CN(C)C', {'alkane CH3', 'tertiary amine'}),
    ('CNC', {'alkane CH3', 'secondary amine'}),
    ('CSC', {'alkane CH3', 'thioether'}),
    ('Oc1ccccc1', {'aromatic ring', 'phenol or enol'}),
    ('C1CO1', {'alkane CH2', 'three-membered ring', 'ether'}),
    ('CC(F)(Cl)S', {'alkane CH3', 'C-F', 'C-Cl', 'thiol'}),
    ('NCC=C', {'alkane CH2', 'primary amine', 'alkene'}),
    ('CC=NC', {'alkane CH3', 'imine'}),
  ],
)
def test_functional_groups(smiles, groups):
  pytest.importorskip('rdkit')
  found = functional_groups.labels([smiles])[0]
  assert {name for name, has in zip(functional_groups.NAMES, found, strict=True) if has} == groups
