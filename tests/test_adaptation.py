"""What is trained, what stays, and that an update is the identity before it is learned."""

import functools
import importlib
import pathlib
import pkgutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import spectra_jax.adaptation
from configs import default, pretrain, spektron_instruments, spektron_search
from spectra_jax import adaptation, model, train, trained, unlabelled, weights
from spectra_jax.adaptation.lora import ADAPTER
from spectra_jax.adaptation.lora import Method as Lora
from spectra_jax.checkpoint import Checkpoints
from spectra_jax.weights import Weights
from spectra_jax.workdir import claim
from tests.parameters import draw

NU = np.linspace(400.0, 624.0, 65)
SEED = 3
METHODS = [found.name for found in pkgutil.iter_modules(spectra_jax.adaptation.__path__)]


def config(**changes):
  c = default.get_config()
  c.backbone.width, c.backbone.linoss.blocks, c.backbone.linoss.state = 8, 1, 6
  c.update_from_flattened_dict(changes)
  return c


@functools.cache
def base(kinds=2):
  """Parameters of a small model of spectra."""
  module = model.build(config(), kinds=kinds)
  x, kind = np.ones((2, len(NU)), np.float32), np.zeros(2, np.int32)
  initialise = lambda key, x: module.init(key, x, x > 0, kind, NU, False)
  return draw(initialise, x)['params']


@functools.cache
def pooled(members=2):
  """Parameters of a small model of one number a spectrum, of one kind."""
  module = model.build_pooled(config(**{'head.name': 'regress', 'train.members': members}), 1, 1)
  x, kind = np.ones((2, len(NU)), np.float32), np.zeros(2, np.int32)
  return draw(lambda key, x: module.init(key, x, x > 0, kind, NU, False), x)['params']


def same(one, other):
  here, there = weights.flat(one), weights.flat(other)
  assert here.keys() == there.keys()
  return {name for name in here if np.array_equal(here[name], there[name])} == set(here)


def moved(tree, seed=0, by=0.1):
  """Every number somewhere else."""
  rng = np.random.default_rng(seed)
  return jax.tree.map(lambda x: x + by * rng.normal(size=np.shape(x)).astype(np.float32), tree)


def method(name, **options):
  return importlib.import_module(f'spectra_jax.adaptation.{name}').Method(**options)


@pytest.mark.parametrize('name', METHODS)
@pytest.mark.parametrize('tree', [base, pooled])
def test_every_method_starts_at_the_base_bit_for_bit_and_trains_the_head(name, tree):
  way, whole = method(name), tree()
  start = way.begin(whole, SEED)
  assert same(way.merge(whole, start), whole)
  after = way.merge(whole, moved(start))
  heads = {key: part for key, part in whole.items() if key.startswith('head')}
  assert heads
  for key, part in heads.items():
    changed = weights.flat(after[key])
    assert all((changed[leaf] != x).all() for leaf, x in weights.flat(part).items())
  assert same(whole, tree.__wrapped__())  # nothing was written into the base


@pytest.mark.parametrize('name', METHODS)
def test_method_options_are_its_fields_and_defaults(name):
  options = default.get_config().adapt[name].to_dict()
  assert method(name) == method(name, **options)
  assert set(options) == set(vars(method(name)))


def test_what_is_frozen_has_no_place_in_the_state():
  whole = pooled()
  start = method('frozen').begin(whole, SEED)
  assert sorted(start) == ['heads_0', 'heads_1']
  after = method('frozen').merge(whole, moved(start))
  assert same(
    {k: after[k] for k in after if k not in start}, {k: whole[k] for k in after if k not in start}
  )


def test_rank_zero_without_dynamics_is_the_identity_whatever_was_learned():
  way, whole = Lora(rank=0, dynamics=False), base()
  after = way.merge(whole, moved(way.begin(whole, SEED)))
  for part in ('tokenizer', 'backbone'):
    assert same(after[part], whole[part])


def test_updates_reach_every_matrix_and_the_recurrence_and_have_their_rank():
  way, whole = Lora(rank=2), base()
  after = weights.flat(way.merge(whole, moved(way.begin(whole, SEED))))
  dynamics = 0
  for name, before in weights.flat(whole).items():
    difference = np.asarray(after[name]) - np.asarray(before)
    if name.startswith('head'):
      continue
    if before.ndim >= 2 and not name.endswith('embedding'):
      singular = np.linalg.svd(difference, compute_uv=False)
      assert (singular[:2] > 1e-4).all(), name
      assert (singular[2:] < 1e-5).all(), name
    elif 'dynamics' in name:
      dynamics += 1
      assert (difference != 0).all(), name
    else:
      np.testing.assert_array_equal(difference, 0, err_msg=name)
  assert dynamics == 6  # A, G and steps, both directions
  positive = [name for name in after if name.endswith(('dynamics/A', 'dynamics/G'))]
  assert all((after[name] > 0).all() for name in positive)


@pytest.mark.slow
def test_every_update_has_a_gradient():
  """Of `up` and of the recurrence at the start; of `down` once `up` is not zero."""
  way, whole = Lora(rank=2), base()
  module, x = model.build(config(), kinds=2), np.random.default_rng(0).uniform(0, 1, (2, len(NU)))
  seen, kind = np.ones(x.shape, bool), np.zeros(2, np.int32)

  @jax.jit
  def slope(state):
    call = lambda s: module.apply({'params': way.merge(whole, s)}, x, seen, kind, NU, False)
    return jax.grad(lambda s: (call(s) ** 2).sum())(state)

  start = way.begin(whole, SEED)
  for name, leaf in weights.flat(slope(start)[ADAPTER]).items():
    assert jnp.isfinite(leaf).all(), name
    assert (jnp.abs(leaf).max() > 0) == (not name.endswith('down')), name
  for name, leaf in weights.flat(slope(moved(start))[ADAPTER]).items():
    assert jnp.abs(leaf).max() > 0, name


def test_merged_is_unmerged():
  """A run's forward pass, which merges inside its program, and a plain model of merged numbers."""
  way, whole = Lora(rank=2), base()
  module, x = model.build(config(), kinds=2), np.random.default_rng(0).uniform(0, 1, (2, len(NU)))
  seen, kind = np.ones(x.shape, bool), np.zeros(2, np.int32)
  call = lambda params: module.apply({'params': params}, x, seen, kind, NU, False)
  state = moved(way.begin(whole, SEED))
  merged = jax.tree.map(np.asarray, jax.jit(lambda s: way.merge(whole, s))(state))
  inside = jax.jit(lambda s: call(way.merge(whole, s)))(state)
  np.testing.assert_array_equal(jax.jit(call)(merged), inside)
  assert jnp.abs(inside - jax.jit(call)(whole)).max() > 1e-3


def adapted(whole, seed=0):
  """Parameters after two steps on three spectra without labels."""
  module, x = model.build(config(), kinds=2), np.random.default_rng(0).uniform(0, 1, (3, len(NU)))
  inputs = {'values': np.float32(x), 'visible': x > 0.1, 'kind': np.array([0, 1, 0])}
  how = unlabelled.Steps(steps=2, batch_size=2, band_cm=30.0, seed=seed)
  return unlabelled.adapt(module, whole, inputs, NU, how)


def test_test_time_training_is_stateless():
  """New parameters, the same twice, of all but the head; the base is bit for bit what it was."""
  whole = base.__wrapped__()
  first, second = (adapted(whole) for _ in range(2))
  assert same(whole, base())
  assert same(first, second)
  assert same(first['head'], whole['head'])
  for part in ('tokenizer', 'backbone'):
    kernels = {k: v for k, v in weights.flat(first[part]).items() if k.endswith('kernel')}
    assert kernels
    assert all((v != weights.flat(whole[part])[k]).any() for k, v in kernels.items())


@pytest.mark.slow
def test_test_time_training_is_a_function_of_its_seed():
  assert not same(adapted(base(), seed=1), adapted(base()))


def test_another_seed_draws_other_updates():
  first, second = (Lora().begin(base(), seed) for seed in (0, 1))
  assert not same(first, second)
  assert same(first, Lora().begin(base(), 0))


def of_weights(params, kinds=('ir', 'raman')):
  return Weights(params, {'kinds': list(kinds)}, 'hash')


def test_a_trunk_goes_into_every_member_with_the_row_of_its_kind():
  found = adaptation.with_trunk(pooled(), of_weights(base()), 'raman')
  for member in ('encoders_0', 'encoders_1'):
    assert same(found[member]['backbone'], base()['backbone'])
    table = base()['tokenizer']['kind']['embedding']
    np.testing.assert_array_equal(found[member]['tokenizer']['kind']['embedding'], table[1:])
    assert same(found[member]['tokenizer']['kernel'], base()['tokenizer']['kernel'])
  assert same(
    {k: found[k] for k in ('heads_0', 'heads_1')}, {k: pooled()[k] for k in ('heads_0', 'heads_1')}
  )
  assert same(
    adaptation.with_trunk(base(), of_weights(moved(base())), 'ir')['head'], base()['head']
  )


def test_weights_of_another_model_or_kind_are_refused_by_name():
  other = moved(base())
  other['backbone'] = {**other['backbone'], 'block_1': other['backbone']['block_0']}
  with pytest.raises(ValueError, match=r'backbone/block_1/.* and the model absent \(first of'):
    adaptation.with_trunk(base(), of_weights(other), 'ir')
  with pytest.raises(ValueError, match=r"adapt\.kind is 'nir', expected one of ir, raman"):
    adaptation.with_trunk(base(), of_weights(base()), 'nir')
  with pytest.raises(ValueError, match=r'adapt\.lora\.rank is -1, expected at least 0'):
    Lora(rank=-1).begin(base(), SEED)


def test_a_model_without_what_is_taken_or_trained_is_refused():
  trunk = {name: base()[name] for name in adaptation.TRUNK}
  with pytest.raises(ValueError, match='parts atoms, head, expected tokenizer and backbone'):
    adaptation.with_trunk({'atoms': {}, 'head': base()['head']}, of_weights(base()), 'ir')
  for name in ('frozen', 'lora'):
    with pytest.raises(ValueError, match="tokenizer, backbone and none that begins with 'head'"):
      method(name).begin(trunk, SEED)


def test_matrices_of_a_recurrence_stay_where_dynamics_do():
  leaf = np.ones((3, 4), np.float32)
  whole = {'backbone': {'dynamics': {'frequency': leaf}, 'out': {'kernel': leaf}}, 'head': {}}
  updates = Lora(dynamics=False).begin(whole, SEED)['adapter']['backbone']
  assert sorted(updates) == ['out']
  shift = Lora().begin(whole, SEED)['adapter']['backbone']['dynamics']['frequency']['shift']
  assert shift.shape == leaf.shape


# ---- whole runs ---------------------------------------------------------------


def tiny(tmp_path: pathlib.Path, **changes):
  """A run that starts from a file of the weights of another seed."""
  c = pretrain.get_config('tiny')
  c.dataset.computed.kinds = ('ir',)
  c.train.steps, c.train.eval_every, c.checkpoint.every = 4, 4, 2
  c.optimizer.warmup_steps, c.log.figures, c.log.tensorboard = 1, False, False
  source = tmp_path / 'source.npz'
  if not source.exists():
    start = train.prepare(c.copy_and_resolve_references(), str(tmp_path / 'none'))
    drawn = train.initial_params(start.task, start.module, 7)
    weights.write(source, drawn, {'kinds': ['ir'], 'config': {}})
  c.adapt.init_from = str(source)
  c.update_from_flattened_dict(changes)
  return c


def run(c, workdir):
  made = train.prepare(c, str(workdir))
  with claim(made.workdir, made.config, made.data_hash):
    return train.train(made)


@pytest.mark.slow
@pytest.mark.parametrize('name', METHODS)
def test_a_run_starts_from_the_weights_resumes_and_moves_what_its_method_trains(name, tmp_path):
  c = tiny(tmp_path, **{'adapt.name': name})
  whole = run(c, tmp_path / 'whole')
  made, params = trained.load(tmp_path / 'whole')
  source, effective = weights.read(c.adapt.init_from).params, made.task.effective(params)
  moved_names = {
    leaf
    for leaf, x in weights.flat(source).items()
    if not leaf.startswith('head') and not np.array_equal(x, weights.flat(effective)[leaf])
  }
  kernels = {
    leaf for leaf in weights.flat(source) if leaf.endswith('kernel') and 'head' not in leaf
  }
  assert (moved_names >= kernels) if name != 'frozen' else not moved_names
  assert whole['parameters'] == sum(np.size(x) for x in weights.flat(params).values())
  assert ('backbone' in params) == (name == 'full')
  half = c.copy_and_resolve_references()
  made = train.prepare(half, str(tmp_path / 'half'))
  with claim(made.workdir, made.config, made.data_hash), pytest.raises(KeyboardInterrupt):
    stop_after(made, 2)
  again = run(half, tmp_path / 'half')
  assert again['resumed_from'] == 2
  assert again['results'] == whole['results']


def stop_after(made, step):
  """Trains until the checkpoint of `step` is there."""
  save = Checkpoints.save

  def saving(self, done, *rest, **options):
    saved = save(self, done, *rest, **options)
    if done == step:
      raise KeyboardInterrupt
    return saved

  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(Checkpoints, 'save', saving)
    train.train(made)


@pytest.mark.slow
def test_other_weights_are_another_run(tmp_path):
  c = tiny(tmp_path)
  run(c, tmp_path / 'run')
  other = weights.read(c.adapt.init_from)
  weights.write(c.adapt.init_from, moved(other.params), other.about)
  with pytest.raises(ValueError, match='was trained on data of hash'):
    trained.load(tmp_path / 'run')


@pytest.mark.slow
def test_a_workdir_of_the_foundation_model_gives_its_trunk_and_of_a_search_none(tmp_path):
  for config, folder in ((spektron_instruments, 'apart'), (spektron_search, 'search')):
    c = config.get_config('tiny')
    c.log.figures = False
    run(c, tmp_path / folder)
  found = adaptation.source(str(tmp_path / 'apart'))
  assert {'tokenizer', 'backbone'} <= set(found.params)
  assert found.kinds == ('ir', 'raman')
  assert found.config.backbone.name == spektron_instruments.get_config('tiny').backbone.name
  with pytest.raises(ValueError, match='run of task spectrum_search, expected masked or foundat'):
    adaptation.source(str(tmp_path / 'search'))
