"""Bruker OPUS files through the package brukeropus.

Only parameters and result spectra are taken from the file (absorbance, transmittance, reflectance,
...); reports, series and interferograms are not parsed: the package believes their counts, and a
damaged one keeps it busy without end.
"""

import struct
from typing import Any

import numpy as np

from spectra_jax.align import NM_PER_CM
from spectra_jax.readers import foreign
from spectra_jax.readers.raw import Raw

MAGIC = b'\n\n\xfe\xfe'
MOST_BLOCKS = 1000
FLOAT32 = 1  # data point format
AXIS_WORDS = {'WN': 'cm^-1', 'MI': 'um'}
ORDINATES = {  # block type -> word
  4: 'absorbance',
  5: 'transmittance',
  6: 'Kubelka-Munk',
  10: 'raman',
  12: 'reflectance',
  15: 'log(1/R)',
  16: 'ATR',
}


def matches(data: bytes, name: str) -> bool:
  """By the first four bytes."""
  del name
  return data.startswith(MAGIC)


def decode(data: bytes, name: str) -> list[Raw]:
  """Every result spectrum of the file.

  Raises:
    ValueError: damage, no result spectrum, or one that is not of 32-bit floats.
  """
  del name
  with foreign('brukeropus', 'OPUS'):
    blocks, others = _blocks(data)
    results, about = _results(blocks), _parameters(blocks)
    raws = [_raw(result, about) for result in results]
    whole = all(r.params.dpf == FLOAT32 and len(r.y) == len(r.x) for r in results)
  if not raws:
    raise ValueError(
      f'there is no result spectrum among {", ".join(sorted(others)) or "its blocks"}, expected '
      'absorbance, transmittance, reflectance or Raman; compute one in OPUS'
    )
  if not whole:
    raise ValueError('a result spectrum is not of 32-bit floats; save it again in OPUS')
  return raws


def _blocks(data: bytes) -> tuple[list, set[str]]:
  """(parsed parameters and result spectra, labels of the data that are left out)."""
  from brukeropus.file.block import FileBlock
  from brukeropus.file.parse import parse_directory, parse_header

  _, start, most, _ = parse_header(data)
  if not (24 <= start < len(data) and 0 < most <= MOST_BLOCKS):
    raise ValueError(f'its directory is at {start} and has {most} entries')
  blocks, others = [], set()
  for kind, size, at in parse_directory(data[start : start + 12 * most]):
    if size < 0 or at + size > len(data):
      raise ValueError(f'a block of {size} bytes at {at} ends beyond the file')
    block = FileBlock(data, kind, size, at)
    if block.is_param() or (block.is_data() and kind[3] in ORDINATES):
      blocks += [block] if _parsed(block) else []
    elif block.is_data() or block.is_data_series():
      others.add(block.get_label())
  return blocks, others


def _parsed(block) -> bool:
  """Parses a block; False for damaged parameters that the spectrum does without."""
  says = _endless(block.bytes) if block.is_param() else ''
  if not says:
    block.parse()
    says = block.parse_error
  if says and (block.is_data() or block.is_data_status()):
    raise ValueError(says)
  return not says


def _endless(data: bytes) -> str:
  """What is wrong with parameters that would send the package in circles: a size below zero."""
  at = 0
  while at + 8 <= len(data) and data[at : at + 3] != b'END':
    (words,) = struct.unpack_from('<h', data, at + 6)
    if words < 0:
      return f'a parameter has size {words}'
    at += 8 + 2 * words
  return ''


def _results(blocks: list) -> list:
  from brukeropus.file.block import pair_data_and_status_blocks
  from brukeropus.file.data import Data

  pairs = pair_data_and_status_blocks(blocks)
  return [Data(data, status, data.get_data_key(), 0) for data, status in reversed(pairs)]


def _parameters(blocks: list) -> dict[str, Any]:
  """Sample name, instrument, resolution and laser line as far as the file has them."""
  found = {}
  for block in blocks:
    if block.is_sm_param():
      found |= block.data
  return found


def _raw(result, about: dict[str, Any]) -> Raw:
  kind, derivative = result.block.type[3], result.block.type[4]
  return Raw(
    axis=result.x,
    values=np.asarray(result.y, np.float64)[None],
    axis_word=AXIS_WORDS.get(str(result.params.dxu), str(result.params.dxu)),
    ordinate=ORDINATES[kind],
    state='derivative' if derivative else 'measured',
    titles=(str(about.get('snm', '')),),
    instrument=str(about.get('ins', '')),
    laser_nm=_number(NM_PER_CM, about.get('rlw')),
    resolution_cm=_number(about.get('res'), 1.0),
  )


def _number(above: Any, below: Any) -> float:
  """above / below; NaN unless both are positive numbers."""
  fits = all(isinstance(x, (int, float)) and np.isfinite(x) and x > 0 for x in (above, below))
  return above / below if fits else np.nan
