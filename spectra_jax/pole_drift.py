"""Did training move the poles: further than one seed is from another, and to where it should.

A set of poles has no order, so two sets are compared by the best pairing. Distances are between
logarithms, log lambda = log r + i theta: a difference of 0.1 is a tenth in decay per token or a
tenth of a radian in angle. Everything is float64 numpy on the host.
"""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import scipy.optimize

LEAST_RADIUS = 1e-3  # poles further in forget within a token: they count as this far
MOST_FLIPS = 12  # pairs of which all assignments of labels are gone through


class Drift(NamedTuple):
  """Distances between sets of poles of S seeds before and after training, each a mean.

  moved: of a seed's own poles, by the best pairing.
  by_index: of a seed's own poles, each from itself.
  initial, trained: between seeds, before and after: what the draw alone decides.
  excess: mean distance of one seed's initial to another's trained poles, less the mean of `initial`
    and `trained`; 0 where training changes nothing that seeds have in common.
  p: of `excess`: how often it is as large when before and after are exchanged within seeds.
  least_p: the smallest p that so many seeds can have.
  """

  moved: float
  by_index: float
  initial: float
  trained: float
  excess: float
  p: float
  least_p: float


def logarithms(poles: np.ndarray) -> np.ndarray:
  """log lambda of all poles, complex; real parts at least log `LEAST_RADIUS`."""
  radius = np.maximum(np.abs(poles), LEAST_RADIUS)
  return np.log(radius) + 1j * np.angle(poles)


def differences(one: np.ndarray, other: np.ndarray) -> np.ndarray:
  """[P, Q] |log lambda - log mu|, angles the short way round."""
  gap = logarithms(one)[:, None] - logarithms(other)[None]
  turn = np.angle(np.exp(1j * gap.imag))
  return np.hypot(gap.real, turn)


def distance(one: np.ndarray, other: np.ndarray) -> float:
  """Mean of `differences` over the pairing that makes it least.

  Raises:
    ValueError: sets of different sizes.
  """
  if one.shape != other.shape or one.ndim != 1:
    raise ValueError(
      f'poles of shapes {one.shape} and {other.shape} cannot be paired, expected [P] of both; '
      'compare layers of one kind'
    )
  gaps = differences(one, other)
  rows, columns = scipy.optimize.linear_sum_assignment(gaps)
  return float(gaps[rows, columns].mean())


def drift(
  initial: Sequence[Sequence[np.ndarray]], trained: Sequence[Sequence[np.ndarray]]
) -> Drift:
  """Of a model, whose poles before and after training are given seed by seed and layer by layer.

  Distances are means over the layers; a layer is compared with itself alone.

  Args:
    initial, trained: [S] seeds of [K] layers of poles [P].

  Raises:
    ValueError: fewer than two seeds.
  """
  seeds = len(initial)
  if seeds < 2 or len(trained) != seeds:
    raise ValueError(
      f'{seeds} sets of initial and {len(trained)} of trained poles were given, expected one of '
      'each for at least two seeds; train another seed'
    )
  models = [*initial, *trained]
  mean = lambda measure, one, other: float(np.mean(list(map(measure, one, other))))
  table = np.array([[mean(distance, one, other) for other in models] for one in models])
  own = [table[s, seeds + s] for s in range(seeds)]
  itself = lambda one, other: np.diag(differences(one, other)).mean()
  index = [mean(itself, *pair) for pair in zip(initial, trained, strict=True)]
  between = ~np.eye(seeds, dtype=bool)
  within = lambda side: float(table[side, side][between].mean())
  before, after = slice(0, seeds), slice(seeds, None)
  tested = flip_test(table)
  return Drift(float(np.mean(own)), float(np.mean(index)), within(before), within(after), *tested)


def flip_test(table_2Sx2S: np.ndarray) -> tuple[float, float, float]:
  """(excess, p, least p) of a distance matrix, S initial sets, then the trained of the same seeds.

  Under the hypothesis that training changes nothing in common, before and after may be exchanged
  within each seed. All 2^(S-1) different exchanges are gone through, or as many random ones as 12
  seeds have.
  """
  seeds = len(table_2Sx2S) // 2
  between = ~np.eye(seeds, dtype=bool)

  def excess(flip_S):
    order = np.where(flip_S, 1, 0) * seeds + np.arange(seeds)
    other = np.where(flip_S, 0, 1) * seeds + np.arange(seeds)
    mean = lambda a, b: table_2Sx2S[np.ix_(a, b)][between].mean()
    return mean(order, other) - (mean(order, order) + mean(other, other)) / 2

  if seeds <= MOST_FLIPS:
    flips = [
      np.array((False, *rest)) for rest in itertools.product((False, True), repeat=seeds - 1)
    ]
  else:
    rng = np.random.default_rng(0)
    flips = [np.zeros(seeds, bool), *(rng.random((2**MOST_FLIPS // 2 - 1, seeds)) < 0.5)]
  values = np.array([excess(flip) for flip in flips])
  found = float(values[0])
  return found, float(np.mean(values >= found - 1e-12)), 1 / len(flips)


def nearest(poles: np.ndarray, planted: complex) -> float:
  """|log lambda - log planted| of the nearest pole or conjugate of one."""
  either = np.array([planted, np.conj(planted)])
  return float(differences(np.asarray(poles), either).min())


def preference(
  own: Sequence[np.ndarray], other: Sequence[np.ndarray]
) -> tuple[float, float, float]:
  """(difference, p, least p): are values of the own task smaller than those of another task.

  Test of the mean of other - own over seeds, signs flipped within seeds: exact up to 12 seeds, by
  as many random flips beyond.

  Args:
    own, other: [S] each, of the same seeds.
  """
  gaps = np.asarray(other, float) - np.asarray(own, float)
  if len(gaps) <= MOST_FLIPS:
    signs = np.array(list(itertools.product((1, -1), repeat=len(gaps))))
  else:
    drawn = np.random.default_rng(0).choice((1, -1), (2**MOST_FLIPS - 1, len(gaps)))
    signs = np.concatenate([np.ones((1, len(gaps)), int), drawn])
  values = (signs * gaps).mean(1)
  return float(gaps.mean()), float(np.mean(values >= gaps.mean() - 1e-12)), 1 / len(signs)
