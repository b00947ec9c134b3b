"""Tiny valid files of every format, written from the descriptions of the formats, not with readers.

SPC: Galactic's SPC.H; OPUS and WDF: the block layouts that brukeropus and renishawWiRE read.
"""

import io
import itertools
import struct
import zipfile

import numpy as np
import scipy.io

POINTS = 24
AXIS = 4000.0 - 100.0 * np.arange(POINTS)  # descending, as instruments write it
VALUES = np.round(0.5 + 0.4 * np.sin(np.arange(POINTS)), 4)
JCAMP_FORMS = ('affn', 'pac', 'sqz', 'dif', 'dup')


def jcamp_item(value: int, positive: str, negative: str) -> str:
  """The first digit and sign as one letter: jcamp_item(-15, '@ABC...', 'abc...') = 'a5'."""
  digits = str(abs(value))
  letters = negative if value < 0 else positive
  return letters[int(digits[0]) - (value < 0)] + digits[1:]


def jcamp_table(numbers: list[int], form: str, per_line: int = 8, x: float = 0, dx: float = 1):
  """(X++(Y..Y)) with the abscissae x + i dx; DIF lines end with the check of the standard."""
  lines = []
  for start in range(0, len(numbers), per_line):
    row = numbers[start : start + per_line]
    if form in ('dif', 'dup') and start:
      row, start = [numbers[start - 1], *row], start - 1
    items = [jcamp_item(row[0], '@ABCDEFGHI', 'abcdefghi')]
    if form in ('affn', 'pac'):
      items = [f'{value:+d}' if form == 'pac' else f' {value}' for value in row]
    elif form == 'sqz':
      items = [jcamp_item(value, '@ABCDEFGHI', 'abcdefghi') for value in row]
    else:
      steps = itertools.pairwise(row)
      items += [jcamp_item(b - a, '%JKLMNOPQR', 'jklmnopqr') for a, b in steps]
    lines.append(f'{x + start * dx:.4f}' + ''.join(runs(items) if form == 'dup' else items))
  if form in ('dif', 'dup') and lines and len(numbers) > 1:
    last = jcamp_item(numbers[-1], '@ABCDEFGHI', 'abcdefghi')
    lines.append(f'{x + (len(numbers) - 1) * dx:.4f}{last}')
  return '\n'.join(lines)


def runs(items: list[str]) -> list[str]:
  """Equal neighbours as one item and a count: ['J', 'J', 'J'] -> ['J', 'U']."""
  out, i = [], 0
  while i < len(items):
    times = next((n for n in range(1, len(items) - i) if items[i + n] != items[i]), len(items) - i)
    out.append(items[i])
    if times > 1:
      digits = str(times)
      out.append('STUVWXYZs'[int(digits[0]) - 1] + digits[1:])
    i += times
  return out


def jcamp(form: str = 'affn', **labels: str) -> bytes:
  """A block of AXIS and VALUES; `labels` replace, '' leaves out (spaces as underscores)."""
  numbers = [round(value * 10_000) for value in VALUES]
  head = {
    'TITLE': 'test',
    'JCAMP-DX': '4.24',
    'DATA TYPE': 'INFRARED SPECTRUM',
    'XUNITS': '1/CM',
    'YUNITS': 'ABSORBANCE',
    'XFACTOR': '1.0',
    'YFACTOR': '0.0001',
    'FIRSTX': f'{AXIS[0]}',
    'LASTX': f'{AXIS[-1]}',
    'FIRSTY': f'{VALUES[0]}',
    'MINY': f'{VALUES.min()}',
    'MAXY': f'{VALUES.max()}',
    'NPOINTS': f'{POINTS}',
    'XYDATA': '(X++(Y..Y))\n' + jcamp_table(numbers, form, x=AXIS[0], dx=AXIS[1] - AXIS[0]),
  }
  head |= {name.replace('_', ' '): text for name, text in labels.items()}
  lines = [f'##{name}={text}' for name, text in head.items() if text]
  return '\n'.join([*lines, '##END=', '']).encode()


def jcamp_link(*blocks: bytes) -> bytes:
  head = f'##TITLE=two\n##JCAMP-DX=4.24\n##DATA TYPE=LINK\n##BLOCKS={len(blocks)}\n'
  return head.encode() + b''.join(blocks) + b'##END=\n'


def rruff(end: str = '##END=') -> bytes:
  pairs = '\n'.join(f'{x:.4f}, {y:.4f}' for x, y in zip(AXIS[::-1], VALUES, strict=True))
  head = '##NAMES=Quartz\n##RRUFFID=R040031\n##LOCALITY=Brazil\nsecond line of it\n'
  return f'{head}{pairs}\n{end}\n\n'.encode()


RRUFF_NAME = 'Quartz__R040031__Raman__532__0__unoriented__Raman_Data_Processed__1.txt'


def csv(header: str = 'wavenumber (cm-1),absorbance', separator: str = ',') -> bytes:
  rows = [f'{x}{separator}{y}' for x, y in zip(AXIS, VALUES, strict=True)]
  return '\n'.join([header] * bool(header) + rows).encode()


def csv_rows() -> bytes:
  head = 'sample,' + ','.join(map(str, AXIS))
  rows = [f'oil{i},' + ','.join(map(str, np.round(VALUES * i, 6))) for i in (1, 2, 3)]
  return '\n'.join([head, *rows]).encode()


def matlab(compress: bool = True, **arrays: np.ndarray) -> bytes:
  out = io.BytesIO()
  default = {'wavelength_nm': AXIS[::-1], 'absorbance': np.stack([VALUES, 2 * VALUES])}
  scipy.io.savemat(out, arrays or default, do_compression=compress)
  return out.getvalue()


def spc(
  rows: np.ndarray = VALUES[None],
  axis_code: int = 1,
  value_code: int = 2,
  exponent: int | None = None,
  own_axes: bool = False,
  labels: str = '',
) -> bytes:
  """New format, LSB first; `exponent` stores 32-bit integers: y = integer 2^(exponent - 32)."""
  several = len(rows) > 1
  flags = 4 * several + 32 * bool(labels) + (64 + 128) * own_axes
  of_file = -128 if exponent is None else exponent
  header = struct.pack('<BBBb', flags, 0x4B, 0, of_file)
  header += struct.pack('<IddI', 0 if own_axes else POINTS, AXIS[0], AXIS[-1], len(rows))
  header += struct.pack('<BBBB', axis_code, value_code, 0, 0)
  header = header.ljust(218, b'\0') + labels.encode().ljust(30, b'\0')
  header = header.ljust(512, b'\0')
  body = b''
  for i, row in enumerate(rows):
    of_row = of_file if several else 0  # in a file of one spectrum only the main header counts
    body += struct.pack('<BbHfffIIf4x', 0, -128 if exponent is None else of_row, i, i, i + 1, 0,
                        POINTS if own_axes else 0, 1, 0)  # fmt: skip
    body += AXIS.astype('<f4').tobytes() if own_axes else b''
    as_integers = lambda row: np.round(row * 2.0 ** (32 - exponent)).astype('<i4')
    body += (row.astype('<f4') if exponent is None else as_integers(row)).tobytes()
  return header + body


def opus_parameters(**values) -> bytes:
  out = b''
  for name, value in values.items():
    if isinstance(value, str):
      text = value.encode() + b'\0'
      kind, data = 2, text.ljust(len(text) + len(text) % 2, b'\0')
    else:
      kind, data = (
        (0, struct.pack('<i', value)) if isinstance(value, int) else (1, struct.pack('<d', value))
      )
    out += name.encode() + b'\0' + struct.pack('<hh', kind, len(data) // 2) + data
  return (out + b'END\0\0\0\0\0').ljust(-(-len(out + b'END\0\0\0\0\0') // 4) * 4, b'\0')


def opus_type(*six: int) -> int:
  return sum(part << shift for part, shift in zip(six, (0, 2, 4, 10, 17, 19), strict=True))


def opus(kind: int = 4, points: int = POINTS, **status) -> bytes:
  """A result spectrum of block type `kind` (4 absorbance, 5 transmittance), sample and optics."""
  about = {'DPF': 1, 'NPT': points, 'FXV': float(AXIS[0]), 'LXV': float(AXIS[-1]), 'CSF': 1.0}
  about |= {'MXY': float(VALUES.max()), 'MNY': float(VALUES.min()), 'DXU': 'WN'} | status
  blocks = [
    (opus_type(3, 3, 0, kind, 0, 0), VALUES.astype('<f4').tobytes()),
    (opus_type(3, 3, 1, kind, 0, 0), opus_parameters(**about)),
    (opus_type(0, 0, 10, 0, 0, 0), opus_parameters(SNM='caffeine')),
    (opus_type(0, 0, 2, 0, 0, 0), opus_parameters(INS='ALPHA', RES=4.0)),
  ]
  size = 24 + 12 * (len(blocks) + 1)
  directory = struct.pack('<3i', opus_type(0, 0, 0, 13, 0, 0), (size - 24) // 4, 24)
  body = b''
  for code, data in blocks:
    directory += struct.pack('<3i', code, len(data) // 4, size + len(body))
    body += data
  head = b'\n\n\xfe\xfe' + struct.pack('<diii', 920622.0, 24, len(blocks) + 1, len(blocks) + 1)
  return head + directory + body


def wdf_block(name: bytes, data: bytes) -> bytes:
  return name + struct.pack('<IQ', 1, 16 + len(data)) + data


def wdf(rows: np.ndarray = VALUES[None], axis_unit: int = 1, picture: bytes = b'') -> bytes:
  """A map of len(rows) spectra along x, laser 785 nm; `axis_unit` 1 = Raman shift, 3 = nm."""
  count = len(rows)
  head = bytearray(512)
  struct.pack_into('<4sIQ', head, 0, b'WDF1', 1, 512)
  struct.pack_into('<IQQIIII', head, 0x3C, POINTS, count, count, 1, 1, POINTS, 2)
  struct.pack_into('<24s4HII', head, 0x60, b'WiRE', 5, 1, 0, 0, 1, 1 if count == 1 else 2)
  struct.pack_into('<If', head, 0x98, 6, 1e7 / 785.0)
  struct.pack_into('<32s', head, 0xF0, b'calcite')
  origins = struct.pack('<I', 2)
  for code, positions in ((3, 10.0 * np.arange(count)), (4, np.zeros(count))):
    origins += struct.pack('<II16s', code, 5, b'X') + positions.astype('<f8').tobytes()
  out = bytes(head) + wdf_block(b'DATA', rows.astype('<f4').tobytes())
  out += wdf_block(b'YLST', struct.pack('<IIf', 0, 0, 0))
  out += wdf_block(b'XLST', struct.pack('<II', 1, axis_unit) + AXIS.astype('<f4').tobytes())
  out += wdf_block(b'ORGN', origins)
  return out + (wdf_block(b'WHTL', picture) if picture else b'')


def zipped(**members: bytes) -> bytes:
  """A zip; `__` in a name stands for a dot."""
  out = io.BytesIO()
  with zipfile.ZipFile(out, 'w', zipfile.ZIP_DEFLATED) as archive:
    for name, data in members.items():
      archive.writestr(name.replace('__', '.'), data)
  return out.getvalue()


def seeds() -> dict[str, bytes]:
  """Name -> content, one and more of each format: what mutated files start from."""
  files = {f'{form}.jdx': jcamp(form) for form in JCAMP_FORMS}
  files['link.jdx'] = jcamp_link(jcamp('dup'), jcamp('affn', YUNITS='TRANSMITTANCE'))
  pairs = '\n'.join(f'{x}, {round(y * 1e4)};' for x, y in zip(AXIS, VALUES, strict=True))
  files['pairs.jdx'] = jcamp(XYDATA='', XYPOINTS=f'(XY..XY)\n{pairs}')
  files |= {RRUFF_NAME: rruff(), 'columns.csv': csv(), 'rows.csv': csv_rows()}
  files['blanks.txt'] = csv('', ' ')
  files |= {'packed.mat': matlab(), 'plain.mat': matlab(compress=False)}
  files |= {'one.spc': spc(), 'integers.spc': spc(exponent=2)}
  files['map.spc'] = spc(np.stack([VALUES, 2 * VALUES]), axis_code=13, value_code=4, own_axes=True)
  files |= {'a.0': opus(), 't.0': opus(5), 'one.wdf': wdf()}
  files['map.wdf'] = wdf(np.stack([VALUES, 2 * VALUES]))
  return files
