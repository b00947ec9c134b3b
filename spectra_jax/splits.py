"""Splits that say what they are: a regime, whole groups, a hash.

`make_split` deals groups. Other ways to come to sides: split_regimes.py (the test side is a group,
an instrument, a later time) and split_designs.py (Kennard-Stone, SPXY); of configs:
split_configs.py; files: split_files.py.
Hyperparameters are chosen in grouped `folds` of the training side.
"""

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

DEALT = ('iid', 'grouped')  # by `make_split`
REGIMES = (
  *DEALT,
  'leave_group_out',  # one group after the other is the test side
  'time',  # the test side comes after training
  'instrument',  # test spectra are of instruments that training does not have, and of other groups
  'given',  # by those who published the data
  'kennard_stone',  # training surrounds the test side: an interpolation, kinder than it looks
  'spxy',  # likewise, in spectra and references
)
SIDES = ('train', 'validation', 'test')


@dataclasses.dataclass(frozen=True)
class Split:
  """Row indices of the three sides, the regime they stand for, and a hash of all of it.

  `made` holds what decided it (seed, shares, names), as it stands in the file of a split.
  """

  train: np.ndarray
  validation: np.ndarray
  test: np.ndarray
  regime: str
  hash: str
  made: Mapping[str, Any] = dataclasses.field(default_factory=dict)

  @property
  def sides(self) -> list[np.ndarray]:
    """Rows of train, validation and test."""
    return [self.train, self.validation, self.test]


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
  if regime not in DEALT:
    raise ValueError(f'split.regime is {regime!r}, expected one of {", ".join(DEALT)}')
  check_fractions(fractions)
  keys = ids if regime == 'iid' else groups
  sides = _deal(np.asarray(keys), fractions, seed)
  for name, rows in zip(('train', 'validation', 'test'), sides, strict=True):
    if not len(rows):
      raise ValueError(
        f'the {name} side is empty: {len(set(keys))} groups cannot be dealt in shares {fractions}; '
        'use more data or other split.fractions'
      )
  made = {'fractions': list(fractions), 'seed': seed}
  return Split(*sides, regime=regime, hash=row_hash(np.asarray(ids), sides, regime), made=made)


def check_fractions(fractions: Sequence[float]) -> None:
  """Raises a ValueError unless these are three shares of the rows."""
  if len(fractions) != 3 or abs(sum(fractions) - 1) > 1e-9 or min(fractions) < 0:
    raise ValueError(f'split.fractions are {fractions}, expected three shares that sum to 1')


def of_sides(
  ids: np.ndarray, sides: Sequence[np.ndarray], regime: str, made: Mapping[str, Any]
) -> Split:
  """The split of these rows; rows on no side are left out.

  Raises:
    ValueError: an unknown regime, ids that are not unique, a row on two sides, or nothing to learn
      from or to be tested on.
  """
  if regime not in REGIMES:
    raise ValueError(f'split.regime is {regime!r}, expected one of {", ".join(REGIMES)}')
  ids, sides = np.asarray(ids), [np.sort(np.asarray(rows, int)) for rows in sides]
  check_unique(ids)
  rows, times = np.unique(np.concatenate(sides), return_counts=True)
  if (times > 1).any():
    raise ValueError(
      f'{str(ids[rows[times > 1][0]])!r} is on two sides of a {regime} split, expected each row on '
      'one; correct what says where rows belong'
    )
  for name, side in zip(SIDES, sides, strict=True):
    if not len(side) and name != 'validation':
      raise ValueError(
        f'the {name} side of a {regime} split of {len(ids)} rows is empty, expected some; use more '
        'data or other shares'
      )
  return Split(*sides, regime=regime, hash=row_hash(ids, sides, regime), made=dict(made))


def told(split: Split) -> dict[str, Any]:
  """What a report says of the split; `check_told` asks for it."""
  return {
    'regime': split.regime,
    'hash': split.hash,
    'rows': {side: len(getattr(split, side)) for side in SIDES},
    'made': dict(split.made),
  }


def check_told(regime: str, split_hash: str) -> None:
  """Refuses to report a number of which nobody can say what it is a number of.

  Raises:
    ValueError: the regime is none of `REGIMES`, or the split has no hash.
  """
  if regime not in REGIMES or not split_hash:
    raise ValueError(
      f'a score has regime {regime!r} and split {split_hash!r}, expected one of '
      f'{", ".join(REGIMES)} and the hash of a split: without them it cannot be reported; make the '
      'sides with spectra_jax/splits.py'
    )


def check_unique(ids: np.ndarray) -> None:
  """Raises a ValueError that names the first id that is there twice."""
  names, times = np.unique(np.asarray(ids), return_counts=True)
  if (times > 1).any():
    raise ValueError(
      f'id {str(names[times > 1][0])!r} occurs {times.max()} times, expected every row to have one '
      'of its own: a split names its rows; number the repeats'
    )


def given(ids: np.ndarray, sides: np.ndarray) -> Split:
  """The sides that the publishers give: 'train', 'validation', 'test', or '' for rows left out.

  Groups are not looked at: `leakage.check_leakage` says what such a split separates.

  Raises:
    ValueError: another word, or nothing to learn from or to be tested on.
  """
  sides = np.asarray(sides, str)
  unknown = sorted(set(sides) - {*SIDES, ''})
  if unknown:
    raise ValueError(
      f'side {str(unknown[0])!r} is given, expected one of {", ".join(SIDES)} or an empty word; '
      "translate the publishers' names"
    )
  return of_sides(ids, [np.flatnonzero(sides == side) for side in SIDES], 'given', {})


def with_validation(
  split: Split, ids: np.ndarray, groups: np.ndarray, share: float, seed: int
) -> Split:
  """Takes whole groups with about `share` of the training rows as validation, at least one.

  Raises:
    ValueError: there is a validation side, or nothing is left to train.
  """
  if len(split.validation):
    raise ValueError(
      f'split {split.hash} has {len(split.validation)} validation rows, expected none where one is '
      'to be taken from training; use it as it is'
    )
  keys = np.asarray(groups).astype(str)[split.train]
  order = digest_order(keys, seed)
  taken, _ = cut(keys, order, (share, 1 - share))
  taken = np.isin(np.arange(len(keys)), taken) if len(taken) else keys == order[0]
  sides = [split.train[~taken], split.train[taken], split.test]
  made = {**split.made, 'validation': share, 'validation_seed': seed}
  return of_sides(ids, sides, split.regime, made)


def repeated(make: Callable[[int], Split], seeds: Sequence[int]) -> list[Split]:
  """[make(seed) for each seed], all different.

  Raises:
    ValueError: two seeds that give one split: their numbers would count twice.
  """
  found = [make(seed) for seed in seeds]
  first = {}
  for seed, split in zip(seeds, found, strict=True):
    if split.hash in first:
      raise ValueError(
        f'seeds {first[split.hash]} and {seed} give the same split {split.hash}, expected each to '
        'be another; drop one, or use a regime that has a seed'
      )
    first[split.hash] = seed
  return found


def common_regime(several: Sequence[Split]) -> str:
  """The regime of all of them; a ValueError where they have not one."""
  regimes = sorted({split.regime for split in several})
  if len(regimes) != 1:
    raise ValueError(
      f'splits of regimes {regimes} were given, expected one: their numbers mean different things; '
      'report them apart'
    )
  return regimes[0]


def joint_hash(several: Sequence[Split]) -> str:
  """One hash for several splits, in this order."""
  return digest([split.hash for split in several])


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
  hashed, made = (
    row_hash(np.asarray(ids), sides, split.regime),
    {**split.made, 'train_share': share, 'thinned_from': split.hash},
  )
  return Split(*sides, regime=split.regime, hash=hashed, made=made)


def digest_order(keys: np.ndarray, seed: int) -> list[str]:
  """The distinct keys, ordered by sha256(seed, key)."""
  digest = lambda key: hashlib.sha256(f'{seed}:{key}'.encode()).hexdigest()
  return sorted({str(key) for key in keys}, key=digest)


def _deal(keys: np.ndarray, fractions: tuple[float, ...], seed: int) -> list[np.ndarray]:
  return cut(keys, digest_order(keys, seed), fractions)


def cut(keys: np.ndarray, order: Sequence[str], fractions: Sequence[float]) -> list[np.ndarray]:
  """Rows of consecutive parts of the ordered keys, which hold these shares; keys stay whole."""
  counts = dict(zip(*np.unique(keys.astype(str), return_counts=True), strict=True))
  size = np.array([counts[key] for key in order])
  middle = np.cumsum(size) - 0.5 * size
  side = np.searchsorted(np.cumsum(fractions)[:-1], middle / len(keys), side='right')
  side_of = dict(zip(order, side, strict=True))
  row_side = np.array([side_of[str(key)] for key in keys])
  return [np.flatnonzero(row_side == i) for i in range(len(fractions))]


def folds(groups: np.ndarray, count: int, seed: int = 0) -> list[np.ndarray]:
  """`count` disjoint held-out row sets that together cover all rows; groups stay whole."""
  return _deal(np.asarray(groups), (1 / count,) * count, seed)


def row_hash(ids: np.ndarray, sides: Sequence[np.ndarray], regime: str) -> str:
  """What `Split.hash` is: of the regime and of the ids of every side, in the order of the rows."""
  return digest([regime, [[str(ids[i]) for i in rows] for rows in sides]])


def digest(document: Any) -> str:
  """16 hexadecimal digits of the sha256 of a JSON document."""
  return hashlib.sha256(json.dumps(document).encode()).hexdigest()[:16]
