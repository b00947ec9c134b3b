"""What every component file promises; a new file joins by existing."""

import importlib
import inspect
import pathlib
import pkgutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import spectra_jax.backbones
import spectra_jax.losses
import spectra_jax.tasks
from configs import default
from spectra_jax import blocks, model
from spectra_jax.dropout import example_keys

ROOT = pathlib.Path(__file__).parent.parent
SHAPE = (3, 24, 8)
NU = np.arange(24) * 14.0 + 406.0


def files(package):
  return [found.name for found in pkgutil.iter_modules(package.__path__)]


def backbone_class(name):
  return importlib.import_module(f'spectra_jax.backbones.{name}').Backbone


def backbone(name, **changes):
  options = {**default.get_config().backbone[name].to_dict(), **changes}
  module = backbone_class(name)(**options)
  x = jax.random.normal(jax.random.key(0), SHAPE)
  mask = np.ones(SHAPE[:2], bool)
  return module, module.init(jax.random.key(1), x, NU, mask, False), x, mask


@pytest.mark.parametrize('name', files(spectra_jax.backbones))
@pytest.mark.parametrize('dtype', ['float32', 'bfloat16'])
def test_backbone_keeps_shape_and_dtype(name, dtype):
  module, params, x, mask = backbone(name)
  y = module.apply(params, x.astype(dtype), NU, mask, False)
  assert y.shape == SHAPE
  assert y.dtype == dtype
  assert jnp.isfinite(y.astype(jnp.float32)).all()


@pytest.mark.parametrize('name', files(spectra_jax.backbones))
def test_backbone_treats_examples_apart(name):
  module, params, x, mask = backbone(name)
  whole = module.apply(params, x, NU, mask, False)
  alone = module.apply(params, x[1:2], NU, mask[1:2], False)
  np.testing.assert_allclose(whole[1:2], alone, atol=2e-5)


@pytest.mark.parametrize('name', files(spectra_jax.backbones))
def test_every_backbone_parameter_has_a_gradient(name):
  module, params, x, mask = backbone(name)
  loss = lambda p: (module.apply(p, x, NU, mask, False) ** 2).sum()
  for path, grad in jax.tree_util.tree_leaves_with_path(jax.grad(loss)(params)):
    assert jnp.isfinite(grad).all(), path
    assert jnp.abs(grad).max() > 0, path


@pytest.mark.parametrize('name', files(spectra_jax.backbones))
def test_backbone_dropout_belongs_to_the_example(name):
  module, params, x, mask = backbone(name, dropout=0.5)
  keys = jax.random.split(jax.random.key(2), 3)
  run = lambda x, keys: module.apply({**params, **example_keys(keys)}, x, NU, mask, True)
  first, turned = run(x, keys), run(x[::-1], keys[::-1])
  np.testing.assert_allclose(first, turned[::-1], atol=2e-5)
  assert jnp.abs(first - module.apply(params, x, NU, mask, False)).max() > 1e-3
  with pytest.raises(ValueError, match='got no per-example keys'):
    module.apply(params, x, NU, mask, True)


def streaming():
  """The backbones that take the frame's `extend` as it is."""
  classes = {name: backbone_class(name) for name in files(spectra_jax.backbones)}
  extend = blocks.Recurrent.extend
  return [name for name, cls in classes.items() if getattr(cls, 'extend', None) is extend]


@pytest.mark.parametrize('name', streaming())
def test_recurrent_backbones_stream(name):
  """Token by token and chunk by chunk they are the whole sequence, and both ways they refuse."""
  module, params, x, mask = backbone(name, bidirectional=False)

  @jax.jit
  def three_ways(params, x):
    step = lambda state, u: module.apply(params, state, u, method='step')
    _, steps = jax.lax.scan(step, module.rest(params, x), x.swapaxes(0, 1))
    whole = module.apply(params, x, NU, mask, False)
    return whole, steps.swapaxes(0, 1), module.in_chunks(params, x, chunk=7)

  whole, steps, chunks = three_ways(params, x)
  np.testing.assert_allclose(steps, whole, atol=2e-5)
  np.testing.assert_allclose(chunks, whole, atol=2e-5)
  both_ways, params, *_ = backbone(name, bidirectional=True)
  with pytest.raises(ValueError, match='cannot stream'):
    both_ways.apply(params, None, x[:, 0], method='step')


@pytest.mark.parametrize('name', files(spectra_jax.losses))
def test_losses_are_per_example(name):
  module = importlib.import_module(f'spectra_jax.losses.{name}')
  loss = getattr(module, name)
  x, y = jax.random.normal(jax.random.key(0), (2, 5, 16))
  masked = jax.random.bernoulli(jax.random.key(1), 0.5, (5, 16))
  values = loss(x, y, masked)
  assert values.shape == (5,)
  np.testing.assert_allclose(values[2:3], loss(x[2:3], y[2:3], masked[2:3]), rtol=1e-6)


@pytest.mark.parametrize('name', files(spectra_jax.tasks))
def test_tasks_have_what_the_loop_calls(name):
  module = importlib.import_module(f'spectra_jax.tasks.{name}')
  assert list(inspect.signature(module.build).parameters) == ['config', 'spectra', 'split']
  wanted = {
    'module',
    'examples',
    'inputs',
    'losses',
    'metrics',
    'baselines',
    'figures',
    'effective',
  }
  assert wanted <= set(dir(module.Task))


def test_unknown_components_are_refused_with_a_list():
  with pytest.raises(ValueError, match="backbones has no 'nope', expected one of "):
    model.component('backbones', 'nope')


def test_imports_go_one_way():
  """physics imports no other part, backbones and losses never train, configs only default."""
  upward = {
    'spectra_jax/physics': ('flax', 'ml_collections', 'spectra_jax.train', 'spectra_jax.tasks'),
    'spectra_jax/backbones': ('spectra_jax.train', 'spectra_jax.tasks', 'configs'),
    'spectra_jax/losses': ('spectra_jax.train', 'spectra_jax.tasks', 'configs'),
    'spectra_jax/datasets': ('spectra_jax.train', 'spectra_jax.tasks', 'configs'),
    'configs': ('spectra_jax', 'jax', 'flax'),
  }
  for folder, forbidden in upward.items():
    for path in (ROOT / folder).glob('*.py'):
      imports = [x for x in path.read_text().splitlines() if x.startswith(('import ', 'from '))]
      bad = [x for x in imports for name in forbidden if x.split()[1].startswith(name)]
      assert not bad, (path, bad)


def test_no_dumping_ground():
  names = {path.name for path in ROOT.glob('spectra_jax/**/*.py')}
  assert not names & {'utils.py', 'common.py', 'helpers.py', 'misc.py'}
