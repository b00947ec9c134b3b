"""Spectra to tokens and back, in wavenumbers: nothing here counts points.

Tokens sit at the multiples of `step_cm` whatever the grid. The kernel is a continuous function of
the offset in cm^-1, a cubic B-spline with knots every `spacing = step_cm / knots_per_step`,

  token_t = sum_i K(nu_i - nu_t) S_i dnu_i ,   K(d) = sum_k W_k B((d - d_k) / spacing),

sampled on the grid and multiplied by its step. Because the knots of all tokens lie on one lattice,
that is a projection onto the lattice followed by a strided convolution over it. The trapezoid sum
over a smooth kernel converges fast: one set of weights serves 1, 2 and 4 cm^-1 grids, uneven ones
and spectra with missing bands.

Other kernels are a fixed bank of functions made of the same splines, K(d) = sum_f W_f F_f(d), so
that the number of weights grows with the logarithm of the width:

  dilated  B-splines of 1, 2, 4, ... knot spacings, five of each;
  wavelet  their second differences, three of each, which see no straight line, and two of the
           widest splines, which see what is left.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

SHORTEST_PERIOD_STEPS = 4.0  # shortest period of the wavenumber encoding, in token steps
LONGEST_PERIOD_CM = 8000.0
KERNELS = ('spline', 'dilated', 'wavelet')
POINTS_A_KNOT = 1.5  # of a grid, at least
TYPICAL_FWHM_CM = 16.0  # of an instrument: where the resolution's feature is 0


def cubic_b_spline(x: np.ndarray) -> np.ndarray:
  """The cardinal cubic B-spline: support [-2, 2], sum_j B(x - j) = 1, int B = 1."""
  x = np.abs(x)
  inner = 2 / 3 - x**2 + x**3 / 2
  return np.where(x < 1, inner, np.where(x < 2, (2 - x) ** 3 / 6, 0.0))


def spline_basis(nu_L: np.ndarray, knots_J: np.ndarray, spacing: float) -> np.ndarray:
  """B((nu_l - knot_j) / spacing): [L, J] float32; wavenumbers, knots and spacing in cm^-1."""
  offset_LxJ = (np.asarray(nu_L)[:, None] - knots_J) / spacing
  return cubic_b_spline(offset_LxJ).astype(np.float32)


def trapezoid_weights(nu_L: np.ndarray) -> np.ndarray:
  """dnu_i of the trapezoid rule on any increasing axis, each end counted in full: [L] in cm^-1."""
  return np.gradient(np.asarray(nu_L, np.float64))


def token_positions(nu_L: np.ndarray, step_cm: float) -> np.ndarray:
  """The multiples of `step_cm` that cover the axis: [T] float64 in cm^-1."""
  first, last = np.floor(nu_L[0] / step_cm), np.ceil(nu_L[-1] / step_cm)
  return np.arange(first, last + 1) * step_cm


def spline_values(knots_BxTxK: jax.Array, nu_L: np.ndarray, step_cm: float) -> jax.Array:
  """Each token's coefficients of the K splines from it to the next -> values_BxL on any axis."""
  nu_T = token_positions(nu_L, step_cm)
  spacing = step_cm / knots_BxTxK.shape[-1]
  knots_J = nu_T[0] + np.arange(len(nu_T) * knots_BxTxK.shape[-1]) * spacing
  coefficients_BxJ = knots_BxTxK.reshape(knots_BxTxK.shape[0], -1)
  return coefficients_BxJ @ spline_basis(nu_L, knots_J, spacing).T


def check_grid(nu_L: np.ndarray, spacing: float) -> None:
  """Refuses a grid too coarse for the trapezoid sum over splines of this knot spacing."""
  step = float(np.max(np.diff(nu_L)))
  if step > spacing / POINTS_A_KNOT:
    raise ValueError(
      f'the axis step is {step:.3g} cm^-1 but the tokeniser has a knot every {spacing:.3g} cm^-1, '
      f'expected a step of at most {spacing / POINTS_A_KNOT:.3g}; raise tokenize.step_cm or lower '
      'tokenize.knots_per_step, or resample'
    )


def wavenumber_features(nu_T: np.ndarray, count: int, step_cm: float) -> np.ndarray:
  """sin and cos of 2 pi nu / period, periods spaced geometrically: [T, 2 count] float32."""
  periods = np.geomspace(SHORTEST_PERIOD_STEPS * step_cm, LONGEST_PERIOD_CM, count)
  phase_TxF = 2 * np.pi * nu_T[:, None] / periods
  return np.concatenate([np.sin(phase_TxF), np.cos(phase_TxF)], -1).astype(np.float32)


def dilated_spline(level: int) -> np.ndarray:
  """h with B(x / 2^level) = sum_i h_i B(x - i), |i| <= 2 (2^level - 1): two-scale relation."""
  h = np.ones(1)
  for k in range(level):
    step = np.zeros(4 * 2**k + 1)
    step[:: 2**k] = np.array([1, 4, 6, 4, 1]) / 8
    h = np.convolve(h, step)
  return h


def kernel_bank(kernel: str, half: int) -> np.ndarray:
  """Coefficients of the bank's functions over the knots -half .. half: [2 half + 1, F].

  Each function lies between the outer knots whole; all levels have the same energy.

  Raises:
    ValueError: an unknown kernel, or one too narrow for a bank.
  """
  if kernel not in KERNELS:
    raise ValueError(f'tokenize.kernel is {kernel!r}, expected one of {", ".join(KERNELS)}')
  if kernel == 'spline':
    return np.eye(2 * half + 1)
  levels = [k for k in range(16) if 4 * 2**k - 2 <= half]
  if not levels:
    raise ValueError(
      f'a {kernel} kernel has {2 * half + 1} knots, expected at least 5; raise tokenize.kernel_cm'
    )

  def column(level, weights):
    """Splines of a level at its own spacing, by shift: {shift: weight} -> [2 half + 1]."""
    h, values = dilated_spline(level), np.zeros(2 * half + 1)
    for shift, weight in weights.items():
      middle = half + shift * 2**level
      reach = len(h) // 2
      values[middle - reach : middle + reach + 1] += weight * h
    return values / 2 ** (level / 2)

  if kernel == 'dilated':
    return np.stack([column(k, {j: 1.0}) for k in levels for j in range(-2, 3)], -1)
  wavelets = [column(k, {j - 1: -0.5, j: 1.0, j + 1: -0.5}) for k in levels for j in (-1, 0, 1)]
  return np.stack([*wavelets, *(column(levels[-1], {j: 1.0}) for j in (-1, 1))], -1)


def resolution_features(fwhm_B: jax.Array, nu_L: np.ndarray) -> jax.Array:
  """What instrument and grid leave of a line: [B, 3] float32; FWHM in cm^-1, 0 = not known.

  Whether the FWHM is known; its size, log2(FWHM / 16 cm^-1); and by how much the grid is coarser
  than half of it, max(0, log2(2 step / FWHM)). A grid that resolves what the instrument does is not
  told from a finer one, so that tokens stay the same on both.
  """
  known_B = fwhm_B > 0
  fwhm_B = jnp.where(known_B, fwhm_B, TYPICAL_FWHM_CM)
  step = float(np.median(np.diff(nu_L)))
  coarse_B = jnp.maximum(0.0, jnp.log2(2 * step / fwhm_B))
  found = [known_B, jnp.log2(fwhm_B / TYPICAL_FWHM_CM), coarse_B * known_B]
  return jnp.stack(found, -1).astype(jnp.float32)


class Tokenizer(nn.Module):
  """values and visibility on a grid -> tokens every `step_cm`.

  Attributes:
    width: D, channels of a token.
    kinds: how many kinds of spectra there are.
    step_cm: token spacing [cm^-1].
    knots_per_step: spline knots in one token spacing.
    kernel_cm: support of the kernel between its outer knots [cm^-1].
    fourier_features: sine-cosine pairs that encode the wavenumber.
    kernel: 'spline', 'dilated' or 'wavelet', see above.
    resolution: tokens also say how wide the instrument's lines are and whether the grid is coarse
      for them (`resolution_features`).
    dtype: of the tokens; parameters stay float32.
  """

  width: int
  kinds: int
  step_cm: float
  knots_per_step: int
  kernel_cm: float
  fourier_features: int
  kernel: str = 'spline'
  resolution: bool = False
  dtype: str = 'float32'

  @property
  def spacing(self) -> float:
    return self.step_cm / self.knots_per_step

  def positions(self, nu_L: np.ndarray) -> np.ndarray:
    """Wavenumbers of the tokens: [T] float64 in cm^-1."""
    return token_positions(nu_L, self.step_cm)

  @nn.compact
  def __call__(
    self,
    values_BxL: jax.Array,
    visible_BxL: jax.Array,
    kind_B: jax.Array,
    nu_L: np.ndarray,
    fwhm_B: jax.Array | None = None,
  ) -> jax.Array:
    """Values where visible, anything elsewhere -> tokens_BxTxD; `nu_L` is a host array.

    `fwhm_B` is the instrument's line width [cm^-1], read with `resolution`; None or 0 = not known.
    """
    check_grid(nu_L, self.spacing)
    nu_T = self.positions(nu_L)
    seen_BxL = visible_BxL.astype(jnp.float32)
    signal_2xBxL = jnp.stack([jnp.where(visible_BxL, values_BxL, 0.0), seen_BxL])
    window_BxTxK2 = self._windows(signal_2xBxL, nu_L, nu_T).astype(self.dtype)
    tokens = nn.Dense(self.width, use_bias=False, dtype=self.dtype, name='kernel')(window_BxTxK2)
    place = wavenumber_features(nu_T, self.fourier_features, self.step_cm).astype(self.dtype)
    tokens += nn.Dense(self.width, dtype=self.dtype, name='wavenumber')(place)
    if self.resolution:
      fwhm_B = jnp.zeros(len(kind_B)) if fwhm_B is None else fwhm_B
      features_BxF = resolution_features(fwhm_B, nu_L).astype(self.dtype)
      tokens += nn.Dense(self.width, dtype=self.dtype, name='resolution')(features_BxF)[:, None]
    return tokens + nn.Embed(self.kinds, self.width, dtype=self.dtype, name='kind')(kind_B)[:, None]

  def _windows(self, signal_2xBxL: jax.Array, nu_L: np.ndarray, nu_T: np.ndarray) -> jax.Array:
    """Projects onto the lattice and gathers each token's knots, both channels side by side."""
    half = round(0.5 * self.kernel_cm / self.spacing)
    count = (len(nu_T) - 1) * self.knots_per_step + 2 * half + 1
    knots_J = nu_T[0] + (np.arange(count) - half) * self.spacing
    weights = trapezoid_weights(nu_L) / self.spacing
    project_LxJ = (spline_basis(nu_L, knots_J, self.spacing) * weights[:, None]).astype(np.float32)
    lattice_2xBxJ = signal_2xBxL @ project_LxJ
    index_TxK = np.arange(len(nu_T))[:, None] * self.knots_per_step + np.arange(2 * half + 1)
    window_2xBxTxK = lattice_2xBxJ[..., index_TxK]
    bank_KxF = kernel_bank(self.kernel, half)
    if self.kernel != 'spline':  # whose bank is the knots themselves
      window_2xBxTxK = window_2xBxTxK @ bank_KxF.astype(np.float32)
    return jnp.concatenate([window_2xBxTxK[0], window_2xBxTxK[1]], -1)
