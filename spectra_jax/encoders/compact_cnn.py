"""A few wide convolutions on the points of the axis, each followed by a max-pool.

With its defaults the network of Soysal et al. 2025 (arXiv 2509.25964) up to its dense layer, which
is the head's: convolutions of 16, 32 and 64 channels, leaky ReLU, max-pool. The kernel widths,
which that paper does not give, are those of Liu et al. 2017 (doi:10.1039/C7AN01371J). Fixed
channels before the first convolution take off what a baseline adds, so that nothing has to be
corrected beforehand.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from scipy.signal import savgol_coeffs

CHANNELS = ('scaled', 'snv', 'derivative', 'root_derivative')
LEAST = 1e-6  # of a standard deviation and of a root's argument: keeps slopes finite


class Encoder(nn.Module):
  """(input channels) -> [convolution -> leaky ReLU -> max-pool] for each width.

  A feature moves by one place when the spectrum moves by the product of `stride` and `pools`
  points, and a max-pool forgets where in its window the line was: the pools set how much of a shift
  is forgotten. Kernels count points, so weights fit the axis step that they were trained at.

  Attributes:
    channels: of the input. 'scaled': as given; 'snv': (x - mean) / standard deviation over visible
      points; 'derivative': Savitzky-Golay (1964) first derivative of a parabola over its root mean
      square, 0 where a tap is hidden; 'root_derivative': sign(d) sqrt|d| of that, which lifts weak
      lines.
    taps: of the derivative [points], odd.
    widths: channels of each convolution.
    kernels: taps of each convolution [points of its input].
    pools: max-pool after each convolution [points of its output]; 1 = none.
    stride: of the first convolution [points].
    slope: of the leaky ReLU below zero.
    dtype: of activations; parameters stay float32.
  """

  channels: tuple[str, ...] = ('scaled',)
  taps: int = 11
  widths: tuple[int, ...] = (16, 32, 64)
  kernels: tuple[int, ...] = (21, 11, 5)
  pools: tuple[int, ...] = (2, 2, 2)
  stride: int = 1
  slope: float = 0.01
  dtype: str = 'float32'

  @nn.compact
  def __call__(
    self,
    values_BxL: jax.Array,
    visible_BxL: jax.Array,
    kind_B: jax.Array,
    nu_L: np.ndarray,
    train: bool,
  ) -> jax.Array:
    """-> [B, T, D], T = L / (stride x pools) rounded, D the last width.

    Raises:
      ValueError: unknown channels, lists of several lengths, even taps, or pools too large.
    """
    del kind_B, train
    self._check(len(nu_L))
    x = self._channels(values_BxL, visible_BxL).astype(self.dtype)
    layers = zip(self.widths, self.kernels, self.pools, strict=True)
    for i, (width, kernel, pool) in enumerate(layers):
      strides = (self.stride if i == 0 else 1,)
      x = nn.Conv(width, (kernel,), strides, dtype=self.dtype, name=f'conv_{i}')(x)
      x = max_pool(nn.leaky_relu(x, self.slope), pool)
    return x

  @nn.nowrap
  def _channels(self, values_BxL: jax.Array, visible_BxL: jax.Array) -> jax.Array:
    """[B, L, channels] float32, 0 where hidden."""
    x_BxL = jnp.where(visible_BxL, values_BxL, 0.0).astype(jnp.float32)
    slope_BxL = derivative(x_BxL, visible_BxL, self.taps)
    made = {
      'scaled': x_BxL,
      'snv': standard_normal_variate(x_BxL, visible_BxL),
      'derivative': slope_BxL,
      'root_derivative': jnp.sign(slope_BxL) * jnp.sqrt(jnp.abs(slope_BxL) + LEAST),
    }
    return jnp.stack([made[name] for name in self.channels], -1)

  @nn.nowrap
  def _check(self, points: int) -> None:
    unknown = [name for name in self.channels if name not in CHANNELS]
    if unknown or not self.channels:
      raise ValueError(f'channels are {self.channels}, expected some of {", ".join(CHANNELS)}')
    lengths = {len(each) for each in (self.widths, self.kernels, self.pools)}
    if len(lengths) > 1 or 0 in lengths:
      raise ValueError(
        f'widths {self.widths}, kernels {self.kernels} and pools {self.pools} are of several '
        'lengths, expected one of each for every convolution'
      )
    if self.taps < 3 or self.taps % 2 == 0:
      raise ValueError(f'taps is {self.taps}, expected an odd number of points from 3 on')
    if self.stride * int(np.prod(self.pools)) > points:
      raise ValueError(
        f'stride {self.stride} and pools {self.pools} leave nothing of {points} points; expected a '
        f'product of at most {points}; lower them'
      )


def max_pool(x_BxTxD: jax.Array, window: int) -> jax.Array:
  """Maxima of neighbouring windows, [B, T // window, D]; what is left over at the end is dropped.

  As `nn.max_pool`, whose gradient takes twice as long on a CPU.
  """
  batch, length, width = x_BxTxD.shape
  whole = length // window
  return x_BxTxD[:, : whole * window].reshape(batch, whole, window, width).max(2)


def standard_normal_variate(x_BxL: jax.Array, visible_BxL: jax.Array) -> jax.Array:
  """(x - mean) / (standard deviation), both over the visible points of a spectrum; 0 elsewhere."""
  mean = lambda y: y.sum(-1, keepdims=True) / jnp.maximum(visible_BxL.sum(-1, keepdims=True), 1)
  centred_BxL = jnp.where(visible_BxL, x_BxL - mean(x_BxL), 0.0)
  return centred_BxL / jnp.sqrt(mean(centred_BxL**2) + LEAST**2)


def derivative(x_BxL: jax.Array, visible_BxL: jax.Array, taps: int) -> jax.Array:
  """Slope of a parabola through `taps` points over its root mean square; 0 next to hidden ones."""
  kernel = jnp.asarray(savgol_coeffs(taps, 2, deriv=1), jnp.float32)
  convolve = jax.vmap(lambda row, k: jnp.convolve(row, k, mode='same'), (0, None))
  whole_BxL = convolve(visible_BxL.astype(jnp.float32), jnp.ones(taps)) > taps - 0.5
  slope_BxL = jnp.where(whole_BxL, convolve(x_BxL, kernel), 0.0)
  count_Bx1 = jnp.maximum(whole_BxL.sum(-1, keepdims=True), 1)
  size_Bx1 = jnp.sqrt((slope_BxL**2).sum(-1, keepdims=True) / count_Bx1 + LEAST**2)
  return slope_BxL / size_Bx1
