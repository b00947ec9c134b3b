"""What mutual exclusion and intensities >= 0 are worth: the paired runs of the physics ablation.

python -m experiments.table --tables=paired
"""

from ml_collections import ConfigDict

from configs.tables import default

FREE = {'head.name': 'unconstrained'}
TERM = 'loss.weights.model.selection_rules'
CENTRED = 'parts.centrosymmetric'


def get_config() -> ConfigDict:
  c = default.get_config()
  c.caption = (
    'Normalised error of IR and Raman on hidden bands of both (1 = the mean spectrum), and how far '
    'the laws are broken, on held-out molecules.'
  )
  row = lambda label, where, method='model': {
    'label': label,
    'runs': 'physics_ablation/**',
    'where': {'task.name': 'paired', **where},
    'method': method,
  }
  c.rows = (
    row('none', FREE | {TERM: 0.0}),
    row('soft', FREE | {TERM: 100.0}),
    row('by construction', {'head.name': 'paired'}),
    # The head of shared modes gives intensities, for which baselines lose what is below zero.
    *(row(name, FREE, name) for name in ('gaussian', 'linear', 'mean')),
  )
  pairs = (('ir', 'IR'), ('raman', 'Raman'))
  c.columns = (
    *(
      default.result(f'NRE of {name}', f'{kind}.nre', f'{kind}.{{method}}') for kind, name in pairs
    ),
    *(_same(f'{name}, centrosymmetric', f'{kind}.{CENTRED}', '{:.3f}') for kind, name in pairs),
    _same('overlap of IR and Raman', 'laws.overlap', '{:.2g}'),
    _same('points below 0', 'laws.negative', '{:.2g}'),
    default.about('parameters', 'parameters', '{:,.0f}'),
  )
  c.seeds = (0, 1, 2)
  c.against = 'none'
  return c


def _same(label: str, metric: str, shown: str) -> dict:
  return default.result(label, f'{metric}.model', f'{metric}.{{method}}', shown)
