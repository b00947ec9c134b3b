"""Sweeps written on a command line: 'optimizer.lr=1e-4,3e-4;seed=range(5)'."""

import ast
import itertools
import re
from typing import Any

LONGEST_RANGE = 10_000


def parse(text: str) -> list[dict[str, Any]]:
  """'optimizer.lr=1e-4,3e-4;seed=range(5)' -> the overrides of each of its ten points.

  Values are Python literals, bare words, or range(...) of integers.

  Raises:
    ValueError: the sentence names the part that cannot be read.
  """
  choices = {}
  for part in _pieces(text, ';'):
    key, equals, values = (x.strip() for x in part.partition('='))
    if not equals or not re.fullmatch(r'\w+(\.\w+)*', key):
      raise ValueError(
        f'{part!r} in the sweep {text!r} is no choice of values; expected key=value,value; '
        'put ; between keys and , between values'
      )
    if key in choices:
      raise ValueError(f'the sweep {text!r} gives {key} twice; expected once; join its values')
    choices[key] = [value for word in _pieces(values, ',') for value in _values(key, word.strip())]
  return [
    dict(zip(choices, combined, strict=True)) for combined in itertools.product(*choices.values())
  ]


def _pieces(text: str, separator: str) -> list[str]:
  """Cuts at separators outside of brackets and quotes."""
  pieces, depth, quote = [''], 0, ''
  for letter in text:
    if quote:
      quote = '' if letter == quote else quote
    elif letter in '"\'':
      quote = letter
    depth += 0 if quote else (letter in '([{') - (letter in ')]}')
    if letter == separator and depth == 0 and not quote:
      pieces.append('')
    else:
      pieces[-1] += letter
  return pieces


def _values(key: str, word: str) -> list[Any]:
  span = re.fullmatch(r'range\(\s*(-?\d+(?:\s*,\s*-?\d+){0,2})\s*\)', word)
  try:
    if span:
      numbers = range(*map(int, span[1].split(',')))
      if not 0 < len(numbers) <= LONGEST_RANGE:
        raise ValueError
      return list(numbers)
    return [ast.literal_eval(word)]
  except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
    if not span and re.fullmatch(r'[A-Za-z_/.][\w./+-]*', word):
      return [word]
    raise ValueError(
      f'{key}={word} is no value; expected a number, a word, a quoted text, a tuple or '
      f'range(...) of 1 to {LONGEST_RANGE} integers; write one'
    ) from None
