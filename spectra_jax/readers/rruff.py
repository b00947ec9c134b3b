"""Text files of the RRUFF database: labels ##NAMES=..., lines 'Raman shift, intensity', ##END=.

The files do not state units; RRUFF's Raman spectra are over the Raman shift in cm^-1. Laser and
processing come from the labels ##RAMAN WAVELENGTH= and ##FILETYPE= of newer files, else from the
file's name, as RRUFF's archives have it:

  Topaz__R040121__Broad_Scan__532__0__unoriented__Raman_Data_RAW__14299.txt
"""

import math
import re

import numpy as np

from spectra_jax.readers.raw import Raw, number, text_of

FIRST_LABEL = re.compile(rb'(?:\xef\xbb\xbf)?\s*##\s*(NAMES|RRUFFID)', re.IGNORECASE)
LASER = re.compile(r'__(?:Raman|Broad_Scan)__(\d{3,4})(?:__|nm)', re.IGNORECASE)
UNIQUE = ('NAMES', 'RRUFFID')  # other labels may come once for each measurement of the sample
STATES = {'raw': 'measured', 'processed': 'baseline_corrected'}
PAIR = re.compile(r'\s*(?:[^\s,]+\s*,\s*[^\s,]+\s*$|-?\d+\.\d+\s*,)')


def matches(data: bytes, name: str) -> bool:
  """True if the file begins with RRUFF's labels."""
  del name
  return FIRST_LABEL.match(data[:4096]) is not None


def decode(data: bytes, name: str) -> list[Raw]:
  """The spectrum; meta gets 'label' (the mineral) and 'specimen' (the RRUFF id).

  Raises:
    ValueError: no ##END=, a line that is no pair of numbers, or a technique other than Raman.
  """
  labels, pairs = _parts(text_of(data))
  says = ' '.join((labels.get('FILETYPE', ''), name))
  raman = 'RAMANWAVELENGTH' in labels or re.search('raman|broad_scan', says, re.IGNORECASE)
  state, warnings = _state(says)
  axis, values = np.array(pairs).T
  return [
    Raw(
      axis=axis,
      values=values[None],
      axis_word='Raman shift (cm^-1)' if raman else '',
      ordinate='raman' if raman else '',
      state=state,
      titles=(labels.get('NAMES', ''),),
      laser_nm=_laser(labels, name),
      columns={
        'label': np.array([labels.get('NAMES', '')]),
        'specimen': np.array([labels.get('RRUFFID', '')]),
      },
      warnings=warnings,
    )
  ]


def _parts(text: str) -> tuple[dict[str, str], list[tuple[float, float]]]:
  labels, pairs, label = {}, [], ''
  for line in text.split('\n'):
    if line.startswith('##'):
      label, _, content = line[2:].partition('=')
      label = label.replace(' ', '').upper()
      if labels.setdefault(label, content.strip()) != content.strip() and label in UNIQUE:
        raise ValueError(f'##{label}= is there twice, expected one spectrum; download it again')
    elif label != 'END' and PAIR.match(line):
      pairs.append(_pair(line))
    elif line.strip() and (pairs or label == 'END'):  # before the numbers a label goes on
      raise ValueError(f'the line {line.strip()[:40]!r} is out of place; download the file again')
  if 'END' not in labels:
    raise ValueError('there is no ##END=, the file is cut short; download it again')
  if len(pairs) < 2:
    raise ValueError(f'there are {len(pairs)} points, expected a spectrum; download it again')
  return labels, pairs


def _pair(line: str) -> tuple[float, float]:
  pair = [number(word) for word in line.split(',')]
  if len(pair) != 2 or any(map(math.isnan, pair)):
    raise ValueError(
      f'the line {line.strip()[:40]!r} is no pair of finite numbers; download the file again'
    )
  return tuple(pair)


def _state(says: str) -> tuple[str, tuple[str, ...]]:
  found = [word for word in STATES if re.search(rf'(?:_|\b){word}(?:_|\b)', says, re.IGNORECASE)]
  if len(found) == 1:
    return STATES[found[0]], ()
  return 'measured', ('Neither ##FILETYPE= nor the name says raw or processed; raw was taken.',)


def _laser(labels: dict[str, str], name: str) -> float:
  stated = re.match(r'\d+(\.\d+)?', labels.get('RAMANWAVELENGTH', ''))
  found = LASER.search(name)
  return float(stated[0] if stated else found[1] if found else 'nan')
