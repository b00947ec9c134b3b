"""What a spectral file holds, and what looks odd about it, before anybody trains on it.

noise       sigma = 1.4826 / sqrt(6) median |2 y_i - y_{i-2} - y_{i+2}|, the robust DER_SNR estimate
            (Stoehr et al. 2008, ASP Conf. Ser. 394, 505); too low where neighbours are correlated,
            as after zero filling, too high where narrow bands fill the spectrum
SNR         largest |y - median(y)| over sigma, the median over spectra
resolution  the tenth percentile of the full widths at half maximum of bands that stand out by ten
            sigma: no band is narrower, so the instrument resolves at least this; at two steps of
            the axis or less it is the grid that one sees
"""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from scipy.signal import find_peaks, peak_widths

from spectra_jax import figures
from spectra_jax.spectra import Spectra

STANDS_OUT = 10.0  # times the noise
LEAST_BAND, ALONE = 0.1, 0.9  # of the highest point; prominence over height of a band by itself
MOST_CURVES = 30  # in a figure
MOST_ROWS = 200  # whose widths are measured
FRACTIONS = ('transmittance', 'reflectance')  # of light, whose bands point down
LARGEST_FRACTION, LEAST_FRACTION = 1.5, -0.1
LARGEST_ABSORBANCE = 4.0  # one photon in 10,000 is left
CLIPPED = 5  # equal largest values in a row
UNEVEN = 1.01  # largest over smallest step
LARGEST_CM, LEAST_CM = 30_000.0, 100.0  # an axis beyond is likely in another unit


def describe(spectra: Spectra) -> dict[str, Any]:
  """Axis, kind, points, resolution, SNR and warnings of spectra on one axis; None = unknown.

  Lengths are in the unit of the axis, `resolution_stated_cm` in cm^-1.
  """
  axis, step = spectra.axis, np.median(np.diff(spectra.axis))
  rows = [spectra.values[i][spectra.mask[i]].astype(np.float64) for i in range(len(spectra))]
  noise = np.array([_noise(row) for row in rows])
  found = {
    'kind': spectra.kind,
    'axis_unit': spectra.axis_unit,
    'points': len(axis),
    'axis': [float(axis[0]), float(axis[-1])],
    'step': float(step),
    'spectra': len(spectra),
    'state': spectra.state,
    'resolution': _resolution(spectra, noise),
    'resolution_stated_cm': _stated(spectra),
    'snr': _median([_snr(row, sigma) for row, sigma in zip(rows, noise, strict=True)]),
    'least': float(min(row.min(initial=np.inf) for row in rows)),
    'largest': float(max(row.max(initial=-np.inf) for row in rows)),
  }
  said = [*_of_the_file(spectra), *_warnings(spectra, found, rows, noise)]
  unknown = lambda value: isinstance(value, float) and not np.isfinite(value)
  return {**{k: None if unknown(v) else v for k, v in found.items()}, 'warnings': said}


def document(name: str, found: Sequence[Spectra]) -> dict[str, Any]:
  """`describe` of a file's first axis; where there are more, all under 'blocks'."""
  blocks = [describe(spectra) for spectra in found]
  if len(blocks) == 1:
    return {'file': name, **blocks[0]}
  told = f'The file has {len(blocks)} axes or blocks; what is said here is of the first.'
  first = {**blocks[0], 'warnings': [told, *blocks[0]['warnings']]}
  return {'file': name, **first, 'blocks': blocks}


def row(document: Mapping[str, Any]) -> list[str]:
  """A line of the table below `HEADER`."""
  low, high = document['axis']
  number = lambda value: '' if value is None else f'{value:.3g}'
  return [
    pathlib.PurePath(document['file']).name,
    document['kind'],
    f'{low:g} to {high:g} {document["axis_unit"]}',
    str(document['points']),
    str(document['spectra']),
    *(number(document[key]) for key in ('step', 'resolution', 'snr')),
  ]


HEADER = ['file', 'kind', 'axis', 'points', 'spectra', 'step', 'resolution', 'SNR']


def figure(title: str, found: Sequence[Spectra]) -> Figure:
  """One panel for each axis; wavenumbers descend to the right, at most 30 curves in a panel."""
  drawing = Figure(figsize=(10, 2.9 * len(found) + 0.5), layout='constrained')
  panels = np.atleast_1d(drawing.subplots(len(found), 1))
  for ax, spectra in zip(panels, found, strict=True):
    chosen = np.unique(np.linspace(0, len(spectra) - 1, MOST_CURVES).astype(int))
    y = np.where(spectra.mask[chosen], spectra.values[chosen], np.nan)
    single = len(chosen) == 1
    ax.plot(spectra.axis, y.T, color=figures.BLACK if single else figures.BLUE, lw=1, alpha=0.9)
    ax.set_ylabel(spectra.kind.replace('_', ' ').capitalize(), fontsize=12)
    _label_axis(ax, spectra)
  panels[0].set_title(title, fontsize=12, loc='left')
  return drawing


def save(folder: pathlib.Path, name: str, found: Sequence[Spectra]) -> pathlib.Path:
  """Draws the spectra to folder/name.png and returns that path."""
  folder.mkdir(parents=True, exist_ok=True)
  path = folder / f'{name}.png'
  figure(name, found[:10]).savefig(path, dpi=110)
  return path


def _label_axis(ax, spectra: Spectra) -> None:
  if spectra.axis_unit == 'cm^-1':
    figures.descend(ax, spectra.axis)
    if spectra.kind == 'raman':
      ax.set_xlabel('Raman shift (cm$^{-1}$)', fontsize=12)
  else:
    ax.set_xlim(spectra.axis[0], spectra.axis[-1])
    ax.set_xlabel('Wavelength (nm)' if spectra.axis_unit == 'nm' else 'Index', fontsize=12)


def _noise(y: np.ndarray) -> float:
  if len(y) < 5:
    return np.nan
  return float(1.4826 / np.sqrt(6) * np.median(np.abs(2 * y[2:-2] - y[:-4] - y[4:])))


def _snr(y: np.ndarray, noise: float) -> float:
  return np.abs(y - np.median(y)).max() / noise if noise > 0 else np.nan


def _median(numbers: Sequence[float]) -> float:
  known = [number for number in numbers if not np.isnan(number)]
  return float(np.median(known)) if known else np.nan


def _stated(spectra: Spectra) -> float:
  return _median(spectra.meta.get('resolution_cm', [np.nan]))


def line_width(spectra: Spectra) -> float:
  """FWHM of lines [unit of the axis]: lower quartile of a spectrum's bands that stand alone, of at
  least a tenth of its highest point; the median over spectra, NaN where no band is such.

  Of computed spectra of one line width it is right to 3 % (median; 90 % of single spectra within
  -3 and +40 %, where bands overlap).
  """
  found = [_width_of_row(spectra, i) for i in range(min(len(spectra), MOST_ROWS))]
  return _median(found)


def _width_of_row(spectra: Spectra, i: int) -> float:
  y = _bridged(spectra, i)
  peaks, about = find_peaks(y, prominence=max(LEAST_BAND * y.max(initial=0), 1e-30))
  peaks = peaks[about['prominences'] >= ALONE * y[peaks]]
  if not len(peaks):
    return np.nan
  return float(np.percentile(_full_widths(spectra, y, peaks), 25))


def _bridged(spectra: Spectra, i: int) -> np.ndarray:
  """Values of a row, straight over what was not measured, whose edges would be narrow bands."""
  there = spectra.mask[i]
  if not there.any():
    return np.zeros(0)
  return np.interp(spectra.axis, spectra.axis[there], np.float64(spectra.values[i][there]))


def _full_widths(spectra: Spectra, y: np.ndarray, peaks: np.ndarray) -> np.ndarray:
  """At half of each peak's prominence, in the unit of the axis."""
  _, _, left, right = peak_widths(y, peaks, rel_height=0.5)
  at = lambda index: np.interp(index, np.arange(len(y)), spectra.axis)
  return at(right) - at(left)


def _resolution(spectra: Spectra, noise: np.ndarray) -> float:
  """In the unit of the axis; NaN without bands."""
  widths = []
  for i in range(min(len(spectra), MOST_ROWS)):
    y = _bridged(spectra, i)
    y = -y if spectra.kind in FRACTIONS else y
    if len(y):
      peaks, _ = find_peaks(y, prominence=max(STANDS_OUT * noise[i], 1e-6 * np.ptp(y)))
      widths += list(_full_widths(spectra, y, peaks))
  return float(np.percentile(widths, 10)) if widths else np.nan


def _of_the_file(spectra: Spectra) -> list[str]:
  return [text for text in dict.fromkeys(map(str, spectra.meta.get('warning', ()))) if text]


def _warnings(
  spectra: Spectra, found: Mapping[str, Any], rows: Sequence[np.ndarray], noise: np.ndarray
) -> list[str]:
  """Sentences about values and axes that are legal and still look wrong."""
  said = []
  kind, least, largest = spectra.kind, found['least'], found['largest']
  if kind in FRACTIONS and largest > LARGEST_FRACTION:
    percent = '%T' if kind == 'transmittance' else '%R'
    said.append(f'{kind} reaches {largest:.3g}, a fraction is at most 1: percent? kind={percent}')
  if kind in FRACTIONS and least < LEAST_FRACTION:
    said.append(f'{kind} goes down to {least:.3g}, a fraction is at least 0')
  if kind == 'absorbance' and largest > LARGEST_ABSORBANCE:
    said.append(f'absorbance reaches {largest:.3g}: saturated, or another quantity?')
  clipped = sum(_longest_top(row) >= CLIPPED for row in rows)
  if clipped:
    said.append(f'the largest value stands {CLIPPED} times in a row or more in {clipped} spectra: '
                'clipped?')  # fmt: skip
  if (noise == 0).any():
    said.append(f'{int((noise == 0).sum())} spectra have no noise: smoothed, computed or rounded?')
  missing = int((~spectra.mask).sum())
  if missing:
    said.append(f'{missing} points were not measured')
  return said + _axis_warnings(spectra.axis, spectra.axis_unit, found)


def _axis_warnings(axis: np.ndarray, unit: str, found: Mapping[str, Any]) -> list[str]:
  said, steps = [], np.diff(axis)
  if steps.max() > UNEVEN * steps.min():
    said.append(f'the steps of the axis go from {steps.min():.3g} to {steps.max():.3g} {unit}')
  if unit == 'cm^-1' and max(abs(axis[0]), axis[-1]) > LARGEST_CM:
    said.append(f'the axis reaches {axis[-1]:g} cm^-1, beyond the visible: another unit?')
  if unit == 'cm^-1' and axis[-1] < LEAST_CM:
    said.append(f'the axis ends at {axis[-1]:g} cm^-1, in the far infrared: um?')
  stated = found['resolution_stated_cm']
  if unit == 'cm^-1' and steps.max() > stated:
    said.append(f'the step of {steps.max():.3g} cm^-1 is wider than the resolution, {stated:g}')
  if unit == 'cm^-1' and found['resolution'] < 0.5 * stated:
    said.append(
      f'there are bands of {found["resolution"]:.3g} cm^-1, narrower than the resolution, '
      f'{stated:g}: spikes, or a wrong label?'
    )
  return said


def _longest_top(y: np.ndarray) -> int:
  """How many neighbours all have the largest value, unless the spectrum is constant."""
  if not len(y) or y.min() == y.max():
    return 0
  at = np.flatnonzero(np.diff(np.concatenate([[0], y == y.max(), [0]])))
  return int((at[1::2] - at[::2]).max())
