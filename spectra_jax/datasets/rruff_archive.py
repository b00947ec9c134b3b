"""Raman spectra of minerals from RRUFF's own zip archives, or from folders of its text files.

`path` is a zip (LR-Raman.zip, excellent_oriented.zip, excellent_unoriented.zip, ...) or a folder
of zips and text files. Every spectrum has its own grid; the group is the specimen, since RRUFF
numbers the spots and settings of one: R050441 of R050441_a. Files that hold no spectrum are left
out with a warning.
"""

import dataclasses
import pathlib
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from spectra_jax import data_files, native, readers
from spectra_jax.readers import limits
from spectra_jax.spectra import Spectra

INFO = {
  'name': 'rruff_archive',
  'version': '1.0.0',  # of this reader: the archives grow and have no version
  'licence': 'none stated; RRUFF asks to be cited, redistribution is not cleared',
  'citation': 'Lafuente, Downs, Yang and Stone 2015, The power of databases: the RRUFF project, '
  'doi:10.1515/9783110417104-003',
  'urls': (
    'https://rruff.info/zipped_data_files/raman/LR-Raman.zip',
    'https://rruff.info/zipped_data_files/raman/excellent_oriented.zip',
    'https://rruff.info/zipped_data_files/raman/excellent_unoriented.zip',
  ),
  'files': {},
  'content': {},
  'manual': 'no licence allows a download for you: get zip archives from '
  'https://rruff.info/zipped_data_files/raman/',
  'units': {'axis': 'cm^-1', 'raman': 'counts'},
}
LIMITS = limits.Limits(archive_bytes=4096 * limits.MIB, members=200_000)
SUFFIXES = ('.txt', '.rruff')


def specimen(rruff_id: str) -> str:
  """R050441 of R050441, R050441_a, R050441-3 or R050441.2; another name as it is."""
  found = re.match(r'[A-Z]+\d+', rruff_id)
  return found.group() if found else rruff_id


def spectra_of(members: Iterator[tuple[str, bytes]], source: str) -> list[Spectra]:
  """The spectrum of each RRUFF text; warns of those that hold none.

  Raises:
    ValueError: no text holds a spectrum; with the reason of the first.
  """
  spectra, bad = [], []
  for name, data in members:
    try:
      (one,) = readers.read_bytes(data, pathlib.PurePosixPath(name).name)
      spectra.append(_named(one, source))
    except ValueError as error:
      bad.append(str(error))
  if not spectra:
    raise ValueError(f'there is no RRUFF spectrum among {len(bad)} files; {bad[0] if bad else ""}')
  if bad:
    warnings.warn(f'{len(bad)} files hold no spectrum and are left out: {bad[0]}', stacklevel=2)
  return spectra


def _named(one: Spectra, source: str) -> Spectra:
  columns = ('id', 'label', 'specimen', 'laser_nm', 'warning')
  meta = {name: one.meta[name] for name in columns}
  meta['id'] = np.array([name.removesuffix('.txt') for name in meta['id']])
  meta['group'] = np.array([specimen(name) for name in one.meta['specimen']])
  return dataclasses.replace(one, meta=meta, source=source)


def _parse(place: pathlib.Path, source: str) -> Sequence[Spectra]:
  return spectra_of(_members(place), source)


def _members(place: pathlib.Path) -> Iterator[tuple[str, bytes]]:
  files = [place] if place.is_file() else data_files.visible_files(place)
  for path in files:
    if limits.is_archive(path):
      texts = limits.members(path, LIMITS)
      yield from ((name, data) for name, data in texts if name.lower().endswith(SUFFIXES))
    elif path.suffix.lower() in SUFFIXES:
      yield path.name, limits.read_bytes(path, LIMITS)


read = native.reader(INFO, _parse)
there = native.counter(read)


def load(
  axis: np.ndarray, rows: slice = native.ALL, *, path: str = '', state: str = 'measured'
) -> Mapping[str, Spectra]:
  """The spectra of one state on `axis` [cm^-1]; 'measured' are RRUFF's raw ones."""
  return native.on_axis(native.of_state(read(path), state), axis, rows)
