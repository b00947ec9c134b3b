"""From graphs to spectra: the order of atoms does not matter, bonds do, intensities add up."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from spectra_jax import graphs
from spectra_jax.heads.molecule import ELEMENTS, FAINT, Atoms, Head, features
from tests.parameters import draw

NU = np.linspace(500.0, 3500.0, 64)
RNG = np.random.default_rng(0)
SHIPPED = graphs.load()
ATOMS, HEAD = Atoms(width=8, layers=2), Head(hidden=8, spacing_cm=100.0)


def graph(rows, atoms=8):
  return SHIPPED.take(np.asarray(rows)).padded(atoms)


def call(variables, graph):
  x = ATOMS.apply(variables['atoms'], graph)
  return HEAD.apply(variables['head'], x, NU, graph['element'] > 0)


@functools.cache
def variables():
  atoms = draw(ATOMS.init, graph([0]))
  tokens = jax.eval_shape(ATOMS.apply, atoms, graph([0]))
  return {'atoms': atoms, 'head': draw(lambda key, x: HEAD.init(key, x, NU), tokens)}


@functools.cache
def jitted():
  return jax.jit(call)


def spectra(graph):
  return jitted()(variables(), graph)


def turned(graph, order):
  """The same molecules, their atoms in another order."""
  found = {name: x[:, order] for name, x in graph.items()}
  return found | {'relation': found['relation'][:, :, order]}


ROWS = [3000, 3900, 5000]


def test_the_order_of_atoms_does_not_matter():
  given = graph(ROWS)
  want, found = spectra(given), spectra(turned(given, RNG.permutation(8)))
  for kind in want:
    np.testing.assert_allclose(found[kind], want[kind], rtol=2e-5)


def test_the_smiles_of_a_molecule_do_not_matter():
  Chem = pytest.importorskip('rdkit.Chem')
  molecule = Chem.MolFromSmiles(str(SHIPPED.smiles[5000]))
  order = RNG.permutation(molecule.GetNumAtoms()).tolist()
  other = Chem.MolToSmiles(Chem.RenumberAtoms(molecule, order), canonical=False)
  assert other != SHIPPED.smiles[5000]
  written = graphs.of_smiles([other] * 3).padded(8)
  np.testing.assert_allclose(spectra(written)['ir'][0], spectra(graph(ROWS))['ir'][2], rtol=2e-5)


def test_padding_adds_nothing():
  want, found = spectra(graph(ROWS)), spectra(graph(ROWS, 11))
  np.testing.assert_allclose(found['raman'], want['raman'], rtol=2e-5)


@pytest.mark.parametrize('name', ['element', 'hydrogens', 'charge', 'aromatic', 'ring', 'degree'])
def test_what_is_told_of_an_atom_matters(name):
  given = graph(ROWS)
  changed = given[name].copy()
  changed[0, 0] = {'element': 9, 'hydrogens': 4, 'charge': 1, 'aromatic': 1}.get(name, 7)
  assert changed[0, 0] != given[name][0, 0]
  want, found = spectra(given), spectra(given | {name: changed})
  assert np.abs(found['ir'][0] - want['ir'][0]).max() > 1e-3
  np.testing.assert_array_equal(found['ir'][1:], want['ir'][1:])


def test_elements_that_are_not_told_apart_are_none_of_those_that_are():
  known, strange = graph([0]), graph([0])
  strange['element'] = np.where(known['element'] > 0, 78, 0).astype(np.int8)
  iodine = {**known, 'element': np.where(known['element'] > 0, 53, 0).astype(np.int8)}
  columns = len(ELEMENTS)
  there = known['element'] > 0
  assert (features(iodine)[..., :columns].sum(-1) == there).all()
  assert (features(strange)[..., :columns] == 0).all()


def test_bonds_and_distances_matter():
  given = graph(ROWS)
  for relation in (graphs.TRIPLE, graphs.FARTHEST):
    changed = given['relation'].copy()
    changed[0, 0, 1] = changed[0, 1, 0] = relation
    assert np.abs(spectra(given | {'relation': changed})['ir'] - spectra(given)['ir']).max() > 1e-3


def test_intensities_of_atoms_add_up():
  x, first = RNG.normal(size=(2, 5, 8)).astype(np.float32), np.arange(5) < 2
  apply = jax.jit(lambda there: HEAD.apply(variables()['head'], x, NU, there[None]))
  whole, one, other = apply(first | True), apply(first), apply(~first)
  for kind in ('ir', 'raman'):
    sums = one[kind] ** 2 + other[kind] ** 2 - FAINT
    np.testing.assert_allclose(whole[kind] ** 2, sums, rtol=1e-4)
  assert jnp.abs(whole['ir'] - whole['raman']).max() > 1e-2


@pytest.mark.slow
def test_every_parameter_has_a_gradient():
  squares = lambda v, g: sum((y**2).sum() for y in call(v, g).values())
  slopes = jax.jit(jax.grad(squares))(variables(), graph(ROWS))
  for path, leaf in jax.tree_util.tree_leaves_with_path(slopes):
    assert jnp.isfinite(leaf).all(), path
    assert jnp.abs(leaf).max() > 0, path


def test_an_axis_beyond_the_splines_is_refused():
  with pytest.raises(ValueError, match='expected one within the 350 to 4050 of'):
    HEAD.apply(variables()['head'], np.zeros((1, 2, 8), np.float32), np.linspace(100, 900, 9))
