"""A library of molecules or spectra as points: search, growth, files, an index for millions.

Nearer is likelier. A spectrum that tells only some coordinates (IR alone) is compared by those
(`columns`). What is added later changes no distance, so nothing is trained again and old ranks
change only by what comes between.
"""

import collections
import dataclasses
import functools
import io
import pathlib
import zipfile
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from spectra_jax.workdir import write_bytes_atomic

CHUNK = 16_384  # points that are compared at a time: bounds memory
QUERIES = 512  # queries at a time
SPARE = 32  # points compared anew beyond those asked for
ROUNDING = 1e-5  # of the squared lengths of two points: what their distance by a product may lack


@dataclasses.dataclass(frozen=True, eq=False)
class Library:
  """Points with names.

  Attributes:
    ids: [M] names.
    points_MxV: float32.
    made_by: hash of the parameters that made the points; points of others are no neighbours.
  """

  ids: np.ndarray
  points_MxV: np.ndarray
  made_by: str = ''

  def __post_init__(self):
    if self.points_MxV.ndim != 2 or len(self.ids) != len(self.points_MxV):
      raise ValueError(
        f'there are {len(self.ids)} names for points of shape {self.points_MxV.shape}, expected '
        '[M] and [M, V]; give every point one name'
      )

  def __len__(self) -> int:
    return len(self.ids)

  def search(
    self, query_QxV: np.ndarray, k: int, columns: np.ndarray | slice = slice(None)
  ) -> tuple[np.ndarray, np.ndarray]:
    """The k nearest points of each query: (places [Q, k], squared distances [Q, k]), exactly.

    Distances by a product of matrices choose k + 32 points, and their differences which k of them.

    Args:
      query_QxV: coordinates; other columns than `columns` are not read.
      k: at most as many as there are points.
      columns: that are compared.

    Raises:
      ValueError: queries of another width, or more asked for than there are.
    """
    self._check(query_QxV, k)
    queries, points = self._about_first(query_QxV, columns)
    places, distances = [np.zeros((0, k), np.int64)], [np.zeros((0, k), np.float32)]
    for start in range(0, len(queries), QUERIES):
      some = queries[start : start + QUERIES]
      place_QxN = self._nearest(some, points, min(k + SPARE, len(self)))
      distance_QxN = ((some[:, None] - points[place_QxN]) ** 2).sum(-1)
      order = np.lexsort((place_QxN, distance_QxN), axis=1)[:, :k]
      places.append(np.take_along_axis(place_QxN, order, 1))
      distances.append(np.take_along_axis(distance_QxN, order, 1))
    return np.concatenate(places), np.concatenate(distances)

  def ranks(
    self, query_QxV: np.ndarray, true_Q: np.ndarray, columns: np.ndarray | slice = slice(None)
  ) -> np.ndarray:
    """[Q] points nearer than the true one plus half of those as near: 0 = found at once."""
    self._check(query_QxV, 1)
    queries, points = self._about_first(query_QxV, columns)
    found, length_M = [np.zeros(0)], (points**2).sum(1)
    for start in range(0, len(queries), QUERIES):
      some, own = queries[start : start + QUERIES], true_Q[start : start + QUERIES]
      distance = np.concatenate(
        [_distances(some, points[at : at + CHUNK]) for at in range(0, len(points), CHUNK)], 1
      )
      found.append([_rank(*of, points, length_M) for of in zip(some, own, distance, strict=True)])
    return np.concatenate(found)

  def grown(self, ids: Sequence[str], points_NxV: np.ndarray) -> 'Library':
    """With more points, after those that are there.

    Raises:
      ValueError: points of another width, or a name that is there already, or twice.
    """
    counted = collections.Counter(np.asarray(ids, str).tolist())
    there = set(self.ids.tolist())
    twice = sorted(name for name, count in counted.items() if count > 1 or name in there)
    if twice:
      raise ValueError(
        f'{twice[:3]} are in the library already or come twice, expected new names; leave them out'
      )
    if points_NxV.shape[1:] != self.points_MxV.shape[1:]:
      raise ValueError(
        f'new points have shape {points_NxV.shape}, expected [N, {self.points_MxV.shape[1]}] as '
        'those that are there; make them with the same model'
      )
    points = np.concatenate([self.points_MxV, np.float32(points_NxV)])
    return Library(np.concatenate([self.ids, np.asarray(ids, str)]), points, self.made_by)

  def save(self, path: str | pathlib.Path) -> None:
    """Writes an .npz file."""
    content = io.BytesIO()
    np.savez(content, ids=self.ids, points=self.points_MxV, made_by=self.made_by)
    write_bytes_atomic(path, content.getvalue())

  def index(self, columns: np.ndarray | slice = slice(None)) -> 'Index':
    """For libraries too large to be compared one by one."""
    return Index(self.points_MxV[:, columns])

  def _check(self, query_QxV: np.ndarray, k: int) -> None:
    if query_QxV.ndim != 2 or query_QxV.shape[1] != self.points_MxV.shape[1]:
      raise ValueError(
        f'queries have shape {query_QxV.shape}, expected [Q, {self.points_MxV.shape[1]}]; make '
        'queries and library with the same model'
      )
    if not 1 <= k <= len(self):
      raise ValueError(f'k is {k}, expected 1 to {len(self)}, the points there are; correct it')

  def _about_first(self, query_QxV: np.ndarray, columns: np.ndarray | slice):
    """Queries and points less the first point, which growth leaves: sums of squares lose digits."""
    origin_V = self.points_MxV[0, columns]
    return np.float32(query_QxV[:, columns] - origin_V), self.points_MxV[:, columns] - origin_V

  def _nearest(self, queries: np.ndarray, points: np.ndarray, k: int) -> np.ndarray:
    """Of each chunk the best k, then the best k of those; ties go to the earlier point."""
    places, distances = [], []
    for start in range(0, len(points), CHUNK):
      part = points[start : start + CHUNK]
      distance, place = _top(queries, part, min(k, len(part)))
      places.append(np.asarray(place) + start)
      distances.append(np.asarray(distance))
    place, distance = np.concatenate(places, 1), np.concatenate(distances, 1)
    order = np.argsort(distance, 1, kind='stable')[:, :k]
    return np.take_along_axis(place, order, 1)


def load(path: str | pathlib.Path) -> Library:
  """Reads what `Library.save` wrote.

  Raises:
    ValueError: no such file, or one of something else.
  """
  try:
    with np.load(path, allow_pickle=False) as arrays:
      return Library(arrays['ids'], arrays['points'], str(arrays['made_by']))
  except (OSError, EOFError, KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
    raise ValueError(f'{path} is no library ({error}); make one with Library.save') from None


class Index:
  """Approximate search of many points by a graph of neighbours (HNSW), which grows in place.

  usearch does it: Malkov and Yashunin 2016 (arXiv:1603.09320), Euclidean distance, float32.
  """

  def __init__(self, points_MxV: np.ndarray):
    try:
      import usearch.index
    except ImportError:
      raise ValueError(
        'usearch is not installed, which indexes large libraries; expected it for Library.index; '
        "pip install -e '.[search]', or use Library.search"
      ) from None
    self._graph = usearch.index.Index(ndim=points_MxV.shape[1], metric='l2sq', dtype='f32')
    self.add(points_MxV)

  def __len__(self) -> int:
    return len(self._graph)

  def add(self, points_NxV: np.ndarray) -> None:
    """Adds points, whose places go on from those that are there."""
    places = np.arange(len(self), len(self) + len(points_NxV))
    self._graph.add(places, np.ascontiguousarray(points_NxV, np.float32))

  def search(self, query_QxV: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """(places [Q, k], squared distances [Q, k]) of probably the k nearest points."""
    found = self._graph.search(np.ascontiguousarray(query_QxV, np.float32), k)
    shape = (len(query_QxV), k)
    return np.int64(found.keys).reshape(shape), np.asarray(found.distances).reshape(shape)


def _rank(query_V, own: int, distance_M, points_MxV, length_M) -> float:
  """Points nearer than the own one and half of those as near, told by differences where a product
  of matrices cannot tell.
  """
  exact = lambda rows: ((query_V - points_MxV[rows]) ** 2).sum(-1)
  own_distance = exact(np.array([own]))[0]
  doubt_M = ROUNDING * (length_M + (query_V**2).sum())
  near_K = np.flatnonzero(np.abs(distance_M - own_distance) <= doubt_M)
  surely = (distance_M < own_distance - doubt_M).sum()
  distance_K = exact(near_K)
  ties = (distance_K == own_distance).sum() - 1
  return surely + (distance_K < own_distance).sum() + ties / 2


@jax.jit
def _distances(query_QxV: jax.Array, point_PxV: jax.Array) -> jax.Array:
  square = lambda x: (x**2).sum(-1)
  cross = jnp.matmul(query_QxV, point_PxV.T, precision='highest')
  return jnp.maximum(square(query_QxV)[:, None] + square(point_PxV) - 2 * cross, 0.0)


@functools.partial(jax.jit, static_argnums=2)
def _top(query_QxV: jax.Array, point_PxV: jax.Array, k: int) -> tuple[jax.Array, jax.Array]:
  nearness, place = jax.lax.top_k(-_distances(query_QxV, point_PxV), k)
  return -nearness, place
