"""What a file says, before anybody has understood its units."""

import dataclasses
import math

import numpy as np

MOST_LINES = 1_000_000


@dataclasses.dataclass(frozen=True)
class Raw:
  """Spectra on one axis, in the words of the file that they come from.

  Attributes:
    axis: [L] as in the file, ascending or descending.
    values: [N, L] as in the file.
    axis_word: how the file names the unit of its axis; '' = it does not.
    ordinate: how the file names the values; '' = it does not.
    technique: what kind of instrument the file speaks of ('RAMAN SPECTRUM', ...); '' = unknown.
    state: one of `spectra.STATES`.
    titles: [N]; '' = none.
    instrument: '' = unknown.
    laser_nm: excitation [nm]; NaN = none or unknown.
    resolution_cm: as the file states it [cm^-1]; NaN = it does not.
    columns: further meta columns, each [N].
    mask: [N, L] bool, False where the file marks a point as not measured; None = all were.
    warnings: sentences about what is odd in the file, but readable.
  """

  axis: np.ndarray
  values: np.ndarray
  axis_word: str = ''
  ordinate: str = ''
  technique: str = ''
  state: str = 'measured'
  titles: tuple[str, ...] = ()
  instrument: str = ''
  laser_nm: float = np.nan
  resolution_cm: float = np.nan
  columns: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)
  mask: np.ndarray | None = None
  warnings: tuple[str, ...] = ()


def text_of(data: bytes) -> str:
  """The text of a file: UTF-8, or Latin-1 where it is not; line ends become a line feed.

  Raises:
    ValueError: the bytes are no text, or have too many lines for a spectrum.
  """
  if b'\0' in data:
    raise ValueError(
      f'there is a zero byte at offset {data.index(0)}, expected text or a spectral format that '
      'is known here; export the spectrum as JCAMP-DX or CSV'
    )
  try:
    text = data.decode('utf-8-sig')
  except UnicodeDecodeError:
    text = data.decode('latin-1')
  text = text.replace('\r\n', '\n').replace('\r', '\n')
  if text.count('\n') > MOST_LINES:
    raise ValueError(f'there are more than {MOST_LINES} lines, expected a spectrum; cut the file')
  return text


def number(word: str) -> float:
  """A finite decimal number; NaN where `word` is none ('nan' and 'inf' are none either)."""
  try:
    value = float(word) if word.isascii() and '_' not in word else math.nan
  except ValueError:
    return math.nan
  return value if math.isfinite(value) else math.nan
