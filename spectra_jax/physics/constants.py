"""Physical constants (CODATA 2018) and the unit conversions that vibrational intensities need."""

SPEED_OF_LIGHT_CM_S = 2.99792458e10
BOHR_ANGSTROM = 0.529177210903
HARTREE_CM = 219474.6313632  # 1 hartree / (h c), in cm^-1
AMU_ELECTRON_MASS = 1822.888486209
DEBYE_E_ANGSTROM = 0.20819433  # 1 D in e*angstrom
HC_OVER_K_CM_K = 1.438776877  # second radiation constant

# Integrated (Napierian) molar absorption of a harmonic mode per squared dipole derivative.
KM_MOL_PER_E2_AMU = 974.880  # from (dmu/dQ)^2 in e^2/amu
KM_MOL_PER_D2_A2_AMU = 42.2560  # from (dmu/dQ)^2 in (D/angstrom)^2/amu
