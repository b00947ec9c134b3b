"""A user's folder comes in whole, and whatever is wrong with it is said in one sentence."""

import numpy as np
import pytest

from spectra_jax.datasets import folder

AXIS = 400.0 + 5 * np.arange(60)


def write(place, table, files=('a.csv', 'sub/b.csv'), axes=(AXIS, AXIS)):
  """Two text spectra and labels.csv of these lines."""
  for i, (name, axis) in enumerate(zip(files, axes, strict=True)):
    (place / name).parent.mkdir(parents=True, exist_ok=True)
    text = '\n'.join(f'{x:g},{np.cos(x / 90) + i:.6f}' for x in axis)
    (place / name).write_text(text + '\n')
  (place / 'labels.csv').write_text(table)
  return place


HEADER = 'file,group,axis_unit,kind'
GOOD = f'{HEADER},label,side,target/fat,operator\n'
ROWS = (
  'a.csv,s1,cm^-1,absorbance,Oak,train,1.5,Ann',
  'sub/b.csv,s2,cm^-1,absorbance,Ash,test,,Ben',
)


def test_columns_become_meta_and_one_grid_one_array(tmp_path):
  spectra = folder.read(write(tmp_path, GOOD + '\n'.join(ROWS)))
  assert spectra.values.shape == (2, 60)
  assert (spectra.axis_unit, spectra.kind, spectra.state) == ('cm^-1', 'absorbance', 'measured')
  np.testing.assert_allclose(spectra.values, [np.cos(AXIS / 90), np.cos(AXIS / 90) + 1], atol=1e-6)
  expected = {
    'id': ['a.csv', 'sub/b.csv'],
    'group': ['s1', 's2'],
    'label': ['Oak', 'Ash'],
    'side': ['train', 'test'],
    'operator': ['Ann', 'Ben'],
  }
  for name, column in expected.items():
    assert spectra.meta[name].tolist() == column
  np.testing.assert_array_equal(spectra.meta['target/fat'], np.float32([1.5, np.nan]))
  assert spectra.meta['target/fat'].dtype == np.float32


def test_the_table_may_have_semicolons_a_mark_and_another_name(tmp_path):
  plain = folder.read(write(tmp_path / 'x', GOOD + '\n'.join(ROWS)))
  table = '\ufeff' + (GOOD + '\n'.join(ROWS)).replace(',', ';') + '\n\n'
  place = write(tmp_path / 'y', table)
  (place / 'labels.csv').rename(place / 'my samples.txt')
  other = folder.read(place / 'my samples.txt')
  np.testing.assert_array_equal(other.values, plain.values)
  for name, column in plain.meta.items():
    np.testing.assert_array_equal(other.meta[name], column)


def test_other_grids_give_a_list_and_nm_reach_wavenumbers(tmp_path):
  nm = np.linspace(1000.0, 2500.0, 60)
  rows = [row.replace('cm^-1', 'nm') for row in ROWS]
  place = write(tmp_path, GOOD + '\n'.join(rows), axes=(nm, nm[:40]))
  first, second = folder.read(place)
  assert (len(first.axis), len(second.axis), first.axis_unit) == (60, 40, 'nm')
  found = folder.load(np.linspace(4100, 9900, 200), path=str(place))['absorbance']
  assert found.meta['operator'].tolist() == ['Ann', 'Ben']
  assert found.mask[0].all()
  np.testing.assert_array_equal(found.mask[1], found.axis >= 1e7 / nm[39])


def test_the_source_is_that_of_table_and_spectra_and_of_nothing_else(tmp_path):
  place = write(tmp_path, GOOD + '\n'.join(ROWS))
  source = folder.there(place)[0]
  (place / 'notes.md').write_text('dull day')
  assert folder.there(place) == (source, 2)
  (place / 'a.csv').write_text((place / 'a.csv').read_text().replace('400,', '400.0,'))
  changed = folder.there(place)[0]
  assert changed != source
  (place / 'labels.csv').write_text((place / 'labels.csv').read_text().replace('Ann', 'Eve'))
  assert folder.there(place)[0] not in (source, changed)


def test_half_a_table_row_for_row(tmp_path):
  place = write(tmp_path, GOOD + '\n'.join(ROWS))
  found = folder.load(AXIS[3:20], slice(1, 2), path=str(place))['absorbance']
  assert found.meta['id'].tolist() == ['sub/b.csv']
  np.testing.assert_allclose(found.values[0], np.cos(AXIS[3:20] / 90) + 1, atol=1e-6)


@pytest.mark.parametrize(
  ('table', 'words'),
  [
    ('name,group\na.csv,s1\n', r'has columns name, group, expected also file; add it'),
    ('file\na.csv\n', r'has columns file, expected also group; add it: .* group the sample'),
    ('file,group,x,x\na.csv,1,2,3\n', "has column 'x' twice"),
    ('file,group,id\na.csv,1,7\n', 'has a column id, expected none'),
    ('file,group\n', 'names no file'),
    ('file,group\na.csv,s,1\n', 'line 2 has 3 cells, expected 2 as the header has'),
    (f'{HEADER}\na.csv,s1,cm^-1,raman\na.cvs,s1,cm^-1,raman\n', r'names a.cvs, .* mean a\.csv\?'),
    (f'{HEADER}\nq.spc,s1,cm^-1,raman\n', 'names q.spc, which is not in .* or drop the line'),
    (f'{HEADER}\n../a.csv,s1,cm^-1,raman\n', r'names \.\./a.csv, expected a path inside'),
    (f'{HEADER}\na.csv,,cm^-1,raman\n', 'has no group for a.csv'),
    (
      f'{HEADER}\na.csv,s1,cm^-1,raman\n',
      r'does not name 1 of the 2 spectra, .* is sub/b.csv; add',
    ),
    (f'{HEADER}\na.csv,1,cm^-1,raman\na.csv,2,cm^-1,raman\n', 'lines 2 and 3 both name a.csv'),
    (GOOD + ROWS[0] + '\n' + ROWS[1].replace(',,', ',"1,5",'), "target/fat = '1,5' for sub/b.csv"),
    (GOOD + ROWS[0].replace('1.5', 'inf') + '\n' + ROWS[1], "target/fat = 'inf' for a.csv"),
    (GOOD + ROWS[0] + '\n' + ROWS[1].replace('absorbance', 'raman'), 'mixes kind absorbance .a.c'),
    (GOOD + ROWS[0] + '\n' + ROWS[1].replace('cm^-1', 'nm'), 'mixes axis_unit cm.-1 .a.csv'),
    (GOOD + ROWS[0].replace('cm^-1', '') + '\n' + ROWS[1], 'a.csv: the axis has no unit, expected'),
  ],
)
def test_what_is_wrong_is_said(tmp_path, table, words):
  with pytest.raises((ValueError, FileNotFoundError), match=words):
    folder.read(write(tmp_path, table))


def test_a_folder_without_table_is_refused(tmp_path):
  with pytest.raises(FileNotFoundError, match=r'labels.csv is not there, expected a CSV with col'):
    folder.read(tmp_path)
