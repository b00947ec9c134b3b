"""Matlab files (.mat up to version 7) that hold one matrix of spectra and the vector of its axis.

Which is which must be clear: one ordered vector whose name states its unit ('wavelength_nm'), one
matrix with a side as long. Otherwise the names are told: decode(data, name, axis='wl', values='X').
"""

import io
import struct

import numpy as np

from spectra_jax.readers import foreign
from spectra_jax.readers.limits import LIMITS, inflated
from spectra_jax.readers.raw import Raw
from spectra_jax.readers.units import axis_unit

MAGIC = (b'MATLAB 5.0 MAT-file', b'MATLAB 7.3 MAT-file')
HEADER_BYTES = 128
COMPRESSED = 15  # element type


def matches(data: bytes, name: str) -> bool:
  """True for version 5 to 7.3 by content, for version 4, which has no mark, by the suffix .mat."""
  return data.startswith(MAGIC) or name.lower().endswith('.mat')


def decode(data: bytes, name: str, axis: str = '', values: str = '') -> list[Raw]:
  """The spectra in the matrix `values` over the vector `axis`; '' = there is only one choice.

  Units are read from the variables' names ('wavelength_nm'), or told to `read`.

  Raises:
    ValueError: version 7.3, damage, more than one choice, or names that are not there.
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
  """Name -> real numeric array of two dimensions, of all that the file holds.

  Raises:
    ValueError: version 7.3, damage, or a compressed variable above `largest` bytes.
  """
  if data.startswith(MAGIC[1]):
    raise ValueError('this is version 7.3, expected 7 or older; in Matlab use save(..., "-v7")')
  if data.startswith(MAGIC[0]):
    _check_elements(data, largest)
  with foreign('scipy', 'Matlab'):
    import scipy.io

    loaded = scipy.io.loadmat(io.BytesIO(data))
  return {
    name: np.asarray(array, np.float64)
    for name, array in loaded.items()
    if isinstance(array, np.ndarray) and array.ndim == 2 and array.dtype.kind in 'iuf'
  }


def _check_elements(data: bytes, largest: int) -> None:
  """Refuses a variable that ends beyond the file or inflates beyond `largest` bytes."""
  order = '>' if data[126:128] == b'MI' else '<'
  at, left = HEADER_BYTES, largest
  while at + 8 <= len(data):
    kind, size = struct.unpack_from(f'{order}II', data, at)
    if at + 8 + size > len(data):
      raise ValueError('a variable ends beyond the end of the file; copy the file again')
    if kind == COMPRESSED:
      left -= len(inflated(data[at + 8 : at + 8 + size], left))
    at += 8 + size


def _is_axis(array: np.ndarray) -> bool:
  steps = np.diff(array.ravel())
  return 1 in array.shape and len(steps) > 0 and bool((steps > 0).all() or (steps < 0).all())


def _raw(axis: str, values: str, arrays: dict[str, np.ndarray]) -> Raw:
  for name in (axis, values):
    if name not in arrays:
      raise ValueError(f'there is no matrix {name!r}, expected one of {", ".join(arrays)}')
  x, matrix = arrays[axis].ravel(), arrays[values]
  if matrix.shape.count(x.size) != 1:
    raise ValueError(
      f'{values} has shape {matrix.shape} for an axis {axis} of {x.size} points, expected exactly '
      'one side as long; store one spectrum a row'
    )
  return Raw(x, matrix if matrix.shape[1] == x.size else matrix.T, axis, values)
