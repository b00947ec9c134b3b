"""LinOSS along retardation: the blocks run on the cosine transform of the tokens.

There a Lorentzian line is a damped exponential, an oscillator reads as a line (nu0, gamma) in cm^-1
(`spectra_jax.interferogram.line_of_dynamics`), and causality has a meaning: with `bidirectional =
False` the output at a retardation depends on shorter ones only, so on the spectrum at a coarser
resolution. Two limits: the norm before each layer divides every retardation by its rms over the
channels, which takes their common envelope away; and a band hidden from the tokeniser is spread
over all retardations.
"""

import jax
import numpy as np

from spectra_jax import blocks
from spectra_jax.backbones import linoss
from spectra_jax.interferogram import spacing


class Backbone(linoss.Backbone):
  """x_BxLxD -> inverse DCT(LinOSS(DCT(x))), orthonormal along L; parameters as `backbones.linoss`.

  It does not stream over tokens, since each retardation needs the whole spectrum. A causal one does
  stream over retardations, as a mirror moves: `linoss.Backbone` of the same fields and parameters
  does that, by `extend` and `step` on the transformed tokens.

  Attributes (others: `spectra_jax.backbones.linoss.Backbone`):
    bidirectional: each block also runs from long to short retardations.
  """

  bidirectional: bool = False

  def __call__(
    self, x_BxLxD: jax.Array, nu_L: np.ndarray, mask_BxL: jax.Array, train: bool
  ) -> jax.Array:
    """[B, L, D] -> [B, L, D] in wavenumbers; mask_BxL (True = visible) is not used.

    Raises:
      ValueError: nu_L [cm^-1] is not even and ascending, the tokens are split over devices, or as
        `linoss.Backbone`.
    """
    if self.sequence_axis:
      raise ValueError(
        f"backbones/interferogram has sequence_axis = {self.sequence_axis!r}, expected '': its "
        'cosine transform needs all tokens on one device; leave it empty and parallel.seq at 1'
      )
    spacing(nu_L)
    z_BxLxD = jax.scipy.fft.dct(x_BxLxD.astype('float32'), axis=1, norm='ortho')
    z_BxLxD = super().__call__(z_BxLxD.astype(x_BxLxD.dtype), nu_L, mask_BxL, train)
    y_BxLxD = jax.scipy.fft.idct(z_BxLxD.astype('float32'), axis=1, norm='ortho')
    return y_BxLxD.astype(x_BxLxD.dtype)

  def extend(self, state: blocks.State, x_BxTxD: jax.Array) -> tuple[blocks.State, jax.Array]:
    """Refused: see the class.

    Raises:
      ValueError: always.
    """
    raise ValueError(
      'backbones/interferogram needs the whole spectrum before its first retardation and cannot '
      'stream over tokens; stream retardations through backbones/linoss with the same parameters'
    )
