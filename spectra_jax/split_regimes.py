"""Splits whose test side is a group, an instrument, a later time; classes kept in training.

All of them keep groups whole: no group is on two sides. `made` of each split says what was chosen.
"""

import hashlib
from collections.abc import Sequence

import numpy as np

from spectra_jax.splits import (
  DEALT,
  Split,
  check_fractions,
  check_unique,
  cut,
  digest_order,
  of_sides,
  with_validation,
)


def stratified_split(
  ids: np.ndarray,
  groups: np.ndarray,
  labels: np.ndarray,
  regime: str,
  fractions: tuple[float, float, float],
  seed: int,
) -> Split:
  """Deals the groups of every class in these shares; every class has a group in training.

  The groups of a class lie on a circle in the order of sha256(seed, group), turned by a number
  drawn from (seed, class), and the circle is cut in the shares: also where a class has fewer groups
  than sides, each side gets its share of them on average. A class that this leaves without training
  gives it its first group, so that classes of one group are all in training.

  Args:
    ids: [N] names of the rows.
    groups: [N] what may not be separated; ignored when `regime` is 'iid'.
    labels: [N] class of each row.
    regime: 'iid' or 'grouped'.
    fractions: shares of train, validation and test.
    seed: another seed, another deal.

  Raises:
    ValueError: another regime, a group of two classes, or a side left empty.
  """
  if regime not in DEALT:
    raise ValueError(f'split.regime is {regime!r}, expected one of {", ".join(DEALT)}')
  check_fractions(fractions)
  keys, labels = np.asarray(ids if regime == 'iid' else groups, str), np.asarray(labels, str)
  class_of, side_of = _class_of(keys, labels), {}
  of_class: dict[str, list[str]] = {}
  for key in digest_order(keys, seed):
    of_class.setdefault(class_of[key], []).append(key)
  for name, mine in of_class.items():
    side_of |= dict(zip(mine, _on_circle(len(mine), fractions, _turn(name, seed)), strict=True))
  side_N = np.array([side_of[key] for key in keys])
  made = {'fractions': list(fractions), 'seed': seed, 'stratified': True}
  return of_sides(ids, [np.flatnonzero(side_N == side) for side in range(3)], regime, made)


def _class_of(keys: np.ndarray, labels: np.ndarray) -> dict[str, str]:
  found: dict[str, str] = {}
  for key, label in zip(keys.tolist(), labels.tolist(), strict=True):
    if found.setdefault(key, label) != label:
      raise ValueError(
        f'group {key!r} is of classes {found[key]!r} and {label!r}, expected one: a group cannot '
        'be dealt by its class; leave out the stratification or correct the labels'
      )
  return found


def _turn(name: str, seed: int) -> float:
  """A number in [0, 1) from (seed, name)."""
  return int(hashlib.sha256(f'turn:{seed}:{name}'.encode()).hexdigest()[:12], 16) / 16**12


def _on_circle(count: int, fractions: Sequence[float], turn: float) -> np.ndarray:
  """[count] sides of groups at (i + 1/2) / count + turn; the first trains if none does."""
  place = ((np.arange(count) + 0.5) / count + turn) % 1.0
  side = np.searchsorted(np.cumsum(fractions)[:-1], place, side='right')
  if (side > 0).all():
    side[0] = 0
  return side


def leave_group_out(
  ids: np.ndarray, groups: np.ndarray, validation: float, seed: int
) -> list[Split]:
  """A split for every group (sample, batch, day, operator, instrument): it alone is the test side.

  Args:
    ids: [N] names of the rows.
    groups: [N] what is left out.
    validation: share of the other rows, in whole groups, that validate; 0 = none.
    seed: of that deal.

  Raises:
    ValueError: fewer than two groups, or too few for a validation side.
  """
  groups = np.asarray(groups, str)
  names = np.unique(groups)
  if len(names) < 2:
    raise ValueError(
      f'there are {len(names)} groups, expected at least 2 to leave one out; use another column'
    )
  check_unique(ids)
  none, found = np.empty(0, int), []
  for name in names:
    sides = [np.flatnonzero(groups != name), none, np.flatnonzero(groups == name)]
    split = of_sides(ids, sides, 'leave_group_out', {'test_on': str(name)})
    found.append(with_validation(split, ids, groups, validation, seed) if validation else split)
  return found


def forward_chaining(
  ids: np.ndarray, times: np.ndarray, groups: np.ndarray, blocks: int, validation: float
) -> list[Split]:
  """`blocks` - 1 splits along time: each block is predicted from all that came before it.

  Distinct times are cut into consecutive blocks of about the same number of rows; rows of one time
  stay together. A sample that is measured again in the test block is left out of what came before.

  Args:
    ids: [N] names of the rows.
    times: [N] numbers or dates, in their own order; texts sort as texts.
    groups: [N] what may not be separated.
    blocks: how many, at least 2.
    validation: share of the rows before the test block, the latest ones, that validate; 0 = none.

  Raises:
    ValueError: a time that is not known, or too few times for the blocks.
  """
  times, groups = np.asarray(times), np.asarray(groups, str)
  if (times != times).any():
    raise ValueError(
      f'row {np.flatnonzero(times != times)[0]} has no time, expected one of every row; leave '
      'it out'
    )
  parts = cut(times, [str(time) for time in np.unique(times)], (1 / blocks,) * blocks)
  if blocks < 2 or not all(map(len, parts)):
    raise ValueError(
      f'{len(np.unique(times))} times cannot be cut into {blocks} blocks, expected at least 2 '
      'blocks with rows in each; use fewer'
    )
  made = lambda k: {'block': k, 'blocks': blocks, 'validation': validation}
  found = []
  for k in range(1, blocks):
    before = np.concatenate(parts[:k])
    before = before[~np.isin(groups[before], groups[parts[k]])]
    sides = [*_latest_apart(before, times, groups, validation), parts[k]]
    found.append(of_sides(ids, sides, 'time', made(k)))
  return found


def _latest_apart(
  rows: np.ndarray, times: np.ndarray, groups: np.ndarray, share: float
) -> tuple[np.ndarray, np.ndarray]:
  """(earlier, latest) with `share` of the rows in the latter; its groups are not in the former."""
  order = [str(time) for time in np.unique(times[rows])]
  earlier, latest = (rows[part] for part in cut(times[rows], order, (1 - share, share)))
  return earlier[~np.isin(groups[earlier], groups[latest])], latest


def instrument_split(
  dealt: Split,
  ids: np.ndarray,
  instruments: np.ndarray,
  train_on: Sequence[str],
  test_on: Sequence[str],
) -> Split:
  """A split whose training sees some instruments, and whose test side others.

  The groups stay on the sides where `dealt` has them: a sample that both instruments measured is on
  one side only, so that what is tested is new in both ways. Rows of a side on the instruments of
  the other one are left out.

  Args:
    dealt: of whole groups, by `make_split` or `stratified_split`.
    ids: [N] names of the rows.
    instruments: [N] instrument, laser, probe or operator of each row.
    train_on: names of those that train and validate.
    test_on: names of those that test.

  Raises:
    ValueError: rows dealt one by one, an instrument that is not there or on both sides, or a side
      left empty.
  """
  instruments = np.asarray(instruments, str)
  there = sorted(set(instruments.tolist()))
  train_on, test_on = (tuple(map(str, names)) for names in (train_on, test_on))
  wrong = (set(train_on) | set(test_on)) - set(there) | set(train_on) & set(test_on)
  if wrong or not (train_on and test_on):
    raise ValueError(
      f'split.train_on is {train_on} and split.test_on {test_on}, expected names among '
      f'{", ".join(there)}, none on both sides and some on each; correct them'
    )
  if dealt.regime == 'iid':
    raise ValueError(
      'split.regime is iid below instruments, expected whole groups: one sample on two instruments '
      'would be on both sides; deal by samples'
    )
  on = lambda rows, names: rows[np.isin(instruments[rows], names)]
  sides = [on(dealt.train, train_on), on(dealt.validation, train_on), on(dealt.test, test_on)]
  made = {**dealt.made, 'train_on': list(train_on), 'test_on': list(test_on)}
  return of_sides(ids, sides, 'instrument', made)
