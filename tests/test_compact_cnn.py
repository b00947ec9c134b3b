"""The compact CNN: its fixed channels, its shifts, what is hidden, and the pools behind it."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.signal import savgol_filter

from spectra_jax.encoders import compact_cnn
from spectra_jax.heads.classify import Head
from spectra_jax.pooling import Pool
from tests.parameters import draw

NU = np.arange(200.0, 456.0)
CHANNELS = compact_cnn.CHANNELS


def spectra(seed=0, rows=3):
  rng = np.random.default_rng(seed)
  places = rng.uniform(80, 150, (rows, 5, 1))
  lines = np.exp(-0.5 * ((np.arange(len(NU)) - places) / 4) ** 2).sum(1)
  return np.float32(lines)


def encoder(**options):
  small = {'widths': (4, 6), 'kernels': (7, 5), 'pools': (4, 2), 'taps': 5}
  return compact_cnn.Encoder(**{**small, **options})


@functools.cache
def initialised(module):
  call = lambda variables, x, seen: module.apply(variables, x, seen, None, NU, False)
  initialise = lambda key, x, seen: module.init(key, x, seen, None, NU, False)
  return jax.jit(call), draw(initialise, spectra(), np.full((3, len(NU)), True))


def features(module, x, seen=None):
  call, variables = initialised(module)
  return call(variables, x, np.full(x.shape, True) if seen is None else seen)


def test_channels_are_what_they_say():
  x, seen = spectra(), np.full((3, len(NU)), True)
  found = encoder(channels=CHANNELS)._channels(x, seen)
  by_name = dict(zip(CHANNELS, np.moveaxis(np.asarray(found), -1, 0), strict=True))
  np.testing.assert_array_equal(by_name['scaled'], x)
  snv = (x - x.mean(1, keepdims=True)) / x.std(1, keepdims=True)
  np.testing.assert_allclose(by_name['snv'], snv, atol=1e-5)
  slope = savgol_filter(x, 5, 2, deriv=1)[:, 2:-2]
  slope /= np.sqrt((slope**2).mean(1, keepdims=True))
  np.testing.assert_allclose(by_name['derivative'][:, 2:-2], slope, atol=1e-3)
  assert (by_name['derivative'][:, [0, 1, -2, -1]] == 0).all()
  rooted = np.sign(slope) * np.sqrt(np.abs(slope))
  np.testing.assert_allclose(by_name['root_derivative'][:, 2:-2], rooted, atol=2e-3)


@pytest.mark.parametrize('channel', ['snv', 'derivative'])
def test_scale_and_offset_do_not_reach_corrected_channels(channel):
  module = encoder(channels=(channel,))
  changed = features(module, 3 * spectra() + 2)
  np.testing.assert_allclose(changed, features(module, spectra()), atol=2e-3)


def test_hidden_values_do_not_reach_the_features():
  module, seen = encoder(channels=CHANNELS), np.full((3, len(NU)), True)
  seen[:, 100:120] = False
  noise = 1e4 * np.random.default_rng(0).normal(size=(3, len(NU)))
  spoilt = np.where(seen, spectra(), noise).astype(np.float32)
  np.testing.assert_array_equal(features(module, spoilt, seen), features(module, spectra(), seen))
  assert np.abs(features(module, spectra(), seen) - features(module, spectra())).max() > 1e-3


@pytest.mark.parametrize('strides', [(1, (4, 2), 8), (2, (4, 1), 8), (1, (1, 16), 16)])
def test_a_shift_by_the_stride_moves_features_by_one_place(strides):
  stride, pools, points = strides
  module = encoder(stride=stride, pools=pools)
  x = spectra()
  still, moved = features(module, x), features(module, np.roll(x, points, 1))
  middle = slice(2, -2)  # beyond it a kernel reaches over the end
  np.testing.assert_allclose(moved[:, 1:][:, middle], still[:, :-1][:, middle], atol=1e-5)
  assert np.abs(moved - still).max() > 1e-2
  pooled = [np.asarray(x[:, middle]).max(1) for x in (still, moved[:, 1:])]
  np.testing.assert_allclose(*pooled, atol=1e-5)


def test_pools_forget_or_keep_the_place():
  x = jax.random.normal(jax.random.key(0), (2, 6, 3))
  of = lambda pool: Pool(pool, False, 0, 0.0).apply({}, x, False)
  np.testing.assert_allclose(of('mean'), x.mean(1), rtol=1e-6)
  np.testing.assert_array_equal(of('max'), x.max(1))
  np.testing.assert_array_equal(of('flatten'), np.asarray(x).reshape(2, -1))
  with pytest.raises(ValueError, match="pool is 'sum', expected one of mean, max, flatten"):
    of('sum')


def test_cosine_logits_are_bounded_whatever_the_size_of_features():
  head = Head(outputs=4, norm=False, cosine_scale=8.0)
  x = jax.random.normal(jax.random.key(0), (5, 6, 3))
  variables = draw(lambda key, x: head.init(key, x, NU), x)
  logits = head.apply(variables, x, NU)
  assert jnp.abs(logits).max() <= 8
  np.testing.assert_allclose(head.apply(variables, 100 * x, NU), logits, rtol=1e-4)
  weights = variables['params']['classes']
  mean = np.asarray(x).mean(1)
  cosine = mean @ weights / np.linalg.norm(mean, axis=1)[:, None] / np.linalg.norm(weights, axis=0)
  np.testing.assert_allclose(logits, 8 * cosine, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
  ('options', 'words'),
  [
    ({'channels': ('raw',)}, r"channels are \('raw',\), expected some of scaled, snv"),
    ({'kernels': (3,)}, 'of several lengths'),
    ({'taps': 4}, 'taps is 4, expected an odd number'),
    ({'pools': (64, 64)}, r'leave nothing of 256 points; expected a product of at most 256'),
  ],
)
def test_bad_options_are_refused(options, words):
  with pytest.raises(ValueError, match=words):
    initialised(encoder(**options))
