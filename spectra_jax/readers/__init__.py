"""Spectral files of instruments and databases as `Spectra` on their own grids.

  read('caffeine.jdx')                          units as the file states them
  read('run7.csv', axis_unit='nm', kind='%R')   what it does not state is told, never guessed

JCAMP-DX, SPC, OPUS, WDF, RRUFF text, CSV, Matlab, and a zip of any of them. A format is known by
its content, by the suffix only where content cannot tell (old Matlab).
"""

import contextlib
import hashlib
import importlib
import os
import pathlib
from collections.abc import Iterator, Sequence
from types import ModuleType

from spectra_jax.readers import limits as bounds
from spectra_jax.readers import units
from spectra_jax.readers.limits import LIMITS, Limits
from spectra_jax.readers.raw import Raw
from spectra_jax.spectra import Spectra

FORMATS = ('opus', 'wdf', 'matlab', 'jcamp', 'rruff', 'spc', 'csv')  # asked in this order


def read(
  path: str | os.PathLike, *, axis_unit: str = '', kind: str = '', limits: Limits = LIMITS
) -> list[Spectra]:
  """All spectra of a file, or of every file in a zip: one `Spectra` for each axis.

  Args:
    path: the file.
    axis_unit: 'cm^-1', 'nm', 'um' or 'index'; '' = the file states it.
    kind: one of `spectra.KINDS`, '%T', '%R' or 'log(1/R)'; '' = the file states it.
    limits: a file beyond them is refused before it is read.

  Returns:
    Spectra with ascending axes in cm^-1 or nm (um are converted), transmittance and reflectance as
    fractions; for the columns of meta see `units.spectra`.

  Raises:
    ValueError: one sentence that begins with the file's name.
  """
  path = pathlib.Path(path)
  if not bounds.is_archive(path):
    with _named(path.name):
      data = bounds.read_bytes(path, limits)
    return read_bytes(data, path.name, axis_unit=axis_unit, kind=kind, limits=limits)
  spectra = []
  with _named(path.name):
    for name, data in bounds.members(path, limits):
      spectra += read_bytes(data, name, axis_unit=axis_unit, kind=kind, limits=limits)
  return spectra


def read_bytes(
  data: bytes, name: str, *, axis_unit: str = '', kind: str = '', limits: Limits = LIMITS
) -> list[Spectra]:
  """As `read`, of a file's content; `name` tells its suffix and what it is called in errors."""
  with _named(name):
    if not data:
      raise ValueError('the file is empty, expected a spectrum; copy or export it again')
    if len(data) > limits.file_bytes:
      raise ValueError(f'there are {len(data)} bytes, expected at most {limits.file_bytes}')
    return convert(_format(data, name).decode(data, name), data, name, axis_unit, kind)


def convert(
  raws: Sequence[Raw], data: bytes, name: str, axis_unit: str = '', kind: str = ''
) -> list[Spectra]:
  """What a reader's `decode` gave, in known units; a row's id is the file's name, and '#3'."""
  source = hashlib.sha256(data).hexdigest()
  rows = sum(len(raw.values) for raw in raws)
  ids = iter([name] if rows == 1 else [f'{name}#{row}' for row in range(rows)])
  return [
    units.spectra(raw, [next(ids) for _ in raw.values], source, axis_unit, kind) for raw in raws
  ]


def _format(data: bytes, name: str) -> ModuleType:
  modules = (importlib.import_module(f'{__name__}.{known}') for known in FORMATS)
  return next(module for module in modules if module.matches(data, name))


@contextlib.contextmanager
def _named(name: str) -> Iterator[None]:
  """Whatever goes wrong within becomes one ValueError of one line that begins with `name`."""
  try:
    yield
  except (ValueError, MemoryError) as error:
    says = ' '.join(str(error).split()) or 'the file needs more memory than there is'
    raise ValueError(f'{name}: {says}') from error


@contextlib.contextmanager
def foreign(library: str, file_format: str) -> Iterator[None]:
  """Turns every error of another package, which may be of any type, into a ValueError."""
  try:
    yield
  except ModuleNotFoundError as error:
    raise ValueError(
      f'{file_format} files are read with {library}, which is not installed; run '
      "`pip install 'spectra_jax[io]'`"
    ) from error
  except Exception as error:
    says = ' '.join(str(error).split())[:120]
    raise ValueError(
      f'{library} cannot read this {file_format} file ({type(error).__name__}: {says}); copy it '
      'again or export it as JCAMP-DX'
    ) from error
