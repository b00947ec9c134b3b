"""Random oscillator media, and the tightest true assumptions about what a window does not show."""

from typing import NamedTuple

import numpy as np

from experiments import dielectrics

_FINE = 5  # samples per HWHM, between which no line rises by more than `_BETWEEN`
_BETWEEN = 1 + 1 / (2 * _FINE) ** 2


class Medium(NamedTuple):
  """Lorentz lines: static strength, centre and FWHM [cm^-1], each [K]."""

  f: np.ndarray
  nu0: np.ndarray
  gamma: np.ndarray


def draw(rng: np.random.Generator, low: float, high: float, hwhm_min: float) -> Medium:
  """1 to 20 lines, HWHM 1 to 8 times `hwhm_min`, a fifth of them beyond the window low .. high."""
  lines = rng.integers(1, 21)
  below, above = rng.uniform(0.5 * low, low, lines), rng.uniform(high, 1.5 * high, lines)
  beyond = np.where(rng.random(lines) < 0.5, below, above)
  nu0 = np.where(rng.random(lines) < 0.2, beyond, rng.uniform(low, high, lines))
  hwhm = np.minimum(hwhm_min * 8 ** rng.random(lines), nu0 / 4)
  peak = 10 ** rng.uniform(-3, 0, lines)
  return Medium(2 * peak * hwhm / nu0, nu0, 2 * hwhm)


def susceptibility(nu: np.ndarray, medium: Medium) -> np.ndarray:
  """chi [L], complex."""
  return sum(dielectrics.lorentz(nu, *line) for line in zip(*medium, strict=True))


def window(nu: np.ndarray, medium: Medium) -> np.ndarray:
  """The exact transform of Im chi cut off at the first and last wavenumber, [L]."""
  lines = zip(*medium, strict=True)
  return sum(dielectrics.lorentz_window(nu, *line, nu[0], nu[-1]) for line in lines)


def slope(nu: np.ndarray, medium: Medium) -> np.ndarray:
  """d Im chi / d nu [L], in 1 / cm^-1."""
  each = lambda f, nu0, gamma: (
    f * nu0**2 * (2 * nu + 1j * gamma) / ((nu0 - nu) * (nu0 + nu) - 1j * gamma * nu) ** 2
  )
  return sum(each(*line).imag for line in zip(*medium, strict=True))


def assumptions(medium: Medium, low: float, high: float, hwhm_min: float, power: float) -> dict:
  """What `kramers_kronig_bound.bound` is to be told, as tight as a user who knows the medium."""
  step, last = hwhm_min / _FINE, 1.6 * high
  inside = lambda a, b: medium.nu0[(medium.nu0 >= a) & (medium.nu0 <= b)]
  below = np.concatenate([np.arange(step, low, step), [low], inside(0, low)])
  far = np.geomspace(last, 100 * high, 200)
  above = np.concatenate([np.arange(high, last, step), inside(high, last), far])
  k_below, k_above = (susceptibility(nu, medium).imag for nu in (below, above))
  steepest = max(np.abs(slope(nu, medium)).max() for nu in (below, above))
  return {
    'hwhm_min': hwhm_min,
    'low_max': _BETWEEN * k_below.max(),
    'high_max': _BETWEEN * (k_above * (above / high) ** power).max(),
    'high_power': power,
    'edge_slope_max': 1.03 * steepest,  # it varies faster than k between samples
  }
