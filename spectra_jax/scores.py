"""Scores a test group: what intervals and tests of a table need of a run, and nothing else.

A score is a ratio of sums, so a run leaves two sums a group. The name of a score is its dotted path
in the results of report.json, and sum(numerators) / sum(denominators) is the number found there.
"""

import io
import os
import pathlib
import zipfile
from collections.abc import Mapping

import numpy as np

from spectra_jax.workdir import write_bytes_atomic

FILE = 'scores.npz'
Ratios = Mapping[str, tuple[np.ndarray, np.ndarray]]


def by_group(ratios: Ratios, group_N: np.ndarray) -> dict[str, np.ndarray]:
  """{'groups': [G] names, name: [2, G] sums of numerators and denominators}.

  Args:
    ratios: name -> (numerator [N], denominator [N]), one of each an example.
    group_N: name of each example's group.
  """
  groups_G, place_N = np.unique(np.asarray(group_N, str), return_inverse=True)
  sums = lambda x_N: np.bincount(place_N, np.float64(x_N), len(groups_G))
  found = {name: np.stack([sums(part) for part in pair]) for name, pair in ratios.items()}
  return {'groups': groups_G, **found}


def write(workdir: str | os.PathLike, sums: Mapping[str, np.ndarray]) -> None:
  """workdir/scores.npz, whole or not at all."""
  content = io.BytesIO()
  np.savez_compressed(content, **sums)
  write_bytes_atomic(pathlib.Path(workdir) / FILE, content.getvalue())


def read(workdir: str | os.PathLike) -> dict[str, np.ndarray] | None:
  """What `write` wrote; None where the run left none.

  Raises:
    ValueError: the file is damaged.
  """
  path = pathlib.Path(workdir) / FILE
  if not path.exists():
    return None
  try:
    with np.load(path, allow_pickle=False) as arrays:
      return {name: arrays[name] for name in arrays.files}
  except (OSError, ValueError, zipfile.BadZipFile, EOFError) as error:
    raise ValueError(
      f'{path} cannot be read ({error}); expected the scores that the run wrote; delete it and run '
      'the same command again, which only evaluates'
    ) from None
