"""What is predicted from what, and who is on which side: the protocols of the tables.

One function a protocol, of the spectra of its data set. Where the publishers give sides they are
used; a method may use the training and the validation side to make all its choices.
"""

import dataclasses
import functools
import pathlib
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from spectra_jax import split_configs, split_regimes, splits
from spectra_jax.datasets import corn, nirsoil, rruff_splits, tablets, tecator, wheat_kernels
from spectra_jax.spectra import TARGET, Spectra
from spectra_jax.splits import Split

LABEL = 'label'  # meta column of classes
REPEATS = 20
SHIFTS_CM = (5, 10, 15, 20, 25, 30)  # to higher wavenumbers
SHARES = (0.6, 0.15, 0.25)  # of 80 samples of corn 48, 12 and 20
FEW = (10, 20, 50)  # labelled spectra, of curves that go on to all of them
FEW_FROM = ('corn_m5', 'tecator_apart', 'tablets_1')  # protocols whose spectra are drawn from
DRAWS = 5  # of each number of labels
DEALS = 5  # of the Raman spectra of minerals,
DEALT = (0.68, 0.02, 0.3)  # about as many in training and test as published


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


Make = Callable[[Spectra], Protocol]  # of a whole data set, on whatever axis


def corn_within(spectra: Spectra, instrument: str) -> Protocol:
  """Four properties of 80 samples on one instrument, 20 random splits of 60 and 20 samples."""
  spectra = spectra.take(spectra.meta['instrument'] == instrument)
  return Protocol('corn', spectra, corn.TARGETS, _repeated(spectra))


def tecator_file_order(spectra: Spectra) -> Protocol:
  """Fat of meat, 172 | 43 in file order: seven test spectra are in the training side too."""
  split = splits.given(spectra.meta['id'], spectra.meta['side'])
  return Protocol('tecator', spectra, ('fat',), (split,))


def tecator_apart(spectra: Spectra) -> Protocol:
  """The same without the training spectra that are test spectra: 165 | 43.

  Five pairs of duplicates are still one in training and one in validation: learn from both sides,
  in folds that keep groups whole, or refit.
  """
  whole = tecator_file_order(spectra)
  ids, groups, split = (*(whole.spectra.meta[name] for name in ('id', 'group')), whole.repeats[0])
  seen = np.isin(groups, groups[split.test])
  sides = [split.train[~seen[split.train]], split.validation[~seen[split.validation]], split.test]
  apart = splits.of_sides(ids, sides, 'grouped', {'from': split.hash})
  return dataclasses.replace(whole, repeats=(apart,))


def tecator_repeated(spectra: Spectra) -> Protocol:
  """Fat of meat, 20 random splits that keep duplicates together."""
  return Protocol('tecator', spectra, ('fat',), _repeated(spectra))


def tablets_within(spectra: Spectra, instrument: str) -> Protocol:
  """Assay of tablets on one instrument; four calibration tablets, the usual ones, are left out."""
  spectra = spectra.take(spectra.meta['instrument'] == instrument)
  sides = np.where(spectra.meta['outlier'], '', spectra.meta['side'])
  return Protocol('tablets', spectra, ('assay',), (splits.given(spectra.meta['id'], sides),))


def nirsoil_given(spectra: Spectra) -> Protocol:
  """Nitrogen, carbon and cation exchange capacity of soils, the sides of the challenge."""
  split = splits.given(spectra.meta['id'], spectra.meta['side'])
  return Protocol('nirsoil', spectra, nirsoil.TARGETS, (split,))


def wheat_given(spectra: Spectra) -> Protocol:
  """Protein of single wheat kernels, 415 | 108 as published."""
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


def few_labels(spectra: Spectra, make: Make, labels: int) -> Protocol:
  """A protocol of which only `labels` spectra may be learned from, drawn `DRAWS` times.

  Draw k has the first test side of several splits, then the second, ..., or the one there is; its
  spectra are the first of an order of its own, so that more labels are the same ones and others.

  Args:
    spectra: of a whole data set.
    make: gives the protocol that is drawn from.
    labels: spectra of a draw; 0 = all, without drawing.

  Raises:
    ValueError: there are not so many to learn from.
  """
  whole = make(spectra)
  if not labels:
    return dataclasses.replace(whole, repeats=tuple(whole.repeats[:DRAWS]))
  ids = whole.spectra.meta['id']
  draw = lambda k: _drawn(whole.repeats[k % len(whole.repeats)], whole.learn, ids, labels, k)
  return dataclasses.replace(whole, repeats=tuple(splits.repeated(draw, range(DRAWS))))


def _drawn(split: Split, learn: Sequence[str], ids: np.ndarray, labels: int, seed: int) -> Split:
  rows = np.sort(np.concatenate([getattr(split, side) for side in learn]))
  if labels > len(rows):
    raise ValueError(
      f'{labels} labelled spectra were asked for, expected at most {len(rows)}, as many as there '
      'are to learn from; lower it'
    )
  place = {name: k for k, name in enumerate(splits.digest_order(ids[rows], seed))}
  order = np.argsort([place[str(name)] for name in ids[rows]], kind='stable')
  sides = [rows[order[:labels]], np.empty(0, int), split.test]
  made = {'from': split.hash, 'labels': labels, 'seed': seed}
  return splits.of_sides(ids, sides, split.regime, made)


def rruff_deals(spectra: Spectra) -> Protocol:
  """63 minerals from raw Raman spectra, five deals by class of all 497, the published sides mixed.

  Args:
    spectra: of `rruff_splits.load` on its own axis, with `labels` 0.
  """
  meta, values = spectra.meta, np.asarray(spectra.values)
  left = values[meta['side'] == 'test'][0, 0]  # as the authors fill their shifted test sets
  deal = lambda seed: split_regimes.stratified_split(
    meta['id'], meta['group'], meta[LABEL], 'iid', DEALT, seed
  )
  return Protocol(
    'rruff_splits',
    spectra,
    (),
    splits.repeated(deal, range(DEALS)),
    options={'labels': 0},
    moved={
      f'shift_{cm}': dataclasses.replace(spectra, values=rruff_splits.moved(values, cm, left))
      for cm in SHIFTS_CM
    },
  )


def _rruff_deals(path: pathlib.Path) -> Protocol:
  return rruff_deals(rruff_splits.load(rruff_splits.AXIS, path=str(path))['raman'])


def _native(path: pathlib.Path, dataset: ModuleType, make: Make) -> Protocol:
  return make(dataset.read(path))


# Data set -> what its folder is called where it is not called like the data set.
OTHERWISE = {'tablets': 'tablets_idrc2002', 'wheat_kernels': 'wheat_kernel'}
# Name -> (folder of the data as `experiments.prepare` makes it, data set, the function).
NUMBERS: dict[str, tuple[str, ModuleType, Make]] = {
  **{
    f'corn_{name}': ('corn', corn, functools.partial(corn_within, instrument=name))
    for name in corn.INSTRUMENTS
  },
  'tecator': ('tecator', tecator, tecator_file_order),
  'tecator_apart': ('tecator', tecator, tecator_apart),
  'tecator_repeated': ('tecator', tecator, tecator_repeated),
  **{
    f'tablets_{name}': (
      'tablets',
      tablets,
      functools.partial(tablets_within, instrument=name),
    )
    for name in tablets.INSTRUMENTS
  },
  'nirsoil': ('nirsoil', nirsoil, nirsoil_given),
  'wheat_kernels': ('wheat_kernels', wheat_kernels, wheat_given),
}
NUMBERS |= {
  f'few_{name}_{labels or "all"}': (
    *NUMBERS[name][:2],
    functools.partial(few_labels, make=NUMBERS[name][2], labels=labels),
  )
  for name in FEW_FROM
  for labels in (*FEW, 0)
}
# Name -> (that folder, the function of its path).
PROTOCOLS: dict[str, tuple[str, Callable[[pathlib.Path], Protocol]]] = {
  **{
    name: (folder, functools.partial(_native, dataset=dataset, make=make))
    for name, (folder, dataset, make) in NUMBERS.items()
  },
  **{
    f'rruff_{labels}': ('rruff_splits', functools.partial(rruff_labels, labels=labels))
    for labels in rruff_splits.LABELS
  },
  'rruff_deals': ('rruff_splits', _rruff_deals),
}
# Those that networks run on by name -> (data set, the function of the spectra that a run has).
OF_RUNS: dict[str, tuple[ModuleType, Make]] = {
  **{name: (dataset, make) for name, (_, dataset, make) in NUMBERS.items()},
  'rruff_deals': (rruff_splits, rruff_deals),
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
  return make(found(data_dir, folder))


def found(data_dir: str | pathlib.Path, dataset: str) -> pathlib.Path:
  """The folder of a data set in that of all of them, as it is called there."""
  names = [dataset, OTHERWISE.get(dataset, dataset)]
  folders = [pathlib.Path(data_dir) / name for name in names]
  return next((folder for folder in folders if folder.is_dir()), folders[0])


def configured(
  config: ConfigDict, spectra: Mapping[str, Spectra]
) -> tuple[Mapping[str, Spectra], Split]:
  """(spectra, split) of a run: of `config.protocol`, or of `config.split` where that names none.

  The hash is that of the protocol's split, which says who learns and who is tested. Where it has no
  validation side, or where that is to train as well, the run's own division of who learns does not
  enter it, as the folds of a classical method do not; `made` has it, and so has the report.

  Raises:
    ValueError: a protocol that runs have no name for, of other data or of another regime, or a
      split that it does not have.
  """
  asked = config.protocol
  if not asked.name:
    return spectra, split_configs.from_config(config, spectra)
  if asked.name not in OF_RUNS:
    raise ValueError(f'protocol.name is {asked.name!r}, expected one of {", ".join(OF_RUNS)}')
  dataset, make = OF_RUNS[asked.name]
  if dataset.INFO['name'] != config.dataset.name:
    raise ValueError(
      f'protocol {asked.name} is of data set {dataset.INFO["name"]} and dataset.name is '
      f'{config.dataset.name!r}, expected the same; change one of them'
    )
  ((kind, of_kind),) = spectra.items()
  protocol = make(of_kind)
  if config.split.regime != protocol.regime or not 0 <= asked.repeat < len(protocol.repeats):
    raise ValueError(
      f'split.regime is {config.split.regime!r} and protocol.repeat {asked.repeat}, expected '
      f'{protocol.regime!r} and 0 to {len(protocol.repeats) - 1}, as protocol {asked.name} has them'
    )
  return {kind: protocol.spectra}, _learning(protocol, config)


def _learning(protocol: Protocol, config: ConfigDict) -> Split:
  """The protocol's split with a validation side, which trains as well if it is to be refitted."""
  whole, asked = protocol.repeats[config.protocol.repeat], config.protocol
  train, validation, _, shares = *whole.sides, config.split.fractions
  if not len(validation):
    meta, share = protocol.spectra.meta, shares[1] / (shares[0] + shares[1])
    own = splits.with_validation(whole, meta['id'], meta['group'], share, config.split.seed)
    train, validation = own.train, own.validation
  if asked.refit:
    train = np.sort(np.concatenate([train, validation]))
  made = {**whole.made, 'protocol': asked.name, 'repeat': asked.repeat, 'refit': asked.refit}
  made |= {'repeats': len(protocol.repeats), 'joint': protocol.hash}  # by which tables pool runs
  return dataclasses.replace(whole, train=train, validation=validation, made=made)


def _repeated(spectra: Spectra) -> list[Split]:
  ids, groups = spectra.meta['id'], spectra.meta['group']
  make = lambda seed: splits.make_split(ids, groups, 'grouped', SHARES, seed)
  return splits.repeated(make, range(REPEATS))
