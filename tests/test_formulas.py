"""Formulas are counted as chemists count them."""

import numpy as np
import pytest

from spectra_jax.datasets import computed
from spectra_jax.formulas import PROPERTIES, atom_counts


def test_atoms_and_unsaturation_by_hand():
  found = dict(zip(PROPERTIES, atom_counts(['C2H6O', 'C6H6', 'CHClF2', 'CO2']).T, strict=True))
  assert found['C'].tolist() == [2, 6, 1, 1]
  assert found['Cl'].tolist() == [0, 0, 1, 0]
  assert found['F'].tolist() == [0, 0, 2, 0]
  assert found['unsaturation'].tolist() == [0, 4, 0, 2]  # none, a ring of three double bonds, two


def test_shipped_formulas_have_the_atoms_of_their_geometries():
  lines = computed.load_lines()
  counts = atom_counts(lines.formula)[:, : len(PROPERTIES) - 1]
  np.testing.assert_array_equal(counts.sum(1), np.diff(lines.atom_offsets))
  np.testing.assert_array_equal(counts[:, 1:].sum(1), lines.heavy_atoms)


@pytest.mark.parametrize('formula', ['', 'C2H6Br', 'C2(H2)', 'c2h6'])
def test_what_cannot_be_read_is_refused(formula):
  with pytest.raises(ValueError, match=r'the formula is .*, expected atoms of H, C'):
    atom_counts(['CH4', formula])
