"""Scripts of percent cells, run from top to bottom and written down with what they print and draw.

  # %%             a cell of code
  # %% [markdown]  a cell of text, every line a comment

The script stays an ordinary program, and editors that know percent cells open it as a notebook. A
cell's figures are those of pyplot that it leaves open.
"""

import contextlib
import io
import pathlib
from typing import NamedTuple

import matplotlib
import matplotlib.pyplot as plt

MARK, TEXT = '# %%', '[markdown]'


class Cell(NamedTuple):
  """text: Markdown, else code. first: its first line in the script, from 1."""

  source: str
  text: bool
  first: int


def cells(script: str) -> list[Cell]:
  """The cells of a script that are not empty.

  Raises:
    ValueError: code before the first mark, or a line of text that is no comment.
  """
  found, lines, head, first = [], [], None, 1
  for number, line in enumerate([*script.splitlines(), MARK], 1):
    if not line.startswith(MARK):
      lines.append(line)
      continue
    if any(x.strip() for x in lines):
      if head is None:
        raise ValueError(f'line {first} is before the first {MARK!r}, expected a cell; mark it')
      found.append(_cell(lines, TEXT in head, first))
    head, lines, first = line, [], number + 1
  return found


def _cell(lines: list[str], text: bool, first: int) -> Cell:
  source = '\n'.join(lines).strip('\n')
  if not text:
    return Cell(source, False, first)
  wrong = [x for x in source.splitlines() if not x.startswith('#')]
  if wrong:
    raise ValueError(f'a cell of text has the line {wrong[0]!r}, expected a comment; put # before')
  return Cell('\n'.join(x[1:].removeprefix(' ') for x in source.splitlines()), True, first)


def render(path: pathlib.Path, folder: pathlib.Path) -> tuple[str, list[str]]:
  """Runs a script: (the page in Markdown, names of its figures, which are in `folder`).

  Raises:
    Exception: whatever a cell raises.
  """
  matplotlib.use('Agg')
  parts, drawn, names = [], [], {'__name__': '__main__'}
  for cell in cells(path.read_text()):
    if cell.text:
      parts.append(cell.source)
      continue
    said = io.StringIO()
    code = compile('\n' * (cell.first - 1) + cell.source, str(path), 'exec')
    with contextlib.redirect_stdout(said):
      exec(code, names)
    parts.append(f'```python\n{cell.source}\n```')
    if said.getvalue().strip():
      parts.append(f'```text\n{said.getvalue().rstrip()}\n```')
    for number in plt.get_fignums():
      name = f'{path.stem}_{len(drawn) + 1}.png'
      plt.figure(number).savefig(folder / name, dpi=100)
      plt.close(number)
      drawn.append(name)
      parts.append(f'![{path.stem}, figure {len(drawn)}]({name})')
  return '\n\n'.join(parts) + '\n', drawn
