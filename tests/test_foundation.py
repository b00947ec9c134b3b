"""The foundation model: what is switched off is not there, nothing leaks, any grid, no state."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.interpolate import CubicSpline

from configs import default
from spectra_jax import foundation, model
from spectra_jax.bottleneck import Bottleneck
from spectra_jax.dropout import example_keys
from spectra_jax.mixture import Mixture
from spectra_jax.physics.line_shapes import lorentz
from tests.parameters import draw

TARGETS = 3
HEADS = {
  'reconstruction': 'reconstruct',
  'cross': 'reconstruct',
  'physics': 'unconstrained',
  'decoded': 'latent_decoder',
  'transferred': 'transfer_operator',
  'properties': 'regress',
  'embedding': 'embedding',
}
TINY = {
  'tokenize.step_cm': 28.0,
  'tokenize.kernel_cm': 280.0,
  'tokenize.fourier_features': 4,
  'tokenize.resolution': True,
  'backbone.width': 8,
  'backbone.name': 'conv',  # which compiles soonest; the contracts are about all of them
  'backbone.conv.blocks': 1,
  'foundation.mixture.experts': 4,
  'foundation.attention.blocks': 1,
  'foundation.attention.heads': 2,
  'foundation.bottleneck.chem': 6,
  'foundation.bottleneck.inst': 3,
  'foundation.bottleneck.queries': 2,
  'foundation.embedding': 5,
  'head.latent_decoder.hidden': 8,
  'head.latent_decoder.high_cm': 1200.0,
  'head.transfer_operator.width': 4,
  'head.transfer_operator.modes': 12,
  'head.transfer_operator.period_cm': 1200.0,
} | {f'foundation.heads.{output}': head for output, head in HEADS.items()}


def config_of(**changes):
  config = default.get_config()
  config.update_from_flattened_dict(TINY | changes)
  return config


def grid(step):
  """The middles of cells that cover 400 to 1120 cm^-1: the same range whatever the step."""
  return np.arange(400.0 + step / 2, 1120.0, step)


def spectrum(nu, seed=0):
  """Three Lorentz lines of FWHM 16, square root: [L] float32."""
  rng = np.random.default_rng(seed)
  lines = zip(rng.uniform(500, 1000, 3), rng.uniform(3, 10, 3), strict=True)
  return np.sqrt(sum(a * np.asarray(lorentz(nu - c, 16.0)) for c, a in lines)).astype(np.float32)


def inputs(nu, rows=2, seen=None):
  values = np.stack([spectrum(nu, row) for row in range(rows)])
  seen = np.ones(len(nu), bool) if seen is None else seen
  return {
    'values_BxL': values,
    'visible_BxL': np.broadcast_to(seen, values.shape),
    'kind_B': np.arange(rows, dtype=np.int32) % 2,
    'fwhm_B': np.full(rows, 16.0, np.float32),
  }


@functools.cache
def made(kernel='wavelet'):
  """(module, variables) with parameters drawn once for the 2 cm^-1 grid."""
  module = foundation.build_foundation(config_of(**{'tokenize.kernel': kernel}), 2, TARGETS)
  initialise = lambda key, x: module.init(key, **x, nu_L=grid(2.0), train=False)
  return module, draw(initialise, inputs(grid(2.0)))


@functools.cache
def forward(step, kernel='wavelet'):
  module, variables = made(kernel)
  return jax.jit(lambda x: module.apply(variables, **x, nu_L=grid(step), train=False))


def tree(**changes):
  """{dotted path: shape} of the parameters of a config."""
  config = config_of(**changes)
  module = foundation.build_foundation(config, 2, TARGETS)
  initialise = lambda: module.init(
    jax.random.key(0), **inputs(grid(4.0)), nu_L=grid(4.0), train=False
  )
  leaves = jax.tree.leaves_with_path(jax.eval_shape(initialise)['params'])
  return {'.'.join(key.key for key in path): leaf.shape for path, leaf in leaves}


SWITCHES = {
  'mixture': {'foundation.mixture.experts': 0},
  'attention': {'foundation.attention.blocks': 0},
  'bottleneck.inst': {
    'foundation.bottleneck.inst': 0,
    'foundation.heads.transferred': '',
  },
  'tokenizer.resolution': {'tokenize.resolution': False},
} | {f'heads_{output}': {f'foundation.heads.{output}': ''} for output in HEADS}


@functools.cache
def whole():
  return tree()


@pytest.mark.parametrize('part', SWITCHES)
def test_what_is_switched_off_has_no_parameters(part):
  without = tree(**SWITCHES[part])
  assert any(name.startswith(part) for name in whole())
  assert not any(name.startswith(part) for name in without)
  assert set(without) < set(whole())


def test_without_a_bottleneck_only_tokens_are_read():
  off = dict.fromkeys(('decoded', 'transferred', 'properties', 'embedding'), '')
  off = {f'foundation.heads.{output}': head for output, head in off.items()}
  parts = {name.split('.')[0] for name in tree(**off, **{'foundation.bottleneck.chem': 0})}
  assert parts == {
    *('tokenizer', 'backbone', 'mixture', 'attention'),
    *('heads_reconstruction', 'heads_cross', 'heads_physics'),
  }


def test_kernels_differ_in_their_weights_alone():
  rows = {kernel: tree(**{'tokenize.kernel': kernel}) for kernel in ('spline', 'dilated')}
  # Half a kernel of 280 cm^-1 is 10 knots of 14: 21 knots, or five splines of 1, 2 and of 3 levels.
  assert rows['spline'].pop('tokenizer.kernel.kernel') == (2 * 21, 8)
  assert rows['dilated'].pop('tokenizer.kernel.kernel') == (2 * 10, 8)
  assert rows['spline'] == rows['dilated']


def test_options_are_the_fields_and_defaults_of_their_classes():
  options = default.get_config().foundation
  attention = model.component('backbones', 'transformer').Backbone
  for cls, given in (
    (Mixture, options.mixture),
    (Bottleneck, options.bottleneck),
    (attention, options.attention),
  ):
    assert set(given.to_dict()) == model.fields(cls)
  assert Mixture() == Mixture(**options.mixture.to_dict())
  assert Bottleneck() == Bottleneck(**options.bottleneck.to_dict())
  assert set(options.heads.to_dict()) == set(foundation.READS)


KERNELS = (
  'wavelet',
  *(pytest.param(kernel, marks=pytest.mark.slow) for kernel in ('spline', 'dilated')),
)


@pytest.mark.slow
@pytest.mark.parametrize('kernel', ['spline', 'dilated', 'wavelet'])
def test_one_set_of_weights_on_any_grid_and_with_a_missing_band(kernel):
  """Lines of FWHM 16 cm^-1 on 1, 2 and 4 cm^-1; errors over the largest value of each output.

  What is left is the tokeniser's sum over the grid, which falls with the second power of the step:
  at most 8e-4 between 1 and 2 cm^-1 and 4e-3 between 1 and 4, and 2e-4 of latents.
  """
  for band in ((0.0, 0.0), (720.0, 800.0)):
    outputs = {}
    for step in (1.0, 2.0, 4.0):
      nu = grid(step)
      outputs[step] = forward(step, kernel)(inputs(nu, seen=(nu < band[0]) | (nu > band[1])))
    for step, on_axis, of_latents in ((2.0, 1.5e-3, 3e-5), (4.0, 8e-3, 4e-4)):
      pairs = zip(jax.tree.leaves(outputs[1.0]), jax.tree.leaves(outputs[step]), strict=True)
      for fine, coarse in pairs:
        spectral = fine.shape[-1] == len(grid(1.0))
        fine = CubicSpline(grid(1.0), fine, axis=-1)(grid(step)) if spectral else fine
        error = np.abs(coarse - fine).max() / np.abs(fine).max()
        assert error < (on_axis if spectral else of_latents)


@pytest.mark.parametrize('kernel', KERNELS)
def test_no_output_depends_on_what_is_hidden(kernel):
  module, variables = made(kernel)
  nu = grid(4.0)
  seen = (nu < 600) | (nu > 700)
  given = inputs(nu, seen=seen)
  loud = np.where(seen, given['values_BxL'], np.nan)
  fixed = {name: x for name, x in given.items() if name != 'values_BxL'}

  @jax.jit
  def pulled(values, key):
    """Outputs, and a random combination of all rows of their Jacobian."""
    run = lambda values: module.apply(variables, values, **fixed, nu_L=nu, train=False)
    outputs, pullback = jax.vjp(run, values)
    leaves, shape = jax.tree.flatten(outputs)
    keys = jax.random.split(key, len(leaves))
    drawn = [jax.random.normal(k, x.shape) for k, x in zip(keys, leaves, strict=True)]
    return outputs, pullback(jax.tree.unflatten(shape, drawn))[0]

  outputs, slope = pulled(given['values_BxL'], jax.random.key(3))
  np.testing.assert_array_equal(np.asarray(slope)[:, ~seen], 0)
  assert (np.abs(np.asarray(slope)[:, seen]) > 0).all()
  same = pulled(loud, jax.random.key(3))[0]
  jax.tree.map(np.testing.assert_array_equal, same, outputs)


def test_predicting_twice_is_the_same_bits_and_keeps_no_state():
  module, variables = made()
  nu, given = grid(4.0), inputs(grid(4.0))
  other = {name: x[::-1] for name, x in given.items()}
  first, turned, second = (forward(4.0)(x) for x in (given, other, given))
  np.testing.assert_allclose(turned['chem'][::-1], first['chem'], rtol=1e-4, atol=1e-5)
  jax.tree.map(np.testing.assert_array_equal, first, second)
  np.testing.assert_array_equal(first['chem'], first['chem_mean'])
  np.testing.assert_array_equal(first['inst'], first['inst_mean'])
  keys = example_keys(jax.random.split(jax.random.key(0), 2))
  for train in (False, True):
    run = lambda v, x, train=train: module.apply(v | keys, **x, nu_L=nu, train=train, mutable=True)
    assert set(jax.eval_shape(run, variables, given)[1]) <= {'params', *keys}


@functools.cache
def training():
  """(x, keys) -> outputs in training, each row with the next one's instrument; jitted."""
  module, variables = made()
  lend = lambda _, inst_BxZ: jnp.roll(inst_BxZ, -1, axis=0)
  apply = lambda x, keys: module.apply(
    variables | example_keys(keys), **x, nu_L=grid(4.0), train=True, lend=lend
  )
  return jax.jit(apply)


def test_latents_swap_and_noise_belongs_to_row_and_view():
  """Four rows are two views of two examples with a key each."""
  module, variables = made()
  nu, keys = grid(4.0), jax.random.split(jax.random.key(1), 2)
  given = inputs(nu, rows=4)
  out = training()(given, keys)
  decode = lambda chem, inst: module.apply(variables, chem, inst, nu, method='decode')
  np.testing.assert_allclose(out['decoded'], decode(out['chem'], out['inst']), atol=1e-5)
  turned = decode(out['chem'], np.roll(out['inst'], -1, axis=0))
  np.testing.assert_allclose(out['swapped'], turned, atol=1e-5)
  assert np.abs(out['swapped'] - out['decoded']).max() > 1e-3
  noise = (out['chem'] - out['chem_mean']) / np.exp(0.5 * out['chem_log_variance'])
  assert np.abs(noise[:, None] - noise).max(-1)[~np.eye(4, dtype=bool)].min() > 0.1
  swap = lambda tree: jax.tree.map(
    lambda x: x.reshape(2, 2, *x.shape[1:])[:, ::-1].reshape(x.shape), tree
  )
  same = swap(training()(swap(given), keys[::-1]))
  for name in ('chem', 'inst', 'decoded', 'reconstruction'):
    np.testing.assert_allclose(same[name], out[name], rtol=1e-4, atol=1e-5)


def test_what_is_borrowed_reaches_what_is_made_of_it_and_nothing_else():
  module, variables = made()
  nu, keys = grid(4.0), jax.random.split(jax.random.key(1), 2)
  given = inputs(nu, rows=4)
  louder = given['values_BxL'] * np.float32([1, 2, 1, 1])[:, None]
  out, changed = (
    training()(given | {'values_BxL': x}, keys) for x in (given['values_BxL'], louder)
  )
  for name in ('transferred', 'swapped'):  # the first row borrows of the second
    assert np.abs(changed[name] - out[name])[0].max() > 1e-4
  for name in ('reconstruction', 'cross', 'decoded', 'properties', 'embedding', 'chem', 'inst'):
    np.testing.assert_allclose(changed[name][0], out[name][0], atol=1e-6)
  decode = lambda nu: module.apply(variables, out['chem'], out['inst'], nu, method='decode')
  np.testing.assert_allclose(decode(nu)[:, ::3], decode(nu[::3]), atol=1e-5)


def test_training_without_keys_is_refused():
  module, variables = made()
  run = lambda x: module.apply(variables, **x, nu_L=grid(4.0), train=True)
  with pytest.raises(ValueError, match='got no per-example keys'):
    jax.eval_shape(run, inputs(grid(4.0)))


@pytest.mark.parametrize(
  ('changes', 'words'),
  [
    ({'foundation.bottleneck.chem': 0}, r'reads chem, and the bottleneck has chem = 0'),
    (
      {'foundation.bottleneck.inst': 0},
      r"heads\.transferred is 'transfer_operator', which reads i",
    ),
    (
      {'foundation.heads.properties': 'reconstruct'},
      r'which gives spectra, expected a head of num',
    ),
    ({'foundation.heads.cross': 'embedding'}, r'which gives numbers, expected a head of spectra'),
    ({'foundation.heads.transferred': 'reconstruct'}, r'no instrument can be given to'),
    ({'foundation.heads.properties': 'embedding'}, r'a head for the embedding; choose another'),
    ({'foundation.heads.cross': 'crossed'}, r"heads has no 'crossed', expected one of"),
    ({'encoder.name': 'compact_cnn'}, r'expected tokens for a model that predicts spectra'),
    ({'tokenize.kernel': 'haar'}, r"kernel is 'haar', expected one of spline, dilated, wavelet"),
    ({'foundation.mixture.experts': 1}, r'experts is 1, expected at least the 2'),
    ({'head.latent_decoder.high_cm': 900.0}, r"402 to 1118 cm.*decoder's 350 to 900; cut it"),
    ({'head.transfer_operator.modes': 40}, r'40 modes of a period of 1200 .* at most 21 modes'),
  ],
)
def test_bad_configs_are_refused(changes, words):
  with pytest.raises(ValueError, match=words):
    tree(**changes)


def test_properties_need_targets():
  with pytest.raises(ValueError, match="is 'regress' and there are 0 targets"):
    foundation.build_foundation(config_of(), 2, targets=0)
