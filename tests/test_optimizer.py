"""Updates of the configured optimizer against formulas worked out by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs import default
from spectra_jax import optimizer

STEPS = 100


def config(**changes):
  c = default.get_config().optimizer
  plain = {'name': 'sgd', 'lr': 0.1, 'warmup_steps': 0, 'final_lr_ratio': 1.0, 'clip_norm': 0.0}
  c.update({**plain, 'weight_decay': 0.0, 'ssm_lr_factor': 1.0, **changes})
  return c


def params():
  return {
    'ssm': {'dynamics': {'A': jnp.ones(3), 'steps': jnp.ones((2, 3))}, 'B': jnp.ones((2, 3))},
    'dense': {'kernel': jnp.ones((2, 2)), 'bias': jnp.ones((2, 2)), 'A': jnp.ones((2, 2))},
    'norm': {'scale': jnp.ones((2, 3))},
    'kind': {'embedding': jnp.ones((2, 3))},
  }


def update(c, gradient=1.0, steps=1):
  """Change of each parameter in the last of `steps` updates with one constant gradient."""
  tx, tree = optimizer.build(c, STEPS), params()
  state = tx.init(tree)
  gradients = jax.tree.map(lambda x: jnp.full_like(x, gradient), tree)
  for _ in range(steps):
    updates, state = tx.update(gradients, state, tree)
  flat, _ = jax.tree_util.tree_flatten_with_path(updates)
  return {jax.tree_util.keystr(p, simple=True, separator='/'): np.unique(x) for p, x in flat}


def test_plain_sgd_is_minus_lr_times_gradient():
  for change in update(config(), gradient=2.0).values():
    np.testing.assert_allclose(change, [-0.2], rtol=1e-6)


def test_dynamics_alone_learn_at_their_own_rate():
  for name, change in update(config(ssm_lr_factor=0.25)).items():
    expected = -0.025 if name.startswith('ssm/dynamics/') else -0.1
    np.testing.assert_allclose(change, [expected], rtol=1e-6, err_msg=name)


def test_decay_shrinks_matrices_and_nothing_else():
  changes = update(config(weight_decay=0.5), gradient=0.0)
  shrunk = {name for name, change in changes.items() if change[0] != 0.0}
  assert shrunk == {'ssm/B', 'dense/kernel', 'dense/A'}
  np.testing.assert_allclose(changes['dense/kernel'], [-0.1 * 0.5], rtol=1e-6)


def test_clipping_scales_the_whole_gradient_to_the_norm():
  count = sum(x.size for x in jax.tree.leaves(params()))
  for change in update(config(clip_norm=0.5), gradient=3.0).values():
    np.testing.assert_allclose(change, [-0.1 * 0.5 / np.sqrt(count)], rtol=1e-5)
  for change in update(config(clip_norm=1e3), gradient=3.0).values():
    np.testing.assert_allclose(change, [-0.3], rtol=1e-6)


def test_adamw_is_adam_plus_decoupled_decay():
  c = config(name='adamw', weight_decay=0.5, b1=0.8, b2=0.9)
  changes = update(c, gradient=1e-3, steps=3)  # Adam of a constant gradient is its sign
  np.testing.assert_allclose(changes['norm/scale'], [-0.1], rtol=1e-4)
  np.testing.assert_allclose(changes['dense/kernel'], [-0.1 - 0.05], rtol=1e-4)


def test_muon_turns_matrices_into_their_orthogonal_factor_and_leaves_adam_the_rest():
  """Of a gradient U S V' each matrix moves by U V' times 0.2 sqrt(longer side), to the accuracy of
  five Newton-Schulz steps, a stack of matrices each by its own.
  """
  rng, shapes = np.random.default_rng(0), {'kernel': (12, 20), 'stack': (3, 12, 20), 'bias': (20,)}
  gradient = {name: jnp.float32(rng.normal(size=shape)) for name, shape in shapes.items()}
  moves = {}
  for name in ('muon', 'adamw'):
    tx = optimizer.build(config(name=name), STEPS)
    moves[name], _ = jax.jit(tx.update)(gradient, tx.init(gradient), gradient)
  np.testing.assert_allclose(moves['muon']['bias'], moves['adamw']['bias'], rtol=1e-6)
  matrices = (
    [gradient['kernel'], *gradient['stack']],
    [moves['muon']['kernel'], *moves['muon']['stack']],
  )
  for before, move in zip(*matrices, strict=True):
    left, _, right = np.linalg.svd(before, full_matrices=False)
    size = left.T @ np.asarray(move) @ right.T / (-0.1 * 0.2 * np.sqrt(20))
    np.testing.assert_allclose(np.diag(size), 1.0, atol=0.35)
    np.testing.assert_allclose(size - np.diag(np.diag(size)), 0.0, atol=1e-3)


def test_schedule_warms_up_peaks_and_ends_where_it_says():
  rate = optimizer.schedule(config(lr=2.0, warmup_steps=10, final_lr_ratio=0.1), STEPS)
  rates = np.array([rate(step) for step in range(STEPS)])
  np.testing.assert_allclose(rates[:10], 2.0 * np.arange(1, 11) / 10, rtol=1e-6)
  assert np.argmax(rates) == 9
  assert (np.diff(rates[9:]) < 0).all()
  middle = 10 + 45 - 1  # half of the cosine is done after that step
  np.testing.assert_allclose(rates[[middle, -1]], [1.1, 0.2], rtol=1e-5)


def test_schedule_is_the_one_that_updates_use():
  c = config(lr=1.0, warmup_steps=7, final_lr_ratio=0.0)
  rate = optimizer.schedule(c, STEPS)
  for step in (0, 3, 6, 7, 50):
    change = update(c, steps=step + 1)['norm/scale']
    np.testing.assert_allclose(change, [-rate(step)], rtol=1e-6)


def test_no_warm_up_starts_just_below_the_peak():
  rate = optimizer.schedule(config(lr=1.0, final_lr_ratio=0.0), 1000)
  np.testing.assert_allclose(rate(0), 1.0, atol=1e-5)


@pytest.mark.parametrize(
  ('changes', 'sentence'),
  [
    ({'name': 'adam'}, "name is 'adam'; expected one of adamw, muon, sgd"),
    ({'warmup_steps': STEPS}, 'warmup_steps is 100; expected 0 to 99'),
    ({'warmup_steps': -1}, 'warmup_steps is -1'),
    ({'lr': -1.0}, 'lr is -1.0; expected at least 0'),
    ({'clip_norm': float('nan')}, 'clip_norm is nan'),
    ({'b2': 1.0}, 'b2 is 1.0; expected 0 <= b2 < 1'),
    ({'ema_decay': 1.0}, 'ema_decay is 1.0'),
  ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(changes, sentence):
  with pytest.raises(ValueError, match=sentence):
    optimizer.build(config(**changes), STEPS)


def test_the_shipped_backbone_groups_its_dynamics():
  """A backbone that names them otherwise would train them too fast without a word."""
  from spectra_jax.backbones import linoss

  options = default.get_config().backbone.linoss.to_dict()
  x_BxLxD, nu_L, mask_BxL = jnp.zeros((1, 8, 4)), jnp.arange(8.0), jnp.ones((1, 8), bool)
  init = lambda key: linoss.Backbone(**options).init(key, x_BxLxD, nu_L, mask_BxL, train=False)
  variables = jax.eval_shape(init, jax.random.key(0))
  flat, _ = jax.tree_util.tree_flatten_with_path(optimizer.is_dynamics(variables['params']))
  marked = {path[-1].key for path, flag in flat if flag}
  assert marked == {'A', 'G', 'steps'}
