"""192 Raman spectra of six minerals, raw and as RRUFF has processed them: measured pairs.

What processing took away is fluorescence and baseline, so a method that removes them has a truth
here. Oriented samples, 514 nm. Column 'pair' names the measurement that both are of.
"""

import dataclasses
import pathlib
import tarfile
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from spectra_jax import native
from spectra_jax.align import align
from spectra_jax.datasets.rruff_archive import LIMITS, spectra_of
from spectra_jax.spectra import Spectra

INFO = {
  'name': 'rruff_pairs',
  'version': '1.0.0',
  'licence': 'none stated; RRUFF asks to be cited, redistribution is not cleared',
  'citation': 'Lafuente, Downs, Yang and Stone 2015, The power of databases: the RRUFF project, '
  'doi:10.1515/9783110417104-003',
  'urls': ('https://rruff.info/zipped_data_files/raman/excellent_oriented.zip',),
  'files': {
    'rruff_oriented_514_raw_and_processed.tar.xz': (
      '981a4077272af2e509e792f2e1fe28f3506c3909ad87d4ef1700ed308b0a3934'
    )
  },
  'content': {},
  'manual': 'no licence allows a download for you: this archive holds 384 text files of RRUFF, the '
  'archives of https://rruff.info/zipped_data_files/raman/ are data set rruff_archive',
  'units': {'axis': 'cm^-1', 'raman': 'counts'},
}
STATES = ('measured', 'baseline_corrected')


def pairs(spectra: Sequence[Spectra], axis: np.ndarray) -> tuple[Spectra, Spectra]:
  """(raw, processed) on `axis` [cm^-1], row for row the same measurement."""
  raw, processed = (align(native.of_state(spectra, state), axis) for state in STATES)
  if not np.array_equal(raw.meta['pair'], processed.meta['pair']):
    raise ValueError('raw and processed spectra are not of the same measurements; expected pairs')
  return raw, processed


def _parse(folder: pathlib.Path, source: str) -> list[Spectra]:
  (name,) = INFO['files']
  spectra = map(_paired, spectra_of(_texts(folder / name), source))
  return sorted(spectra, key=lambda one: (STATES.index(one.state), one.meta['pair'][0]))


def _paired(one: Spectra) -> Spectra:
  """With the measurement that it is of: the part of the id that both states have."""
  pair = np.array([name.split('__Raman_Data_')[0] for name in one.meta['id']])
  return dataclasses.replace(one, meta={**one.meta, 'pair': pair})


def _texts(path: pathlib.Path) -> Iterator[tuple[str, bytes]]:
  with tarfile.open(path) as archive:  # nothing is unpacked to disk
    for member in archive:
      if member.isfile() and member.name.endswith('.txt') and member.size <= LIMITS.file_bytes:
        yield member.name, archive.extractfile(member).read()


read = native.reader(INFO, _parse)
there = native.counter(read)


def load(
  axis: np.ndarray, rows: slice = native.ALL, *, path: str = '', state: str = 'measured'
) -> Mapping[str, Spectra]:
  """The spectra of one state on `axis` [cm^-1]; both states have the same rows."""
  return native.on_axis(native.of_state(read(path), state), axis, rows)
