"""What a spectrum is before it becomes an array on a device: values, axis, kind, state, mask."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from spectra_jax import shards
from spectra_jax.shards import Sharded

KINDS = (
  'ir',
  'raman',
  'absorbance',
  'transmittance',
  'reflectance',
  'log_reflectance',
  'kubelka_munk',
  'counts',
  'n',
  'k',
  'atr',
  'baseline',
)
STATES = (
  'measured',
  'computed',
  'sqrt',
  'snv',
  'derivative',
  'normalised',
  'baseline_corrected',
  'scatter_corrected',
  'smoothed',
  'scores',
)
AXIS_UNITS = ('cm^-1', 'nm', 'index')
TARGET = 'target/'  # what meta columns of numbers to be predicted begin with


@dataclasses.dataclass(frozen=True)
class Spectra:
  """Spectra of one kind on one axis, on the host.

  Attributes:
    values: [N, L] float32, in memory or in shards; their unit follows from `kind` (see the data
      set's INFO).
    axis: [L] float64, strictly increasing, in `axis_unit`.
    axis_unit: 'cm^-1', 'nm' or 'index'.
    kind: one of `KINDS`; 'ir' and 'raman' are intensities, per cm^-1 where they are computed,
      'log_reflectance' is log10(1/R), 'kubelka_munk' (1 - R)^2 / 2R, 'counts' what a detector
      says, 'atr' -log10 of an attenuated total reflection, 'baseline' what is to be taken off.
    state: one of `STATES`; what was done to the values ('sqrt': their square root is stored,
      'scores': they were projected onto components).
    mask: [N, L] bool, True where a value was measured.
    meta: name -> [N] array: ids, groups, instruments, ...
    source: sha256 of the file that the values come from; part of a run's identity.

  Raises:
    ValueError: on a shape, axis, kind or value that cannot be a spectrum.
  """

  values: np.ndarray | Sharded
  axis: np.ndarray
  axis_unit: str
  kind: str
  state: str
  mask: np.ndarray | Sharded
  meta: Mapping[str, np.ndarray]
  source: str

  def __post_init__(self):
    check_member('kind', self.kind, KINDS)
    check_member('state', self.state, STATES)
    check_member('axis_unit', self.axis_unit, AXIS_UNITS)
    check_axis(self.axis, self.axis_unit)
    if self.values.ndim != 2 or self.values.shape[1] != len(self.axis):
      raise ValueError(
        f'{self.kind} values have shape {self.values.shape}, expected [N, {len(self.axis)}] on '
        'this axis; store one spectrum a row'
      )
    if self.mask.shape != self.values.shape:
      raise ValueError(
        f'mask has shape {self.mask.shape}, expected {self.values.shape} as the values have'
      )
    if isinstance(self.values, np.ndarray):  # shards were checked before they were written
      check_finite(self.values, self.mask, self.kind)
    for name, column in self.meta.items():
      if len(column) != len(self.values):
        raise ValueError(
          f'meta column {name!r} has {len(column)} rows, expected {len(self.values)} (one a row)'
        )

  def __len__(self) -> int:
    return len(self.values)

  def take(self, rows: slice | np.ndarray | list[int]) -> 'Spectra':
    """These rows in this order: a slice, indices or a boolean mask; shards stay unread.

    Raises:
      IndexError: a row that is not there.
    """
    rows = np.arange(len(self))[rows]
    values, mask = shards.select(self.values, rows), shards.select(self.mask, rows)
    meta = {name: column[rows] for name, column in self.meta.items()}
    return dataclasses.replace(self, values=values, mask=mask, meta=meta)


def check_member(what: str, value: str, legal: tuple[str, ...]) -> None:
  """Raises a ValueError that lists what is legal."""
  if value not in legal:
    raise ValueError(f'{what} is {value!r}, expected one of {", ".join(legal)}')


def check_axis(axis: np.ndarray, unit: str = 'cm^-1') -> None:
  """Raises a ValueError unless `axis` [L] is finite, one-dimensional and strictly increasing."""
  axis = np.asarray(axis)
  if axis.ndim != 1 or len(axis) < 2:
    raise ValueError(f'axis has shape {axis.shape}, expected [L] with at least 2 points')
  bad = np.flatnonzero(~np.isfinite(axis))
  if len(bad):
    raise ValueError(
      f'axis[{bad[0]}] is {axis[bad[0]]}, expected a finite number in {unit}; drop the point'
    )
  bad = np.flatnonzero(np.diff(axis) <= 0)
  if len(bad):
    i = int(bad[0])
    raise ValueError(
      f'axis is not strictly increasing: {axis[i]:g} then {axis[i + 1]:g} {unit} at index {i}; '
      'sort it (flip a descending one together with the values) and drop repeated points'
    )


def check_finite(values: np.ndarray, mask: np.ndarray, kind: str) -> None:
  """Raises a ValueError that names the first row and point where a measured value is not finite."""
  bad = np.argwhere(~np.isfinite(values) & mask)
  if len(bad):
    row, point = bad[0]
    raise ValueError(
      f'{kind} spectrum {row} is {values[row, point]} at point {point} ({len(bad)} such values), '
      'expected finite numbers; mask these points (mask=False) or drop the spectrum'
    )


def uniform_axis(low_cm: float, high_cm: float, points: int) -> np.ndarray:
  """[points] float64 wavenumbers from `low_cm` to `high_cm`, both included [cm^-1]."""
  if points < 2:
    raise ValueError(f'axis.points is {points}, expected at least 2')
  axis = np.linspace(low_cm, high_cm, points)
  check_axis(axis)
  return axis


def check_resolution(axis: np.ndarray, fwhm_cm: float) -> None:
  """Refuses a grid that cannot hold lines of width `fwhm_cm`, or that is finer than they allow.

  Coarser than two points a width, a line's height depends on where it falls between the points
  (error ~ 2 exp(-pi HWHM / h), h the step). Finer than 50 points a width, neighbours repeat each
  other to five digits: the extra points are cost without information.
  """
  if not fwhm_cm > 0:
    raise ValueError(f'the line width is {fwhm_cm:g}, expected a positive FWHM in cm^-1')
  steps = np.diff(axis)
  if steps.max() > fwhm_cm / 2:
    raise ValueError(
      f'the axis step is {steps.max():.3g} cm^-1 but the lines are {fwhm_cm:g} cm^-1 wide (FWHM), '
      f'expected a step of at most {fwhm_cm / 2:.3g}; raise axis.points or the FWHM'
    )
  if steps.min() < fwhm_cm / 50:
    raise ValueError(
      f'the axis step is {steps.min():.3g} cm^-1, finer than lines of FWHM {fwhm_cm:g} cm^-1 '
      f'allow, expected at least {fwhm_cm / 50:.3g}; lower axis.points or narrow the lines'
    )
