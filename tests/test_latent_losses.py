"""Losses of latents: closed forms, exact transport, the same numbers on any number of devices."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from spectra_jax import gather, parallel, placement
from spectra_jax.losses.adversary import adversary, reverse
from spectra_jax.losses.contrastive import contrastive
from spectra_jax.losses.denoising import denoising
from spectra_jax.losses.information_bottleneck import information_bottleneck
from spectra_jax.losses.sinkhorn import sinkhorn
from spectra_jax.losses.swap_consistency import swap_consistency
from spectra_jax.losses.view_consistency import view_consistency

RNG = np.random.default_rng(0)
CONTRASTIVE = jax.jit(contrastive, static_argnames='temperature')
TRANSPORT = jax.jit(sinkhorn, static_argnames=('blur', 'iterations'))


def draw(*shape):
  return RNG.normal(size=shape).astype(np.float32)


# ---- contrastive ------------------------------------------------------------


def by_hand(z, label, temperature):
  """L_out of Khosla et al. 2020 in a loop: [B, V]."""
  views = z.shape[1]
  z, label = z.reshape(-1, z.shape[-1]).astype(np.float64), label.reshape(-1)
  z /= np.linalg.norm(z, axis=1, keepdims=True)
  found = []
  for i in range(len(z)):
    weight = {a: np.exp(z[i] @ z[a] / temperature) for a in range(len(z)) if a != i}
    alike = [a for a in weight if label[a] == label[i]]
    terms = [-np.log(weight[p] / sum(weight.values())) for p in alike]
    found.append(np.mean(terms) if terms else 0.0)
  return np.reshape(found, (-1, views))


def test_contrastive_is_supervised_contrastive_by_hand():
  z, label = draw(5, 2, 3), np.array([[0, 0], [1, 1], [0, 2], [3, 3], [4, 5]])
  found = CONTRASTIVE(z, label, temperature=0.3)
  np.testing.assert_allclose(found, by_hand(z, label, 0.3).mean(1), rtol=1e-5)
  np.testing.assert_allclose(CONTRASTIVE(7 * z, label, temperature=0.3), found, rtol=1e-5)
  assert found[4] == 0  # two views that are alone with their labels


def test_two_views_that_cannot_be_told_from_the_others_cost_the_logarithm_of_their_number():
  """NT-Xent of N equal pairs: each anchor guesses among 2 N - 1."""
  z, label = np.ones((6, 2, 4), np.float32), np.repeat(np.arange(6), 2).reshape(6, 2)
  np.testing.assert_allclose(CONTRASTIVE(z, label, temperature=0.1), np.log(11), rtol=1e-6)
  with pytest.raises(ValueError, match='temperature is 0, expected a positive one'):
    contrastive(z, label, temperature=0)


# ---- bottleneck -------------------------------------------------------------


def test_the_bottleneck_is_the_divergence_of_gaussians():
  """Against KL = E_q[log q - log p] by quadrature over one dimension."""
  z = np.linspace(-12, 12, 20_001)
  density = lambda mean, variance: (
    np.exp(-0.5 * (z - mean) ** 2 / variance) / np.sqrt(2 * np.pi * variance)
  )
  mean, variance = 0.8, 0.3
  q, p = density(mean, variance), density(0.0, 1.0)
  expected = np.trapezoid(q * np.log(np.maximum(q, 1e-300) / p), z)
  one = lambda x: np.full((1, 1), x, np.float32)
  found = information_bottleneck(one(mean), one(np.log(variance)), free=0.0)
  np.testing.assert_allclose(found, expected, rtol=1e-5)


@settings(max_examples=3, deadline=None)
@given(st.floats(0.0, 2.0))
def test_free_nats_are_of_each_dimension_and_of_the_mean(free):
  mean, log_variance = draw(6, 4), draw(6, 4)
  divergence_D = 0.5 * (mean**2 + np.exp(log_variance) - 1 - log_variance).mean(0)
  loss = lambda mean: information_bottleneck(mean, log_variance, free=free).mean()
  value, slope = jax.jit(jax.value_and_grad(loss))(mean)
  np.testing.assert_allclose(value, np.maximum(divergence_D - free, 0).sum(), rtol=1e-5, atol=1e-6)
  open_D = divergence_D > free
  np.testing.assert_array_equal((slope != 0).any(0), open_D)
  np.testing.assert_allclose(slope, np.where(open_D, mean / 6, 0), rtol=1e-5)


def test_consistency_of_views_is_the_symmetric_divergence():
  """By the price of the bottleneck, KL(p | q) with p seen from q's mean and width."""
  (m, n), (k, l) = draw(2, 3, 4), 0.5 * draw(2, 3, 4)
  seen = lambda m, k, n, l: information_bottleneck((m - n) * np.exp(-l / 2), k - l, free=0.0)
  expected = 0.5 * (seen(m, k, n, l) + seen(n, l, m, k))
  np.testing.assert_allclose(view_consistency(m, k, n, l), expected, rtol=1e-5)


def test_what_two_views_agree_on_to_few_nats_tells_little_of_which_it_was():
  """Of two Gaussians of one width the best guess is known: Phi(d / 2), within Pinsker's bound."""
  for d in (0.1, 0.5, 1.0):
    width, none = np.zeros((1, 1), np.float32), np.zeros((1, 1), np.float32)
    nats = float(view_consistency(none, width, none + d, width)[0])
    np.testing.assert_allclose(nats, d**2 / 2, rtol=1e-5)
    assert scipy.stats.norm.cdf(d / 2) <= 0.5 + 0.5 * np.sqrt(nats / 2)


# ---- adversary, swap, noise -------------------------------------------------


def test_what_lies_before_the_reversal_climbs_while_the_classifier_descends():
  """Of a linear classifier of a linear code the gradients are known: one of them is turned."""
  x, code, classes = draw(4, 3), draw(3, 2), draw(2, 3)
  target = np.eye(3, dtype=np.float32)[[0, 1, 2, 1]]

  def loss(code, classes, strength):
    z = x @ code
    return adversary((reverse(z, strength) if strength else z) @ classes, target).mean()

  slopes = jax.jit(jax.grad(loss, (0, 1)), static_argnums=2)
  plain, turned = slopes(code, classes, 0), slopes(code, classes, 0.5)
  np.testing.assert_allclose(turned[0], -0.5 * plain[0], rtol=1e-6)
  np.testing.assert_array_equal(turned[1], plain[1])
  assert np.abs(plain[0]).max() > 1e-3


def test_guessing_costs_one_whatever_the_number_of_instruments():
  for count in (2, 7):
    target = np.eye(count, dtype=np.float32)
    np.testing.assert_allclose(adversary(0 * target, target), 1.0, rtol=1e-6)
  with pytest.raises(ValueError, match='tells 1 instruments apart, expected at least 2'):
    adversary(np.zeros((2, 1)), np.ones((2, 1)))


def test_swap_and_noise_by_hand():
  true, wrong = np.array([[3.0, 4.0], [0.0, 2.0]]), np.array([[0.0, 4.0], [0.0, 1.0]])
  np.testing.assert_allclose(swap_consistency(wrong, true), [9 / 25, 1 / 4], rtol=1e-6)
  seen = np.array([[False, True], [True, True]])
  np.testing.assert_allclose(denoising(wrong, true, seen), [0.0, 0.5], rtol=1e-6)


def test_views_that_nearly_agree_keep_their_digits():
  zero, gap = np.zeros((1, 4), np.float32), np.full((1, 4), 1e-4, np.float32)
  found = view_consistency(zero, gap, zero, zero)
  np.testing.assert_allclose(found, 4 * 0.5 * 1e-8 / 2, rtol=1e-4)


@pytest.mark.slow
def test_a_second_measurement_teaches_as_the_noise_free_spectrum_does():
  """Lehtinen et al. 2018: the gradient has the same mean, the loss is dearer by the variance."""
  true, predicted = draw(1, 32), draw(1, 32)
  again = true + 0.3 * draw(4000, 32)
  seen = np.ones((1, 32), bool)
  loss = jax.value_and_grad(lambda p, clean: denoising(p, clean, seen).sum())
  value, slope = loss(predicted, true)
  values, slopes = jax.vmap(loss, (None, 0))(predicted, again[:, None])
  np.testing.assert_allclose(values.mean(), value + 0.09, rtol=5e-3)
  np.testing.assert_allclose(slopes.mean(0), slope, atol=5 * 2 * 0.3 / 32 / np.sqrt(4000))


# ---- transport --------------------------------------------------------------


def exact_transport(x, y):
  """W_2^2 / D of two clouds of equal weights, by linear programming."""
  cost, n = ((x[:, None] - y) ** 2).mean(-1), len(x)
  rows, columns = np.kron(np.eye(n), np.ones(n)), np.kron(np.ones(n), np.eye(n))
  done = scipy.optimize.linprog(
    cost.ravel(), A_eq=np.concatenate([rows, columns]), b_eq=np.full(2 * n, 1 / n)
  )
  return done.fun


@pytest.mark.parametrize('width', [1, 3])
def test_sharp_sinkhorn_is_exact_transport(width):
  """By linear programming; in one dimension also by sorting, which is a closed form."""
  x, y = draw(8, width), 1.5 * draw(8, width) + 0.7
  found = float(TRANSPORT(x, y, blur=5e-3, iterations=1500).mean())
  exact = exact_transport(x, y)
  np.testing.assert_allclose(found, exact, rtol=0.01)
  if width == 1:
    sorted_ = ((np.sort(x, 0) - np.sort(y, 0)) ** 2).mean()
    np.testing.assert_allclose(exact, sorted_, rtol=1e-5)


def test_a_cloud_that_moves_as_a_whole_costs_its_way_squared_whatever_the_blur():
  """Debiased: S(x, x + d) = |d|^2 / D for any entropy, and its gradient is 2 d / (D n) a point."""
  x, d = draw(16, 3), np.array([0.5, -1.0, 0.2], np.float32)
  loss = lambda y, blur: sinkhorn(x, y, blur=blur, iterations=300).mean()
  run = jax.jit(jax.value_and_grad(loss), static_argnums=1)
  for blur in (0.1, 2.0):
    value, slope = run(x + d, blur)
    np.testing.assert_allclose(value, (d**2).mean(), rtol=2e-3)
    np.testing.assert_allclose(slope.sum(0), 2 * d / 3, rtol=2e-2)


@pytest.mark.slow
def test_the_gradient_of_transport_is_that_of_its_value():
  """The envelope theorem against finite differences, of both clouds."""
  x, y = draw(6, 2), draw(6, 2) + 1.0
  with jax.enable_x64(True):
    x, y = jnp.float64(x), jnp.float64(y)
    share = jax.jit(lambda x, y: sinkhorn(x, y, blur=0.3, iterations=400).mean())
    ways = np.float64(draw(6, 2)), np.float64(draw(6, 2))
    # The entropy of a value is a share of its own mean cost; the gradient holds it fixed.
    slope = jax.grad(share, (0, 1))(x, y)
    fixed = _with_entropy(0.3 * float(((x[:, None] - y) ** 2).mean()))
    step = 1e-5
    for i, way in enumerate(ways):
      ends = [fixed(*((x + h * way, y) if i == 0 else (x, y + h * way))) for h in (step, -step)]
      along = float((slope[i] * way).sum())
      np.testing.assert_allclose((ends[0] - ends[1]) / (2 * step), along, rtol=1e-4)


def _with_entropy(entropy):
  """S(x, y) at a fixed entropy, which `sinkhorn` takes as a share of the mean cost."""

  def value(x, y):
    blur = entropy / float(((x[:, None] - y) ** 2).mean())
    return float(sinkhorn(x, y, blur=blur, iterations=400).mean())

  return value


def test_transport_refuses_what_does_not_converge():
  with pytest.raises(ValueError, match='blur is 0 and iterations 5, expected a positive blur'):
    sinkhorn(draw(2, 2), draw(2, 2), blur=0, iterations=5)


# ---- devices ----------------------------------------------------------------


def whole_batch_loss(params, batch, step):
  z = batch['x'] @ params['w']
  views, label = z.reshape(len(z), 2, 3), batch['row'][:, None] // 2 + np.zeros((1, 2), int)
  follows = gather.neighbours(z)
  terms = {
    'contrastive': contrastive(views, label, temperature=0.5),
    'sinkhorn': sinkhorn(views[:, 0], 1 + views[:, 1], blur=0.3, iterations=5),
    'bottleneck': information_bottleneck(z, 0.1 * z, free=0.4),
    'neighbour': ((z - follows) ** 2).mean(-1),
  }
  means = {name: term.mean() for name, term in terms.items()}
  return sum(means.values()), means


@pytest.mark.parametrize(('devices', 'fsdp'), [(8, 2)])
def test_what_compares_examples_compares_those_of_all_devices(devices, fsdp):
  """Values and gradients of one device, to rounding; per-device batches would be far off."""
  batch = {'x': np.asarray(draw(16, 5)), 'row': np.arange(16)}
  params = {'w': draw(5, 6)}
  mapped = lambda *mesh: jax.jit(
    parallel.loss_and_grad(whole_batch_loss, placement.make_mesh(*mesh))
  )
  (grads, metrics), (many, metrics_many) = (
    mapped(*mesh)(params, batch, 0) for mesh in ((1, 1), (devices, fsdp))
  )
  for name in metrics:
    np.testing.assert_allclose(metrics_many[name], metrics[name], rtol=2e-5)
  np.testing.assert_allclose(many['w'], grads['w'], rtol=1e-4, atol=1e-5)
  views, label = np.reshape(batch['x'][:8] @ params['w'], (8, 2, 3)), np.arange(8)[:, None] // 2
  apart = CONTRASTIVE(views, label + np.zeros((1, 2), int), temperature=0.5).mean()
  assert abs(apart - metrics['contrastive']) > 0.1


def test_outside_of_a_map_the_batch_is_whole():
  x = np.arange(4.0)
  np.testing.assert_array_equal(gather.whole_batch(x), x)
  np.testing.assert_array_equal(gather.neighbours({'x': x})['x'], [1, 2, 3, 0])
