"""Zeros of the transfer function of a linear layer: what it cannot pass, whatever is fed to it.

Float64 on the host, from the real second-order sections of one channel; no partial fractions and
no polynomials, whose roots lose all digits beyond a few tens of poles.
"""

import numpy as np
import scipy.linalg

from spectra_jax.transfer import (
  ChannelFilter,
  DiagonalFilter,
  LinearFilter,
  OscillatorFilter,
  on_host,
)

# Zeros nearer to z = 0 or infinity only delay: numerically they sit at eps^(+-1/multiplicity).
SMALLEST_ZERO = 1e-5


def zeros(system: LinearFilter, output: int, input: int) -> np.ndarray:
  """The points z where H_ij(z) = 0, i = `output`, j = `input`: complex [any number].

  They are the finite generalised eigenvalues (QZ) of [[A, B], [C, D]] - z [[I, 0], [0, 0]], with
  (A, B, C, D) the real second-order sections of that channel in parallel. Sections with the same
  poles are one section, so that a multiple pole adds no zero on itself; no partial fractions or
  polynomials are formed. Zeros with |z| below 1e-5 or above 1e5 only delay and are left out.

  Raises:
    ValueError: the channel is 0 at every z, or there is no such channel.
  """
  width = len(system.d_D)
  for name, channel in (('output', output), ('input', input)):
    if not 0 <= channel < width:
      raise ValueError(
        f'{name} channel is {channel}; expected 0 to {width - 1}, the channels of this layer'
      )
  a, b, c, d = _channel(on_host(system), output, input)
  if d == 0 and not c.any():
    raise ValueError(
      f'output {output} does not depend on input {input}: its transfer function is 0 at every z '
      'and has no zeros; choose channels that are connected'
    )
  size = len(b)
  pencil = np.block([[a, b[:, None]], [c[None], np.full((1, 1), d)]])
  alpha, beta = scipy.linalg.eigvals(
    pencil, np.diag([1.0] * size + [0.0]), homogeneous_eigvals=True
  )
  inside = (np.abs(alpha) > SMALLEST_ZERO * np.abs(beta)) & (
    np.abs(beta) > SMALLEST_ZERO * np.abs(alpha)
  )
  return alpha[inside] / beta[inside]


def _channel(system: LinearFilter, i: int, j: int) -> tuple[np.ndarray, ...]:
  """Real (A, B, C, D) of H_ij: s_n = A s_{n-1} + B u_n, y_n = C s_{n-1} + D u_n.

  Where d = 0 the delay is dropped: it is a factor z^-delay, without zeros but at 0.
  """
  d = float(system.d_D[i]) if i == j else 0.0
  match system:
    case OscillatorFilter():
      sections, late = _oscillator_sections(system, i, j), system.delay if d else 0
    case DiagonalFilter(poles_P, b_PxD, c_out_DxP):
      sections, late = _complex_sections(poles_P, c_out_DxP[i] * b_PxD[:, j]), 0
    case ChannelFilter(poles_DxN, b_DxN, c_out_DxN):
      weight_N = c_out_DxN[i] * b_DxN[i] if i == j else np.zeros(0)
      sections, late = _complex_sections(poles_DxN[i][: len(weight_N)], weight_N), 0
  if late > 1:
    raise ValueError(f'delay is {late} tokens; expected 0 or 1; split the longer delay off')
  a = scipy.linalg.block_diag(*(a for a, _, _ in sections)) if sections else np.zeros((0, 0))
  b = np.concatenate([np.zeros(0), *(b for _, b, _ in sections)])
  c = np.concatenate([np.zeros(0), *(c for _, _, c in sections)])
  return (a, b, c, d) if late else (a, b, c @ a, d + c @ b)


def _oscillator_sections(filter_: OscillatorFilter, i: int, j: int) -> list[tuple]:
  """(A, B, C) of each different oscillator with weight (C_re B_re - C_im B_im)_ij."""
  g_P, c_P, e_P, b_QxD, c_out_DxQ = filter_[:5]
  weight_P = (c_out_DxQ[i] * b_QxD[:, j]).reshape(2, -1).sum(0)
  low_P = c_P <= e_P
  keys, weights = _merged(np.stack([g_P, np.minimum(c_P, e_P), low_P], -1), weight_P)
  sections = []
  for (g, k, low), weight in zip(keys, weights, strict=True):
    c, size = k if low else 4 - 2 * g - k, np.sqrt(np.abs(weight))
    matrix = np.array([[1 - g, -c], [1 - g, 1 - c]])
    sections.append((matrix, size * np.ones(2), np.sign(weight) * size * np.array([0.0, 1.0])))
  return sections


def _complex_sections(poles_P: np.ndarray, weight_P: np.ndarray) -> list[tuple]:
  """(A, B, C) of each different pole of y = Re(weight x), x_n = pole x_{n-1} + u_n."""
  upper_P = poles_P.imag >= 0
  poles_P = np.where(upper_P, poles_P, poles_P.conj())
  weight_P = np.where(upper_P, weight_P, weight_P.conj())
  keys, weights = _merged(np.stack([poles_P.real, poles_P.imag], -1), weight_P)
  sections = []
  for (re, im), weight in zip(keys, weights, strict=True):
    size, rows = np.sqrt(np.abs(weight)), 2 if im else 1  # a real pole drives no imaginary part
    matrix, unit = np.array([[re, -im], [im, re]]), weight / np.abs(weight)
    out = size * np.array([unit.real, -unit.imag])
    sections.append((matrix[:rows, :rows], size * np.eye(2)[0, :rows], out[:rows]))
  return [section for section in sections if section[2].any()]


def _merged(key_PxK: np.ndarray, weight_P: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """Different keys and the sums of their weights, without those that cancel."""
  keys, place_P = np.unique(key_PxK, axis=0, return_inverse=True)
  sums, sizes = np.zeros(len(keys), weight_P.dtype), np.zeros(len(keys))
  np.add.at(sums, place_P.ravel(), weight_P)
  np.add.at(sizes, place_P.ravel(), np.abs(weight_P))
  kept = np.abs(sums) > 4 * np.finfo(float).eps * sizes
  return keys[kept], sums[kept]
