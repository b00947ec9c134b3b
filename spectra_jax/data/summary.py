"""What is in the shipped line lists, and how well they keep their laws."""

import collections
import csv
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from spectra_jax.datasets.computed import Lines
from spectra_jax.physics import intensities, selection_rules

MARKS = '<!-- generated: begin -->\n', '<!-- generated: end -->\n'  # of the data card


def fsum_residuals(lines: Lines) -> np.ndarray:
  """|sum_modes A + rotational term - F-sum total| / F-sum total of each molecule, [M].

  The rotational term is made anew from the shipped geometry, masses and dipole.
  """
  mass = lines.element_mass[np.searchsorted(lines.element_number, lines.atomic_number)]
  sizes = np.diff(lines.atom_offsets)
  real = np.arange(sizes.max()) < sizes[:, None]
  weights, x = np.zeros(real.shape), np.zeros((*real.shape, 3))
  weights[real], x[real] = mass, lines.position
  turning = intensities.rotational_term(weights, x, lines.dipole)
  total = np.add.reduceat(lines.ir_intensity, lines.mode_offsets[:-1])
  return np.abs(intensities.f_sum_residual(total[:, None], turning, lines.fsum_total))


def exclusion_leaks(lines: Lines) -> np.ndarray:
  """The largest intensity on the wrong side of mutual exclusion, [centrosymmetric molecules].

  max(IR of g modes / largest IR, Raman of u modes / largest Raman) of a molecule.
  """
  columns = lines.ir_intensity, lines.raman_activity, lines.parity
  rows = [lines.modes(m) for m in np.flatnonzero(lines.centrosymmetric)]
  leak = selection_rules.exclusion_leak
  return np.array([leak(*(column[modes] for column in columns)) for modes in rows])


def summary(lines: Lines) -> dict[str, Any]:
  """Counts and worst cases as JSON values."""
  leaks = exclusion_leaks(lines)
  return {
    'molecules': len(lines),
    'centrosymmetric': int(lines.centrosymmetric.sum()),
    'listed': int(lines.listed.sum()),
    'fsum_max_residual': float(fsum_residuals(lines).max()),
    'exclusion_max_leak': float(leaks.max(initial=0.0)),
    'modes': len(lines.frequency),
    'atoms': len(lines.atomic_number),
    'formulas': len(set(lines.formula.tolist())),
    'sum_rule_violation_median': float(np.median(lines.sum_rule_violation)),
    'sum_rule_violation_max': float(lines.sum_rule_violation.max()),
    'gradient_max': float(lines.gradient_max.max()),
    'frequency_range': [float(lines.frequency.min()), float(lines.frequency.max())],
    'heavy_atoms': _histogram(lines.heavy_atoms.tolist()),
    'elements': _elements(lines),
    'point_groups': _histogram(lines.point_group.tolist()),
  }


def _histogram(values: Sequence) -> dict[str, int]:
  counts = collections.Counter(values)
  return {str(key): counts[key] for key in sorted(counts)}


def _elements(lines: Lines) -> dict[str, int]:
  """Molecules that contain each element, by atomic number."""
  owner = np.repeat(np.arange(len(lines)), np.diff(lines.atom_offsets))
  return {
    str(z): len(np.unique(owner[lines.atomic_number == z])) for z in lines.element_number.tolist()
  }


def card(facts: dict[str, Any], refused: Sequence[str]) -> str:
  """The tables of the data card, in Markdown.

  Args:
    facts: what `summary` returns.
    refused: the reason of each refused candidate.
  """
  reasons = _histogram([reason.split(':')[0] for reason in refused])
  plain = ('molecules', 'centrosymmetric', 'listed', 'formulas', 'modes', 'atoms')
  exact = ('fsum_max_residual', 'exclusion_max_leak', 'sum_rule_violation_median')
  exact += ('sum_rule_violation_max', 'gradient_max')
  # Rounding alone differs between machines, so that it is told as a bound.
  error = lambda value: f'{value:.1e}' if value > 1e-13 else 'below 1e-13'
  numbers = {key: f'{facts[key]:,}' for key in plain} | {key: error(facts[key]) for key in exact}
  symbols = {'1': 'H', '6': 'C', '7': 'N', '8': 'O', '9': 'F', '16': 'S', '17': 'Cl'}
  elements = {symbols[z]: count for z, count in facts['elements'].items()}
  return '\n\n'.join(
    [
      _table('quantity', 'value', numbers),
      _table('heavy atoms', 'molecules', facts['heavy_atoms']),
      _table('element', 'molecules with it', elements),
      _table(
        'point group', 'molecules', {k or '(not told)': v for k, v in facts['point_groups'].items()}
      ),
      _table('reason of refusal', 'candidates', reasons),
    ]
  )


def _table(left: str, right: str, rows: dict[str, Any]) -> str:
  lines = [f'| {left} | {right} |', '|---|---|', *(f'| {k} | {v} |' for k, v in rows.items())]
  return '\n'.join(lines)


def rewrite_card(path: pathlib.Path, facts: dict[str, Any], refused: pathlib.Path) -> None:
  """Replaces what stands between the two marks of a data card."""
  reasons = [row['reason'] for row in csv.DictReader(refused.open())]
  text = path.read_text()
  head, tail = text.split(MARKS[0])[0], text.split(MARKS[1])[1]
  path.write_text(f'{head}{MARKS[0]}\n{card(facts, reasons)}\n\n{MARKS[1]}{tail}')
