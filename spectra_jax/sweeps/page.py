"""A sweep as one HTML page: points, metrics, charts, figures. No server, no network, no script.

It is read from the folders alone, so it can be written at any time, also of a sweep that still
runs, by `python -m experiments.sweep report --root=ROOT`. Figures are linked where they lie:
the page goes with its folder.
"""

import datetime
import html
import json
import math
import pathlib
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from spectra_jax.log import METRICS
from spectra_jax.sweeps import charts, points, status
from spectra_jax.sweeps.local import LOG
from spectra_jax.workdir import write_bytes_atomic

PAGE = 'index.html'
SIGNS = {
  'finished': '✓',
  'failed': '✗',
  'lost': '✗',
  'running': '…',
  'stopped': '■',
  'waiting': '·',
}
AS_IT_IS = '–'  # where a point does not override a key that others do
STYLE = """
body { font: 19px/1.45 system-ui, sans-serif; margin: 2em auto; max-width: 1240px; padding: 0 1em;
  color: #111; background: #fff; }
h1 { font-size: 1.7em; } h2 { font-size: 1.35em; margin-top: 1.6em; }
.wide { overflow-x: auto; } table { border-collapse: collapse; }
table { font-size: .87em; }
th, td { text-align: left; padding: .25em .8em .25em 0; border-bottom: 1px solid #ccc;
  vertical-align: top; white-space: nowrap; }
td:first-child { white-space: normal; min-width: 20em; overflow-wrap: anywhere; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
tr.failed td, tr.lost td { background: #fbe9e0; }
pre { background: #f3f3f3; padding: .6em; overflow-x: auto; }
summary { cursor: pointer; } svg { width: 100%; height: auto; }
figure { margin: 1em 0; } figure img { max-width: 100%; } .quiet { color: #555; }
"""
# Whatever a folder's name or log holds: the browser runs nothing and asks nobody.
POLICY = "default-src 'none'; img-src 'self' file:; style-src 'unsafe-inline'"


def write(root: pathlib.Path) -> pathlib.Path:
  """Writes ROOT/index.html, whole or not at all, and returns its path.

  Raises:
    ValueError: `root` is no sweep.
  """
  root = pathlib.Path(root)
  sweep, found = points.read(root), status.read(root)
  reports = {point.name: _json(root / point.name / 'report.json') for point in sweep.points}
  metric, mode = _metric(root, sweep)
  curves = {p.name: _curve(root / p.name / METRICS, f'val/{metric}') for p in sweep.points}
  curves = {name: curve for name, curve in curves.items() if curve}
  scores = {name: curve[-1][1] for name, curve in curves.items()}
  label = f'validation {metric}'
  whole = {name: score for name, score in scores.items() if reports[name]}
  best = {'min': min, 'max': max}[mode](whole, key=whole.get, default=None)
  body = [
    _head(root, sweep, found),
    '<h2>Points</h2>',
    _table(root, sweep, found, reports, scores, label, best),
    *_charts(sweep, scores, curves, label),
    *_figures(root, sweep, scores, best),
  ]
  path = root / PAGE
  write_bytes_atomic(path, _document(f'Sweep {root.resolve().name}', body).encode())
  return path


def _document(title: str, body: Sequence[str]) -> str:
  head = [
    '<!DOCTYPE html>',
    '<html lang="en"><head><meta charset="utf-8">',
    f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
    '<meta name="viewport" content="width=device-width">',
    f'<title>{html.escape(title)}</title><style>{STYLE}</style></head><body>',
    f'<h1>{html.escape(title)}</h1>',
  ]
  return '\n'.join([*head, *body, '</body></html>', ''])


def _head(root: pathlib.Path, sweep: points.Sweep, found: Sequence[status.Status]) -> str:
  said = ', '.join(f'{n} {state}' for state, n in status.counts(found).items() if n)
  now = datetime.datetime.now(datetime.UTC).strftime('%Y-%m-%d %H:%M UTC')
  config = f'<code>{html.escape(sweep.config)}</code>'
  return f'<p>{len(found)} points of {config}: {said}. <span class="quiet">As of {now}.</span></p>'


# ---- what the folders say ---------------------------------------------------


def _json(path: pathlib.Path) -> Any:
  return json.loads(path.read_text()) if path.exists() else None


def _metric(root: pathlib.Path, sweep: points.Sweep) -> tuple[str, str]:
  """The metric that chooses the best model, and 'min' or 'max', of the first point that began."""
  for point in sweep.points:
    begun = _json(root / point.name / 'config.json')
    if begun:
      chosen = begun['config']['checkpoint']
      return chosen['best_metric'], chosen['best_mode']
  return 'metric', 'min'  # nothing has begun: no column or chart has a number


def _curve(path: pathlib.Path, key: str) -> list[tuple[int, float]]:
  """(step, value) of each whole line that has a finite one."""
  if not path.exists():
    return []
  found = []
  for text in path.read_text(errors='replace').splitlines():
    try:
      record = json.loads(text)
      found.append((record['step'], record[key]))
    except (ValueError, KeyError, TypeError):  # half a line, or one without the metric
      continue
  return [(step, x) for step, x in found if isinstance(x, int | float) and math.isfinite(x)]


def headline(results: Mapping[str, Any]) -> dict[str, tuple[float, Sequence[float] | None]]:
  """Group -> (NRE, its interval) of a report; of one without any, its plain numbers."""
  groups = {name: group for name, group in results.items() if isinstance(group, Mapping)}
  nre = {n: (g['nre'], g.get('interval')) for n, g in groups.items() if _number(g.get('nre'))}
  return nre or {name: (value, None) for name, value in results.items() if _number(value)}


def _number(value: Any) -> bool:
  return isinstance(value, int | float) and not isinstance(value, bool)


# ---- the table --------------------------------------------------------------


def _table(
  root: pathlib.Path,
  sweep: points.Sweep,
  found: Sequence[status.Status],
  reports: Mapping[str, Any],
  scores: Mapping[str, float],
  label: str,
  best: str | None,
) -> str:
  """One row a point: state, validation, the test's numbers with their intervals, overrides."""
  keys = list(dict.fromkeys(key for point in sweep.points for key in point.overrides))
  of = {name: headline(report['results']) for name, report in reports.items() if report}
  groups = list(dict.fromkeys(group for each in of.values() for group in each))
  short = points.shorten(set(keys))
  head = ['point', 'state', 'step', label, *(f'test {group} [95 %]' for group in groups)]
  head += ['minutes', *(short[key] for key in keys)]
  rows = ['<tr>' + ''.join(f'<th>{html.escape(name)}</th>' for name in head) + '</tr>']
  for point, state in zip(sweep.points, found, strict=True):
    cells = [_name(root, point.name), _state(state), _text(f'{state.step}/{state.steps or "?"}')]
    cells.append(_value(scores.get(point.name), mark=' ★ best' * (point.name == best)))
    cells += [_value(*of.get(point.name, {}).get(group, (None,))) for group in groups]
    cells.append(_value(state.wall_s / 60 if state.wall_s is not None else None))
    cells += [_text(point.overrides.get(key, '')) for key in keys]
    rows.append(f'<tr class="{state.state}">{"".join(cells)}</tr>')
  return '\n'.join(['<div class="wide"><table>', *rows, '</table></div>'])


def _name(root: pathlib.Path, name: str) -> str:
  """The point's name, and links to what lies in its folder."""
  there = [file for file in ('report.json', LOG) if (root / name / file).exists()]
  links = ''.join(f' <a href="{_link(name, file)}">{file}</a>' for file in there)
  return f'<td>{html.escape(name)}<br><span class="quiet">{links}</span></td>'


def _state(state: status.Status) -> str:
  said = f'{SIGNS[state.state]} {state.state}'
  if not state.last_lines:
    return f'<td>{said}</td>'
  tail = html.escape('\n'.join(state.last_lines))
  code = html.escape(str(state.returncode))
  return f'<td><details><summary>{said}, {code}</summary><pre>{tail}</pre></details></td>'


def _text(value: Any) -> str:
  return f'<td>{html.escape(charts.written(value))}</td>'


def _value(value: float | None, interval: Sequence[float] | None = None, mark: str = '') -> str:
  if value is None:
    return '<td></td>'
  ends = f' [{interval[0]:.3f}, {interval[1]:.3f}]' if interval else ''
  return f'<td class="number">{value:.4g}{ends}{mark}</td>'


def _link(*parts: str) -> str:
  return quote('/'.join(parts))


# ---- charts and figures -----------------------------------------------------


def _charts(
  sweep: points.Sweep,
  scores: Mapping[str, float],
  curves: Mapping[str, Sequence[tuple[int, float]]],
  label: str,
) -> Iterable[str]:
  varying = _varying(sweep)
  short = points.shorten(set(varying))
  value = lambda point, key: point.overrides.get(key, AS_IT_IS)
  rows = {p.name: {short[key]: value(p, key) for key in varying} for p in sweep.points}
  if varying:
    yield '<h2>Overrides</h2>'
    if any(AS_IT_IS in row.values() for row in rows.values()):
      yield f'<p>{AS_IT_IS} stands for what the config says, where a point overrides nothing.</p>'
    yield charts.parallel_coordinates(rows, scores, label)
  two = [short[key] for key in varying if key != 'seed']
  if len(two) == 2 and scores:
    cells: dict[tuple, list[float]] = {}
    for name, score in scores.items():
      cells.setdefault(tuple(_hashable(rows[name][key]) for key in two), []).append(score)
    mean = {cell: statistics.fmean(found) for cell, found in cells.items()}
    counts = {cell: len(found) for cell, found in cells.items()}
    yield f'<p>{html.escape(label)}; the number of points in a mean is in parentheses.</p>'
    yield charts.heat_map(mean, (two[0], two[1]), label, counts)
  if curves:
    yield '<h2>Learning curves</h2>'
    yield charts.learning_curves(curves, scores, label)


def _varying(sweep: points.Sweep) -> list[str]:
  """Overrides that differ between points, be it that some points do not have them."""
  keys = dict.fromkeys(key for point in sweep.points for key in point.overrides)
  values = lambda key: {str(point.overrides.get(key, AS_IT_IS)) for point in sweep.points}
  return [key for key in keys if len(values(key)) > 1]


def _hashable(value: Any) -> Any:
  return value if isinstance(value, str | int | float) else str(value)


def _figures(
  root: pathlib.Path, sweep: points.Sweep, scores: Mapping[str, float], best: str | None
) -> Iterable[str]:
  """Those of each point, folded; the best point's are open."""
  drawn = {p.name: sorted((root / p.name / 'figures').glob('*.png')) for p in sweep.points}
  drawn = {name: files for name, files in drawn.items() if files}
  if drawn:
    yield '<h2>Figures</h2>'
  for name, files in drawn.items():
    score = f', {charts.written(scores[name])}' if name in scores else ''
    opened = ' open' if name == best else ''
    yield f'<details{opened}><summary>{html.escape(name + score)}</summary>'
    for file in files:
      link, caption = _link(name, 'figures', file.name), html.escape(file.stem)
      image = f'<img loading="lazy" src="{link}" alt="{caption} of {html.escape(name)}">'
      yield f'<figure><a href="{link}">{image}</a><figcaption>{caption}</figcaption></figure>'
    yield '</details>'
