"""What every component file promises; a new file joins by existing."""

import functools
import importlib
import inspect
import pathlib
import pkgutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import spectra_jax.backbones
import spectra_jax.encoders
import spectra_jax.heads
import spectra_jax.losses
import spectra_jax.tasks
from configs import default
from spectra_jax import blocks, model
from spectra_jax.dropout import example_keys
from tests import loss_examples
from tests.parameters import draw

ROOT = pathlib.Path(__file__).parent.parent
SHAPE = (3, 24, 8)
NU = np.arange(24) * 14.0 + 406.0


def files(package):
  return [found.name for found in pkgutil.iter_modules(package.__path__)]


def backbone_class(name):
  return importlib.import_module(f'spectra_jax.backbones.{name}').Backbone


@functools.cache
def backbone(name, **changes):
  """(apply(variables, x, train) jitted, module, variables drawn) of one small block."""
  options = default.get_config().backbone[name].to_dict()
  small = {'blocks': 1, 'state': 8, 'init_blocks': 1, 'conv_blocks': 1, 'attention_blocks': 1}
  small = {key: value for key, value in small.items() if key in options}
  module = backbone_class(name)(**{**options, **small, **changes})
  mask = np.ones(SHAPE[:2], bool)
  call = lambda variables, x, train: module.apply(variables, x, NU, mask[: len(x)], train)
  variables = draw(lambda key, x: module.init(key, x, NU, mask, False), tokens())
  return jax.jit(call, static_argnums=2), module, variables


def tokens(dtype='float32'):
  return jax.random.normal(jax.random.key(0), SHAPE, dtype)


@pytest.mark.parametrize('name', files(spectra_jax.backbones))
@pytest.mark.parametrize('dtype', ['float32', 'bfloat16'])
def test_backbone_keeps_shape_and_dtype(name, dtype):
  apply, _, variables = backbone(name)
  y = apply(variables, tokens(dtype), False)
  assert y.shape == SHAPE
  assert y.dtype == dtype
  assert jnp.isfinite(y.astype(jnp.float32)).all()


@pytest.mark.parametrize('name', files(spectra_jax.backbones))
def test_backbone_treats_examples_apart(name):
  apply, _, variables = backbone(name)
  x = tokens()
  changed = apply(variables, x.at[0].add(1.0), False)
  whole = apply(variables, x, False)
  np.testing.assert_allclose(changed[1:], whole[1:], atol=2e-5)
  assert jnp.abs(changed[0] - whole[0]).max() > 1e-3


@pytest.mark.parametrize('name', files(spectra_jax.backbones))
def test_every_backbone_parameter_has_a_gradient(name):
  apply, _, variables = backbone(name)
  gradient = jax.jit(jax.grad(lambda v, x: (apply(v, x, False) ** 2).sum()))
  for path, leaf in jax.tree_util.tree_leaves_with_path(gradient(variables, tokens())):
    assert jnp.isfinite(leaf).all(), path
    assert jnp.abs(leaf).max() > 0, path


@pytest.mark.parametrize('name', files(spectra_jax.backbones))
def test_backbone_dropout_belongs_to_the_example(name):
  apply, _, variables = backbone(name, dropout=0.5)
  x, keys = tokens(), jax.random.split(jax.random.key(2), 3)
  run = lambda x, keys: apply({**variables, **example_keys(keys)}, x, True)
  first, turned = run(x, keys), run(x[::-1], keys[::-1])
  np.testing.assert_allclose(first, turned[::-1], atol=2e-5)
  assert jnp.abs(first - backbone(name)[0](variables, x, False)).max() > 1e-3
  with pytest.raises(ValueError, match='got no per-example keys'):
    jax.eval_shape(lambda v, x: apply(v, x, True), variables, x)


def streaming():
  """The backbones that take the frame's `extend` as it is."""
  classes = {name: backbone_class(name) for name in files(spectra_jax.backbones)}
  extend = blocks.Recurrent.extend
  return [name for name, cls in classes.items() if getattr(cls, 'extend', None) is extend]


@pytest.mark.parametrize('name', streaming())
def test_recurrent_backbones_stream(name):
  """Token by token and chunk by chunk they are the whole sequence, and both ways they refuse."""
  apply, module, variables = backbone(name, bidirectional=False)
  x = tokens()

  @jax.jit
  def streams(variables, x):
    step = lambda state, u: module.apply(variables, state, u, method='step')
    _, steps = jax.lax.scan(step, module.rest(variables, x), x.swapaxes(0, 1))
    return steps.swapaxes(0, 1), module.in_chunks(variables, x, chunk=7)

  whole = apply(variables, x, False)
  for streamed in streams(variables, x):
    np.testing.assert_allclose(streamed, whole, atol=2e-5)
  _, both_ways, variables = backbone(name)
  with pytest.raises(ValueError, match=r'bidirectional = True .* cannot stream'):
    both_ways.apply(variables, None, x[:, 0], method='step')


OUTPUTS = 5  # numbers a spectrum, of heads that pool
HEAD_NU = np.linspace(406.0, 728.0, 101)  # cm^-1; within the tokens at NU


@functools.cache
def head(name):
  """(apply(variables, x) jitted, variables) of a head on a short axis."""
  options = default.get_config().head[name].to_dict()
  cls = importlib.import_module(f'spectra_jax.heads.{name}').Head
  lattice = {'step_cm': 14.0, 'knots_per_step': 2, 'outputs': OUTPUTS}
  module = cls(**{key: lattice[key] for key in model.shared_fields(cls, 'head')}, **options)
  call = lambda variables, x: module.apply(variables, x, HEAD_NU)
  return jax.jit(call), draw(lambda key, x: module.init(key, x, HEAD_NU), tokens())


def outputs(name, dtype='float32'):
  """[O, B, L]: all that a head gives, a dict's values stacked."""
  apply, variables = head(name)
  return jnp.stack(jax.tree.leaves(apply(variables, tokens(dtype))))


@pytest.mark.parametrize('name', files(spectra_jax.heads))
@pytest.mark.parametrize('dtype', ['float32', 'bfloat16'])
def test_head_gives_spectra_on_the_axis_or_numbers(name, dtype):
  y = outputs(name, dtype)
  pools = 'outputs' in model.shared_fields(model.component('heads', name).Head, 'head')
  assert y.shape[1:] == (SHAPE[0], OUTPUTS if pools else len(HEAD_NU))
  assert y.dtype == 'float32'
  assert jnp.isfinite(y).all()


@pytest.mark.parametrize('name', files(spectra_jax.heads))
def test_head_treats_examples_apart(name):
  apply, variables = head(name)
  x = tokens()
  changed = jnp.stack(jax.tree.leaves(apply(variables, x.at[0, ::2].multiply(-1.0))))
  whole = outputs(name)
  np.testing.assert_allclose(changed[:, 1:], whole[:, 1:], rtol=2e-5, atol=2e-5)
  assert jnp.abs(changed[:, 0] - whole[:, 0]).max() > 1e-4 * jnp.abs(whole).max()


@pytest.mark.parametrize('name', files(spectra_jax.heads))
def test_every_head_parameter_has_a_gradient(name):
  apply, variables = head(name)
  # Weighed by place: the plain sum over a unit vector's squares is 1 whatever the parameters.
  weighed = lambda y: (y**2 * (1.0 + np.arange(y.shape[-1]))).sum()
  squares = lambda v, x: sum(weighed(y) for y in jax.tree.leaves(apply(v, x)))
  for path, leaf in jax.tree_util.tree_leaves_with_path(
    jax.jit(jax.grad(squares))(variables, tokens())
  ):
    assert jnp.isfinite(leaf).all(), path
    assert jnp.abs(leaf).max() > 0, path


@pytest.mark.parametrize('name', files(spectra_jax.encoders))
def test_encoders_treat_examples_apart_read_what_is_visible_and_learn(name):
  config = default.get_config()
  config.encoder.name, config.head.name = name, 'classify'
  config.backbone.width, config.backbone.linoss.blocks, config.backbone.linoss.state = 8, 1, 8
  module, nu = model.build_pooled(config, kinds=1, outputs=OUTPUTS), np.arange(400.0, 528.0)
  x = jax.random.normal(jax.random.key(0), (SHAPE[0], len(nu)))
  seen, kind = jnp.ones(x.shape, bool).at[:, 40:50].set(False), jnp.zeros(SHAPE[0], int)
  call = lambda v, x: module.apply(v, x, seen, kind, nu, False)
  variables = draw(lambda key, x: module.init(key, x, seen, kind, nu, False), x)
  squares = lambda v, x: (((y := call(v, x)) ** 2).sum(), y)
  slope = jax.jit(jax.grad(squares, has_aux=True))
  gradient, whole = slope(variables, x)
  np.testing.assert_array_equal(slope(variables, x.at[:, 44].set(1e6))[1], whole)
  changed = slope(variables, x.at[0, 60:70].add(3.0))[1]
  np.testing.assert_allclose(changed[1:], whole[1:], rtol=1e-5, atol=1e-5)
  assert jnp.abs(changed[0] - whole[0]).max() > 1e-3
  for path, leaf in jax.tree_util.tree_leaves_with_path(gradient):
    assert jnp.isfinite(leaf).all(), path
    assert jnp.abs(leaf).max() > 0, path


LOSSES = loss_examples.examples()
NO_LAW = ('masked_mse', 'denoising', 'sinkhorn')  # squared distances


def float32(arrays):
  return tuple(a if a.dtype == bool else np.float32(a) for a in arrays)


@functools.cache
def loss_and_slope(name):
  """arrays -> (loss [3], gradient with respect to the first array), jitted."""
  loss = LOSSES[name].loss

  def run(arrays):
    value, pullback = jax.vjp(lambda first: loss(first, *arrays[1:]), arrays[0])
    return value, pullback(jnp.ones_like(value))[0]

  return jax.jit(run)


@functools.cache
def violated(name):
  return loss_and_slope(name)(float32(LOSSES[name].violated))


def test_every_loss_has_an_example():
  assert {name.split('/')[0] for name in LOSSES} == set(files(spectra_jax.losses))


@pytest.mark.parametrize('name', LOSSES)
def test_a_broken_law_costs_and_pulls_back(name):
  value, slope = violated(name)
  assert value.shape == (3,)
  assert (value > 1e-6).all()
  assert jnp.isfinite(slope).all()
  slope = slope.reshape(3, -1)
  assert (jnp.abs(slope).max(-1) > 0).all()
  first, *others = float32(LOSSES[name].violated)
  step = 0.1 * value / (slope**2).sum(-1)
  nearer = first - (step[:, None] * slope).reshape(first.shape)
  after = loss_and_slope(name)((nearer, *others))[0]
  if name == 'sinkhorn':  # between clouds: what one example gains another may lose
    after, value = after.mean(), value.mean()
  assert (after < value).all()


@pytest.mark.parametrize('name', LOSSES)
def test_a_law_that_holds_costs_nothing_and_pulls_nowhere(name):
  value, slope = loss_and_slope(name)(float32(LOSSES[name].satisfied))
  np.testing.assert_array_equal(value, 0)
  np.testing.assert_array_equal(slope, 0)


@pytest.mark.parametrize('name', [name for name, example in LOSSES.items() if example.alone])
def test_losses_are_per_example(name):
  example = LOSSES[name]
  pairs = zip(float32(example.violated), float32(example.satisfied), strict=True)
  mixed = tuple(np.concatenate([right[:1], wrong[1:]]) for wrong, right in pairs)
  value, slope = loss_and_slope(name)(mixed)
  np.testing.assert_allclose(value[1:], violated(name)[0][1:], rtol=1e-5)
  np.testing.assert_allclose(slope[1:], violated(name)[1][1:], rtol=1e-4, atol=1e-12)
  assert value[0] == 0


@pytest.mark.parametrize('name', LOSSES)
def test_ten_times_the_intensity_is_the_same_violation(name):
  example = LOSSES[name]
  run = jax.jit(example.strong_loss) if example.strong_loss else None
  arrays = float32(example.tenfold())
  strong = run(*arrays) if run else loss_and_slope(name)(arrays)[0]
  np.testing.assert_allclose(strong, 10.0**example.degree * violated(name)[0], rtol=1e-3)
  assert example.degree == 0 or name in NO_LAW


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
    'ratios',
    'groups',
  }
  assert wanted <= set(dir(module.Task))


def test_unknown_components_are_refused_with_a_list():
  with pytest.raises(ValueError, match="backbones has no 'nope', expected one of "):
    model.component('backbones', 'nope')


def test_imports_go_one_way():
  """physics imports no other part; backbones, heads, losses never train; configs only default."""
  upward = {
    'spectra_jax/physics': ('flax', 'ml_collections', 'spectra_jax.train', 'spectra_jax.tasks'),
    'spectra_jax/backbones': ('spectra_jax.train', 'spectra_jax.tasks', 'configs'),
    'spectra_jax/encoders': ('spectra_jax.train', 'spectra_jax.tasks', 'configs'),
    'spectra_jax/heads': ('spectra_jax.train', 'spectra_jax.tasks', 'configs'),
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
