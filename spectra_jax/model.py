"""tokenise -> backbone -> head, or encode -> pool; components are chosen by file name."""

import dataclasses
import functools
import importlib
import pkgutil
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from spectra_jax.roots import KINDS
from spectra_jax.scan.sharded import all_tokens, own_tokens
from spectra_jax.tokenize import Tokenizer

ACTIVATIONS = ('float32', 'bfloat16')
# config group -> folder, class, fields that are no options: `build` fills them in
PARTS = {
  'backbone': ('backbones', 'Backbone', ()),
  'encoder': ('encoders', 'Encoder', ('tokenizer', 'backbone', 'dtype')),
  'head': ('heads', 'Head', ('step_cm', 'knots_per_step', 'outputs')),
}
Outputs = jax.Array | dict[str, jax.Array]


class SpectralModel(nn.Module):
  """A sequence model of spectra on a wavenumber axis."""

  tokenizer: nn.Module
  backbone: nn.Module
  head: nn.Module

  def __call__(
    self,
    values_BxL: jax.Array,
    visible_BxL: jax.Array,
    kind_B: jax.Array,
    nu_L: np.ndarray,
    train: bool,
    known_B: jax.Array | None = None,
  ) -> Outputs:
    """Returns the head's output: values_BxL, or a dict of such.

    `values_BxL` is read only where `visible_BxL`. `known_B` is what is known of each example beside
    its spectrum, for heads with a method `given`; None leaves it to the head.
    """
    return self.read(self.tokenizer(values_BxL, visible_BxL, kind_B, nu_L), nu_L, train, known_B)

  def read(
    self, x_BxTxD: jax.Array, nu_L: np.ndarray, train: bool, known_B: jax.Array | None = None
  ) -> Outputs:
    """What `__call__` does once there are tokens, for models that make them in another way."""
    x_BxTxD = self._through_backbone(x_BxTxD, self.tokenizer.positions(nu_L), train)
    if known_B is None:
      return self.head(x_BxTxD, nu_L)
    if not hasattr(self.head, 'given'):
      raise ValueError(
        f'known_B was given to {type(self.head).__module__}, which takes nothing known; expected '
        'None; leave it out or choose a head with a method `given`'
      )
    return self.head.given(x_BxTxD, nu_L, known_B)

  def _through_backbone(self, x_BxTxD, nu_T, train):
    # Every token exists; what it saw is in its channels.
    mask_BxT = np.ones(x_BxTxD.shape[:2], bool)
    axis = '' if self.is_initializing() else getattr(self.backbone, 'sequence_axis', '')
    if not axis:
      return self.backbone(x_BxTxD, nu_T, mask_BxT, train)
    own = functools.partial(own_tokens, axis_name=axis)
    y_BxTxD = self.backbone(own(x_BxTxD), own(nu_T[None])[0], own(mask_BxT), train)
    return all_tokens(y_BxTxD, axis, len(nu_T))


def joined(
  tokenizer: nn.Module,
  values: Mapping[str, jax.Array],
  visible: Mapping[str, jax.Array],
  ir_B: jax.Array,
  nu_L: np.ndarray,
) -> jax.Array:
  """Tokens of IR + tokens of Raman: both spectra of a molecule as one sequence, [B, T, D].

  Args:
    tokenizer: of both.
    values, visible: {'ir', 'raman': [B, L]}; values are read only where they are visible.
    ir_B: kind index of the IR spectra; that of the Raman spectra is the next.
    nu_L: their axis [cm^-1].
  """
  return sum(tokenizer(values[kind], visible[kind], ir_B + k, nu_L) for k, kind in enumerate(KINDS))


def split_tokens(module: SpectralModel, axis: str) -> SpectralModel:
  """The same model inside `jax.shard_map`, its backbone on the tokens of one device of `axis`.

  Tokeniser and head are whole on each device of the axis, so that all have the same loss; the mean
  of their gradients over the axis is its gradient.

  Raises:
    ValueError: the backbone cannot split its tokens, or the model is one of whole spectra.
  """
  if not isinstance(module, SpectralModel):
    raise ValueError(
      'parallel.seq is more than 1 for a model of whole spectra, expected 1: its tokens are not '
      'split; set it to 1'
    )
  if 'sequence_axis' not in fields(type(module.backbone)):
    raise ValueError(
      f'parallel.seq is more than 1 with {type(module.backbone).__module__}, expected a backbone '
      'with a sequence_axis, such as linoss; choose one or set parallel.seq to 1'
    )
  return module.clone(backbone=module.backbone.clone(sequence_axis=axis))


class PooledModel(nn.Module):
  """A model of what a whole spectrum says: values on the axis -> features -> numbers.

  Attributes:
    encoders, heads: one of each for every member. Members learn side by side from the same batches,
      each its own loss, and differ by their initial weights and dropout (a deep ensemble,
      Lakshminarayanan et al. 2017, arXiv:1612.01474); heads have a method `together`.
  """

  encoders: tuple[nn.Module, ...]
  heads: tuple[nn.Module, ...]

  def __call__(
    self,
    values_BxL: jax.Array,
    visible_BxL: jax.Array,
    kind_B: jax.Array,
    nu_L: np.ndarray,
    train: bool,
  ) -> jax.Array:
    """[B, members, outputs] in training, else [B, outputs], all members' together.

    `values_BxL` is read only where `visible_BxL`.
    """
    inputs = (values_BxL, visible_BxL, kind_B, nu_L, train)
    members = zip(self.encoders, self.heads, strict=True)
    outputs_BxMxY = jnp.stack([head(encode(*inputs), nu_L, train) for encode, head in members], 1)
    return outputs_BxMxY if train else self.heads[0].together(outputs_BxMxY)


def names(folder: str) -> list[str]:
  """The components in spectra_jax/<folder>, by file name."""
  package = importlib.import_module(f'spectra_jax.{folder}')
  return sorted(found.name for found in pkgutil.iter_modules(package.__path__))


def component(folder: str, name: str) -> ModuleType:
  """spectra_jax/<folder>/<name>.py, imported.

  Raises:
    ValueError: no such file; the sentence lists those there are.
  """
  if name not in names(folder):
    raise ValueError(
      f'{folder} has no {name!r}, expected one of {", ".join(names(folder))}; '
      f'add spectra_jax/{folder}/{name}.py or correct the config'
    )
  return importlib.import_module(f'spectra_jax.{folder}.{name}')


def options(config: ConfigDict) -> dict[str, Any]:
  """The sub-dict of the selected component as plain values: {'name': 'a', 'a': {...}} -> {...}."""
  return config[config.name].to_dict()


def fields(cls: type[nn.Module]) -> set[str]:
  """Names of a module's own options."""
  return {field.name for field in dataclasses.fields(cls)} - {'name', 'parent'}


def part_class(config: ConfigDict, part: str) -> type[nn.Module]:
  """The class that config.<part>.name selects; `part` is a key of `PARTS`."""
  folder, cls, _ = PARTS[part]
  return getattr(component(folder, config[part].name), cls)


def own_fields(cls: type[nn.Module], part: str) -> set[str]:
  """The fields of a part's class that are its options in the config."""
  return fields(cls) - set(PARTS[part][2])


def shared_fields(cls: type[nn.Module], part: str) -> set[str]:
  """The fields of a part's class that `build` fills in."""
  return fields(cls) & set(PARTS[part][2])


def check_options(config: ConfigDict) -> None:
  """Raises a ValueError unless the options of every selected part are its class's fields."""
  for part, (folder, cls, _) in PARTS.items():
    selected, name = part_class(config, part), config[part].name
    if name not in config[part]:
      raise ValueError(f'config.{part} has no options for {name!r}; add config.{part}.{name}')
    given, wanted = set(config[part][name]), own_fields(selected, part)
    if given != wanted:
      raise ValueError(
        f'config.{part}.{name} has {sorted(given - wanted)} too many and {sorted(wanted - given)} '
        f'too few; its keys must be the fields of spectra_jax/{folder}/{name}.py: {cls}'
      )
  backbone = config.backbone.name
  options = config.backbone[backbone]
  axis = options.sequence_axis if 'sequence_axis' in options else ''
  if axis:
    raise ValueError(
      f"backbone.{backbone}.sequence_axis is {axis!r}, expected '' in a config, since how a run is "
      'split changes no number; set parallel.seq to the devices of one example instead'
    )


def build_part(config: ConfigDict, part: str, given: Mapping[str, Any]) -> nn.Module:
  """The selected component with its options, and with what it wants of `given`.

  Raises:
    ValueError: it wants something that this kind of model does not have.
  """
  cls = part_class(config, part)
  lacking = shared_fields(cls, part) - set(given)
  if lacking:
    raise ValueError(
      f'{part} {config[part].name!r} needs {", ".join(sorted(lacking))}, which a model that '
      'predicts spectra does not have; expected a head that gives spectra, such as reconstruct'
    )
  shared = {name: given[name] for name in shared_fields(cls, part)}
  return cls(**shared, **options(config[part]))


def check_spectral(config: ConfigDict) -> None:
  """Raises a ValueError for what only models of whole spectra have."""
  if config.encoder.name != 'tokens':
    raise ValueError(
      f'encoder.name is {config.encoder.name!r}, expected tokens for a model that predicts '
      'spectra; others are for classification and regression'
    )
  if config.train.members != 1:
    raise ValueError(
      f'train.members is {config.train.members}, expected 1 for a model that predicts spectra; '
      'several are for classification and regression'
    )
  for name in ('correct', 'preprocess'):
    if config[name]:
      raise ValueError(
        f'{name} is {tuple(config[name])}, expected () for a model that predicts spectra, which it '
        'would predict preprocessed; set it to (), or choose classify or regress'
      )


def build(config: ConfigDict, kinds: int) -> SpectralModel:
  """The model that `config` describes, for spectra of `kinds` kinds.

  Raises:
    ValueError: the config describes a model that has no tokens, or one that gives no spectra.
  """
  check_spectral(config)
  lattice = {name: config.tokenize[name] for name in ('step_cm', 'knots_per_step')}
  head = build_part(config, 'head', lattice)
  return SpectralModel(tokenizer(config, kinds), build_part(config, 'backbone', {}), head)


def build_pooled(config: ConfigDict, kinds: int, outputs: int) -> PooledModel:
  """The model that `config` describes of `outputs` numbers a spectrum.

  Raises:
    ValueError: the head gives spectra, or activations have an unknown type.
  """
  if not hasattr(part_class(config, 'head'), 'together'):
    raise ValueError(
      f'head.name is {config.head.name!r}, which gives spectra; expected classify or regress for '
      f'{outputs} numbers a spectrum'
    )
  if config.train.members < 1:
    raise ValueError(f'train.members is {config.train.members}, expected at least 1; set it to 1')
  # Each member has modules of its own: one that two of them hold would share its parameters.
  parts = [_pooled_parts(config, kinds, outputs) for _ in range(config.train.members)]
  encoders, heads = zip(*parts, strict=True)
  return PooledModel(encoders, heads)


def _pooled_parts(config: ConfigDict, kinds: int, outputs: int) -> tuple[nn.Module, nn.Module]:
  """(encoder, head) of one member."""
  given = {'dtype': _activations(config), 'outputs': outputs}
  if config.encoder.name == 'tokens':
    given |= {
      'tokenizer': tokenizer(config, kinds),
      'backbone': build_part(config, 'backbone', {}),
    }
  return build_part(config, 'encoder', given), build_part(config, 'head', given)


def tokenizer(config: ConfigDict, kinds: int) -> Tokenizer:
  """The tokeniser of `config.tokenize`, at the backbone's width."""
  return Tokenizer(
    width=config.backbone.width,
    kinds=kinds,
    dtype=_activations(config),
    **config.tokenize.to_dict(),
  )


def _activations(config: ConfigDict) -> str:
  if config.train.activations not in ACTIVATIONS:
    raise ValueError(
      f'train.activations is {config.train.activations!r}, expected one of {", ".join(ACTIVATIONS)}'
    )
  return config.train.activations


def count_parameters(config: ConfigDict, kinds: int) -> dict[str, int]:
  """{'tokenizer', 'backbone', 'head', 'total'}: parameters of the model, without making any."""
  nu_L = np.linspace(config.axis.low_cm, config.axis.high_cm, config.axis.points)
  values_BxL, kind_B = np.zeros((1, len(nu_L)), np.float32), np.zeros(1, np.int32)
  initialise = functools.partial(build(config, kinds).init, nu_L=nu_L, train=False)
  arrays = (jax.random.key(0), values_BxL, values_BxL > 0, kind_B)
  shapes = jax.eval_shape(initialise, *arrays)['params']
  parts = {name: sum(leaf.size for leaf in jax.tree.leaves(part)) for name, part in shapes.items()}
  return parts | {'total': sum(parts.values())}


def match_params(
  config: ConfigDict,
  budget: float,
  kinds: int,
  multiple: int = 8,
  count: Callable[[ConfigDict, int], dict[str, int]] = count_parameters,
) -> tuple[ConfigDict, dict[str, int]]:
  """A copy of `config` with the width whose model is nearest to `budget` parameters.

  Only `backbone.width` changes, in steps of `multiple`, so that depth, state sizes and kernels stay
  what the config says.

  Args:
    config: of a model; all its other settings stay.
    budget: wanted number of parameters, tokeniser and head included.
    kinds: of spectra.
    multiple: widths are multiples of it (attention heads must divide the width).
    count: (config, kinds) -> parameters by part and in 'total', of models that `build` does not
      make.

  Returns:
    the config, and its counts.

  Raises:
    ValueError: even the smallest width has more than twice the budget.
  """
  config = config.copy_and_resolve_references()

  def counts(n):
    config.backbone.width = n * multiple
    return count(config, kinds)

  high = 1
  while counts(high)['total'] < budget:
    high *= 2
  low = high // 2  # counts grow with the width: total(low) < budget <= total(high)
  while high - low > 1:
    middle = (low + high) // 2
    low, high = (middle, high) if counts(middle)['total'] < budget else (low, middle)
  nearest = min((n for n in (low, high) if n), key=lambda n: abs(counts(n)['total'] - budget))
  found = counts(nearest)
  if found['total'] > 2 * budget:
    raise ValueError(
      f'{config.backbone.name} has {found["total"]:,} parameters at its smallest width '
      f'{config.backbone.width}, expected about {budget:,.0f}; raise the budget or drop blocks'
    )
  return config, found
