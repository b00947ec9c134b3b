"""Writes the tables of README.md from the committed reports, or checks that they are theirs.

python -m experiments.readme          # rewrite
python -m experiments.readme --check  # exit 1 when README.md says something else
"""

import json
import pathlib
import sys

from absl import app, flags

ROOT = pathlib.Path(__file__).parent.parent
REPORTS = ROOT / 'experiments' / 'results' / 'pretrain'
BENCH = ROOT / 'experiments' / 'results' / 'bench' / 'cpu-2-cores.json'
WHAT, STACK = ('forward', 'training'), ('inference', 'training')
BASELINES = ('gaussian', 'linear', 'nearest')

CHECK = flags.DEFINE_bool('check', False, 'Compare only.')


def table() -> str:
  """One row a run, then one a baseline and split: NRE with interval, for IR and Raman."""
  head = [
    '| method | IR NRE [95 %] | Raman NRE [95 %] | regime, split | seeds | wall time |',
    '|---|---|---|---|---|---|',
  ]
  reports = {path: json.loads(path.read_text()) for path in sorted(REPORTS.glob('*/report.json'))}
  runs = [_run(path, report) for path, report in reports.items()]
  baselines = [_row(name, report, name, '') for report in reports.values() for name in BASELINES]
  return '\n'.join([*head, *runs, *dict.fromkeys(baselines)])


def _run(path: pathlib.Path, report: dict) -> str:
  link = f'[{path.parent.name}]({path.relative_to(ROOT)}), {report["parameters"]:,} parameters'
  return _row(link, report, 'model', f'{report["wall_s"] / 60:.0f} min')


def _row(label: str, report: dict, method: str, time: str) -> str:
  cells = [_cell(report['results'][kind], method) for kind in ('ir', 'raman')]
  split = f'{report["split"]["regime"]}, `{report["split"]["hash"]}`'
  return '| ' + ' | '.join([label, *cells, split, '1', time]) + ' |'


def _cell(result: dict, method: str) -> str:
  low, high = result['intervals'][method]
  value = result['nre' if method == 'model' else method]
  return f'{value:.3f} [{low:.3f}, {high:.3f}]'


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


TABLES = {'results': table, 'layers': layers, 'comparisons': comparisons, 'backbones': backbones}


def updated(text: str) -> str:
  """`text` with each table between `<!-- NAME: generated ... -->` and `<!-- end of NAME -->`."""
  for name, make in TABLES.items():
    head, rest = text.split(f'<!-- {name}: generated', 1)
    mark, rest = rest.split('\n', 1)
    end = f'<!-- end of {name} -->'
    text = f'{head}<!-- {name}: generated{mark}\n{make()}\n{end}' + rest.split(end, 1)[1]
  return text


def main(argv: list[str]) -> None:
  if len(argv) > 1:
    raise app.UsageError(f'unexpected arguments {argv[1:]}')
  path = ROOT / 'README.md'
  text = path.read_text()
  if not CHECK.value:
    path.write_text(updated(text))
  elif text != updated(text):
    sys.exit('error: README.md is not what the reports say; run `python -m experiments.readme`')


if __name__ == '__main__':
  app.run(main)
