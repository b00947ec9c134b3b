"""What every data set of measured spectra has in common: read natively, load on an axis.

A file of `datasets/` says what is in the data set's own files (`parse`) and binds the rest here:

  read, load, there = native.bind(INFO, parse)

`parse(place, source)` gives the spectra on the grids they were measured on, one row a spectrum.
"""

import dataclasses
import pathlib
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from spectra_jax import data_files, prepared, shards
from spectra_jax.align import align
from spectra_jax.data_files import Info
from spectra_jax.spectra import Spectra

ALL = slice(None)
Native = Spectra | list[Spectra]
Parse = Callable[[pathlib.Path, str], Native]
Read = Callable[[str | pathlib.Path], Native]


def bind(info: Info, parse: Parse) -> tuple[Read, Callable, Callable]:
  """(read, load, there) of a data set without options."""
  read = reader(info, parse)

  def load(axis: np.ndarray, rows: slice = ALL, *, path: str = '') -> Mapping[str, Spectra]:
    """The spectra on `axis` [cm^-1], one `Spectra` a kind, row for row the same samples."""
    return on_axis(read(path), axis, rows)

  return read, load, counter(read)


def reader(info: Info, parse: Parse) -> Read:
  """`read` of a data set: raw or prepared, its files checked."""

  def read(path: str | pathlib.Path) -> Native:
    """The spectra on their native grids, from the data set's own folder or a prepared one.

    Raises:
      FileNotFoundError: no folder, or a file is missing.
      ValueError: a file is not the one that INFO names, or holds something else.
    """
    place = data_files.place(path, info)
    if prepared.is_one(place):
      return prepared.read(place, info)
    spectra = parse(place, data_files.verify(place, info))
    check_names(spectra, info['name'])
    return spectra

  return read


def counter(read: Read) -> Callable[[str | pathlib.Path], tuple[str, int]]:
  """`there` of a data set."""

  def there(path: str | pathlib.Path = '') -> tuple[str, int]:
    """(sha256 of the data, how many rows `load` gives at most)."""
    spectra = as_list(read(path))
    kinds = {one.kind for one in spectra}
    count = max(sum(len(one) for one in spectra if one.kind == kind) for kind in kinds)
    return spectra[0].source, count

  return there


def as_list(spectra: Native | Sequence[Spectra]) -> list[Spectra]:
  return [spectra] if isinstance(spectra, Spectra) else list(spectra)


def on_axis(
  spectra: Native | Sequence[Spectra], axis: np.ndarray, rows: slice = ALL
) -> dict[str, Spectra]:
  """kind -> these rows of it on `axis` [cm^-1]; see `align` for what happens to the grids.

  Raises:
    ValueError: kinds whose rows are not the same samples in the same order, or grids without unit.
  """
  parts: dict[str, list[Spectra]] = {}
  for one in as_list(spectra):
    parts.setdefault(one.kind, []).append(one)
  _check_paired(parts)
  return {kind: align(take(of_kind, rows), axis) for kind, of_kind in parts.items()}


def take(spectra: Sequence[Spectra], rows: slice) -> list[Spectra]:
  """The rows that a slice picks from all rows in order, each on its own grid."""
  ends = np.cumsum([len(one) for one in spectra])
  wanted = np.arange(ends[-1])[rows]
  owner = np.searchsorted(ends, wanted, side='right')
  local = wanted - (ends - [len(one) for one in spectra])[owner]
  taken = [spectra[i].take(local[owner == i]) for i in np.unique(owner)]
  return taken or [spectra[0].take(slice(0, 0))]


def of_kind(spectra: Native | Sequence[Spectra], kind: str) -> list[Spectra]:
  """Those of one kind; '' where there is only one.

  Raises:
    ValueError: '' although there are several kinds, or a kind that is not there.
  """
  return _chosen(as_list(spectra), 'kind', kind)


def of_state(spectra: Native | Sequence[Spectra], state: str) -> list[Spectra]:
  """Those of one state; '' where there is only one. Raises as `of_kind`."""
  return _chosen(as_list(spectra), 'state', state)


def _chosen(spectra: Sequence[Spectra], what: str, wanted: str) -> list[Spectra]:
  there = sorted({getattr(one, what) for one in spectra})
  if (wanted or there[0]) not in there or (not wanted and len(there) > 1):
    raise ValueError(
      f'{what} is {wanted!r}, expected one of {", ".join(there)}, which the data hold; choose one, '
      f'as spectra of several {what}s are not rows of one array'
    )
  return [one for one in spectra if getattr(one, what) == (wanted or there[0])]


def alike(spectra: Sequence[Spectra]) -> list[Spectra]:
  """The spectra with the meta columns that all of them have."""
  names = [name for name in spectra[0].meta if all(name in one.meta for one in spectra)]
  return [
    dataclasses.replace(one, meta={name: one.meta[name] for name in names}) for one in spectra
  ]


def joined(spectra: Sequence[Spectra]) -> Native:
  """One `Spectra` where all are on one grid, in one unit, kind and state; else as they are."""
  first = spectra[0]
  same = lambda one: (
    np.array_equal(one.axis, first.axis)
    and (one.axis_unit, one.kind, one.state) == (first.axis_unit, first.kind, first.state)
  )
  if not all(map(same, spectra)):
    return list(spectra)
  meta = {name: np.concatenate([one.meta[name] for one in spectra]) for name in first.meta}
  values, mask = (
    shards.concatenate([getattr(one, what) for one in spectra]) for what in ('values', 'mask')
  )
  return dataclasses.replace(first, values=values, mask=mask, meta=meta)


def check_names(spectra: Native, name: str) -> None:
  """Raises a ValueError unless all rows have an id, unique within a kind and state, and a group."""
  seen = set()
  for one in as_list(spectra):
    missing = {'id', 'group'} - set(one.meta)
    if missing:
      raise ValueError(f'{name} gives no {" and no ".join(sorted(missing))} of its rows; add them')
    for row in one.meta['id'].tolist():
      if (one.kind, one.state, row) in seen:
        raise ValueError(f'{name} has {one.kind} spectrum {row!r} twice; expected unique ids')
      seen.add((one.kind, one.state, row))


def _check_paired(parts: Mapping[str, Sequence[Spectra]]) -> None:
  ids = {kind: np.concatenate([one.meta['id'] for one in of]) for kind, of in parts.items()}
  (first, wanted), *others = ids.items()
  for kind, found in others:
    if not np.array_equal(found, wanted):
      raise ValueError(
        f'{first} and {kind} are not row for row the same samples ({len(wanted)} and {len(found)} '
        'rows), expected pairs; choose one kind'
      )
