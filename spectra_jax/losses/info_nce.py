"""A spectrum and its molecule belong together: InfoNCE both ways on distances of points."""

import functools

import jax
import jax.numpy as jnp

from spectra_jax.gather import own_rows, whole_batch


def info_nce(
  query_BxV: jax.Array, weight_BxV: jax.Array, point_BxWxV: jax.Array, label_BxW: jax.Array
) -> jax.Array:
  """[B] mean of both ways of picking the partner among all of the batch,

    l_i = -1/2 log( exp s_ii / sum_j exp s_ij ) - 1/2 log( exp s_ii / sum_j exp s_ji ) ,
    s_ij = -1/2 sum_v w_iv (q_iv - p_jv)^2 ,

  j over the first points of the whole batch, and in the first sum over its other points as well
  (hard negatives), in the second over the queries that tell the same coordinates as i: over fewer
  of them any distance is smaller. A point with the label of i that is not its own is left out: it
  is no wrong answer. The coordinates carry the temperature. van den Oord et al. 2018
  (arXiv:1807.03748), both ways as Radford et al. 2021 (arXiv:2103.00020). The whole batch is that
  of all devices.

  Args:
    query_BxV: coordinates of the spectra.
    weight_BxV: of them; 0 where a spectrum does not tell a coordinate.
    point_BxWxV: coordinates of molecules: the spectrum's own, then others to tell it from.
    label_BxW: which molecule each is, integers.
  """
  batch = len(query_BxV)
  whole = whole_batch((query_BxV, weight_BxV, point_BxWxV, label_BxW))
  query_NxV, weight_NxV, point_NxWxV, label_NxW = whole
  # Own points first, so that place i of a row of scores is the partner of query i.
  points_JxV = point_NxWxV.swapaxes(0, 1).reshape(-1, query_BxV.shape[-1])
  label_J = label_NxW.swapaxes(0, 1).reshape(-1)
  wrong_BxJ = label_BxW[:, :1] != label_J
  to_points = _picked(_scores(query_BxV, weight_BxV, points_JxV), wrong_BxJ)
  alike_BxN = (weight_BxV[:, None] == weight_NxV).all(-1)
  wrong_BxN = (label_BxW[:, :1] != label_NxW[:, 0]) & alike_BxN
  to_queries = _picked(_scores(query_NxV, weight_NxV, point_BxWxV[:, 0]).T, wrong_BxN)
  place_Bx1 = own_rows(batch)[:, None]
  return -0.5 * sum(jnp.take_along_axis(x, place_Bx1, 1)[:, 0] for x in (to_points, to_queries))


def _scores(query_QxV: jax.Array, weight_QxV: jax.Array, point_PxV: jax.Array) -> jax.Array:
  """s_ij; the mean of the points is taken off both sides first, for its digits."""
  centre_V = jax.lax.stop_gradient(point_PxV.mean(0))
  query_QxV, point_PxV = query_QxV - centre_V, point_PxV - centre_V
  own_Qx1 = 0.5 * (weight_QxV * query_QxV**2).sum(-1, keepdims=True)
  times = functools.partial(jnp.matmul, precision='highest')  # large terms cancel
  cross_QxP = times(weight_QxV * query_QxV, point_PxV.T)
  return cross_QxP - 0.5 * times(weight_QxV, (point_PxV**2).T) - own_Qx1


def _picked(score_BxJ: jax.Array, wrong_BxJ: jax.Array) -> jax.Array:
  """log softmax over the own column and the wrong answers."""
  own_BxJ = own_rows(len(score_BxJ))[:, None] == jnp.arange(score_BxJ.shape[1])
  return jax.nn.log_softmax(jnp.where(own_BxJ | wrong_BxJ, score_BxJ, -jnp.inf))
