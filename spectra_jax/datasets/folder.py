"""A folder of spectra and a CSV of labels: how your own data come in.

labels.csv, beside the spectra, has a line for each file:

  file,group,label,target/protein,operator
  monday/kernel_07_a.spc,kernel 07,Wheat,11.2,Ann
  monday/kernel_07_b.spc,kernel 07,Wheat,11.2,Ben

`file` and `group` are needed. What has one group never lies on two sides of a split: give all
spectra of one sample the same group, or write the file's name where each is another sample. `label`
is a class, `side` a given split, target/... a number (empty = unknown); every other column is kept
as text. `axis_unit` and `kind` tell the units of formats that do not state them (nm, %T, raman...).
Any format of `spectra_jax.readers` will do.
"""

import csv
import dataclasses
import difflib
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np

from spectra_jax import data_files, native, readers
from spectra_jax.readers import raw
from spectra_jax.spectra import TARGET, Spectra

INFO = {
  'name': 'folder',
  'version': '1.0.0',  # of this reader
  'licence': "the user's own files",
  'citation': '',
  'urls': (),
  'files': {},
  'content': {},
  'manual': 'put your spectra and labels.csv, with columns file and group, into one folder',
  'units': {'axis': 'as in the files', 'values': 'as in the files'},
}
TABLE = 'labels.csv'
NEEDED = ('file', 'group')
TELLS = ('axis_unit', 'kind')  # what the reader is told
UNKNOWN = ('', 'nan')  # values of targets


def _parse(place: pathlib.Path, source: str) -> native.Native:
  del source  # of all files in the folder; the labels and the files they name are enough
  path = place if place.is_file() else place / TABLE
  table = read_table(path)
  files = [_file(path, row) for row in table]
  _check_all_named(path, files)
  source = data_files.joint_sha256(path.parent, [path, *files])
  columns = _columns(path, table)
  spectra = []
  for i, (file, row) in enumerate(zip(files, table, strict=True)):
    told = {name: row[name] for name in TELLS if name in row}
    of_row = {name: column[i] for name, column in columns.items()}
    parts = readers.read(file, **told)
    spectra += [_labelled(one, file.name, row['file'], of_row, source) for one in parts]
  _check_one_kind(path, spectra)
  return native.joined(native.alike(spectra))


def read_table(path: pathlib.Path) -> list[dict[str, str]]:
  """The lines of labels.csv as {column: text}; separated by commas, or by semicolons.

  Raises:
    FileNotFoundError: there is no such file.
    ValueError: a column is missing or there twice, a line has too many or too few cells, or a
      file is named twice.
  """
  if not path.is_file():
    raise FileNotFoundError(
      f'{path} is not there, expected a CSV with columns file and group; write one line a spectrum'
    )
  text = path.read_text(encoding='utf-8-sig')
  first = text.partition('\n')[0]
  separator = ';' if ';' in first and ',' not in first else ','
  header, *lines = [line for line in csv.reader(text.splitlines(), delimiter=separator) if line]
  header = [name.strip() for name in header]
  missing = [name for name in NEEDED if name not in header]
  if missing:
    raise ValueError(
      f'{path} has columns {", ".join(header)}, expected also {" and ".join(missing)}; add '
      f'{"it" if len(missing) == 1 else "them"}: file is the spectrum, group the sample it is of'
    )
  if 'id' in header:
    raise ValueError(
      f'{path} has a column id, expected none: rows are named by their files, so yours would be '
      'lost; rename it'
    )
  twice = sorted({name for name in header if header.count(name) > 1})
  if twice:
    raise ValueError(f'{path} has column {twice[0]!r} twice, expected different names; rename one')
  for number, line in enumerate(lines, 2):
    if len(line) != len(header):
      raise ValueError(
        f'{path} line {number} has {len(line)} cells, expected {len(header)} as the header has; '
        'quote cells that hold a separator'
      )
  if not lines:
    raise ValueError(f'{path} names no file, expected one line a spectrum; add them')
  table = [dict(zip(header, map(str.strip, line), strict=True)) for line in lines]
  _check_once(path, [row['file'] for row in table])
  return table


def _check_once(path: pathlib.Path, names: Sequence[str]) -> None:
  seen: dict[str, int] = {}
  for number, name in enumerate(names, 2):
    if seen.setdefault(name, number) != number:
      raise ValueError(
        f'{path} lines {seen[name]} and {number} both name {name}, expected each file once; drop '
        'one of them'
      )


def _file(path: pathlib.Path, row: Mapping[str, str]) -> pathlib.Path:
  name, folder = row['file'], path.parent
  if pathlib.PurePath(name).is_absolute() or '..' in pathlib.PurePath(name).parts:
    raise ValueError(f'{path} names {name}, expected a path inside {folder}; move the file there')
  if not (folder / name).is_file():
    there = [p.relative_to(folder).as_posix() for p in data_files.visible_files(folder)]
    near = difflib.get_close_matches(name, there, n=1)
    hint = f'did you mean {near[0]}?' if near else 'copy it there or drop the line'
    raise FileNotFoundError(f'{path} names {name}, which is not in {folder}; {hint}')
  if not row['group']:
    raise ValueError(
      f'{path} has no group for {name}, expected the sample that it is of; give every spectrum one'
    )
  return folder / name


def _check_all_named(path: pathlib.Path, files: Sequence[pathlib.Path]) -> None:
  named, suffixes = set(files), {file.suffix.lower() for file in files}
  beside = [p for p in data_files.visible_files(path.parent) if p.suffix.lower() in suffixes]
  left = [p for p in beside if p not in named and p != path]
  if left:
    raise ValueError(
      f'{path} does not name {len(left)} of the {len(named) + len(left)} spectra, the first is '
      f'{left[0].relative_to(path.parent).as_posix()}; add lines or move the files away'
    )


def _columns(path: pathlib.Path, table: Sequence[Mapping[str, str]]) -> dict[str, np.ndarray]:
  columns = {}
  for name in table[0]:
    cells = [row[name] for row in table]
    if name.startswith(TARGET):
      columns[name] = np.array(
        [_number(path, name, cell, row) for row, cell in zip(table, cells, strict=True)]
      )
    elif name not in ('file', *TELLS):
      columns[name] = np.array(cells)
  return columns


def _number(path: pathlib.Path, column: str, cell: str, row: Mapping[str, str]) -> np.float32:
  value = raw.number(cell)
  unknown = cell.lower() in UNKNOWN
  if not (unknown or abs(value) <= np.finfo(np.float32).max):
    raise ValueError(
      f'{path} has {column} = {cell!r} for {row["file"]}, expected a number such as 1.5, or an '
      'empty cell where it is unknown; correct it, or take target/ off a column of text'
    )
  return np.float32(value)


def _labelled(
  one: Spectra, file: str, name: str, of_row: Mapping[str, np.generic], source: str
) -> Spectra:
  """The spectra of one file with what the table says of it; named by its path in the folder."""
  ids = [name + row.removeprefix(file) for row in one.meta['id'].tolist()]
  given = {column: np.full(len(one), value) for column, value in of_row.items()}
  return dataclasses.replace(one, meta={**one.meta, **given, 'id': np.array(ids)}, source=source)


def _check_one_kind(path: pathlib.Path, spectra: Sequence[Spectra]) -> None:
  first = spectra[0]
  for one in spectra:
    for what in ('kind', 'axis_unit', 'state'):
      if getattr(one, what) != getattr(first, what):
        raise ValueError(
          f'{path} mixes {what} {getattr(first, what)} ({first.meta["id"][0]}) and '
          f'{getattr(one, what)} ({one.meta["id"][0]}), expected one {what}; put them into tables '
          'of their own, or tell the unit in a column'
        )
    units = str(first.meta['unit'][0]), str(one.meta['unit'][0])
    if units[0] != units[1]:
      raise ValueError(
        f'{path} mixes values in {units[0]!r} ({first.meta["id"][0]}) and {units[1]!r} '
        f'({one.meta["id"][0]}), expected one unit; put them into tables of their own'
      )


read, load, there = native.bind(INFO, _parse)
