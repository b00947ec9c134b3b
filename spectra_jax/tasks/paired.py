"""IR and Raman of one molecule, hidden in bands of their own each, filled in by one model.

Both spectra are tokenised with the same kernels, the tokens are added, and one backbone and head
give both spectra. Whether the molecule has an inversion centre is told to every model alike; then
no mode is active in both. That law and intensities >= 0 are asked for in three ways that the config
chooses between: not at all (head `unconstrained`), by loss terms with a weight, or by a head of
shared modes of which each is g or u (`paired`).

Protocol: as masked reconstruction (square roots over a training-set constant of the kind, NRE on
hidden points), except that IR and Raman are seen together. Baselines get the same masks: the mean,
straight lines, and the Gaussian of both spectra over the training set, conditioned on all that is
visible of the two.
"""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from matplotlib.figure import Figure
from ml_collections import ConfigDict

from spectra_jax import augment, figures, law_report, model, roots, shards
from spectra_jax.chemometrics import inpainting
from spectra_jax.law_report import LawTask, Outputs, Scores
from spectra_jax.losses.non_negativity import non_negativity
from spectra_jax.losses.selection_rules import selection_rules
from spectra_jax.roots import FAINT, KINDS
from spectra_jax.spectra import Spectra
from spectra_jax.splits import Split
from spectra_jax.tasks import masked

BASELINES = ('mean', 'linear', 'gaussian')
SHRINKAGES = tuple(10.0 ** np.arange(-5.0, 1.1, 0.5))  # of the Gaussian, those tried
SHRINKAGE_MASKS = 2  # of the held-out masks, on which the Gaussian's shrinkage is chosen


class PairedModel(model.SpectralModel):
  """tokens of IR + tokens of Raman -> backbone -> head."""

  def __call__(
    self,
    values: Mapping[str, jax.Array],
    visible: Mapping[str, jax.Array],
    centrosymmetric_B: jax.Array,
    nu_L: np.ndarray,
    train: bool,
  ) -> Outputs:
    """{kind: values_BxL}, {kind: visible_BxL} -> the head's dict of spectra."""
    ir_B = 2 * centrosymmetric_B.astype(jnp.int32)  # the centre is told here
    x_BxTxD = model.joined(self.tokenizer, values, visible, ir_B, nu_L)
    known_B = centrosymmetric_B if hasattr(self.head, 'given') else None
    return self.read(x_BxTxD, nu_L, train, known_B)


@dataclasses.dataclass(frozen=True, eq=False)
class Task(LawTask):
  """Joint reconstruction of the IR and Raman spectra of one data set.

  Attributes:
    config: the whole config.
    nu_L: wavenumbers [cm^-1].
    spectra: 'ir' and 'raman', row for row the same molecules.
    split: who is in training, validation and test.
    scale: training-set root mean square of sqrt(intensity), a kind.
    mean: training-set mean [L] of the scaled roots, a kind.
  """

  config: ConfigDict
  nu_L: np.ndarray
  spectra: Mapping[str, Spectra]
  split: Split
  scale: Mapping[str, float]
  mean: Mapping[str, np.ndarray]

  quantities = KINDS
  parts = ('centrosymmetric',)
  laws = ('overlap', 'negative')

  # --- what the loop calls -------------------------------------------------------------------

  def module(self) -> PairedModel:
    parts = model.build(self.config, kinds=2 * len(KINDS))
    return PairedModel(parts.tokenizer, parts.backbone, parts.head)

  def examples(self, side: str) -> dict[str, np.ndarray]:
    """All molecules of one side: raw intensities of both kinds [N, L], symmetry, row, mask."""
    rows = getattr(self.split, side)
    values = {kind: shards.select(self.spectra[kind].values, rows) for kind in KINDS}
    return {
      **(values if side == 'train' else {kind: np.asarray(x) for kind, x in values.items()}),
      'centrosymmetric': self.spectra['ir'].meta['centrosymmetric'][rows],
      'kind': np.zeros(len(rows), np.int32),
      'row': rows.astype(np.int32),
      'mask': np.arange(len(rows), dtype=np.int32) % self.options.eval_masks,
    }

  def inputs(
    self, keys_B: jax.Array, step: ArrayLike, batch: Mapping[str, jax.Array], train: bool
  ) -> tuple[dict[str, Any], dict[str, jax.Array]]:
    """Hides bands of each kind, then scales what is left: (model inputs, targets)."""
    visible = self._training_masks(keys_B) if train else self._held_out_masks(batch['mask'])
    # Hidden values are replaced before the square root, whose slope at 0 would make a NaN of them.
    seen = {
      kind: jnp.sqrt(jnp.where(visible[kind], batch[kind], 1.0)) / self.scale[kind]
      for kind in KINDS
    }
    inputs = {
      'values': {kind: jnp.where(visible[kind], seen[kind], 0.0) for kind in KINDS},
      'visible': visible,
      'centrosymmetric_B': batch['centrosymmetric'],
    }
    targets = {kind: jnp.sqrt(batch[kind]) / self.scale[kind] for kind in KINDS}
    hidden = {f'{kind}_hidden': ~visible[kind] for kind in KINDS}
    return inputs, {**targets, **hidden, 'centrosymmetric': batch['centrosymmetric']}

  def losses(self, outputs: Outputs, targets: Mapping[str, jax.Array]) -> dict[str, jax.Array]:
    """Squared errors of the scaled roots, hidden or not, and both laws; the config weighs them."""
    root = self.roots(outputs)
    negative = [non_negativity(root[kind], kind=kind, state='sqrt') for kind in KINDS]
    return {
      **{f'{kind}_mse': ((root[kind] - targets[kind]) ** 2).mean(-1) for kind in KINDS},
      'selection_rules': selection_rules(
        root['ir'], root['raman'], targets['centrosymmetric'], kinds=KINDS, state='sqrt'
      ),
      'non_negativity': 0.5 * sum(negative),
    }

  def metrics(self, outputs: Outputs, targets: Mapping[str, jax.Array]) -> dict[str, tuple]:
    """Sums a molecule: squared errors on hidden points, also of those with an inversion centre
    alone; how much IR and Raman of the latter overlap; points below zero.

    The overlap is sum_l I R / sqrt(sum I^2 sum R^2) of the intensities. Of a true pair it is not 0:
    g and u modes that lie within a line width of each other overlap.
    """
    root, centre_B = self.roots(outputs), targets['centrosymmetric']
    ir, raman = (jnp.maximum(root[kind], 0.0) ** 2 for kind in KINDS)
    size = jnp.sqrt((ir**2).sum(-1) * (raman**2).sum(-1))
    overlap_B = (ir * raman).sum(-1) / jnp.where(size > 0, size, 1.0)
    points = jnp.full(len(centre_B), 2 * len(self.nu_L))
    scores = {
      'overlap': (overlap_B * centre_B, centre_B),
      'negative': (sum((root[kind] < 0).sum(-1) for kind in KINDS), points),
    }
    for kind in KINDS:
      hidden = targets[f'{kind}_hidden']
      error = ((root[kind] - targets[kind]) ** 2 * hidden).sum(-1)
      count = hidden.sum(-1)
      scores |= {kind: (error, count)}
      scores |= {f'{kind}/centrosymmetric': (error * centre_B, count * centre_B)}
    return scores

  def baselines(self, side: str, names: tuple[str, ...] = BASELINES) -> dict[str, Outputs]:
    """Outputs of the methods without a network, from what the model gets to see."""
    values, visible = self._seen(side)
    of = {'mean': self._mean, 'linear': self._linear, 'gaussian': self._gaussian}
    return {name: self._as_outputs(of[name](values, visible)) for name in names}

  def report(
    self,
    scores: Scores,
    baselines: Mapping[str, Scores],
    kind_N: np.ndarray,
  ) -> dict[str, dict]:
    """That of `LawTask`, and how many test molecules have an inversion centre."""
    _, targets = self.held_out('test')
    centred = {'centrosymmetric': int(np.asarray(targets['centrosymmetric']).sum())}
    return super().report(scores, baselines, kind_N) | centred

  def true_outputs(self, targets: Mapping[str, jax.Array]) -> Outputs:
    """What a head would have to give to be right."""
    return self._as_outputs({kind: targets[kind] for kind in KINDS})

  def figures(
    self, outputs: Outputs, side: str, baselines: Mapping[str, Outputs]
  ) -> dict[str, Figure]:
    """Both spectra of the molecule of median error and of a centrosymmetric one."""
    _, targets = self.held_out(side)
    model_roots, gaussian = self.roots(outputs), self.roots(baselines['gaussian'])
    order = np.argsort(np.asarray(self.losses(outputs, targets)['ir_mse']))
    centred = order[np.asarray(targets['centrosymmetric'])[order]]
    ids = self.spectra['ir'].meta['id'][getattr(self.split, side)]
    panels = [
      {
        'title': f'{figures.KIND_NAMES[kind]}   {ids[r]}',
        'ylabel': r'$\sqrt{I}$ / scale',
        'masked': np.asarray(targets[f'{kind}_hidden'][r]),
        'curves': {
          'computed spectrum': np.asarray(targets[kind][r]),
          'conditional Gaussian': np.asarray(gaussian[kind][r]),
          'model': np.asarray(model_roots[kind][r]),
        },
      }
      for r in (order[len(order) // 2], *centred[len(centred) // 2 :][:1])
      for kind in KINDS
    ]
    return {'pairs': figures.overlays(self.nu_L, panels)}

  def learning_curve(
    self, records: Sequence[Mapping[str, float]], report: Mapping[str, Mapping]
  ) -> Figure:
    """Validation NRE over the steps, beside the test NRE of the conditional Gaussian."""
    name = lambda kind: figures.KIND_NAMES[kind]
    return figures.learning_curve(
      records,
      curves={f'val/nre_{kind}': f'{name(kind)}, validation' for kind in KINDS},
      levels={
        f'{name(kind)}, conditional Gaussian (test)': report[kind]['gaussian'] for kind in KINDS
      },
      ylabel='NRE (hidden error / mean spectrum)',
    )

  def table(self, report: Mapping[str, Mapping]) -> list[list[str]]:
    return law_report.table(report, {kind: figures.KIND_NAMES[kind] for kind in KINDS})

  def predictions(self, outputs: Outputs, side: str) -> dict[str, np.ndarray]:
    """Intensities of one side for an audit: kind -> [N, L], 'true_' + kind, 'centrosymmetric' [N].

    As predicted on the whole axis, visible points too; roots below zero stay there, sign(y) y^2.
    """
    examples = self.examples(side)
    if self.options.intensities:
      share = {kind: np.asarray(outputs[kind]) for kind in KINDS}
    else:
      share = {kind: roots.squared(np.asarray(outputs[kind])) for kind in KINDS}
    arrays = {kind: np.float32(share[kind] * self.scale[kind] ** 2) for kind in KINDS}
    truth = {f'true_{kind}': examples[kind] for kind in KINDS}
    return {**arrays, **truth, 'centrosymmetric': examples['centrosymmetric']}

  # --- parts ---------------------------------------------------------------------------------

  @property
  def options(self) -> ConfigDict:
    return self.config.task.paired

  def roots(self, outputs: Outputs) -> dict[str, jax.Array]:
    """Scaled roots of what a head gives: roots already, or intensities over the squared scale."""
    if not self.options.intensities:
      return {kind: outputs[kind] for kind in KINDS}
    return {kind: roots.of_intensity(outputs[kind]) for kind in KINDS}

  def _as_outputs(self, root: Mapping[str, np.ndarray]) -> Outputs:
    """What a head would have to give for these roots."""
    if not self.options.intensities:
      return root
    return {kind: np.maximum(root[kind], 0.0) ** 2 - FAINT for kind in KINDS}

  def _masks(self, key: jax.Array) -> dict[str, jax.Array]:
    o = self.options
    draw = lambda key: masked.visible_points(key, self.nu_L, o.ratio, o.band_cm)
    return {kind: draw(part) for kind, part in zip(KINDS, jax.random.split(key), strict=True)}

  def _training_masks(self, keys_B: jax.Array) -> dict[str, jax.Array]:
    return jax.vmap(self._masks)(keys_B)

  def _held_out_masks(self, mask_B: jax.Array) -> dict[str, jax.Array]:
    key = jax.random.key(masked.EVAL_SEED)
    return jax.vmap(lambda mask: self._masks(jax.random.fold_in(key, mask)))(mask_B)

  def _seen(self, side: str) -> tuple[np.ndarray, np.ndarray]:
    """Both kinds side by side: (values [N, 2 L] float64, visible [N, 2 L])."""
    inputs, _ = self.held_out(side)
    beside = lambda parts: np.concatenate([np.asarray(parts[kind]) for kind in KINDS], 1)
    return beside(inputs['values']).astype(np.float64), beside(inputs['visible'])

  # --- baselines: scaled roots of both kinds side by side, visible -> roots of each kind ----------

  def _apart(self, both: np.ndarray) -> dict[str, np.ndarray]:
    return dict(zip(KINDS, np.split(both, 2, 1), strict=True))

  def _mean(self, values: np.ndarray, visible: np.ndarray) -> dict[str, np.ndarray]:
    shape = (len(values), len(self.nu_L))
    return {kind: np.broadcast_to(self.mean[kind], shape) for kind in KINDS}

  def _linear(self, values: np.ndarray, visible: np.ndarray) -> dict[str, np.ndarray]:
    values, visible = self._apart(values), self._apart(visible)
    return {kind: inpainting.linear(values[kind], visible[kind], self.nu_L) for kind in KINDS}

  def _gaussian(self, values: np.ndarray, visible: np.ndarray) -> dict[str, np.ndarray]:
    """E[hidden | visible of both kinds] of the training set's joint Gaussian."""
    return self._apart(self._fitted.predict(values, visible))

  @functools.cached_property
  def _fitted(self) -> inpainting.ConditionalGaussian:
    """On the training side; its shrinkage is the best on the validation side, under two masks."""
    fitted = inpainting.fit_gaussian(self._roots_of('train'), 0.0)
    truth, masks = self._roots_of('validation')[:], self._held_out_masks(np.arange(SHRINKAGE_MASKS))
    visible = np.concatenate([np.asarray(masks[kind]) for kind in KINDS], 1)
    error = sum(fitted.errors(truth, seen, SHRINKAGES) for seen in visible)
    return dataclasses.replace(fitted, shrinkage=SHRINKAGES[int(error.argmin())])

  def _roots_of(self, side: str) -> shards.Computed:
    """[N, 2 L] float64: scaled roots of both kinds side by side."""
    examples = self.examples(side)
    root = lambda kind, rows: np.sqrt(np.float64(examples[kind][rows])) / self.scale[kind]
    beside = lambda rows: np.concatenate([root(kind, rows) for kind in KINDS], 1)
    return shards.Computed(len(examples['row']), beside)


def build(config: ConfigDict, spectra: Mapping[str, Spectra], split: Split) -> Task:
  """The task on this data; every constant comes from the training side alone.

  Raises:
    ValueError: spectra of other kinds than IR and Raman, nothing said of inversion centres, a ratio
      that is no share, or bands that the axis cannot hold.
  """
  augment.check_off(config.augment, 'paired')
  roots.check_both(spectra)
  roots.check_intensities(spectra)
  if 'centrosymmetric' not in spectra['ir'].meta:
    raise ValueError(
      'the data do not say which molecules have an inversion centre, expected the column '
      'centrosymmetric for task paired; set dataset.name = computed'
    )
  nu_L = spectra['ir'].axis
  masked.check_bands('paired', config.task.paired, nu_L)
  constants = [roots.constants(spectra[kind].values, split.train) for kind in KINDS]
  scale, mean = (dict(zip(KINDS, x, strict=True)) for x in zip(*constants, strict=True))
  return Task(config, nu_L, spectra, split, scale, mean)
