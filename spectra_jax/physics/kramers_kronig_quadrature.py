"""The constants of a Kramers-Kronig transform on a finite even axis: numpy, float64, on the host.

For f on [a, b], sampled at nu_i = a + i h, and sign = +1 (from k to n) or -1 (from n to k),

  H f(nu) = (sign/pi) P int_a^b f(x) [1/(x - nu) + sign/(x + nu)] dx.

Maclaurin's rule (Ohta & Ishida 1988, doi 10.1366/0003702884430380) takes every other sample, those
an odd number of steps from nu, with weight 2h: the midpoint rule, which steps over the pole. For f
that vanishes smoothly at both ends its error falls as exp(-2 pi d / 2h), d the distance from the
real axis to the nearest singularity of f: the half width of a Lorentz line. The part in x - nu is
a Toeplitz matrix and that in x + nu a Hankel matrix, so both are one product in Fourier space, of
length >= 2 N - 1.

A finite window cuts f off, which costs the rule its order. So what does not vanish is taken out
first: near each end f is p(x), the quintic that has value, slope and curvature of f there (from
`STENCIL` samples) and none of the three where it ends, at most `REACH` steps away. H p is known in
closed form, so H f = rule(f - p) + H p = rule(f) + E (first and last samples), E of 14 columns.
"""

import numpy as np
import scipy.fft

STENCIL = 7  # samples at each end; more amplify noise, fewer lose an order
REACH = 2048  # steps; a longer polynomial would only lose digits to cancellation
# Coefficients of t^0..t^5 with value, slope or curvature 1 at t = 0, and nothing else at 0 and 1.
HERMITE_3x6 = np.array([[1, 0, 0, -10, 15, -6], [0, 1, 0, -6, 8, -3], [0, 0, 0.5, -1.5, 1.5, -0.5]])


def kernels(first: float, points: int) -> tuple[int, np.ndarray, np.ndarray]:
  """(length of the FFT, Toeplitz spectrum, Hankel spectrum) of the rule; `first` = a / h."""
  length = scipy.fft.next_fast_len(2 * points - 1, real=True)
  lag = np.arange(1, points)
  odd = np.where(lag % 2 == 1, 2 / (np.pi * lag), 0.0)
  toeplitz, hankel = np.zeros(length), np.zeros(length)
  toeplitz[lag], toeplitz[length - lag] = -odd, odd
  total = np.arange(2 * points - 1)
  hankel[total] = np.where(total % 2 == 1, 2 / (np.pi * (2 * first + total)), 0.0)
  return length, np.fft.rfft(toeplitz), np.fft.rfft(hankel)


def rule(xp, f_BxN, toeplitz_F, hankel_F, length: int, sign: int):
  """Maclaurin's sum at every sample, in numpy or JAX (`xp`): [..., N] -> [..., N]."""
  spectrum_BxF = xp.fft.rfft(f_BxN, length)
  product_BxF = sign * spectrum_BxF * toeplitz_F + xp.conj(spectrum_BxF) * hankel_F
  return xp.fft.irfft(product_BxF, length)[..., : f_BxN.shape[-1]]


def edges(nu_N: np.ndarray, sign: int) -> np.ndarray:
  """E of the rule, [14, N]: rows are the first `STENCIL` samples and the last.

  At an end point itself the integral diverges as f ln|end - nu| and Hadamard's finite part is
  taken, |end - nu| counted in steps: f is held for one step beyond the end.
  """
  points, (low, high) = len(nu_N), nu_N[[0, -1]]
  reach = min(points - 1, REACH)
  width = reach * (high - low) / (points - 1)
  t_N = np.arange(points) / reach
  bumps_3xN = np.where(t_N <= 1, HERMITE_3x6 @ _powers(t_N), 0.0)
  cauchy = lambda v_N: _cauchy(v_N / width, 1 / reach)
  lower_3xN = sign * cauchy(nu_N - low) + cauchy(-nu_N - low)
  upper_3xN = sign * cauchy(high - nu_N) + cauchy(high + nu_N)
  given = kernels(low * reach / width, points)
  summed = lambda f_3xN: rule(np, f_3xN, given[1], given[2], given[0], sign)
  lower_3xN = lower_3xN / np.pi - summed(bumps_3xN)
  upper_3xN = -upper_3xN / np.pi - summed(bumps_3xN[:, ::-1])
  stencil_7x3 = (_derivatives() * reach ** np.arange(3.0)[:, None]).T
  return np.concatenate([stencil_7x3 @ lower_3xN, (stencil_7x3 @ upper_3xN)[::-1]])


def tails(nu_N: np.ndarray, sign: int) -> tuple[np.ndarray, np.ndarray]:
  """What is outside the window adds (lower [N], upper [N]), per unit of f at that edge.

  sign = +1: f(x) = f(a) x / a below and f(b) (b/x)^3 above. sign = -1: constant on both sides. At
  the ends the finite part as in `edges`, so that the sum of both is continuous.
  """
  low, high = nu_N[[0, -1]]
  step = (high - low) / (len(nu_N) - 1)
  below_N = np.log(np.maximum(nu_N - low, step * (nu_N == low)) / (nu_N + low))
  above_N = np.log(np.maximum(high - nu_N, step * (nu_N == high)) / (nu_N + high))
  if sign < 0:
    return -below_N / np.pi, above_N / np.pi
  t_N = nu_N / high
  near_N = -(1 + above_N / (2 * t_N)) / t_N**2  # loses digits as t^-2, where the series is exact
  series_N = sum(t_N ** (2 * m) / (2 * m + 3) for m in range(12))
  upper_N = np.where(t_N < 0.2, series_N, near_N)
  return 2 / np.pi * (1 + nu_N / (2 * low) * below_N), 2 / np.pi * upper_N


def lagrange(axis_L: np.ndarray, at_M: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """(index [M, 6], weight [M, 6]): the quintic through the six nearest samples, at `at_M`."""
  first_M = np.clip(np.searchsorted(axis_L, at_M) - 3, 0, len(axis_L) - 6)
  index_Mx6 = first_M[:, None] + np.arange(6)
  x_Mx6 = axis_L[index_Mx6]
  ratio = lambda j, m: (at_M - x_Mx6[:, m]) / (x_Mx6[:, j] - x_Mx6[:, m])
  others = lambda j: [ratio(j, m) for m in range(6) if m != j]
  return index_Mx6, np.stack([np.prod(others(j), axis=0) for j in range(6)], -1)


def _powers(t_N):
  return t_N ** np.arange(6.0)[:, None]


def _derivatives():
  """Weights [3, 7] that give value, slope and curvature per step at the first of 7 samples."""
  powers_7x7 = np.vander(np.arange(STENCIL, dtype=np.float64), increasing=True).T
  return np.linalg.solve(powers_7x7, np.diag([1.0, 1.0, 2.0] + [0.0] * 4)[:, :3]).T


def _cauchy(v_N, step):
  """P int_0^1 hermite(t) / (t - v) dt, [3, N], with |t - v| = `step` at an end that v meets.

  By the recursion I_p = v I_{p-1} + 1/p near [0, 1]; far away it cancels and Gauss' rule is exact.
  """
  is_near_N = np.abs(v_N - 0.5) < 1.5
  near_N, far_N = np.where(is_near_N, v_N, 3.0), np.where(is_near_N, 3.0, v_N)
  to_end = lambda end: np.log(np.where(near_N == end, step, np.abs(near_N - end)))
  moments = [to_end(1) - to_end(0)]
  for power in range(1, 6):
    moments.append(near_N * moments[-1] + 1 / power)
  node_G, weight_G = np.polynomial.legendre.leggauss(24)
  node_G = 0.5 * (node_G + 1)
  far_6xN = (0.5 * weight_G * _powers(node_G)) @ (1 / (node_G[:, None] - far_N))
  return HERMITE_3x6 @ np.where(is_near_N, np.stack(moments), far_6xN)
