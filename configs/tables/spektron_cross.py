"""IR to Raman and Raman to IR beside methods without a network: the runs of spektron_cross.

python -m experiments.table --tables=spektron_cross
"""

from ml_collections import ConfigDict

from configs.tables import default

DIRECTIONS = {'ir_to_raman': 'IR to Raman', 'raman_to_ir': 'Raman to IR'}
SCORES = {
  'mse': 'error',
  'cosine': 'cosine',
  'precision': 'peak precision',
  'recall': 'peak recall',
  'intensity': 'correlation of heights',
}
CENTRED = {
  'centrosymmetric.mse': 'error, centrosymmetric',
  'centrosymmetric.recall': 'peak recall, centrosymmetric',
  'centrosymmetric.overlap': 'overlap of IR and Raman, centrosymmetric',
}
CLASSICAL = {
  'kernel_ridge': 'kernel ridge',
  'ridge': 'ridge',
  'pls': 'PLS2',
  'identity': 'the spectrum that was given',
  'mean': 'mean spectrum',
}


def get_config() -> ConfigDict:
  c = default.get_config()
  c.caption = (
    'Spectra of one kind from those of the other, held-out molecules: squared error over that of '
    'the mean spectrum, cosine of whole spectra, peaks within 5 cm⁻¹ one to one, correlation of '
    'the heights of those found; of molecules with an inversion centre also what IR and Raman have '
    'in common (1 = they are the same).'
  )
  row = lambda label, method: {
    'label': label,
    'runs': 'spektron_cross/**',
    'where': {'head.name': 'reconstruct'},
    'method': method,
  }
  c.rows = (
    row('D-LinOSS', 'model'),
    row('D-LinOSS, mean of three', 'model') | {'runs': 'spektron_ensembles/cross'},
    *(row(label, method) for method, label in CLASSICAL.items()),
    row('computed spectra', 'truth'),
  )
  c.columns = (
    *scores({**SCORES, **CENTRED}),
    default.about('parameters', 'parameters', '{:,.0f}'),
    default.about('wall time (min)', 'wall_s_total', '{:.1f}', 1 / 60),
  )
  c.page = tuple(
    f'{said}: {words}'
    for words in ('error', 'peak precision', 'peak recall', CENTRED['centrosymmetric.mse'])
    for said in DIRECTIONS.values()
  )
  c.sections = ('train.steps',)
  c.seeds = (0, 1, 2)
  c.against = 'kernel ridge'
  return c


def scores(wanted: dict[str, str]) -> tuple[dict, ...]:
  """A column of each score (key of the report -> words) in both directions."""
  return tuple(
    default.of_model(f'{said}: {words}', f'{direction}.{score}', 'grouped')
    for score, words in wanted.items()
    for direction, said in DIRECTIONS.items()
  )
