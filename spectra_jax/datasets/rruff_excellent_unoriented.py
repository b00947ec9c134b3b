"""RRUFF's archive excellent_unoriented: 5,471 Raman spectra of 1,749 minerals, four lasers.

5,461 are as RRUFF has processed them (baseline taken off), 10 are raw. Every spectrum has its own
grid. The group is the specimen: R050441 of R050441_a, since RRUFF numbers the spots and settings.

118 pairs of spectra are the same numbers between 200 and 1300 cm^-1, most of them one specimen
under two names (anorthite is labradorite, apophyllite-KF is fluorapophyllite-K, lefontite is
unknown): no model can tell these apart, which costs top-1 among the 108 minerals with at least 8
spectra up to 31 of 1,408. Nine pairs, four of them on another grid, are under two specimens:
R120021 and R120031, R060839 and R060837, R050240 and R070655, R150061 and R060720, R060693 and
R080015, none of them among those 108. `duplicates.find_copies` lists all.
"""

import pathlib
from collections.abc import Mapping

import numpy as np

from spectra_jax import native
from spectra_jax.datasets.rruff_archive import specimen
from spectra_jax.spectra import Spectra

INFO = {
  'name': 'rruff_excellent_unoriented',
  'version': '2019.11.15',
  'licence': 'none stated; RRUFF asks to be cited, redistribution is not cleared',
  'citation': 'Lafuente, Downs, Yang and Stone 2015, The power of databases: the RRUFF project, '
  'doi:10.1515/9783110417104-003',
  'urls': ('https://rruff.info/zipped_data_files/raman/excellent_unoriented.zip',),
  'files': {
    'excellent_unoriented_u16.npz': (
      '67524d4cb8ee314acf055ad744e457c7285a6f744d072b75afa8644e53cf3928'
    )
  },
  'content': {},
  'manual': 'this file holds the archive of November 2019 in 16 bits; the archive itself, from '
  'https://rruff.info/zipped_data_files/raman/excellent_unoriented.zip, is data set rruff_archive',
  'units': {'axis': 'cm^-1', 'raman': 'counts; rounded to 1/65535 of each spectrum range'},
}
STATES = {'Processed': 'baseline_corrected', 'RAW': 'measured'}


def _parse(folder: pathlib.Path, source: str) -> list[Spectra]:
  with np.load(folder / 'excellent_unoriented_u16.npz', allow_pickle=False) as stored:
    arrays = {name: stored[name] for name in stored.files}
  axes = _axes(arrays)
  meta = {
    'id': np.array([name.removesuffix('.txt') for name in arrays['filename']]),
    'group': np.array([specimen(name) for name in arrays['rruff_id']]),
    'label': arrays['mineral'],
    'laser_nm': np.float32(arrays['laser_nm']),
    'specimen': arrays['rruff_id'],
    'chemistry': arrays['ideal_chemistry'],
  }
  spectra = []
  for i, axis in enumerate(axes):
    steps = arrays['y_u16'][arrays['offset'][i] : arrays['offset'][i + 1]]
    values = steps / 65535 * arrays['y_range'][i] + arrays['y_min'][i]
    of_row = {name: column[i : i + 1] for name, column in meta.items()}
    about = ('cm^-1', 'raman', STATES[str(arrays['kind'][i])])
    mask = np.ones((1, len(axis)), bool)
    spectra.append(Spectra(np.float32(values)[None], axis, *about, mask, of_row, source))
  return spectra


def _axes(arrays: dict[str, np.ndarray]) -> list[np.ndarray]:
  ends = zip(arrays['x_first'], arrays['x_last'], np.diff(arrays['offset']), strict=True)
  axes = [np.linspace(first, last, count) for first, last, count in ends]
  own = np.split(arrays['irregular_x'].astype(np.float64), arrays['irregular_offset'][1:-1])
  for i, axis in zip(arrays['irregular_index'], own, strict=True):
    axes[i] = axis
  return axes


read = native.reader(INFO, _parse)
there = native.counter(read)


def load(
  axis: np.ndarray,
  rows: slice = native.ALL,
  *,
  path: str = '',
  state: str = 'baseline_corrected',
) -> Mapping[str, Spectra]:
  """The spectra of one state on `axis` [cm^-1]; mask False where a spectrum does not reach."""
  return native.on_axis(native.of_state(read(path), state), axis, rows)
