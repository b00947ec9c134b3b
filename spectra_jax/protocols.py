"""What is predicted from what, and who is on which side: the protocols of the tables.

One function a protocol, which takes the folder of its data set. Where the publishers give sides
they are used; a method may use the training and the validation side to make all its choices.
"""

import dataclasses
import functools
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from spectra_jax import splits
from spectra_jax.datasets import corn, nirsoil, rruff_splits, tablets, tecator, wheat_kernels
from spectra_jax.spectra import Spectra
from spectra_jax.splits import Split

LABEL = 'label'  # meta column of classes
TARGET = 'target/'  # what meta columns of numbers begin with
REPEATS = 20
SHIFTS_CM = (5, 10, 15, 20, 25, 30)  # to higher wavenumbers
SHARES = (0.6, 0.15, 0.25)  # of 80 samples of corn 48, 12 and 20


@dataclasses.dataclass(frozen=True, eq=False)
class Protocol:
  """Spectra, what is asked of them, and splits of them, one or several.

  Attributes:
    dataset: file in spectra_jax/datasets.
    spectra: on their native grid.
    targets: names of numbers, columns of the spectra's meta without `TARGET`; () = their 'label'.
    repeats: splits of one regime.
    learn: the sides that a method may use for all its choices.
    options: of the data set, as configs name them.
    moved: name of a further test -> the same spectra, those of the test side changed.
  """

  dataset: str
  spectra: Spectra
  targets: tuple[str, ...]
  repeats: Sequence[Split]
  learn: tuple[str, ...] = ('train', 'validation')
  options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
  moved: Mapping[str, Spectra] = dataclasses.field(default_factory=dict)

  @property
  def regime(self) -> str:
    return splits.common_regime(self.repeats)

  @property
  def hash(self) -> str:
    """Of the split, or of all of them."""
    one = len(self.repeats) == 1
    return self.repeats[0].hash if one else splits.joint_hash(self.repeats)

  def target(self, name: str) -> np.ndarray:
    """[N] numbers, NaN where nobody knows; classes where the name is `LABEL`."""
    if name == LABEL:
      return np.asarray(self.spectra.meta[LABEL], str)
    return np.float64(self.spectra.meta[TARGET + name])


def corn_within(path: pathlib.Path, instrument: str) -> Protocol:
  """Four properties of 80 samples on one instrument, 20 random splits of 60 and 20 samples."""
  spectra = corn.read(path)
  spectra = spectra.take(spectra.meta['instrument'] == instrument)
  return Protocol('corn', spectra, corn.TARGETS, _repeated(spectra))


def tecator_file_order(path: pathlib.Path) -> Protocol:
  """Fat of meat, 172 | 43 in file order: seven test spectra are in the training side too."""
  spectra = tecator.read(path)
  split = splits.given(spectra.meta['id'], spectra.meta['side'])
  return Protocol('tecator', spectra, ('fat',), (split,))


def tecator_apart(path: pathlib.Path) -> Protocol:
  """The same without the training spectra that are test spectra: 165 | 43."""
  whole = tecator_file_order(path)
  ids, groups, split = (*(whole.spectra.meta[name] for name in ('id', 'group')), whole.repeats[0])
  seen = np.isin(groups, groups[split.test])
  sides = [split.train[~seen[split.train]], split.validation[~seen[split.validation]], split.test]
  apart = splits.of_sides(ids, sides, 'grouped', {'from': split.hash})
  return dataclasses.replace(whole, repeats=(apart,))


def tecator_repeated(path: pathlib.Path) -> Protocol:
  """Fat of meat, 20 random splits that keep duplicates together."""
  spectra = tecator.read(path)
  return Protocol('tecator', spectra, ('fat',), _repeated(spectra))


def tablets_within(path: pathlib.Path, instrument: str) -> Protocol:
  """Assay of tablets on one instrument; four calibration tablets, the usual ones, are left out."""
  spectra = tablets.read(path)
  spectra = spectra.take(spectra.meta['instrument'] == instrument)
  sides = np.where(spectra.meta['outlier'], '', spectra.meta['side'])
  return Protocol('tablets', spectra, ('assay',), (splits.given(spectra.meta['id'], sides),))


def nirsoil_given(path: pathlib.Path) -> Protocol:
  """Nitrogen, carbon and cation exchange capacity of soils, the sides of the challenge."""
  spectra = nirsoil.read(path)
  split = splits.given(spectra.meta['id'], spectra.meta['side'])
  return Protocol('nirsoil', spectra, nirsoil.TARGETS, (split,))


def wheat_given(path: pathlib.Path) -> Protocol:
  """Protein of single wheat kernels, 415 | 108 as published."""
  spectra = wheat_kernels.read(path)
  split = splits.given(spectra.meta['id'], spectra.meta['side'])
  return Protocol('wheat_kernels', spectra, ('protein',), (split,))


def rruff_labels(path: pathlib.Path, labels: int) -> Protocol:
  """63 minerals from raw Raman spectra, `labels` of them to learn from, the published test side.

  Further tests: the test spectra moved by 5 to 30 cm^-1, padded as the authors do.
  """
  load = lambda shift_cm: rruff_splits.load(
    rruff_splits.AXIS, path=str(path), labels=labels, shift_cm=shift_cm
  )['raman']
  spectra = load(0.0)
  split = splits.given(spectra.meta['id'], spectra.meta['side'])
  return Protocol(
    'rruff_splits',
    spectra,
    (),
    (split,),
    learn=('train',),
    options={'labels': labels},
    moved={f'shift_{cm}': load(float(cm)) for cm in SHIFTS_CM},
  )


# Name -> (folder of the data as ../shared/data has it, the function).
PROTOCOLS: dict[str, tuple[str, Callable[[pathlib.Path], Protocol]]] = {
  **{
    f'corn_{name}': ('corn', functools.partial(corn_within, instrument=name))
    for name in corn.INSTRUMENTS
  },
  'tecator': ('tecator', tecator_file_order),
  'tecator_apart': ('tecator', tecator_apart),
  'tecator_repeated': ('tecator', tecator_repeated),
  **{
    f'tablets_{name}': ('tablets_idrc2002', functools.partial(tablets_within, instrument=name))
    for name in tablets.INSTRUMENTS
  },
  'nirsoil': ('nirsoil', nirsoil_given),
  'wheat_kernels': ('wheat_kernel', wheat_given),
  **{
    f'rruff_{labels}': ('rruff_splits', functools.partial(rruff_labels, labels=labels))
    for labels in rruff_splits.LABELS
  },
}


def load(name: str, data_dir: str | pathlib.Path) -> Protocol:
  """A protocol by its name, its data set read from its folder in `data_dir`.

  Raises:
    ValueError: no such protocol, or files that are not those of the data set.
    FileNotFoundError: the data set is not there.
  """
  if name not in PROTOCOLS:
    raise ValueError(f'protocol is {name!r}, expected one of {", ".join(PROTOCOLS)}; correct it')
  folder, make = PROTOCOLS[name]
  return make(pathlib.Path(data_dir) / folder)


def _repeated(spectra: Spectra) -> list[Split]:
  ids, groups = spectra.meta['id'], spectra.meta['group']
  make = lambda seed: splits.make_split(ids, groups, 'grouped', SHARES, seed)
  return splits.repeated(make, range(REPEATS))
