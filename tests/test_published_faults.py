"""What was wrong in the published design of such a system, and what would have failed on it.

Hidden intensities reach the model: a convolution, or a scale, saw the whole spectrum.
  test_masked.py::test_jacobian_with_respect_to_hidden_intensities_is_exactly_zero
  test_foundation.py::test_no_output_depends_on_what_is_hidden
  test_disentangled.py::test_hidden_intensities_do_not_move_what_is_predicted_from_the_rest
  test_paired.py::test_nothing_hidden_reaches_the_model_and_kinds_are_hidden_apart
  test_cross_spectral.py::test_nothing_of_what_is_wanted_reaches_the_prediction
Less is hidden than is said: bands overlap.
  test_masked.py::test_nominal_coverage_is_real_coverage
  test_masked.py::test_bands_are_whole_and_disjoint
A prediction depends on those before it.
  test_foundation.py::test_predicting_twice_is_the_same_bits_and_keeps_no_state
  test_disentangled.py::test_prediction_is_of_each_molecule_and_the_same_twice
  test_pretrained.py::test_going_on_without_labels_gives_another_model_and_leaves_this_one
A part that is switched off is still there, or one that is on is not.
  test_foundation.py::test_what_is_switched_off_has_no_parameters
  test_retrieval.py::test_parts_that_are_off_have_no_parameters
  test_published_faults.py::test_each_part_that_the_study_takes_away_is_other_parameters
Settings that nothing reads.
  test_config.py::test_component_options_are_its_fields_and_defaults
  test_train.py::test_every_key_is_read
  test_published_faults.py::test_every_field_of_the_model_and_its_task_is_read
The wavenumber encoding is never called.
  test_published_faults.py::test_tokens_know_their_wavenumber
Losses without a gradient on the trunk, laws that hold no law.
  test_contracts.py::test_a_broken_law_costs_and_pulls_back
  test_published_faults.py::test_every_loss_moves_the_trunk
  test_disentangled.py::test_every_loss_moves_the_trunk
  test_retrieval.py::test_both_losses_reach_what_they_should
  test_spectrum_search.py::test_two_measurements_of_a_molecule_differ_and_the_loss_reaches_all
  test_losses.py::test_sums_compare_strength_and_not_place
  test_kramers_kronig_loss.py::test_false_pairs_are_seen_at_the_size_of_their_fault
The latent collapses, and nothing would miss it.
  test_disentangled.py::test_a_tiny_run_reports_latents_and_is_the_same_on_four_devices
  test_disentangled.py::test_a_lost_latent_stops_the_run_with_a_sentence
  test_disentangled.py::test_the_bottleneck_lies_on_the_way_to_both_reconstructions
  test_probes.py::test_units_that_never_move_are_not_active
Poles whose angle comes back as another, or cannot be had.
  test_discretisation.py::test_every_pole_survives_the_round_trip
  test_pole_drift.py::test_pole_angles_round_trip
Raman spectra made from the infrared ones, or of other molecules.
  test_published_faults.py::test_shipped_raman_intensities_are_no_function_of_infrared_ones
  test_computed_sets.py::test_pairs_are_told_from_rows_that_are_off_by_one
  test_vibrations.py::test_mutual_exclusion_with_an_inversion_centre
  test_vibrations.py::test_fifty_shipped_molecules_are_found_again
Seeds that all draw the same subset.
  test_published_faults.py::test_another_seed_keeps_other_groups_for_training
  test_features_report.py::test_draws_are_nested_differ_and_never_touch_the_test_side
  test_splits.py::test_hash_tells_the_split_and_not_the_order_of_rows
Folds that share samples.
  test_splits.py::test_folds_cover_all_rows_once_with_whole_groups
  test_between_spectra.py::test_candidates_are_judged_on_rows_that_no_fit_saw_and_groups_stay_whole
  test_chemometrics.py::test_a_fold_never_sees_replicates_of_its_samples
  test_probes.py::test_a_class_that_is_known_by_the_group_alone_is_not_told
A table of numbers that are pending.
  test_tables.py::test_what_is_missing_says_so_and_is_counted
"""

import functools
import pathlib
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs import spektron, spektron_cross, spektron_retrieval, spektron_search
from spectra_jax import batches, dropout, model, splits
from spectra_jax.datasets import computed
from spectra_jax.spectra import Spectra, uniform_axis
from spectra_jax.tokenize import Tokenizer
from tests.parameters import draw
from tests.recording import Recording, leaves

AXIS = uniform_axis(800.0, 2000.0, 320)
ROWS = slice(2300, 2348)
STEP = 700  # every schedule of a loss has begun


def test_every_test_of_the_list_is_there():
  listed = re.findall(r'^  (test_\w+\.py)::(test_\w+)$', __doc__, re.MULTILINE)
  assert len(listed) == __doc__.count('::')
  folder = pathlib.Path(__file__).parent
  defined = {
    file: re.findall(r'^def (\w+)', (folder / file).read_text(), re.M) for file, _ in listed
  }
  assert [(file, name) for file, name in listed if name not in defined[file]] == []
  own = {name for name in defined[pathlib.Path(__file__).name] if name.startswith('test_')}
  assert own - {name for _, name in listed} == {'test_every_test_of_the_list_is_there'}


def test_tokens_know_their_wavenumber():
  """The same values elsewhere on the axis, at the same places between tokens."""
  options = {'width': 6, 'kinds': 1, 'step_cm': 40.0, 'knots_per_step': 2, 'kernel_cm': 120.0}
  module, seen = Tokenizer(**options, fourier_features=4), np.ones((1, 60), bool)
  nu, values = np.arange(800.0, 1400.0, 10.0), np.ones((1, 60), np.float32)
  call = lambda variables, nu: module.apply(variables, values, seen, np.zeros(1, int), nu)
  variables = draw(lambda key: module.init(key, values, seen, np.zeros(1, int), nu))
  here = call(variables, nu)
  assert jnp.abs(here - call(variables, nu + 400.0)).max(-1).min() > 0.1


def test_shipped_raman_intensities_are_no_function_of_infrared_ones():
  """About an inversion centre every mode has one of the two, and elsewhere they share modes."""
  lines = computed.load_lines()
  every = np.arange(len(lines))
  ir, raman = (
    np.float64(computed.padded_modes(lines, computed.INTENSITY_OF_KIND[kind], every)[1])
    for kind in ('ir', 'raman')
  )
  overlap = np.sqrt(ir * raman).sum(1) / np.sqrt(ir.sum(1) * raman.sum(1))
  assert overlap[lines.centrosymmetric].max() < 1e-5
  assert 0.1 < overlap[~lines.centrosymmetric].min() < overlap.max() < 0.99


@pytest.mark.parametrize('share', [0.1, 0.5])
def test_another_seed_keeps_other_groups_for_training(share):
  ids = np.array([f'r{i}' for i in range(600)])
  groups = np.array([f'g{i // 3}' for i in range(600)])
  split = splits.make_split(ids, groups, 'grouped', (0.8, 0.1, 0.1), 0)
  thin = lambda seed: splits.thin_training(split, ids, groups, share, seed)
  kept = [set(thin(seed).train) for seed in range(5)]
  assert set(thin(0).train) == kept[0]
  assert len({thin(seed).hash for seed in range(5)}) == 5
  for i, one in enumerate(kept):
    for other in kept[:i]:
      assert abs(len(one & other) / len(one) - share) < 0.25  # as of independent draws


# ---- the tasks of the foundation model, small ---------------------------------


@functools.cache
def spectra():
  """Computed molecules, every third of which is said to have an inversion centre."""
  lines = computed.load_lines()
  meta = computed.columns(lines, ROWS)
  meta['centrosymmetric'] = np.arange(len(meta['id'])) % 3 == 0
  made = {}
  for kind in ('ir', 'raman'):
    values = computed.render(lines, kind, AXIS, 'lorentz', (16.0,), ROWS)
    mask = np.ones(values.shape, bool)
    made[kind] = Spectra(values, AXIS, 'cm^-1', kind, 'computed', mask, meta, 'some')
  return made


def laws():
  """Across spectra, with every term and option there is."""
  config = spektron_cross.get_config('tiny').unlock()
  config.update_from_flattened_dict(spektron_cross.LAWS[1])
  config.head.unconstrained.names = ('ir', 'raman')
  config.task.cross_spectral.known = ('centrosymmetric',)
  config.task.cross_spectral.hidden = 0.3
  config.loss.weights.model.own_mse = 0.3
  return config.lock()


CONFIGS = {
  'foundation': lambda: spektron.get_config('tiny'),
  'cross_spectral': laws,
  'retrieval': lambda: spektron_retrieval.get_config('tiny'),
  'spectrum_search': lambda: spektron_search.get_config('tiny'),
}


def build(config):
  meta = spectra()['ir'].meta
  split = splits.make_split(meta['id'], meta['group'], 'grouped', (0.6, 0.2, 0.2), 0)
  return model.component('tasks', config.task.name).build(config, spectra(), split)


def first(task, count):
  """The first training examples."""
  return {name: np.asarray(x[:count]) for name, x in task.examples('train').items()}


def initial(task, module, batch):
  """key -> parameters."""

  def initialise(key):
    inputs, _ = task.inputs(batches.example_keys(0, 0, batch['row']), 0, batch, train=True)
    return module.init(key, **inputs, nu_L=task.nu_L, train=False)['params']

  return initialise


def terms(task, module, params, batch):
  """Every term of the loss in training, its mean."""
  mask_B, drop_B = batches.split_keys(batches.example_keys(0, STEP, batch['row']))
  inputs, targets = task.inputs(mask_B, STEP, batch, train=True)
  variables = {'params': params, **dropout.example_keys(drop_B)}
  outputs = module.apply(variables, **inputs, nu_L=task.nu_L, train=True)
  return {name: term.mean() for name, term in task.losses(outputs, targets).items()}


def shapes(config):
  """{path: shape} of a config's parameters."""
  task = build(config)
  module, batch = task.module(), first(task, 2)
  tree = jax.eval_shape(initial(task, module, batch), jax.random.key(0))
  return {jax.tree_util.keystr(path): x.shape for path, x in jax.tree.leaves_with_path(tree)}


@pytest.mark.slow
@pytest.mark.parametrize('name', CONFIGS)
def test_every_field_of_the_model_and_its_task_is_read(name):
  config, read = CONFIGS[name](), set()
  task = build(Recording(config, read))
  module, batch = task.module(), first(task, 2)
  params = jax.eval_shape(initial(task, module, batch), jax.random.key(0))
  jax.eval_shape(functools.partial(terms, task, module), params, batch)
  for outputs in task.baselines('test').values():
    task.score(outputs, 'test')
  heads = {config.head.name}
  if name == 'foundation':
    task.alarm(10**6, {'active_chem': 10**6, 'probe_gap': 1.0})
    heads = {head for head in config.foundation.heads.values() if head}
  asked = [f'task.{name}.', 'tokenize.', f'backbone.{config.backbone.name}.']
  asked += [f'head.{head}.' for head in heads] + ['foundation.'] * (name == 'foundation')
  wanted = {key for key in leaves(config) if key.startswith(tuple(asked))}
  assert wanted > {f'backbone.{config.backbone.name}.blocks'}
  assert wanted - read == set()


@pytest.mark.slow
@pytest.mark.parametrize('part', spektron.WITHOUT)
def test_each_part_that_the_study_takes_away_is_other_parameters(part):
  config = spektron.get_config('tiny')
  config.update_from_flattened_dict(spektron.WITHOUT[part])
  assert shapes(config) != whole()


@functools.cache
def whole():
  return shapes(spektron.get_config('tiny'))


@pytest.mark.slow
@pytest.mark.parametrize('name', ['foundation', 'cross_spectral'])
def test_every_loss_moves_the_trunk(name):
  task = build(CONFIGS[name]())
  module, batch = task.module(), first(task, 8)
  params = draw(initial(task, module, batch))
  found = jax.jit(jax.jacrev(lambda params: terms(task, module, params, batch)))(params)
  assert set(found) == set(task.config.loss.weights.model)
  for label, tree in found.items():
    trunk = (tree['foundation'] if name == 'foundation' else tree)['backbone']
    assert all(jnp.isfinite(x).all() for x in jax.tree.leaves(tree)), label
    assert max(jnp.abs(x).max() for x in jax.tree.leaves(trunk)) > 1e-6, label
  every = jax.tree.map(lambda *slopes: sum(jnp.abs(x) for x in slopes), *found.values())
  for path, leaf in jax.tree_util.tree_leaves_with_path(every):
    assert leaf.max() > 0, path
