"""The audit: predictions of any model against every law that applies to their kind and state.

One law a function, each a generator of findings: what was found, or why it was not tested. Nothing
is left out silently.
"""

from collections.abc import Sequence

from matplotlib.figure import Figure

from spectra_jax import figures
from spectra_jax.audit import dispersion, exclusion, linewidth, pointwise, shifts, strength
from spectra_jax.audit.assumptions import Assumptions
from spectra_jax.audit.findings import Finding, NotTested
from spectra_jax.audit.predictions import Predictions

MOST_PANELS = 10  # of the figure
LAWS = (
  pointwise.non_negativity,
  pointwise.passivity,
  dispersion.kramers_kronig,
  strength.f_sum,
  linewidth.no_narrower,
  exclusion.mutual_exclusion,
)


def audit(
  predictions: Predictions, assumptions: Assumptions, shifted: Predictions | None = None
) -> list[Finding | NotTested]:
  """Every law, asked of these predictions.

  Args:
    predictions: what a model gave.
    assumptions: what the laws rest on.
    shifted: what it gave for inputs that were shifted by `assumptions.shift_cm`.

  Raises:
    ValueError: a shift, or shifted predictions, that cannot be compared.
  """
  found = [each for law in LAWS for each in law(predictions, assumptions)]
  return found + list(shifts.equivariance(predictions, shifted, assumptions))


def figure(predictions: Predictions, found: Sequence[Finding | NotTested]) -> Figure:
  """The worst row of each law, violated ones first, MOST_PANELS at most; breaks are shaded."""
  tested = [each for each in found if isinstance(each, Finding)]
  shown = sorted(tested, key=lambda each: not each.violated_N.any())[:MOST_PANELS]
  return figures.worst_rows(predictions.axis, [_panel(each) for each in shown])


def _panel(found: Finding) -> dict:
  i, violated = found.worst, bool(found.violated_N[found.worst])
  verdict = f'{found.size_N[i]:.2g} {found.unit}' if violated else 'no row violates it'
  return {
    'title': f'{found.name.replace("_", " ")}, row {found.worst_row}: {verdict}',
    'curves': {label: values[i] for label, values in found.curves.items()},
    'where': found.where_NxL[i],
    'ylabel': found.ylabel,
  }
