"""Physical constants (CODATA 2018) and the conversion that vibrational intensities need."""

BOHR_ANGSTROM = 0.529177210903
HARTREE_CM = 219474.6313632  # 1 hartree / (h c), in cm^-1
AMU_ELECTRON_MASS = 1822.888486209

# Integrated (Napierian) molar absorption of a harmonic mode per squared dipole derivative.
KM_MOL_PER_E2_AMU = 974.880  # from (dmu/dQ)^2 in e^2/amu
DEBYE_E_ANGSTROM = 0.20819434  # 1 debye in e angstrom

SECOND_RADIATION_CM_K = 1.4387768775039  # h c / k
ELECTRON_RADIUS_CM = 2.8179403e-13  # classical
STRENGTH_PER_KM_MOL = 1.8757175e-7  # oscillator strength, 1e5 / (N_A pi r_e[cm])
CM_PER_ROOT_MDYN_ANGSTROM_AMU = 1302.79139  # harmonic wavenumber of k / mu = 1 mdyn/(angstrom amu)
