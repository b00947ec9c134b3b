"""RRUFF's archives are read without unpacking; the paper's recipe and shifts are arithmetic."""

import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spectra_jax.datasets import rruff_archive, rruff_splits
from spectra_jax.spectra import Spectra

AXIS = rruff_splits.AXIS


def text(mineral, rruff_id, axis, values):
  pairs = '\n'.join(f'{x:.4f}, {y:.4f}' for x, y in zip(axis, values, strict=True))
  return f'##NAMES={mineral}\n##RRUFFID={rruff_id}\n{pairs}\n##END=\n\n'


def name(mineral, rruff_id, laser, state, number):
  return (
    f'{mineral}__{rruff_id}__Broad_Scan__{laser}__0__unoriented__Raman_Data_{state}__{number}.txt'
  )


@pytest.fixture
def archive(tmp_path):
  """A zip of three spectra on three grids and a text that holds none."""
  path = tmp_path / 'in' / 'LR-Raman.zip'
  path.parent.mkdir()
  with zipfile.ZipFile(path, 'w') as made:
    for i, (rruff_id, state) in enumerate([('R1_a', 'RAW'), ('R1-2', 'RAW'), ('R20', 'Processed')]):
      axis = np.linspace(150, 1700 + i, 900)
      content = text('Topaz', rruff_id, axis, 10 + i + axis / 100)
      made.writestr(f'LR/{name("Topaz", rruff_id, 532 + i, state, i)}', content)
    made.writestr('LR/empty.txt', 'nothing')
    made.writestr('LR/picture.png', b'png')
  return path


def test_an_archive_is_read_and_what_holds_no_spectrum_is_told(archive):
  with pytest.warns(UserWarning, match=r'1 files hold no spectrum and are left out: empty.txt: '):
    spectra = rruff_archive.read(archive)
  assert [one.meta['group'][0] for one in spectra] == ['R1', 'R1', 'R20']
  assert [one.meta['laser_nm'][0] for one in spectra] == [532, 533, 534]
  assert [one.state for one in spectra] == ['measured', 'measured', 'baseline_corrected']
  np.testing.assert_allclose(spectra[1].values[0], 11 + spectra[1].axis / 100, atol=1e-4)
  assert spectra[0].meta['id'][0] == name('Topaz', 'R1_a', 532, 'RAW', 0).removesuffix('.txt')


def test_a_folder_of_archives_and_texts_is_the_same(archive):
  folder = archive.parent
  other = text('Beryl', 'R9', np.linspace(100, 2000, 50), np.ones(50))
  (folder / name('Beryl', 'R9', 780, 'RAW', 7)).write_text(other)
  with pytest.warns(UserWarning, match='left out'):
    found = rruff_archive.load(np.linspace(300, 1500, 30), path=str(folder))['raman']
  assert sorted(found.meta['label']) == ['Beryl', 'Topaz', 'Topaz']
  with pytest.warns(UserWarning, match='left out'):
    rows = rruff_archive.load(
      np.linspace(300, 1500, 30), slice(0, 9), path=str(folder), state='baseline_corrected'
    )
  assert rows['raman'].meta['specimen'].tolist() == ['R20']


def test_an_archive_without_spectra_is_refused(tmp_path):
  with zipfile.ZipFile(tmp_path / 'a.zip', 'w') as made:
    made.writestr('a.txt', 'nothing')
  with pytest.raises(ValueError, match=r'no RRUFF spectrum among 1 files; a.txt'):
    rruff_archive.read(tmp_path / 'a.zip')
  (tmp_path / 'empty').mkdir()
  with pytest.raises(ValueError, match=r'no RRUFF spectrum among 0 files'):
    rruff_archive.read(tmp_path / 'empty')


@pytest.mark.parametrize(
  ('rruff_id', 'specimen'),
  [
    ('R050441', 'R050441'),
    ('R050441_a', 'R050441'),
    ('R040063-4', 'R040063'),
    ('X050012.3', 'X050012'),
    ('R040022perptofiberaxes', 'R040022'),
    ('altered', 'altered'),
  ],
)
def test_spots_and_settings_are_of_one_specimen(rruff_id, specimen):
  assert rruff_archive.specimen(rruff_id) == specimen


def of(axis, values):
  values = np.atleast_2d(np.float32(values))
  meta = {'id': np.array(['m']), 'group': np.array(['m'])}
  mask = np.ones(values.shape, bool)
  return Spectra(values, np.asarray(axis), 'cm^-1', 'raman', 'measured', mask, meta, 's')


def test_the_recipe_divides_by_the_maximum_of_the_window_and_takes_no_offset_off():
  axis = np.arange(100.0, 1800.0, 1.9)
  values = 30 + 20 * np.exp(-(((axis - 700) / 9) ** 2)) - 100 * (axis < 150) + 1e4 * (axis > 1650)
  found = rruff_splits.recipe([of(axis, values), of(axis[5:], 7 * values[5:])])
  expected = np.interp(AXIS, axis, np.float32(values))
  for row in found.values:  # whatever the scale of each
    np.testing.assert_allclose(row, expected / expected.max(), rtol=1e-6)
  assert (found.state, found.values.max(), found.values.min() > 0.5) == ('normalised', 1.0, True)
  with pytest.raises(
    ValueError, match=r'spectrum m has the maximum -1 between 200 .* leave it out'
  ):
    rruff_splits.recipe([of(axis, -np.ones(len(axis)))])


@settings(max_examples=25, deadline=None)
@given(st.floats(-90, 90), st.integers(0, 9))
def test_a_shift_moves_lines_and_repeats_the_edge(shift_cm, seed):
  centre = 300 + 100 * seed
  values = np.float32(np.exp(-(((AXIS - centre) / 20) ** 2)) + 0.25)[None]
  moved = rruff_splits.shift(values, shift_cm, 'edge')[0]
  away = AXIS - shift_cm
  inside = (away >= AXIS[0]) & (away <= AXIS[-1])
  wanted = np.exp(-(((away - centre) / 20) ** 2)) + 0.25
  np.testing.assert_allclose(moved[inside], wanted[inside], atol=2e-3)
  edge = values[0, 0] if shift_cm > 0 else values[0, -1]
  np.testing.assert_array_equal(moved[~inside], edge)


def test_the_padding_of_the_authors_is_one_constant_of_the_first_row():
  values = np.float32(np.arange(1392) + np.array([[5.0], [700.0]]))
  moved = rruff_splits.shift(values, 15.0, 'authors')
  np.testing.assert_array_equal(moved[:, :15], 5.0)
  np.testing.assert_array_equal(moved[:, 15:], values[:, :-15])
  edge = rruff_splits.shift(values, 15.0, 'edge')
  np.testing.assert_array_equal(edge[:, :15], values[:, :1].repeat(15, 1))


@pytest.mark.parametrize(('padding', 'shift_cm'), [('zeros', 5.0), ('authors', -5.0)])
def test_other_paddings_are_refused(padding, shift_cm):
  with pytest.raises(ValueError, match=f"padding is '{padding}' for a shift of {shift_cm:g} cm"):
    rruff_splits.shift(np.ones((1, 1392)), shift_cm, padding)
