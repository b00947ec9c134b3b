"""Physics-informed models of vibrational spectra (IR, NIR, Raman) in JAX.

Shape letters used in names: B batch, L points or tokens, D width, P oscillators, Q = 2P real
channels, H heads, K knots or peaks, C classes, M molecules, N atoms, J lattice knots, T tokens.
Units: wavenumbers `nu` in cm^-1, widths and spacings ending in `_cm` likewise.
"""

__version__ = '0.1.0'


def __getattr__(name: str):
  """`from spectra_jax import load_pretrained`, without importing jax for those who do not ask."""
  if name == 'load_pretrained':
    from spectra_jax.pretrained import load_pretrained

    return load_pretrained
  raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
