"""Damaged and hostile files: each is refused in one sentence, within bounded memory."""

import dataclasses
import re
import resource
import struct
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from spectra_jax import readers
from spectra_jax.readers import matlab
from spectra_jax.readers.limits import LIMITS, MIB
from tests import spectral_files as files


def refusal(call, *arguments, **options) -> str:
  with pytest.raises(ValueError, match=re.compile('.')) as error:
    call(*arguments, **options)
  assert '\n' not in str(error.value)
  return str(error.value)


@pytest.mark.parametrize(
  ('name', 'data', 'says'),
  [
    ('empty.jdx', b'', 'the file is empty'),
    ('short.0', files.opus()[:60], 'brukeropus cannot read this OPUS file'),
    ('cut.0', files.opus()[:-30], 'ends beyond the file'),
    ('short.wdf', files.wdf()[:100], 'expected 512 of header'),
    ('short.wdf', files.wdf()[:-30], 'ends beyond the file'),
    ('short.spc', files.spc()[:-8], 'spc-io cannot read this SPC file'),
    ('old.spc', files.spc().replace(b'\x4b', b'\x4d', 1), 'this is SPC version 0x4d'),
    ('short.mat', files.matlab()[:-20], 'a variable ends beyond the end'),
    ('new.mat', b'MATLAB 7.3 MAT-file'.ljust(600, b'\0'), 'this is version 7.3, expected 5 to 7'),
    ('cut.txt', files.rruff('##EN'), 'there is no ##END='),
    ('late.txt', files.rruff() + b'1,2\n', "the line '1,2' is out of place"),
    (
      'two.txt',
      files.rruff() + files.rruff().replace(b'Quartz', b'Topaz'),
      '##NAMES= is there twice',
    ),
    ('nan.txt', files.rruff().replace(b'1700.0000, ', b'1700.0000, nan'), 'no pair of finite'),
    ('top.csv', files.csv().replace(b'0.5\n', b'nan\n'), "the line '4000.0,nan' is neither"),
    ('nan.csv', files.csv().replace(b'0.8366', b'nan'), 'nan in column 2, expected finite'),
    ('inf.csv', files.csv().replace(b'0.8366', b'1e999'), 'inf in column 2, expected finite'),
    ('x.csv', b'nm,a,b\n4x0,1,2\n402,1,2\n404,1,2', "line 'nm,a,b' is neither"),
    ('gap.csv', files.csv().replace(b'0.8366', b''), 'not one of numbers'),
    ('prose.csv', b'to be or not to be\n' * 9, 'no line of numbers'),
    ('one.csv', b'1\n2\n3\n', 'no line of numbers'),
    ('zigzag.csv', b'nm,A\n1,1\n3,1\n2,1', 'axis is not strictly increasing'),
    ('zeros.csv', bytes(1000), 'a zero byte at offset 0'),
    ('nan.spc', files.spc(np.full((1, files.POINTS), np.nan)), 'value 0 of spectrum 0 is nan'),
    ('big.csv', b'nm,A\n0,1\n1,1e39', 'expected finite numbers of 32 bits'),
    ('um.csv', b'um,A\n0,1\n1,1', 'expected wavelengths above 0'),
  ],
)
def test_damage_is_named(name, data, says):
  assert says in refusal(readers.read_bytes, data, name)


def packed(data: bytes, at: int, code: str, value) -> bytes:
  data = bytearray(data)
  struct.pack_into(code, data, at, value)
  return bytes(data)


@pytest.mark.parametrize(
  ('name', 'data', 'says'),
  [
    ('points.spc', packed(files.spc(), 4, '<I', 2**31), 'the header speaks of 1 spectra of 2147'),
    ('none.spc', packed(packed(files.spc(), 4, '<I', 2**28), 24, '<I', 0), 'there are 0 subfiles'),
    ('subfiles.spc', packed(files.spc(), 24, '<I', 2**31), 'there are 2147483648 subfiles'),
    ('spectra.wdf', packed(files.wdf(), 0x48, '<Q', 2**40), 'speaks of 1099511627776 spectra'),
    ('points.wdf', packed(files.wdf(), 0x3C, '<I', 2**31), 'the block'),
    ('blocks.wdf', packed(files.wdf(), 520, '<Q', 0), 'of 0 bytes ends beyond'),
    ('blocks.0', packed(files.opus(), 16, '<i', 2**30), 'brukeropus cannot read'),
    ('npt.0', files.opus(points=2**30), 'no result spectrum'),
    ('size.0', packed(files.opus(), 24 + 12 * 5 + 96 + 6, '<h', -4), 'a parameter has size -4'),
    ('size.mat', packed(files.matlab(), 132, '<I', 2**31), 'ends beyond the end of the file'),
  ],
)
def test_counts_that_the_file_cannot_hold(name, data, says):
  assert says in refusal(readers.read_bytes, data, name)


def test_a_gigabyte_of_zeros_is_refused_before_it_is_read(tmp_path):
  path = tmp_path / 'zeros.spc'
  with open(path, 'wb') as file:
    file.truncate(2**30)  # sparse: no disk is used
  before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
  assert f'has {2**30} bytes, expected at most {64 * MIB}' in refusal(readers.read, path)
  assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**15  # KiB


def archive(tmp_path, *members, **options):
  path = tmp_path / 'a.zip'
  with zipfile.ZipFile(path, 'w', options.get('method', zipfile.ZIP_DEFLATED)) as out:
    for name, data in members:
      out.writestr(name, data)
  return path


def test_a_zip_bomb_is_refused(tmp_path):
  path = archive(tmp_path, ('zeros.csv', bytes(16 * MIB)))
  assert "member 'zeros.csv' inflates from" in refusal(readers.read, path)
  path = archive(tmp_path, *((f'{i}.csv', files.csv() * 40) for i in range(30)))
  small = dataclasses.replace(LIMITS, archive_bytes=100_000, ratio=10**9)
  assert 'bytes unpacked, expected at most 100000' in refusal(readers.read, path, limits=small)
  few = dataclasses.replace(LIMITS, members=5)
  assert 'has 30 members or more, expected at most 5' in refusal(readers.read, path, limits=few)


@pytest.mark.parametrize('stated', [10, 1000])  # bytes, of 300 or so
def test_a_size_that_is_a_lie_is_refused(tmp_path, stated):
  path = archive(tmp_path, ('a.csv', files.csv()))
  data = path.read_bytes()
  size = struct.pack('<I', len(files.csv()))
  path.write_bytes(data.replace(size, struct.pack('<I', stated)))
  says = refusal(readers.read, path)
  assert 'the archive is damaged' in says or 'expected 1000; pack it again' in says


@pytest.mark.parametrize(
  'name', ['../a.csv', '/etc/a.csv', 'x/../../a.csv', '..\\a.csv', 'C:\\a.csv', '\\a.csv']
)
def test_a_path_outside_the_archive_is_refused(tmp_path, name):
  path = archive(tmp_path, (name, files.csv()))
  assert 'leads out of the archive' in refusal(readers.read, path)
  assert [found.name for found in tmp_path.iterdir()] == ['a.zip']


def test_links_and_encrypted_members_are_refused(tmp_path):
  link = zipfile.ZipInfo('a.csv')
  link.external_attr = 0o120777 << 16
  assert 'is a link' in refusal(readers.read, archive(tmp_path, (link, b'/etc/passwd')))
  path = archive(tmp_path, ('a.csv', files.csv()))
  data = bytearray(path.read_bytes())
  data[data.rindex(b'PK\x01\x02') + 8] |= 1
  path.write_bytes(data)
  assert 'is encrypted' in refusal(readers.read, path)


def test_archives_without_end_or_content_are_refused(tmp_path):
  path = archive(tmp_path, ('a.csv', files.csv()))
  path.write_bytes(path.read_bytes()[:-30])
  assert 'no directory, expected a whole zip' in refusal(readers.read, path)
  assert 'the archive holds no file' in refusal(readers.read, archive(tmp_path))
  hidden = archive(tmp_path, ('__MACOSX/._a.csv', b'x'), ('a.csv', files.csv()))
  assert len(readers.read(hidden)) == 1


def test_a_matlab_file_that_inflates_without_bound_is_refused():
  data = files.matlab(spectra=np.zeros((1000, 1000)))  # 8 MB of zeros in 8 KB
  assert len(data) < 10_000
  assert 'inflates beyond 1048576 bytes' in refusal(matlab.variables, data, MIB)


def test_missing_files_and_folders_are_named(tmp_path):
  assert 'there is no such file' in refusal(readers.read, tmp_path / 'x.jdx')
  assert 'there is no such file' in refusal(readers.read, tmp_path)


def test_text_is_read_without_the_packages_of_other_formats():
  """JCAMP-DX and CSV need no extra: nothing else is imported for them."""
  code = (
    'import sys; from spectra_jax import readers; from tests import spectral_files as files;'
    "readers.read_bytes(files.jcamp(), 'a.jdx'); readers.read_bytes(files.csv(), 'a.csv');"
    "print({'pandas', 'spc_io', 'brukeropus', 'renishawWiRE', 'jax'} & set(sys.modules))"
  )
  done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
  assert done.stdout.strip() == 'set()'


def test_foreign_noise_stays_out(capfd):
  readers.read_bytes(files.spc() + bytes(50), 'a.spc')
  readers.read_bytes(files.opus(), 'a.0')
  refusal(readers.read_bytes, files.opus(DPF=7), 'a.0')
  out, error = capfd.readouterr()
  assert (out, error) == ('', '')
  assert re.match('a.zip: ', refusal(readers.read_bytes, files.zipped(), 'a.zip'))
