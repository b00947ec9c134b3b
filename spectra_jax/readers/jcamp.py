"""JCAMP-DX files: blocks, labels, and what the labels promise of the table.

McDonald and Wilks 1988, doi:10.1366/0003702884428734. The axis is FIRSTX to LASTX in NPOINTS
points; the abscissae in the table are checks of it. FIRSTY, MINY and MAXY are compared with the
table within the last digit that they are printed with.
"""

import decimal
import re
from collections.abc import Mapping

import numpy as np

from spectra_jax.readers import asdf
from spectra_jax.readers.raw import Raw, number, text_of

MOST_POINTS = 4_000_000
MOST_LABELS = 20_000
MOST_DEPTH = 16  # of blocks within link blocks
LARGEST_DRIFT = 1.5  # steps of the axis; NIST's quantitative set drifts by one
DRIFT_TO_TELL = 0.5
WRONG_SCALE = 0.01  # a first, least or largest value further off, over max |y|, is an error
LABEL = re.compile(r'^[ \t]*##([^=\n]*)=', re.MULTILINE)
TABLES = ('XYDATA', 'XYPOINTS')
OTHER_TABLES = ('NTUPLES', 'PEAKTABLE', 'PEAKASSIGNMENTS', 'RADATA')
TO_BE_UNIQUE = (
  *(*TABLES, 'NPOINTS', 'FIRSTX', 'LASTX', 'XUNITS', 'XFACTOR'),
  *('FIRSTY', 'MINY', 'MAXY', 'YUNITS', 'YFACTOR'),
)


def matches(data: bytes, name: str) -> bool:
  """True if the first label is one that starts a JCAMP-DX block."""
  del name
  first = re.match(rb'(?:\xef\xbb\xbf)?\s*(?:\$\$[^\n]*\s+)*##\s*(TITLE|JCAMP)', data[:4096], re.I)
  return first is not None


def decode(data: bytes, name: str) -> list[Raw]:
  """Every spectrum of the file, link blocks (compound files) included.

  Raises:
    ValueError: a block without end, a label that is missing, doubled or broken by the table.
  """
  del name
  found = [block for block in _blocks(text_of(data)) if set(TABLES) & set(block)]
  if not found:
    other = [label for label in OTHER_TABLES if f'##{label}' in _squeezed(text_of(data[:65536]))]
    says = f'only {", ".join(other)}' if other else 'none'
    raise ValueError(f'there is {says}, expected a table XYDATA or XYPOINTS; export a spectrum')
  return [_spectrum(block) for block in found]


def _blocks(text: str) -> list[dict[str, str]]:
  """Label -> content of each block; labels are compared without blanks, dashes and slashes."""
  starts = list(LABEL.finditer(text))[: MOST_LABELS + 1]
  if len(starts) > MOST_LABELS:
    raise ValueError(f'there are more than {MOST_LABELS} labels, expected a spectrum; export it')
  done, open_blocks = [], []
  for i, start in enumerate(starts):
    label = _squeezed(start[1])
    end = starts[i + 1].start() if i + 1 < len(starts) else len(text)
    if label == 'TITLE':
      open_blocks.append({})
      done.append(open_blocks[-1])
    if not open_blocks or len(open_blocks) > MOST_DEPTH:
      raise ValueError(f'##{start[1]}= stands outside of a block ##TITLE= to ##END=; export it')
    if label == 'END':
      open_blocks.pop()
    else:
      _store(open_blocks[-1], label, text[start.end() : end])
  if open_blocks:
    raise ValueError('there is no ##END=, the file is cut short; copy or export it again')
  return done


def _store(block: dict[str, str], label: str, content: str) -> None:
  content = re.sub(r'\$\$[^\n]*', '', content).strip()
  if label in TO_BE_UNIQUE and block.get(label, content) != content:
    raise ValueError(
      f'##{label}= is there twice, {block[label][:30]!r} and {content[:30]!r}, expected one in a '
      'block; export the file again'
    )
  block.setdefault(label, content)


def _squeezed(label: str) -> str:
  return re.sub(r'[\s\-/_]', '', label).upper()


def _spectrum(block: Mapping[str, str]) -> Raw:
  warnings = []
  label = next(label for label in TABLES if label in block)
  form, _, table = block[label].partition('\n')
  form = re.sub(r'\s', '', form).upper()
  points = _points(block)
  if form == '(X++(Y..Y))':
    axis, written = _even(block, table, points, warnings)
  elif form == '(XY..XY)':
    x, written = asdf.pairs(table, points)
    axis = np.array(x) * _factor(block, 'XFACTOR', warnings)
    _check_ends(block, axis)
  else:
    raise ValueError(f'##{label}= is {form[:30]!r}, expected (X++(Y..Y)) or (XY..XY); export it')
  factor = _factor(block, 'YFACTOR', warnings)
  with np.errstate(over='ignore'):  # refused below, as not finite
    values = np.array(written) * factor
  _check_ordinates(block, values, abs(factor), warnings)
  return Raw(
    axis=axis,
    values=values[None],
    mask=~np.isnan(values)[None],  # '?' in the table
    axis_word=block.get('XUNITS', ''),
    ordinate=block.get('YUNITS', ''),
    technique=block.get('DATATYPE', ''),
    state='derivative' if 'DERIVATIVE' in block.get('YUNITS', '').upper() else 'measured',
    titles=(' '.join(block.get('TITLE', '').split()),),
    instrument=' '.join(block.get('SPECTROMETERDATASYSTEM', '').split()),
    resolution_cm=_resolution(block),
    warnings=tuple(warnings),
  )


def _points(block: Mapping[str, str]) -> int:
  points = _number(block, 'NPOINTS')
  if points != int(points) or not 2 <= points <= MOST_POINTS:
    raise ValueError(f'##NPOINTS={points:g}, expected 2 to {MOST_POINTS}; correct the label')
  return int(points)


def _number(block: Mapping[str, str], label: str) -> float:
  if label not in block:
    raise ValueError(f'##{label}= is missing, expected a number; add the label')
  value = number(block[label])
  if np.isnan(value):
    raise ValueError(f'##{label}={block[label][:30]}, expected a number; correct the label')
  return value


def _factor(block: Mapping[str, str], label: str, warnings: list[str]) -> float:
  if label not in block:
    warnings.append(f'##{label}= is missing, 1 was taken.')
    return 1.0
  value = _number(block, label)
  if value == 0:
    raise ValueError(f'##{label}=0, expected a factor; correct the label')
  return value


def _last_place(text: str) -> float:
  """One unit of the last digit: '0.0313' -> 0.0001."""
  return float(decimal.Decimal(1).scaleb(decimal.Decimal(text).as_tuple().exponent))


def _even(
  block: Mapping[str, str], table: str, points: int, warnings: list[str]
) -> tuple[np.ndarray, list[float]]:
  """(axis, ordinates as written); each line's abscissa is held against the axis."""
  first, last = _number(block, 'FIRSTX'), _number(block, 'LASTX')
  if first == last:
    raise ValueError(f'##FIRSTX= and ##LASTX= are both {first:g}, expected a range; correct them')
  axis = np.linspace(first, last, points)
  values, checks = asdf.ordinates(table, points)
  factor = _factor(block, 'XFACTOR', warnings)
  step = abs(axis[1] - axis[0])
  rounding = max(_last_place(word) for word, _ in checks) * abs(factor)
  x = np.array([float(word) for word, _ in checks]) * factor
  drift = np.abs(x - axis[[min(index, points - 1) for _, index in checks]])
  worst = int(drift.argmax())
  says = f'a line of the table starts at {x[worst]:g}, where FIRSTX, LASTX and NPOINTS put it '
  says += f'{drift[worst]:.3g} away'
  if drift[worst] > LARGEST_DRIFT * step + rounding:
    raise ValueError(f'{says}, expected at most {LARGEST_DRIFT} steps; copy or export it again')
  if drift[worst] > DRIFT_TO_TELL * step + rounding:
    warnings.append(f'{says[0].upper()}{says[1:]} (a step is {step:.3g}); the labels were taken.')
  return axis, values


def _check_ends(block: Mapping[str, str], axis: np.ndarray) -> None:
  for label, end in (('FIRSTX', axis[0]), ('LASTX', axis[-1])):
    if label in block:
      stated = _number(block, label)
      allowed = _last_place(block[label]) + 1e-6 * abs(stated)
      if not abs(end - stated) <= allowed:
        raise ValueError(f'the table has {end:g} for ##{label}={stated:g}; copy or export it again')


def _check_ordinates(
  block: Mapping[str, str], values: np.ndarray, quantum: float, warnings: list[str]
) -> None:
  measured = values[~np.isnan(values)]
  if not (len(measured) and np.isfinite(measured).all()):
    raise ValueError('the ordinates are not finite or all missing; copy or export the file again')
  scale = np.abs(measured).max()
  found = {'FIRSTY': values[0], 'MINY': measured.min(), 'MAXY': measured.max()}
  for label, value in found.items():
    if label not in block or np.isnan(value):
      continue
    stated = _number(block, label)
    off = abs(value - stated) - _last_place(block[label]) - quantum
    if off > WRONG_SCALE * scale:
      raise ValueError(
        f'the table has {value:g} for ##{label}={stated:g}; copy the file again, or correct the '
        'label'
      )
    if off > 1e-6 * scale:
      warnings.append(f'The table has {value:g} for ##{label}={stated:g}.')


def _resolution(block: Mapping[str, str]) -> float:
  word = re.match(r'[\d.]+', block.get('RESOLUTION', ''))
  return number(word[0]) if word else np.nan
