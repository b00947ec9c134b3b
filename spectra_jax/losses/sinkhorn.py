"""Two clouds of points are to be one: debiased entropic optimal transport, in the log domain."""

import jax
import jax.numpy as jnp
from jax import lax

from spectra_jax.gather import whole_batch


def sinkhorn(x_BxD: jax.Array, y_BxD: jax.Array, *, blur: float, iterations: int) -> jax.Array:
  """[B] shares of S = OT(x, y) - OT(x, x) / 2 - OT(y, y) / 2 between the clouds of a whole batch.

  OT(x, y) = min_P sum P_ij C_ij + e KL(P | 1/n^2) over plans P with even margins; C_ij = |x_i -
  y_j|^2 / D and e = blur stopgrad mean C. Of n points each has the weight 1/n; the mean over the
  batch of what is returned is S >= 0, which is 0 for equal clouds (Feydy et al. 2019,
  arXiv:1810.08278). Who lies opposite whom is not asked for: the clouds may be of different
  samples. As blur -> 0, S is the squared Wasserstein distance over D.

  Between spectra as measures on the axis transport has a closed form (the distance of cumulative
  sums); what has none, and is wanted here, is transport between latents in many dimensions: x the
  chemistry that one set of spectra tells, y that of another instrument's.

  Potentials come from `iterations` averaged updates of all n points [O(n^2) each] without a
  gradient; that of S follows from one further update, exactly where they have converged, by the
  envelope theorem. An example's own points alone move its share, so that no gradient crosses
  devices.

  Args:
    x_BxD, y_BxD: as many of both; the whole batch is that of all devices.
    blur: entropy over the mean cost; 0.05 is sharp, 1 looks at little but the means.
    iterations: about 5 / blur converge.

  Raises:
    ValueError: a blur that is not positive, or no iterations.
  """
  if not blur > 0 or iterations < 1:
    raise ValueError(
      f'blur is {blur} and iterations {iterations}, expected a positive blur and at least one '
      'iteration; 0.05 and 100 are usual'
    )
  all_x, all_y = lax.stop_gradient(whole_batch((x_BxD, y_BxD)))
  entropy = blur * jnp.maximum(_cost(all_x, all_y).mean(), 1e-12)
  f_N, g_N = _potentials(all_x, all_y, entropy, iterations)
  f_self_N, _ = _potentials(all_x, all_x, entropy, iterations)
  g_self_N, _ = _potentials(all_y, all_y, entropy, iterations)
  update = lambda own, cloud, potential: _soft_minimum(_cost(own, cloud), potential, entropy)
  share_x = update(x_BxD, all_y, g_N) - update(x_BxD, all_x, f_self_N)
  share_y = update(y_BxD, all_x, f_N) - update(y_BxD, all_y, g_self_N)
  return share_x + share_y


def _cost(x_NxD, y_MxD):
  """|x - y|^2 / D by differences: nothing cancels between points that are near."""
  return ((x_NxD[:, None] - y_MxD) ** 2).mean(-1)


def _soft_minimum(cost_NxM, potential_M, entropy):
  """-e log mean_j exp((g_j - C_ij) / e): the potential at each point opposite a cloud."""
  log_mean = jax.nn.logsumexp((potential_M - cost_NxM) / entropy, -1) - jnp.log(len(potential_M))
  return -entropy * log_mean


def _potentials(x_NxD, y_NxD, entropy, iterations):
  """(f, g) after averaged updates of both at once, which keep equal clouds' potentials equal."""
  cost = _cost(x_NxD, y_NxD)

  def update(pair, _):
    f, g = pair
    new = _soft_minimum(cost, g, entropy), _soft_minimum(cost.T, f, entropy)
    return jax.tree.map(lambda a, b: 0.5 * (a + b), pair, new), None

  start = jnp.zeros(len(x_NxD), cost.dtype), jnp.zeros(len(y_NxD), cost.dtype)
  return lax.scan(update, start, None, length=iterations)[0]
