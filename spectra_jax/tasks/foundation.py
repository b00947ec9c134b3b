"""The foundation model on simulated instruments: what a sample is, apart from what measured it.

An example is a molecule, all its kinds of spectra, each in two views: as computed (the reference)
and as one of the training instruments measures it on some day (`datasets/instruments.py`). Bands of
both are hidden. From each view the model gives

  reconstruction  the view without noise, hidden bands included         masked_mse, denoising
  decoded         the same out of the latents z_chem and z_inst alone   decoded_mse
  swapped         z_chem of one view with z_inst of the next molecule's other view: this molecule on
                  that instrument, on that day                          swap_consistency
  transferred     the same by the operator, from all that the view says transferred_mse
  cross           the other kind of spectrum, as computed               cross_mse
  physics         n and k of a medium whose spectrum is the reference   physics_mse

and its latents are asked to keep apart what they are named after (IR and Raman of a molecule have
latents of their own: one does not tell the other):

  z_chem          alike for the views of one spectrum, unlike otherwise contrastive
                  the same distribution for the views of one molecule   view_consistency
                  as one cloud for reference and instruments            sinkhorn
                  of no use to a classifier of instruments              adversary
  z_inst          of use to another one                                 instrument
  both            no more than they have to say                         information_bottleneck
  what is decoded nowhere below zero                                    non_negativity
  experts         all used                                              expert_balance

Each is a term with a weight in `config.loss.weights`; the task gives those whose parts the model
has. How molecules are seen, held-out ones too: `spectra_jax/views.py`; one of their views is of
masked reconstruction, so that its figures are comparable. What is reported of the latents:
`spectra_jax/latent_report.py`.
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from matplotlib.figure import Figure
from ml_collections import ConfigDict

from spectra_jax import (
  augment,
  erasure,
  figures,
  foundation_terms,
  latent_report,
  medium,
  roots,
  shards,
)
from spectra_jax.datasets import instruments
from spectra_jax.datasets.instruments import Setting
from spectra_jax.disentangled import Classifier, Disentangled
from spectra_jax.formulas import atom_counts
from spectra_jax.foundation import build_foundation
from spectra_jax.scores import Ratios, put
from spectra_jax.spectra import Spectra
from spectra_jax.splits import Split
from spectra_jax.tasks import masked
from spectra_jax.views import FIRST, PROTOCOL, Views

BASELINES = masked.BASELINES
Outputs = Mapping[str, jax.Array]
Scores = Mapping[str, Mapping[str, Any]]  # 'masked', 'latents', 'units'


class LatentLost(SystemExit):
  """The run has lost its latent and stops with a sentence; its last checkpoint stays."""


@dataclasses.dataclass(frozen=True, eq=False)
class Task:
  """The foundation model on one data set of computed spectra.

  Attributes:
    config: the whole config.
    masked: masked reconstruction of the same spectra: constants, masks, baselines, scores.
    bench: kind -> its instruments, stacked.
    atoms: [N, Y] what the formulas say: the properties that probes ask for.
  """

  config: ConfigDict
  masked: masked.Task
  bench: Mapping[str, Setting]
  atoms: np.ndarray

  # --- what the loop calls -------------------------------------------------------------------

  @property
  def nu_L(self) -> np.ndarray:
    return self.masked.nu_L

  @property
  def kinds(self) -> tuple[str, ...]:
    return self.masked.kinds

  @property
  def split(self) -> Split:
    return self.masked.split

  @property
  def spectra(self) -> Mapping[str, Spectra]:
    return self.masked.spectra

  @property
  def options(self) -> ConfigDict:
    return self.config.task.foundation

  def module(self) -> Disentangled:
    o = self.options
    foundation = build_foundation(self.config, len(self.kinds), self.atoms.shape[1])
    sizes = self.config.foundation.bottleneck
    classifiers = {
      latent: Classifier(instruments.TRAINING, o.hidden, reversal)
      for latent, reversal in (('chem', o.reversal), ('inst', -1.0))
      if o.classifiers and sizes.chem and sizes[latent]
    }
    return Disentangled(foundation, classifiers)

  def examples(self, side: str) -> dict[str, np.ndarray]:
    """All molecules of one side: raw intensities [N, L] by kind, properties, row; mask and place by
    which views are dealt; kind 0, of which the loop asks.

    Held-out ones also name a lender, whose intensities are 'lender/' + kind: the next of the side.
    """
    rows = getattr(self.split, side)
    return self._of_rows(rows) if side == 'train' else self._with_lenders(self._of_rows(rows))

  def _of_rows(self, rows: np.ndarray) -> dict[str, np.ndarray]:
    values = {kind: shards.select(self.spectra[kind].values, rows) for kind in self.kinds}
    return values | {
      'kind': np.zeros(len(rows), np.int32),
      'row': rows.astype(np.int32),
      'mask': np.arange(len(rows), dtype=np.int32) % self.masked.options.eval_masks,
      'place': np.arange(len(rows), dtype=np.int32),
      'properties': self._standardised[rows],
    }

  def _with_lenders(self, examples: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    values = {kind: np.asarray(examples[kind]) for kind in self.kinds}
    lent = {f'lender/{kind}': np.roll(x, -1, axis=0) for kind, x in values.items()}
    return examples | values | lent

  def inputs(
    self, keys_B: jax.Array, step: ArrayLike, batch: Mapping[str, jax.Array], train: bool
  ) -> tuple[dict[str, Any], dict[str, jax.Array]]:
    """Measures, hides bands, takes roots: (model inputs, targets [B, K, V, ...])."""
    of = self._views
    views = of.training(keys_B, step, batch) if train else of.held_out(batch)
    visible = views['visible']
    inputs = {
      'values': jnp.where(visible, views['noisy'], 0.0),
      'visible': visible,
      'fwhm_cm': views['fwhm_cm'],
      'number': views['number'],
    }
    first = lambda x: jnp.moveaxis(x, 2, 0).swapaxes(1, 2)
    named = ('clean', 'visible', 'number', 'swapped', 'noisy')
    targets = {name: first(views[name]) for name in named}
    return inputs, targets | {'properties': batch['properties'], 'row': batch['row']}

  def losses(self, outputs: Outputs, targets: Mapping[str, jax.Array]) -> dict[str, jax.Array]:
    """The terms whose parts the model has; [B] each, means over kinds and views."""
    return foundation_terms.terms(outputs, targets, self.options, self.kinds, self.nu_L)

  def effective(self, params: Any) -> Any:
    return params

  @functools.lru_cache(maxsize=8)  # noqa: B019  of the tasks asked last
  def held_out(self, side: str) -> tuple[dict[str, Any], dict[str, jax.Array]]:
    """Inputs and targets of one whole side, on its fixed masks, days and noise."""
    return jax.jit(lambda batch: self.inputs(None, 0, batch, train=False))(self.examples(side))

  def with_fitted(
    self, outputs: Outputs, predict: Callable[[Mapping[str, np.ndarray]], Outputs]
  ) -> Outputs:
    """Adds 'chem_erased': the means of z_chem without what tells a linear reader the instrument.

    `spectra_jax.erasure`, of each kind, fitted to training molecules as their instruments see them.
    """
    if 'chem_mean' not in outputs or 'inst_mean' not in outputs:
      return outputs
    train, size = self.split.train, ERASED_AT_ONCE
    rows = train[:: -(-len(train) // self.options.erasure_molecules)]
    parts = [
      self._with_lenders(self._of_rows(rows[start : start + size]))
      for start in range(0, len(rows), size)
    ]
    chem = np.concatenate([predict(part)['chem_mean'][:, :, FIRST:] for part in parts])
    place = np.concatenate([part['place'] for part in parts])
    number = np.stack(self._views.dealt(place)[FIRST:], 1)
    erased = [
      erasure.fit(chem[:, k].reshape(-1, chem.shape[-1]), number.reshape(-1))(
        outputs['chem_mean'][:, k]
      )
      for k in range(len(self.kinds))
    ]
    return {**outputs, 'chem_erased': np.stack(erased, 1)}

  def baselines(self, side: str, names: tuple[str, ...] = BASELINES) -> dict[str, Outputs]:
    """Those of masked reconstruction, as the output 'reconstruction' of the first view alone."""
    found = self.masked.baselines(side, names)
    apart = lambda x: np.stack(np.split(np.asarray(x), len(self.kinds)), 1)[:, :, None]
    return {name: {'reconstruction': apart(filled)} for name, filled in found.items()}

  def score(self, outputs: Outputs, side: str) -> Scores:
    """Scores of outputs for one whole side, by kind one after the other, as of `masked`.

    A baseline has those of reconstruction alone.
    """
    scores = {
      'masked': self.masked.score(self._protocol(outputs), side),
      'latents': {},
      'units': {},
    }
    if 'chem_mean' not in outputs:
      return scores
    latents = self._latents(outputs, side)
    told = {'latents': latent_report.terms(latents, self.kinds)}
    return scores | told | {'units': latent_report.units(latents)}

  def metrics(self, outputs: Outputs, targets: Mapping[str, jax.Array]) -> dict[str, tuple]:
    """Those of masked reconstruction, of the first view: squared error on hidden points."""
    apart = lambda x: jnp.concatenate(list(jnp.moveaxis(x[:, :, PROTOCOL], 1, 0)))
    hidden = {'values': apart(targets['clean']), 'masked': ~apart(targets['visible'])}
    return self.masked.metrics(apart(outputs['reconstruction']), hidden)

  def selection(self, scores: Scores, mean: Scores, kind_N: np.ndarray) -> dict[str, float]:
    """Numbers logged at each validation; 'nre' is the mean over kinds."""
    del kind_N
    pair = (scores['masked'], mean['masked'])
    found = self.masked.selection(*pair, self._kind_N('validation'))
    return found | latent_report.summary(scores['latents'], self.kinds) | scores['units']

  def alarm(self, step: int, validation: Mapping[str, float]) -> None:
    """Stops a run that has lost its latent; thresholds of 0 are off.

    Raises:
      LatentLost: too few active units of z_chem, or z_inst tells the instrument no better than
        z_chem does.
    """
    o = self.options
    if step < o.alarm_after or 'active_chem' not in validation:
      return
    for name, least in (('active_chem', o.least_active), ('probe_gap', o.least_gap)):
      if least and validation[name] < least:
        raise LatentLost(
          f'error: {name} is {validation[name]:.3g} at step {step}, expected at least {least:g}: '
          'the latent is lost; lower loss.weights.model.information_bottleneck or raise '
          f'task.foundation.free_nats, or set task.foundation.{ALARMS[name]} to 0, in a new workdir'
        )

  def report(
    self, scores: Scores, baselines: Mapping[str, Scores], kind_N: np.ndarray
  ) -> dict[str, dict]:
    """That of masked reconstruction by kind, and of the latents with intervals over formulas."""
    del kind_N
    found = self.masked.report(*self._masked_scores(scores, baselines), self._kind_N('test'))
    return put(found, scores['latents'], self.groups('test')) | {'units': scores['units']}

  def ratios(self, scores: Scores, baselines: Mapping[str, Scores], kind_N: np.ndarray) -> Ratios:
    """Place in the report -> its sums an example."""
    del kind_N
    found = self.masked.ratios(*self._masked_scores(scores, baselines), self._kind_N('test'))
    return found | scores['latents']

  def groups(self, side: str) -> np.ndarray:
    """[K N] formula of each spectrum of a side, kind after kind."""
    return self.masked.groups(side)

  def figures(
    self, outputs: Outputs, side: str, baselines: Mapping[str, Outputs]
  ) -> dict[str, Figure]:
    """Reconstructions as of `masked`, and a molecule on another instrument by swapped latents."""
    protocol = {name: self._protocol(filled) for name, filled in baselines.items()}
    found = self.masked.figures(self._protocol(outputs), side, protocol)
    if 'swapped' in outputs:
      found['swaps'] = figures.overlays(self.nu_L, self._swap_panels(outputs, side))
    return found

  def learning_curve(
    self, records: Sequence[Mapping[str, float]], report: Mapping[str, Mapping]
  ) -> Figure:
    return self.masked.learning_curve(records, {kind: report[kind] for kind in self.kinds})

  def table(self, report: Mapping[str, Mapping]) -> list[list[str]]:
    """Rows of the terminal's table: NRE by method, then what the latents tell."""
    return self.masked.table(report) + latent_report.table(report, self.kinds)

  def predictions(self, outputs: Outputs, side: str) -> dict[str, np.ndarray]:
    """Spectra of one side for an audit, as of `masked`."""
    return self.masked.predictions(self._protocol(outputs), side)

  # --- parts ---------------------------------------------------------------------------------

  @functools.cached_property
  def _views(self) -> Views:
    o = self.options
    return Views(self.masked, self.bench, o.whole_share, o.probe_views)

  @functools.cached_property
  def _standardised(self) -> np.ndarray:
    """[N, Y] float32 properties, by mean and deviation of the training side."""
    train = self.atoms[self.split.train]
    return np.float32((self.atoms - train.mean(0)) / np.maximum(train.std(0), 1e-9))

  def _kind_N(self, side: str) -> np.ndarray:
    return np.repeat(np.arange(len(self.kinds)), len(getattr(self.split, side)))

  def _protocol(self, outputs: Outputs) -> np.ndarray:
    """[K N, L] the reconstruction of the first view, kind after kind."""
    first = np.asarray(outputs['reconstruction'])[:, :, PROTOCOL]
    return np.concatenate(list(np.moveaxis(first, 1, 0)))

  def _masked_scores(self, scores, baselines) -> tuple:
    return scores['masked'], {name: own['masked'] for name, own in baselines.items()}

  def _latents(self, outputs: Outputs, side: str) -> latent_report.Latents:
    """What the scores of latents are made from, of one side."""
    _, targets = self.held_out(side)
    rows = getattr(self.split, side)
    spectra = self.spectra[self.kinds[0]].meta
    if 'physics' in outputs:
      absorbed = roots.softened(medium.intensity(outputs['physics'], self.nu_L))
      outputs = {**outputs, 'physics': absorbed}
    return latent_report.Latents(
      outputs={name: np.asarray(x) for name, x in outputs.items()},
      targets={name: np.asarray(x) for name, x in targets.items()},
      mean_KxL=self.masked.mean_KxL,
      properties_NxY=self.atoms[rows],
      group_N=spectra['group'][rows],
      thorough=side == 'test',
    )

  def _swap_panels(self, outputs: Outputs, side: str) -> list[dict]:
    """For each kind the molecule of median error."""
    _, targets = self.held_out(side)
    panels = []
    for k, kind in enumerate(self.kinds):
      true, found = np.asarray(targets['swapped'])[:, k, 0], np.asarray(outputs['swapped'])[:, k, 0]
      row = np.argsort(((true - found) ** 2).mean(1))[len(true) // 2]
      panels.append(
        {
          'title': f'{figures.KIND_NAMES[kind]}, z_inst of another molecule',
          'ylabel': r'$\sqrt{I}$ / scale',
          'masked': np.zeros(len(self.nu_L), bool),
          'curves': {
            'on its own instrument': np.asarray(targets['clean'])[row, k, FIRST],
            'on the other instrument': true[row],
            'swapped latents': found[row],
          },
        }
      )
    return panels


ERASED_AT_ONCE = 512  # molecules whose outputs are held in memory
ALARMS = {'active_chem': 'least_active', 'probe_gap': 'least_gap'}


def build(config: ConfigDict, spectra: Mapping[str, Spectra], split: Split) -> Task:
  """The task on this data; every constant comes from the training side alone.

  Raises:
    ValueError: spectra that no simulated instrument is for, heads without what they read,
      shares or numbers out of range; and what masked reconstruction refuses.
  """
  augment.check_off(config.augment, 'foundation')
  _check(config, spectra)
  whole = masked.build(config, spectra, split)
  bench = {kind: instruments.bench(kind, whole.nu_L) for kind in spectra}
  formulas = next(iter(spectra.values())).meta['group']
  return Task(config, whole, bench, atom_counts(formulas))


def _check(config: ConfigDict, spectra: Mapping[str, Spectra]) -> None:
  unfit = [kind for kind in spectra if kind not in instruments.RANGES]
  if unfit:
    raise ValueError(
      f'the data set gives {unfit[0]}, expected computed {" or ".join(instruments.RANGES)}, which '
      'simulated instruments measure; set dataset.name = computed'
    )
  o = config.task.foundation
  if not config.foundation.heads.reconstruction:
    raise ValueError(
      "foundation.heads.reconstruction is '', expected a head, which the task foundation is judged "
      'by; set it to reconstruct'
    )
  if config.task.masked.drift_cm:
    raise ValueError(
      f'task.masked.drift_cm is {config.task.masked.drift_cm}, expected 0 for the task foundation, '
      'whose instruments move axes themselves; set it to 0'
    )
  shown = config.task.masked
  if any(shown.widen_cm) or shown.noise:
    raise ValueError(
      f'task.masked.widen_cm is {tuple(shown.widen_cm)} and its noise {shown.noise}, expected '
      '(0, 0) and 0 for the task foundation, whose instruments widen lines and have noise; set '
      'them so'
    )
  if not o.erasure_molecules > 0:
    raise ValueError(
      f'task.foundation.erasure_molecules is {o.erasure_molecules}, expected at least 1: on them '
      'is measured what z_chem tells of instruments; raise it'
    )
  if config.foundation.heads.cross and len(spectra) != 2:
    raise ValueError(
      f'foundation.heads.cross is set and the data set gives {", ".join(spectra)}, expected two '
      "kinds of spectra; set it to '', or both dataset.computed.kinds"
    )
  if config.foundation.heads.decoded and not config.foundation.bottleneck.inst:
    raise ValueError(
      'foundation.bottleneck.inst is 0 with a decoder, expected a size: latents are swapped '
      "between instruments; give it one, or set foundation.heads.decoded to ''"
    )
  if o.least_gap and not config.foundation.bottleneck.inst:
    raise ValueError(
      f'task.foundation.least_gap is {o.least_gap} and foundation.bottleneck.inst is 0, expected a '
      'z_inst where its gap to z_chem is watched; set one of them'
    )
  if not (0 <= o.whole_share < 1 and 1 <= o.probe_views <= instruments.TRAINING):
    raise ValueError(
      f'task.foundation has whole_share {o.whole_share} and probe_views {o.probe_views}, expected '
      f'a share from 0 to below 1 and 1 to {instruments.TRAINING} views'
    )
