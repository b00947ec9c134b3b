"""Writes the results table of README.md from the committed reports, or checks that it is theirs.

python -m experiments.readme          # rewrite
python -m experiments.readme --check  # exit 1 when README.md says something else
"""

import json
import pathlib
import sys

from absl import app, flags

ROOT = pathlib.Path(__file__).parent.parent
REPORTS = ROOT / 'experiments' / 'results' / 'pretrain'
BEGIN, END = '<!-- results: generated', '<!-- end of results -->'
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


def updated(text: str) -> str:
  """`text` with the table between the two marks."""
  head, rest = text.split(BEGIN, 1)
  mark, rest = rest.split('\n', 1)
  return f'{head}{BEGIN}{mark}\n{table()}\n{END}' + rest.split(END, 1)[1]


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
