"""A finished table as Markdown, CSV, LaTeX, JSON and a figure; each number links to its runs."""

import csv
import io
import os
import pathlib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from spectra_jax import figures
from spectra_jax.tables import statistics
from spectra_jax.tables.cells import SAMPLES, Cell, Line
from spectra_jax.tables.spec import Table
from spectra_jax.workdir import write_bytes_atomic, write_json_atomic

MISSING = 'missing'
LATEX = {'\\': r'\textbackslash{}', '~': r'\textasciitilde{}', '^': r'\textasciicircum{}'}
LATEX |= {c: f'\\{c}' for c in '&%$#_{}'}
LATEX |= {'⁻': r'\textsuperscript{-}', '¹': r'\textsuperscript{1}', '×': r'$\times$'}


def write(table: Table, lines: Sequence[Line], folder: pathlib.Path) -> dict[str, Any]:
  """NAME.md, .csv, .tex, .json and, where there is a score, .png in `folder`.

  Returns:
    What the JSON file holds, without its cells: 'table', 'cells', 'missing', 'files'.
  """
  folder.mkdir(parents=True, exist_ok=True)
  texts = {
    'md': markdown(table, lines, folder),
    'csv': comma_separated(table, lines, folder),
    'tex': latex(table, lines, folder),
  }
  for suffix, text in texts.items():
    write_bytes_atomic(folder / f'{table.name}.{suffix}', text.encode())
  pictures = {}
  panels = [panel for k in range(len(table.columns)) if (panel := _panel(lines, k))]
  if panels:
    png = io.BytesIO()
    figures.intervals(panels).savefig(png, format='png', dpi=150)
    write_bytes_atomic(folder / f'{table.name}.png', png.getvalue())
    pictures['png'] = True
  expected = [cell for line in lines for cell in line.cells if cell.applies]
  summary = {
    'table': table.name,
    'cells': len(expected),
    'missing': sum(cell.missing for cell in expected),
    'lacking_seeds': sum(len(cell.lacking) for cell in expected),
    'files': [str(folder / f'{table.name}.{suffix}') for suffix in (*texts, *pictures, 'json')],
  }
  document = {**summary, 'caption': table.caption, 'rows': _records(table, lines, folder)}
  write_json_atomic(folder / f'{table.name}.json', document)
  return summary


def results(lines: Sequence[Line]) -> dict[str, dict[str, list[float | None]]]:
  """Row -> column -> [value, low, high] in the unit of its heading; null where there is none."""
  scaled = lambda cell, x: None if x is None else x * cell.column.scale
  found: dict[str, dict[str, list[float | None]]] = {}
  for line in lines:
    name = f'{line.section}: {line.label}' if line.section else line.label
    cells = (cell for cell in line.cells if cell.applies)
    ends = lambda cell: (cell.value, cell.low, cell.high)
    numbers = {cell.column.label: [scaled(cell, x) for x in ends(cell)] for cell in cells}
    found.setdefault(name, {}).update(numbers)
  return found


def markdown(table: Table, lines: Sequence[Line], folder: pathlib.Path, page: bool = False) -> str:
  """A table a section; the caption, what the intervals are over and the splits are below it.

  `folder` is where the text will stand. On a `page` cells have no link to their runs, and there are
  only the columns that the table names for pages and the rows and cells that have a number.
  """
  row = lambda cells: '| ' + ' | '.join(_escape_pipe(cell) for cell in cells) + ' |'
  shown = table.page if page and table.page else [column.label for column in table.columns]
  there = lambda cell: '' if cell.value is None else cell_text(cell)
  text_of = there if page else lambda cell: _linked(cell, folder, _markdown_link)
  text = []
  for section, part in _by_section(lines).items():
    text += [f'**{section}**', ''] if section else []
    text += [row(['', *shown]), '|' + '---|' * (1 + len(shown))]
    for line in part:
      of = {cell.column.label: text_of(cell) for cell in line.cells}
      if not page or any(of[label] for label in shown):
        text.append(row([line.label, *(of[label] for label in shown)]))
    text.append('')
  return '\n'.join([*text, table.caption, '', *(f'* {note}' for note in notes(table, lines)), ''])


def latex(table: Table, lines: Sequence[Line], folder: pathlib.Path) -> str:
  """A `table` environment; the document needs booktabs and hyperref."""
  columns = 'l' * (1 + len(table.columns))
  row = lambda cells: ' & '.join(cells) + r' \\'
  text = [r'\begin{table}', r'\centering', rf'\begin{{tabular}}{{{columns}}}', r'\toprule']
  text += [row(['', *(_latex_escape(column.label) for column in table.columns)]), r'\midrule']
  for place, (section, part) in enumerate(_by_section(lines).items()):
    text += [r'\midrule'] if place else []
    heading = rf'\multicolumn{{{len(columns)}}}{{l}}{{\emph{{{_latex_escape(section)}}}}} \\'
    text += [heading] if section else []
    for line in part:
      cells = [_linked(cell, folder, _latex_link, _latex_escape) for cell in line.cells]
      text.append(row([_latex_escape(line.label), *cells]))
  caption = ' '.join([table.caption, *(f'{note}.' for note in notes(table, lines))])
  text += [r'\bottomrule', r'\end{tabular}', rf'\caption{{{_latex_escape(caption)}}}']
  return '\n'.join([*text, rf'\label{{tab:{table.name}}}', r'\end{table}', ''])


def comma_separated(table: Table, lines: Sequence[Line], folder: pathlib.Path) -> str:
  """One line a cell, numbers unrounded."""
  records = _records(table, lines, folder)
  joined = lambda value: ' '.join(map(str, value)) if isinstance(value, list) else value
  text = io.StringIO()
  writer = csv.DictWriter(text, fieldnames=list(records[0]), lineterminator='\n')
  writer.writeheader()
  writer.writerows({key: joined(value) for key, value in record.items()} for record in records)
  return text.getvalue()


def notes(table: Table, lines: Sequence[Line]) -> list[str]:
  """What has to stand below the table for its numbers to mean something."""
  cells = [cell for line in lines for cell in line.cells]
  over = sorted({cell.over for cell in cells if cell.over})
  runs = [run for cell in cells for run in cell.runs if cell.column.regime]
  told = lambda run: f', {run.tested} test groups' if run.tested else ''
  splits = sorted({f'{run.regime}, {run.split}{told(run)}' for run in runs})
  text = [f'split: {"; ".join(splits)}'] if splits else []
  if over:
    counts = {len(cell.runs) for cell in cells if cell.over}
    least, most = min(counts), max(counts)
    what = f'mean over {"up to " * (least < most)}{most} seeds' if most > 1 else 'one run'
    text.append(f'{what} [{100 * table.level:g} % interval over {"; ".join(over)}]')
  of_samples = [line.label for line in lines if any(c.over == SAMPLES for c in line.cells)]
  if of_samples and any(0 < run.tested < run.report['split']['rows']['test'] for run in runs):
    named = '; '.join(of_samples)
    text.append(f'over {SAMPLES}, too narrow where those of a group are alike: {named}')
  if any('splits' in words for words in over):
    text.append(
      'over splits: training sides overlap, so it is that of Nadeau and Bengio (2003), wider than '
      'one over the pooled samples'
    )
  if any(cell.p is not None for cell in cells):
    text.append(
      f'p: against {table.against!r}, {table.test} test paired by test groups, Holm correction for '
      f'{sum(cell.p is not None for cell in cells)} comparisons; it takes the trained models as '
      f'given. The least that {statistics.SWAPS:,} swaps can show is {_least(cells):.1g}. '
      'Within seeds, or groups where there is one run: the interval of the difference holds 0'
    )
  sources = {f'{line.label}: {c.source}' for line in lines for c in line.cells if c.source}
  text += sorted(sources)
  return text


def _least(cells: Sequence[Cell]) -> float:
  """The smallest p that random swaps give, on both sides, times the number of comparisons."""
  return 2 * sum(cell.p is not None for cell in cells) / (statistics.SWAPS + 1)


def cell_text(cell: Cell) -> str:
  """'0.238 [0.221, 0.254], p 0.003, seed 2 missing'."""
  if not cell.applies:
    return ''
  partial = '; '.join(
    f'seed {seed}: {there} of {count} splits' for seed, (there, count) in cell.partial.items()
  )
  if cell.missing:
    return f'{MISSING} ({partial})' if partial else MISSING
  show = lambda value: cell.column.format.format(value * cell.column.scale)
  text = show(cell.value)
  if cell.low is not None:
    text += f' [{show(cell.low)}, {show(cell.high)}]'
  if cell.p_holm is not None:
    text += f', p {cell.p_holm:.2g}'
    within = cell.difference.low <= 0 <= cell.difference.high
    text += f', within {"seeds" if len(cell.runs) > 1 else "groups"}' * within
  if cell.lacking:
    several = 's' if len(cell.lacking) > 1 else ''
    text += f', seed{several} {", ".join(map(str, cell.lacking))} {MISSING}'
  return f'{text} ({partial})' if partial else text


def _by_section(lines: Sequence[Line]) -> Mapping[str, list[Line]]:
  found: dict[str, list[Line]] = {}
  for line in lines:
    found.setdefault(line.section, []).append(line)
  return found


def _linked(
  cell: Cell, folder: pathlib.Path, link: Callable, escape: Callable[[str], str] = str
) -> str:
  """The text, linked to its run; of several runs the first one, then the others by their seeds."""
  text = escape(cell_text(cell))
  if not cell.runs:
    return text
  first, *others = [(run.seed, _relative(run.folder, folder)) for run in cell.runs]
  seeds = ''.join(f' {link(str(seed), path)}' for seed, path in others)
  return link(text, first[1]) + seeds


def _relative(path: pathlib.Path, folder: pathlib.Path) -> str:
  return pathlib.PurePath(os.path.relpath(path, folder)).as_posix()


def _markdown_link(text: str, path: str) -> str:
  return f'[{text}]({path})' if ' ' not in path else f'[{text}](<{path}>)'


def _latex_link(text: str, path: str) -> str:
  return rf'\href{{{path.replace("%", chr(92) + "%").replace("#", chr(92) + "#")}}}{{{text}}}'


def _escape_pipe(text: str) -> str:
  return text.replace('|', r'\|')


def _latex_escape(text: str) -> str:
  return re.sub('|'.join(map(re.escape, LATEX)), lambda found: LATEX[found[0]], text)


def _records(table: Table, lines: Sequence[Line], folder: pathlib.Path) -> list[dict[str, Any]]:
  return [
    {
      'section': line.section,
      'row': line.label,
      'method': line.method,
      'column': cell.column.label,
      'metric': cell.column.metric,
      **{key: getattr(cell, key) for key in ('value', 'low', 'high', 'over', 'p', 'p_holm')},
      'difference': list(cell.difference) if cell.difference else [],
      'missing': cell.missing,
      'seeds': cell.seeds,
      'lacking_seeds': list(cell.lacking),
      'regime': cell.runs[0].regime if cell.runs else cell.column.regime,
      'split': cell.runs[0].split if cell.runs else '',
      'runs': [_relative(place, folder) for run in cell.runs for place in run.folders],
      'source': cell.source,
    }
    for line in lines
    for cell in line.cells
    if cell.applies
  ]


def _panel(lines: Sequence[Line], place: int) -> dict[str, Any] | None:
  """What the figure shows of a column: the scores alone."""
  if not lines[0].cells[place].column.regime:
    return None
  points = []
  for line in lines:
    cell = line.cells[place]
    if cell.value is None:
      continue
    scale = cell.column.scale
    ends = None if cell.low is None else (cell.low * scale, cell.high * scale)
    section = re.sub(r'[\w.]*\.(\w+ =)', r'\1', line.section)  # keys without their groups
    named = {'section': section, 'label': line.label, 'kind': line.method}
    points.append({**named, 'value': cell.value * scale, 'ends': ends})
  return {'title': lines[0].cells[place].column.label, 'points': points} if points else None
