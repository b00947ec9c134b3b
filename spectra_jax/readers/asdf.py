"""Tables of JCAMP-DX: plain numbers (AFFN) and the squeezed forms (PAC, SQZ, DIF, DUP).

McDonald and Wilks, JCAMP-DX: a standard form for exchange of infrared spectra in computer readable
form, Appl. Spectrosc. 42, 151 (1988), doi:10.1366/0003702884428734, sections 5.2-5.9:

  SQZ  @A-I a-i   sign and first digit of a value: 0, 1-9, -1 to -9
  DIF  %J-R j-r   the same of a difference to the value before
  DUP  S-Z s      first digit, 1-9, of how often the item before it stands there in all
  ?               a value that was not measured

After a line that ends in a difference the next one starts with that line's last value once more,
as a check. Here a failed check, a foreign character or a point too many is an error. (The package
jcamp 1.3.2 prints and goes on, and reads the standard's own example wrong: it drops repetitions
that follow a value.)
"""

import array
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

DIGITS = {
  **{letter: i for i, letter in enumerate('@ABCDEFGHI')},
  **{letter: -i for i, letter in enumerate('abcdefghi', 1)},
  **{letter: i for i, letter in enumerate('%JKLMNOPQR')},
  **{letter: -i for i, letter in enumerate('jklmnopqr', 1)},
  **{letter: i for i, letter in enumerate('STUVWXYZs', 1)},
}
PLAIN = r'[+-]?(?:\d+\.?\d*|\.\d+)'
REST = r'|(?P<missing>\?)|(?P<gap>[\s,;]+)|(?P<alien>.)'
AFFN = re.compile(rf'(?P<plain>{PLAIN}(?:[Ee][+-]\d{{1,3}})?)' + REST)
ASDF = re.compile(
  rf'(?P<plain>{PLAIN})|(?P<sqz>[@A-Ia-i]\d*)|(?P<dif>[%J-Rj-r]\d*)|(?P<dup>[S-Zs]\d*)' + REST
)
SQUEEZED = re.compile('[@A-DF-Ia-df-iJ-Rj-r%S-Zs]')  # E and e may belong to an exponent,
EXPONENT = re.compile(r'[\d.][Ee][+-]\d')  # which has a sign
NO_NUMBER = re.compile('nan|inf', re.IGNORECASE)
NAN = float('nan')


class Table(NamedTuple):
  """Ordinates [N] as written, and the abscissa of each line: (number as written, index of it)."""

  values: array.array
  checks: list[tuple[str, int]]


def ordinates(text: str, points: int) -> Table:
  """The table (X++(Y..Y)) of `points` ordinates.

  Raises:
    ValueError: more or fewer points, a failed check, a character that no form has.
  """
  token = _form(text)
  values, checks, to_check = array.array('d'), [], False
  for line in _lines(text):
    items = _items(token, line)
    kind, abscissa = next(items)
    if kind != 'plain':
      raise ValueError(f'the line {_short(line)} starts without an abscissa; export it again')
    start = len(values)
    differs = _append(values, items, points + 1, line)
    if to_check and len(values) > start:
      _check(values, start, line)
      start -= 1
    if len(values) > points:
      raise ValueError(f'there are more ordinates than NPOINTS={points}; export the file again')
    checks.append((abscissa, start))
    to_check = differs
  if len(values) != points:
    raise ValueError(
      f'there are {len(values)} ordinates, expected NPOINTS={points}; copy or export the file again'
    )
  return Table(values, checks)


def pairs(text: str, points: int) -> tuple[array.array, array.array]:
  """(abscissae, ordinates) of a table (XY..XY) of `points` points.

  Raises:
    ValueError: more or fewer points, or a character that belongs to no number.
  """
  flat = array.array('d')
  for line in _lines(text):
    if NO_NUMBER.search(line):
      raise ValueError(f'the line {_short(line)} has a value that is no number; use ? for it')
    for kind, word in _items(AFFN, line):
      flat.append(NAN if kind == 'missing' else float(word))
      if len(flat) > 2 * points:
        raise ValueError(f'there are more pairs than NPOINTS={points}; export the file again')
  if len(flat) != 2 * points:
    raise ValueError(
      f'there are {len(flat)} numbers, expected twice NPOINTS={points}; copy or export the '
      'file again'
    )
  return flat[::2], flat[1::2]


def _form(text: str) -> re.Pattern:
  bad = NO_NUMBER.search(text)
  if bad:
    raise ValueError(f'{bad[0]!r} stands in the table, expected numbers; use ? where there is none')
  return AFFN if EXPONENT.search(text) and not SQUEEZED.search(text) else ASDF


def _lines(text: str) -> Iterator[str]:
  return (match[0] for match in re.finditer(r'[^\n]*\S[^\n]*', text))


def _items(token: re.Pattern, line: str) -> Iterator[tuple[str, str]]:
  for match in token.finditer(line):
    if match.lastgroup == 'alien':
      raise ValueError(f'{match[0]!r} stands in the table in {_short(line)}; export it again')
    if match.lastgroup != 'gap':
      yield match.lastgroup, match[0]


def _append(values: array.array, items: Iterable[tuple[str, str]], most: int, line: str) -> bool:
  """Decodes the ordinates of one line; True if the last one is a difference."""
  start, step, repeats = len(values), None, False
  for kind, word in items:
    if kind == 'dup':
      if len(values) == start or repeats:
        raise ValueError(f'a repetition in {_short(line)} has nothing before it; export it again')
      _repeat(values, int(_spelt(word)), step or 0.0, most)
    elif kind == 'dif':
      if len(values) == start:
        raise ValueError(f'{_short(line)} starts with a difference, expected a value; export it')
      step = float(_spelt(word))
      values.append(values[-1] + step)
    else:
      step = None
      values.append(NAN if kind == 'missing' else float(_spelt(word)))
    repeats = kind == 'dup'
    if len(values) > most:
      raise ValueError(f'there are more ordinates than NPOINTS={most - 1}; export the file again')
  return step is not None


def _repeat(values: array.array, times: int, step: float, most: int) -> None:
  """`times` in all, the one that is there included."""
  if times > most:
    raise ValueError(f'a value is repeated {times} times, expected at most {most}; export it again')
  for _ in range(times - 1):
    values.append(values[-1] + step)


def _spelt(word: str) -> str:
  """'J057' -> '1057': the digits of an item."""
  return f'{DIGITS[word[0]]}{word[1:]}' if word[0] in DIGITS else word


def _check(values: array.array, start: int, line: str) -> None:
  """Takes off the value that repeats the one before it."""
  if values[start] != values[start - 1]:
    raise ValueError(
      f'{_short(line)} starts with {values[start]:g}, expected the last value of the line before, '
      f'{values[start - 1]:g}; copy or export the file again'
    )
  del values[start]


def _short(line: str) -> str:
  return repr(line.strip()[:40])
