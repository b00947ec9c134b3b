"""Physics-informed models of vibrational spectra (IR, NIR, Raman) in JAX.

Shape letters used in names: B batch, L points or tokens, D width, P oscillators, Q = 2P real
channels, H heads, K knots or peaks, C classes, M molecules, N atoms, J lattice knots, T tokens.
Units: wavenumbers `nu` in cm^-1, widths and spacings ending in `_cm` likewise.
"""

__version__ = '0.1.0'
