"""JCAMP-DX: the standard's worked examples, the labels of real files, and damage."""

import contextlib
import glob
import io
import os
import pathlib
import re

import hypothesis
import hypothesis.strategies as st
import jcamp as oracle
import numpy as np
import pytest

from spectra_jax import readers
from spectra_jax.readers import asdf
from tests import spectral_files as files

DATA = pathlib.Path(
  os.environ.get('SPECTRA_JAX_DATA', pathlib.Path(__file__).parents[2] / 'shared/data')
)
FOLDER = DATA / 'jcamp_gas_ir' / 'infrared_spectra'
REAL = sorted(glob.glob('*.jdx', root_dir=FOLDER))


# McDonald and Wilks 1988, table VII: one sequence in every form
@pytest.mark.parametrize(
  'line',
  [
    '0 1 2 3 3 2 1 0 -1 -2 -3',
    '0 1+2+3+3+2+1+0-1-2-3',
    '0 1BCCBA@abc',
    '0 1JJ%jjjjjj',
    '0 1JT%jX',
    '0,1,2,3,3,2,1,0,-1,-2,-3',
    '0ABCCBA@abc',
    '0AJT%jX',
  ],
)
def test_worked_example_of_every_form(line):
  assert list(asdf.ordinates(line, 10).values) == [1, 2, 3, 3, 2, 1, 0, -1, -2, -3]


def test_worked_example_of_difference_and_repetition():
  """Table VI of the standard (with its misprints corrected): 53 ordinates and the check line."""
  text = '599.860@VKT%TLkj%J%KLJ%njKjL%kL%jJULJ%kLK1%lLMNPNPRLJ0QTOJ1P\n700.158A28'
  wanted = (
    '0 0 0 0 2 4 4 4 7 5 4 4 5 5 7 10 11 11 6 5 7 6 9 9 7 10 10 9 10 11 12 15 16 16 14 17 38 '
  )
  wanted += '38 35 38 42 47 54 59 66 75 78 88 96 104 110 121 128'
  table = asdf.ordinates(text, 53)
  assert list(table.values) == [float(word) for word in wanted.split()]
  assert table.checks == [('599.860', 0), ('700.158', 52)]


@pytest.mark.parametrize(
  ('text', 'values'),
  [
    ('1@VKT', [0, 0, 0, 0, 2, 4]),  # a repetition of a value, then of a difference
    ('1A0J5T', [10, 25, 40]),
    ('1a5T', [-15, -15]),
    ('1A2S', [12]),  # once in all: as if it were not there
    ('1A0S2', [10] * 12),  # counts of several digits
    ('1 12T', [12, 12]),
    ('1AJET', [1, 2, 5, 5]),  # a repetition of a value after a difference
    ('1AJE\n4F', [1, 2, 5, 6]),  # no check after a value
    ('1 1.5E+02 -2e-01 .5', [150, -0.2, 0.5]),
    ('1E3e', [53, -5]),  # no exponent: that has a sign
    ('1 5-3 +2', [5, -3, 2]),
    ('1AJ\n3BJ\n4C', [1, 2, 3]),
    ('1AJ\n\n2B\n3D', [1, 2, 4]),
  ],
)
def test_hand_decoded(text, values):
  assert list(asdf.ordinates(text, len(values)).values) == values


def test_missing_ordinates():
  values = np.array(asdf.ordinates('400 1 ? 3\n406 ?', 4).values)
  np.testing.assert_array_equal(values, [1, np.nan, 3, np.nan])
  text = files.jcamp_table([round(v * 1e4) for v in files.VALUES], 'affn', x=4000, dx=-100)
  first, rest = text.split('\n', 1)
  text = re.sub(r' -?\d+$', ' ?', first) + '\n' + rest
  (found,) = readers.read_bytes(files.jcamp(XYDATA='(X++(Y..Y))\n' + text), 'a.jdx')
  assert np.flatnonzero(~found.mask[0]).tolist() == [files.POINTS - 8]


@pytest.mark.parametrize('form', files.JCAMP_FORMS)
@hypothesis.settings(max_examples=40, deadline=None)
@hypothesis.given(numbers=st.lists(st.integers(-(10**7), 10**7) | st.integers(-2, 2), min_size=2))
def test_every_form_decodes_what_was_encoded(form, numbers):
  table = files.jcamp_table(numbers, form, per_line=5, x=10, dx=2)
  decoded = asdf.ordinates(table, len(numbers))
  assert list(decoded.values) == numbers
  assert all(float(x) == 10 + 2 * min(i, len(numbers) - 1) for x, i in decoded.checks)


@pytest.mark.parametrize(
  ('text', 'points', 'says'),
  [
    ('1AJ\n2DJ', 3, 'expected the last value of the line before, 2'),
    ('1 2 3', 3, 'there are 2 ordinates, expected NPOINTS=3'),
    ('1 2 3 4 5', 3, 'more ordinates than NPOINTS=3'),
    ('1A99999999Z99999999', 3, 'repeated 899999999 times, expected at most'),
    ('1J', 1, 'starts with a difference'),
    ('1T', 1, 'has nothing before it'),
    ('1ATT', 4, 'has nothing before it'),
    ('A1', 1, 'starts without an abscissa'),
    ('1 2 x 3', 2, "'x' stands in the table"),
    ('1 2 NaN', 2, "'NaN' stands in the table"),
    ('1 2 inf', 2, "'inf' stands in the table"),
    ('', 2, 'there are 0 ordinates'),
  ],
)
def test_damaged_tables(text, points, says):
  with pytest.raises(ValueError, match=re.escape(says)):
    asdf.ordinates(text, points)


@pytest.mark.parametrize(
  ('data', 'says'),
  [
    (files.jcamp()[:-8], 'no ##END=, the file is cut short'),
    (files.jcamp()[:300], 'no ##END='),
    (files.jcamp(NPOINTS='25'), 'there are 24 ordinates, expected NPOINTS=25'),
    (files.jcamp(NPOINTS='23'), 'more ordinates than NPOINTS=23'),
    (files.jcamp(NPOINTS='999999999999'), '##NPOINTS=1e+12, expected 2 to 4000000'),
    (files.jcamp(NPOINTS='2.5'), '##NPOINTS=2.5'),
    (files.jcamp(NPOINTS=''), '##NPOINTS= is missing'),
    (files.jcamp(FIRSTX='nan'), '##FIRSTX=nan, expected a number'),
    (files.jcamp(LASTX='4000.0'), '##FIRSTX= and ##LASTX= are both 4000'),
    (files.jcamp(LASTX='1000'), 'where FIRSTX, LASTX and NPOINTS put it'),
    (files.jcamp(XFACTOR='2'), 'where FIRSTX, LASTX and NPOINTS put it'),
    (files.jcamp(YFACTOR='0.001'), 'the table has 5 for ##FIRSTY=0.5'),
    (files.jcamp(MAXY='0.7'), 'for ##MAXY=0.7'),
    (files.jcamp(YFACTOR='0'), '##YFACTOR=0'),
    (files.jcamp(YFACTOR='1E300', FIRSTY='', MINY='', MAXY=''), 'expected finite numbers'),
    (files.jcamp(XUNITS='1/CM\n##XUNITS=NANOMETERS'), "'1/CM' and 'NANOMETERS', expected one"),
    (files.jcamp(XYDATA='(X++(R..R))\n1 2'), 'expected (X++(Y..Y)) or (XY..XY)'),
    (files.jcamp(XYDATA='', PEAK_TABLE='(XY..XY)\n1,2'), 'there is only PEAKTABLE'),
    (files.jcamp(XYDATA='', XYPOINTS='(XY..XY)\n1,2 3'), 'there are 3 numbers'),
    (files.jcamp(XYDATA='', XYPOINTS='(XY..XY)\n' + '1,nan\n' * 24), 'a value that is no number'),
    (b'##TITLE=x\n' * 30, 'stands outside of a block'),
    (files.jcamp() + b'##OWNER=me\n', 'stands outside of a block'),
  ],
)
def test_damaged_files_are_refused_in_one_sentence(data, says):
  with pytest.raises(ValueError, match=re.escape(says)) as error:
    readers.read_bytes(data, 'a.jdx')
  assert str(error.value).startswith('a.jdx: ')
  assert '\n' not in str(error.value)


def test_swapped_lines_are_found_by_their_abscissae():
  lines = files.jcamp().split(b'\n')
  lines[-5], lines[-4] = lines[-4], lines[-5]
  with pytest.raises(ValueError, match='where FIRSTX, LASTX and NPOINTS put it'):
    readers.read_bytes(b'\n'.join(lines), 'a.jdx')


def test_small_disagreements_are_told_and_read():
  (found,) = readers.read_bytes(files.jcamp(LASTX='1610'), 'a.jdx')  # 0.6 steps at the last line
  assert 'put it 62.6 away (a step is 104); the labels' in found.meta['warning'][0]
  (found,) = readers.read_bytes(files.jcamp(FIRSTY='0.5009'), 'a.jdx')
  assert found.meta['warning'][0] == 'The table has 0.5 for ##FIRSTY=0.5009.'
  (found,) = readers.read_bytes(files.jcamp(YFACTOR='', FIRSTY='', MINY='', MAXY=''), 'a.jdx')
  assert '##YFACTOR= is missing' in found.meta['warning'][0]


@pytest.mark.slow
def test_the_package_jcamp_reads_the_worked_example_wrong():
  """Why tables are decoded here: it drops repetitions of values. If this fails, it may serve."""
  assert oracle.parse('599.860@VKT%TL')[1:4] == [0, 2, 4]
  assert list(asdf.ordinates('599.860@VKT%TL', 9).values) == [0, 0, 0, 0, 2, 4, 4, 4, 7]


@pytest.mark.skipif(not REAL, reason='no ../shared/data/jcamp_gas_ir; set SPECTRA_JAX_DATA')
@pytest.mark.parametrize('name', REAL)
def test_real_files_keep_what_their_labels_promise(name):
  """The labels are found by regular expressions, not by the reader."""
  text = (FOLDER / name).read_text('latin-1')
  label = lambda key: [float(x) for x in re.findall(rf'^##{key}= *([-+.\dE]+)', text, re.M)]
  found = readers.read(FOLDER / name)
  npoints = label('NPOINTS')[: len(found)]  # one file has the label twice
  assert [len(s.axis) for s in found] == npoints
  for i, spectra in enumerate(found):
    first, last = sorted((label('FIRSTX')[i], label('LASTX')[i]))
    np.testing.assert_allclose(spectra.axis[[0, -1]], [first, last], rtol=1e-9)
    flipped = label('FIRSTX')[i] > label('LASTX')[i]
    y = spectra.values[0, ::-1] if flipped else spectra.values[0]
    scale = np.abs(y).max()
    places = 1.0 if name == 'isopropanol_ASDF.jdx' else 1e-3 * scale  # its labels: 0 and 0.37
    assert abs(y[0] - label('FIRSTY')[i]) <= places
    assert abs(y.max() - label('MAXY')[i]) <= places


@pytest.mark.slow
@pytest.mark.skipif(not REAL, reason='no ../shared/data/jcamp_gas_ir; set SPECTRA_JAX_DATA')
@pytest.mark.parametrize('name', REAL)
def test_real_files_agree_with_the_package_jcamp(name):
  with contextlib.redirect_stdout(io.StringIO()):
    theirs = oracle.readfile(str(FOLDER / name))
  blocks = theirs.get('children', [theirs])
  for spectra, block in zip(readers.read(FOLDER / name), blocks, strict=True):
    order = slice(None, None, -1 if block['firstx'] > block['lastx'] else 1)
    scale = np.abs(block['y']).max()
    np.testing.assert_allclose(spectra.values[0, order], block['y'], rtol=2e-6, atol=1e-7 * scale)
    np.testing.assert_allclose(spectra.axis[order], block['x'], rtol=1e-6)


@pytest.mark.skipif(not REAL, reason='no ../shared/data/jcamp_gas_ir; set SPECTRA_JAX_DATA')
def test_all_real_files_are_there():
  assert len(REAL) == 68
