"""A paper's runs and tables: what is missing is run, then every table is made again."""

import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from spectra_jax.sweeps import local, points, status
from spectra_jax.tables import cells, output, spec
from spectra_jax.workdir import write_bytes_atomic

PAGE = 'paper.md'
Launch = Callable[[Sequence[local.Job]], Mapping[str, Mapping[str, Any]]]


def jobs(
  sweeps: Sequence[Mapping[str, Any]], root: pathlib.Path, say: Callable[[str], None]
) -> list[local.Job]:
  """Every point of every sweep, as the command that trains it; the sweeps' roots are written.

  Args:
    sweeps: dicts of 'folder' below `root`, 'config', and 'points' (overrides, () = the config's).
    root: folder of all runs.
    say: what is told of a point that is left out or has another name.

  Raises:
    ValueError: a sweep that is none, or a folder that belongs to other runs.
  """
  found = []
  for sweep in sweeps:
    folder = root / sweep['folder']
    asked = sweep['points'] or points.of_config(sweep['config'])
    planned, same = points.plan(sweep['config'], asked)
    settled, renamed = points.settle(planned, folder)
    for sentence in [*same, *renamed]:
      say(sentence)
    found += points.jobs(settled, folder, prefix=f'{sweep["folder"]}/')
  return found


def run(sweeps: Sequence[Mapping[str, Any]], root: pathlib.Path, launch: Launch, say) -> list[str]:
  """Launches what is unfinished; names of what has still not finished afterwards.

  Args:
    sweeps, root, say: as for `jobs`.
    launch: runs jobs and returns when they have ended, well or not.
  """
  every = jobs(sweeps, root, say)
  left = status.unfinished(every, say=lambda _: None)
  say(f'{len(every) - len(left)} of {len(every)} runs are there or running, {len(left)} to run')
  if left:
    launch(left)
  return [job.name for job in every if status.of_folder(job.folder).state != 'finished']


def tables(names: Sequence[str], root: pathlib.Path, folder: pathlib.Path) -> list[dict[str, Any]]:
  """Makes each table of configs/tables, and a page with all of them: `output.write` of each.

  Raises:
    ValueError: runs that cannot stand in one table.
  """
  specs = [spec.load(name) for name in names]
  made, page = [], []
  for table in specs:
    lines = cells.build(table, root)
    made.append(output.write(table, lines, folder))
    page += [f'## {table.name}', '', output.markdown(table, lines, folder)]
    if (picture := f'{table.name}.png') in [pathlib.Path(x).name for x in made[-1]['files']]:
      page += [f'![{table.name}]({picture})', '']
  write_bytes_atomic(folder / PAGE, '\n'.join(page).encode())
  return made
