"""tokenise -> backbone -> head; components are chosen by file name."""

import dataclasses
import functools
import importlib
import pkgutil
from types import ModuleType
from typing import Any

import flax.linen as nn
import jax
import numpy as np
from ml_collections import ConfigDict

from spectra_jax.heads import reconstruct
from spectra_jax.tokenize import Tokenizer

ACTIVATIONS = ('float32', 'bfloat16')


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
  ) -> jax.Array:
    """Returns the head's output; `values_BxL` is read only where `visible_BxL`."""
    x_BxTxD = self.tokenizer(values_BxL, visible_BxL, kind_B, nu_L)
    nu_T = self.tokenizer.positions(nu_L)
    mask_BxT = np.ones(
      x_BxTxD.shape[:2], bool
    )  # every token exists; what it saw is in its channels
    x_BxTxD = self.backbone(x_BxTxD, nu_T, mask_BxT, train)
    return self.head(x_BxTxD, nu_L)


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


def check_options(config: ConfigDict) -> None:
  """Raises a ValueError unless the selected backbone's options are exactly its class's fields."""
  name = config.backbone.name
  cls = component('backbones', name).Backbone
  if name not in config.backbone:
    raise ValueError(f'config.backbone has no options for {name!r}; add config.backbone.{name}')
  given, wanted = set(config.backbone[name]), fields(cls)
  if given != wanted:
    raise ValueError(
      f'config.backbone.{name} has {sorted(given - wanted)} too many and {sorted(wanted - given)} '
      f'too few; its keys must be the fields of spectra_jax/backbones/{name}.py: Backbone'
    )


def build(config: ConfigDict, kinds: int) -> SpectralModel:
  """The model that `config` describes, for spectra of `kinds` kinds."""
  if config.train.activations not in ACTIVATIONS:
    raise ValueError(
      f'train.activations is {config.train.activations!r}, expected one of {", ".join(ACTIVATIONS)}'
    )
  backbone = component('backbones', config.backbone.name).Backbone(**options(config.backbone))
  tokenizer = Tokenizer(
    width=config.backbone.width,
    kinds=kinds,
    dtype=config.train.activations,
    **config.tokenize.to_dict(),
  )
  head = reconstruct.Head(config.tokenize.step_cm, config.tokenize.knots_per_step)
  return SpectralModel(tokenizer, backbone, head)


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
  config: ConfigDict, budget: float, kinds: int, multiple: int = 8
) -> tuple[ConfigDict, dict[str, int]]:
  """A copy of `config` with the width whose model is nearest to `budget` parameters.

  Only `backbone.width` changes, in steps of `multiple`, so that depth, state sizes and kernels stay
  what the config says.

  Args:
    config: of a model; all its other settings stay.
    budget: wanted number of parameters, tokeniser and head included.
    kinds: of spectra.
    multiple: widths are multiples of it (attention heads must divide the width).

  Returns:
    the config, and its `count_parameters`.

  Raises:
    ValueError: even the smallest width has more than twice the budget.
  """
  config = config.copy_and_resolve_references()

  def counts(n):
    config.backbone.width = n * multiple
    return count_parameters(config, kinds)

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
