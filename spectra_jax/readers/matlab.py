"""Matlab files (.mat, versions 5 to 7) that hold one matrix of spectra and the vector of its axis.

Which is which must be clear: one ordered vector whose name states its unit ('wavelength_nm'), one
matrix with a side as long. Otherwise the names are told: decode(data, name, axis='wl', values='X').

The elements are decoded here (MathWorks, MAT-File Format, version 5): damaged files crash scipy's
reader, interpreter and all. Cells, structures and text are passed over; for those of a file that
you trust take scipy.io.loadmat.
"""

import struct
from collections.abc import Iterator

import numpy as np

from spectra_jax.readers.limits import LIMITS, inflated
from spectra_jax.readers.raw import Raw
from spectra_jax.readers.units import axis_unit

MAGIC = (b'MATLAB 5.0 MAT-file', b'MATLAB 7.3 MAT-file')
HEADER_BYTES, TAG_BYTES = 128, 8
MATRIX, COMPRESSED = 14, 15  # types of elements
TYPES = dict(zip((1, 2, 3, 4, 5, 6, 7, 9, 12, 13), 'bBhHiIfdqQ', strict=True))
NUMERIC_CLASSES = range(6, 16)  # double, single, integers
COMPLEX = 8


def matches(data: bytes, name: str) -> bool:
  """By content, or by the suffix .mat."""
  return data.startswith(MAGIC) or name.lower().endswith('.mat')


def decode(data: bytes, name: str, axis: str = '', values: str = '') -> list[Raw]:
  """The spectra in the matrix `values` over the vector `axis`; '' = there is only one choice.

  Units are read from the variables' names ('wavelength_nm'), or told to `read`.

  Raises:
    ValueError: another version, damage, more than one choice, or names that are not there.
  """
  del name
  arrays = variables(data)
  if axis or values:
    return [_raw(axis, values, arrays)]
  vectors = {x: array for x, array in arrays.items() if _is_axis(array) and axis_unit(x)}
  matrices = {y: array for y, array in arrays.items() if min(array.shape) > 1}
  matrices = matrices or {y: array for y, array in arrays.items() if y not in vectors}
  fits = [(x, y) for x in vectors for y in matrices if vectors[x].size in matrices[y].shape]
  if len(fits) != 1:
    shapes = ', '.join(f'{name} {array.shape}' for name, array in list(arrays.items())[:20])
    raise ValueError(
      f'there are the variables {shapes or "none"}, expected one matrix and one vector that '
      "fits and names its unit; call readers.matlab.decode(..., axis='name', values='name')"
    )
  return [_raw(*fits[0], arrays)]


def variables(data: bytes, largest: int = LIMITS.file_bytes) -> dict[str, np.ndarray]:
  """Name -> array, of all real numeric matrices of two dimensions in the file.

  Raises:
    ValueError: another version, damage, or compressed variables of more than `largest` bytes.
  """
  if not data.startswith(MAGIC[0]):
    version = 'version 7.3' if data.startswith(MAGIC[1]) else 'not of version 5 to 7'
    raise ValueError(f'this is {version}, expected 5 to 7; in Matlab use save(..., "-v7")')
  order = '>' if data[126:128] == b'MI' else '<'
  arrays, left = {}, largest
  for kind, content in _elements(data[HEADER_BYTES:], order):
    if kind == COMPRESSED:
      unpacked = inflated(content, left)
      left -= len(unpacked)
      kind, content = next(_elements(unpacked, order), (0, b''))
    if kind == MATRIX:
      arrays |= _matrix(content, order)
  return arrays


def _elements(data: bytes, order: str) -> Iterator[tuple[int, bytes]]:
  """(type, content) of each element; small ones have both in eight bytes."""
  at = 0
  while at < len(data):
    if at + TAG_BYTES > len(data):
      raise ValueError('a variable ends beyond the end of the file; copy the file again')
    kind, size = struct.unpack_from(f'{order}II', data, at)
    small = kind >> 16
    start = at + (4 if small else TAG_BYTES)
    kind, size = (kind & 0xFFFF, small) if small else (kind, size)
    if start + size > len(data) or small > 4:
      raise ValueError('a variable ends beyond the end of the file; copy the file again')
    yield kind, data[start : start + size]
    at = at + TAG_BYTES if small else start + size + (-size % 8 if kind != COMPRESSED else 0)


def _matrix(data: bytes, order: str) -> dict[str, np.ndarray]:
  """{name: array}, or {} where it is not real, numeric and two-dimensional."""
  parts = _elements(data, order)
  (_, flags), (_, shape), (_, name) = (next(parts, (0, b'')) for _ in range(3))
  if len(flags) != 8 or len(shape) != 8:
    return {}
  (flags,), shape = struct.unpack_from(f'{order}I', flags), struct.unpack(f'{order}2i', shape)
  if flags & 0xFF not in NUMERIC_CLASSES or flags >> 8 & COMPLEX:
    return {}
  name = name.decode('latin-1')
  kind, numbers = next(parts, (0, b''))
  size = shape[0] * shape[1] * struct.calcsize(TYPES.get(kind, 'x'))
  if kind not in TYPES or min(shape) < 0 or len(numbers) != size:
    raise ValueError(f'the variable {name!r} of shape {shape} is damaged; copy the file again')
  return {name: np.frombuffer(numbers, order + TYPES[kind]).reshape(shape, order='F')}


def _is_axis(array: np.ndarray) -> bool:
  if 1 not in array.shape or array.size < 2:
    return False
  steps = np.diff(array.ravel().astype(np.float64))
  return bool((steps > 0).all() or (steps < 0).all())


def _raw(axis: str, values: str, arrays: dict[str, np.ndarray]) -> Raw:
  for name in (axis, values):
    if name not in arrays:
      raise ValueError(f'there is no matrix {name!r}, expected one of {", ".join(arrays)}')
  x, matrix = arrays[axis].ravel().astype(np.float64), arrays[values]
  if matrix.shape.count(x.size) != 1:
    raise ValueError(
      f'{values} has shape {matrix.shape} for an axis {axis} of {x.size} points, expected exactly '
      'one side as long; store one spectrum a row'
    )
  return Raw(x, matrix if matrix.shape[1] == x.size else matrix.T, axis, values)
