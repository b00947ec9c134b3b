"""A paper's runs and tables: what is missing is run, then every table is made again.

A part of a paper is a mapping with 'sweeps', 'cells', 'studies' and 'tables'; configs/paper.py says
what each of them holds.
"""

import itertools
import pathlib
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ml_collections import ConfigDict

from spectra_jax import protocols
from spectra_jax.sweeps import local, points, status
from spectra_jax.tables import cells, output, spec
from spectra_jax.workdir import write_bytes_atomic

PAGE = 'paper.md'
CLASSICAL = 'chemometrics'  # folder of the reports of classical methods below the root
Part = Mapping[str, Sequence[Any]]
Launch = Callable[[Sequence[local.Job]], Mapping[str, Mapping[str, Any]]]


def chosen(config: ConfigDict, only: Sequence[str]) -> Part:
  """The parts of a paper as one; those that `only` names, all if it names none.

  Raises:
    ValueError: there is no such part.
  """
  names = [part['name'] for part in config.parts]
  unknown = [name for name in only if name not in names]
  if unknown:
    raise ValueError(
      f'the paper has no part {unknown[0]!r}, expected one of {", ".join(names)}; correct --only'
    )
  parts = [part for part in config.parts if part['name'] in only or not only]
  held = ('sweeps', 'cells', 'studies', 'tables')
  return {what: [x for part in parts for x in part[what]] for what in held}


def with_data(part: Part, data_dir: pathlib.Path | None) -> tuple[Part, list[str]]:
  """What of a part can be run, and the names of the data sets that are not there for the rest.

  Args:
    part: see configs/paper.py.
    data_dir: folder of the folders of all real data sets; None = there are none.

  Raises:
    ValueError: `data_dir` is no folder.
  """
  if data_dir is not None and not data_dir.is_dir():
    raise ValueError(
      f'--data_dir is {data_dir}, which is no folder; expected that of the folders of all real '
      'data sets; correct it, or leave it away to leave out what needs them'
    )
  there = lambda name: data_dir is not None and protocols.found(data_dir, name).is_dir()
  folder = lambda protocol: protocols.PROTOCOLS[protocol][0]
  used = {name for sweep in part['sweeps'] for name in sweep['data'].values()}
  used |= {folder(protocol) for group in part['cells'] for protocol in group['protocols']}
  sweeps = [sweep for sweep in part['sweeps'] if all(map(there, sweep['data'].values()))]
  left = lambda group: tuple(p for p in group['protocols'] if there(folder(p)))
  groups = [{**group, 'protocols': left(group)} for group in part['cells']]
  return {**part, 'sweeps': sweeps, 'cells': groups}, sorted(x for x in used if not there(x))


def jobs(
  part: Part, root: pathlib.Path, data_dir: pathlib.Path | None, say: Callable[[str], None]
) -> list[local.Job]:
  """Every point of every sweep and every cell as a command; the sweeps' roots are written.

  Args:
    part: see configs/paper.py; its data are there.
    root: folder of all runs.
    data_dir: folder of the folders of all real data sets; None where the part needs none.
    say: what is told of a point that is left out or has another name.

  Raises:
    ValueError: a sweep that is none, or a folder that belongs to other runs.
  """
  networks = [_points(sweep, root, data_dir, say) for sweep in part['sweeps']]
  classical = [_cells(group, root, data_dir) for group in part['cells']]
  return [job for found in (*networks, *classical) for job in found]


def _points(sweep: Mapping[str, Any], root: pathlib.Path, data_dir, say) -> list[local.Job]:
  folder = root / sweep['folder']
  asked = sweep['points'] or points.of_config(sweep['config'])
  data = {key: str(protocols.found(data_dir, name)) for key, name in sweep['data'].items()}
  planned, same = points.plan(sweep['config'], asked, data)
  settled, renamed = points.settle(planned, folder)
  for sentence in [*same, *renamed]:
    say(sentence)
  return points.jobs(settled, folder, prefix=f'{sweep["folder"]}/')


def _cells(group: Mapping[str, Any], root: pathlib.Path, data_dir) -> list[local.Job]:
  """One process a cell: `experiments.chemometrics` makes the report in the folder of the job."""
  found, root = [], root / CLASSICAL
  for cell in itertools.product(group['protocols'], group['methods'], group['preprocessings']):
    protocol, method, preprocessing = cell
    name = f'{protocol}/{method}-{preprocessing}'
    words = {
      'protocols': protocol,
      'methods': method,
      'preprocessings': preprocessing,
      'data_dir': data_dir,
      'root': root,
      'output': root / name / f'{CLASSICAL}.json',  # several at a time, each writes its own
    }
    flags = (f'--{key}={value}' for key, value in words.items())
    command = (sys.executable, '-m', 'experiments.chemometrics', *flags)
    found.append(local.Job(f'{CLASSICAL}/{name}', root / name, command))
  return found


def run(every: Sequence[local.Job], launch: Launch, say: Callable[[str], None]) -> list[str]:
  """Launches what is unfinished; names of what has still not finished afterwards.

  Args:
    every: the jobs of a paper.
    launch: runs jobs and returns when they have ended, well or not.
    say: what is told of how many there are.
  """
  left = status.unfinished(every, say=lambda _: None)
  say(f'{len(every) - len(left)} of {len(every)} runs are there or running, {len(left)} to run')
  if left:
    launch(left)
  return [job.name for job in every if status.of_folder(job.folder).state != 'finished']


def studies(
  part: Part, root: pathlib.Path, data_dir: pathlib.Path | None, say: Callable[[str], None]
) -> list[str]:
  """Runs what reports on finished runs or on the data, one after the other; names of what failed.

  What needs data that are not there is left out. Reports that are there are not made again, but
  those of poles, which take seconds.

  Args:
    part: see configs/paper.py.
    root: folder of all runs.
    data_dir: folder of the folders of all real data sets; None = there are none.
    say: what is told of each.
  """
  failed = []
  for study in part['studies']:
    there = data_dir is not None and all(
      protocols.found(data_dir, name).is_dir() for name in study['data']
    )
    if study['data'] and not there:
      say(f'left out: {study["folder"]}, whose data are not there')
      continue
    flags = {**study['flags'], 'root': root / study['folder']}
    flags |= {'data_dir': data_dir} if study['data'] else {}
    words = (f'--{key}={value}'.replace('{root}', str(root)) for key, value in flags.items())
    say(f'{study["folder"]}: experiments.{study["binary"]}')
    command = (sys.executable, '-m', f'experiments.{study["binary"]}', *words)
    done = subprocess.run(command, stdout=sys.stderr, check=False)
    failed += [study['folder']] if done.returncode else []
  return failed


def tables(names: Sequence[str], root: pathlib.Path, folder: pathlib.Path) -> list[dict[str, Any]]:
  """Makes each table of configs/tables, and a page with all of them.

  Returns:
    What `output.write` says of each, with the `results` of its cells.

  Raises:
    ValueError: runs that cannot stand in one table.
  """
  specs = [spec.load(name) for name in names]
  made, page = [], []
  for table in specs:
    lines = cells.build(table, root)
    made.append({**output.write(table, lines, folder), 'results': output.results(lines)})
    page += [f'## {table.name}', '', output.markdown(table, lines, folder)]
    if (picture := f'{table.name}.png') in [pathlib.Path(x).name for x in made[-1]['files']]:
      page += [f'![{table.name}]({picture})', '']
  write_bytes_atomic(folder / PAGE, '\n'.join(page).encode())
  return made
