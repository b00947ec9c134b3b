"""What mutual exclusion is worth to cross-spectral prediction: the runs of spektron_cross:laws.

python -m experiments.table --tables=spektron_cross_laws
"""

from ml_collections import ConfigDict

from configs.tables import default, spektron_cross

FREE = {'head.name': 'unconstrained'}
TERM = 'loss.weights.model.selection_rules'
SCORES = ('mse', 'precision', 'recall')


def get_config() -> ConfigDict:
  c = default.get_config()
  c.caption = (
    'Spectra of one kind from those of the other by a small model that is told of inversion '
    'centres: mutual exclusion not asked for, as a loss, and by modes that are g or u.'
  )
  row = lambda label, where, method='model': {
    'label': label,
    'runs': 'spektron_cross/**',
    'where': {'task.cross_spectral.known': ('centrosymmetric',), **where},
    'method': method,
  }
  c.rows = (
    row('none', FREE | {TERM: 0.0}),
    row('soft', FREE | {TERM: 100.0}),
    row('by construction', {'head.name': 'paired'}),
    row('computed spectra', FREE | {TERM: 0.0}, 'truth'),
  )
  shown = {name: spektron_cross.SCORES[name] for name in SCORES}
  c.columns = (
    *spektron_cross.scores({**shown, **spektron_cross.CENTRED}),
    default.about('parameters', 'parameters', '{:,.0f}'),
  )
  words = ('error', *(spektron_cross.CENTRED[f'centrosymmetric.{k}'] for k in ('mse', 'overlap')))
  c.page = tuple(f'{said}: {what}' for what in words for said in spektron_cross.DIRECTIONS.values())
  c.seeds = (0, 1, 2)
  c.against = 'none'
  return c
