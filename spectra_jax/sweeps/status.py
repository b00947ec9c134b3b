"""How far the points of a sweep are, each read from its own folder; nothing is kept centrally."""

import dataclasses
import datetime
import json
import os
import pathlib
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from spectra_jax.cost import ATTEMPTS
from spectra_jax.log import METRICS
from spectra_jax.report import text_table
from spectra_jax.sweeps import points
from spectra_jax.sweeps.local import EXIT, LOG, RUNNING, Job

# finished: report.json is there; lost: it runs no more and did not say how it ended.
STATES = ('finished', 'running', 'waiting', 'stopped', 'failed', 'lost')
SILENT_SECONDS = 900  # after so long without a line, a run on another machine counts as lost


@dataclasses.dataclass(frozen=True)
class Status:
  """One point: how far, how long still, and how it ended."""

  name: str
  state: str
  step: int  # completed updates
  steps: int | None  # of the whole run; None before its first start and where there are none
  left_s: float | None  # at the pace of this start; None where none can be told
  wall_s: float | None  # of a finished run, restarts included
  validation: dict[str, float | None]  # the newest
  silent_s: float | None  # since the last line
  returncode: int | None
  last_lines: list[str]


def read(root: str | pathlib.Path) -> list[Status]:
  """Every point of the sweep in `root`, in its order.

  Raises:
    ValueError: `root` is no sweep.
  """
  folder = pathlib.Path(root)
  return [of_folder(folder / point.name) for point in points.read(root).points]


def of_folder(folder: pathlib.Path) -> Status:
  """The state of one point, also while it changes."""
  ended, report = _json(folder / EXIT) or {}, _json(folder / 'report.json')
  config = (_json(folder / 'config.json') or {}).get('config')
  steps = config['train']['steps'] if config and 'train' in config else None
  records = _records(folder / METRICS)
  state = 'finished' if report is not None else _state(folder, ended)
  validations = [r for r in records if any(key.startswith('val/') for key in r)]
  step = records[-1]['step'] if records else 0
  return Status(
    name=folder.name,
    state=state,
    step=step,
    steps=steps,
    left_s=_left(folder, step, steps) if state == 'running' else None,
    wall_s=report['wall_s'] if report is not None else None,
    validation={
      key.removeprefix('val/'): value
      for key, value in (validations[-1] if validations else {}).items()
      if key.startswith('val/')
    },
    silent_s=_silent(folder),
    returncode=ended.get('returncode'),
    last_lines=ended.get('last_lines', []) if state == 'failed' else [],
  )


def unfinished(jobs: Sequence[Job], say: Callable[[str], None]) -> list[Job]:
  """Those that have neither finished nor run now; `say` is told of the others."""
  states = {job.name: of_folder(job.folder).state for job in jobs}
  for name, state in states.items():
    if state in ('finished', 'running'):
      say(f'{name}: {state} already')
  return [job for job in jobs if states[job.name] not in ('finished', 'running')]


def _state(folder: pathlib.Path, ended: Mapping[str, Any]) -> str:
  running = _json(folder / RUNNING)
  if running is not None:
    return 'running' if _alive(folder, running) else 'lost'
  if ended:
    return 'stopped' if ended.get('stopped') else 'failed'
  return 'waiting'


def _alive(folder: pathlib.Path, running: Mapping[str, Any]) -> bool:
  if running['host'] != socket.gethostname():
    silent = _silent(folder)
    return silent is not None and silent < SILENT_SECONDS
  try:
    os.kill(running['pid'], 0)
  except ProcessLookupError:
    return False
  except PermissionError:
    pass  # it lives, and is somebody else's
  return True


def _silent(folder: pathlib.Path) -> float | None:
  signs = [path.stat().st_mtime for name in (METRICS, LOG) if (path := folder / name).exists()]
  return round(max(0.0, time.time() - max(signs)), 1) if signs else None


def _left(folder: pathlib.Path, step: int, steps: int | None) -> float | None:
  """Seconds at the pace since this start, which compilation makes seem slower at first."""
  attempts = _json(folder / ATTEMPTS)
  if not attempts or steps is None:
    return None
  began = datetime.datetime.fromisoformat(attempts[-1]['started']).timestamp()
  done, took = step - attempts[-1]['first_step'], (folder / METRICS).stat().st_mtime - began
  return round((steps - step) * took / done, 1) if done > 0 and took > 0 else None


def _records(path: pathlib.Path) -> list[dict[str, Any]]:
  """The lines that are whole; the last one may be written right now."""
  found = []
  for line in path.read_text(errors='replace').splitlines() if path.exists() else []:
    try:
      found.append(json.loads(line))
    except ValueError:
      continue
  return [record for record in found if isinstance(record, dict) and 'step' in record]


def _json(path: pathlib.Path) -> Any:
  try:
    return json.loads(path.read_text())
  except FileNotFoundError:  # not there yet, or no longer
    return None


# ---- for people -------------------------------------------------------------


def document(root: str | pathlib.Path, found: Sequence[Status]) -> dict[str, Any]:
  """The whole as one JSON object."""
  return {
    'root': str(root),
    'counts': counts(found),
    'left_s': left(found),
    'points': [dataclasses.asdict(status) for status in found],
  }


def counts(found: Sequence[Status]) -> dict[str, int]:
  """{state: how many points are in it}."""
  return {state: sum(status.state == state for status in found) for state in STATES}


def left(found: Sequence[Status]) -> float | None:
  """Seconds to the end if as many go on running; None before anything can be told from."""
  running = [status.left_s for status in found if status.state == 'running']
  whole = [status.wall_s for status in found if status.wall_s is not None]
  waiting = sum(status.state == 'waiting' for status in found)
  if not running or None in running or (waiting and not whole):
    return None
  each = sum(whole) / len(whole) if waiting else 0.0
  return round(max(max(running), (sum(running) + waiting * each) / len(running)), 1)


def table(found: Sequence[Status]) -> str:
  """One row a point, then one line in all."""
  rows = [['point', 'state', 'step', 'left', 'validation', 'last line']]
  rows += [_row(status) for status in found]
  failed = [line for status in found if status.state == 'failed' for line in _last(status)]
  in_all = ', '.join(f'{n} {state}' for state, n in counts(found).items() if n)
  remaining = left(found)
  tail = f'{in_all}; about {_time(remaining)} left' if remaining else in_all
  return '\n'.join([text_table(rows), *failed, tail])


def _row(status: Status) -> list[str]:
  step = f'{status.step}/{status.steps}' if status.steps else ''
  validation = ', '.join(
    f'{name} {value:.4f}' for name, value in status.validation.items() if value is not None
  )
  age = f'{_time(status.silent_s)} ago' if status.state in ('running', 'lost') else ''
  return [status.name, status.state, step, _time(status.left_s), validation, age]


def _last(status: Status) -> list[str]:
  return [
    f'{status.name}, exit status {status.returncode}:',
    *(f'  {x}' for x in status.last_lines[-5:]),
  ]


def _time(seconds: float | None) -> str:
  if seconds is None:
    return ''
  return f'{seconds:.0f} s' if seconds < 120 else f'{seconds / 60:.0f} min'
