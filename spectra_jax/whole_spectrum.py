"""What tasks share that ask one thing of a whole spectrum: which class, how much of what.

Training spectra are augmented as they were measured. Then all are preprocessed as
`config.preprocess` says, inside the model's program, and scaled by one constant, the root mean
square; all constants come from the training side. What an augmentation moves out of the measured
range is hidden. Held-out spectra are never augmented.
"""

import abc
import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from spectra_jax import augment, shards
from spectra_jax.augment.frame import bridged
from spectra_jax.forms import Terms
from spectra_jax.preprocess import Fitted, described
from spectra_jax.scores import by_method, put
from spectra_jax.spectra import Spectra
from spectra_jax.splits import Split

Scores = Mapping[str, Terms]


@dataclasses.dataclass(frozen=True, eq=False)
class WholeSpectrum(abc.ABC):
  """One data set of one kind, split, and how its spectra become inputs.

  Attributes:
    config: the whole config.
    nu_L: wavenumbers [cm^-1].
    spectra: of one kind.
    split: who is in training, validation and test.
    augmentation: of training examples.
    preprocessing: of every spectrum; None leaves them as they are.
    centre_L: taken off every preprocessed spectrum; zeros where none is.
    scale: what is left is divided by it.
    target_NxY: what is asked for, float32, a row a spectrum: shares of classes, or properties.
  """

  config: ConfigDict
  nu_L: np.ndarray
  spectra: Spectra
  split: Split
  augmentation: augment.Augmentation
  preprocessing: Fitted | None
  centre_L: np.ndarray
  scale: float
  target_NxY: np.ndarray

  def examples(self, side: str) -> dict[str, np.ndarray]:
    """All spectra of one side: values, mask (True where measured), kind, row, target."""
    rows = getattr(self.split, side)
    values, mask = (shards.select(x, rows) for x in (self.spectra.values, self.spectra.mask))
    if side != 'train':
      values, mask = np.asarray(values), np.asarray(mask)
    return {
      'values': values,
      'mask': mask,
      'kind': np.zeros(len(rows), np.int32),
      'row': rows.astype(np.int32),
      'target': self.target_NxY[rows],
    }

  def augmented(self, keys_B: jax.Array, batch: Mapping[str, jax.Array]) -> dict[str, jax.Array]:
    """values, mask and target of training examples, mixed with others and augmented."""
    example = {name: batch[name] for name in ('values', 'mask', 'target')}
    example['values'] = example['values'].astype(jnp.float32)
    if self.augmentation.mixing_share:
      library = self._library
      example = jax.vmap(lambda k, x: self.augmentation.mix(k, x, library))(keys_B, example)
    changed = jax.vmap(self.augmentation)(keys_B, example['values'], example['mask'])
    return dict(zip(('values', 'mask'), changed, strict=True), target=example['target'])

  def scaled(self, values: jax.Array, mask: jax.Array, kind_B: jax.Array) -> dict[str, jax.Array]:
    """Inputs of the model, from values and what is measured of them.

    Preprocessing reads straight lines across what is hidden, which stays hidden.
    """
    if self.preprocessing:
      values = self.preprocessing(jax.vmap(bridged)(values, mask))
    values = (values - jnp.asarray(self.centre_L, jnp.float32)) / self.scale
    return {
      'values_BxL': jnp.where(mask, values, 0.0),
      'visible_BxL': mask,
      'kind_B': kind_B,
    }

  def effective(self, params: Any) -> Any:
    return params

  def groups(self, side: str) -> np.ndarray:
    """[N] group of each example of a side."""
    return self.spectra.meta['group'][getattr(self.split, side)]

  @abc.abstractmethod
  def metrics(self, outputs: np.ndarray, targets: Mapping[str, np.ndarray]) -> Scores:
    """name -> `forms.Terms`; a task says which."""

  def score(self, outputs: np.ndarray, side: str) -> Scores:
    """`metrics` of outputs for one whole side, on the host."""
    return self.metrics(np.asarray(outputs), self.examples(side))

  def report(self, scores: Scores, baselines: Mapping[str, Scores], kind_N: np.ndarray) -> dict:
    """{score: {method: number, 'intervals': {method: over test groups}}}; dots in names nest."""
    return put({}, self.ratios(scores, baselines, kind_N), self.groups('test'))

  def ratios(self, scores: Scores, baselines: Mapping[str, Scores], kind_N: np.ndarray) -> Scores:
    """Place in the report -> its terms."""
    return by_method(scores, baselines)

  @functools.cached_property
  def _library(self) -> dict[str, jax.Array]:
    """The training side as it is mixed from, in memory."""
    examples = self.examples('train')
    arrays = {name: np.asarray(examples[name]) for name in ('values', 'mask', 'target')}
    return {name: jnp.asarray(x) for name, x in arrays.items()}


def only_kind(spectra: Mapping[str, Spectra], task: str) -> Spectra:
  """The spectra of a data set of one kind.

  Raises:
    ValueError: there are several kinds.
  """
  if len(spectra) != 1:
    raise ValueError(
      f'the data set gives {", ".join(spectra)}, expected spectra of one kind for task {task}; '
      'choose one'
    )
  return next(iter(spectra.values()))


def table(
  report: Mapping[str, Mapping], methods: tuple[str, ...], names: tuple[str, ...]
) -> list[list[str]]:
  """Rows of the terminal's table: method, then these scores with their 95 % intervals."""
  cell = lambda name, method: '{:.3f} [{:.3f}, {:.3f}]'.format(
    report[name][method], *report[name]['intervals'][method]
  )
  rows = [[method, *(cell(name, method) for name in names)] for method in methods]
  return [['score on held-out spectra', *names], *rows]


def corrected(config: ConfigDict, spectra: Spectra) -> Spectra:
  """The spectra after the steps of `config.correct`, in float64 and before any augmentation.

  For what one spectrum says about itself and float32 cannot, such as an arPLS baseline.

  Raises:
    ValueError: what a step refuses, or one that learns from other spectra.
  """
  if not config.correct:
    return spectra
  pipeline = described(config.correct, dtype='float64')
  for entry, step in zip(config.correct, pipeline.steps, strict=True):
    if step.learns:
      raise ValueError(
        f'config.correct has {entry["name"]}, which learns from other spectra, expected steps that '
        'learn nothing; put it into config.preprocess, which learns from the training side'
      )
  return pipeline.fit(spectra).apply(spectra)


def preprocessing(config: ConfigDict, spectra: Spectra, train: np.ndarray) -> Fitted | None:
  """`config.preprocess` fitted to the rows `train`; None where it has no steps.

  Raises:
    ValueError: what a step refuses, points that were not measured, or a step that changes the axis.
  """
  if not config.preprocess:
    return None
  fitted = described(config.preprocess).fit(spectra.take(train))
  if not np.array_equal(fitted.out.axis, spectra.axis):
    raise ValueError(
      f'config.preprocess makes {len(fitted.out.axis)} points, expected the '
      f'{len(spectra.axis)} of the axis, in place; choose points with config.axis'
    )
  return fitted


def statistics(
  spectra: Spectra, train: np.ndarray, centred: bool, fitted: Fitted | None
) -> tuple[np.ndarray, float]:
  """(centre [L], scale) of the training side, over measured points: see `WholeSpectrum`.

  Args:
    spectra: of all sides.
    train: rows of the training side.
    centred: whether their mean is taken off.
    fitted: what is done to them first.

  Raises:
    ValueError: the training spectra are all zero, or all the same where they are centred.
  """
  measured_L, total_L, square = 0.0, 0.0, 0.0
  for start in range(0, len(train), shards.BLOCK):
    rows = train[start : start + shards.BLOCK]
    mask, values = np.asarray(spectra.mask[rows]), spectra.values[rows]
    values = np.float64(fitted.transform(values) if fitted else values)
    values = np.where(mask, values, 0.0)
    measured_L, total_L = measured_L + mask.sum(0), total_L + values.sum(0)
    square += (values**2).sum()
  mean_L = total_L / np.maximum(measured_L, 1)
  variance = square - (measured_L * mean_L**2).sum() if centred else square
  if not variance > 1e-12 * square:
    raise ValueError(
      f'the {len(train)} training spectra do not differ (sum of squares {square:.3g}), expected '
      'some that do; look at the data'
    )
  centre_L = mean_L if centred else np.zeros(len(spectra.axis))
  return centre_L, float(np.sqrt(variance / measured_L.sum()))
