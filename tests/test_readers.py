"""Readers: every format gives the numbers that were written, in units that the file states."""

import dataclasses
import sys

import numpy as np
import pytest

from spectra_jax import readers
from spectra_jax.readers import csv, matlab, units
from spectra_jax.readers.limits import LIMITS
from tests import spectral_files as files

TOLD = {'blanks.txt': {'axis_unit': 'cm^-1', 'kind': 'absorbance'}, 'rows.csv': {'kind': '%R'}}
TOLD['rows.csv']['axis_unit'] = 'nm'


@pytest.mark.parametrize('name', files.seeds())
def test_every_format_gives_what_was_written(name):
  found = readers.read_bytes(files.seeds()[name], name, **TOLD.get(name, {}))
  rising = name in (files.RRUFF_NAME, 'packed.mat', 'plain.mat')  # written so, others descend
  values = (files.VALUES if rising else files.VALUES[::-1]) * (0.01 if name == 'rows.csv' else 1)
  np.testing.assert_allclose(found[0].values[0], values, atol=2e-7)
  for spectra in found:
    np.testing.assert_allclose(spectra.axis, files.AXIS[::-1])
    assert spectra.mask.all()
    assert not any(spectra.meta['warning'])
  ids = np.concatenate([spectra.meta['id'] for spectra in found])
  assert len(set(ids)) == len(ids)


def test_the_file_says_what_it_holds():
  about = lambda name: [
    (s.kind, s.axis_unit, s.state, len(s))
    for s in readers.read_bytes(files.seeds()[name], name, **TOLD.get(name, {}))
  ]
  absorbance = ('absorbance', 'cm^-1', 'measured', 1)
  assert about('link.jdx') == [absorbance, ('transmittance', 'cm^-1', 'measured', 1)]
  assert about('t.0') == [('transmittance', 'cm^-1', 'measured', 1)]
  assert about('map.wdf') == [('raman', 'cm^-1', 'measured', 2)]
  assert about('map.spc') == 2 * [('raman', 'cm^-1', 'measured', 1)]
  assert about('packed.mat') == [('absorbance', 'nm', 'measured', 2)]
  assert about('rows.csv') == [('reflectance', 'nm', 'measured', 3)]


def test_meta_of_instruments():
  (opus,) = readers.read_bytes(files.opus(), 'a.0')
  assert (opus.meta['title'][0], opus.meta['instrument'][0]) == ('caffeine', 'ALPHA')
  assert opus.meta['resolution_cm'][0] == 4.0
  (wdf,) = readers.read_bytes(files.wdf(np.stack([files.VALUES] * 3)), 'map.wdf')
  np.testing.assert_allclose(wdf.meta['laser_nm'], 785.0, rtol=1e-6)
  np.testing.assert_array_equal(wdf.meta['x_um'], [0.0, 10.0, 20.0])
  (rruff,) = readers.read_bytes(files.rruff(), files.RRUFF_NAME)
  assert (rruff.kind, rruff.state, rruff.meta['laser_nm'][0]) == (
    'raman',
    'baseline_corrected',
    532,
  )
  assert (rruff.meta['label'][0], rruff.meta['specimen'][0]) == ('Quartz', 'R040031')


@pytest.mark.parametrize(
  ('word', 'unit'),
  [
    *(('1/CM', 'cm^-1'), ('cm-1', 'cm^-1'), ('Wellenzahl / cm⁻¹', 'cm^-1'), ('CM^-1', 'cm^-1')),
    *(('Raman Shift (cm−1)', 'cm^-1'), ('WAVENUMBERS', 'cm^-1'), ('NANOMETERS', 'nm')),
    *(('wavelength_nm', 'nm'), ('MICROMETERS', 'um'), ('λ [µm]', 'um'), ('λ [μm]', 'um')),
    *(('wavelength', ''), ('SECONDS', ''), ('cm', ''), ('M/Z', ''), ('number', ''), ('', '')),
    *(('wavenumber (1/m)', ''), ('wavenumber / m^-1', ''), ('frequency (THz)', ''), ('eV', '')),
  ],
)
def test_units_of_axes(word, unit):
  assert units.axis_unit(word) == unit


@pytest.mark.parametrize(
  ('word', 'kind', 'factor'),
  [
    *(('ABSORBANCE', 'absorbance', 1), ('A', 'absorbance', 1), ('log(1/T)', 'absorbance', 1)),
    *(('%T', 'transmittance', 0.01), ('% Transmission', 'transmittance', 0.01)),
    *(('T', 'transmittance', 1), ('PERCENT TRANSMITTANCE', 'transmittance', 0.01)),
    *(('R', 'reflectance', 1), ('%R', 'reflectance', 0.01), ('Reflectance', 'reflectance', 1)),
    *(('log(1/R)', 'log_reflectance', 1), ('-log(R)', 'log_reflectance', 1)),
    ('Pseudo-absorbance', 'log_reflectance', 1),
    *(('log10(1/R)', 'log_reflectance', 1), ('-log10(T)', 'absorbance', 1), ('log(R)', '', 1)),
    *(('log reflectance', '', 1), ('transmission loss (dB)', '', 1), ('ln(1/T)', '', 1)),
    *(('first derivative of absorbance', '', 1), ('%A', '', 1)),
    *(('LOG 1/R', 'log_reflectance', 1), ('KUBELKA-MUNK', 'kubelka_munk', 1)),
    *(('Raman intensity', 'raman', 1), ('(micromol/mol)-1m-1 (base 10)', 'absorbance', 1)),
    *(('ARBITRARY UNITS', '', 1), ('intensity', '', 1), ('percent', '', 1), ('sample 1', '', 1)),
  ],
)
def test_units_of_ordinates(word, kind, factor):
  assert units.ordinate(word) == (kind, factor)


def test_arbitrary_units_are_raman_only_of_a_raman_instrument():
  assert units.ordinate('ARBITRARY UNITS', 'RAMAN SPECTRUM') == ('raman', 1.0)
  assert units.ordinate('TRANSMITTANCE', 'RAMAN SPECTRUM') == ('transmittance', 1.0)
  shift = readers.read_bytes(files.csv('Raman shift,intensity'), 'a.csv')
  assert (shift[0].kind, shift[0].axis_unit) == ('raman', 'cm^-1')


def test_micrometres_become_wavenumbers_and_are_sorted():
  (found,) = readers.read_bytes(files.csv('um,%T'), 'a.csv')
  np.testing.assert_allclose(found.axis, 1e4 / files.AXIS)  # descending um are ascending cm^-1
  np.testing.assert_allclose(found.values[0], files.VALUES / 100, atol=1e-7)
  (rising,) = readers.read_bytes(files.rruff(), 'x.txt', axis_unit='um', kind='raman')
  np.testing.assert_allclose(rising.axis, 1e4 / files.AXIS)
  np.testing.assert_allclose(rising.values[0], files.VALUES[::-1], atol=1e-7)


def test_units_that_nobody_states_are_asked_for():
  with pytest.raises(ValueError, match=r'^a.csv: the axis has no unit.* pass it as axis_unit='):
    readers.read_bytes(files.csv(''), 'a.csv')
  with pytest.raises(ValueError, match=r"the values are 'FURLONGS'.* pass it as kind="):
    readers.read_bytes(files.jcamp(YUNITS='FURLONGS'), 'a.jdx')
  with pytest.raises(ValueError, match=r"axis is in 'SECONDS'"):
    readers.read_bytes(files.jcamp(XUNITS='SECONDS'), 'a.jdx')
  with pytest.raises(ValueError, match=r"axis_unit is 'furlongs', expected one of cm\^-1, nm, um"):
    readers.read_bytes(files.csv(), 'a.csv', axis_unit='furlongs')
  with pytest.raises(ValueError, match=r"kind is 'heat', expected %T"):
    readers.read_bytes(files.csv(), 'a.csv', kind='heat')
  with pytest.raises(ValueError, match='expected one unit'):
    readers.read_bytes(files.csv('nm or cm-1,absorbance'), 'a.csv')


def test_the_user_overrules_the_file_and_is_reminded():
  (found,) = readers.read_bytes(files.jcamp(YUNITS='TRANSMITTANCE'), 'a.jdx', kind='%T')
  np.testing.assert_allclose(found.values[0], files.VALUES[::-1] / 100, atol=1e-7)
  assert "kind='%T' was taken" in found.meta['warning'][0]
  (same,) = readers.read_bytes(files.jcamp(YUNITS='%T'), 'a.jdx', kind='transmittance')
  np.testing.assert_allclose(same.values[0], files.VALUES[::-1] / 100, atol=1e-7)
  assert same.meta['warning'][0] == ''


def test_tables_of_many_columns_and_names():
  table = np.column_stack([files.AXIS, files.VALUES, files.VALUES**2])
  text = '# made by hand\nnm\tA1\tB7\n' + '\n'.join('\t'.join(map(str, row)) for row in table)
  (found,) = readers.read_bytes(text.encode(), 'a.tsv', kind='absorbance')
  np.testing.assert_allclose(found.values, table[::-1, 1:].T, atol=1e-7)
  assert list(found.meta['title']) == ['A1', 'B7']


def test_decimal_commas():
  text = 'Wellenzahl (cm-1);Absorbance\n' + '\n'.join(
    f'{x:.1f};{y:.4f}'.replace('.', ',') for x, y in zip(files.AXIS, files.VALUES, strict=True)
  )
  (found,) = readers.read_bytes(text.encode(), 'a.csv')
  np.testing.assert_allclose(found.values[0], files.VALUES[::-1], atol=1e-7)
  blanks = text.replace(';', '  ')  # the header has three cells then
  (found,) = readers.read_bytes(blanks.encode(), 'a.txt', axis_unit='cm-1', kind='absorbance')
  np.testing.assert_allclose(found.axis, files.AXIS[::-1])


def test_a_table_that_reads_both_ways_is_not_guessed():
  text = b'name,400,402,404\n1,5,6,7\n2,6,7,8'
  with pytest.raises(ValueError, match='both the first line and the first column could be'):
    readers.read_bytes(text, 'a.csv')
  (raw,) = csv.decode(text, 'a.csv', layout='rows')
  (found,) = readers.convert([raw], text, 'a.csv', 'cm^-1', 'absorbance')
  np.testing.assert_array_equal(found.values, [[5, 6, 7], [6, 7, 8]])
  (columns,) = readers.read_bytes(text.replace(b'name', b'nm'), 'a.csv', kind='absorbance')
  assert columns.values.shape == (3, 2)


def test_columns_of_two_quantities_are_refused():
  text = 'nm,absorbance,%T\n400,1,10\n402,1,11'
  with pytest.raises(ValueError, match="columns of 'absorbance' and of '%T', expected one"):
    readers.read_bytes(text.encode(), 'a.csv')


def test_matlab_names_are_told_where_they_do_not_tell():
  data = files.matlab(wl=files.AXIS, spectra=np.stack([files.VALUES] * 3), other=np.eye(4))
  with pytest.raises(ValueError, match=r'there are the variables wl \(1, 24\), spectra'):
    readers.read_bytes(data, 'a.mat')
  raws = matlab.decode(data, 'a.mat', axis='wl', values='spectra')
  (found,) = readers.convert(raws, data, 'a.mat', 'nm', 'absorbance')
  assert found.values.shape == (3, 24)
  with pytest.raises(ValueError, match='expected exactly one side as long'):
    matlab.decode(data, 'a.mat', axis='wl', values='other')


def test_spc_own_labels_and_exponents_of_several_spectra():
  rows = np.stack([files.VALUES, 2 * files.VALUES])
  (found,) = readers.read_bytes(files.spc(rows, exponent=3, labels='nm\0log(1/R)'), 'a.spc')
  np.testing.assert_allclose(found.values, rows[:, ::-1], atol=2e-7)
  assert (found.axis_unit, found.kind) == ('nm', 'log_reflectance')


def test_spc_agrees_with_the_writer_of_spc_io():
  spc_io = pytest.importorskip('spc_io')
  from spc_io.high_level import EvenAxis

  document = spc_io.SPC(
    xarray=EvenAxis(4000.0, 1700.0, files.POINTS), xtype='XWAVEN', ytype='YABSRB'
  )
  document.add_subfile(yarray=files.VALUES, w=0.0, z=0.0)
  data = bytearray(document.to_spc_raw().to_bytes())
  data[28:30] = b'\x01\x02'  # it does not write the units
  (found,) = readers.read_bytes(bytes(data), 'a.spc')
  np.testing.assert_allclose(found.values[0], files.VALUES[::-1], atol=1e-7)
  np.testing.assert_allclose(found.axis, files.AXIS[::-1])


def test_a_damaged_picture_does_not_take_the_spectra_with_it():
  (found,) = readers.read_bytes(files.wdf(picture=b'no jpeg'), 'a.wdf')
  np.testing.assert_allclose(found.values[0], files.VALUES[::-1], atol=1e-7)


def test_damaged_side_parameters_do_not_take_an_opus_spectrum_with_them():
  data = files.opus().replace(b'SNM\0' + b'\x02\0\x05\0', b'SNM\0' + b'\x02\0\xfb\xff')
  assert data != files.opus()
  (found,) = readers.read_bytes(data, 'a.0')
  np.testing.assert_allclose(found.values[0], files.VALUES[::-1], atol=1e-7)
  assert found.meta['title'][0] == ''


def test_opus_without_a_result_says_what_there_is():
  with pytest.raises(ValueError, match='no result spectrum among Interferogram'):
    readers.read_bytes(files.opus(2), 'a.0')
  with pytest.raises(ValueError, match='not of 32-bit floats'):
    readers.read_bytes(files.opus(DPF=2), 'a.0')


def test_archives_are_read_member_by_member(tmp_path):
  path = tmp_path / 'two.zip'
  path.write_bytes(files.zipped(**{'b/x__jdx': files.jcamp(), 'a__csv': files.csv()}))
  found = readers.read(path)
  assert [spectra.meta['id'][0] for spectra in found] == ['b/x.jdx', 'a.csv']


def test_reading_changes_nothing_and_names_its_source(tmp_path):
  path = tmp_path / 'x.jdx'
  path.write_bytes(files.jcamp('dup'))
  (found,) = readers.read(str(path))
  (again,) = readers.read_bytes(path.read_bytes(), 'x.jdx')
  assert found.source == again.source
  assert len(found.source) == 64
  assert path.read_bytes() == files.jcamp('dup')


def test_a_missing_package_is_named(monkeypatch):
  monkeypatch.setitem(sys.modules, 'spc_io', None)
  with pytest.raises(ValueError, match=r'spc-io, which is not installed; run `pip install'):
    readers.read_bytes(files.spc(), 'a.spc')


def test_limits_are_the_callers(tmp_path):
  path = tmp_path / 'x.jdx'
  path.write_bytes(files.jcamp())
  small = dataclasses.replace(LIMITS, file_bytes=100)
  with pytest.raises(ValueError, match=r'^x.jdx: the file has \d+ bytes, expected at most 100'):
    readers.read(path, limits=small)


@pytest.mark.parametrize('compress', [True, False])
def test_matlab_variables_are_those_that_scipy_wrote(compress):
  random = np.random.default_rng(0)
  kinds = ('float64', 'float32', 'int8', 'uint8', 'int16', 'uint16', 'int32', 'uint32', 'int64')
  arrays = {kind: (100 * random.random((3, 5))).astype(kind) for kind in kinds}
  others = {'text': 'words', 'cell': np.array([1, 'a'], object), 'z': np.array([[1j, 2]])}
  others['cube'] = np.zeros((2, 2, 2))
  found = matlab.variables(files.matlab(compress, **arrays, **others, x=7.0, long_name_of_it=8))
  assert found.keys() == {*kinds, 'x', 'long_name_of_it'}
  for kind in kinds:
    np.testing.assert_array_equal(found[kind], arrays[kind])
