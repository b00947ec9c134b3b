"""One kind of spectrum from the other: IR -> Raman and Raman -> IR of the same molecule.

The whole spectrum of one kind is visible and nothing of the other. One model does both directions,
told by the kind of its input. Spectra are square roots of intensities over a training-set constant
of the kind, in the model and in every baseline alike; MSE is that of the training-set mean
spectrum = 1, on the same scale. Baselines without a network are fitted to training molecules, their
hyperparameters in grouped folds of these.

Heads: `reconstruct` gives the other spectrum alone; `unconstrained` and `paired` (modes that both
kinds share, each g or u where there is an inversion centre) give both, and then the spectrum that
was seen is to be given back too (term `own_mse`).
"""

import dataclasses
import functools
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from matplotlib.figure import Figure
from ml_collections import ConfigDict

from spectra_jax import augment, cross_report, figures, model, roots, shards
from spectra_jax.augment import bands
from spectra_jax.chemometrics import between_spectra
from spectra_jax.cross_report import DIRECTIONS, Scores
from spectra_jax.losses.selection_rules import selection_rules
from spectra_jax.roots import KINDS
from spectra_jax.scores import put
from spectra_jax.spectra import Spectra
from spectra_jax.splits import Split
from spectra_jax.tasks import masked

BASELINES = ('mean', 'identity', 'pls', 'ridge', 'kernel_ridge')
FOLD_SEED = 0
Outputs = jax.Array | Mapping[str, jax.Array]


@dataclasses.dataclass(frozen=True, eq=False)
class Task:
  """Cross-spectral prediction on the IR and Raman spectra of one data set.

  Attributes:
    config: the whole config.
    nu_L: wavenumbers [cm^-1].
    spectra: 'ir' and 'raman', row for row the same molecules.
    split: who is in training, validation and test.
    scale: [2] training-set root mean square of sqrt(intensity), of each of `KINDS`.
    mean_2xL: training-set mean of the scaled roots, of each of `KINDS`.
  """

  config: ConfigDict
  nu_L: np.ndarray
  spectra: Mapping[str, Spectra]
  split: Split
  scale: np.ndarray
  mean_2xL: np.ndarray

  # --- what the loop calls -------------------------------------------------------------------

  def module(self) -> model.SpectralModel:
    return model.build(self.config, kinds=len(KINDS) * (1 + self._knows_centre))

  def examples(self, side: str) -> dict[str, np.ndarray]:
    """All molecules of one side, direction after direction: raw intensities that are `seen` and
    `wanted` [N, L], the kind that is seen, row, symmetry.
    """
    rows, count = getattr(self.split, side), len(self.spectra['ir'])
    seen = [DIRECTIONS[name] for name in self.options.directions]
    of = lambda kinds: shards.concatenate(
      [shards.select(self.spectra[KINDS[k]].values, rows) for k in kinds]
    )
    given, wanted = of(seen), of([1 - k for k in seen])
    return {
      'seen': given if side == 'train' else np.asarray(given),
      'wanted': wanted if side == 'train' else np.asarray(wanted),
      'kind': np.repeat(np.array(seen, np.int32), len(rows)),
      'row': np.concatenate([k * count + rows for k in seen]).astype(np.int32),
      'centrosymmetric': np.tile(self.spectra['ir'].meta['centrosymmetric'][rows], len(seen)),
    }

  def inputs(
    self, keys_B: jax.Array, step: ArrayLike, batch: Mapping[str, jax.Array], train: bool
  ) -> tuple[dict[str, Any], dict[str, jax.Array]]:
    """Scales what is seen and what is wanted, which reaches the targets alone."""
    del step
    scale_2 = jnp.asarray(self.scale, jnp.float32)
    seen_BxL = jnp.sqrt(batch['seen']) / scale_2[batch['kind']][:, None]
    wanted_BxL = jnp.sqrt(batch['wanted']) / scale_2[1 - batch['kind']][:, None]
    if train and self.options.drift_cm:
      pair_BxSxL = jax.vmap(self._drifted)(keys_B, jnp.stack([seen_BxL, wanted_BxL], 1))
      seen_BxL, wanted_BxL = pair_BxSxL[:, 0], pair_BxSxL[:, 1]
    visible_BxL = jnp.ones(seen_BxL.shape, bool)
    if train and self.options.hidden:
      visible_BxL = jax.vmap(self._partly_visible)(keys_B)
    centre_B = batch['centrosymmetric']
    told = len(KINDS) * centre_B.astype(jnp.int32) if self._knows_centre else 0
    inputs = {'values_BxL': seen_BxL, 'visible_BxL': visible_BxL, 'kind_B': batch['kind'] + told}
    if self._knows_centre and hasattr(model.part_class(self.config, 'head'), 'given'):
      inputs['known_B'] = centre_B
    targets = {
      'wanted': wanted_BxL,
      'seen': seen_BxL,
      'kind': batch['kind'],
      'centrosymmetric': centre_B,
    }
    return inputs, targets

  def losses(self, outputs: Outputs, targets: Mapping[str, jax.Array]) -> dict[str, jax.Array]:
    """Squared error, and mutual exclusion of what is seen and what is predicted; of heads that give
    both spectra also the error of the one that was seen.
    """
    wanted_BxL, own_BxL = self._apart(outputs, targets['kind'])
    terms = {
      'wanted_mse': ((wanted_BxL - targets['wanted']) ** 2).mean(-1),
      'selection_rules': selection_rules(
        targets['seen'], wanted_BxL, targets['centrosymmetric'], kinds=KINDS, state='sqrt'
      ),
    }
    if own_BxL is not None:
      terms['own_mse'] = ((own_BxL - targets['seen']) ** 2).mean(-1)
    return terms

  def metrics(self, outputs: Outputs, targets: Mapping[str, np.ndarray]) -> Scores:
    """'<direction>.<score>' -> its terms, also of molecules with an inversion centre alone."""
    wanted_NxL, _ = self._apart(outputs, targets['kind'])
    targets = {name: np.asarray(x) for name, x in targets.items()}
    return cross_report.scores(np.asarray(wanted_NxL), targets, self.options, self.nu_L)

  def effective(self, params: Any) -> Any:
    return params

  @functools.lru_cache(maxsize=8)  # noqa: B019  of the tasks asked last
  def held_out(self, side: str) -> tuple[dict[str, Any], dict[str, jax.Array]]:
    """Inputs and targets of one whole side."""
    return jax.jit(lambda batch: self.inputs(None, 0, batch, train=False))(self.examples(side))

  def score(self, outputs: Outputs, side: str) -> Scores:
    """`metrics` of outputs for one whole side, on the host."""
    return self.metrics(outputs, self.held_out(side)[1])

  def baselines(self, side: str, names: tuple[str, ...] = BASELINES) -> dict[str, np.ndarray]:
    """[N, L] scaled roots of the wanted spectra, from what the model gets to see."""
    inputs, targets = self.held_out(side)
    seen_NxL, kind_N = np.float64(inputs['values_BxL']), np.asarray(targets['kind'])
    predict = lambda name, k: self._fitted(name, k).predict(seen_NxL[kind_N == k])
    return {name: np.concatenate([predict(name, k) for k in self._seen]) for name in names}

  def selection(self, scores: Scores, mean: Scores, kind_N: np.ndarray) -> dict[str, float]:
    """Numbers logged at each validation; 'nre' is the error over that of the mean spectrum, a mean
    of directions.
    """
    del kind_N
    return cross_report.selection(scores, mean, self.options.directions)

  def ratios(self, scores: Scores, baselines: Mapping[str, Scores], kind_N: np.ndarray) -> Scores:
    """Place in the report -> its terms; errors are over those of the mean spectrum. Of the truth
    it is told how far IR and Raman overlap.
    """
    del kind_N
    truth = self.score(np.asarray(self.held_out('test')[1]['wanted']), 'test')
    return cross_report.ratios(scores, baselines, truth, self.groups('test'))

  def report(
    self, scores: Scores, baselines: Mapping[str, Scores], kind_N: np.ndarray
  ) -> dict[str, dict]:
    """{direction: {score: {method: number, 'intervals': {method: over test groups}}}}, the same of
    centrosymmetric molecules, and what the baselines' hyperparameters were.
    """
    found = put({}, self.ratios(scores, baselines, kind_N), self.groups('test'))
    chosen = {
      name: {
        method: self._fitted(method, k).candidate
        for method in baselines
        if self._fitted(method, k).candidate is not None
      }
      for name, k in zip(self.options.directions, self._seen, strict=True)
    }
    return found | {'chosen': chosen}

  def groups(self, side: str) -> np.ndarray:
    """[N] group of each example of a side."""
    rows = getattr(self.split, side)
    return np.tile(self.spectra['ir'].meta['group'][rows], len(self._seen))

  def predictions(self, outputs: Outputs, side: str) -> dict[str, np.ndarray]:
    """Predicted intensities of one side for an audit: kind -> [N, L], 'true_' + kind, and
    'centrosymmetric' [N]; roots below zero stay there, sign(y) y^2.
    """
    examples, targets = self.examples(side), self.held_out(side)[1]
    root_NxL, kind_N = np.asarray(self._apart(outputs, targets['kind'])[0]), examples['kind']
    arrays = {'centrosymmetric': examples['centrosymmetric'][kind_N == self._seen[0]]}
    for k in self._seen:
      own, wanted = kind_N == k, KINDS[1 - k]
      arrays[wanted] = np.float32(roots.squared(root_NxL[own]) * self.scale[1 - k] ** 2)
      arrays[f'true_{wanted}'] = examples['wanted'][own]
    return arrays

  def figures(
    self, outputs: Outputs, side: str, baselines: Mapping[str, np.ndarray]
  ) -> dict[str, Figure]:
    """The molecules of median error and of the 80th percentile, in each direction."""
    _, targets = self.held_out(side)
    curves = {
      'computed spectrum': np.asarray(targets['wanted']),
      'kernel ridge': baselines['kernel_ridge'],
      'model': np.asarray(self._apart(outputs, targets['kind'])[0]),
    }
    ids = np.tile(self.spectra['ir'].meta['id'][getattr(self.split, side)], len(self._seen))
    figure = cross_report.figure(curves, np.asarray(targets['kind']), ids, self.nu_L)
    return {'predictions': figure}

  def learning_curve(
    self, records: Sequence[Mapping[str, float]], report: Mapping[str, Mapping]
  ) -> Figure:
    """Validation error over the steps, beside the test error of kernel ridge."""
    words = {name: cross_report.words(name) for name in self.options.directions}
    return figures.learning_curve(
      records,
      curves={f'val/nre_{name}': f'{said}, validation' for name, said in words.items()},
      levels={
        f'{said}, kernel ridge (test)': report[name]['mse']['kernel_ridge']
        for name, said in words.items()
      },
      ylabel='Error / mean spectrum',
    )

  def table(self, report: Mapping[str, Mapping]) -> list[list[str]]:
    """Rows of the terminal's table: method, then scores with their 95 % intervals."""
    methods = ('model', *BASELINES[::-1])
    return cross_report.table(report, self.options.directions, methods)

  # --- parts ---------------------------------------------------------------------------------

  @property
  def options(self) -> ConfigDict:
    return self.config.task.cross_spectral

  @property
  def _seen(self) -> list[int]:
    """Kind that is seen, of each direction."""
    return [DIRECTIONS[name] for name in self.options.directions]

  @property
  def _knows_centre(self) -> bool:
    return 'centrosymmetric' in self.options.known

  def _drifted(self, key: jax.Array, pair_SxL: jax.Array) -> jax.Array:
    o = self.options
    return bands.wander(key, pair_SxL, self.nu_L, o.drift_cm, o.drift_band_cm)

  def _partly_visible(self, key: jax.Array) -> jax.Array:
    """[L] bool: bands hidden over a share of the axis between 0 and `hidden`."""
    key_share, key_bands = jax.random.split(key)
    share = self.options.hidden * jax.random.uniform(key_share)
    return masked.visible_points(key_bands, self.nu_L, share, self.options.band_cm)

  def _apart(self, outputs: Outputs, kind_B: jax.Array) -> tuple[jax.Array, jax.Array | None]:
    """Scaled roots of (what is wanted, what is seen); None where the head gives no such."""
    if not isinstance(outputs, Mapping):
      return outputs, None
    both = [outputs[kind] for kind in KINDS]
    if self.options.intensities:
      both = [roots.of_intensity(share_BxL) for share_BxL in both]
    saw_ir = (kind_B == 0)[:, None]
    return jnp.where(saw_ir, *both[::-1]), jnp.where(saw_ir, *both)

  def _training_roots(self, k: int) -> np.ndarray:
    """[N, L] float64 of kind k."""
    return np.sqrt(np.float64(self.spectra[KINDS[k]].values[self.split.train])) / self.scale[k]

  @functools.lru_cache(maxsize=16)  # noqa: B019  of the tasks asked last
  def _fitted(self, name: str, k: int) -> between_spectra.Chosen:
    """The baseline that predicts the other kind from kind k, fitted to the training side."""
    mean_L, o = self.mean_2xL[1 - k], self.options
    if name == 'mean':
      return between_spectra.Chosen(lambda values: np.broadcast_to(mean_L, values.shape), None)
    if name == 'identity':
      return between_spectra.Chosen(lambda values: values, None)
    candidates = {
      'pls': o.components,
      'ridge': o.shrinkages,
      'kernel_ridge': tuple(itertools.product(o.kernel_widths, o.kernel_shrinkages)),
    }[name]
    groups_N = self.spectra['ir'].meta['group'][self.split.train]
    side = (self._training_roots(k), self._training_roots(1 - k), groups_N)
    return between_spectra.choose(
      getattr(between_spectra, name), candidates, *side, o.folds, FOLD_SEED
    )


def build(config: ConfigDict, spectra: Mapping[str, Spectra], split: Split) -> Task:
  """The task on this data; every constant comes from the training side alone.

  Raises:
    ValueError: other kinds than IR and Raman, spectra that are negative or not measured somewhere,
      or options that are out of range.
  """
  augment.check_off(config.augment, 'cross_spectral')
  roots.check_both(spectra)
  check_options(config.task.cross_spectral)
  drift = (config.task.cross_spectral[name] for name in ('drift_cm', 'drift_band_cm'))
  bands.check_wander('task.cross_spectral.drift_cm', *drift, spectra['ir'].axis)
  roots.check_intensities(spectra)
  spectra = _with_centres(spectra, config.task.cross_spectral.known)
  constants = [roots.constants(spectra[kind].values, split.train) for kind in KINDS]
  scale_2, mean_2xL = (np.stack(x) for x in zip(*constants, strict=True))
  return Task(config, spectra['ir'].axis, spectra, split, scale_2, mean_2xL)


def _with_centres(spectra: Mapping[str, Spectra], known: tuple[str, ...]) -> dict[str, Spectra]:
  if known and 'centrosymmetric' not in spectra['ir'].meta:
    raise ValueError(
      f'task.cross_spectral.known is {tuple(known)} and the data do not say which molecules have '
      'an inversion centre, expected data that do; set it to ()'
    )
  return roots.with_centres(spectra)


def check_options(options: ConfigDict) -> None:
  """Raises a ValueError for directions or knowledge that there is not."""
  for key, there in (('directions', tuple(DIRECTIONS)), ('known', ('centrosymmetric',))):
    names = options[key]
    if not set(names) <= set(there) or len(set(names)) < len(names):
      raise ValueError(
        f'task.cross_spectral.{key} is {tuple(names)}, expected some of {", ".join(there)}, each '
        'once; correct it'
      )
  if not 0 <= options.hidden < 1:
    raise ValueError(
      f'task.cross_spectral.hidden is {options.hidden}, expected a share of the axis below 1; '
      'lower it'
    )
  if not options.directions:
    raise ValueError(
      'task.cross_spectral.directions is (), expected ir_to_raman, raman_to_ir or both; name one'
    )
