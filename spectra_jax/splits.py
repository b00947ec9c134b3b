"""Splits that say what they are: a regime, whole groups, a hash."""

import dataclasses
import hashlib
import json

import numpy as np

REGIMES = ('iid', 'grouped')


@dataclasses.dataclass(frozen=True)
class Split:
  """Row indices of the three sides, the regime they stand for, and a hash of all of it."""

  train: np.ndarray
  validation: np.ndarray
  test: np.ndarray
  regime: str
  hash: str


def make_split(
  ids: np.ndarray,
  groups: np.ndarray,
  regime: str,
  fractions: tuple[float, float, float],
  seed: int,
) -> Split:
  """Deals whole groups to train, validation and test.

  Groups are ordered by sha256(seed, group), so a group's place does not depend on which other
  groups are there, and dealt until each side holds its share of the rows.

  Args:
    ids: [N] names of the rows; they enter the hash.
    groups: [N] group of each row; ignored when `regime` is 'iid' (each row is its own group).
    regime: 'iid' or 'grouped'.
    fractions: shares of train, validation and test; they sum to 1.
    seed: another seed, another deal.

  Raises:
    ValueError: unknown regime, shares that do not sum to 1, or a side left empty.
  """
  if regime not in REGIMES:
    raise ValueError(f'split.regime is {regime!r}, expected one of {", ".join(REGIMES)}')
  if abs(sum(fractions) - 1) > 1e-9 or min(fractions) < 0:
    raise ValueError(f'split.fractions are {fractions}, expected three shares that sum to 1')
  keys = ids if regime == 'iid' else groups
  sides = _deal(np.asarray(keys), fractions, seed)
  for name, rows in zip(('train', 'validation', 'test'), sides, strict=True):
    if not len(rows):
      raise ValueError(
        f'the {name} side is empty: {len(set(keys))} groups cannot be dealt in shares {fractions}; '
        'use more data or other split.fractions'
      )
  return Split(*sides, regime=regime, hash=_hash(np.asarray(ids), sides, regime))


def thin_training(
  split: Split, ids: np.ndarray, groups: np.ndarray, share: float, seed: int
) -> Split:
  """Keeps whole training groups until they hold `share` of the training rows; the rest is left out.

  Validation and test do not change, so points of a scaling curve are comparable.
  """
  if not 0 < share <= 1:
    raise ValueError(f'split.train_share is {share}, expected a share in (0, 1]')
  if share == 1:
    return split
  kept = _deal(np.asarray(groups)[split.train], (share, 1 - share), seed)[0]
  if not len(kept):
    raise ValueError(f'split.train_share {share} leaves no training group; raise it')
  sides = [split.train[kept], split.validation, split.test]
  return Split(*sides, regime=split.regime, hash=_hash(np.asarray(ids), sides, split.regime))


def digest_order(keys: np.ndarray, seed: int) -> list[str]:
  """The distinct keys, ordered by sha256(seed, key)."""
  digest = lambda key: hashlib.sha256(f'{seed}:{key}'.encode()).hexdigest()
  return sorted({str(key) for key in keys}, key=digest)


def _deal(keys: np.ndarray, fractions: tuple[float, ...], seed: int) -> list[np.ndarray]:
  counts = dict(zip(*np.unique(keys.astype(str), return_counts=True), strict=True))
  ordered = digest_order(keys, seed)
  middle = np.cumsum([counts[key] for key in ordered]) - 0.5 * np.array(
    [counts[k] for k in ordered]
  )
  side = np.searchsorted(np.cumsum(fractions)[:-1], middle / len(keys), side='right')
  side_of = dict(zip(ordered, side, strict=True))
  row_side = np.array([side_of[str(key)] for key in keys])
  return [np.flatnonzero(row_side == i) for i in range(len(fractions))]


def folds(groups: np.ndarray, count: int, seed: int = 0) -> list[np.ndarray]:
  """`count` disjoint held-out row sets that together cover all rows; groups stay whole."""
  return _deal(np.asarray(groups), (1 / count,) * count, seed)


def _hash(ids: np.ndarray, sides: list[np.ndarray], regime: str) -> str:
  named = [[str(ids[i]) for i in rows] for rows in sides]
  return hashlib.sha256(json.dumps([regime, named]).encode()).hexdigest()[:16]
