"""Masked reconstruction: fill in hidden bands of a spectrum from what is visible of it.

Protocol of every figure that is reported: bands of `band_cm` that do not overlap are hidden on the
raw axis before any other operation; the spectrum is the square root of the intensity over a
training-set constant of its kind; one kind is visible; NRE = masked squared error over that of the
training-set mean spectrum, on the same masks.
"""

import dataclasses
import functools
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from matplotlib.figure import Figure
from ml_collections import ConfigDict

from spectra_jax import augment, figures, metrics, model, roots, shards
from spectra_jax.augment import bands
from spectra_jax.chemometrics import inpainting
from spectra_jax.forms import Terms
from spectra_jax.losses.masked_mse import masked_mse
from spectra_jax.scores import Ratios
from spectra_jax.spectra import Spectra
from spectra_jax.splits import Split

# cm^-1; conventional group-frequency regions.
REGIONS = {
  'fingerprint': (400.0, 1500.0),
  'double_bond': (1500.0, 2000.0),
  'triple_bond': (2000.0, 2600.0),
  'hydrogen_stretch': (2600.0, 4000.0),
}
BASELINES = ('mean', 'linear', 'nearest', 'gaussian')
SHRINKAGE_MASKS = 4  # of the held-out masks, on which the Gaussian's shrinkage is chosen
NOISE = zlib.crc32(b'noise')  # folded into a sample's key, as in augment/bands.py
EVAL_SEED = 20_260_101  # of held-out masks and measurements: the same for every run
Scores = dict[str, tuple[np.ndarray, np.ndarray]]


def visible_points(key: jax.Array, nu_L: np.ndarray, ratio: ArrayLike, band_cm: float) -> jax.Array:
  """[L] bool, False inside the hidden bands.

  The axis, closed to a ring, is tiled by n = round(range / band_cm) bands from a random origin and
  round(ratio n) of them are hidden. So bands never overlap (they may touch), every point is hidden
  equally often, and the hidden share of the axis is round(ratio n) / n exactly.
  """
  low, high = axis_edges(nu_L)
  tiles = round((high - low) / band_cm)
  key_origin, key_tiles = jax.random.split(key)
  turn_L = jnp.asarray((nu_L - low) / (high - low), jnp.float32)
  tile_L = jnp.floor((turn_L + jax.random.uniform(key_origin)) % 1.0 * tiles).astype(jnp.int32)
  rank_T = jax.random.permutation(key_tiles, tiles)
  visible_T = rank_T >= jnp.round(ratio * tiles)
  return visible_T[jnp.minimum(tile_L, tiles - 1)]


def axis_edges(nu_L: np.ndarray) -> tuple[float, float]:
  """Ends of the range that the points stand for: half a step beyond the outermost ones [cm^-1]."""
  return float(1.5 * nu_L[0] - 0.5 * nu_L[1]), float(1.5 * nu_L[-1] - 0.5 * nu_L[-2])


@dataclasses.dataclass(frozen=True, eq=False)
class Task:
  """Masked reconstruction of the spectra of one data set.

  Attributes:
    config: the whole config.
    nu_L: wavenumbers [cm^-1].
    kinds: kinds of spectra, in the order of the kind index.
    spectra: kind -> spectra, row for row the same molecules.
    split: who is in training, validation and test.
    scale_K: training-set root mean square of sqrt(intensity), a kind.
    mean_KxL: training-set mean of the scaled spectra.
  """

  config: ConfigDict
  nu_L: np.ndarray
  kinds: tuple[str, ...]
  spectra: Mapping[str, Spectra]
  split: Split
  scale_K: np.ndarray
  mean_KxL: np.ndarray

  # --- what the loop calls -------------------------------------------------------------------

  def module(self) -> model.SpectralModel:
    return model.build(self.config, kinds=len(self.kinds))

  def examples(self, side: str) -> dict[str, np.ndarray]:
    """All spectra of one side, kind after kind: values_NxL (raw intensities), kind, row, mask."""
    rows = getattr(self.split, side)
    count = len(self.spectra[self.kinds[0]])
    values = shards.concatenate([shards.select(self.spectra[k].values, rows) for k in self.kinds])
    return {
      'values': values if side == 'train' else np.asarray(values),
      'kind': np.repeat(np.arange(len(self.kinds), dtype=np.int32), len(rows)),
      'row': np.concatenate([k * count + rows for k in range(len(self.kinds))]).astype(np.int32),
      'mask': np.tile(
        np.arange(len(rows), dtype=np.int32) % self.options.eval_masks, len(self.kinds)
      ),
    }

  def inputs(
    self, keys_B: jax.Array, step: ArrayLike, batch: Mapping[str, jax.Array], train: bool
  ) -> tuple[dict[str, Any], dict[str, jax.Array]]:
    """Hides bands, then scales what is left: (model inputs, targets). In training lines may be
    widened and moved before, and noise added to what is shown.
    """
    visible = self.training_mask(keys_B, step) if train else self.held_out_mask(batch['mask'])
    if train and any(self.options.widen_cm):
      widen = lambda key, x_L: bands.widened(key, x_L, self.nu_L, self.options.widen_cm)
      batch = batch | {'values': jax.vmap(widen)(keys_B, batch['values'])}
    if train and self.options.drift_cm:
      batch = batch | {'values': jax.vmap(self._drifted)(keys_B, batch['values'])}
    scale_Bx1 = jnp.asarray(self.scale_K, jnp.float32)[batch['kind']][:, None]
    shown = batch['values']
    if train and self.options.noise:
      shown = jnp.maximum(shown + scale_Bx1**2 * jax.vmap(self._noise)(keys_B), 0.0)
    # Hidden values are replaced before the square root, whose slope at 0 would make a NaN of them.
    seen = jnp.sqrt(jnp.where(visible, shown, 1.0)) / scale_Bx1
    inputs = {
      'values_BxL': jnp.where(visible, seen, 0.0),
      'visible_BxL': visible,
      'kind_B': batch['kind'],
    }
    targets = {'values': jnp.sqrt(batch['values']) / scale_Bx1, 'masked': ~visible}
    return inputs, targets

  def _noise(self, key: jax.Array) -> jax.Array:
    """[L] white, over the mean intensity, of deviation u^2 `noise`, u ~ U(0, 1): mostly little."""
    size_key, key = jax.random.split(jax.random.fold_in(key, NOISE))
    deviation = self.options.noise * jax.random.uniform(size_key) ** 2
    return deviation * jax.random.normal(key, (len(self.nu_L),))

  def _drifted(self, key: jax.Array, values_L: jax.Array) -> jax.Array:
    """Other molecules than there are, before anything is hidden; no intensity below 0."""
    o = self.options
    moved_1xL = bands.wander(key, values_L[None], self.nu_L, o.drift_cm, o.drift_band_cm)
    return jnp.maximum(moved_1xL[0], 0.0)

  def losses(self, outputs: jax.Array, targets: Mapping[str, jax.Array]) -> dict[str, jax.Array]:
    if isinstance(outputs, Mapping):
      raise ValueError(
        f'head {self.config.head.name!r} gives {", ".join(sorted(outputs))}, expected one spectrum '
        'an example for masked reconstruction; set head.name = reconstruct'
      )
    return {'masked_mse': masked_mse(outputs, targets['values'], targets['masked'])}

  def metrics(self, outputs: jax.Array, targets: Mapping[str, jax.Array]) -> dict[str, tuple]:
    """Squared error summed over masked points and their number, per example, also by region."""
    error_BxL = (outputs - targets['values']) ** 2
    sums = lambda where: ((error_BxL * where).sum(-1), where.sum(-1))
    scores = {'error': sums(targets['masked'])}
    for name, (low, high) in REGIONS.items():
      inside_L = (self.nu_L >= low) & (self.nu_L < high)
      scores[f'error/{name}'] = sums(targets['masked'] & inside_L)
    return scores

  def effective(self, params: Any) -> Any:
    return params

  @functools.lru_cache(maxsize=8)  # noqa: B019  of the tasks asked last
  def held_out(self, side: str) -> tuple[dict[str, Any], dict[str, jax.Array]]:
    """Inputs and targets of one whole side, on its fixed masks."""
    return jax.jit(lambda batch: self.inputs(None, 0, batch, train=False))(self.examples(side))

  def baselines(self, side: str, names: tuple[str, ...] = BASELINES) -> dict[str, np.ndarray]:
    """Outputs [N, L] of the methods without a network, from what the model gets to see."""
    inputs, _ = self.held_out(side)
    return {
      name: np.concatenate(
        [self._fill(name, k, *self._of_kind(inputs, k)) for k in range(len(self.kinds))]
      )
      for name in names
    }

  def score(self, outputs: np.ndarray, side: str) -> Scores:
    """`metrics` of outputs for one whole side, on the host."""
    _, targets = self.held_out(side)
    return jax.tree.map(np.asarray, self.metrics(outputs, targets))

  def predictions(self, outputs: np.ndarray, side: str) -> dict[str, np.ndarray]:
    """Spectra of one whole side as intensities, hidden points as predicted: what an audit is about.

    sign(y) (scale y)^2, so that what is predicted below zero stays there; visible points as given.

    Returns:
      kind -> [N, L] float32 and 'true_' + kind likewise, row for row the same molecules;
      'centrosymmetric' [N] where the data tell it.
    """
    examples, (_, targets) = self.examples(side), self.held_out(side)
    root_NxL = np.asarray(outputs) * np.float32(self.scale_K)[examples['kind']][:, None]
    filled = np.where(targets['masked'], roots.squared(root_NxL), examples['values'])
    of = lambda values, k: np.float32(values[examples['kind'] == k])
    arrays = {kind: of(filled, k) for k, kind in enumerate(self.kinds)}
    arrays |= {f'true_{kind}': of(examples['values'], k) for k, kind in enumerate(self.kinds)}
    meta, rows = self.spectra[self.kinds[0]].meta, getattr(self.split, side)
    told = {'centrosymmetric': meta['centrosymmetric'][rows]} if 'centrosymmetric' in meta else {}
    return arrays | told

  def selection(self, scores: Scores, mean: Scores, kind_N: np.ndarray) -> dict[str, float]:
    """Numbers logged at each validation; 'nre' is their mean over kinds."""
    nre = {
      f'nre_{kind}': metrics.ratio(scores['error'][0][kind_N == k], mean['error'][0][kind_N == k])
      for k, kind in enumerate(self.kinds)
    }
    return {'nre': float(np.mean(list(nre.values()))), **nre}

  def report(
    self, scores: Scores, baselines: Mapping[str, Scores], kind_N: np.ndarray
  ) -> dict[str, dict]:
    """kind -> NRE of the model and of the baselines, with intervals over groups, and by region."""
    methods, groups_N = {'model': scores, **baselines}, self.groups('test')
    of = lambda own_N: {name: _rows(s, own_N) for name, s in methods.items()}
    return {
      kind: self._kind_report(of(kind_N == k), groups_N[kind_N == k])
      for k, kind in enumerate(self.kinds)
    }

  def ratios(self, scores: Scores, baselines: Mapping[str, Scores], kind_N: np.ndarray) -> Ratios:
    """Place in the report -> (numerator [N], denominator [N]) of it, 0 / 0 for other kinds."""
    found = {}
    for k, kind in enumerate(self.kinds):
      mine = lambda totals, k=k: np.where(kind_N == k, totals[0], 0.0)
      for name, own in {'model': scores, **baselines}.items():
        pair = lambda score, own=own, mine=mine: (mine(own[score]), mine(baselines['mean'][score]))
        found[f'{kind}.{"nre" if name == "model" else name}'] = pair('error')
        for region in REGIONS:
          found[f'{kind}.regions.{region}.{name}'] = pair(f'error/{region}')
    return found

  def groups(self, side: str) -> np.ndarray:
    """[N] group of each example of a side."""
    meta = self.spectra[self.kinds[0]].meta
    return np.tile(meta['group'][getattr(self.split, side)], len(self.kinds))

  def figures(
    self, outputs: np.ndarray, side: str, baselines: Mapping[str, np.ndarray]
  ) -> dict[str, Figure]:
    """Reconstructions of a few held-out spectra, hidden bands shaded."""
    inputs, targets = self.held_out(side)
    rows = self._typical(outputs, targets)
    ids = np.tile(
      self.spectra[self.kinds[0]].meta['id'][getattr(self.split, side)], len(self.kinds)
    )
    panels = [
      {
        'title': f'{figures.KIND_NAMES[self.kinds[int(inputs["kind_B"][r])]]}   {ids[r]}',
        'true': np.asarray(targets['values'][r]),
        'model': np.asarray(outputs[r]),
        'gaussian': baselines['gaussian'][r],
        'masked': np.asarray(targets['masked'][r]),
      }
      for r in rows
    ]
    return {'reconstructions': figures.reconstructions(self.nu_L, panels)}

  def learning_curve(
    self, records: Sequence[Mapping[str, float]], report: Mapping[str, Mapping]
  ) -> Figure:
    """Validation NRE over the steps, beside the test NRE of the conditional Gaussian."""
    name = lambda kind: figures.KIND_NAMES[kind]
    return figures.learning_curve(
      records,
      curves={f'val/nre_{kind}': f'{name(kind)}, validation' for kind in self.kinds},
      levels={
        f'{name(kind)}, conditional Gaussian (test)': report[kind]['gaussian']
        for kind in self.kinds
      },
      ylabel='NRE (masked error / mean spectrum)',
    )

  def table(self, report: Mapping[str, Mapping]) -> list[list[str]]:
    """Rows of the terminal's table: method, then NRE with its 95 % interval for each kind."""
    names = ('model', *(name for name in BASELINES if name != 'mean'), 'mean')
    nre = lambda kind, name: report[kind]['nre' if name == 'model' else name]
    cell = lambda kind, name: '{:.3f} [{:.3f}, {:.3f}]'.format(
      nre(kind, name), *report[kind]['intervals'][name]
    )
    header = ['NRE on held-out molecules', *(figures.KIND_NAMES[kind] for kind in self.kinds)]
    return [header] + [[name, *(cell(kind, name) for kind in self.kinds)] for name in names]

  # --- parts ---------------------------------------------------------------------------------

  @property
  def options(self) -> ConfigDict:
    return self.config.task.masked

  def training_mask(self, keys_B: jax.Array, step: ArrayLike) -> jax.Array:
    """[B, L] visible points at a step of the curriculum."""
    o = self.options
    progress = jnp.clip(step / max(o.ratio_steps, 1), 0.0, 1.0)
    ratio = o.ratio_start + (o.ratio - o.ratio_start) * progress
    return jax.vmap(lambda key: visible_points(key, self.nu_L, ratio, o.band_cm))(keys_B)

  def held_out_mask(self, mask_B: jax.Array) -> jax.Array:
    """[B, L] visible points of the fixed masks by their numbers."""
    o = self.options
    key = jax.random.key(EVAL_SEED)
    draw = lambda i: visible_points(jax.random.fold_in(key, i), self.nu_L, o.ratio, o.band_cm)
    return jax.vmap(draw)(mask_B)

  def _of_kind(self, inputs: Mapping[str, jax.Array], k: int) -> tuple[np.ndarray, np.ndarray]:
    rows = np.asarray(inputs['kind_B']) == k
    return np.float64(inputs['values_BxL'])[rows], np.asarray(inputs['visible_BxL'])[rows]

  def _scaled_training_set(self, k: int) -> shards.Computed:
    values, rows = self.spectra[self.kinds[k]].values, self.split.train
    scaled = lambda some: np.sqrt(np.float64(values[rows[some]])) / self.scale_K[k]
    return shards.Computed(len(rows), scaled)

  def _fill(self, name: str, k: int, values: np.ndarray, visible: np.ndarray) -> np.ndarray:
    if name == 'mean':
      return np.broadcast_to(self.mean_KxL[k], values.shape)
    if name == 'linear':
      return inpainting.linear(values, visible, self.nu_L)
    train = self._scaled_training_set(k)
    if name == 'nearest':
      return inpainting.nearest(values, visible, train)
    groups = self.spectra[self.kinds[k]].meta['group'][self.split.train]
    masks = np.asarray(
      self.held_out_mask(jnp.arange(min(SHRINKAGE_MASKS, self.options.eval_masks)))
    )
    best, _ = inpainting.choose_shrinkage(train, groups, masks, self.options.shrinkage_folds)
    return inpainting.fit_gaussian(train, best).predict(values, visible)

  def _kind_report(self, methods: Mapping[str, Scores], groups_N: np.ndarray) -> dict[str, Any]:
    of = lambda name, key='error': methods[name][key][0]
    nre = {name: metrics.ratio(of(name), of('mean')) for name in methods}
    pair = lambda name: Terms('ratio', np.float64([of(name), of('mean')]))
    interval = {name: pair(name).interval(groups_N) for name in methods}
    regions = {
      region: {
        name: metrics.ratio(of(name, f'error/{region}'), of('mean', f'error/{region}'))
        for name in methods
      }
      for region in REGIONS
      if methods['mean'][f'error/{region}'][1].any()  # the axis may not reach it
    }
    return {
      'nre': nre['model'],
      'interval': interval['model'],
      **{name: nre[name] for name in methods if name != 'model'},
      'intervals': interval,
      'regions': regions,
    }

  def _typical(self, outputs: np.ndarray, targets: Mapping[str, jax.Array]) -> list[int]:
    """Two spectra a kind: the 50th and the 80th percentile of the masked error."""
    error = np.asarray(masked_mse(outputs, targets['values'], targets['masked']))
    rows = []
    for part in np.array_split(np.arange(len(error)), len(self.kinds)):
      order = part[np.argsort(error[part])]
      rows += [int(order[int(q * (len(order) - 1))]) for q in (0.5, 0.8)]
    return rows


def _rows(scores: Scores, rows: np.ndarray) -> Scores:
  return {name: (total[rows], count[rows]) for name, (total, count) in scores.items()}


def build(config: ConfigDict, spectra: Mapping[str, Spectra], split: Split) -> Task:
  """The task on this data; every constant comes from the training side alone.

  Raises:
    ValueError: a ratio that is no share, bands that the axis cannot hold, or spectra that are
      negative or not measured somewhere.
  """
  augment.check_off(config.augment, 'masked')
  nu_L = spectra[next(iter(spectra))].axis
  o = config.task.masked
  check_bands('masked', o, nu_L, ratios=('ratio', 'ratio_start'))
  bands.check_wander('task.masked.drift_cm', o.drift_cm, o.drift_band_cm, nu_L)
  _check_widths(config, nu_L)
  if not o.noise >= 0:
    raise ValueError(f'task.masked.noise is {o.noise}, expected at least 0; raise it')
  kinds = tuple(spectra)
  roots.check_intensities(spectra)
  constants = [roots.constants(spectra[kind].values, split.train) for kind in kinds]
  scale_K, mean_KxL = (np.stack(x) for x in zip(*constants, strict=True))
  return Task(config, nu_L, kinds, spectra, split, scale_K, mean_KxL)


def _check_widths(config: ConfigDict, nu_L: np.ndarray) -> None:
  widen_cm, computed = config.task.masked.widen_cm, config.dataset.computed
  if any(widen_cm) and (config.dataset.name, computed.line_shape) != ('computed', 'lorentz'):
    raise ValueError(
      f'task.masked.widen_cm is {tuple(widen_cm)} with data {config.dataset.name}, expected '
      "computed spectra of dataset.computed.line_shape = 'lorentz', whose lines can be widened "
      'exactly; set it to (0, 0)'
    )
  bands.check_widths('task.masked.widen_cm', widen_cm, computed.fwhm_cm, nu_L)


def check_bands(
  task: str, options: ConfigDict, nu_L: np.ndarray, ratios: tuple[str, ...] = ('ratio',)
) -> None:
  """Raises a ValueError unless bands of `band_cm` can hide these shares of the axis."""
  for name in ratios:
    if not 0 < options[name] < 1:
      raise ValueError(
        f'task.{task}.{name} is {options[name]}, expected a share between 0 and 1 of the axis'
      )
  low, high = axis_edges(nu_L)
  least, most = 2 * float(np.max(np.diff(nu_L))), (high - low) / 4
  if not least <= options.band_cm <= most:
    raise ValueError(
      f'task.{task}.band_cm is {options.band_cm:g} cm^-1, expected {least:.3g} (two points of the '
      f'axis) to {most:.4g} (a quarter of it)'
    )
