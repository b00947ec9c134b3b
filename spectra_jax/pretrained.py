"""Weights that ship with the package, on spectra of your own: embed, reconstruct, predict.

  model = load_pretrained()
  vectors = model.embed(spectra)                    # [N, D]
  whole = model.reconstruct(spectra)                # what was not measured is filled in
  moisture = model.calibrate(spectra, targets).predict(others)
  nearer = model.adapted(spectra)                   # test-time training: another model

`spectra` is one of those that `spectra_jax.readers.read` gives, (spectra,) = read(path) where the
file has one axis: in cm^-1 or nm, even or not, with points that were not measured. What the weights
have seen: the model card, docs/model_card.md.
"""

import dataclasses
import functools
import pathlib
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from spectra_jax import batches, foundation, inspection, model, roots, tokenize, unlabelled, weights
from spectra_jax.align import NM_PER_CM
from spectra_jax.chemometrics import ridge
from spectra_jax.chemometrics.linear import Linear
from spectra_jax.encoders.tokens import Encoder
from spectra_jax.preprocess.signal import PHYSICAL
from spectra_jax.spectra import Spectra
from spectra_jax.weights import Weights

BATCH = 32  # spectra at a time; changes no number
LEAST_POINTS = 16
LEAST_SAMPLES = 10  # of a calibration
SLACK = 1.4  # of widths of bands against those of training
READ = (*PHYSICAL, 'baseline_corrected', 'normalised')  # states whose values still are intensities
MOST_NEGATIVE = 0.1  # of the root mean square, by root mean square of what is below zero


@dataclasses.dataclass(frozen=True, eq=False)
class Pretrained:
  """A model with its weights.

  Attributes:
    weights: of a run of task masked or foundation, on an axis of its own.
    module: `module` of them.
    nu_L: the axis it was trained on [cm^-1].
  """

  weights: Weights
  module: nn.Module
  nu_L: np.ndarray

  @property
  def params(self) -> Any:
    return self.weights.params

  def embed(self, spectra: Spectra) -> np.ndarray:
    """[N, Z]: the mean of what the bottleneck says of the chemistry; of a model without one the
    features of the tokens, each over its root mean square, averaged over tokens.

    Raises:
      ValueError: spectra that the model cannot read; see `inputs`.
    """
    inputs, nu_L = self.inputs(spectra)
    return self._run('vector', inputs, nu_L)

  def tokens(self, spectra: Spectra) -> np.ndarray:
    """[N, T, D]: features of every token, of root mean square 1, from 400 to 4000 cm^-1.

    Raises:
      ValueError: as `embed`.
    """
    inputs, nu_L = self.inputs(spectra)
    return self._run('tokens', inputs, nu_L)

  def reconstruct(self, spectra: Spectra) -> Spectra:
    """The same spectra, where `mask` is False filled in; points beyond the model's axis stay so.

    What was measured comes back bit for bit. Warns of bands much narrower or wider than the lines
    that the weights have seen, where the fill is worse than a straight line.

    Raises:
      ValueError: as `embed`.
    """
    inputs, nu_L = self.inputs(spectra)
    self._warn_of_widths(spectra)
    root_NxL = self._run('values', inputs, nu_L)
    intensity_NxL = roots.hardened(root_NxL) if self._softened else roots.squared(root_NxL)
    intensity_NxL = intensity_NxL * inputs['scale'][:, None] ** 2
    axis, flipped = _wavenumbers(spectra)
    inside = np.flatnonzero((axis >= nu_L[0]) & (axis <= nu_L[-1]))
    filled = np.zeros(spectra.values.shape, np.float32)
    filled[:, inside] = intensity_NxL[:, np.searchsorted(nu_L, axis[inside])]
    filled = filled[:, ::-1] if flipped else filled
    known = np.zeros(len(axis), bool)
    known[inside] = True
    mask = np.asarray(spectra.mask) | (known[::-1] if flipped else known)
    values = np.where(spectra.mask, spectra.values, filled)
    return dataclasses.replace(spectra, values=values, mask=mask)

  def calibrate(
    self, spectra: Spectra, targets_N: np.ndarray, groups_N: np.ndarray | None = None
  ) -> 'Calibration':
    """Ridge regression of numbers or classes on the features of all tokens, which stay as they are.

    Args:
      spectra: to learn from; at least 10, better many more.
      targets_N: a number or a class of each.
      groups_N: sample of each spectrum: repeats of one sample go into the same fold when the
        shrinkage is chosen. None: each spectrum is a sample.

    Raises:
      ValueError: as `embed`, targets of another length, or too few.
    """
    if len(targets_N) < LEAST_SAMPLES:
      raise ValueError(
        f'there are {len(targets_N)} targets, expected at least {LEAST_SAMPLES}; measure more'
      )
    groups_N = np.arange(len(spectra)) if groups_N is None else groups_N
    features = self._flat(spectra)
    return Calibration(self, ridge.fit(features, np.asarray(targets_N), groups_N, seed=0))

  def adapted(self, spectra: Spectra, how: unlabelled.Steps = unlabelled.SHORT) -> 'Pretrained':
    """A model that went on to fill in hidden bands, of these spectra; this one stays as it is.

    Args:
      spectra: at least one; no labels.
      how: how far it goes.

    Raises:
      ValueError: as `embed`.
    """
    inputs, nu_L = self.inputs(spectra)
    params = unlabelled.adapt(self.module, self.params, inputs, nu_L, how)
    return dataclasses.replace(self, weights=dataclasses.replace(self.weights, params=params))

  def inputs(self, spectra: Spectra) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """({'values', 'visible', 'kind', 'scale'}, axis [cm^-1]) as the network reads them.

    Values are square roots of what is given, negative ones 0, over the scale: that of training for
    the file that was trained on, as computed, else, whatever their unit, the root mean square of
    each spectrum's own visible roots. Of task foundation, whose spectra have noise about zero, the
    roots are softened (spectra_jax/roots.py). Points beyond the axis of training are left out, and
    where the spectrum ends before it, hidden points at the steps of training follow.

    Raises:
      ValueError: another kind of spectra, values that are no intensities any more, an axis that
        cannot be in cm^-1, that does not meet the model's, or has too wide a step somewhere.
    """
    if not isinstance(spectra, Spectra):
      raise ValueError(
        f'spectra are a {type(spectra).__name__}, expected Spectra; readers.read(path) gives a '
        'list of them, one for each axis in the file: take its first'
      )
    spectra, kind = _in_wavenumbers(spectra), self._kind(spectra)
    axis, visible = spectra.axis, spectra.mask
    values = np.where(visible, spectra.values, 0.0)
    _check_intensities(spectra, values)
    inside = (axis >= self.nu_L[0]) & (axis <= self.nu_L[-1])
    if inside.sum() < LEAST_POINTS:
      raise ValueError(
        f'the axis goes from {axis[0]:g} to {axis[-1]:g} cm^-1, expected at least {LEAST_POINTS} '
        f'points between {self.nu_L[0]:g} and {self.nu_L[-1]:g}, where the model was trained'
      )
    _check_steps(axis[inside], self.weights.config)
    values, visible = values[:, inside], visible[:, inside]
    root_NxL = np.sqrt(np.maximum(values, 0.0))
    scale_N = self._scale(spectra, kind, root_NxL, visible)
    root_NxL = root_NxL / scale_N[:, None]
    if self._softened:
      root_NxL = np.asarray(roots.softened(np.float32(values / scale_N[:, None] ** 2)))
    whole_L, before, after = _completed(axis[inside], self.nu_L)
    pad = lambda x: np.pad(x, ((0, 0), (before, after)))
    place = self.weights.kinds.index(kind)
    arrays = {
      'values': pad(root_NxL).astype(np.float32),
      'visible': pad(visible),
      'kind': np.full(len(root_NxL), place, np.int32),
      'scale': scale_N,
    }
    return arrays, whole_L

  # --- parts ---------------------------------------------------------------------------------

  def _warn_of_widths(self, spectra: Spectra) -> None:
    if self.weights.line_widths is None:
      return
    low, high = self.weights.line_widths
    width = inspection.line_width(_in_wavenumbers(spectra))
    if width < low / SLACK or width > high * SLACK:
      warnings.warn(
        f'bands are about {width:.3g} cm^-1 wide (FWHM) and the weights have seen lines of {low:g} '
        f'{f"to {high:g} " if low < high else ""}cm^-1: what they fill in is likely worse than a '
        'straight line; see docs/model_card.md',
        stacklevel=3,
      )

  @property
  def _softened(self) -> bool:
    return self.weights.config.task.name == 'foundation'

  def _kind(self, spectra: Spectra) -> str:
    """That of the weights' kinds which these spectra are."""
    kind = roots.SAME.get(spectra.kind, spectra.kind)
    if kind not in self.weights.kinds:
      raise ValueError(
        f'the spectra are of kind {spectra.kind}, expected one of '
        f'{", ".join([*self.weights.kinds, *roots.SAME])}; transmittance becomes absorbance by '
        'Pipeline((absorbance.Step(floor=1e-4),)).fit(spectra).apply(spectra) of '
        'spectra_jax.preprocess'
      )
    return kind

  def _scale(self, spectra, kind, root_NxL, visible) -> np.ndarray:
    trained_on = spectra.source == self.weights.about.get('data_hash')
    if trained_on and spectra.state == 'computed':
      scale = self.weights.about['scale'][self.weights.kinds.index(kind)]
      return np.full(len(root_NxL), scale, np.float64)
    squares, count = (root_NxL**2 * visible).sum(1), np.maximum(visible.sum(1), 1)
    return np.sqrt(np.maximum(squares / count, 1e-30))

  def _flat(self, spectra: Spectra) -> np.ndarray:
    tokens = self.tokens(spectra)
    return tokens.reshape(len(tokens), -1)

  def _run(self, what: str, inputs: Mapping[str, np.ndarray], nu_L: np.ndarray) -> np.ndarray:
    return run(self.module, self.params, what, inputs, nu_L)


@dataclasses.dataclass(frozen=True, eq=False)
class Calibration:
  """A linear model on the features of a pretrained one."""

  model: Pretrained
  linear: Linear

  def predict(self, spectra: Spectra) -> np.ndarray:
    """[N] numbers or classes; spectra on the axis of the calibration or another."""
    return self.linear.predict(self.model._flat(spectra))


def load_pretrained(path: str | pathlib.Path = weights.SHIPPED) -> Pretrained:
  """The model whose weights ship with the package, or that of another file of weights.

  Raises:
    FileNotFoundError, ValueError: no file of weights, or a damaged one.
  """
  return of_weights(weights.read(path))


def of_weights(found: Weights) -> Pretrained:
  """The model that these are the weights of.

  Raises:
    ValueError: weights of another task than masked or foundation.
  """
  config = found.config
  nu_L = np.linspace(config.axis.low_cm, config.axis.high_cm, config.axis.points)
  return Pretrained(found, module(found), nu_L)


def module(found: Weights) -> nn.Module:
  """The model of the weights: of task masked or of task foundation.

  Raises:
    ValueError: weights of another task, or of a model that reconstructs nothing.
  """
  config, kinds = found.config, len(found.kinds)
  if config.task.name == 'masked':
    return model.build(config, kinds)
  if config.task.name != 'foundation' or not config.foundation.heads.reconstruction:
    raise ValueError(
      f'the weights are of task {config.task.name}, expected masked, or foundation with a head '
      'named reconstruction; export a run of such a model'
    )
  return foundation.build_foundation(config, kinds, found.about['targets'])


def run(
  module: nn.Module, params: Any, what: str, inputs: Mapping[str, np.ndarray], nu_L: np.ndarray
) -> np.ndarray:
  """`program` of all spectra, some at a time."""
  compiled, found = program(module, what, nu_L), []
  for rows, real in batches.padded_batches(np.arange(len(inputs['kind'])), BATCH):
    arrays = (inputs[name][rows] for name in ('values', 'visible', 'kind'))
    found.append(np.asarray(compiled(params, *arrays))[real])
  return np.concatenate(found)


def program(module: nn.Module, what: str, nu_L: np.ndarray) -> Callable:
  """(params, values [B, L], visible, kind) -> 'tokens' [B, T, D], each over its root mean square,
  'vector' [B, Z] or 'values' [B, L]; compiled once for an axis [cm^-1].
  """
  return _program(unlabelled.Key(module), what, nu_L.tobytes())


@functools.lru_cache(maxsize=16)
def _program(key: unlabelled.Key, what: str, axis: bytes) -> Callable:
  module = key.module
  nu_L, whole = np.frombuffer(axis), isinstance(module, foundation.FoundationModel)

  def some(params, *inputs):
    if what == 'values':
      return unlabelled.filled(module, params, *inputs, nu_L)
    if whole:
      found = module.apply({'params': params}, *inputs, nu_L, False, method='encode')
      if what == 'vector' and found.chem is not None:
        return found.chem.mean
      x_BxTxD = found.tokens
    else:
      trunk = {name: params[name] for name in ('tokenizer', 'backbone')}
      encoder = Encoder(module.tokenizer, module.backbone)
      x_BxTxD = encoder.apply({'params': trunk}, *inputs, nu_L, False)
    x_BxTxD = x_BxTxD.astype(jnp.float32)
    x_BxTxD *= jax.lax.rsqrt((x_BxTxD**2).mean(-1, keepdims=True) + 1e-6)
    return x_BxTxD.mean(1) if what == 'vector' else x_BxTxD

  return jax.jit(some)


def _wavenumbers(spectra: Spectra) -> tuple[np.ndarray, bool]:
  """(axis [cm^-1] ascending, whether it runs against the spectra's own)."""
  if spectra.axis_unit == 'cm^-1':
    return spectra.axis, False
  if spectra.axis_unit == 'nm':
    return (NM_PER_CM / spectra.axis)[::-1], True
  raise ValueError(
    f'the axis is in {spectra.axis_unit}, expected cm^-1 or nm, as the model knows where bands '
    'are; tell the reader axis_unit'
  )


def _in_wavenumbers(spectra: Spectra) -> Spectra:
  axis, flipped = _wavenumbers(spectra)
  turn = (lambda x: np.asarray(x)[:, ::-1]) if flipped else np.asarray
  values, mask = turn(spectra.values), turn(spectra.mask)
  return dataclasses.replace(spectra, values=values, mask=mask, axis=axis, axis_unit='cm^-1')


def _check_intensities(spectra: Spectra, values: np.ndarray) -> None:
  size = lambda x: np.sqrt((np.float64(x) ** 2).mean(1))
  share_N = size(np.minimum(values, 0)) / np.maximum(size(values), 1e-30)
  if spectra.state not in READ or share_N.max(initial=0) > MOST_NEGATIVE:
    raise ValueError(
      f'the spectra are {spectra.state} and {share_N.max(initial=0):.0%} of one is below zero, '
      f'expected intensities ({", ".join(READ)}) of which at most {MOST_NEGATIVE:.0%} is; give '
      'them as measured, with at most the baseline taken off'
    )


def _check_steps(axis: np.ndarray, config: ConfigDict) -> None:
  most = config.tokenize.step_cm / config.tokenize.knots_per_step / tokenize.POINTS_A_KNOT
  steps = np.diff(axis)
  if steps.max() > most:
    widest = int(steps.argmax())
    raise ValueError(
      f'the axis has a step of {steps.max():.3g} cm^-1 from {axis[widest]:g} to '
      f'{axis[widest + 1]:g}, expected at most {most:.3g}; resample a coarse axis, and where a '
      'range was cut out put its points back with mask = False'
    )


def _completed(axis: np.ndarray, nu_L: np.ndarray) -> tuple[np.ndarray, int, int]:
  """The axis, continued by steps of `nu_L` to its ends: (axis, points before, points after)."""
  step = nu_L[1] - nu_L[0]
  before = np.arange(axis[0] - step, nu_L[0], -step)[::-1]
  after = np.arange(axis[-1] + step, nu_L[-1], step)
  return np.concatenate([before, axis, after]), len(before), len(after)
