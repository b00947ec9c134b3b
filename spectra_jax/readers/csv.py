"""Text tables: one column of the axis and one or more of values, or one spectrum a row.

  columns   wavenumber (cm-1),absorbance      rows   sample,400,402,404
            400,0.12                                 oil1,0.12,0.13,0.15

Cells are parted by tab, semicolon, comma or blanks; where the comma does not part cells it may be
the decimal sign. Lines that start with # or % are comments. Units come from the header's words.
"""

import io
import re
from collections.abc import Sequence

import numpy as np

from spectra_jax.readers import units
from spectra_jax.readers.raw import Raw, number, text_of
from spectra_jax.spectra import check_member

LAYOUTS = ('columns', 'rows')
LONGEST_LINE = 4_000_000  # characters
MOST_HEADER_LINES = 100
LONGEST_ID = 200
SEPARATORS = ('\t', ';', ',', None)  # None: any blanks


def matches(data: bytes, name: str) -> bool:
  """What no other format claimed is taken for a table."""
  del data, name
  return True


def decode(data: bytes, name: str, layout: str = '') -> list[Raw]:
  """All spectra of the table; `layout` is 'columns' or 'rows', '' = tell from the header.

  Raises:
    ValueError: no table of numbers, cells that are missing or not finite, columns of different
      units, or a header that fits both layouts.
  """
  del name
  if layout:
    check_member('layout', layout, LAYOUTS)
  lines, separator = _table(text_of(data))
  header, first = _header(lines, separator)
  body = lines[first:]
  if not body:
    raise ValueError('there is a header over no numbers, expected a table; export it again')
  if not layout:
    layout = _layout(header, body, separator)
  return [(_columns if layout == 'columns' else _rows)(header, body, separator)]


def _table(text: str) -> tuple[list[str], str | None]:
  """(lines, the separator of their cells), the decimal comma made a point."""
  lines = [line for line in text.split('\n') if line.strip() and line.lstrip()[0] not in '#%']
  if len(lines) < 2:
    raise ValueError(f'there are {len(lines)} lines, expected a table of numbers; export it again')
  longest = max(map(len, lines))
  if longest > LONGEST_LINE:
    raise ValueError(
      f'a line has {longest} characters, expected at most {LONGEST_LINE}; use columns'
    )
  last = lines[-1]
  separator = next(s for s in SEPARATORS if s is None or s in last)
  decimal = len(last.split()) > 1 and not re.search(r'(?<!\d),|,(?!\d)', last)
  if separator == ',' and decimal:  # '400,5 0,12'
    separator = None
  if separator != ',':
    lines = [re.sub(r'(?<=\d),(?=\d)', '.', line) for line in lines]
  return lines, separator


def _cells(line: str, separator: str | None) -> list[str]:
  return [cell.strip().strip('"\'') for cell in line.split(separator)]


def _header(lines: Sequence[str], separator: str | None) -> tuple[list[str], int]:
  """(cells of the header, [] if there is none; index of the first line of numbers)."""
  for i, line in enumerate(lines[:MOST_HEADER_LINES]):
    cells = _cells(line, separator)
    tail = np.array([number(cell) for cell in cells[1:]])
    if len(tail) and np.isfinite(tail).all():
      numbers_above = np.isnan(number(cells[0])) and len(tail) > 1  # an axis, or names of samples
      _check_above(lines[:i], len(cells), numbers_above, separator)
      if numbers_above:
        return cells, i + 1
      return (_cells(lines[i - 1], separator) if i else []), i
  raise ValueError(
    f'there is no line of numbers among the first {MOST_HEADER_LINES}, expected a table; export '
    'the spectrum as CSV or JCAMP-DX'
  )


def _check_above(lines: Sequence[str], width: int, is_header: bool, separator: str | None) -> None:
  """Refuses a damaged line of numbers that would pass for a header, and a second header."""
  for line in lines:
    cells = _cells(line, separator)
    if len(cells) == width and (is_header or not np.isnan(number(cells[0]))):
      raise ValueError(
        f'the line {line.strip()[:40]!r} is neither a header nor numbers, expected one '
        'header over finite numbers; mend the line'
      )


def _layout(header: list[str], body: Sequence[str], separator: str | None) -> str:
  """'rows' where only that fits, 'columns' where only that fits, else refused."""
  above = np.array([number(cell) for cell in header[1:]])
  if len(above) < 2 or not _monotone(above):
    return 'columns'
  beside = np.array([number(_cells(line[:LONGEST_ID], separator)[0]) for line in body])
  if not _monotone(beside) or len(beside) < 2:
    return 'rows'
  if units.axis_unit(header[0]):
    return 'columns'
  raise ValueError(
    'both the first line and the first column could be the axis, expected only one to be ordered; '
    "name the axis in the first cell (as 'wavenumber (cm-1)'), or call "
    "readers.csv.decode(..., layout='rows')"
  )


def _monotone(numbers: np.ndarray) -> bool:
  steps = np.diff(numbers)
  return bool((steps > 0).all() or (steps < 0).all())


def _columns(header: list[str], body: Sequence[str], separator: str | None) -> Raw:
  table = _numbers(body, separator)
  if table.shape[1] < 2:
    raise ValueError('there is one column, expected the axis and values; export the spectrum again')
  header = header if len(header) == table.shape[1] else []  # else a line of prose
  words = header[1:] or [''] * (table.shape[1] - 1)
  ordinate = _common(words)
  titles = tuple(words) if len(words) > 1 or not ordinate else ()
  axis_word = header[0] if header else ''
  return Raw(table[:, 0], table[:, 1:].T, axis_word, ordinate, titles=titles)


def _common(words: Sequence[str]) -> str:
  """The first word if all name the same quantity; '' if some are names of samples."""
  found = [units.ordinate(word) for word in words]
  if not all(kind for kind, _ in found):
    return ''
  other = next((i for i, unit in enumerate(found) if unit != found[0]), 0)
  if other:
    raise ValueError(
      f'there are columns of {words[0]!r} and of {words[other]!r}, expected one quantity in a '
      'table; export them apart'
    )
  return words[0]


def _rows(header: list[str], body: Sequence[str], separator: str | None) -> Raw:
  axis = np.array([number(cell) for cell in header[1:]])
  if not (len(axis) > 1 and np.isfinite(axis).all()):
    raise ValueError("layout is 'rows' but the first line has no axis; use layout='columns'")
  parts = [line.split(separator, 1) for line in body]
  if any(len(part) < 2 for part in parts):
    raise ValueError('there are lines of one cell, expected a name and values; mend the table')
  values = _numbers([part[1] for part in parts], separator)
  if values.shape[1] != len(axis):
    raise ValueError(f'rows have {values.shape[1]} values for {len(axis)} points of the axis')
  titles = tuple(part[0].strip().strip('"\'')[:LONGEST_ID] for part in parts)
  return Raw(axis, values, header[0], '', titles=titles)


def _numbers(lines: Sequence[str], separator: str | None) -> np.ndarray:
  text = '\n'.join(lines)
  if not text.strip():
    raise ValueError(
      'there are no values beside the first column, expected numbers; mend the table'
    )
  try:
    table = np.loadtxt(io.StringIO(text), delimiter=separator, ndmin=2, comments=None)
  except (ValueError, OverflowError) as error:
    says = str(error).split(';')[0][:120]
    raise ValueError(f'the table is not one of numbers ({says}); mend the line') from error
  bad = np.argwhere(~np.isfinite(table))
  if len(bad):
    row, column = bad[0]
    raise ValueError(
      f'line {row + 1} of the numbers has {table[row, column]} in column {column + 1}, expected '
      'finite numbers; drop the point or the spectrum'
    )
  return table
