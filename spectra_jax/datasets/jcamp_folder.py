"""A folder of JCAMP-DX files, as SDBS, NIST or an instrument gives them.

One file may hold several spectra. The group is the title, since a database often has a compound
more than once. Values keep the file's own unit (column 'unit'): absorption coefficients and
absorbances are both of kind 'absorbance', so `load` wants one unit.
"""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np

from spectra_jax import data_files, native, readers
from spectra_jax.spectra import Spectra

INFO = {
  'name': 'jcamp_folder',
  'version': '1.0.0',  # of this reader
  'licence': "the user's own files",
  'citation': 'McDonald and Wilks 1988, doi:10.1366/0003702884428734 (the format)',
  'urls': (),
  'files': {},
  'content': {},
  'manual': 'put your JCAMP-DX files (.jdx, .dx, .jcm) into one folder',
  'units': {'axis': 'as in the file', 'values': 'as in the file, see column unit'},
}
SUFFIXES = ('.jdx', '.dx', '.jcm', '.jcamp')


def _parse(folder: pathlib.Path, source: str) -> list[Spectra]:
  files = [p for p in data_files.visible_files(folder) if p.suffix.lower() in SUFFIXES]
  if not files:
    raise ValueError(
      f'{folder} has no file of type {", ".join(SUFFIXES)}, expected JCAMP-DX; give their folder'
    )
  spectra = []
  for path in files:
    name = path.relative_to(folder).as_posix()
    spectra += [_named(one, path.name, name, source) for one in readers.read(path)]
  return native.alike(spectra)


def _named(one: Spectra, file: str, name: str, source: str) -> Spectra:
  """Rows called by the path inside the folder, which is unique where a file's name is not."""
  ids = [name + row.removeprefix(file) for row in one.meta['id'].tolist()]
  titles = [str(title).upper() for title in one.meta['title']]
  groups = [title or row for title, row in zip(titles, ids, strict=True)]
  meta = {**one.meta, 'id': np.array(ids), 'group': np.array(groups), 'label': np.array(groups)}
  return dataclasses.replace(one, meta=meta, source=source)


read = native.reader(INFO, _parse)
there = native.counter(read)


def load(
  axis: np.ndarray,
  rows: slice = native.ALL,
  *,
  path: str = '',
  kind: str = '',
  unit: str = '',
) -> Mapping[str, Spectra]:
  """The spectra of one kind and unit on `axis` [cm^-1]; '' where there is only one."""
  return native.on_axis(of_unit(native.of_kind(read(path), kind), unit), axis, rows)


def of_unit(spectra: Sequence[Spectra], unit: str) -> list[Spectra]:
  """Those whose values are in `unit`; '' where there is only one.

  Raises:
    ValueError: '' although there are several units, or one that is not there.
  """
  units = sorted({str(word) for one in spectra for word in one.meta['unit']})
  if (unit or units[0]) not in units or (not unit and len(units) > 1):
    raise ValueError(
      f'unit is {unit!r}, expected one of {", ".join(map(repr, units))}, in which the files have '
      'their values; choose one, as their scales differ'
    )
  return [one for one in spectra if one.meta['unit'][0] == (unit or units[0])]
