"""Test-time training: a model that fills in hidden bands goes on to do so on the spectra at hand.

The labels of nobody are needed: some bands of what was measured are hidden and predicted from the
rest (Sun et al. 2020, arXiv 1909.13231; with masks Gandelsman et al. 2022, arXiv 2209.07522). What
comes out are new parameters; those that went in are as they were, and no state is kept, so the same
spectra always give the same parameters.
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from spectra_jax import batches
from spectra_jax.adaptation import HEAD
from spectra_jax.losses.masked_mse import masked_mse
from spectra_jax.tasks.masked import visible_points

OUTPUT = 'reconstruction'  # of models that give several

Tree = Any


@dataclasses.dataclass(frozen=True)
class Steps:
  """How far the parameters go.

  Attributes:
    steps: updates of Adam.
    lr: its rate.
    batch_size: spectra of an update.
    ratio: share of the axis that is hidden.
    band_cm: width of one hidden band [cm^-1].
    seed: of batches and masks.
  """

  steps: int = 20
  lr: float = 3e-4
  batch_size: int = 16
  ratio: float = 0.4
  band_cm: float = 60.0
  seed: int = 0


SHORT = Steps()


class Key:
  """A module as the key of a cache, also where it holds a dict: the same text, the same module."""

  def __init__(self, module: nn.Module):
    self.module, self.text = module, repr(module)

  def __hash__(self) -> int:
    return hash(self.text)

  def __eq__(self, other: object) -> bool:
    return isinstance(other, Key) and self.text == other.text


def filled(
  module: nn.Module, params: Tree, values_BxL: Any, visible_BxL: Any, kind_B: Any, nu_L: np.ndarray
) -> jax.Array:
  """[B, L] what a model of spectra says where nothing is visible, and elsewhere."""
  found = module.apply({'params': params}, values_BxL, visible_BxL, kind_B, nu_L, False)
  return found[OUTPUT] if isinstance(found, Mapping) else found


def adapt(
  module: nn.Module,
  params: Tree,
  inputs: Mapping[str, np.ndarray],
  nu_L: np.ndarray,
  how: Steps = SHORT,
) -> Tree:
  """Parameters after `how.steps` updates on these spectra.

  Args:
    module: a `spectra_jax.model.SpectralModel` or a `FoundationModel` with a reconstruction.
    params: its parameters; they are not changed.
    inputs: 'values' [N, L] as the model reads them, 'visible' [N, L], 'kind' [N].
    nu_L: their axis [cm^-1].
    how: see `Steps`.

  Raises:
    ValueError: no spectra, or fewer than one update.
  """
  count = len(inputs['kind'])
  if how.steps < 1 or not count:
    raise ValueError(
      f'{how.steps} steps were asked for on {count} spectra, expected at least one of each; give '
      'spectra, or keep the parameters that there are'
    )
  rows_SxB = np.stack(
    [batches.training_rows(how.seed, step, how.batch_size, count) for step in range(how.steps)]
  )
  arrays = {name: jnp.asarray(inputs[name]) for name in ('values', 'visible', 'kind')}
  changed = _program(Key(module), nu_L.tobytes(), how)(params, arrays, rows_SxB)
  return {**params, **jax.tree.map(np.asarray, changed)}


@functools.lru_cache(maxsize=16)
def _program(key: Key, axis: bytes, how: Steps) -> Callable:
  """(params, arrays, rows of every step) -> what is trained, compiled once for an axis."""
  nu_L, optimizer, module = np.frombuffer(axis), optax.adam(how.lr), key.module

  def loss(trained, params, arrays, rows_B, step):
    keys_B = batches.example_keys(how.seed, step, rows_B)
    seen = jax.vmap(lambda key: visible_points(key, nu_L, how.ratio, how.band_cm))(keys_B)
    values, visible, kind_B = (arrays[name][rows_B] for name in ('values', 'visible', 'kind'))
    found = filled(module, {**params, **trained}, values, visible & seen, kind_B, nu_L)
    return masked_mse(found, values, visible & ~seen).mean()

  def run(params, arrays, rows_SxB):
    # Heads stay what they were trained as.
    trained = {name: part for name, part in params.items() if not name.startswith(HEAD)}

    def update(carry, step_and_rows):
      trained, state = carry
      slope = jax.grad(loss)(trained, params, arrays, *reversed(step_and_rows))
      updates, state = optimizer.update(slope, state)
      return (optax.apply_updates(trained, updates), state), None

    steps = (jnp.arange(how.steps), rows_SxB)
    (trained, _), _ = jax.lax.scan(update, (trained, optimizer.init(trained)), steps)
    return trained

  return jax.jit(run)
