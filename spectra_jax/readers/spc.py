"""Galactic / Thermo SPC files through the package spc-io.

The log and the directory of subfiles are left out: the package expects them at one place only, and
a spectrum does not need them. A file of one spectrum has its exponent in the main header, one of
several in each subfile's (Galactic's description of the format); the package takes the latter.
"""

import io
import logging
import struct
from collections.abc import Sequence

import numpy as np

from spectra_jax.readers import foreign
from spectra_jax.readers.raw import Raw

HEADER_BYTES = 512
MOST_SUBFILES = 50_000
SUBHEADER_BYTES = 32
NEW_FORMAT, VERSIONS = 0x4B, b'\x4b\x4c\x4d'
TRANDM, TALABS, TMULTI, TXYXYS = 1 << 3, 1 << 5, 1 << 2, 1 << 6
POINTS_AT, SUBFILES_AT, LABELS_AT, LOG_AT = 4, 24, 218, 248
AXIS_WORDS = {'XWAVEN': 'cm^-1', 'XRAMANS': 'Raman shift (cm^-1)', 'XUMETR': 'um', 'XNMETR': 'nm'}
ORDINATES = {
  'YABSRB': 'absorbance',
  'YKMONK': 'Kubelka-Munk',
  'YCOUNT': 'counts',
  'YLOGDR': 'log(1/R)',
  'YINTENS': 'intensity',
  'YRELINT': 'relative intensity',
  'YARB': 'arbitrary',
  'YPERCNT': 'percent',
  'YINDRF': 'refractive index',
  'YEXTCF': 'extinction coefficient',
  'YTRANS': 'transmittance',
  'YREFLEC': 'reflectance',
}


def matches(data: bytes, name: str) -> bool:
  """By the version in the second byte, of a file that is no text."""
  del name
  return len(data) > HEADER_BYTES and data[1] in VERSIONS and b'\0' in data[:HEADER_BYTES]


def decode(data: bytes, name: str) -> list[Raw]:
  """The spectra; one `Raw` for all that share an axis, else one each.

  Raises:
    ValueError: an older or big-endian version, or a file that spc-io cannot read.
  """
  del name
  if data[1] != NEW_FORMAT:
    raise ValueError(f'this is SPC version {data[1]:#x}, expected {NEW_FORMAT:#x}; export it anew')
  _check_size(data)
  with foreign('spc-io', 'SPC'), np.errstate(all='ignore'):  # what is not finite is refused later
    from spc_io import SpcRaw

    logging.getLogger('spc_io').setLevel(logging.ERROR)  # it would report what is left out
    found = SpcRaw.from_bytes_io(io.BytesIO(_without_extras(data)))
    header = found.main_header
    if not header.ftflgs.TMULTI:
      for sub in found.subs:
        sub.header.subexp = header.fexp
    values = [np.array(sub.yarray, np.float64) for sub in found.subs]
    if header.ftflgs.TXYXYS:
      axes = [np.array(sub.xarray, np.float64) for sub in found.subs]
    elif header.ftflgs.TXVALS:
      axes = [np.array(found.xarray, np.float64)]
    else:
      axes = [np.linspace(header.ffirst, header.flast, header.fnpts)]
  return _raws(axes, values, _words(data, header), header)


def _check_size(data: bytes) -> None:
  """Refuses more subfiles or points than the file has bytes for, before they are made."""
  (points,), (subfiles,) = (struct.unpack_from('<I', data, at) for at in (POINTS_AT, SUBFILES_AT))
  least = subfiles * (SUBHEADER_BYTES + (0 if data[0] & TXYXYS else 2 * points))
  if not 0 < subfiles <= MOST_SUBFILES or (points < 2 and not data[0] & TXYXYS):
    raise ValueError(
      f'there are {subfiles} subfiles of {points} points, expected 1 to {MOST_SUBFILES} of 2 or '
      'more; export it again'
    )
  if least > len(data):
    raise ValueError(
      f'the header speaks of {subfiles} spectra of {points} points, but the file has {len(data)} '
      'bytes; copy or export it again'
    )


def _without_extras(data: bytes) -> bytes:
  data = bytearray(data)
  data[0] &= ~TRANDM & 0xFF
  struct.pack_into('<I', data, LOG_AT, 0)
  if data[0] & TXYXYS:
    struct.pack_into('<I', data, POINTS_AT, 0)  # the place of the directory
  return bytes(data)


def _words(data: bytes, header) -> tuple[str, str]:
  """(unit of the axis, ordinate): the file's own labels where it says so, else its codes."""
  words = [AXIS_WORDS.get(str(header.fxtype), ''), ORDINATES.get(str(header.fytype), '')]
  if data[0] & TALABS:
    labels = data[LABELS_AT : LABELS_AT + 30].split(b'\0')
    own = [label.decode('latin-1').strip() for label in labels[:2]]
    words = [label or word for label, word in zip([*own, '', ''][:2], words, strict=True)]
  return words[0], words[1]


def _raws(
  axes: Sequence[np.ndarray], values: Sequence[np.ndarray], words: tuple[str, str], header
) -> list[Raw]:
  about = {
    'axis_word': words[0],
    'ordinate': words[1],
    'technique': str(header.fexper),
    'instrument': header.fsource.decode('latin-1').strip(),
  }
  title = header.fcmnt.decode('latin-1').strip()
  if len(axes) == 1:
    return [Raw(axes[0], np.stack(values), titles=(title,) * len(values), **about)]
  pairs = zip(axes, values, strict=True)
  return [Raw(axis, one[None], titles=(title,), **about) for axis, one in pairs]
