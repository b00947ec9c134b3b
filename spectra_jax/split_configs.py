"""The split that a config asks for: regime, columns and names of `config.split`."""

import functools
from collections.abc import Mapping, Sequence

import numpy as np
from ml_collections import ConfigDict

from spectra_jax import split_designs
from spectra_jax.spectra import TARGET, Spectra
from spectra_jax.split_regimes import (
  forward_chaining,
  instrument_split,
  leave_group_out,
  stratified_split,
)
from spectra_jax.splits import (
  DEALT,
  Split,
  check_fractions,
  given,
  make_split,
  thin_training,
  with_validation,
)

FROM_META = (*DEALT, 'given', 'instrument', 'leave_group_out', 'time')
DESIGNS = ('kennard_stone', 'spxy')  # which look at the spectra


def from_config(config: ConfigDict, spectra: Mapping[str, Spectra]) -> Split:
  """The split of a data set that `config.split` asks for: from columns of its meta, or a design.

  A design chooses training and validation together, the first two of `split.fractions`, and then
  deals whole groups of them to validation. SPXY looks at the one target of config.task.regress.

  Raises:
    ValueError: what `from_meta` refuses, or a design of several kinds or targets.
  """
  asked, meta = config.split, next(iter(spectra.values())).meta
  if asked.regime not in DESIGNS:
    return from_meta(meta, **asked.to_dict())
  targets = tuple(config.task.regress.targets) if asked.regime == 'spxy' else ()
  if len(spectra) > 1 or (asked.regime == 'spxy' and len(targets) != 1):
    raise ValueError(
      f'split.regime is {asked.regime!r} with kinds {", ".join(spectra)} and task.regress.targets '
      f'{targets}, expected spectra of one kind, and one target for spxy; choose one of each'
    )
  check_fractions(asked.fractions)
  column, learned = functools.partial(_column, meta), 1 - asked.fractions[2]
  ids, groups = column('id'), column(asked.by)
  values_NxL = np.asarray(next(iter(spectra.values())).values)
  references = [column(f'{TARGET}{name}') for name in targets]
  design = split_designs.spxy if targets else split_designs.kennard_stone
  split = design(ids, values_NxL, *references, groups, learned)
  if asked.fractions[1]:
    share = asked.fractions[1] / learned
    split = with_validation(split, ids, groups, share, asked.seed)
  return thin_training(split, ids, groups, asked.train_share, asked.seed + asked.train_seed)


def from_meta(
  meta: Mapping[str, np.ndarray],
  *,
  regime: str,
  by: str,
  stratified: str,
  instrument: str,
  train_on: Sequence[str],
  test_on: Sequence[str],
  fractions: tuple[float, float, float],
  seed: int,
  train_share: float,
  train_seed: int,
) -> Split:
  """The split of rows with these meta columns that a config asks for: from_meta(meta, **c.split).

  Keywords are the keys of `config.split`, explained in configs/default.py. A `given` split without
  a validation side takes the second of `fractions` over the first two of them from training. Of
  `time`, `by` is the column of times, the third of `fractions` is one over the number of blocks,
  and `test_on` the number of the one that is tested, () = the last.

  Raises:
    ValueError: a regime that a config cannot ask for, a column that is not there, or what the
      regime refuses.
  """
  if regime not in FROM_META:
    raise ValueError(
      f'split.regime is {regime!r}, expected one of {", ".join(FROM_META)}, or of a whole config '
      f'{" or ".join(DESIGNS)}'
    )
  column, fractions = functools.partial(_column, meta), tuple(fractions)
  ids, groups = column('id'), column(by)
  if regime == 'given':
    share = fractions[1] / (fractions[0] + fractions[1])
    split = given(ids, column('side'))
    split = split if len(split.validation) else with_validation(split, ids, groups, share, seed)
  elif regime == 'leave_group_out':
    split = _named(leave_group_out(ids, groups, fractions[1], seed), tuple(test_on))
  elif regime == 'time':
    times, groups = groups, column('group')
    split = _block(ids, times, groups, fractions, tuple(test_on))
  else:
    how = ('grouped' if regime == 'instrument' else regime, fractions, seed)
    labels = (column(stratified),) if stratified else ()
    deal = stratified_split if stratified else make_split
    split = deal(ids, groups, *labels, *how)
    if regime == 'instrument':
      split = instrument_split(split, ids, column(instrument), train_on, test_on)
  return thin_training(split, ids, groups, train_share, seed + train_seed)


def _column(meta: Mapping[str, np.ndarray], name: str) -> np.ndarray:
  if name not in meta:
    raise ValueError(
      f'the data have no meta column {name!r} that config.split asks for, expected one of '
      f'{", ".join(meta)}; correct the name or the regime'
    )
  return meta[name]


def _named(several: Sequence[Split], test_on: tuple[str, ...]) -> Split:
  """The one of leave-one-group-out whose group is named."""
  found = [split for split in several if (split.made['test_on'],) == test_on]
  if len(found) != 1:
    raise ValueError(
      f'split.test_on is {test_on}, expected the name of one group to leave out, such as '
      f'{several[0].made["test_on"]!r}; see split.by'
    )
  return found[0]


def _block(
  ids: np.ndarray,
  times: np.ndarray,
  groups: np.ndarray,
  fractions: tuple[float, float, float],
  test_on: tuple[str, ...],
) -> Split:
  """The one of forward chaining whose block is named, the last of all if none is."""
  check_fractions(fractions)
  blocks = round(1 / fractions[2]) if fractions[2] else 0
  if blocks < 2 or abs(blocks * fractions[2] - 1) > 1e-6:
    raise ValueError(
      f'split.fractions are {fractions} of regime time, expected 1/2, 1/3, 1/4, ... for the test '
      'side, which is one block of time; change the third'
    )
  several = forward_chaining(ids, times, groups, blocks, fractions[1] / (1 - fractions[2]))
  of_block = {(str(split.made['block']),): split for split in several}
  named = tuple(map(str, test_on)) or (str(blocks - 1),)
  if named not in of_block:
    raise ValueError(
      f'split.test_on is {test_on} of regime time, expected one of 1 to {blocks - 1}, the number '
      'of the block that is tested, or none for the last'
    )
  return of_block[named]
