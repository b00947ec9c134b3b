"""What a medium absorbs: from n and k that obey laws to the spectrum that views of a molecule show.

A computed spectrum is a density of oscillator strength. Modes of strength S_i [cm^-2], the squared
derivative of dipole (IR) or polarisability (Raman) by the mode, have the susceptibility chi = sum_i
S_i / (nu_i^2 - nu^2 - i gamma nu), and

  nu Im chi = (pi / 2) sum_i S_i g_i(nu),   g_i a line of area 1 as gamma becomes small,

so that of either kind nu Im eps is the spectrum up to a factor. Of a medium of index n + i k it is
n alpha / (2 pi), n alpha = 4 pi nu n k [1/cm], whose sum rule is in `physics/sum_rules.py`. Where
the medium is passive and causal by construction (`heads/non_negative.py`, `heads/oscillators.py`),
k is nowhere negative and n is the dispersion that belongs to it.
"""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

ABSORBS = 100.0  # n alpha [1/cm] of the medium where the intensity is 1


def intensity(found: Mapping[str, jax.Array], nu_L: np.ndarray) -> jax.Array:
  """n alpha / ABSORBS = 4 pi nu n k / ABSORBS: [..., L], of which the training set's mean is 1.

  Args:
    found: {'n', 'k'} [..., L], index of refraction and extinction.
    nu_L: wavenumbers [cm^-1].

  Raises:
    ValueError: other quantities.
  """
  _check(found)
  return found['n'] * found['k'] * np.float32(4 * np.pi * np.asarray(nu_L) / ABSORBS)


def _check(found: Any) -> None:
  names = sorted(found) if isinstance(found, Mapping) else ['one spectrum']
  if names != ['k', 'n']:
    raise ValueError(
      f'foundation.heads.physics gives {", ".join(names)}, expected n and k of a medium; set it to '
      'non_negative, oscillators or unconstrained'
    )
