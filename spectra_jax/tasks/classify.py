"""Which class a spectrum belongs to.

Scores: top-1 and top-3 accuracy, accuracy averaged over classes, macro-F1 and the calibration error
of the held-out spectra as they are (or as the first of `shifts_cm` has them), and top-1 and top-3
under every other shift along the axis. A baseline gives a score a class for which the same is
computed, but for the calibration, as it gives no probabilities: how frequent the class is, or the
cosine of the spectrum to the nearest training spectrum of the class.
"""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import scipy.special
from jax.typing import ArrayLike
from matplotlib.figure import Figure
from ml_collections import ConfigDict

from spectra_jax import augment, figures, likeness, metrics, model, whole_spectrum
from spectra_jax.forms import Terms
from spectra_jax.losses.cross_entropy import balanced, cross_entropy
from spectra_jax.spectra import Spectra
from spectra_jax.splits import Split, of_sides
from spectra_jax.whole_spectrum import (
  Scores,
  WholeSpectrum,
  corrected,
  only_kind,
  preprocessing,
  statistics,
)

BASELINES = ('mean', 'nearest', 'nearest_difference')
TOP = (1, 3)
CALIBRATION = 'calibration_error'


@dataclasses.dataclass(frozen=True, eq=False)
class Task(WholeSpectrum):
  """Classification of the spectra of one data set.

  Attributes:
    classes: [C] names, sorted; all that the data have.
    weight_C: of each class in the loss.
    shifts: of held-out spectra [points].
  """

  classes: np.ndarray
  weight_C: np.ndarray
  shifts: tuple[int, ...]

  # --- what the loop calls -------------------------------------------------------------------

  def module(self) -> model.PooledModel:
    return model.build_pooled(self.config, kinds=1, outputs=len(self.classes))

  def examples(self, side: str) -> dict[str, np.ndarray]:
    """As of any task of whole spectra; held-out ones once for each shift, one after the other."""
    examples = super().examples(side)
    if side == 'train':
      return examples
    count, times = len(examples['row']), len(self.shifts)
    examples = {name: np.concatenate([x] * times) for name, x in examples.items()}
    return examples | {'shift': np.repeat(np.array(self.shifts, np.int32), count)}

  def inputs(
    self, keys_B: jax.Array, step: ArrayLike, batch: Mapping[str, jax.Array], train: bool
  ) -> tuple[dict[str, Any], dict[str, jax.Array]]:
    """Augments, or shifts what is held out: (model inputs, targets)."""
    del step
    if train:
      found = self.augmented(keys_B, batch)
    else:
      fill = self.options.shift_fill
      found = {
        'values': moved(batch['values'], batch['shift'], fill),
        'mask': moved(batch['mask'], batch['shift'], True),
        'target': batch['target'],
      }
    return self.scaled(found['values'], found['mask'], batch['kind']), {'target': found['target']}

  def losses(self, outputs: jax.Array, targets: Mapping[str, jax.Array]) -> dict[str, jax.Array]:
    """`outputs` [B, members, C]: the mean over members, who learn apart."""
    options = {'weight_C': self.weight_C, 'smoothing': self.options.smoothing}
    of_members = jax.vmap(functools.partial(cross_entropy, **options), (1, None), 1)
    return {'cross_entropy': of_members(outputs, targets['target']).mean(1)}

  def metrics(self, outputs: np.ndarray, targets: Mapping[str, np.ndarray]) -> Scores:
    """Terms of each score: of the spectra at the first shift, and of top-k at every other."""
    label_N, outputs = np.asarray(targets['target']).argmax(-1), np.asarray(outputs)
    probability = scipy.special.softmax(np.float64(outputs), axis=-1)
    top = {f'top{k}': metrics.top_k(outputs, label_N, k) for k in TOP}
    said = (outputs.argmax(-1), label_N)
    whole = {
      **top,
      'balanced_accuracy': metrics.balanced_accuracy(*said),
      'macro_f1': metrics.macro_f1(*said),
      CALIBRATION: metrics.expected_calibration_error(probability, label_N),
    }
    found = {}
    for shift in self.shifts:
      where_N = np.asarray(targets['shift']) == shift
      first = shift == self.shifts[0]
      prefix = '' if first else f'shift_{self._cm(shift):g}.'
      for name, terms in (whole if first else top).items():
        found[prefix + name] = Terms(terms.form, terms.parts_KxN * where_N)
    return found

  def baselines(self, side: str, names: tuple[str, ...] = BASELINES) -> dict[str, np.ndarray]:
    """[N, C] scores of the methods without a network, from what the model gets to see."""
    held_out = jax.jit(lambda batch: self.inputs(None, 0, batch, train=False)[0])
    inputs = {name: np.asarray(x) for name, x in held_out(self.examples(side)).items()}
    of = {
      'mean': self._frequency,
      'nearest': functools.partial(self._nearest, difference=False),
      'nearest_difference': functools.partial(self._nearest, difference=True),
    }
    return {name: of[name](inputs) for name in names}

  def selection(self, scores: Scores, mean: Scores, kind_N: np.ndarray) -> dict[str, float]:
    """Numbers logged at each validation; 'error' is 1 - top-1."""
    del mean, kind_N
    return {'error': 1 - float(scores['top1']), **{name: float(x) for name, x in scores.items()}}

  def ratios(self, scores: Scores, baselines: Mapping[str, Scores], kind_N: np.ndarray) -> Scores:
    drop = lambda own: {name: terms for name, terms in own.items() if name != CALIBRATION}
    known = {method: drop(own) for method, own in baselines.items()}
    return super().ratios(scores, known, kind_N)

  def groups(self, side: str) -> np.ndarray:
    groups = super().groups(side)
    return groups if side == 'train' else np.concatenate([groups] * len(self.shifts))

  def figures(
    self, outputs: np.ndarray, side: str, baselines: Mapping[str, np.ndarray]
  ) -> dict[str, Figure]:
    """Top-1 and top-3 of the model against the shift, where there are several shifts."""
    if len(self.shifts) < 2:
      return {}
    scores = self.score(outputs, side)
    place = lambda shift: '' if shift == self.shifts[0] else f'shift_{self._cm(shift):g}.'
    curves = {f'top-{k}': [float(scores[f'{place(s)}top{k}']) for s in self.shifts] for k in TOP}
    return {'shifts': figures.shift_curve([self._cm(s) for s in self.shifts], curves)}

  def learning_curve(
    self, records: Sequence[Mapping[str, float]], report: Mapping[str, Mapping]
  ) -> Figure:
    """Validation error over the steps, beside the test error of the nearest neighbour."""
    return figures.learning_curve(
      records,
      curves={'val/error': 'validation'},
      levels={'nearest neighbour, differences (test)': 1 - report['top1']['nearest_difference']},
      ylabel='1 - top-1 accuracy',
    )

  def table(self, report: Mapping[str, Mapping]) -> list[list[str]]:
    """Rows of the terminal's table: method, then top-1 and top-3 with 95 % intervals."""
    return whole_spectrum.table(report, ('model', *BASELINES[::-1]), tuple(f'top{k}' for k in TOP))

  # --- parts ---------------------------------------------------------------------------------

  @property
  def options(self) -> ConfigDict:
    return self.config.task.classify

  def _cm(self, shift: int) -> float:
    return shift * (self.nu_L[1] - self.nu_L[0])

  def _frequency(self, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
    share_C = self.target_NxY[self.split.train].mean(0)
    return np.broadcast_to(share_C, (len(inputs['values_BxL']), len(share_C)))

  def _nearest(self, inputs: Mapping[str, np.ndarray], difference: bool) -> np.ndarray:
    train = self.examples('train')
    seen = self.scaled(np.asarray(train['values']), np.asarray(train['mask']), train['kind'])
    spectra = (np.asarray(x['values_BxL'], np.float64) for x in (inputs, seen))
    values, library = (np.diff(x) if difference else x for x in spectra)
    label_N = train['target'].argmax(-1)
    return likeness.nearest_of_classes(values, library, label_N, len(self.classes))


def moved(x_BxL: jax.Array, points_B: jax.Array, fill: Any) -> jax.Array:
  """Each row moved to higher indices by whole points, `fill` where nothing comes from."""
  from_BxL = jnp.arange(x_BxL.shape[1]) - points_B[:, None]
  there = (from_BxL >= 0) & (from_BxL < x_BxL.shape[1])
  taken = jnp.take_along_axis(x_BxL, jnp.where(there, from_BxL, 0), axis=1)
  return jnp.where(there, taken, jnp.asarray(fill, x_BxL.dtype))


def build(config: ConfigDict, spectra: Mapping[str, Spectra], split: Split) -> Task:
  """The task on this data; every constant comes from the training side alone.

  Raises:
    ValueError: spectra without labels, a class that training has no spectrum of, several kinds, or
      shifts that are no multiples of the step of the axis.
  """
  of_kind = corrected(config, only_kind(spectra, 'classify'))
  if 'label' not in of_kind.meta:
    raise ValueError(
      f'the data set {config.dataset.name} has columns {", ".join(of_kind.meta)}, expected label '
      'for classification; choose another data set or task.name = regress'
    )
  options, label_N = config.task.classify, of_kind.meta['label'].astype(str)
  split = of_classes(split, of_kind.meta['id'], label_N, options.least, options.leave_out_unseen)
  classes = np.unique(label_N[np.concatenate(split.sides)])
  one_hot_NxC = np.float32(label_N[:, None] == classes)
  train_N = one_hot_NxC[split.train].argmax(1)
  weight_C = balanced(train_N, len(classes)) if options.balanced else np.ones(len(classes))
  fitted = preprocessing(config, of_kind, split.train)
  common = (config, of_kind.axis, of_kind, split, augment.build(config.augment, of_kind), fitted)
  constants = statistics(of_kind, split.train, centred=False, fitted=fitted)
  shifts = tuple(points(x, of_kind.axis) for x in options.shifts_cm)
  return Task(*common, *constants, one_hot_NxC, classes, weight_C, shifts)


def of_classes(
  split: Split, ids: np.ndarray, label_N: np.ndarray, least: int, leave_out_unseen: bool
) -> Split:
  """The split without rows of rare classes, and of those that training has not if that is wanted.

  Args:
    split: of all rows.
    ids: [N] names of the rows.
    label_N: [N] class of each row.
    least: rows of all sides that a class must have.
    leave_out_unseen: held-out rows of a class without training rows are left out.

  Raises:
    ValueError: such rows are not to be left out, or a side loses all its rows.
  """
  names, place_N, counts = np.unique(label_N, return_inverse=True, return_counts=True)
  sides = [rows[counts[place_N[rows]] >= least] for rows in split.sides]
  seen = np.isin(label_N, label_N[sides[0]])
  unseen = np.unique(label_N[np.concatenate(sides)][~seen[np.concatenate(sides)]])
  if len(unseen) and not leave_out_unseen:
    raise ValueError(
      f'{len(unseen)} of {len(names)} classes have held-out spectra and no training spectrum, such '
      f'as {str(unseen[0])!r}, expected some of every class in training; set split.stratified to '
      'label, raise task.classify.least, or set task.classify.leave_out_unseen'
    )
  sides = [rows[seen[rows]] for rows in sides]
  if sum(map(len, sides)) == sum(map(len, split.sides)):
    return split
  made = {**split.made, 'least': least, 'leave_out_unseen': leave_out_unseen}
  return of_sides(ids, sides, split.regime, made)


def points(shift_cm: float, axis_L: np.ndarray) -> int:
  """A shift [cm^-1] as a number of points of an even axis.

  Raises:
    ValueError: it is none.
  """
  steps = np.diff(axis_L)
  found = shift_cm / steps[0]
  if np.ptp(steps) > 1e-6 * steps[0] or abs(found - round(found)) > 1e-6:
    raise ValueError(
      f'task.classify.shifts_cm has {shift_cm:g}, expected multiples of {steps[0]:g} cm^-1, the '
      'step of an even axis; choose such shifts or another axis'
    )
  return round(found)
