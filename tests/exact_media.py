"""Media that obey every law, and files of predictions of them with one row changed."""

import functools

import numpy as np

from experiments import dielectrics
from spectra_jax import audit
from spectra_jax.audit.predictions import Predictions

NU = np.linspace(500.0, 3000.0, 626)  # steps of 4 cm^-1
ROWS, PLANTED, HWHM = 5, 2, 12.0
KINDS = ('ir', 'raman', 'absorbance', 'transmittance', 'reflectance', 'n', 'k')


def lines(rng, low, high):
  """An exact medium: Lorentz and Voigt lines, some outside of low .. high, and one far above."""
  chi = dielectrics.lorentz(NU, 1.0, 60_000.0, 2000.0)
  for nu0 in rng.uniform(low, high, 4):
    strength, hwhm = rng.uniform(1e-3, 1e-2), HWHM * rng.uniform(1, 4)
    chi = chi + dielectrics.lorentz(NU, strength, nu0, 2 * hwhm)
    chi = chi + dielectrics.voigt(NU, strength, nu0 + 150, 10.0, hwhm)
  return np.sqrt(1 + chi)


@functools.cache
def media(seed=0, dtype='float64'):
  """kind -> [ROWS, L] of samples that obey every law."""
  rng = np.random.default_rng(seed)
  index = np.stack([lines(rng, 400, 3100) for _ in range(ROWS)])
  apart = np.array([[650, 1250, 1900, 2500], [900, 1600, 2200, 2800]]) + rng.uniform(
    -80, 80, (2, 4)
  )
  ir, raman = (
    sum(rng.uniform(0.3, 1, (ROWS, 1)) / (1 + ((NU - p) / HWHM) ** 2) for p in row) for row in apart
  )
  reflectance = np.abs((index - 1) / (index + 1)) ** 2
  absorbance = NU * index.imag * 1e-2
  exact = {
    'ir': ir,
    'raman': raman,
    'absorbance': absorbance,
    'transmittance': (1 - reflectance) * 10**-absorbance,
    'reflectance': reflectance,
    'n': index.real,
    'k': index.imag,
  }
  return {kind: exact[kind].astype(dtype) for kind in KINDS}


def file_of(changes=(), kinds=KINDS, dtype='float64'):
  """Predictions of the exact media, but for `changes`: kind -> function of a row -> row."""
  values = {kind: media(dtype=dtype)[kind].copy() for kind in kinds}
  for kind, change in dict(changes).items():
    values[kind][PLANTED] = change(values[kind][PLANTED])
  truth = {kind: media(dtype=dtype)[kind] for kind in kinds if kind in ('k', 'ir')}
  return Predictions(NU, values, truth, np.ones(ROWS, bool), HWHM)


def asked(given, shifted=None, **assumptions):
  return {f.name: f for f in audit.audit(given, audit.Assumptions(**assumptions), shifted)}


def at(points, value):
  """row -> row with these points set to value times its maximum."""

  def change(row):
    row = row.copy()
    row[points] = value * row.max()
    return row

  return change
