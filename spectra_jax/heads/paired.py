"""Tokens -> infrared and Raman spectrum of the same modes, apart where there is a centre."""

from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from spectra_jax.physics.line_shapes import lorentz
from spectra_jax.physics.selection_rules import allowed
from spectra_jax.tokenize import token_positions


class Modes(NamedTuple):
  """position_BxK and fwhm_BxK [cm^-1], ir_BxK and raman_BxK >= 0: areas [value * cm^-1]."""

  position_BxK: jax.Array
  fwhm_BxK: jax.Array
  ir_BxK: jax.Array
  raman_BxK: jax.Array


class Head(nn.Module):
  """K Lorentz modes with one position and one width each, an area >= 0 in either spectrum.

  In centrosymmetric molecules modes are u and g by turns: u modes have no Raman area, g modes no
  infrared area, exactly. That fixes the parity of a mode and not the number of u and g modes there
  are, since an area may vanish. All others may have both.

  Mode k reads the tokens through a softmax whose logits are a learned query plus a parabola around
  its place, every (range / K) along the axis; its position is the mean of the tokens' wavenumbers
  under that softmax, each moved by up to one token step.

  Attributes:
    step_cm: token spacing [cm^-1], the tokeniser's.
    modes: K.
    fwhm_min_cm: least full width at half maximum [cm^-1], two steps of the axis or more.
  """

  step_cm: float
  modes: int = 96
  fwhm_min_cm: float = 8.0

  def __call__(self, x_BxTxD: jax.Array, nu_L: np.ndarray) -> dict[str, jax.Array]:
    """tokens -> {'ir', 'raman'} [B, L] float32, of molecules without an inversion centre."""
    return self.given(x_BxTxD, nu_L, jnp.zeros(x_BxTxD.shape[0], bool))

  def given(self, x_BxTxD: jax.Array, nu_L: np.ndarray, known_B: jax.Array) -> dict[str, jax.Array]:
    """The same, `known_B` true where the molecule has an inversion centre.

    Raises:
      ValueError: the axis is too coarse for the narrowest lines, or there are no modes.
    """
    modes = self.lines(x_BxTxD, nu_L, known_B)
    offset_BxKxL = np.float32(nu_L) - modes.position_BxK[..., None]
    profile_BxKxL = lorentz(offset_BxKxL, modes.fwhm_BxK[..., None])
    spectrum = lambda area_BxK: jnp.einsum('bk,bkl->bl', area_BxK, profile_BxKxL)
    return {'ir': spectrum(modes.ir_BxK), 'raman': spectrum(modes.raman_BxK)}

  @nn.compact
  def lines(self, x_BxTxD: jax.Array, nu_L: np.ndarray, known_B: jax.Array) -> Modes:
    """The modes behind both spectra."""
    self._check(nu_L)
    x = nn.RMSNorm(dtype=x_BxTxD.dtype)(x_BxTxD)
    share_BxKxT, nu_T = self._attention(x, nu_L)
    shift_BxT = jnp.tanh(nn.Dense(1, dtype=x.dtype, name='shift')(x).astype(jnp.float32))[..., 0]
    position_BxK = share_BxKxT @ nu_T + jnp.einsum(
      'bkt,bt->bk', share_BxKxT, shift_BxT * self.step_cm
    )
    read = nn.Dense(3, dtype=x.dtype, name='line')(share_BxKxT.astype(x.dtype) @ x)
    width, *areas = jnp.moveaxis(nn.softplus(read.astype(jnp.float32)), -1, 0)
    fwhm_BxK = self.fwhm_min_cm * (1 + width)
    # A height of softplus gives an area of the size of a line, whatever its width.
    areas = [0.5 * np.pi * fwhm_BxK * area_BxK for area_BxK in areas]
    parity_K = np.where(np.arange(self.modes) % 2, 1, -1)
    may = [jnp.where(known_B[:, None].astype(bool), mask_K, True) for mask_K in allowed(parity_K)]
    ir_BxK, raman_BxK = (jnp.where(m, area, 0.0) for m, area in zip(may, areas, strict=True))
    return Modes(position_BxK, fwhm_BxK, ir_BxK, raman_BxK)

  def _attention(self, x_BxTxD, nu_L) -> tuple[jax.Array, np.ndarray]:
    """(share_BxKxT of each token in each mode, summing to 1 over tokens; nu_T [cm^-1])."""
    nu_T = token_positions(nu_L, self.step_cm)
    reach = (nu_L[-1] - nu_L[0]) / self.modes
    place_K = nu_L[0] + (np.arange(self.modes) + 0.5) * reach
    near_KxT = -0.5 * ((nu_T - place_K[:, None]) / max(reach, self.step_cm)) ** 2
    query = nn.Dense(self.modes, use_bias=False, dtype=x_BxTxD.dtype, name='query')
    logits_BxKxT = query(x_BxTxD).astype(jnp.float32).swapaxes(1, 2) + np.float32(near_KxT)
    return jax.nn.softmax(logits_BxKxT, -1), np.float32(nu_T)

  def _check(self, nu_L) -> None:
    step = float(np.max(np.diff(nu_L)))
    if self.modes < 2 or not self.fwhm_min_cm >= 2 * step:
      raise ValueError(
        f'the head has {self.modes} modes of at least {self.fwhm_min_cm:g} cm^-1 on an axis with '
        f'steps of {step:.3g}, expected 2 modes or more and two steps a width; raise '
        'head.paired.modes or fwhm_min_cm, or axis.points'
      )
