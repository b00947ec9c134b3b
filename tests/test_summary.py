"""The shipped line lists keep their laws, and the data card says what is in them."""

import csv
import dataclasses
import pathlib

import numpy as np
import pytest

from spectra_jax.data import summary
from spectra_jax.datasets import computed

FOLDER = computed.SHIPPED.parent


@pytest.fixture(scope='module')
def lines():
  return computed.load_lines()


@pytest.fixture(scope='module')
def facts(lines):
  return summary.summary(lines)


def test_shipped_molecules_obey_the_fsum_and_mutual_exclusion(facts):
  assert facts['molecules'] >= 6200
  assert facts['centrosymmetric'] >= 64
  assert facts['fsum_max_residual'] < 1e-8
  assert facts['exclusion_max_leak'] < 1e-3
  assert facts['gradient_max'] <= 1e-4
  assert computed.SHIPPED.stat().st_size <= 12 * 2**20


def test_every_molecule_has_all_its_modes_and_its_centre_of_mass_at_the_origin(lines):
  atoms, modes = np.diff(lines.atom_offsets), np.diff(lines.mode_offsets)
  linear = np.char.endswith(lines.point_group, 'oov') | np.char.endswith(lines.point_group, 'ooh')
  assert (modes == 3 * atoms - np.where(linear, 5, 6)).all()
  mass = lines.element_mass[np.searchsorted(lines.element_number, lines.atomic_number)]
  centre = np.add.reduceat(mass[:, None] * lines.position, lines.atom_offsets[:-1])
  assert abs(centre).max() < 1e-9
  assert (lines.frequency > 0).all()
  assert len(set(lines.smiles.tolist())) == len(lines)


def test_parity_is_told_for_centrosymmetric_molecules_only(lines):
  owner = np.repeat(np.arange(len(lines)), np.diff(lines.mode_offsets))
  assert ((lines.parity != 0) == lines.centrosymmetric[owner]).all()
  assert not lines.listed[~lines.centrosymmetric].any()


def test_the_curated_list_is_there_in_full(lines):
  pytest.importorskip('rdkit', reason='rdkit is in the [compute] extra')
  from spectra_jax.data import molecules

  listed = {molecules.canonical(smiles) for smiles in molecules.CENTROSYMMETRIC}
  assert listed == set(lines.smiles[lines.listed].tolist())


def test_a_broken_intensity_and_a_wrong_parity_are_seen(lines):
  first = int(np.flatnonzero(lines.centrosymmetric)[0])
  modes = lines.modes(first)
  intensity, parity = lines.ir_intensity.copy(), lines.parity.copy()
  intensity[modes] *= 1.01
  parity[modes] *= -1
  broken = dataclasses.replace(lines, ir_intensity=intensity, parity=parity)
  assert summary.fsum_residuals(broken).argmax() == first
  assert summary.exclusion_leaks(broken)[0] == 1


def test_the_data_card_is_that_of_the_file(facts):
  with open(FOLDER / 'refused.csv') as stream:
    reasons = [row['reason'] for row in csv.DictReader(stream)]
  assert summary.card(facts, reasons) in pathlib.Path(FOLDER / 'README.md').read_text()


def test_the_card_is_rewritten_between_its_marks(facts, tmp_path):
  card, refused = tmp_path / 'README.md', tmp_path / 'refused.csv'
  card.write_text('head\n{}outdated\n{}tail\n'.format(*summary.MARKS))
  refused.write_text('smiles,reason\nX,SCF failed: y\nZ,SCF failed: w\n')
  for _ in range(2):  # the second time changes nothing
    summary.rewrite_card(card, facts, refused)
    text = card.read_text()
    assert text.startswith('head\n')
    assert text.endswith('tail\n')
    assert '| SCF failed | 2 |' in text
    assert 'outdated' not in text
