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

from spectra_jax import augment, figures, model, shards, spectrum_scores, whole_spectrum
from spectra_jax.chemometrics import between_spectra
from spectra_jax.forms import Terms
from spectra_jax.losses.selection_rules import selection_rules
from spectra_jax.scores import nest
from spectra_jax.spectra import Spectra
from spectra_jax.spectrum_scores import PeakRule
from spectra_jax.splits import Split
from spectra_jax.tasks import masked

KINDS = ('ir', 'raman')
DIRECTIONS = {'ir_to_raman': 0, 'raman_to_ir': 1}  # -> the kind that is seen
BASELINES = ('mean', 'identity', 'pls', 'ridge', 'kernel_ridge')
SHOWN = ('mse', 'cosine', 'precision', 'recall', 'intensity')
OF_CENTRES = ('mse', 'recall', 'precision', 'overlap')
FAINT = 1e-6  # of the squared scale: keeps the slope of a root finite where nothing is
FOLD_SEED = 0
Outputs = jax.Array | Mapping[str, jax.Array]
Scores = Mapping[str, Terms]


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
    visible_BxL = jnp.ones(seen_BxL.shape, bool)
    if train and self.options.hidden:
      visible_BxL = jax.vmap(self._partly_visible)(keys_B)
    centre_B = batch['centrosymmetric']
    told = len(KINDS) * centre_B.astype(jnp.int32) if self._knows_centre else 0
    inputs = {'values_BxL': seen_BxL, 'visible_BxL': visible_BxL, 'kind_B': batch['kind'] + told}
    if self._knows_centre and hasattr(model.part_class(self.config, 'head'), 'given'):
      inputs['known_B'] = centre_B
    targets = {
      'wanted': jnp.sqrt(batch['wanted']) / scale_2[1 - batch['kind']][:, None],
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
    return self._scores(np.float64(wanted_NxL), {k: np.asarray(x) for k, x in targets.items()})

  def effective(self, params: Any) -> Any:
    return params

  @functools.cache  # noqa: B019  a task lives as long as its run
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
    """Numbers logged at each validation; 'nre', the mean over directions of the error over that of
    the mean spectrum, picks the best model.
    """
    del kind_N
    names = self.options.directions
    nre = {f'nre_{d}': float(scores[f'{d}.mse']) / float(mean[f'{d}.mse']) for d in names}
    also = {f'{score}_{d}': float(scores[f'{d}.{score}']) for d in names for score in SHOWN[1:]}
    return {'nre': float(np.mean(list(nre.values()))), **nre, **also}

  def ratios(self, scores: Scores, baselines: Mapping[str, Scores], kind_N: np.ndarray) -> Scores:
    """Place in the report -> its terms; errors are over those of the mean spectrum. Of the truth
    it is told how far IR and Raman overlap.
    """
    del kind_N
    truth = self.score(np.asarray(self.held_out('test')[1]['wanted']), 'test')
    laws = {name: terms for name, terms in truth.items() if name.endswith('.overlap')}
    found = {}
    for method, own in {'model': scores, **baselines, 'truth': laws}.items():
      for name, terms in own.items():
        if name.endswith('.mse'):
          below_N = baselines['mean'][name].parts_KxN[0]
          terms = Terms('ratio', np.stack([terms.parts_KxN[0], below_N]))
        if _can_be_judged(terms, self.groups('test')):
          found[f'{name}.{method}'] = terms
    return found

  def report(
    self, scores: Scores, baselines: Mapping[str, Scores], kind_N: np.ndarray
  ) -> dict[str, dict]:
    """{direction: {score: {method: number, 'intervals': {method: over test groups}}}}, the same of
    centrosymmetric molecules, and what the baselines' hyperparameters were.
    """
    terms = self.ratios(scores, baselines, kind_N)
    found, groups = {}, self.groups('test')
    nest(found, {path: own.value for path, own in terms.items()})
    nest(found, {path: list(own.interval(groups)) for path, own in terms.items()}, 'intervals')
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
      share_NxL = np.sign(root_NxL[own]) * root_NxL[own] ** 2
      arrays[wanted] = np.float32(share_NxL * self.scale[1 - k] ** 2)
      arrays[f'true_{wanted}'] = examples['wanted'][own]
    return arrays

  def figures(
    self, outputs: Outputs, side: str, baselines: Mapping[str, np.ndarray]
  ) -> dict[str, Figure]:
    """The molecules of median error and of the 80th percentile, in each direction."""
    _, targets = self.held_out(side)
    root_NxL = np.asarray(self._apart(outputs, targets['kind'])[0])
    error_N = ((root_NxL - np.asarray(targets['wanted'])) ** 2).mean(1)
    ids = np.tile(self.spectra['ir'].meta['id'][getattr(self.split, side)], len(self._seen))
    panels = []
    for k in self._seen:
      own = np.flatnonzero(np.asarray(targets['kind']) == k)
      order = own[np.argsort(error_N[own])]
      title = f'{figures.KIND_NAMES[KINDS[1 - k]]} from {figures.KIND_NAMES[KINDS[k]]}'
      for r in (order[len(order) // 2], order[int(0.8 * (len(order) - 1))]):
        curves = {
          'computed spectrum': np.asarray(targets['wanted'][r]),
          'kernel ridge': baselines['kernel_ridge'][r],
          'model': root_NxL[r],
        }
        panels.append(
          {
            'title': f'{title}   {ids[r]}',
            'ylabel': r'$\sqrt{I}$ / scale',
            'masked': np.zeros(len(self.nu_L), bool),
            'curves': curves,
          }
        )
    return {'predictions': figures.overlays(self.nu_L, panels)}

  def learning_curve(
    self, records: Sequence[Mapping[str, float]], report: Mapping[str, Mapping]
  ) -> Figure:
    """Validation error over the steps, beside the test error of kernel ridge."""
    words = {name: _words(name) for name in self.options.directions}
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
    columns = {
      f'{_words(name)}: {score}': report[name][score]
      for name in self.options.directions
      for score in SHOWN
    }
    return whole_spectrum.table(columns, ('model', *BASELINES[::-1]), tuple(columns))

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

  def _partly_visible(self, key: jax.Array) -> jax.Array:
    """[L] bool: bands hidden over a share of the axis between 0 and `hidden`."""
    key_share, key_bands = jax.random.split(key)
    share = self.options.hidden * jax.random.uniform(key_share)
    return masked.visible_points(key_bands, self.nu_L, share, self.options.band_cm)

  def _apart(self, outputs: Outputs, kind_B: jax.Array) -> tuple[jax.Array, jax.Array | None]:
    """Scaled roots of (what is wanted, what is seen); None where the head gives no such."""
    if not isinstance(outputs, Mapping):
      return outputs, None
    roots = [outputs[kind] for kind in KINDS]
    if self.options.intensities:
      roots = [jnp.sqrt(share_BxL + FAINT) for share_BxL in roots]
    saw_ir = (kind_B == 0)[:, None]
    return jnp.where(saw_ir, *roots[::-1]), jnp.where(saw_ir, *roots)

  def _scores(self, predicted_NxL: np.ndarray, targets: Mapping[str, np.ndarray]) -> Scores:
    true_NxL, seen_NxL, o = np.float64(targets['wanted']), np.float64(targets['seen']), self.options
    rule = PeakRule(o.peak_prominence, o.peak_separation_cm, o.peak_tolerance_cm)
    found, true = (rule.peaks(x, self.nu_L) for x in (predicted_NxL, true_NxL))
    centre_N = targets['centrosymmetric']
    intensity = lambda root_NxL: np.maximum(root_NxL, 0.0) ** 2
    whole = {
      'mse': spectrum_scores.squared_error(predicted_NxL, true_NxL),
      'cosine': spectrum_scores.cosine(predicted_NxL, true_NxL),
      **spectrum_scores.of_peaks(found, true, o.peak_tolerance_cm),
      'overlap': spectrum_scores.overlap(intensity(seen_NxL), intensity(predicted_NxL), centre_N),
    }
    scores = {}
    for name, k in zip(self.options.directions, self._seen, strict=True):
      own_N = targets['kind'] == k
      for score, terms in whole.items():
        scores[f'{name}.{score}'] = terms.where(own_N)
        if score in OF_CENTRES:
          scores[f'{name}.centrosymmetric.{score}'] = terms.where(own_N & centre_N)
    return scores

  def _training_roots(self, k: int) -> np.ndarray:
    """[N, L] float64 of kind k."""
    return np.sqrt(np.float64(self.spectra[KINDS[k]].values[self.split.train])) / self.scale[k]

  @functools.cache  # noqa: B019  a task lives as long as its run
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


def _words(direction: str) -> str:
  k = DIRECTIONS[direction]
  return f'{figures.KIND_NAMES[KINDS[k]]} to {figures.KIND_NAMES[KINDS[1 - k]]}'


def _can_be_judged(terms: Terms, group_N: np.ndarray) -> bool:
  """Whether there is a number, and two groups that an interval can be over."""
  return bool(np.isfinite(terms.value)) and (terms.by_group(group_N)[-1] > 0).sum() > 1


def build(config: ConfigDict, spectra: Mapping[str, Spectra], split: Split) -> Task:
  """The task on this data; every constant comes from the training side alone.

  Raises:
    ValueError: other kinds than IR and Raman, spectra that are negative or not measured somewhere,
      or options that are out of range.
  """
  augment.check_off(config.augment, 'cross_spectral')
  if set(spectra) != set(KINDS):
    raise ValueError(
      f'the data set gives {", ".join(sorted(spectra))}, expected ir and raman of the same '
      'molecules; set dataset.name = computed and both dataset.computed.kinds'
    )
  check_options(config.task.cross_spectral)
  masked.check_intensities(spectra)
  roots = [shards.moments(spectra[kind].values, split.train, root=True) for kind in KINDS]
  scale = np.array([np.sqrt(square_L.mean()) for _, square_L in roots])
  mean_2xL = np.stack([mean_L / one for (mean_L, _), one in zip(roots, scale, strict=True)])
  return Task(config, spectra['ir'].axis, spectra, split, scale, mean_2xL)


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
