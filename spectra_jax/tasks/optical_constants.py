"""n and k on the whole axis from a noisy normal-incidence reflectance with hidden bands.

The two belong together by Kramers-Kronig, and k >= 0. Laws are asked for in three ways that the
config chooses between: not at all (head `unconstrained`), by loss terms with a weight, or by a head
that can give nothing else (`non_negative`, `oscillators`).

Protocol: bands of `band_cm` that do not overlap are hidden, noise is added to what is visible; NRE
= squared error on the whole axis over that of the training-set mean spectrum. Baselines get the
same masks and noise: the mean; the Gaussian of reflectance, n and k over the training set,
conditioned on what is visible; and no learning at all, the phase of the reflectance by
Kramers-Kronig, with straight lines through the hidden bands.
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

from spectra_jax import augment, figures, law_report, model, shards
from spectra_jax.chemometrics import inpainting
from spectra_jax.law_report import LawTask, Outputs
from spectra_jax.losses.kramers_kronig import kramers_kronig
from spectra_jax.losses.non_negativity import non_negativity
from spectra_jax.physics import kramers_kronig as kk
from spectra_jax.spectra import Spectra
from spectra_jax.splits import Split
from spectra_jax.tasks import masked

QUANTITIES = ('n', 'k')
BASELINES = ('mean', 'gaussian', 'phase')
SHRINKAGES = tuple(10.0 ** np.arange(-5.0, 1.1, 0.5))  # of the Gaussian, those tried
SHRINKAGE_MASKS = 2  # of the held-out masks, on which the Gaussian's shrinkage is chosen
EDGE = 0.02  # share of the points at each end where n - T k of a cut window is not judged
FLOOR = 1e-10  # n^2, in what is reported: an index that varies by less than 1e-5 varies by nothing
LEAST_REFLECTANCE = 1e-6  # noise may take a reflectance below zero, where it has no phase


@dataclasses.dataclass(frozen=True, eq=False)
class Task(LawTask):
  """Optical constants of the liquids of one data set.

  Attributes:
    config: the whole config.
    nu_L: wavenumbers [cm^-1], evenly spaced.
    spectra: 'reflectance', 'n', 'k', row for row the same molecules.
    split: who is in training, validation and test.
    plan: Kramers-Kronig on this axis.
    seen: (mean, standard deviation) of the training reflectances.
    mean: training-set mean spectrum [L] of n and k.
    scale: training-set root mean square of n and k about `mean`.
    offset: of n in the head's units: a round number just below every training index's mean.
  """

  config: ConfigDict
  nu_L: np.ndarray
  spectra: Mapping[str, Spectra]
  split: Split
  plan: kk.Plan
  seen: tuple[float, float]
  mean: Mapping[str, np.ndarray]
  scale: Mapping[str, float]
  offset: float

  quantities = QUANTITIES
  parts = ('hidden', 'visible')
  laws = ('kramers_kronig', 'negative_k')

  # --- what the loop calls -------------------------------------------------------------------

  def module(self) -> model.SpectralModel:
    return model.build(self.config, kinds=1)

  def examples(self, side: str) -> dict[str, np.ndarray]:
    """All molecules of one side: reflectance, n and k [N, L], kind, row, mask."""
    rows = getattr(self.split, side)
    values = {kind: shards.select(spectra.values, rows) for kind, spectra in self.spectra.items()}
    return {
      **(values if side == 'train' else {kind: np.asarray(x) for kind, x in values.items()}),
      'kind': np.zeros(len(rows), np.int32),
      'row': rows.astype(np.int32),
      'mask': np.arange(len(rows), dtype=np.int32) % self.options.eval_masks,
    }

  def inputs(
    self, keys_B: jax.Array, step: ArrayLike, batch: Mapping[str, jax.Array], train: bool
  ) -> tuple[dict[str, Any], dict[str, jax.Array]]:
    """Hides bands and adds noise to the rest: (model inputs, targets)."""
    visible, noise = self._training(keys_B) if train else self._held_out(batch)
    mean, deviation = self.seen
    noisy = jnp.where(visible, batch['reflectance'], mean) + self.options.noise * noise
    inputs = {
      'values_BxL': jnp.where(visible, (noisy - mean) / deviation, 0.0),
      'visible_BxL': visible,
      'kind_B': batch['kind'],
    }
    return inputs, {'n': batch['n'], 'k': batch['k'], 'masked': ~visible}

  def losses(self, outputs: Outputs, targets: Mapping[str, jax.Array]) -> dict[str, jax.Array]:
    """Squared errors in units of the training set's, and both laws; the config weighs them."""
    found = self.absolute(outputs)
    error = lambda name: (((found[name] - targets[name]) / self.scale[name]) ** 2).mean(-1)
    return {
      'n_mse': error('n'),
      'k_mse': error('k'),
      # Relative to what n varies by in the training set as well: relative to the prediction alone
      # it is stiffest where that is flat, and one run of three never left the mean.
      'kramers_kronig': self._kramers_kronig(
        found, floor=self.scale['n'] ** 2, tolerance=self.options.kk_tolerance
      ),
      'non_negativity': non_negativity(found['k'], kind='k', state='computed'),
    }

  def metrics(self, outputs: Outputs, targets: Mapping[str, jax.Array]) -> dict[str, tuple]:
    """Sums a molecule: squared errors, also by part; relative Kramers-Kronig residual; k < 0."""
    found, hidden = self.absolute(outputs), targets['masked']
    points = jnp.full(len(hidden), len(self.nu_L))
    sums = lambda x, where: ((x * where).sum(-1), where.sum(-1))
    scores = {
      'kramers_kronig': (
        jnp.sqrt(self._kramers_kronig(found, floor=FLOOR, tolerance=0.0)),
        jnp.ones(len(hidden)),
      ),
      'negative_k': ((found['k'] < 0).sum(-1), points),
    }
    for name in QUANTITIES:
      error = (found[name] - targets[name]) ** 2
      parts = {'hidden': sums(error, hidden), 'visible': sums(error, ~hidden)}
      scores |= {name: (error.sum(-1), points)}
      scores |= {f'{name}/{part}': parts[part] for part in self.parts}
    return scores

  def baselines(self, side: str, names: tuple[str, ...] = BASELINES) -> dict[str, Outputs]:
    """Outputs of the methods without a network, from what the model gets to see."""
    inputs, _ = self.held_out(side)
    values, visible = np.float64(inputs['values_BxL']), np.asarray(inputs['visible_BxL'])
    of = {'mean': self._mean, 'gaussian': self._gaussian, 'phase': self._phase}
    return {name: self.relative(of[name](values, visible)) for name in names}

  def figures(
    self, outputs: Outputs, side: str, baselines: Mapping[str, Outputs]
  ) -> dict[str, Figure]:
    """n and k of the molecule of median error and of one at the 80th percentile."""
    _, targets = self.held_out(side)
    sets = {name: self.absolute(made) for name, made in {**baselines, 'model': outputs}.items()}
    order = np.argsort(np.asarray(self.losses(outputs, targets)['k_mse']))
    ids = self.spectra['n'].meta['id'][getattr(self.split, side)]
    panels = [
      {
        'title': f'{name}   {ids[r]}',
        'ylabel': f'${name}$',
        'masked': np.asarray(targets['masked'][r]),
        'curves': {
          'truth': np.asarray(targets[name][r]),
          'phase by Kramers-Kronig': np.asarray(sets['phase'][name][r]),
          'model': np.asarray(sets['model'][name][r]),
        },
      }
      for r in order[[len(order) // 2, int(0.8 * len(order))]]
      for name in QUANTITIES
    ]
    return {'optical_constants': figures.overlays(self.nu_L, panels)}

  def learning_curve(
    self, records: Sequence[Mapping[str, float]], report: Mapping[str, Mapping]
  ) -> Figure:
    """Validation NRE over the steps, beside the test NRE of the conditional Gaussian."""
    return figures.learning_curve(
      records,
      curves={f'val/nre_{name}': f'{name}, validation' for name in QUANTITIES},
      levels={
        f'{name}, conditional Gaussian (test)': report[name]['gaussian'] for name in QUANTITIES
      },
      ylabel='NRE (error / mean spectrum)',
    )

  def table(self, report: Mapping[str, Mapping]) -> list[list[str]]:
    return law_report.table(report, {'n': 'n', 'k': 'k'})

  def true_outputs(self, targets: Mapping[str, jax.Array]) -> Outputs:
    """What a head would have to give to be right."""
    return self.relative({name: targets[name] for name in QUANTITIES})

  def predictions(self, outputs: Outputs, side: str) -> dict[str, np.ndarray]:
    """n and k of one whole side for an audit, [N, L] each, and 'true_n', 'true_k'."""
    examples, found = self.examples(side), self.absolute(outputs)
    arrays = {name: np.float32(found[name]) for name in QUANTITIES}
    return arrays | {f'true_{name}': examples[name] for name in QUANTITIES}

  # --- parts ---------------------------------------------------------------------------------

  @property
  def options(self) -> ConfigDict:
    return self.config.task.optical_constants

  def absolute(self, outputs: Outputs) -> dict[str, jax.Array]:
    """n and k of what a head gives: both over the training set's k, n less `offset`.

    One unit for both keeps Kramers-Kronig as it is. Heads of absolute constants are left alone.
    """
    if self.options.absolute:
      return {name: outputs[name] for name in QUANTITIES}
    return {'n': self.offset + self.scale['k'] * outputs['n'], 'k': self.scale['k'] * outputs['k']}

  def relative(self, found: Mapping[str, np.ndarray]) -> Outputs:
    """What a head would have to give for these n and k."""
    if self.options.absolute:
      return found
    return {
      'n': (found['n'] - self.offset) / self.scale['k'],
      'k': found['k'] / self.scale['k'],
    }

  def _kramers_kronig(
    self, found: Mapping[str, jax.Array], *, floor: float, tolerance: float
  ) -> jax.Array:
    settings = {'edge': EDGE, 'floor': floor, 'tolerance': tolerance}
    # n less a constant is as bound as n, and keeps digits in float32.
    shifted = found['n'] - self.offset
    return kramers_kronig(
      self.plan, shifted, found['k'], **settings, kinds=('n', 'k'), state='computed'
    )

  def _training(self, keys_B: jax.Array) -> tuple[jax.Array, jax.Array]:
    """(visible_BxL, noise_BxL of unit variance)."""
    return jax.vmap(lambda key: self._draw(*jax.random.split(key)))(keys_B)

  def _held_out(self, batch: Mapping[str, jax.Array]) -> tuple[jax.Array, jax.Array]:
    mask_key, noise_key = jax.random.split(jax.random.key(masked.EVAL_SEED))
    one = lambda mask, row: self._draw(
      jax.random.fold_in(mask_key, mask), jax.random.fold_in(noise_key, row)
    )
    return jax.vmap(one)(batch['mask'], batch['row'])

  def _draw(self, mask_key: jax.Array, noise_key: jax.Array) -> tuple[jax.Array, jax.Array]:
    o = self.options
    visible_L = masked.visible_points(mask_key, self.nu_L, o.ratio, o.band_cm)
    return visible_L, jax.random.normal(noise_key, (len(self.nu_L),))

  # --- baselines: noisy standardised reflectance [N, L], visible [N, L] -> n and k ---------------

  def _mean(self, values: np.ndarray, visible: np.ndarray) -> dict[str, np.ndarray]:
    return {name: np.broadcast_to(self.mean[name], values.shape) for name in QUANTITIES}

  def _gaussian(self, values: np.ndarray, visible: np.ndarray) -> dict[str, np.ndarray]:
    """E[n, k | what is visible] of the training set's joint Gaussian."""
    fitted = self._fitted
    joint = lambda x, fill: np.concatenate([x, np.full((len(x), 2 * len(self.nu_L)), fill)], 1)
    filled = fitted.predict(joint(values, 0.0), joint(visible, False).astype(bool))
    _, n, k = np.split(filled, 3, 1)
    return {
      'n': self.mean['n'] + self.scale['n'] * n,
      'k': self.mean['k'] + self.scale['k'] * k,
    }

  @functools.cached_property
  def _fitted(self) -> inpainting.ConditionalGaussian:
    """On the training side; its shrinkage is the best on the validation side, under two masks."""
    fitted, points = inpainting.fit_gaussian(self._joint('train'), 0.0), len(self.nu_L)
    truth, rng = self._joint('validation')[:], np.random.default_rng(masked.EVAL_SEED)
    noise = self.options.noise / self.seen[1]
    truth[:, :points] += noise * rng.standard_normal((len(truth), points))
    rows = np.arange(SHRINKAGE_MASKS)
    seen, _ = self._held_out({'mask': rows, 'row': rows})
    seen = np.pad(np.asarray(seen), ((0, 0), (0, 2 * points)))
    error = sum(fitted.errors(truth, each, SHRINKAGES) for each in seen)
    return dataclasses.replace(fitted, shrinkage=SHRINKAGES[int(error.argmin())])

  def _joint(self, side: str) -> shards.Computed:
    """[N, 3 L] float64: reflectance, n and k as multiples of what varies in training."""
    examples, (mean, deviation) = self.examples(side), self.seen

    def beside(rows):
      parts = [(examples['reflectance'][rows].astype(np.float64) - mean) / deviation]
      parts += [(examples[name][rows] - self.mean[name]) / self.scale[name] for name in QUANTITIES]
      return np.concatenate(parts, 1)

    return shards.Computed(len(examples['row']), beside)

  def _phase(self, values: np.ndarray, visible: np.ndarray) -> dict[str, np.ndarray]:
    """n + i k = (1 + r) / (1 - r), r = sqrt(R) e^{i theta}, theta by Kramers-Kronig from ln R."""
    mean, deviation = self.seen
    R = mean + deviation * inpainting.linear(values, visible, self.nu_L)
    R = np.clip(R, LEAST_REFLECTANCE, 1.0).astype(np.float32)
    r = np.sqrt(R) * np.exp(1j * np.asarray(kk.phase(self.plan, R)))
    index = (1 + r) / (1 - r)
    return {'n': index.real, 'k': index.imag}


def build(config: ConfigDict, spectra: Mapping[str, Spectra], split: Split) -> Task:
  """The task on this data; every constant comes from the training side alone.

  Raises:
    ValueError: spectra that lack one of reflectance, n and k; a ratio that is no share; bands that
      the axis cannot hold; or negative noise or tolerance.
  """
  augment.check_off(config.augment, 'optical_constants')
  missing = {'reflectance', *QUANTITIES} - set(spectra)
  if missing:
    raise ValueError(
      f'the data set gives {", ".join(sorted(spectra))} and no {", ".join(sorted(missing))}, '
      'expected reflectance, n and k; set dataset.name = computed_optical'
    )
  options, nu_L = config.task.optical_constants, spectra['n'].axis
  masked.check_bands('optical_constants', options, nu_L)
  if not options.noise >= 0:
    raise ValueError(
      f'task.optical_constants.noise is {options.noise}, expected a reflectance of 0 or more'
    )
  of = {kind: shards.moments(made.values, split.train) for kind, made in spectra.items()}
  mean = {name: of[name][0] for name in QUANTITIES}
  scale = {name: float(np.sqrt((of[name][1] - mean[name] ** 2).mean())) for name in QUANTITIES}
  seen_mean, seen_square = (float(x_L.mean()) for x_L in of['reflectance'])
  seen = (seen_mean, float(np.sqrt(seen_square - seen_mean**2)))
  least = min(block.mean(1).min() for block in shards.blocks(spectra['n'].values, split.train))
  offset = float(np.floor(10 * least) / 10)
  plan = kk.plan(nu_L, tails='power_law')
  return Task(config, nu_L, spectra, split, plan, seen, mean, scale, offset)
