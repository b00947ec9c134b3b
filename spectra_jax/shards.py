"""Arrays of rows in memory-mapped pieces: data that do not fit in memory, gathered by row.

A shard is a plain .npy file of consecutive rows. Rows are chosen and arrays are joined without
reading anything; only a gather touches the disk, and only the rows it asks for.
"""

import hashlib
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

BLOCK = 1024  # rows at a time wherever a whole side is gone through


class Sharded:
  """Rows of several arrays as one [N, ...] array that is read where it is indexed.

  Indexing by a slice, a list of rows or a boolean mask gives a numpy array with the rows in that
  order; `np.asarray` reads everything.
  """

  def __init__(self, pieces: Sequence[np.ndarray], piece_N: np.ndarray, row_N: np.ndarray):
    """Row i is `pieces[piece_N[i]][row_N[i]]`."""
    self.pieces, self.piece_N, self.row_N = tuple(pieces), piece_N, row_N
    self.shape = (len(row_N), *self.pieces[0].shape[1:])
    self.dtype, self.ndim = self.pieces[0].dtype, self.pieces[0].ndim

  def __len__(self) -> int:
    return len(self.row_N)

  def __getitem__(self, rows: Any) -> np.ndarray:
    piece_B, row_B = np.atleast_1d(self.piece_N[rows]), np.atleast_1d(self.row_N[rows])
    gathered = np.empty((len(row_B), *self.shape[1:]), self.dtype)
    # Row by row: a copy of 4 kB costs more than the loop, and no row is copied twice.
    for i, (piece, row) in enumerate(zip(piece_B.tolist(), row_B.tolist(), strict=True)):
      gathered[i] = self.pieces[piece][row]
    return gathered[0] if np.ndim(self.row_N[rows]) == 0 else gathered

  def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
    return self[:] if dtype is None else self[:].astype(dtype, copy=False)

  def select(self, rows: np.ndarray) -> 'Sharded':
    """These rows in this order, unread."""
    return Sharded(self.pieces, self.piece_N[rows], self.row_N[rows])


def select(values: np.ndarray | Sharded, rows: np.ndarray) -> np.ndarray | Sharded:
  """Rows of an array: at once where it is in memory, unread where it is in shards."""
  return values.select(rows) if isinstance(values, Sharded) else values[rows]


def concatenate(parts: Sequence[np.ndarray | Sharded]) -> np.ndarray | Sharded:
  """One array of all rows; unread when all parts are in shards."""
  if not all(isinstance(part, Sharded) for part in parts):
    return np.concatenate([np.asarray(part) for part in parts])
  starts = np.cumsum([0, *(len(part.pieces) for part in parts)])
  pieces = [piece for part in parts for piece in part.pieces]
  piece_N = np.concatenate([p.piece_N + start for p, start in zip(parts, starts, strict=False)])
  return Sharded(pieces, piece_N, np.concatenate([part.row_N for part in parts]))


class Computed:
  """Rows that are computed when they are indexed, from others that need not be in memory."""

  def __init__(self, count: int, compute: Callable[[np.ndarray], np.ndarray]):
    """`compute` takes row numbers [B] and gives the rows [B, L]."""
    self._count, self._compute = count, compute

  def __len__(self) -> int:
    return self._count

  def __getitem__(self, rows: np.ndarray) -> np.ndarray:
    return self._compute(rows)


Rows = np.ndarray | Sharded | Computed


def blocks(values: Rows, rows: np.ndarray) -> Iterator[np.ndarray]:
  """These rows in float64, `BLOCK` at a time."""
  for start in range(0, len(rows), BLOCK):
    yield np.float64(values[rows[start : start + BLOCK]])


def moments(
  values: np.ndarray | Sharded, rows: np.ndarray, root: bool = False
) -> tuple[np.ndarray, np.ndarray]:
  """Means over rows of x and of x^2, [L] float64 each; of square roots x = sqrt(v) if `root`.

  One block after the other, wherever the values lie: memory and shards give the same bits.
  """
  total, square = 0.0, 0.0
  for block in blocks(values, rows):
    total = total + (np.sqrt(block) if root else block).sum(0)
    square = square + (block if root else block**2).sum(0)
  return total / len(rows), square / len(rows)


def write(folder: pathlib.Path, name: str, rows: np.ndarray) -> dict:
  """Writes one shard, folder/name.npy; returns what `read` needs: {'file', 'rows', 'sha256'}."""
  path = folder / f'{name}.npy'
  np.save(path, rows)
  return {'file': path.name, 'rows': len(rows), 'sha256': _hash(path)}


def read(folder: pathlib.Path, files: Sequence[dict], verify: bool) -> Sharded:
  """Maps the shards of `write` in this order; `verify` compares their sha256, which reads them.

  Raises:
    ValueError: a file is missing, or is not the one that was written.
  """
  for entry in files:
    path = folder / entry['file']
    if not path.exists() or (verify and _hash(path) != entry['sha256']):
      what = 'damaged: its sha256 is not the recorded one' if path.exists() else 'missing'
      raise ValueError(
        f'shard {path} is {what}; expected the file as it was written; delete {folder}, and the '
        'next start writes it anew'
      )
  # np.asarray: indexing an np.memmap goes through Python each time.
  pieces = [np.asarray(np.load(folder / entry['file'], mmap_mode='r')) for entry in files]
  for entry, piece in zip(files, pieces, strict=True):
    if len(piece) != entry['rows']:
      raise ValueError(
        f'shard {folder / entry["file"]} has {len(piece)} rows, expected {entry["rows"]}; delete '
        f'{folder}, and the next start writes it anew'
      )
  piece_N = np.repeat(np.arange(len(pieces), dtype=np.int32), [len(piece) for piece in pieces])
  row_N = np.concatenate([np.arange(len(piece)) for piece in pieces])
  return Sharded(pieces, piece_N, row_N)


def _hash(path: pathlib.Path) -> str:
  with open(path, 'rb') as file:
    return hashlib.file_digest(file, 'sha256').hexdigest()
