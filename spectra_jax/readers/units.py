"""Units of axes and ordinates: read from a file's own words or told by the user, never guessed.

axis       cm^-1 and nm stay; um becomes cm^-1, nu = 1e4 / lambda
ordinate   %T and %R become fractions; log(1/R) is 'log_reflectance'; see `spectra.KINDS`
"""

import re
import unicodedata

import numpy as np

from spectra_jax.readers.raw import Raw
from spectra_jax.spectra import AXIS_UNITS, KINDS, Spectra

IMPLAUSIBLE = 1e6  # nm or cm^-1
UM_CM = 1e4  # nu [cm^-1] = 1e4 / lambda [um]
AXIS_PATTERNS = {
  'cm^-1': r'1/cm|cm ?(\^|\*\*)?[({]? ?- ?1|wavenumbers?|raman shift|kaysers?',
  'nm': r'\bnm\b|\bnano ?met(er|re)s?\b',
  'um': r'\bum\b|\bmicro ?met(er|re)s?\b|\bmicrons?\b',
}
OTHER_AXES = r'1/m\b|(?<![cnu])m ?\^?-1|\b[kmgt]?hz\b|\bm?ev\b|angstrom|\u00e5|\bpixels?\b'
NIST_COEFFICIENT = r'\(micromol/mol\)-1m-1 \(base 10\)'  # the absorbance of 1 umol/mol along 1 m
KIND_PATTERNS = (  # the first that is found; log(R), of unknown sign and base, is none
  (
    'log_reflectance',
    r'log(10)? ?\(? ?1 ?/ ?r\b|- ?log(10)? ?\(? ?r(eflect\w*)?\b|pseudo[ -]?absorban',
  ),
  ('absorbance', r'log(10)? ?\(? ?1 ?/ ?t\b|- ?log(10)? ?\(? ?t(ransm\w*)?\b'),
  ('', r'\blog|\bln\b|deriv|\bdb\b'),
  ('absorbance', rf'absorban|optical density|^(a|od)$|{NIST_COEFFICIENT}'),
  ('kubelka_munk', r'kubelka|^k-?m$'),
  ('atr', r'\batr\b'),
  ('transmittance', r'transmi|^%? ?t ?%?$'),
  ('n', r'refractive index|index of refraction'),
  ('k', r'extinction coeff'),
  ('reflectance', r'reflect|^%? ?r ?%?$'),
  ('raman', r'raman'),
  ('counts', r'\bcounts?\b'),
)
FRACTIONS = ('transmittance', 'reflectance')
RAMAN_ORDINATES = r'^$|arbitrary|intensity|counts?|\ba\.?u\.?\b|relative'


def axis_unit(word: str) -> str:
  """'cm^-1', 'nm', 'um' or 'index' that `word` names; '' = none of them.

  Raises:
    ValueError: the word names two units.
  """
  plain = _plain(word)
  if plain == 'index' or re.search(OTHER_AXES, plain):
    return plain if plain == 'index' else ''
  found = [unit for unit, pattern in AXIS_PATTERNS.items() if re.search(pattern, plain)]
  if len(found) > 1:
    raise ValueError(f'the axis is in {word!r}, expected one unit; pass axis_unit={found[0]!r}')
  return found[0] if found else ''


def ordinate(word: str, technique: str = '') -> tuple[str, float]:
  """(kind, factor that takes the values to the unit of that kind); ('', 1) where it is unknown.

  Intensities, counts and arbitrary units are 'raman' where the technique is Raman.
  """
  plain = _plain(word)
  if re.search('raman|rmn', _plain(technique)) and re.search(RAMAN_ORDINATES, plain):
    return 'raman', 1.0
  if plain in KINDS:
    return plain, 1.0
  kind = next((kind for kind, pattern in KIND_PATTERNS if re.search(pattern, plain)), '')
  percent = bool(re.search('%|percent', plain))
  if percent and kind not in FRACTIONS:
    return '', 1.0
  return kind, 0.01 if percent else 1.0


def spectra(raw: Raw, ids: list[str], source: str, told_axis: str, told_kind: str) -> Spectra:
  """`raw` in units that are known here, its axis ascending.

  `told_axis` and `told_kind` are the user's words, '' = what the file says; where both speak and
  differ the user's word counts, and the column 'warning' says so. meta has id, title, instrument,
  laser_nm, resolution_cm (both NaN = unknown), unit (the file's word for the ordinate), warning and
  the file's own columns.

  Raises:
    ValueError: a unit that nobody states or knows, an axis or values that cannot be a spectrum.
  """
  warnings = list(raw.warnings)
  unit = _agreed_axis(raw, told_axis, warnings)
  kind, factor = _agreed_kind(raw, told_kind, warnings)
  axis = np.asarray(raw.axis, np.float64)
  if unit == 'um':
    axis, unit = _cm_from_um(axis), 'cm^-1'
  values, mask = _measured(raw, factor)
  if axis.ndim == 1 and len(axis) > 1 and axis[0] > axis[-1]:
    axis, values, mask = axis[::-1].copy(), values[:, ::-1].copy(), mask[:, ::-1].copy()
  rows = len(values)
  meta = {
    'id': np.array(ids),
    'title': np.array(raw.titles or [''] * rows),
    'instrument': np.array([raw.instrument] * rows),
    'laser_nm': np.full(rows, _plausible(raw.laser_nm), np.float32),
    'resolution_cm': np.full(rows, _plausible(raw.resolution_cm), np.float32),
    'unit': np.array([raw.ordinate] * rows),
    'warning': np.array([' '.join(warnings)] * rows),
    **raw.columns,
  }
  return Spectra(values, axis, unit, kind, raw.state, mask, meta, source)


def _plain(word: str) -> str:
  """Lower case, one kind of minus, mu and blank: 'Wellenzahl / cm⁻¹' -> 'wellenzahl / cm-1'."""
  word = unicodedata.normalize('NFKC', word).lower().translate({0x2212: '-', 0x3BC: 'u', 0x5F: ' '})
  return ' '.join(word.split())


def _agreed_axis(raw: Raw, told: str, warnings: list[str]) -> str:
  stated, wanted = axis_unit(raw.axis_word), axis_unit(told)
  choices = ', '.join((*AXIS_UNITS[:2], 'um', *AXIS_UNITS[2:]))
  if told and not wanted:
    raise ValueError(f'axis_unit is {told!r}, expected one of {choices}')
  if not (stated or wanted):
    says = f'is in {raw.axis_word!r}' if raw.axis_word else 'has no unit'
    raise ValueError(f'the axis {says}, expected one of {choices}; pass it as axis_unit=')
  if stated and wanted and stated != wanted:
    warnings.append(f'The file says {raw.axis_word!r} of its axis, axis_unit={told!r} was taken.')
  return wanted or stated


def _agreed_kind(raw: Raw, told: str, warnings: list[str]) -> tuple[str, float]:
  stated, factor = ordinate(raw.ordinate, f'{raw.technique} {raw.axis_word}')
  wanted, told_factor = ordinate(told)
  if told and not wanted:
    raise ValueError(f'kind is {told!r}, expected %T, %R, log(1/R) or one of {", ".join(KINDS)}')
  if not (stated or wanted):
    says = f'are {raw.ordinate!r}' if raw.ordinate else 'have no unit'
    raise ValueError(
      f'the values {says}, expected absorbance, transmittance, %T, reflectance, raman, ...; pass '
      'it as kind='
    )
  if not wanted or (wanted == stated and told_factor == 1.0):
    return stated, factor
  if (stated, factor) != (wanted, told_factor) and stated:
    warnings.append(f'The file says {raw.ordinate!r} of its values, kind={told!r} was taken.')
  return wanted, told_factor


def _cm_from_um(axis: np.ndarray) -> np.ndarray:
  if not (axis > 0).all():
    raise ValueError(
      f'the axis in um goes down to {np.nanmin(axis):g}, expected wavelengths above 0; pass the '
      'true unit as axis_unit='
    )
  return UM_CM / axis


def _plausible(number: float) -> float:
  """NaN for a laser or a resolution that no instrument has."""
  return number if 0 < number < IMPLAUSIBLE else np.nan


def _measured(raw: Raw, factor: float) -> tuple[np.ndarray, np.ndarray]:
  """(values [N, L] float32 with 0 where nothing was measured, mask)."""
  values = np.atleast_2d(raw.values)
  values = values.astype(np.result_type(values, np.float32), copy=False)  # 32 bits stay so
  values = values if factor == 1 else values * factor
  mask = np.ones(values.shape, bool) if raw.mask is None else raw.mask
  values = values if raw.mask is None else np.where(mask, values, 0.0)
  bad = ~(np.abs(values) <= np.finfo(np.float32).max)
  if bad.any():
    row, point = np.argwhere(bad)[0]
    raise ValueError(
      f'value {point} of spectrum {row} is {values[row, point]:g} ({bad.sum()} such values), '
      'expected finite numbers of 32 bits; copy or export the file again'
    )
  if not mask.any():
    raise ValueError('no point was measured, expected a spectrum; measure or export it again')
  return values.astype(np.float32), mask
