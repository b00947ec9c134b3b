"""What `augmentation_report` measures: three data sets, cheap methods, plausible magnitudes.

RRUFF: minerals by 1-NN and ridge on first differences, tested as measured and moved by 15 cm^-1.
Tecator and corn: fat and moisture by PLS; corn learns on one instrument and is tested on all three.
"""

import pathlib
from collections.abc import Mapping

import numpy as np
from sklearn.linear_model import RidgeClassifier

from spectra_jax.augmentation_report import Options, Predict, Study
from spectra_jax.chemometrics import pls
from spectra_jax.datasets import corn, rruff_splits, tecator
from spectra_jax.likeness import nearest_of_classes

PENALTY = 1e-3  # of ridge on RRUFF a row; five folds of the published training side chose it
SHIFT_CM = 15.0  # of the second test condition on RRUFF, as in the paper

# Of one trial each: augmentation -> magnitudes; other options below.
RRUFF = {
  'shift.max_cm': (2.0, 5.0, 15.0, 30.0),
  'drift.position_cm': (2.0, 10.0),
  'drift.width_cm': (2.0, 5.0),
  'resolution.fwhm_cm': (5.0, 10.0),
  'polynomial.height': (0.1, 0.5),
  'exponential.height': (0.3, 1.0),
  'etalon.contrast': (0.01, 0.05),
  'response.fraction': (0.1, 0.4),
  'shot.fraction': (0.01, 0.05),
  'flicker.fraction': (0.01, 0.05),
  'read.fraction': (0.01, 0.05),
}
TECATOR = {
  'shift.max_cm': (2.0, 5.0, 20.0),
  'drift.position_cm': (2.0, 20.0),
  'resolution.fwhm_cm': (50.0,),
  'polynomial.height': (0.02, 0.2),
  'exponential.height': (0.02, 0.2),
  'etalon.contrast': (0.001, 0.01),
  'response.fraction': (0.002, 0.02),
  'shot.fraction': (1e-6, 1e-5),
  'flicker.fraction': (1e-7, 1e-6),
  'read.fraction': (1e-8, 1e-7),
  'mixing.share': (0.2, 0.5),
}
CORN = {
  'shift.max_cm': (1.0, 3.0, 10.0),
  'drift.position_cm': (3.0, 10.0),
  'polynomial.height': (0.01, 0.1),
  'exponential.height': (0.01, 0.1),
  'etalon.contrast': (0.0003, 0.003),
  'response.fraction': (0.003, 0.03, 0.1),
  'shot.fraction': (1e-5, 1e-4),
  'flicker.fraction': (1e-5, 1e-4),
  'read.fraction': (1e-5, 1e-4),
  'mixing.share': (0.5,),
}
# The options beside the magnitudes, on axes of lines some 10 cm^-1 wide and of overtones.
NARROW = {
  'drift': {'position_cm': 0.0, 'width_cm': 0.0, 'band_cm': 200.0},
  'resolution': {'apodisation': 'medium'},
  'polynomial': {'order': 3},
  'exponential': {'decay_cm': (200.0, 2000.0)},
  'etalon': {'period_cm': (20.0, 200.0)},
  'response': {'period_cm': 300.0},
}
WIDE = NARROW | {
  'drift': {'position_cm': 0.0, 'width_cm': 0.0, 'band_cm': 500.0},
  'exponential': {'decay_cm': (500.0, 5000.0)},
  'etalon': {'period_cm': (100.0, 1000.0)},
  'response': {'period_cm': 1000.0},
}


def load(name: str, folder: pathlib.Path) -> Study:
  """One of `STUDIES` from its data set in `folder`.

  Raises:
    ValueError: another name.
    FileNotFoundError: the data set is not there.
  """
  if name not in STUDIES:
    raise ValueError(f'there is no study {name!r}, expected one of {", ".join(STUDIES)}')
  return STUDIES[name](folder)


def trials(magnitudes: Mapping[str, tuple], others: Mapping[str, Mapping]) -> dict[str, Options]:
  """{'shift.max_cm 5': {'shift': {'max_cm': 5.0}}, ...}: one augmentation at one magnitude each."""
  found = {}
  for dotted, values in magnitudes.items():
    name, magnitude = dotted.split('.')
    for value in values:
      found[f'{dotted} {value:g}'] = {name: {**others.get(name, {}), magnitude: value}}
  return found


def nearest(values: np.ndarray, target: np.ndarray, groups: np.ndarray) -> Predict:
  """The class of the training spectrum at the smallest angle, of first differences."""
  names_C, class_N = np.unique(target, return_inverse=True)
  known = (_directions(values), class_N, len(names_C))
  return lambda tested: names_C[nearest_of_classes(_directions(tested), *known).argmax(1)]


def ridge_classes(values: np.ndarray, target: np.ndarray, groups: np.ndarray) -> Predict:
  """Ridge on class indicators, of first differences of unit length, one penalty for all trials.

  The penalty goes with the number of rows, so copies that change nothing gain nothing.
  """
  # By Cholesky, in a tenth of the time of the singular values that chemometrics/ridge.py needs.
  model = RidgeClassifier(alpha=PENALTY * len(values), solver='cholesky')
  model.fit(_directions(values), target)
  return lambda tested: model.predict(_directions(tested))


def components(values: np.ndarray, target: np.ndarray, groups: np.ndarray) -> Predict:
  """PLS whose components grouped folds choose; copies are in the fold of their original."""
  return pls.fit(values, np.float64(target), groups, seed=0).predict


def _rruff(folder: pathlib.Path) -> Study:
  spectra = rruff_splits.choose(rruff_splits.read(folder / 'rruff_splits'), 'raw', 0.0)
  values = np.asarray(spectra.values)
  return Study(
    name='rruff',
    spectra=spectra,
    target_N=spectra.meta['label'],
    unit='',
    methods={'1-NN': nearest, 'ridge': ridge_classes},
    trials=trials(RRUFF, NARROW),
    conditions={
      'as measured': values,
      f'moved {SHIFT_CM:g} cm⁻¹': rruff_splits.shift(values, SHIFT_CM, 'edge'),
    },
    regime='iid',
    held_out=0.3,
  )


def _tecator(folder: pathlib.Path) -> Study:
  spectra = tecator.read(folder / 'tecator')
  return Study(
    name='tecator',
    spectra=spectra,
    target_N=np.float64(spectra.meta['target/fat']),
    unit='% fat',
    methods={'PLS': components},
    trials=trials(TECATOR, WIDE),
    conditions={'as measured': np.asarray(spectra.values)},
    regime='grouped',
    held_out=0.25,
  )


def _corn(folder: pathlib.Path) -> Study:
  every = corn.read(folder / 'corn')
  of = {name: every.take(every.meta['instrument'] == name) for name in corn.INSTRUMENTS}
  first = of[corn.INSTRUMENTS[0]]
  for name, spectra in of.items():
    if list(spectra.meta['group']) != list(first.meta['group']):
      raise ValueError(f'samples of {name} are not in the order of {first.meta["instrument"][0]}')
  return Study(
    name='corn',
    spectra=first,
    target_N=np.float64(first.meta['target/moisture']),
    unit='% moisture',
    methods={'PLS': components},
    trials=trials(CORN, WIDE),
    conditions={name: np.asarray(spectra.values) for name, spectra in of.items()},
    regime='grouped',
    held_out=0.25,
  )


def _directions(values: np.ndarray) -> np.ndarray:
  """First differences, each of unit length."""
  slope = np.diff(np.float32(values))
  return slope / np.linalg.norm(slope, axis=1, keepdims=True)


STUDIES = {'rruff': _rruff, 'tecator': _tecator, 'corn': _corn}
