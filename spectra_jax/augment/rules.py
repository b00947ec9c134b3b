"""Which augmentation suits which spectra, and the sentence that says why another is refused."""

import dataclasses
from collections.abc import Mapping

from spectra_jax.augment.frame import ARBITRARY, LOGARITHMIC, RELATIVE, Frame

MEASURED = ('measured', 'computed')
POINTWISE = ('snv', 'normalised', 'scatter_corrected', 'baseline_corrected', 'smoothed', 'sqrt')
DETECTED = (*LOGARITHMIC, *RELATIVE, 'raman', 'counts')


@dataclasses.dataclass(frozen=True)
class Rule:
  """The kinds and states that an augmentation suits; why not others, as parts of one sentence."""

  kinds: tuple[str, ...]
  states: tuple[str, ...]
  why_kind: str
  why_state: str


_NOISE_STATE = (
  'noise arises in the detector before anything is computed, and its size there is known; augment '
  'the measured values and preprocess afterwards'
)
_NOT_DETECTED = (
  'it happens to light on its way to a detector, and these values are not what one detects; '
  'augment the spectra that they were computed from'
)
_BASELINE_STATE = (
  'preprocessing would have removed or reshaped a baseline, so one added now has a form that no '
  'measurement leads to; augment the measured values and preprocess afterwards'
)
_LIGHT_STATE = (
  'it acts on the light that is measured, and does not commute with what was computed since; '
  'augment the measured values and preprocess afterwards'
)
_BANDS = (*LOGARITHMIC, 'raman', 'counts', 'ir', 'kubelka_munk')
_ADDITIVE = ('absorbance', 'raman', 'counts', 'ir', 'kubelka_munk', 'k')
_NOISE = Rule((*DETECTED, 'ir'), MEASURED, _NOT_DETECTED, _NOISE_STATE)
_BACKGROUND = Rule((*DETECTED, 'ir'), (*MEASURED, 'smoothed'), _NOT_DETECTED, _BASELINE_STATE)
_LIGHT = Rule(DETECTED, MEASURED, _NOT_DETECTED, _LIGHT_STATE)

RULES = {
  'mixing': Rule(
    _ADDITIVE,
    (*MEASURED, 'smoothed', 'derivative'),
    'only what is proportional to amounts adds up (Beer-Lambert), as absorbance and Kubelka-Munk '
    'values do and transmittance, reflectance and their logarithms over scatterers do not; convert '
    'them first',
    'a spectrum that was scaled or corrected on its own no longer weighs what its amount says, so '
    'labels would not mix with it; mix measured values and preprocess afterwards',
  ),
  'drift': Rule(
    _BANDS,
    (*MEASURED, 'smoothed'),
    'a sample that warms changes its absorption bands, of which reflection and transmission are '
    'not linear functions; convert to absorbance first',
    'broadening changes norms, means and slopes that went into these values; augment the measured '
    'values and preprocess afterwards',
  ),
  'exponential': _BACKGROUND,
  'polynomial': _BACKGROUND,
  'etalon': _LIGHT,
  'response': _LIGHT,
  'resolution': Rule((*DETECTED, 'ir'), MEASURED, _NOT_DETECTED, _LIGHT_STATE),
  'shift': Rule(
    (*LOGARITHMIC, *RELATIVE, *ARBITRARY, 'kubelka_munk'),
    (*MEASURED, *POINTWISE, 'derivative'),
    'an axis that is out of calibration belongs to an instrument, and these values are constants '
    'of a material or not a spectrum; leave it off',
    'it would no longer be a spectrum along the axis; leave it off',
  ),
  'shot': Rule(
    DETECTED,
    MEASURED,
    'the variance of counted photons needs the light that fell on a detector, which these values '
    'do not tell; convert them to absorbance or counts',
    _NOISE_STATE,
  ),
  'flicker': _NOISE,
  'read': _NOISE,
  'crop': Rule(
    (*LOGARITHMIC, *RELATIVE, *ARBITRARY, 'kubelka_munk'),
    (*MEASURED, *POINTWISE, 'derivative'),
    'n and k at one wavenumber depend on all others (Kramers-Kronig), so a cut changes what they '
    'mean; leave it off',
    'it would no longer be a spectrum along the axis; leave it off',
  ),
}

# What is common for images and sounds, and wrong for spectra.
IMPOSSIBLE = {
  'flip': 'a spectrum read backwards is that of no substance: C-H would absorb where C-Cl does',
  'stretch': 'a stretched axis moves a band at 3000 cm^-1 by 30 cm^-1 for each per cent, further '
  'than any instrument or sample does, and changes what the band means; use shift or drift',
  'warp': 'bending the axis freely moves bands across the positions that tell groups apart; use '
  'drift, which is bounded in cm^-1',
  'roll': 'what leaves a spectrum at 4000 cm^-1 does not come in again at 400; use shift',
  'invert': 'a sign turned makes absorption of emission; no sample gives it',
  'permute': 'points exchanged along the axis keep no band where it belongs',
}


def check_known(names: Mapping[str, object]) -> None:
  """Raises a ValueError at an augmentation that there is not, or that physics forbids."""
  for name in names:
    if name in IMPOSSIBLE:
      raise ValueError(
        f'augment.{name} is refused, expected a change that spectrometers and samples '
        f'cause: {IMPOSSIBLE[name]}'
      )
    if name not in RULES:
      raise ValueError(f'there is no augment.{name}, expected one of {", ".join(RULES)}')


def check(name: str, frame: Frame) -> None:
  """Raises a ValueError that says why physically, unless `name` suits kind and state."""
  rule = RULES[name]
  if frame.kind not in rule.kinds:
    raise ValueError(
      f'augment.{name} does not suit {frame.kind} spectra, expected one of '
      f'{", ".join(rule.kinds)}: {rule.why_kind}'
    )
  # Of arbitrary units only shares count, and those stay when a spectrum is divided by a number.
  rescaled = frame.kind in ARBITRARY and frame.state == 'normalised' and name != 'mixing'
  if frame.state not in rule.states and not (rescaled and 'measured' in rule.states):
    raise ValueError(
      f'augment.{name} does not suit spectra in state {frame.state!r}, expected '
      f'{", ".join(rule.states)}: {rule.why_state}'
    )


def check_magnitude(name: str, value: float, most: float = float('inf')) -> None:
  """Raises a ValueError unless 0 <= value <= most; `name` is its dotted key under augment."""
  if not 0 <= value <= most:
    raise ValueError(f'augment.{name} is {value}, expected 0 (off) to {most:.4g}')


def check_range(name: str, limits: tuple[float, float], least: float) -> None:
  """Raises a ValueError unless least <= low <= high, both finite."""
  if len(limits) != 2 or not least <= limits[0] <= limits[1] < float('inf'):
    raise ValueError(
      f'augment.{name} is {tuple(limits)}, expected (low, high) in cm^-1 with '
      f'{least:.4g} <= low <= high'
    )
