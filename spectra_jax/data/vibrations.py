"""One molecule: SMILES -> GFN2-xTB minimum -> harmonic IR and Raman lines, sum rules, symmetry.

Needs the `[compute]` extra (tblite, rdkit). Set OMP_NUM_THREADS=1 before the first import and run
one process a core. Method: Bannwarth, Ehlert, Grimme, JCTC 15, 1652 (2019),
doi:10.1021/acs.jctc.8b01176, by tblite; the double harmonic approximation.
Arrays: N atoms, K modes. Inside, lengths are in bohr; what comes out is in angstrom.
"""

import dataclasses
from collections.abc import Callable

import numpy as np
from rdkit import Chem, RDLogger
from rdkit.Chem import AllChem
from tblite.exceptions import TBLiteRuntimeError
from tblite.interface import Calculator, Result
from tblite.library import ffi

from spectra_jax.data import polar_tensors, symmetry
from spectra_jax.physics import constants, intensities, selection_rules

RDLogger.DisableLog('rdApp.*')

METHOD = 'GFN2-xTB'
SEED = 1  # of the RDKit embedding
GRADIENT_GOAL = 1e-5  # hartree/bohr, max |g| at which the optimiser stops
GRADIENT_LIMIT = 1e-4  # hartree/bohr, max |g| above which a molecule is refused
MAX_STEPS = 400
MAX_STEP = 0.3  # bohr, largest change of a coordinate in one optimiser step
DISPLACEMENT = 5e-3  # bohr, central differences of gradients
FIELD = 2e-3  # atomic units, differences of gradients in a uniform field
ACCURACY = {'optimise': 0.05, 'displace': 0.01, 'field': 0.001}  # tblite SCF accuracy
BOND_FACTOR = 1.2  # bonded: distance < 1.2 times the sum of covalent radii
LINEAR_RATIO = 1e-2  # width over length of a geometry that is snapped onto its line
PARITY_TOLERANCE = 1e-3
INACTIVE = 1e-6  # of the largest Raman activity: below, a depolarisation ratio means nothing
CONFORMERS = 40  # embedded for a molecule whose centrosymmetric conformer is asked for
START_TOLERANCE = 1.0  # angstrom, inversion mismatch from which a start is symmetrised


class Refused(ValueError):
  """A molecule that is not shipped; `reason` is one short phrase, the same for all of its kind."""

  def __init__(self, reason: str, detail: str = ''):
    self.reason = reason
    super().__init__(f'{reason}: {detail}' if detail else reason)


@dataclasses.dataclass(frozen=True)
class Vibrations:
  """Harmonic spectrum of one molecule; translations and rotations are not among the modes.

  Fields: atomic_number [N]; mass [N] amu; position [N, 3] angstrom, centre of mass at the origin;
  dipole [3] e*angstrom; polar_tensor [N, 3, 3] e, d(mu_b)/d(x_Na) at [N, a, b], after the sum
  rules are enforced; frequency [K] cm^-1; ir_intensity [K] km/mol; raman_activity [K]
  angstrom^4/amu; depolarisation [K]; parity [K] +1 g, -1 u, 0 no centre; fsum_total km/mol;
  sum_rule_violation relative, before it was removed; gradient_max hartree/bohr.
  """

  smiles: str
  formula: str
  point_group: str
  centrosymmetric: bool
  atomic_number: np.ndarray
  mass: np.ndarray
  position: np.ndarray
  dipole: np.ndarray
  polar_tensor: np.ndarray
  frequency: np.ndarray
  ir_intensity: np.ndarray
  raman_activity: np.ndarray
  depolarisation: np.ndarray
  parity: np.ndarray
  fsum_total: float
  sum_rule_violation: float
  gradient_max: float


def vibrations(smiles: str, centred: bool = False) -> Vibrations:
  """Optimises a molecule and computes its harmonic IR and Raman lines.

  Args:
    smiles: a neutral closed-shell molecule.
    centred: True asks for the centrosymmetric conformer (40 are embedded, the one nearest to
      inversion symmetry is symmetrised), False takes the first conformer.

  Raises:
    Refused: diatomic, embedding failed, SCF failed, gradient not converged, rearranged, imaginary
      mode, mixed parity, or no inversion centre where `centred`.
  """
  molecule = embed(smiles, centred)
  numbers = np.array([atom.GetAtomicNum() for atom in molecule.GetAtoms()])
  if len(numbers) < 3:
    raise Refused('diatomic', f'{smiles} has {len(numbers)} atoms, at least 3 are expected')
  mass = np.array([atom.GetMass() for atom in molecule.GetAtoms()])
  start = molecule.GetConformer().GetPositions()
  try:
    x, slope = optimise(molecule, numbers, mass, start - mass @ start / mass.sum(), centred)
    check_bonds(molecule, x)
    result = harmonic_lines(smiles, numbers, mass, x, slope)
  except TBLiteRuntimeError as error:
    raise Refused('SCF failed', str(error).splitlines()[0]) from error
  if centred and not result.centrosymmetric:
    raise Refused('no inversion centre', f'the minimum of {smiles} is {result.point_group}')
  return result


def embed(smiles: str, centred: bool = False) -> Chem.Mol:
  """Molecule with hydrogens and one MMFF94 conformer (ETKDG, fixed seed).

  Raises:
    Refused: RDKit cannot read or embed it, or `centred` and no conformer is nearly symmetric.
  """
  parsed = Chem.MolFromSmiles(smiles)
  if parsed is None:
    raise Refused('embedding failed', f'RDKit cannot read the SMILES {smiles!r}')
  molecule = Chem.AddHs(parsed)
  ids = list(AllChem.EmbedMultipleConfs(molecule, CONFORMERS if centred else 1, randomSeed=SEED))
  if not ids:
    raise Refused('embedding failed', smiles)
  if AllChem.MMFFHasAllMoleculeParams(molecule):
    AllChem.MMFFOptimizeMoleculeConfs(molecule, maxIters=1000)
  best = min(ids, key=lambda i: _inversion_error(molecule, i)) if centred else ids[0]
  if centred and _inversion_error(molecule, best) > START_TOLERANCE:
    raise Refused('no inversion centre', f'no conformer of {smiles} is near to one')
  return Chem.Mol(molecule, confId=best)


def _inversion_error(molecule: Chem.Mol, conformer: int) -> float:
  numbers = np.array([atom.GetAtomicNum() for atom in molecule.GetAtoms()])
  mass = np.array([atom.GetMass() for atom in molecule.GetAtoms()])
  x = molecule.GetConformer(conformer).GetPositions()
  return symmetry.inversion_partners(numbers, x - mass @ x / mass.sum())[1]


def optimise(
  molecule: Chem.Mol, numbers: np.ndarray, mass: np.ndarray, x: np.ndarray, centred: bool
) -> tuple[np.ndarray, float]:
  """GFN2-xTB minimum, exactly linear and exactly centrosymmetric where it nearly is so.

  Args:
    molecule: its graph gives the model Hessian.
    numbers, mass: [N].
    x: [N, 3] start, angstrom, centre of mass at the origin.
    centred: symmetrise the start under inversion first.

  Returns:
    (positions [N, 3] in angstrom about the centre of mass, max |g| in hartree/bohr).

  Raises:
    Refused: max |g| stays above 1e-4 hartree/bohr.
  """
  calculator = _calculator(numbers, x / constants.BOHR_ANGSTROM, 'optimise')
  project = _symmetriser(numbers, mass, x, START_TOLERANCE if centred else 0.0)
  result = None
  for _ in range(2):  # the second round starts from the symmetrised geometry, if it differs
    hessian = model_hessian(molecule, project(x) / constants.BOHR_ANGSTROM)
    x, slope, result = _bfgs(calculator, project(x), hessian, project, result)
    x = x - mass @ x / mass.sum()
    project = _symmetriser(numbers, mass, x, symmetry.INVERSION_TOLERANCE)
    if np.allclose(project(x), x, rtol=0, atol=1e-12):
      break
  if not slope < GRADIENT_LIMIT:
    raise Refused('gradient not converged', f'max |g| is {slope:.1e}, limit {GRADIENT_LIMIT:.0e}')
  return x, slope


def _symmetriser(
  numbers: np.ndarray, mass: np.ndarray, x: np.ndarray, tolerance: float
) -> Callable[[np.ndarray], np.ndarray]:
  """Projection of positions or gradients [N, 3] onto the symmetry that x nearly has.

  Symmetries: inversion (mismatch below `tolerance` angstrom) and linearity.
  """
  partner, error = symmetry.inversion_partners(numbers, x)
  if error >= tolerance:
    partner = None
  _, width, along = np.linalg.svd(x - x.mean(0))
  line = along[:1] if width[1] < LINEAR_RATIO * width[0] else None

  def project(v):
    v = v if partner is None else (v - v[partner]) / 2
    return v if line is None else (v @ line.T) @ line

  return project


def model_hessian(molecule: Chem.Mol, x: np.ndarray) -> np.ndarray:
  """Springs between atoms 1, 2 or 3 bonds apart, as a start for BFGS.

  H = sum_pairs k n n^T (n: unit vector of the pair), k = 0.45, 0.12, 0.02 hartree/bohr^2,
  plus 0.02 on the diagonal. After Lindh et al., CPL 241, 423 (1995), simplified.

  Args:
    x: [N, 3], bohr.

  Returns:
    [3N, 3N], hartree/bohr^2, positive definite.
  """
  bonds = Chem.GetDistanceMatrix(molecule).astype(int)
  spring = np.array([0.0, 0.45, 0.12, 0.02])[np.where(bonds > 3, 0, bonds)]
  delta = x[:, None] - x[None]
  square = (delta**2).sum(-1) + np.eye(len(x))
  block = -(spring / square)[:, :, None, None] * delta[..., :, None] * delta[..., None, :]
  block[np.arange(len(x)), np.arange(len(x))] = -block.sum(1)
  return block.transpose(0, 2, 1, 3).reshape(3 * len(x), -1) + 0.02 * np.eye(3 * len(x))


def _bfgs(calculator, x, hessian, project, result=None) -> tuple[np.ndarray, float, Result]:
  """BFGS (Nocedal and Wright, 6.17) with capped steps; a step that goes up resets the Hessian."""
  x = x / constants.BOHR_ANGSTROM
  start = np.linalg.inv(hessian)
  inverse, cap = start, MAX_STEP
  energy, g, result = _slope(calculator, x, project, result)
  for _ in range(MAX_STEPS):
    if abs(g).max() < GRADIENT_GOAL:
      break
    step = -inverse @ g.ravel()
    step *= min(1.0, cap / abs(step).max())
    new, g_new, result = _slope(calculator, x + step.reshape(-1, 3), project, result)
    if new > energy + 1e-7:
      inverse, cap = start, cap / 3
      continue
    inverse = _update(inverse, step, (g_new - g).ravel())
    x, energy, g, cap = x + step.reshape(-1, 3), new, g_new, min(MAX_STEP, 2 * cap)
  return x * constants.BOHR_ANGSTROM, float(abs(g).max()), result


def _slope(calculator, x, project, result):
  calculator.update(x)
  result = calculator.singlepoint(result)
  return float(result.get('energy')), project(result.get('gradient')), result


def _update(inverse: np.ndarray, s: np.ndarray, y: np.ndarray) -> np.ndarray:
  curvature = s @ y
  if curvature < 1e-4 * np.sqrt((s @ s) * (y @ y)):
    return inverse
  hy = inverse @ y
  return (
    inverse
    + np.outer(s, s) * (1 + y @ hy / curvature) / curvature
    - (np.outer(hy, s) + np.outer(s, hy)) / curvature
  )


def check_bonds(molecule: Chem.Mol, x: np.ndarray) -> None:
  """Refuses a geometry [N, 3] (angstrom) whose bonds are not those of the SMILES.

  Raises:
    Refused: rearranged, naming the first pair of atoms that gained or lost a bond.
  """
  table = Chem.GetPeriodicTable()
  radius = np.array([table.GetRcovalent(a.GetAtomicNum()) for a in molecule.GetAtoms()])
  near = np.linalg.norm(x[:, None] - x, axis=-1) < BOND_FACTOR * (radius[:, None] + radius)
  np.fill_diagonal(near, False)
  wrong = np.argwhere(near != Chem.GetAdjacencyMatrix(molecule).astype(bool))
  if len(wrong):
    raise Refused('rearranged', f'the bond of atoms {wrong[0].tolist()} changed')


def _calculator(numbers, x_bohr, purpose, field=None) -> Calculator:
  calculator = Calculator(METHOD, numbers, x_bohr)
  calculator.set('verbosity', 0)
  calculator.set('accuracy', ACCURACY[purpose])
  if field is not None:
    calculator.add('electric-field', ffi.new('double[3]', [float(f) for f in field]))
  return calculator


def hessian(numbers: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """Second derivatives of the energy and first derivatives of the dipole, by displacements.

  H_ij = (g_j(x_i + h) - g_j(x_i - h)) / 2h, symmetrised; h = 5e-3 bohr.

  Args:
    numbers: [N].
    x: [N, 3], angstrom.

  Returns:
    (H [3N, 3N] hartree/bohr^2, d(mu)/dx [3N, 3] e).
  """
  origin = x / constants.BOHR_ANGSTROM
  calculator = _calculator(numbers, origin, 'displace')
  rest = calculator.singlepoint()
  rows, moments = [], []
  for i in range(origin.size):
    pair = []
    for sign in (1, -1):
      moved = origin.copy()
      moved.flat[i] += sign * DISPLACEMENT
      calculator.update(moved)
      pair.append(calculator.singlepoint(rest, copy=True))
    plus, minus = pair
    rows.append((plus.get('gradient') - minus.get('gradient')).ravel() / (2 * DISPLACEMENT))
    moments.append((plus.get('dipole') - minus.get('dipole')) / (2 * DISPLACEMENT))
  h = np.array(rows)
  return (h + h.T) / 2, np.array(moments)


def field_derivatives(
  numbers: np.ndarray, x: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """Dipole, its derivatives and those of the polarisability, from gradients in a uniform field.

  P_ib = d(mu_b)/dx_i = -dg_i/dF_b; A_iab = d(alpha_ab)/dx_i = -d^2 g_i/dF_a dF_b; fields of
  F = 2e-3 atomic units along the axes and the diagonals, central differences; P is extrapolated
  from F and 2F, (4 P(F) - P(2F)) / 3 (Richardson), A is of second order.

  Args:
    numbers: [N].
    x: [N, 3], angstrom.

  Returns:
    (mu [3] e bohr, P [3N, 3] e, A [3N, 3, 3] bohr^2).
  """
  origin = x / constants.BOHR_ANGSTROM
  rest = _calculator(numbers, origin, 'field').singlepoint()
  zero = rest.get('gradient').ravel()

  def gradient(direction):
    calculator = _calculator(numbers, origin, 'field', FIELD * direction)
    return calculator.singlepoint(rest, copy=True).get('gradient').ravel()

  axis, polar, alpha = np.eye(3), np.empty((x.size, 3)), np.empty((x.size, 3, 3))
  for a in range(3):
    plus, minus = gradient(axis[a]), gradient(-axis[a])
    far = gradient(2 * axis[a]) - gradient(-2 * axis[a])
    polar[:, a] = -(8 * (plus - minus) - far) / (12 * FIELD)
    alpha[:, a, a] = -(plus - 2 * zero + minus) / FIELD**2
  for a, b in ((0, 1), (0, 2), (1, 2)):
    both = gradient(axis[a] + axis[b]) + gradient(-axis[a] - axis[b])
    square = -(both - 2 * zero) / FIELD**2
    alpha[:, a, b] = alpha[:, b, a] = (square - alpha[:, a, a] - alpha[:, b, b]) / 2
  return np.asarray(rest.get('dipole')), polar, alpha


def normal_modes(h: np.ndarray, mass: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """Frequencies and mass-weighted modes of a Hessian, rigid motions taken out.

  Args:
    h: [3N, 3N], hartree/bohr^2.
    mass, x: [N] amu, [N, 3] angstrom about the centre of mass.

  Returns:
    (frequency [K] cm^-1 ascending; modes [3N, K], orthonormal columns).

  Raises:
    Refused: a negative eigenvalue.
  """
  rigid, _, _ = polar_tensors.rigid_motions(mass, x)
  vibrating = np.linalg.svd(rigid, full_matrices=True)[0][:, rigid.shape[1] :]
  weight = np.sqrt(np.repeat(mass, 3) * constants.AMU_ELECTRON_MASS)
  square, modes = np.linalg.eigh(vibrating.T @ (h / np.outer(weight, weight)) @ vibrating)
  if square[0] <= 0:
    value = np.sqrt(-square[0]) * constants.HARTREE_CM
    raise Refused('imaginary mode', f'{value:.1f}i cm^-1')
  return np.sqrt(square) * constants.HARTREE_CM, vibrating @ modes


def invert_modes(vectors: np.ndarray, partner: np.ndarray) -> np.ndarray:
  """Image of [3N, K] displacement vectors under inversion: atom i receives -v of its partner."""
  return -vectors.reshape(len(partner), 3, -1)[partner].reshape(vectors.shape)


def parities(modes: np.ndarray, partner: np.ndarray) -> np.ndarray:
  """+1 (g) or -1 (u) of each mode [3N, K]: <L| i |L>, which must be within 1e-3 of +-1.

  Raises:
    Refused: mixed parity.
  """
  value = (modes * invert_modes(modes, partner)).sum(0)
  worst = float(abs(abs(value) - 1).max())
  if worst > PARITY_TOLERANCE:
    raise Refused('mixed parity', f'<L|i|L> is {worst:.1e} from +-1')
  return np.sign(value).astype(int)


def harmonic_lines(smiles, numbers, mass, x, slope) -> Vibrations:
  """All derivatives at the minimum x [N, 3] and the lines that follow from them."""
  h, _ = hessian(numbers, x)
  partner, error = symmetry.inversion_partners(numbers, x)
  centre = error < 1e-9
  if centre:
    h = (h + invert_modes(invert_modes(h, partner).T, partner)) / 2
  frequency, modes = normal_modes(h, mass, x)
  mu, polar, alpha = field_derivatives(numbers, x)
  mu = mu * constants.BOHR_ANGSTROM
  polar, violation = polar_tensors.enforce_sum_rules(polar, mass, x, mu)
  shape = modes / np.sqrt(np.repeat(mass, 3))[:, None]
  turned = np.einsum('iab,ik->kab', alpha, shape) * constants.BOHR_ANGSTROM**2
  return Vibrations(
    smiles=smiles,
    formula=Chem.rdMolDescriptors.CalcMolFormula(Chem.MolFromSmiles(smiles)),
    point_group=symmetry.point_group(numbers, x),
    centrosymmetric=centre,
    atomic_number=numbers,
    mass=mass,
    position=x,
    dipole=mu,
    polar_tensor=polar.reshape(-1, 3, 3),
    frequency=frequency,
    ir_intensity=intensities.infrared_intensity(shape.T @ polar),
    raman_activity=selection_rules.raman_activity(turned),
    depolarisation=selection_rules.depolarisation(turned, light='plane', silent=INACTIVE),
    parity=parities(modes, partner) if centre else np.zeros(len(frequency), int),
    fsum_total=float(intensities.dipole_f_sum(polar.reshape(-1, 3, 3), mass)),
    sum_rule_violation=violation,
    gradient_max=slope,
  )
