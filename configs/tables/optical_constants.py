"""What Kramers-Kronig and k >= 0 are worth to a model: the runs of configs/physics_ablation.py.

python -m experiments.table --tables=optical_constants
"""

from ml_collections import ConfigDict

from configs.tables import default

FREE = {'head.name': 'unconstrained'}
TERM = 'loss.weights.model.kramers_kronig'


def get_config() -> ConfigDict:
  c = default.get_config()
  c.caption = (
    'Normalised error of n and k from a noisy reflectance with hidden bands (1 = the mean '
    'spectrum), and how far the laws are broken, on held-out molecules.'
  )
  row = lambda label, where, method='model': {
    'label': label,
    'runs': 'physics_ablation/**',
    'where': {'task.name': 'optical_constants', **where},
    'method': method,
  }
  c.rows = (
    row('none', FREE | {TERM: 0.0}),
    row('soft', FREE | {TERM: 1.0}),
    row('by construction', {'head.name': 'non_negative'}),
    # Of one seed: the report of optical_constants-none-1-all_5_of_molecules has an older Gaussian.
    *(row(name, {'seed': 0}, name) for name in ('gaussian', 'phase', 'mean')),
  )
  c.columns = (
    *(default.result(f'NRE of {name}', f'{name}.nre', f'{name}.{{method}}') for name in ('n', 'k')),
    _law('residual of n - T k', 'kramers_kronig'),
    _law('points with k < 0', 'negative_k'),
    default.about('parameters', 'parameters', '{:,.0f}'),
  )
  c.sections = ('loss.weights.model.k_mse', 'split.train_share')
  c.seeds = (0, 1, 2)
  c.against = 'none'
  return c


def _law(label: str, law: str) -> dict:
  return default.result(label, f'laws.{law}.model', f'laws.{law}.{{method}}', '{:.2g}')
