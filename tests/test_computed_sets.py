"""QM9S and QMe14S as they are published: rows are paired by number, and pairs are checked.

The real files are not at hand: what is written here has the layout that others describe, and the
spectra are those that ship with the package.
"""

import numpy as np
import pytest

from spectra_jax import pairing
from spectra_jax.datasets import computed, qm9s, qme14s

COUNT = 12
AXIS = 500.0 + np.arange(3501)


@pytest.fixture(scope='module')
def spectra():
  made = computed.load(AXIS, slice(900, 900 + COUNT))
  return {kind: np.asarray(of_kind.values) for kind, of_kind in made.items()}


def write_tables(folder, spectra, numbers=None, raman_order=None):
  numbers = np.arange(COUNT) if numbers is None else numbers
  orders = {'ir': np.arange(COUNT), 'raman': np.arange(COUNT)}
  if raman_order is not None:
    orders['raman'] = raman_order
  for kind, name in qm9s.KINDS.items():
    lines = [',' + ','.join(f'{x:g}' for x in AXIS)]
    for row in orders[kind]:
      lines.append(f'{numbers[row]},' + ','.join(map(repr, spectra[kind][row].tolist())))
    (folder / name).write_text('\n'.join(lines) + '\n')
  return folder


def test_tables_are_paired_by_number_whatever_their_order(tmp_path, spectra):
  turned = np.random.default_rng(0).permutation(COUNT)
  write_tables(tmp_path, spectra, numbers=np.arange(COUNT) * 3 + 1, raman_order=turned)
  ir, raman = qm9s.read(tmp_path)
  assert (ir.kind, raman.kind, ir.state) == ('ir', 'raman', 'computed')
  np.testing.assert_array_equal(ir.axis, AXIS)
  np.testing.assert_array_equal(ir.values, spectra['ir'])
  np.testing.assert_array_equal(raman.values, spectra['raman'])
  assert ir.meta['id'].tolist() == [f'qm9s-{3 * i + 1}' for i in range(COUNT)]
  some = qm9s.load(np.linspace(600, 3900, 100), slice(2, 5), path=str(tmp_path))
  assert list(some) == ['ir', 'raman']
  np.testing.assert_array_equal(some['ir'].meta['id'], some['raman'].meta['id'])


def test_tables_whose_numbers_lie_are_found_out(tmp_path, spectra):
  moved = {**spectra, 'raman': np.roll(spectra['raman'], 1, axis=0)}
  with pytest.raises(ValueError, match=r'of the Raman maxima coincide .* not the same molecules'):
    qm9s.read(write_tables(tmp_path, moved))


@pytest.mark.parametrize(
  ('change', 'words'),
  [
    (
      lambda text: text.rsplit('\n', 2)[0] + '\n',
      '1 molecules are in one table only .*12, Raman 11',
    ),
    (lambda text: text.replace('\n5,', '\n4,'), 'raman_boraden.csv has a molecule twice'),
    (lambda text: text[:-200] + '\n', 'line 13 has not the 3502 finite numbers'),
    (lambda text: text.replace('\n7,', '\n7,nan,', 1), 'line 9 has not the 3502 finite numbers'),
    (lambda text: text.replace('\n7,', '\n7,,', 1), 'line 9 has not the 3502 finite numbers'),
    (lambda text: text.replace(',500,', ',499,', 1), 'IR and Raman have different axes'),
  ],
)
def test_damaged_tables_are_refused(tmp_path, spectra, change, words):
  path = write_tables(tmp_path, spectra) / 'raman_boraden.csv'
  path.write_text(change(path.read_text()))
  with pytest.raises(ValueError, match=words):
    qm9s.read(tmp_path)


@pytest.mark.parametrize('first', [0, 3000])
def test_pairs_are_told_from_rows_that_are_off_by_one(first):
  made = computed.load(AXIS, slice(first, first + 60))
  ir, raman = (np.asarray(made[kind].values) for kind in ('ir', 'raman'))
  pairing.check(AXIS, ir, raman, 'these')
  within, between = pairing.evidence(AXIS, ir, raman)
  assert within > 0.75
  assert between < 0.15
  with pytest.raises(ValueError, match=r'these: .* not the same molecules'):
    pairing.check(AXIS, ir, np.roll(raman, 1, axis=0), 'these')


ATOMS = ((6, 0.0, 0.0, 0.0), (8, 1.2, 0.0, 0.0), (1, -0.6, 0.9, 0.0), (1, -0.6, -0.9, 0.0))


def write_molecules(folder, spectra, width=1):
  for kind, (name, prefix) in qme14s.KINDS.items():
    (folder / name).mkdir(parents=True)
    for i, row in enumerate(spectra[kind]):
      lines = ['C=O', *(','.join(map(str, atom)) for atom in ATOMS)]
      cells = [repr(x) for x in row.tolist()]
      lines += [','.join(cells[j : j + width]) for j in range(0, len(cells), width)]
      (folder / name / f'{prefix}{i + 9}.csv').write_text('\n'.join(lines) + '\n')
  return folder


@pytest.mark.parametrize('width', [1, 3501])
def test_folders_of_molecules(tmp_path, spectra, width):
  ir, raman = qme14s.read(write_molecules(tmp_path, spectra, width))
  np.testing.assert_array_equal(ir.values, spectra['ir'])
  np.testing.assert_array_equal(raman.values, spectra['raman'])
  np.testing.assert_array_equal(ir.axis, AXIS)
  assert ir.meta['id'].tolist() == [f'qme14s-{i + 9}' for i in range(COUNT)]
  assert set(ir.meta['group']) == {'CH2O'}
  assert set(ir.meta['smiles']) == {'C=O'}


@pytest.mark.parametrize(
  ('name', 'change', 'words'),
  [
    (
      'Raman_10.csv',
      lambda text: text.replace('C=O', 'CO'),
      'molecule 10 is C=O with 4 atoms .* CO',
    ),
    ('Raman_10.csv', lambda text: text.replace('1.2', '1.3'), 'molecule 10 is .* same atoms, pos'),
    ('Raman_10.csv', lambda text: text[:-300] + '\n', 'has 4 atoms and 34.. intensities, expected'),
    ('Raman_10.csv', lambda text: None, '1 molecules have one file only, the first is number 10'),
  ],
)
def test_pairs_that_are_none_are_refused(tmp_path, spectra, name, change, words):
  path = write_molecules(tmp_path, spectra) / 'Raman_broaden' / name
  changed = change(path.read_text())
  path.unlink()
  if changed:
    path.write_text(changed)
  with pytest.raises(ValueError, match=words):
    qme14s.read(tmp_path)


@pytest.mark.parametrize(
  ('numbers', 'name'), [([1, 6, 6, 1, 8], 'C2H2O'), ([17, 1], 'ClH'), ([34, 8, 8], 'O2Se')]
)
def test_formulas_are_in_hill_order(numbers, name):
  assert qme14s.formula(np.array(numbers)) == name
