"""Renishaw WDF files through the package renishawWiRE: single spectra, series and maps.

The white-light picture is not decoded, and a map comes as rows with their positions; the package is
given only files whose blocks and counts lie within the file, since it believes them otherwise.
"""

import struct
import tempfile

import numpy as np

from spectra_jax.readers import foreign
from spectra_jax.readers.raw import Raw

MAGIC = b'WDF1'
HEADER_BYTES = 512
BLOCK_HEADER = '<4sIQ'  # name, id, size
COUNTS_AT = 0x3C
COUNTS = '<IQQIIII'  # points, capacity, spectra, accumulations, lengths of Y and X, origins
AXIS_WORDS = {'RamanShift': 'Raman shift (cm^-1)', 'Nanometre': 'nm', 'Micron': 'um'}
RAMAN = 'RamanShift'


def matches(data: bytes, name: str) -> bool:
  """By the first four bytes."""
  del name
  return data.startswith(MAGIC)


def decode(data: bytes, name: str) -> list[Raw]:
  """All spectra of the file on its one axis; maps add the columns x_um and y_um to meta.

  Raises:
    ValueError: counts or blocks that do not fit the file, or what renishawWiRE cannot read.
  """
  del name
  points, spectra = _check(data)
  with foreign('renishawWiRE', 'WDF'), tempfile.NamedTemporaryFile(suffix='.wdf') as file:
    file.write(data)
    file.flush()
    found = _reader(file.name)
    axis, values = np.array(found.xdata, np.float64), np.array(found.spectra)
    unit, laser = found.xlist_unit.name, float(found.laser_length)
    columns = _positions(found, spectra)
    ordinate, title = found.spectral_unit.name, found.title.strip()
  if axis.size != points or values.size != points * spectra:
    raise ValueError('the spectra are cut short; copy or export the file again')
  return [
    Raw(
      axis=axis,
      values=values.reshape(spectra, points),
      axis_word=AXIS_WORDS.get(unit, ''),
      ordinate='raman' if unit == RAMAN else ordinate,
      titles=(title,) * spectra,
      laser_nm=laser,
      columns=columns,
    )
  ]


def _check(data: bytes) -> tuple[int, int]:
  """(points, spectra); refuses blocks and counts that the file cannot hold."""
  if len(data) < HEADER_BYTES:
    raise ValueError(f'the file has {len(data)} bytes, expected {HEADER_BYTES} of header; copy it')
  at, sizes = 0, {}
  while at + 16 <= len(data):
    block, _, size = struct.unpack_from(BLOCK_HEADER, data, at)
    if size < 16 or at + size > len(data):
      raise ValueError(f'the block {block!r} of {size} bytes ends beyond the file; copy it again')
    sizes[block] = size
    at += size
  points, capacity, spectra, _, _, length, origins = struct.unpack_from(COUNTS, data, COUNTS_AT)
  needs = {b'DATA': 16 + 4 * points * spectra, b'XLST': 24 + 4 * length}
  if b'ORGN' in sizes:
    needs[b'ORGN'] = 20 + origins * (24 + 8 * capacity)
  for block, need in needs.items():
    if sizes.get(block, 0) < need:
      raise ValueError(
        f'the header speaks of {spectra} spectra of {points} points, but the block {block!r} is '
        'shorter or missing; copy or export the file again'
      )
  if not (points and spectra and length == points and spectra <= capacity):
    raise ValueError(f'there are {spectra} spectra of {points} points over {length}; export it')
  return points, spectra


def _reader(path: str):
  from renishawWiRE import WDFReader

  class Spectra(WDFReader):
    """Without the picture and the map, whose damage would take the spectra with it."""

    def _parse_img(self):
      pass

    def _parse_wmap(self):
      pass

  reader = Spectra(path)
  reader.close()
  return reader


def _positions(found, spectra: int) -> dict[str, np.ndarray]:
  positions = {'x_um': getattr(found, 'xpos', None), 'y_um': getattr(found, 'ypos', None)}
  return {
    name: np.asarray(at, np.float64)
    for name, at in positions.items()
    if at is not None and len(at) == spectra and np.isfinite(at).all() and np.ptp(at) > 0
  }
