"""Short convolutions along the token axis, each derivative by the algorithm that is fastest.

With K taps that are r tokens apart and `before` tokens between the first tap and the output,

  dense      y_t[e] = sum_k sum_d x_{t + k r - before}[d] w_k[d, e],
  depthwise  y_t[d] = sum_k x_{t + k r - before}[d] w_k[d],

where x is zero outside the sequence, so that y is as long as x. The gradient by x is the same sum
with taps reversed (and transposed) and `before' = (K - 1) r - before`; the gradient by w is
dL/dw_k = sum_t x_{t + k r - before} dL/dy_t. The three are bilinear and closed under
differentiation: reverse mode of any order, no forward mode.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

ALGORITHMS = ('auto', 'lax', 'shifted', 'im2col')
_CHUNK = 32  # tokens in one fused loop of the depthwise kernel gradient


class _Plan(NamedTuple):
  """What is known before the arrays: taps K, their distance r, `before`, algorithms."""

  taps: int
  dilation: int
  before: int
  depthwise: bool
  forward: str
  gradient: str

  @property
  def after(self):
    return (self.taps - 1) * self.dilation - self.before

  def adjoint(self):
    """The plan of the gradient by x."""
    return self._replace(before=self.after, forward=self.gradient)


def convolve(
  x_BxLxD: jax.Array,
  kernel: jax.Array,
  *,
  dilation: int = 1,
  before: int | None = None,
  forward: str = 'auto',
  gradient: str = 'auto',
) -> jax.Array:
  """The sum of the module docstring, [B, L, D] -> [B, L, E], in the dtype of x.

  All algorithms compute the same y:

    lax      `lax.conv_general_dilated`.
    shifted  one term a tap: shifted input times tap, multiply-add or matmul. The depthwise kernel
             gradient is the same sum with the roles of taps and tokens exchanged.
    im2col   all shifted inputs side by side, then one matmul; dense kernels only.
    auto     shifted for a depthwise kernel on a CPU, where XLA has no fast grouped convolution
             (at B, L, D = 8, 2048, 128 and 9 taps a twentieth of its time); lax elsewhere.

  Sums are in float32 where x is narrower, except that `lax` off the CPU leaves that to the backend.

  Args:
    x_BxLxD: [B, L, D] input.
    kernel: [K, D, E] dense or [K, D] depthwise.
    dilation: r, tokens between neighbouring taps.
    before: tokens between the first tap and the output, from 0 (only what follows) to (K - 1) r
      (causal); None is in the middle, rounded down.
    forward: algorithm of y.
    gradient: algorithm of both gradients.

  Raises:
    ValueError: an unknown algorithm, im2col with a depthwise kernel, shapes that do not fit, or a
      dilation or `before` out of range.
  """
  depthwise = kernel.ndim == 2
  if kernel.ndim not in (2, 3) or kernel.shape[1] != x_BxLxD.shape[-1]:
    raise ValueError(
      f'the kernel is {kernel.shape} for an input of {x_BxLxD.shape[-1]} channels, expected '
      '[taps, channels] or [taps, channels, outputs]; give one of the two'
    )
  if dilation < 1:
    raise ValueError(f'dilation is {dilation}, expected a whole number of tokens from 1 on')
  reach = (kernel.shape[0] - 1) * dilation
  before = reach // 2 if before is None else before
  if not 0 <= before <= reach:
    raise ValueError(f'before is {before} tokens, expected 0 to {reach}, the reach of the taps')
  names = _algorithm('forward', forward, depthwise), _algorithm('gradient', gradient, depthwise)
  plan = _Plan(kernel.shape[0], dilation, before, depthwise, *names)
  return _convolve(plan, x_BxLxD, kernel.astype(x_BxLxD.dtype))


def _algorithm(option, name, depthwise):
  if name not in ALGORITHMS:
    raise ValueError(
      f'unknown convolution algorithm {name!r}: expected one of {sorted(ALGORITHMS)}; '
      f'set `{option}` to one of them'
    )
  if name == 'im2col' and depthwise:
    raise ValueError(
      f"`{option}` is 'im2col' for a depthwise kernel, which has no matmul; expected auto, lax or "
      'shifted'
    )
  if name != 'auto':
    return name
  return 'shifted' if depthwise and jax.default_backend() == 'cpu' else 'lax'


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _convolve(plan, x_BxLxD, kernel):
  return _computed(_FORWARD[plan.forward], plan, x_BxLxD, kernel)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _kernel_gradient(plan, x_BxLxD, g_BxLxE):
  return _computed(_GRADIENT[plan.gradient], plan, x_BxLxD, g_BxLxE)


def _both(function):
  return lambda plan, *arrays: (function(plan, *arrays), arrays)


def _convolve_backward(plan, arrays, g_BxLxE):
  x_BxLxD, kernel = arrays
  by_x = _convolve(plan.adjoint(), g_BxLxE, _transposed(kernel))
  return by_x, _kernel_gradient(plan, x_BxLxD, g_BxLxE)


def _kernel_gradient_backward(plan, arrays, kernel):
  x_BxLxD, g_BxLxE = arrays
  by_x = _convolve(plan.adjoint(), g_BxLxE, _transposed(kernel))
  return by_x, _convolve(plan, x_BxLxD, kernel)


_convolve.defvjp(_both(_convolve), _convolve_backward)
_kernel_gradient.defvjp(_both(_kernel_gradient), _kernel_gradient_backward)


def _transposed(kernel):
  """The taps in reverse, outputs as inputs: [K, D, E] -> [K, E, D]."""
  return jnp.flip(kernel, 0) if kernel.ndim == 2 else jnp.swapaxes(jnp.flip(kernel, 0), 1, 2)


def _computed(algorithm, plan, x_BxLxD, other):
  """Both arrays in float32 where a CPU (which has no narrower convolution) or a sum needs it."""
  dtype = x_BxLxD.dtype
  native = algorithm in (_lax, _lax_gradient) and jax.default_backend() != 'cpu'
  inside = dtype if native else jnp.promote_types(dtype, jnp.float32)
  return algorithm(plan, x_BxLxD.astype(inside), other.astype(inside)).astype(dtype)


def _shifts(plan, x_BxLxD):
  """x_{t + k r - before} for k = 0 ... K - 1: K arrays [B, L, D]."""
  length = x_BxLxD.shape[1]
  x_BxMxD = jnp.pad(x_BxLxD, ((0, 0), (plan.before, plan.after), (0, 0)))
  starts = range(0, plan.taps * plan.dilation, plan.dilation)
  return [x_BxMxD[:, start : start + length] for start in starts]


def _lax(plan, x_BxLxD, kernel):
  return lax.conv_general_dilated(
    x_BxLxD,
    kernel[:, None] if plan.depthwise else kernel,
    window_strides=(1,),
    padding=[(plan.before, plan.after)],
    rhs_dilation=(plan.dilation,),
    dimension_numbers=('NWC', 'WIO', 'NWC'),
    feature_group_count=x_BxLxD.shape[2] if plan.depthwise else 1,
  )


def _lax_gradient(plan, x_BxLxD, g_BxLxE):
  shape = (plan.taps, x_BxLxD.shape[2]) + (() if plan.depthwise else (g_BxLxE.shape[2],))
  like = jax.ShapeDtypeStruct(shape, x_BxLxD.dtype)
  return jax.linear_transpose(lambda kernel: _lax(plan, x_BxLxD, kernel), like)(g_BxLxE)[0]


def _shifted(plan, x_BxLxD, kernel):
  multiply = jnp.multiply if plan.depthwise else jnp.matmul
  terms = zip(_shifts(plan, x_BxLxD), kernel, strict=True)
  return sum(multiply(x_BxLxD, tap) for x_BxLxD, tap in terms)


def _shifted_gradient(plan, x_BxLxD, g_BxLxE):
  if plan.depthwise:
    return _exchanged(plan, x_BxLxD, g_BxLxE)
  return jnp.stack([jnp.einsum('bld,ble->de', x, g_BxLxE) for x in _shifts(plan, x_BxLxD)])


def _exchanged(plan, x_BxLxD, g_BxLxD):
  """The depthwise kernel gradient as a convolution whose taps are the tokens of g.

  One loop over chunks of tokens; in a chunk each token of g multiplies the K tokens of x that it
  saw, all K sums in one fused loop. A reduction along L for each tap reads x and g K times.
  """
  batch, length, width = x_BxLxD.shape
  size = min(_CHUNK, length)
  rest, span = -length % size, size + (plan.taps - 1) * plan.dilation
  x_BxMxD = jnp.pad(x_BxLxD, ((0, 0), (plan.before, plan.after + rest), (0, 0)))
  g_BxLxD = jnp.pad(g_BxLxD, ((0, 0), (0, rest), (0, 0)))

  def add(sum_BxKxD, i):
    x_BxSxD = lax.dynamic_slice_in_dim(x_BxMxD, i * size, span, axis=1)
    g_BxTxD = lax.dynamic_slice_in_dim(g_BxLxD, i * size, size, axis=1)
    stop = span - size + 1
    seen = (x_BxSxD[:, t : t + stop : plan.dilation] for t in range(size))
    return sum_BxKxD + sum(x * g_BxTxD[:, t, None] for t, x in enumerate(seen)), None

  zero_BxKxD = jnp.zeros((batch, plan.taps, width), x_BxLxD.dtype)
  return lax.scan(add, zero_BxKxD, jnp.arange((length + rest) // size))[0].sum(0)


def _im2col(plan, x_BxLxD, kernel):
  columns_BxLxKD = jnp.concatenate(_shifts(plan, x_BxLxD), -1)
  return columns_BxLxKD @ kernel.reshape(-1, kernel.shape[2])


def _im2col_gradient(plan, x_BxLxD, g_BxLxE):
  columns_BxLxKD = jnp.concatenate(_shifts(plan, x_BxLxD), -1)
  gradient_KDxE = jnp.einsum('blk,ble->ke', columns_BxLxKD, g_BxLxE)
  return gradient_KDxE.reshape(plan.taps, x_BxLxD.shape[2], -1)


_FORWARD = {'lax': _lax, 'shifted': _shifted, 'im2col': _im2col}
_GRADIENT = {'lax': _lax_gradient, 'shifted': _shifted_gradient, 'im2col': _im2col_gradient}
