"""Writes the tables of README and docs from the committed reports, or checks that they are theirs.

python -m experiments.readme          # rewrite
python -m experiments.readme --check  # exit 1 when a page says something else

A page has `<!-- NAME: generated ... -->`, the table, `<!-- end of NAME -->`; NAME is a function of
this file, of numbers that benchmarks measured, or a table of runs in configs/tables.
"""

import json
import pathlib
import re
import sys

from absl import app, flags

from spectra_jax.tables import cells, output, spec

ROOT = pathlib.Path(__file__).parent.parent
RESULTS = ROOT / 'experiments' / 'results'
BENCH = RESULTS / 'bench' / 'cpu-2-cores.json'
DOCS = ROOT / 'docs'
PAGES = (ROOT / 'README.md', DOCS / 'real_spectra.md', DOCS / 'foundation.md')
MARKED = re.compile(
  r'(?P<head><!-- (?P<name>\w+): generated[^\n]*)\n.*?\n(?P<end><!-- end of (?P=name) -->)',
  re.DOTALL,
)
WHAT, STACK = ('forward', 'training'), ('inference', 'training')

CHECK = flags.DEFINE_bool('check', False, 'Compare only.')


def of_runs(name: str) -> str:
  """The table of configs/tables/NAME.py; `experiments.table` gives it with every column, rows that
  are missing, and a link a number.
  """
  table = spec.load(name)
  lines = cells.build(table, RESULTS)
  return output.markdown(table, lines, ROOT, page=True).rstrip()


def layers() -> str:
  """One row a shape (B, L, D, P): how many times longer and larger the others are than fused."""
  head = [
    '| D-LinOSS layer (B, L, D, P) | fused, forward / training | published scan | S5, its scan '
    '| memory of published training | float32 error, ours / published |',
    '|---|---|---|---|---|---|',
  ]
  found = json.loads(BENCH.read_text())['layer']
  plain = {case: row for case, row in found.items() if 'malloc' not in case}
  return '\n'.join([*head, *(_layer(case, row) for case, row in plain.items())])


def _layer(case: str, row: dict) -> str:
  ms = ' / '.join(f'{row["measured"][f"{what}_fused"]["ms"]:.1f}' for what in WHAT)
  times = lambda suffix: ' / '.join(f'{row[f"ratio_{what}{suffix}"]:.1f}' for what in WHAT)
  errors = f'{row["max_error_f32"]:.0e} / {row["max_error_f32_published"]:.0e}'
  cells = (case.replace(',', ', '), f'{ms} ms', f'{times("")} ×', f'{times("_s5")} ×')
  return '| ' + ' | '.join([*cells, f'{row["ratio_memory"]:.0f} ×', errors]) + ' |'


def comparisons() -> str:
  """Times of published stacks and of CNN blocks, each relative to ours, for both page sizes."""
  bench = json.loads(BENCH.read_text())
  head = ['| what | pages | forward | training |', '|---|---|---|---|']
  rows = [row for case, found in bench['stack'].items() for row in _stack(case, found)]
  rows += [row for case, found in bench['block'].items() for row in _block(case, found)]
  return '\n'.join([*head, *rows])


def _pages(case: str) -> str:
  return 'huge' if 'hugetlb' in case else 'as they come'


def _stack(case: str, found: dict) -> list[str]:
  names = {
    'published scan in our blocks / ours': '',
    'blocks as published / ours': '_published_settings',
  }
  times = lambda suffix: [f'{found[f"ratio_{what}{suffix}"]:.1f}' for what in STACK]
  cells = {f'4 blocks, {name}': times(suffix) for name, suffix in names.items()}
  return [f'| {name} | {_pages(case)} | {" | ".join(row)} |' for name, row in cells.items()]


def _block(case: str, found: dict) -> list[str]:
  pairs = {key.rsplit('_', 1)[0] for key in found if '_over_' in key}
  rows = []
  for pair in sorted(pairs):
    ours, cnn = pair.split('_over_')
    kind, width = cnn.removeprefix('conv_').split('_')
    directions = 'both directions' if 'bidirectional' in ours else 'one direction'
    name = f'D-LinOSS block, {directions} / {kind} CNN block of {width} channels, same parameters'
    cells = ' | '.join(f'{found[f"{pair}_{what}"]:.2f}' for what in WHAT)
    rows.append(f'| {name} | {_pages(case)} | {cells} |')
  return rows


def backbones() -> str:
  """One row a backbone of two million parameters: times of one call and temporary memory."""
  found = next(iter(json.loads(BENCH.read_text())['backbones'].values()))
  rows = {name: row for name, row in found.items() if isinstance(row, dict) and 'params' in row}
  head = [
    '| backbone | parameters | width | forward | training | temporary memory of training |',
    '|---|---|---|---|---|---|',
  ]
  cells = lambda row: (
    f'{row["params"]:,} | {row["width"]} | {row["forward_ms"]:.0f} ms | '
    f'{row["training_ms"]:,.0f} ms | {row["temp_mib"]:,.0f} MiB'
  )
  order = sorted(rows, key=lambda name: rows[name]['training_ms'])
  return '\n'.join([*head, *(f'| `{name}` | {cells(rows[name])} |' for name in order)])


TRANSFORMS = {
  'hilbert': 'Hilbert transform of the window',
  'fft_pad2': 'FFT of the odd extension, pad 2',
  'fft_pad8': 'FFT of the odd extension, pad 8',
  'trapezoid': 'trapezoid, pole removed',
  'piecewise_linear': 'piecewise linear, exact',
  'maclaurin': 'Maclaurin',
  'ours': 'ours, float64',
  'ours_float32': 'ours, float32',
}


def transforms() -> str:
  """One row a Kramers-Kronig transform: largest error of three samples, and time."""
  row = next(iter(json.loads(BENCH.read_text())['kk'].values()))
  samples = {'one_line': 'one line', 'five_bands': 'five bands', 'water_like': 'like water'}
  head = [
    f'| transform | {" | ".join(samples.values())} | 256 × 2048 in float32 |',
    '|---|---|---|---|---|',
  ]
  lines = []
  for method, label in TRANSFORMS.items():
    errors = ' | '.join(f'{row["errors"][sample][method]:.0e}' for sample in samples)
    lines.append(f'| {label} | {errors} | {_transform_time(row, method)} |')
  return '\n'.join([*head, *lines])


def _transform_time(row: dict, method: str) -> str:
  """Of float32, which is the one that was timed: float64 has none."""
  found = row['measured'].get(f'forward_{method.removesuffix("_float32")}')
  return '' if method == 'ours' or found is None else f'{found["ms"]:.1f} ms'


def materials() -> str:
  """One row a tabulated material: RMS of n from k by number of anchors."""
  row = next(iter(json.loads(BENCH.read_text())['optical_constants'].values()))
  found = {name: cell for name, cell in row.items() if isinstance(cell, dict) and 'anchors' in cell}
  head = ['| n from k | no anchor | 1 | 2 | 3 |', '|---|---|---|---|---|']
  cell = lambda of: f'{of["rms_delta_n"]:.0e} ({of["rms_delta_n_all"]:.0e})'
  cells = lambda name: ' | '.join(cell(of) for of in found[name]['by_anchors'].values())
  return '\n'.join([*head, *(f'| {name} | {cells(name)} |' for name in sorted(found))])


MEASURED = {
  'layers': layers,
  'comparisons': comparisons,
  'backbones': backbones,
  'transforms': transforms,
  'materials': materials,
}


def updated(page: pathlib.Path) -> str:
  """The text of a page with each of its tables as it is today."""

  def renew(found: re.Match) -> str:
    name = found['name']
    table = MEASURED[name]() if name in MEASURED else of_runs(name)
    return f'{found["head"]}\n{table}\n{found["end"]}'

  return MARKED.sub(renew, page.read_text())


def main(argv: list[str]) -> None:
  if len(argv) > 1:
    raise app.UsageError(f'unexpected arguments {argv[1:]}')
  for page in PAGES:
    text = updated(page)
    if not CHECK.value:
      page.write_text(text)
    elif text != page.read_text():
      sys.exit(f'error: {page} is not what the reports say; run `python -m experiments.readme`')


if __name__ == '__main__':
  app.run(main)
