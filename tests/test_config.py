"""Every key is read, every option is a field, every config makes a run that can be prepared."""

import importlib
import inspect
import pathlib
import pkgutil

import pytest

import configs
import spectra_jax.datasets
from configs import default, pretrain
from spectra_jax import model
from spectra_jax.train import prepare

VARIANTS = ('full', 'quick', 'tiny')  # of configs that do not name their own
NO_RUN = ('default', 'tables', 'paper')  # what all runs start from, and what is made of runs


def files(package):
  return [found.name for found in pkgutil.iter_modules(package.__path__)]


COMPONENTS = [
  (part, name) for part, (folder, _, _) in model.PARTS.items() for name in model.names(folder)
]


@pytest.mark.parametrize(('part', 'name'), COMPONENTS)
def test_component_options_are_its_fields_and_defaults(part, name):
  folder, cls, _ = model.PARTS[part]
  build = getattr(importlib.import_module(f'spectra_jax.{folder}.{name}'), cls)
  options = default.get_config()[part][name].to_dict()
  assert set(options) == model.own_fields(build, part)
  filled_in = dict.fromkeys(model.shared_fields(build, part), 3)
  assert build(**filled_in) == build(**filled_in, **options)


@pytest.mark.parametrize('name', files(spectra_jax.datasets))
def test_data_set_options_are_its_arguments(name):
  module = importlib.import_module(f'spectra_jax.datasets.{name}')
  keywords = [
    p for p in inspect.signature(module.load).parameters.values() if p.kind is p.KEYWORD_ONLY
  ]
  options = default.get_config().dataset[name].to_dict()
  assert options == {p.name: p.default for p in keywords}
  assert {'name', 'urls', 'version', 'licence', 'citation', 'units'} <= set(module.INFO)


def test_every_key_has_a_comment():
  source = pathlib.Path(default.__file__).read_text().splitlines()
  keys = [x for x in source if x.startswith('  c.') and not x.endswith('ConfigDict()')]
  assert len(keys) > 50
  assert all('  # ' in line for line in keys)


def variants(name):
  return getattr(importlib.import_module(f'configs.{name}'), 'VARIANTS', VARIANTS)


RUNS = [
  (name, variant) for name in files(configs) if name not in NO_RUN for variant in variants(name)
]


@pytest.mark.parametrize(('name', 'variant'), RUNS)
def test_every_config_asks_for_what_there_is(name, variant):
  config = importlib.import_module(f'configs.{name}').get_config(variant)
  model.check_options(config.copy_and_resolve_references())
  for part in ('task', 'dataset'):
    assert config[part].name in config[part]
    model.component(f'{part}s', config[part].name)


def longer(name, variant):
  """A minute in all: the slow run has them, and the default one each config's tiny sibling."""
  slow = variant == 'corrected' or (variant != 'tiny' and not name.startswith(('rruff', 'nir')))
  return [pytest.mark.slow] if slow else []


@pytest.mark.parametrize(
  ('name', 'variant'), [pytest.param(*run, marks=longer(*run)) for run in RUNS]
)
def test_every_config_can_be_prepared(name, variant, tmp_path, request):
  config = importlib.import_module(f'configs.{name}').get_config(variant)
  data = config.dataset[config.dataset.name]
  if config.dataset.name == 'folder':
    pytest.skip('a folder of your own; tests/test_own.py makes one')
  if data.get('path'):  # spectra that do not ship with the package
    folder = request.getfixturevalue('real_data')
    data.path = str(folder / config.dataset.name)
    if data.get('archive'):
      data.archive = str(folder / pathlib.Path(data.archive).name)
  run = prepare(config, str(tmp_path))
  assert run.task.split.regime == config.split.regime


def test_unknown_variant_is_refused():
  with pytest.raises(
    ValueError, match="no variant 'fast', expected one of full, long, wide, quick, tiny"
  ):
    pretrain.get_config('fast')


def test_misspelt_key_is_refused():
  config = pretrain.get_config('tiny')
  with pytest.raises(AttributeError, match='Did you mean "steps"'):
    config.train.stps = 3


@pytest.mark.parametrize(
  ('change', 'words'),
  [
    ({'backbone.name': 'linos'}, "backbones has no 'linos', expected one of conv"),
    ({'head.name': 'regression'}, "heads has no 'regression', expected one of .*reconstruct"),
    ({'head.name': 'regress'}, "head 'regress' needs outputs, which a model that predicts spectra"),
    (
      {'encoder.name': 'compact_cnn'},
      "'compact_cnn', expected tokens for a model that predicts sp",
    ),
    ({'task.name': 'mask'}, "tasks has no 'mask', expected one of classify"),
    ({'dataset.computed.path': 'none.npz'}, 'none.npz is missing'),
    ({'axis.points': 40}, 'axis step is .* at most 8; raise axis.points'),
    ({'axis.points': 100_000}, 'finer than lines of FWHM 16'),
    ({'axis.low_cm': 3000.0}, 'axis is not strictly increasing'),
    ({'train.batch_size': 15, 'train.accumulate': 2}, 'train.batch_size is 15; expected'),
    ({'parallel.devices': 4096}, 'parallel.devices is 4096'),
    ({'parallel.fsdp': 3, 'parallel.devices': 8}, 'parallel.fsdp is 3; expected a divisor of 8'),
    ({'parallel.fsdp': 2, 'parallel.map': 'pmap'}, "'pmap' with parallel.fsdp = 2"),
    ({'backbone.linoss.sequence_axis': 'seq'}, "sequence_axis is 'seq', expected '' in a config"),
    ({'parallel.seq': 3, 'parallel.devices': 8}, 'parallel.seq is 3; expected a divisor of 8'),
    ({'parallel.seq': 2, 'parallel.map': 'pmap'}, "'pmap' with parallel.seq = 2"),
    ({'parallel.seq': 2, 'backbone.name': 's5'}, 'backbones.s5, expected a backbone with a seq'),
    ({'parallel.seq': 2, 'backbone.name': 'interferogram'}, 'needs all tokens on one device'),
    ({'parallel.map': 'xmap'}, "parallel.map is 'xmap'; expected one of"),
    ({'split.regime': 'random'}, "split.regime is 'random'"),
    ({'optimizer.name': 'lion'}, "optimizer.name is 'lion'"),
    ({'tokenize.step_cm': 4.0}, 'tokeniser has a knot every 2 cm'),
    ({'train.activations': 'float16'}, "train.activations is 'float16', expected one of"),
    ({'task.masked.ratio': 1.5}, 'task.masked.ratio is 1.5, expected a share between 0 and 1'),
    ({'task.masked.band_cm': 1.0}, 'task.masked.band_cm is 1 cm'),
  ],
)
def test_bad_values_are_refused_before_any_compute(change, words, tmp_path):
  config = pretrain.get_config('tiny')
  config.update_from_flattened_dict(change)
  with pytest.raises((ValueError, OSError), match=words):
    prepare(config, str(tmp_path))


@pytest.mark.parametrize(('part', 'name'), [('backbone', 'linoss'), ('head', 'reconstruct')])
def test_a_component_with_a_key_too_many_is_refused(part, name):
  config = pretrain.get_config('tiny')
  with config.unlocked():
    config[part][name].blcks = 2
  with pytest.raises(ValueError, match=rf"{part}.{name} has \['blcks'\] too many and \[\] too few"):
    model.check_options(config)


def test_a_component_without_options_is_refused():
  config = pretrain.get_config('tiny')
  with config.unlocked():
    del config.head.reconstruct
  with pytest.raises(ValueError, match=r"no options for 'reconstruct'; add config\.head\.recon"):
    model.check_options(config)


def test_loss_weights_are_checked_before_any_compute(tmp_path):
  config = pretrain.get_config('tiny')
  with config.unlocked():
    config.loss.weights.model.typo = 1.0
  with pytest.raises(ValueError, match=r"names \['masked_mse', 'typo'\], but the task returns"):
    prepare(config, str(tmp_path))
  with config.unlocked():
    del config.loss.weights.model.typo
    config.loss.weights.second = {'masked_mse': 1.0}
  with pytest.raises(ValueError, match=r'loss.weights.second is there, expected the weights of'):
    prepare(config, str(tmp_path))
