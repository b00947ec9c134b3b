"""The optimizer of a config: clip, adamw, muon or sgd, warm-up and cosine, decay of matrices only.

A backbone marks the parameters of its recurrence (poles, damping, step sizes) by grouping them
under the name 'dynamics'. They learn `ssm_lr_factor` times as fast and are never decayed.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
import optax.contrib
from ml_collections import ConfigDict

DYNAMICS = 'dynamics'
# By name too, since a stack of layers gives its biases and scales a second dimension.
UNDECAYED = ('bias', 'scale', 'embedding')
NAMES = ('adamw', 'muon', 'sgd')
MUON_RMS = 0.2  # of an update; that of Adam is near it, so that learning rates can be carried over

Tree = Any


def build(config: ConfigDict, total_steps: int) -> optax.GradientTransformation:
  """Global-norm clip, a direction at `schedule`; weight decay is decoupled from the gradient.

  muon takes the orthogonal factor of the momentum for every matrix (what `decayed` names), times
  0.2 sqrt(longer side), and the direction of adamw for all else (Jordan et al. 2024; Liu et al.
  2025, arXiv:2502.16982).

  Args:
    config: `config.optimizer`; b1 and b2 are Adam's, clip_norm = 0 leaves gradients alone.
    total_steps: of the run, the end of the cosine.

  Raises:
    ValueError: unknown name, or a number outside its range.
  """
  rate = schedule(config, total_steps)
  _check(config)
  clip = optax.clip_by_global_norm(config.clip_norm) if config.clip_norm else optax.identity()
  return optax.chain(
    clip,
    _direction(config),
    optax.add_decayed_weights(config.weight_decay, mask=decayed),
    optax.masked(optax.scale(config.ssm_lr_factor), is_dynamics),
    optax.scale_by_learning_rate(rate),
  )


def schedule(config: ConfigDict, total_steps: int) -> Callable[[jax.Array | int], jax.Array]:
  """Learning rate of update `step` (0, 1, ..., total_steps - 1).

  Linear from lr / warmup_steps at step 0 to lr at step warmup_steps - 1, so that no update is
  empty; then half a cosine that reaches lr * final_lr_ratio at the last step.

  Raises:
    ValueError: warm-up does not end before the run does.
  """
  lr, warmup, ratio = config.lr, config.warmup_steps, config.final_lr_ratio
  if not 0 <= warmup < total_steps:
    raise ValueError(
      f'optimizer.warmup_steps is {warmup}; expected 0 to {total_steps - 1}, fewer than the steps '
      'of the run; lower it or raise train.steps'
    )

  def rate(step):
    done = jnp.asarray(step, jnp.float32) + 1.0
    fraction = jnp.clip((done - warmup) / (total_steps - warmup), 0.0, 1.0)
    cosine = ratio + (1.0 - ratio) * 0.5 * (1.0 + jnp.cos(jnp.pi * fraction))
    return lr * jnp.where(done < warmup, done / max(warmup, 1), cosine)

  return rate


def decayed(params: Tree) -> Tree:
  """True for the leaves that weight decay shrinks: matrices outside norms, embeddings, dynamics."""

  def keep(path, leaf):
    names = _names(path)
    return leaf.ndim >= 2 and DYNAMICS not in names and names[-1] not in UNDECAYED

  return jax.tree_util.tree_map_with_path(keep, params)


def is_dynamics(params: Tree) -> Tree:
  """True for the leaves that belong to a recurrence."""
  return jax.tree_util.tree_map_with_path(lambda path, _: DYNAMICS in _names(path), params)


def _names(path: tuple) -> list[str]:
  return [str(getattr(entry, 'key', getattr(entry, 'name', entry))) for entry in path]


def _direction(config: ConfigDict) -> optax.GradientTransformation:
  if config.name not in NAMES:
    raise ValueError(
      f'optimizer.name is {config.name!r}; expected one of {", ".join(NAMES)}; set it to one'
    )
  if config.name == 'sgd':
    return optax.identity()
  adam = optax.scale_by_adam(config.b1, config.b2)
  if config.name == 'adamw':
    return adam
  labels = lambda params: jax.tree.map(
    lambda is_one: 'matrix' if is_one else 'other', decayed(params)
  )
  return optax.partition({'matrix': _orthogonal(), 'other': adam}, labels)


def _orthogonal() -> optax.GradientTransformation:
  """Momentum of the last two axes with equal singular values, root mean square about 0.2."""
  sides = optax.contrib.MuonDimensionNumbers(-2, -1)
  scaled = lambda update, _: MUON_RMS * max(update.shape[-2:]) ** 0.5 * update
  return optax.chain(
    optax.contrib.scale_by_muon(
      weight_dimension_numbers=lambda updates: jax.tree.map(lambda _: sides, updates)
    ),
    optax.stateless_with_tree_map(scaled),
  )


def _check(config: ConfigDict) -> None:
  for name in ('lr', 'ssm_lr_factor', 'final_lr_ratio', 'weight_decay', 'clip_norm'):
    if not config[name] >= 0:
      raise ValueError(f'optimizer.{name} is {config[name]}; expected at least 0; raise it')
  for name in ('b1', 'b2', 'ema_decay'):
    if not 0 <= config[name] < 1:
      raise ValueError(f'optimizer.{name} is {config[name]}; expected 0 <= {name} < 1; change it')
