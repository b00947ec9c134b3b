"""The index n of measured liquids and solids, found from their k on a window alone.

  OPTICAL_CONSTANTS=<folder> python -m experiments.bench optical_constants

Reads every <material>.yml (`tabulated nk` of refractiveindex.info: wavelength in um, n, k) of
--folder, interpolates n and k linearly to 500-4000 cm^-1 in steps of 0.5 (most files step by 0.5 to
1; Hale's, by 13 to 79, is too coarse for its numbers to mean much), and compares the n of
`physics.kramers_kronig.anchored` in float64, tails='power_law', with the n of the file:

  rms_delta_n      at as many anchors as `anchors` says: 2, for water 3. The anchors and the
                   outermost 1 % (35 cm^-1) at each edge are left out: there n depends on how k
                   goes on beyond the edge, of which the window says nothing.
  rms_delta_n_all  the same with the edges.
  by_anchors       both, at 0 (up to a constant, which nothing tells) to 3 anchors.

Anchors take n from the file, at wavenumbers where a prism or ellipsometer could have measured it:
2000 cm^-1, between the bands of most liquids; then 605 as well, near the lower edge, where what
absorbs below it shows; with three 570, 900 and 3300. They were chosen on benzene, ethanol, propanol
and Rowe's water: the other files are the fairer test. These n are themselves in part made by
Kramers-Kronig or from models, so this tests consistency, and is no independent measurement.
"""

import os
import pathlib

import jax
import numpy as np
from absl import flags

from spectra_jax.physics import kramers_kronig

_FOLDER = flags.DEFINE_string(
  'folder',
  os.environ.get('OPTICAL_CONSTANTS', '../shared/data/optical_constants'),
  'files of optical constants; the default is taken from OPTICAL_CONSTANTS where that is set',
)

AXIS = np.linspace(500.0, 4000.0, 7001)
ANCHORS = ((), (2000.0,), (605.0, 2000.0), (570.0, 900.0, 3300.0))
EDGE = 70  # samples, 1 % of the window


def read(path: pathlib.Path) -> np.ndarray:
  """[3, L] of wavenumber [cm^-1, ascending], n, k.

  Raises:
    ValueError: the file has no such table.
  """
  table = path.read_text().partition('type: tabulated nk')[2].partition('data: |\n')[2]
  rows = [line.split() for line in table.splitlines()]
  rows = rows[: next((i for i, row in enumerate(rows) if len(row) != 3), len(rows))]
  if len(rows) < 2:
    raise ValueError(
      f'{path} has no block `type: tabulated nk` with rows of wavelength, n and k; expected a file '
      'of refractiveindex.info; take it out of the folder'
    )
  wavelength_L, n_L, k_L = np.array(rows, np.float64).T
  order_L = np.argsort(-wavelength_L)
  return np.stack([1e4 / wavelength_L, n_L, k_L])[:, order_L]


def _files() -> list[pathlib.Path]:
  found = sorted(pathlib.Path(_FOLDER.value).glob('*.yml'))
  if not found:
    raise ValueError(
      f'--folder={_FOLDER.value} has no *.yml; expected tabulated n and k of refractiveindex.info; '
      'download some and give their folder'
    )
  return found


def _on_axis(path) -> tuple[np.ndarray, np.ndarray]:
  nu_L, n_L, k_L = read(path)
  if nu_L[0] > AXIS[0] or nu_L[-1] < AXIS[-1]:
    raise ValueError(
      f'{path} goes from {nu_L[0]:g} to {nu_L[-1]:g} cm^-1; expected at least {AXIS[0]:g} to '
      f'{AXIS[-1]:g}; take it out of the folder'
    )
  return np.interp(AXIS, nu_L, n_L), np.interp(AXIS, nu_L, k_L)


def _deviation(plan, anchors, n_L, k_L) -> dict:
  """RMS of found - true n without the anchors; from one compiled program a number of anchors."""
  at_Q = np.round((np.array(anchors) - AXIS[0]) / (AXIS[1] - AXIS[0])).astype(int)
  with jax.enable_x64(True):
    if anchors:
      error_L = np.asarray(kramers_kronig.anchored(plan, k_L, n_L[at_Q])) - n_L
    else:
      error_L = np.asarray(kramers_kronig.transform(plan, k_L)) - n_L
      error_L -= error_L[EDGE:-EDGE].mean()
  kept_L = np.delete(np.arange(len(AXIS)), at_Q)
  inner_L = kept_L[(kept_L >= EDGE) & (kept_L < len(AXIS) - EDGE)]
  rms = lambda index: float(np.sqrt(np.mean(error_L[index] ** 2)))
  return {'rms_delta_n': rms(inner_L), 'rms_delta_n_all': rms(kept_L)}


def run() -> dict:
  """{material: errors} of every file in --folder."""
  plans = [kramers_kronig.plan(AXIS, tails='power_law', anchors_nu=nu) for nu in ANCHORS]
  result = {'case': '500-4000,0.5'}
  for path in _files():
    spectra = _on_axis(path)
    every = [_deviation(p, nu, *spectra) for p, nu in zip(plans, ANCHORS, strict=True)]
    anchors = 3 if path.stem.startswith('H2O') else 2
    by_anchors = {str(count): errors for count, errors in enumerate(every)}
    result[path.stem] = {'anchors': anchors, **every[anchors], 'by_anchors': by_anchors}
  return result


def lines(result: dict) -> list[str]:
  """The result as a table."""
  title = 'RMS of n found from k, without 1 % at each edge (with it), by number of anchors'
  header = f'{"":20}' + ''.join(f'{count:>20}' for count in range(len(ANCHORS)))
  cell = lambda e: f'{e["rms_delta_n"]:.1e} ({e["rms_delta_n_all"]:.1e})'
  materials = {name: row for name, row in result.items() if isinstance(row, dict)}
  materials = {name: row['by_anchors'] for name, row in materials.items() if 'by_anchors' in row}
  rows = (
    f'{name:20}' + ''.join(f'{cell(errors):>20}' for errors in row.values())
    for name, row in materials.items()
  )
  return [title, header, *rows]
