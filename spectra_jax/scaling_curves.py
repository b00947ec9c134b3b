"""Errors against the number of training molecules and of parameters, from the lines of a table."""

import collections
from collections.abc import Callable, Sequence

from spectra_jax.tables.cells import Line
from spectra_jax.tables.runs import Run
from spectra_jax.tables.spec import MODEL

Curve = list[tuple[float, float, float, float]]  # x, value and the ends of its interval


def molecules(run: Run) -> int:
  """How many are in training."""
  return run.report['split']['rows']['train']


def parameters(run: Run) -> int:
  return run.report['parameters']


def against_molecules(lines: Sequence[Line]) -> dict[str, Curve]:
  """Of the model size that was trained on most numbers of molecules, and of the baselines."""
  sizes = collections.Counter(parameters(line.runs[0]) for line in _models(lines))
  size = max(sizes, key=sizes.get)
  mine = [line for line in _models(lines) if parameters(line.runs[0]) == size]
  others = [line for line in lines if line.runs and line.method != MODEL]
  return _curves(mine, molecules) | _curves(others, molecules)


def against_parameters(lines: Sequence[Line]) -> dict[str, Curve]:
  """Of all sizes that were trained on the most molecules."""
  most = max(molecules(line.runs[0]) for line in _models(lines))
  return _curves([line for line in _models(lines) if molecules(line.runs[0]) == most], parameters)


def _models(lines: Sequence[Line]) -> list[Line]:
  """The lines of models.

  Raises:
    ValueError: there are none.
  """
  found = [line for line in lines if line.runs and line.method == MODEL]
  if not found:
    raise ValueError(
      'no run of the table is there, expected some to draw; run its sweep, or correct the folder'
    )
  return found


def _curves(lines: Sequence[Line], x: Callable[[Run], int]) -> dict[str, Curve]:
  """'column' of models, 'column, row' of others -> points, x ascending; missing ones left out."""
  found: dict[str, Curve] = {}
  for line in lines:
    for cell in line.cells:
      if cell.value is None or not cell.column.regime:
        continue
      name = cell.column.label + ('' if line.method == MODEL else f', {line.label}')
      low, high = (cell.value if end is None else end for end in (cell.low, cell.high))
      found.setdefault(name, []).append((x(line.runs[0]), cell.value, low, high))
  return {name: sorted(curve) for name, curve in found.items()}
