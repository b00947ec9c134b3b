"""Raman spectra of minerals in the splits of the compact-CNN paper (arXiv:2509.25964).

Two subsets: 'raw' (63 classes, 347 of the 850 training spectra and all 150 test spectra) and
'clean' (17 classes, 164 and 30). The recipe, found by comparison with original files: wavenumbers
200 + i cm^-1, i = 0..1391, linear interpolation, then division by the maximum over that window.

The paper labels 10, 20, 30 or 40 % of the raw training spectra: 85, 170, 255 or 340. The union of
these four is all that is published; the first two are nested, the others not quite.
"""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np

from spectra_jax import native
from spectra_jax.align import align
from spectra_jax.datasets import rruff_excellent_unoriented
from spectra_jax.spectra import Spectra

INFO = {
  'name': 'rruff_splits',
  'version': '2022.6.8',
  'licence': 'none stated; RRUFF asks to be cited, redistribution is not cleared',
  'citation': 'Soysal et al. 2025, arXiv:2509.25964; Lafuente, Downs, Yang and Stone 2015, The '
  'power of databases: the RRUFF project, doi:10.1515/9783110417104-003',
  'urls': ('https://github.com/denizsoysal/Raman_spectra_data',),
  'files': {'soysal_rruff.npz': 'd3137f46475f04cdfe909ef469e07b57610e58ac6696225e1f10e037324a587b'},
  'content': {
    'soysal_rruff.npz': '3e9fb152aa8f0ca95969367d2050822f2f4711247dd13b0aaab548744171c82b'
  },
  'manual': 'no licence allows a download for you: soysal_rruff.npz holds the tables of '
  'https://github.com/denizsoysal/Raman_spectra_data as float32 arrays',
  'units': {'axis': 'cm^-1', 'raman': 'of the maximum in the window'},
}
AXIS = 200.0 + np.arange(1392)
LABELS = {85: 10, 170: 20, 255: 30, 340: 40}  # labelled spectra -> per cent of 850
SUBSETS = ('raw', 'clean')
PADDINGS = ('authors', 'edge')


def recipe(spectra: Sequence[Spectra]) -> Spectra:
  """Original RRUFF spectra as the paper has them: on `AXIS`, divided by the maximum there.

  Raises:
    ValueError: a spectrum without a point in the window, or nowhere positive.
  """
  aligned = align(spectra, AXIS)
  peaks = np.where(aligned.mask, aligned.values, -np.inf).max(1)
  bad = np.flatnonzero(~(peaks > 0))
  if len(bad):
    raise ValueError(
      f'spectrum {aligned.meta["id"][bad[0]]} has the maximum {peaks[bad[0]]:g} between 200 and '
      '1591 cm^-1, expected a positive one to divide by; leave it out'
    )
  values = aligned.values / peaks[:, None]
  return dataclasses.replace(aligned, values=values, state='normalised')


def shift(values_BxL: np.ndarray, shift_cm: float, padding: str) -> np.ndarray:
  """Spectra on `AXIS` moved by `shift_cm` to higher wavenumbers, linearly interpolated.

  Where nothing comes in, 'edge' repeats each spectrum's own outermost value; 'authors' writes the
  first value of the first row into every row, as the published test sets have it: they equal this
  with `shift_cm` 15 and 30.

  Raises:
    ValueError: an unknown padding, or the authors' for a shift to the left, which they never did.
  """
  if padding not in PADDINGS or (padding == 'authors' and shift_cm < 0):
    raise ValueError(
      f'padding is {padding!r} for a shift of {shift_cm:g} cm^-1, expected edge, or authors for a '
      'shift to higher wavenumbers'
    )
  return moved(values_BxL, shift_cm, values_BxL[0, 0] if padding == 'authors' else None)


def moved(values_BxL: np.ndarray, shift_cm: float, left: float | None) -> np.ndarray:
  """As `shift`, with `left` where nothing comes in; None repeats the outermost value."""
  rows = [np.interp(AXIS - shift_cm, AXIS, row, left=left) for row in values_BxL]
  return np.stack(rows).astype(np.float32)


def choose(spectra: Spectra, subset: str, shift_cm: float) -> Spectra:
  """The rows of one subset; its test spectra moved by `shift_cm`, padded as the authors do."""
  if subset not in SUBSETS:
    raise ValueError(f'subset is {subset!r}, expected one of {", ".join(SUBSETS)}')
  chosen = spectra.take(spectra.meta['subset'] == subset)
  test = chosen.meta['side'] == 'test'
  values = np.array(chosen.values)
  if shift_cm:
    values[test] = shift(values[test], shift_cm, 'authors')
  return dataclasses.replace(chosen, values=values)


def sides(spectra: Spectra, labels: int) -> np.ndarray:
  """[N] 'train' for the spectra that the paper labels, 'test', or '' for those left out.

  Args:
    spectra: of `read` or `load`.
    labels: 85, 170, 255 or 340.
  """
  if labels not in LABELS:
    raise ValueError(f'labels is {labels}, expected one of {", ".join(map(str, LABELS))}')
  raw = spectra.meta['subset'] == 'raw'
  labelled = np.where(spectra.meta[f'labelled_{labels}'], 'train', '')
  return np.where(raw, np.where(spectra.meta['side'] == 'test', 'test', labelled), '')


def archived(path: str, of: Spectra) -> Spectra:
  """RRUFF's processed spectra of the minerals of `of`, by the same recipe, as training spectra.

  They are from other measurements, their baselines taken off. Specimens of the test side can be
  among them, since the published splits do not name theirs: a result with them is one with other
  labelled data.
  """
  minerals = set(of.meta['label'])
  read_all = native.of_state(rruff_excellent_unoriented.read(path), 'baseline_corrected')
  found = recipe([one for one in read_all if one.meta['label'][0] in minerals])
  count = len(found)
  text = lambda word: np.full(count, word)
  added = {'subset': text(str(of.meta['subset'][0])), 'side': text('train')}
  added |= {name: np.zeros(count, bool) for name in of.meta if name.startswith('labelled_')}
  added |= {name: found.meta[name] for name in ('id', 'group', 'label')}
  return dataclasses.replace(found, meta={name: added[name] for name in of.meta})


def _parse(folder: pathlib.Path, source: str) -> Spectra:
  with np.load(folder / 'soysal_rruff.npz', allow_pickle=False) as stored:
    parts = {
      ('raw', 'train'): (stored['raw_train_union_X'], stored['raw_train_union_y']),
      ('raw', 'test'): (stored['raw_test_X'], stored['raw_test_y']),
      ('clean', 'train'): (stored['clean_train_X'], stored['clean_train_y']),
      ('clean', 'test'): (stored['clean_test_X'], stored['clean_test_y']),
    }
    rows = [(subset, side, i) for (subset, side), (x, _) in parts.items() for i in range(len(x))]
    labelled = {}
    for labels, percent in LABELS.items():  # the raw training spectra are the first rows
      labelled[f'labelled_{labels}'] = np.isin(
        np.arange(len(rows)), stored[f'raw_train_frac{percent}_idx']
      )
    axis = stored['raman_shift_cm1']
  ids = np.array(['-'.join(map(str, row)) for row in rows])
  meta = {
    'id': ids,
    'group': ids,  # the tables do not tell which specimen a spectrum is of
    'label': np.concatenate([y for _, y in parts.values()]),
    'subset': np.array([subset for subset, _, _ in rows]),
    'side': np.array([side for _, side, _ in rows]),
    **labelled,
  }
  values = np.concatenate([x for x, _ in parts.values()])
  about = ('cm^-1', 'raman', 'normalised')
  return Spectra(values, axis, *about, np.ones(values.shape, bool), meta, source)


read = native.reader(INFO, _parse)
there = native.counter(read)


def load(
  axis: np.ndarray,
  rows: slice = native.ALL,
  *,
  path: str = '',
  subset: str = 'raw',
  shift_cm: float = 0.0,
  labels: int = 0,
  archive: str = '',
) -> Mapping[str, Spectra]:
  """One subset on `axis` [cm^-1]; see `choose`.

  `labels` of the raw training spectra keep the side 'train', as in `sides`, and the others of them
  have 'validation'; 0 = the published sides. `archive` is the folder of data set
  rruff_excellent_unoriented, whose spectra of the same minerals then train as well and whose hash
  is in `source`, by which a run is known; see `archived`.

  Raises:
    ValueError: some rows are wanted of data with an archive, such as for shards.
  """
  spectra = read(path)
  if labels:
    labelled = sides(spectra, labels) == 'train'
    side = np.where(labelled | (spectra.meta['side'] == 'test'), spectra.meta['side'], 'validation')
    spectra = dataclasses.replace(spectra, meta={**spectra.meta, 'side': side})
  chosen = choose(spectra, subset, shift_cm)
  if archive and rows != native.ALL:
    raise ValueError(
      f'rows {rows} are wanted of data with archive {archive!r}, expected all of them: what the '
      "archive adds is counted nowhere; set data.storage to 'memory'"
    )
  parts = [chosen, archived(archive, chosen)] if archive else [chosen]
  return native.on_axis(parts, axis, rows)
