"""InfoNCE both ways: the formula in float64, what is left out, and one = eight devices."""

import jax
import numpy as np
from jax.sharding import PartitionSpec as P

from spectra_jax.losses.info_nce import info_nce
from spectra_jax.placement import BATCH_AXES, make_mesh

RNG = np.random.default_rng(0)
B, W, V = 8, 2, 5


def arrays():
  """Row 5 is the molecule of row 1, and the other point of row 3 is its own molecule."""
  query, told = RNG.normal(size=(B, V)), (RNG.uniform(size=(3, V)) > 0.3).astype(float)
  weight = told[[0, 0, 1, 1, 1, 0, 0, 2]]
  points = RNG.normal(size=(B, W, V)) + 3.0
  label = np.arange(B * W).reshape(W, B).T.copy()
  label[5, 0], label[3, 1] = label[1, 0], label[3, 0]
  return query, weight, points, label


def log_share(score, own):
  return score[own] - np.log(np.exp(np.float64(score)).sum())


def expected(query, weight, points, label):
  loss = np.zeros(B)
  columns = [(w, j) for w in range(W) for j in range(B)]
  score = lambda i, w, j: -0.5 * (weight[i] * (query[i] - points[j, w]) ** 2).sum()
  for i in range(B):
    used = [c for c in columns if c == (0, i) or label[c[1], c[0]] != label[i, 0]]
    forth = log_share(np.array([score(i, *c) for c in used]), used.index((0, i)))
    alike = lambda j, i=i: label[j, 0] != label[i, 0] and (weight[j] == weight[i]).all()
    rows = [j for j in range(B) if j == i or alike(j)]
    back = log_share(np.array([score(j, 0, i) for j in rows]), rows.index(i))
    loss[i] = -0.5 * (forth + back)
  return loss


def test_it_is_the_formula():
  given = arrays()
  found = jax.jit(info_nce)(*(np.float32(x) for x in given[:3]), given[3])
  np.testing.assert_allclose(found, expected(*given), rtol=2e-5)


def test_a_query_that_tells_less_wins_nothing_by_that():
  """Points among whole queries, half of which show half of the coordinates: all are told apart."""
  rng = np.random.default_rng(1)
  points = 3 * rng.normal(size=(16, 40))
  query = points + 0.3 * rng.normal(size=points.shape)
  weight = np.ones_like(points)
  weight[::2, 20:] = 0
  found = info_nce(
    *(np.float32(x) for x in (query, weight, points[:, None])), np.arange(16)[:, None]
  )
  assert np.asarray(found).max() < 1e-3


def test_one_device_is_eight():
  given = (*(np.float32(x) for x in arrays()[:3]), arrays()[3])
  mean_slope = jax.grad(lambda q, *x: info_nce(q, *x).mean())
  found = lambda *x: (info_nce(*x), mean_slope(*x))
  mesh, rows = make_mesh(8), P(BATCH_AXES)
  mapped = jax.shard_map(found, mesh=mesh, in_specs=rows, out_specs=rows, check_vma=False)
  whole, split = jax.jit(found)(*given), jax.jit(mapped)(*given)
  np.testing.assert_allclose(split[0], whole[0], rtol=1e-5)
  # Each device's mean is over its own example: its slope is eight times that of the mean over all.
  np.testing.assert_allclose(split[1] / 8, whole[1], rtol=1e-4, atol=1e-6)
