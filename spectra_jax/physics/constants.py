"""Physical constants (CODATA 2018) and the conversion that vibrational intensities need."""

BOHR_ANGSTROM = 0.529177210903
HARTREE_CM = 219474.6313632  # 1 hartree / (h c), in cm^-1
AMU_ELECTRON_MASS = 1822.888486209

# Integrated (Napierian) molar absorption of a harmonic mode per squared dipole derivative.
KM_MOL_PER_E2_AMU = 974.880  # from (dmu/dQ)^2 in e^2/amu
