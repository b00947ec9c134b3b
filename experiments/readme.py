"""Writes the tables of README.md from the committed reports, or checks that they are theirs.

python -m experiments.readme          # rewrite
python -m experiments.readme --check  # exit 1 when README.md says something else
"""

import functools
import json
import pathlib
import sys

from absl import app, flags

from configs import physics_ablation
from spectra_jax import metrics

ROOT = pathlib.Path(__file__).parent.parent
REPORTS = ROOT / 'experiments' / 'results' / 'pretrain'
ABLATION = ROOT / 'experiments' / 'results' / 'physics_ablation'
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
  return _cells([label, *cells, _split(report), '1', time])


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


# Column -> (quantity, part of it; '' = the whole).
ERRORS = {
  'optical_constants': {'NRE of n': ('n', ''), 'NRE of k': ('k', '')},
  'paired': {
    'NRE of IR': ('ir', ''),
    'NRE of Raman': ('raman', ''),
    'IR, centrosymmetric': ('ir', 'centrosymmetric'),
    'Raman, centrosymmetric': ('raman', 'centrosymmetric'),
  },
}
LAWS = {
  'kramers_kronig': 'residual of n - T k',
  'negative_k': 'points with k < 0',
  'overlap': 'overlap of IR and Raman',
  'negative': 'points below 0',
}


def ablation(task: str) -> str:
  """Each setting: a row a way of asking for the laws, over seeds; then baselines and the truth."""
  settings = {}
  for path in sorted(ABLATION.glob(f'{task}-*/report.json')):
    report = json.loads(path.read_text())
    modes = settings.setdefault(physics_ablation.setting(report['config']), {})
    modes.setdefault(physics_ablation.mode(report['config']), []).append(report)
  laws = next(iter(next(iter(settings['all'].values()))))['results']['laws']
  names = ['learns from', 'laws', *ERRORS[task], *(LAWS[law] for law in laws)]
  head = [*names, 'parameters', 'training step', 'regime, split', 'seeds']
  rows = [_cells(head), '|' + '---|' * len(head)]
  shown = set()
  for setting in sorted(settings, key=lambda name: (name != 'all', name)):
    modes = settings[setting]
    rows += [_mode(task, setting, mode, modes[mode]) for mode in sorted(modes, key=_place)]
    first = modes['none'][0]
    if first['split']['hash'] not in shown:  # baselines know nothing of weights of losses
      rows += _beside(task, setting, first)
      shown.add(first['split']['hash'])
  return '\n'.join(rows)


def _place(mode: str) -> tuple[int, str]:
  return ('none', 'soft').index(mode) if mode in ('none', 'soft') else 2, mode


def _cells(cells: list[str]) -> str:
  return '| ' + ' | '.join(cells) + ' |'


def _seeds(values: list[float]) -> str:
  """Mean and 95 % interval; of one seed its value alone."""
  if len(values) == 1:
    return f'{values[0]:.3f}'
  return '{:.3f} [{:.3f}, {:.3f}]'.format(*metrics.mean_interval(values))


def _mode(task: str, setting: str, mode: str, reports: list[dict]) -> str:
  nre = [_seeds([_nre(r, 'model', *of) for r in reports]) for of in ERRORS[task].values()]
  broken = reports[0]['results']['laws']
  laws = [_law([r['results']['laws'][law]['model'] for r in reports]) for law in broken]
  name = mode if mode in ('none', 'soft') else f'by construction: `{mode}`'
  timed = next(iter(json.loads(BENCH.read_text())['laws'].values()))[f'{task}-{mode}']
  cost = [f'{reports[0]["parameters"]:,}', f'{timed["ms"]:.0f} ms']
  return _cells([setting, name, *nre, *laws, *cost, _split(reports[0]), str(len(reports))])


def _beside(task: str, setting: str, report: dict) -> list[str]:
  """Rows of the methods without a network, and of what the truth itself scores on the laws."""
  laws = report['results']['laws']
  methods = [m for m in next(iter(laws.values())) if m not in ('model', 'truth')]
  rows = {m: [f'{_nre(report, m, *of):.3f}' for of in ERRORS[task].values()] for m in methods}
  rows['truth'] = ['0'] * len(ERRORS[task])
  broken = lambda method: [_law([laws[law][method]]) for law in laws]
  return [
    _cells([setting, f'*{m}*', *nre, *broken(m), '', '', _split(report), ''])
    for m, nre in rows.items()
  ]


def _nre(report: dict, method: str, quantity: str, part: str) -> float:
  result = report['results'][quantity]
  if part:
    return result['parts'][part][method]
  return result['nre' if method == 'model' else method]


def _law(values: list[float]) -> str:
  mean = sum(values) / len(values)
  return '0' if mean == 0 else f'{mean:.2g}'


def _split(report: dict) -> str:
  return f'{report["split"]["regime"]}, `{report["split"]["hash"]}`'


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


TABLES = {
  'results': table,
  'layers': layers,
  'comparisons': comparisons,
  'backbones': backbones,
  'transforms': transforms,
  'materials': materials,
  'optical_constants': functools.partial(ablation, 'optical_constants'),
  'paired': functools.partial(ablation, 'paired'),
}


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
