"""What spectra of one kind that were predicted from the other are worth, by direction and method.

A score stands at DIRECTION.SCORE.METHOD of a report, of molecules with an inversion centre alone at
DIRECTION.centrosymmetric.SCORE.METHOD:

  mse                  squared error of scaled roots; in reports over that of the mean spectrum
  cosine               of whole spectra
  precision, recall    of peaks within a tolerance, matched one to one; f1 of both
  intensity            correlation of the heights of matched peaks
  overlap              of intensities with those of the kind that was seen, where there is a centre
"""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from ml_collections import ConfigDict

from spectra_jax import figures, spectrum_scores, whole_spectrum
from spectra_jax.forms import Terms
from spectra_jax.roots import KINDS
from spectra_jax.spectrum_scores import PeakRule

DIRECTIONS = {'ir_to_raman': 0, 'raman_to_ir': 1}  # -> the kind that is seen
SHOWN = ('mse', 'cosine', 'precision', 'recall', 'intensity')
OF_CENTRES = ('mse', 'recall', 'precision', 'overlap')
Scores = Mapping[str, Terms]


def scores(
  predicted_NxL: np.ndarray,
  targets: Mapping[str, np.ndarray],
  options: ConfigDict,
  nu_L: np.ndarray,
) -> Scores:
  """'<direction>.<score>' -> its terms over all N examples.

  Args:
    predicted_NxL: scaled roots of what is wanted.
    targets: 'wanted' and 'seen' [N, L] scaled roots, 'kind' that is seen, 'centrosymmetric'.
    options: `config.task.cross_spectral`.
    nu_L: wavenumbers [cm^-1].
  """
  o, predicted_NxL = options, np.float64(predicted_NxL)
  true_NxL, seen_NxL = np.float64(targets['wanted']), np.float64(targets['seen'])
  rule = PeakRule(o.peak_prominence, o.peak_separation_cm, o.peak_tolerance_cm)
  found, true = (rule.peaks(x, nu_L) for x in (predicted_NxL, true_NxL))
  centre_N = targets['centrosymmetric']
  intensity = lambda root_NxL: np.maximum(root_NxL, 0.0) ** 2
  whole = {
    'mse': spectrum_scores.squared_error(predicted_NxL, true_NxL),
    'cosine': spectrum_scores.cosine(predicted_NxL, true_NxL),
    **spectrum_scores.of_peaks(found, true, o.peak_tolerance_cm),
    'overlap': spectrum_scores.overlap(intensity(seen_NxL), intensity(predicted_NxL), centre_N),
  }
  by_direction = {}
  for name in o.directions:
    own_N = targets['kind'] == DIRECTIONS[name]
    for score, terms in whole.items():
      by_direction[f'{name}.{score}'] = terms.where(own_N)
      if score in OF_CENTRES:
        by_direction[f'{name}.centrosymmetric.{score}'] = terms.where(own_N & centre_N)
  return by_direction


def selection(of_model: Scores, mean: Scores, directions: Sequence[str]) -> dict[str, float]:
  """'nre', the mean over directions of the error over that of the mean spectrum, and its parts."""
  value = lambda scores, d, score: float(scores[f'{d}.{score}'])
  nre = {f'nre_{d}': value(of_model, d, 'mse') / value(mean, d, 'mse') for d in directions}
  also = {f'{score}_{d}': value(of_model, d, score) for d in directions for score in SHOWN[1:]}
  return {'nre': float(np.mean(list(nre.values()))), **nre, **also}


def ratios(
  of_model: Scores, baselines: Mapping[str, Scores], truth: Scores, group_N: np.ndarray
) -> Scores:
  """Place in the report -> its terms; what no two groups have, such as a centre, is left out.

  Args:
    of_model: `scores` of the model.
    baselines: those of other methods, 'mean' among them.
    truth: those of the wanted spectra, of which overlaps alone are told.
    group_N: of the examples.
  """
  laws = {name: terms for name, terms in truth.items() if name.endswith('.overlap')}
  found = {}
  for method, own in {'model': of_model, **baselines, 'truth': laws}.items():
    for name, terms in own.items():
      if name.endswith('.mse'):
        below_N = baselines['mean'][name].parts_KxN[0]
        terms = Terms('ratio', np.stack([terms.parts_KxN[0], below_N]))
      if _can_be_judged(terms, group_N):
        found[f'{name}.{method}'] = terms
  return found


def _can_be_judged(terms: Terms, group_N: np.ndarray) -> bool:
  """Whether there is a number, and two groups that an interval can be over."""
  return bool(np.isfinite(terms.value)) and (terms.by_group(group_N)[-1] > 0).sum() > 1


def words(direction: str) -> str:
  """Such as 'IR to Raman'."""
  k = DIRECTIONS[direction]
  return f'{figures.KIND_NAMES[KINDS[k]]} to {figures.KIND_NAMES[KINDS[1 - k]]}'


def table(
  report: Mapping[str, Mapping], directions: Sequence[str], methods: tuple[str, ...]
) -> list[list[str]]:
  """Rows of the terminal's table: method, then scores with their 95 % intervals."""
  columns = {
    f'{words(name)}: {score}': report[name][score] for name in directions for score in SHOWN
  }
  return whole_spectrum.table(columns, methods, tuple(columns))


def figure(
  curves: Mapping[str, np.ndarray], kind_N: np.ndarray, ids: Sequence[str], nu_L: np.ndarray
) -> Figure:
  """The molecules of median error and of the 80th percentile, in each direction there is.

  Args:
    curves: label -> scaled roots [N, L]; the first are true, the last the model's.
    kind_N: the kind that is seen.
    ids: names of the molecules.
    nu_L: wavenumbers [cm^-1].
  """
  true_NxL, *_, found_NxL = curves.values()
  error_N = ((found_NxL - true_NxL) ** 2).mean(1)
  panels = []
  for k in dict.fromkeys(kind_N.tolist()):
    own = np.flatnonzero(kind_N == k)
    order = own[np.argsort(error_N[own])]
    title = f'{figures.KIND_NAMES[KINDS[1 - k]]} from {figures.KIND_NAMES[KINDS[k]]}'
    panels += [
      {
        'title': f'{title}   {ids[r]}',
        'ylabel': r'$\sqrt{I}$ / scale',
        'masked': np.zeros(len(nu_L), bool),
        'curves': {label: roots_NxL[r] for label, roots_NxL in curves.items()},
      }
      for r in (order[len(order) // 2], order[int(0.8 * (len(order) - 1))])
    ]
  return figures.overlays(nu_L, panels)
