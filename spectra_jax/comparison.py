"""How two runs differ: config, versions, data, cost, metrics."""

import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from spectra_jax.report import text_table
from spectra_jax.tables import statistics
from spectra_jax.tables.runs import Run, flat

VERSIONS = ('python', 'packages', 'commit', 'dirty')
DATA = ('data_hash', 'split')
DEVICES = ('device', 'devices', 'processes', 'cpu_cores', 'parameters')
COST = ('attempts', 'wall_s', 'wall_s_total', 'energy_j', 'peak_host_bytes', 'spectra_per_s')
Pair = Sequence[Any]


def compare(one: pathlib.Path, other: pathlib.Path) -> dict[str, Any]:
  """What differs, as {part: {key: [of one, of other]}}; of an absent key null.

  'metrics' has every number of both results, with their difference, and a p value where they differ
  and both runs left scores of the same test groups: two-sided, paired by group, Holm's correction
  over all of them.

  Raises:
    ValueError: a folder that holds no run.
  """
  runs = [read(folder) for folder in (one, other)]
  reports = [run.report for run in runs]
  part = lambda keys: _differences(*(_picked(report, keys) for report in reports))
  return {
    'runs': [str(one), str(other)],
    'finished': ['results' in report for report in reports],
    'same_run': reports[0]['identity'] == reports[1]['identity'],
    'config': _differences(*(run.config for run in runs)),
    'versions': part(VERSIONS),
    'data': part(DATA),
    'devices': part(DEVICES),
    'cost': part(COST),
    'metrics': _metrics(*runs),
  }


def read(folder: pathlib.Path) -> Run:
  """A run, finished or not: of one without report.json only config and data are known.

  Raises:
    ValueError: neither report.json nor config.json of a run is there.
  """
  for name in ('report.json', 'config.json'):
    path = folder / name
    if not path.exists():
      continue
    try:
      document = json.loads(path.read_text())
      _ = document['identity']
      return Run(folder, document, flat(document['config']))
    except (ValueError, KeyError, TypeError, AttributeError):
      raise ValueError(
        f'{path} is not of a run; expected JSON written by experiments.train; give its folder'
      ) from None
  raise ValueError(
    f'{folder} has neither report.json nor config.json; expected the folder of a run; correct it'
  )


def _picked(report: Mapping[str, Any], keys: Sequence[str]) -> dict[str, Any]:
  return flat({key: report[key] for key in keys if key in report})


def _differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Pair]:
  pairs = {key: [one.get(key), other.get(key)] for key in sorted(one.keys() | other.keys())}
  return {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}


def _metrics(one: Run, other: Run) -> dict[str, dict[str, Any]]:
  both = [flat(run.report.get('results', {})) for run in (one, other)]
  number = lambda value: isinstance(value, int | float) and not isinstance(value, bool)
  keys = [key for key in both[0] if number(both[0][key]) and number(both[1].get(key))]
  found = {key: {'values': [x[key] for x in both], 'p': _p(one, other, key)} for key in keys}
  tested = [metric for metric in found.values() if metric['p'] is not None]
  held = statistics.holm(np.array([metric['p'] for metric in tested]))
  for metric, p in zip(tested, held, strict=True):
    metric['p'] = float(p)
  for metric in found.values():
    metric['difference'] = metric['values'][1] - metric['values'][0]
  return found


def _p(one: Run, other: Run, metric: str) -> float | None:
  name = f'results.{metric}'
  if one.groups != other.groups or one.number(name) == other.number(name):
    return None
  sums = [run.sums(name) for run in (one, other)]
  if any(x is None for x in sums) or statistics.shared(*sums).sum() < 2:
    return None
  return statistics.paired(*sums, 'permutation')


def text(document: Mapping[str, Any]) -> str:
  """Tables for a terminal: what differs, then the metrics that do."""
  parts = ('config', 'versions', 'data', 'devices', 'cost')
  rows = [['', *document['runs']]]
  rows += [[f'{p}: {key}', *map(_short, pair)] for p in parts for key, pair in document[p].items()]
  same = 'one run' if document['same_run'] else 'two runs'
  tables = [f'{same}; what differs:', text_table(rows)]
  unfinished = [
    name for name, done in zip(document['runs'], document['finished'], strict=True) if not done
  ]
  tables += [f'{name} has no report yet: there are no metrics' for name in unfinished]
  metrics = [['metric', *document['runs'], 'difference', 'p, by groups, Holm']]
  for key, metric in document['metrics'].items():
    if metric['difference']:
      p = '' if metric['p'] is None else f'{metric["p"]:.2g}'
      metrics.append([key, *(f'{x:.4g}' for x in metric['values'])])
      metrics[-1] += [f'{metric["difference"]:+.4g}', p]
  equal = sum(not metric['difference'] for metric in document['metrics'].values())
  tables += [text_table(metrics)] if len(metrics) > 1 else []
  tables += [f'{equal} metrics are equal'] if equal else []
  return '\n\n'.join(tables)


def _short(value: Any) -> str:
  if value is None:
    return '(absent)'
  written = str(value)
  return written if len(written) <= 40 else f'{written[:37]}...'
