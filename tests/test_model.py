"""Components by name, and models of a wanted size."""

import jax
import numpy as np
import pytest

from configs import default
from spectra_jax import model
from spectra_jax.tasks import masked
from tests.parameters import draw


def parameters(config):
  """Counted from parameters that exist."""
  spectra = jax.numpy.zeros((1, config.axis.points))
  nu_L = jax.numpy.linspace(config.axis.low_cm, config.axis.high_cm, config.axis.points)
  module = model.build(config, kinds=2)
  arrays = (spectra, spectra > 0, jax.numpy.zeros(1, int), jax.device_get(nu_L))
  variables = module.init(jax.random.key(0), *arrays, False)
  return sum(leaf.size for leaf in jax.tree.leaves(variables))


@pytest.mark.parametrize('name', ['linoss', 'hybrid'])
def test_two_million_parameters(name):
  config = default.get_config()
  config.backbone.name = name
  config.axis.high_cm, config.axis.points = 1100.0, 200  # no axis has parameters; splines take time
  matched, counts = model.match_params(config, 2e6, kinds=2)
  assert abs(counts['total'] / 2e6 - 1) < 0.05
  assert matched.backbone.width % 8 == 0
  assert config.backbone.width == default.get_config().backbone.width
  changed = matched.copy_and_resolve_references()
  changed.backbone.width = config.backbone.width
  assert changed.to_dict() == config.to_dict()


@pytest.mark.slow
def test_counts_are_those_of_the_parameters():
  config = default.get_config()
  config.backbone.width = 8
  config.backbone.linoss.state = 4
  counts = model.count_parameters(config, kinds=2)
  assert counts['total'] == parameters(config)
  assert counts['total'] == sum(counts[part] for part in ('tokenizer', 'backbone', 'head'))


def test_a_budget_below_the_smallest_width_is_refused():
  with pytest.raises(ValueError, match='at its smallest width 8, expected about 100; raise'):
    model.match_params(default.get_config(), 100, kinds=2)


def test_what_is_known_goes_to_a_head_that_takes_it():
  config = default.get_config()
  module = model.build(config, kinds=2)
  nu_L = jax.numpy.linspace(400.0, 700.0, 100)
  arrays = (jax.numpy.zeros((1, 100)), jax.numpy.ones((1, 100), bool), jax.numpy.zeros(1, int))
  call = lambda: module.init(
    jax.random.key(0), *arrays, jax.device_get(nu_L), False, known_B=jax.numpy.ones(1)
  )
  with pytest.raises(ValueError, match=r'known_B was given to spectra_jax\.heads\.reconstruct'):
    jax.eval_shape(call)


def test_a_head_meets_what_is_known_of_each_example():
  config = default.get_config()
  config.head.name = 'integral_matched'
  config.backbone.name, config.backbone.width, config.backbone.conv.blocks = 'conv', 8, 1
  module, nu_L = model.build(config, kinds=2), np.linspace(400.0, 700.0, 100)
  arrays = (np.ones((2, 100), 'f'), np.ones((2, 100), bool), np.zeros(2, int), nu_L, False)
  variables = draw(lambda key: module.init(key, *arrays))
  known_B = np.array([3.0, 0.5], 'f')
  values = jax.jit(lambda v: module.apply(v, *arrays, known_B))(variables)
  np.testing.assert_allclose(np.trapezoid(values, nu_L), known_B, rtol=1e-5)


def test_masked_reconstruction_refuses_a_head_of_several_spectra():
  task = masked.Task(default.get_config(), *[None] * 6)
  with pytest.raises(ValueError, match="head 'reconstruct' gives ir, raman, expected one spectrum"):
    task.losses({'ir': None, 'raman': None}, {})
