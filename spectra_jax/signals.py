"""What a law may be asked of: kinds and states of signals, and why all others are refused."""

import dataclasses
from collections.abc import Mapping

from spectra_jax.spectra import KINDS, STATES, check_member

# Spectra, and what is known of single bands: positions, as wavenumbers or as wavelengths.
SIGNALS = (*KINDS, 'wavenumber', 'wavelength')
# Why no law of absolute spectra is asked after a correction, where it gives no reason of its own.
CORRECTED = {
  'normalised': 'every spectrum was scaled by a factor of its own',
  'baseline_corrected': 'what was taken off as a baseline is not known to the precision of a law',
  'scatter_corrected': 'every spectrum was scaled and offset by numbers of its own',
  'smoothed': 'smoothing moves intensity along the axis',
  'scores': 'scores are no values on an axis',
}


@dataclasses.dataclass(frozen=True)
class Domain:
  """The signals that a law binds.

  Attributes:
    law: its name.
    kinds: what it can be asked of, one tuple for each set of signals that it binds together.
    states: what may have been done to them.
    why: kind or state that is refused -> the reason, part of a sentence.
    otherwise: the reason for every other kind.
  """

  law: str
  kinds: tuple[tuple[str, ...], ...]
  states: tuple[str, ...]
  why: Mapping[str, str]
  otherwise: str

  def check(self, *kinds: str, state: str) -> None:
    """Refuses signals that the law says nothing about; kinds in the order of the law's arguments.

    Raises:
      ValueError: a kind or state that there is not, or that does not fit, with the reason.
    """
    check_member('state', state, STATES)
    for kind in kinds:
      check_member('kind', kind, SIGNALS)
    if kinds not in self.kinds:
      legal = ' or '.join(' with '.join(each) for each in self.kinds)
      self._refuse(' with '.join(kinds), self._reason(kinds), f'expected {legal}')
    if state not in self.states:
      why = {**CORRECTED, **self.why}[state]
      self._refuse(f'the state {state}', why, f'expected {" or ".join(self.states)}')

  def _reason(self, kinds: tuple[str, ...]) -> str:
    return next((self.why[kind] for kind in kinds if kind in self.why), self.otherwise)

  def _refuse(self, what: str, why: str, remedy: str) -> None:
    raise ValueError(f'{self.law} cannot be asked of {what}: {why}; {remedy}')
