"""What a molecular formula says: numbers of atoms, and how far from saturated they are."""

import re
from collections.abc import Sequence

import numpy as np

ELEMENTS = ('H', 'C', 'N', 'O', 'F', 'S', 'Cl')
# Bonds that an atom of each has in the usual organic molecule, of which unsaturation is counted.
VALENCE = {'H': 1, 'C': 4, 'N': 3, 'O': 2, 'F': 1, 'S': 2, 'Cl': 1}
PROPERTIES = (*ELEMENTS, 'unsaturation')
_ATOMS = re.compile(r'([A-Z][a-z]?)(\d*)')


def atom_counts(formulas: Sequence[str]) -> np.ndarray:
  """[N, Y] float64: atoms of each of `ELEMENTS`, and rings and double bonds, 1 + sum n (v - 2) / 2.

  Args:
    formulas: such as C2H6O, without charges or brackets.

  Raises:
    ValueError: a formula that cannot be read, or an element that is not among them.
  """
  distinct, place_N = np.unique(np.asarray(formulas, str), return_inverse=True)
  return np.array([_counts(formula) for formula in distinct])[place_N]


def _counts(formula: str) -> list[float]:
  parts = _ATOMS.findall(formula)
  counts = dict.fromkeys(ELEMENTS, 0)
  for element, number in parts:
    counts[element] = counts.get(element, 0) + int(number or 1)
  read = ''.join(element + number for element, number in parts) == formula
  if not (formula and read) or set(counts) != set(ELEMENTS):
    raise ValueError(
      f'the formula is {str(formula)!r}, expected atoms of {", ".join(ELEMENTS)} and their '
      'numbers, such as C2H6O; leave the molecule out'
    )
  free = sum(number * (VALENCE[element] - 2) for element, number in counts.items())
  return [*counts.values(), 1 + free / 2]
