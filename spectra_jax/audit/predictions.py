"""Predicted spectra of any model, as a file: read, checked, written.

An .npz file without pickles that holds

  axis             [L] ascending wavenumbers
  axis_unit        'cm^-1'
  <kind>           [N, L] predictions of one or more kinds of `spectra.KINDS`, row for row of the
                   same samples, float32 or float64 (their rounding is what a law tolerates)
  true_<kind>      [N, L] what was to be predicted, optional
  centrosymmetric  [N] bool, optional: who has a centre of inversion
  hwhm_min         one number, optional: no line is narrower (HWHM) [cm^-1]
"""

import dataclasses
import os
import pathlib
import zipfile
from collections.abc import Mapping, Sequence

import numpy as np

from spectra_jax.spectra import KINDS, check_axis

CONTENT = (
  'an .npz of numpy arrays: axis [L] in ascending cm^-1, axis_unit = cm^-1, and predictions [N, L] '
  f'named after their kind ({", ".join(KINDS)})'
)
OPTIONAL = ('centrosymmetric', 'hwhm_min', *(f'true_{kind}' for kind in KINDS))


@dataclasses.dataclass(frozen=True)
class Predictions:
  """What a file of predictions holds.

  Attributes:
    axis: [L] float64, ascending [cm^-1].
    values: kind -> [N, L].
    truth: kind -> [N, L], of some of these kinds.
    centrosymmetric: [N] bool, or None where it was not told.
    hwhm_min: [cm^-1], or None.

  Raises:
    ValueError: shapes, names or values that cannot be predictions.
  """

  axis: np.ndarray
  values: Mapping[str, np.ndarray]
  truth: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)
  centrosymmetric: np.ndarray | None = None
  hwhm_min: float | None = None

  def __post_init__(self):
    check_axis(self.axis)
    if not self.values:
      raise ValueError(f'there are no predictions, expected {CONTENT}')
    shape = next(iter(self.values.values())).shape
    named = {**self.values, **{f'true_{kind}': v for kind, v in self.truth.items()}}
    for name, values in named.items():
      _check_values(name, values, shape, len(self.axis))
    flags = self.centrosymmetric
    if flags is not None and (flags.dtype != bool or flags.shape != shape[:1]):
      raise ValueError(
        f'centrosymmetric is {flags.dtype} of shape {flags.shape}, expected bool [{shape[0]}], one '
        'a row; store it so'
      )
    if self.hwhm_min is not None and not self.hwhm_min > 0:
      raise ValueError(f'hwhm_min is {self.hwhm_min}, expected a positive half width in cm^-1')

  def __len__(self) -> int:
    return len(next(iter(self.values.values())))


def read(path: str | os.PathLike, kinds: Sequence[str] = ()) -> Predictions:
  """The predictions in a file; of these kinds only, where any are named.

  Raises:
    ValueError: a file that is none, or in another shape; the sentence shows what it must contain.
    FileNotFoundError: no such file.
  """
  arrays = _load(pathlib.Path(path))
  _check_names(path, arrays)
  found = [kind for kind in KINDS if kind in arrays]
  missing = [kind for kind in kinds if kind not in found]
  if missing or not found:
    raise ValueError(
      f'{path} has predictions of {", ".join(found) or "no kind"}, expected '
      f'{", ".join(missing) or CONTENT}; add them or ask for others'
    )
  chosen = tuple(kinds) or tuple(found)
  return Predictions(
    np.asarray(arrays['axis'], np.float64),
    {kind: arrays[kind] for kind in chosen},
    {kind: arrays[f'true_{kind}'] for kind in chosen if f'true_{kind}' in arrays},
    arrays.get('centrosymmetric'),
    float(arrays['hwhm_min']) if 'hwhm_min' in arrays else None,
  )


def write(path: str | os.PathLike, predictions: Predictions) -> None:
  """The file that `read` reads."""
  arrays = {'axis': predictions.axis, 'axis_unit': 'cm^-1', **predictions.values}
  arrays |= {f'true_{kind}': values for kind, values in predictions.truth.items()}
  rest = {'centrosymmetric': predictions.centrosymmetric, 'hwhm_min': predictions.hwhm_min}
  np.savez(path, **arrays, **{name: value for name, value in rest.items() if value is not None})


def rounding(values_NxL: np.ndarray) -> np.ndarray:
  """[N] what the dtype leaves open: 16 ulp of the largest value of a row."""
  return 16 * np.finfo(values_NxL.dtype).eps * np.abs(values_NxL).max(-1)


def highest(values_NxL: np.ndarray) -> np.ndarray:
  """[N] the largest |value| of a row, 1 where all are 0: the scale of what is relative."""
  top_N = np.float64(np.abs(values_NxL).max(-1))
  return np.where(top_N > 0, top_N, 1.0)


# ---- checks -----------------------------------------------------------------


def _load(path: pathlib.Path) -> dict[str, np.ndarray]:
  if not path.is_file():
    raise FileNotFoundError(f'{path} is missing, expected {CONTENT}')
  try:
    with np.load(path, allow_pickle=False) as arrays:
      return {name: arrays[name] for name in arrays.files}
  except (ValueError, OSError, EOFError, TypeError, AttributeError, zipfile.BadZipFile) as error:
    raise ValueError(f'{path} cannot be read ({error}), expected {CONTENT}') from None


def _check_names(path, arrays) -> None:
  missing = [name for name in ('axis', 'axis_unit') if name not in arrays]
  unknown = sorted(set(arrays) - {'axis', 'axis_unit', *KINDS, *OPTIONAL})
  if missing or unknown:
    fault = f'has no {missing[0]!r}' if missing else f'has an array {unknown[0]!r}'
    raise ValueError(
      f'{path} {fault}, expected {CONTENT}, and if you like true_<kind>, centrosymmetric, hwhm_min'
    )
  unit = str(arrays['axis_unit'])
  if unit != 'cm^-1':
    raise ValueError(
      f"axis_unit is {unit!r}, expected 'cm^-1', in which lines have widths; convert nm by 1e7 / "
      'nm and flip axis and spectra'
    )
  if np.size(arrays.get('hwhm_min', 1.0)) != 1:
    raise ValueError(
      f'hwhm_min has shape {arrays["hwhm_min"].shape}, expected one number in cm^-1 for all lines'
    )


def _check_values(name, values, shape, points) -> None:
  if values.ndim != 2 or values.shape != shape or values.shape[1] != points or not len(values):
    raise ValueError(
      f'{name} has shape {values.shape}, expected [{shape[0] if shape else "N"}, {points}]: a row '
      'for each sample, a column for each wavenumber, and all kinds of the same samples'
    )
  if values.dtype not in (np.float32, np.float64):
    raise ValueError(
      f'{name} has dtype {values.dtype}, expected float32 or float64, whose rounding is what the '
      'laws tolerate; store it as predicted'
    )
  bad = np.argwhere(~np.isfinite(values))
  if len(bad):
    row, point = bad[0]
    raise ValueError(
      f'{name} is {values[row, point]} in row {row} at point {point} ({len(bad)} such values), '
      'expected finite numbers; leave such rows out'
    )
