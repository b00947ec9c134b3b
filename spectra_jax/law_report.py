"""What models of several quantities are worth: error of each quantity, and how far laws are broken.

Scores are exact sums a spectrum, name -> (total [N], count [N]). NRE = squared error over that of
the training-set mean spectrum on the same points: 1 is what knowing nothing costs.
"""

import functools
from collections.abc import Mapping
from typing import Any, ClassVar

import jax
import numpy as np

from spectra_jax import metrics
from spectra_jax.forms import Terms
from spectra_jax.scores import Ratios

Scores = Mapping[str, tuple[np.ndarray, np.ndarray]]
Outputs = Mapping[str, jax.Array]


class LawTask:
  """What tasks share whose models give several quantities, each under laws.

  A task adds fields `spectra` and `split`, and methods `examples`, `inputs`, `metrics` (whose
  scores are named by `quantities`, 'quantity/part' and `laws`) and `true_outputs`.
  """

  quantities: ClassVar[tuple[str, ...]]
  parts: ClassVar[tuple[str, ...]]
  laws: ClassVar[tuple[str, ...]]

  def effective(self, params: Any) -> Any:
    return params

  @functools.lru_cache(maxsize=8)  # noqa: B019  of the tasks asked last
  def held_out(self, side: str) -> tuple[dict[str, Any], dict[str, jax.Array]]:
    """Inputs and targets of one whole side, on its fixed masks and noise."""
    return jax.jit(lambda batch: self.inputs(None, 0, batch, train=False))(self.examples(side))

  @functools.cached_property
  def _metrics(self):
    return jax.jit(self.metrics)

  def score(self, outputs: Outputs, side: str) -> Scores:
    """`metrics` of outputs for one whole side, on the host."""
    _, targets = self.held_out(side)
    return jax.tree.map(np.asarray, self._metrics(dict(outputs), targets))

  def selection(self, scores: Scores, mean: Scores, kind_N: np.ndarray) -> dict[str, float]:
    """Numbers logged at each validation; 'nre' is the mean over quantities."""
    return selection(scores, mean, self.quantities)

  def report(
    self, scores: Scores, baselines: Mapping[str, Scores], kind_N: np.ndarray
  ) -> dict[str, dict]:
    """NRE of each quantity with bootstrap intervals, and 'laws': violations, the truth's too."""
    _, targets = self.held_out('test')
    truth = self.score(self.true_outputs(targets), 'test')
    methods = {'model': scores, **baselines, 'truth': truth}
    return report(methods, self.groups('test'), self.quantities, self.parts, self.laws)

  def ratios(self, scores: Scores, baselines: Mapping[str, Scores], kind_N: np.ndarray) -> Ratios:
    """Place in the report -> (numerator [N], denominator [N]) of it."""
    return ratios({'model': scores, **baselines}, self.quantities, self.parts, self.laws)

  def groups(self, side: str) -> np.ndarray:
    """[N] group of each example of a side."""
    return self.spectra[self.quantities[0]].meta['group'][getattr(self.split, side)]


def selection(scores: Scores, mean: Scores, quantities: tuple[str, ...]) -> dict[str, float]:
  """Numbers logged at each validation; 'nre' is their mean."""
  nre = {f'nre_{name}': metrics.ratio(scores[name][0], mean[name][0]) for name in quantities}
  return {'nre': float(np.mean(list(nre.values()))), **nre}


def report(
  methods: Mapping[str, Scores],
  groups_N: np.ndarray,
  quantities: tuple[str, ...],
  parts: tuple[str, ...],
  laws: tuple[str, ...],
) -> dict[str, dict]:
  """{quantity: NRE of every method with intervals, also by part; 'laws': ...}.

  Args:
    methods: 'model', 'mean' and other baselines -> scores; 'truth' has scores of laws alone.
    groups_N: of each spectrum, which intervals are over.
    quantities: names of scores.
    parts: the score of part p of quantity q is named 'q/p'.
    laws: names of scores that are violations: total / count is reported for every method.
  """
  rated = {name: scores for name, scores in methods.items() if name != 'truth'}
  documents = {quantity: _quantity(rated, quantity, groups_N) for quantity in quantities}
  for quantity, document in documents.items():
    document['parts'] = {part: _ratios(rated, f'{quantity}/{part}') for part in parts}
  return documents | {
    'laws': {law: {name: _mean(*scores[law]) for name, scores in methods.items()} for law in laws}
  }


def ratios(
  methods: Mapping[str, Scores],
  quantities: tuple[str, ...],
  parts: tuple[str, ...],
  laws: tuple[str, ...],
) -> Ratios:
  """Place in `report` -> (numerator [N], denominator [N]) of it, a spectrum."""
  found = {}
  for name, scores in methods.items():
    for quantity in quantities:
      pair = lambda score, own=scores: (own[score][0], methods['mean'][score][0])
      found[f'{quantity}.{"nre" if name == "model" else name}'] = pair(quantity)
      found |= {f'{quantity}.parts.{part}.{name}': pair(f'{quantity}/{part}') for part in parts}
    found |= {f'laws.{law}.{name}': scores[law] for law in laws}
  return found


def _quantity(methods: Mapping[str, Scores], quantity: str, groups_N: np.ndarray) -> dict:
  nre = _ratios(methods, quantity)
  over = methods['mean'][quantity][0]
  pair = lambda name: Terms('ratio', np.float64([methods[name][quantity][0], over]))
  interval = {name: pair(name).interval(groups_N) for name in methods}
  others = {name: value for name, value in nre.items() if name != 'model'}
  return {'nre': nre['model'], 'interval': interval['model'], **others, 'intervals': interval}


def _ratios(methods: Mapping[str, Scores], score: str) -> dict[str, float]:
  mean = methods['mean'][score][0]
  return {name: metrics.ratio(scores[score][0], mean) for name, scores in methods.items()}


def _mean(total_N: np.ndarray, count_N: np.ndarray) -> float:
  """total / count over all spectra; 0 where the law speaks of none of them."""
  return float(total_N.sum() / max(count_N.sum(), 1))


def table(results: Mapping[str, Mapping], names: Mapping[str, str]) -> list[list[str]]:
  """Rows of the terminal's table: method, NRE with 95 % interval of each quantity, laws.

  Args:
    results: what `report` returns.
    names: quantity -> its heading.
  """
  laws = results['laws']
  methods = ('model', *(m for m in next(iter(laws.values())) if m not in ('model', 'truth')))

  def cell(quantity, method):
    if method == 'truth':
      return '0'
    value = results[quantity]['nre' if method == 'model' else method]
    return '{:.3f} [{:.3f}, {:.3f}]'.format(value, *results[quantity]['intervals'][method])

  header = ['NRE on held-out molecules', *names.values(), *(law.replace('_', ' ') for law in laws)]
  rows = [
    [m, *(cell(q, m) for q in names), *(f'{laws[law][m]:.2g}' for law in laws)]
    for m in (*methods, 'truth')
  ]
  return [header, *rows]
