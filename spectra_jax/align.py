"""Spectra of several grids on one axis: the only step from ragged to dense."""

import hashlib
from collections.abc import Sequence

import numpy as np

from spectra_jax.spectra import Spectra, check_axis

NM_PER_CM = 1e7  # nu [cm^-1] = 1e7 / lambda [nm]


def align(spectra: Sequence[Spectra], axis: np.ndarray, axis_unit: str = 'cm^-1') -> Spectra:
  """All rows of `spectra`, in order, on `axis` [L] by linear interpolation on their own grids.

  A point is measured (mask True) if it lies between two measured points of its spectrum, ends
  included; elsewhere the value is 0, never an extrapolation. Nothing is filtered: where `axis` is
  much coarser than a grid, narrow lines fall between its points; `preprocess.resample` averages.

  Args:
    spectra: of one kind and state; grids in cm^-1 or nm, or in `axis_unit`.
    axis: [L] strictly increasing.
    axis_unit: 'cm^-1', or 'nm'; grids in the other one are converted by 1e7 / x.

  Returns:
    Spectra with the meta columns that all have.

  Raises:
    ValueError: nothing to align, mixed kinds or states, or a grid that has no unit.
  """
  if not len(spectra):
    raise ValueError('there are no spectra to align, expected at least one')
  check_axis(axis, axis_unit)
  for what in ('kind', 'state'):
    found = sorted({getattr(one, what) for one in spectra})
    if len(found) > 1:
      raise ValueError(
        f'the spectra have {what}s {", ".join(found)}, expected one {what} on one axis; align '
        'them apart'
      )
  parts = [_interpolate(one, np.asarray(axis, np.float64), axis_unit) for one in spectra]
  values, mask = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
  names = [name for name in spectra[0].meta if all(name in one.meta for one in spectra)]
  meta = {name: np.concatenate([one.meta[name] for one in spectra]) for name in names}
  about = (axis_unit, spectra[0].kind, spectra[0].state)
  return Spectra(values, np.asarray(axis, np.float64), *about, mask, meta, joint_source(spectra))


def joint_source(spectra: Sequence[Spectra]) -> str:
  """The source of all, where they have one; else the sha256 of the list of their sources."""
  sources = list(dict.fromkeys(one.source for one in spectra))
  return (
    sources[0] if len(sources) == 1 else hashlib.sha256('\n'.join(sources).encode()).hexdigest()
  )


def grid_in(axis: np.ndarray, unit: str, wanted: str) -> tuple[np.ndarray, slice]:
  """(`axis` [L] in the unit `wanted`, increasing; the slice that orders its points so).

  Raises:
    ValueError: the axis counts points and has no unit.
  """
  if unit == wanted:
    return axis, slice(None)
  if 'index' in (unit, wanted):
    raise ValueError(
      f'a grid in {unit} cannot be brought onto an axis in {wanted}: indices of points are no '
      'wavenumbers; expected a grid in cm^-1 or nm; use the data on their own grid'
    )
  return (NM_PER_CM / axis)[::-1], slice(None, None, -1)


def _interpolate(
  spectra: Spectra, axis_L: np.ndarray, axis_unit: str
) -> tuple[np.ndarray, np.ndarray]:
  """(values, mask), [N, L] each."""
  grid_G, order = grid_in(spectra.axis, spectra.axis_unit, axis_unit)
  values_NxG = np.asarray(spectra.values)[:, order]
  mask_NxG = np.asarray(spectra.mask)[:, order]
  left_L = np.clip(np.searchsorted(grid_G, axis_L, side='right') - 1, 0, len(grid_G) - 2)
  weight_L = (axis_L - grid_G[left_L]) / np.diff(grid_G)[left_L]
  known_NxL = (mask_NxG[:, left_L] | (weight_L == 1)) & (mask_NxG[:, left_L + 1] | (weight_L == 0))
  known_NxL &= (weight_L >= 0) & (weight_L <= 1)
  clean_NxG = np.where(mask_NxG, values_NxG, 0.0).astype(np.float64)
  dense_NxL = clean_NxG[:, left_L] * (1 - weight_L) + clean_NxG[:, left_L + 1] * weight_L
  return np.where(known_NxL, dense_NxL, 0.0).astype(np.float32), known_NxL
