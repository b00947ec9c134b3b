"""How much of what: concentrations and properties from spectra.

Targets are standardised by the training side and scored in their own units: RMSEP, SEP, bias, R2,
RPD and RPIQ (spectra_jax/metrics.py), and the median of the absolute error. A value that is not
known (NaN) is neither learned nor scored. The baseline is the training mean; PLS and its friends
are runs of their own (spectra_jax/chemometrics) that stand in the same tables.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from matplotlib.figure import Figure
from ml_collections import ConfigDict

from spectra_jax import augment, figures, metrics, model, whole_spectrum
from spectra_jax.losses.masked_mse import masked_mse
from spectra_jax.spectra import TARGET, Spectra
from spectra_jax.splits import Split
from spectra_jax.whole_spectrum import (
  Scores,
  WholeSpectrum,
  corrected,
  only_kind,
  preprocessing,
  statistics,
)

BASELINES = ('mean',)


@dataclasses.dataclass(frozen=True, eq=False)
class Task(WholeSpectrum):
  """Regression of targets on the spectra of one data set.

  Attributes:
    names: [Y] of the targets.
    mean_Y, sd_Y: of each over the training side, where it is known.
  """

  names: tuple[str, ...]
  mean_Y: np.ndarray
  sd_Y: np.ndarray

  # --- what the loop calls -------------------------------------------------------------------

  def module(self) -> model.PooledModel:
    return model.build_pooled(self.config, kinds=1, outputs=len(self.names))

  def inputs(
    self, keys_B: jax.Array, step: ArrayLike, batch: Mapping[str, jax.Array], train: bool
  ) -> tuple[dict[str, Any], dict[str, jax.Array]]:
    """Augments training spectra: (model inputs, targets)."""
    del step
    found = self.augmented(keys_B, batch) if train else batch
    inputs = self.scaled(found['values'], found['mask'], batch['kind'])
    return inputs, {'target': found['target']}

  def losses(self, outputs: jax.Array, targets: Mapping[str, jax.Array]) -> dict[str, jax.Array]:
    """Mean squared error of the standardised targets that are known, of `outputs` [B, members, Y]:
    the mean over members, who learn apart.
    """
    known_BxY = ~jnp.isnan(targets['target'])
    standard_BxY = (targets['target'] - self.mean_Y) / self.sd_Y
    wanted_BxY = jnp.where(known_BxY, standard_BxY, 0.0)
    of_members = jax.vmap(masked_mse, (1, None, None), 1)
    return {'mse': of_members(outputs, wanted_BxY, known_BxY).mean(1)}

  def metrics(self, outputs: np.ndarray, targets: Mapping[str, np.ndarray]) -> Scores:
    """'<target>.<metric>' -> its terms, in the target's unit."""
    predicted_NxY = np.float64(outputs) * self.sd_Y + self.mean_Y
    reference_NxY = np.asarray(targets['target'])
    return {
      f'{target}.{name}': metric(predicted_NxY[:, y], reference_NxY[:, y])
      for y, target in enumerate(self.names)
      for name, metric in metrics.OF_NUMBERS.items()
    }

  def baselines(self, side: str, names: tuple[str, ...] = BASELINES) -> dict[str, np.ndarray]:
    """[N, Y] standardised predictions: the training mean is 0."""
    zeros_NxY = np.zeros((len(getattr(self.split, side)), len(self.names)))
    return dict.fromkeys(names, zeros_NxY)

  def report(self, scores: Scores, baselines: Mapping[str, Scores], kind_N: np.ndarray) -> dict:
    """As of any task of whole spectra, with 'median_error' of each target by method."""
    found, methods = super().report(scores, baselines, kind_N), {'model': scores, **baselines}
    for name in self.names:
      found[name]['median_error'] = {
        method: metrics.median_error(own[f'{name}.rmsep']) for method, own in methods.items()
      }
    return found

  def selection(self, scores: Scores, mean: Scores, kind_N: np.ndarray) -> dict[str, float]:
    """Numbers logged at each validation; 'error' is RMSEP over that of the training mean, averaged
    over targets.
    """
    del kind_N
    errors = {
      f'error/{name}': float(scores[f'{name}.rmsep']) / float(mean[f'{name}.rmsep'])
      for name in self.names
    }
    return {'error': float(np.mean(list(errors.values()))), **errors}

  def figures(
    self, outputs: np.ndarray, side: str, baselines: Mapping[str, np.ndarray]
  ) -> dict[str, Figure]:
    """Predicted against reference values of every target."""
    predicted_NxY = np.float64(outputs) * self.sd_Y + self.mean_Y
    reference_NxY = self.examples(side)['target']
    pairs = {name: (reference_NxY[:, y], predicted_NxY[:, y]) for y, name in enumerate(self.names)}
    return {'predicted': figures.predicted(pairs)}

  def learning_curve(
    self, records: Sequence[Mapping[str, float]], report: Mapping[str, Mapping]
  ) -> Figure:
    """Validation error over the steps; 1 is what the training mean has."""
    return figures.learning_curve(
      records,
      curves={'val/error': 'validation'},
      levels={'training mean': 1.0},
      ylabel='RMSEP / that of the training mean',
    )

  def table(self, report: Mapping[str, Mapping]) -> list[list[str]]:
    """Rows of the terminal's table: method, then RMSEP of each target with its 95 % interval."""
    rmsep = {name: report[name]['rmsep'] for name in self.names}
    return whole_spectrum.table(rmsep, ('model', *BASELINES), self.names)


def build(config: ConfigDict, spectra: Mapping[str, Spectra], split: Split) -> Task:
  """The task on this data; every constant comes from the training side alone.

  Raises:
    ValueError: targets that the data do not have, or that are constant or unknown in training.
  """
  of_kind = corrected(config, only_kind(spectra, 'regress'))
  there = [name.removeprefix(TARGET) for name in of_kind.meta if name.startswith(TARGET)]
  names = tuple(config.task.regress.targets) or tuple(there)
  unknown = [name for name in names if name not in there]
  if unknown or not names:
    raise ValueError(
      f'task.regress.targets names {unknown or "none"}, expected some of '
      f'{", ".join(there) or "none"}, the targets of data set {config.dataset.name}; correct them '
      'or choose another data set'
    )
  target_NxY = np.stack([np.float32(of_kind.meta[TARGET + name]) for name in names], 1)
  known = target_NxY[split.train].astype(np.float64)
  check_targets(names, known)
  fitted = preprocessing(config, of_kind, split.train)
  common = (config, of_kind.axis, of_kind, split, augment.build(config.augment, of_kind), fitted)
  constants = statistics(of_kind, split.train, config.task.regress.centred, fitted)
  spread = (np.nanmean(known, 0), np.nanstd(known, 0))
  return Task(*common, *constants, target_NxY, names, *spread)


def check_targets(names: tuple[str, ...], train_NxY: np.ndarray) -> None:
  """Raises a ValueError for a target of fewer than two different known training values."""
  for name, column in zip(names, train_NxY.T, strict=True):
    different = len(np.unique(column[~np.isnan(column)]))
    if different < 2:
      raise ValueError(
        f'target {name!r} has {different} different known values in training, expected at least 2; '
        'leave it out of task.regress.targets'
      )
