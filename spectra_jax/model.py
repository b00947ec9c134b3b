"""tokenise -> backbone -> head; components are chosen by file name."""

import dataclasses
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


def component(folder: str, name: str) -> ModuleType:
  """spectra_jax/<folder>/<name>.py, imported.

  Raises:
    ValueError: no such file; the sentence lists those there are.
  """
  package = importlib.import_module(f'spectra_jax.{folder}')
  there = sorted(found.name for found in pkgutil.iter_modules(package.__path__))
  if name not in there:
    raise ValueError(
      f'{folder} has no {name!r}, expected one of {", ".join(there)}; '
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
