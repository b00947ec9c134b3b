"""Masked reconstruction of computed IR and Raman spectra: the runs of configs/pretrain.py.

python -m experiments.table --tables=pretrain
"""

from ml_collections import ConfigDict

from configs.tables import default


def get_config() -> ConfigDict:
  c = default.get_config()
  c.caption = 'Normalised error on hidden bands of held-out molecules (1 = the mean spectrum).'
  row = lambda label, method: {
    'label': label,
    'runs': 'pretrain/**',
    'where': {},
    'method': method,
  }
  size = '{report.parameters:,} parameters, {train.steps:,} steps of {optimizer.name}'
  c.rows = (
    row(f'{{backbone.name}}, {size}', 'model'),
    *(row(name, name) for name in ('gaussian', 'linear', 'nearest')),
  )
  c.columns = (
    *(_nre(label, kind) for kind, label in (('ir', 'IR NRE'), ('raman', 'Raman NRE'))),
    default.about('wall time of the last start (min)', 'wall_s', '{:.0f}', 1 / 60),
  )
  return c


def _nre(label: str, kind: str) -> dict:
  interval = f'{kind}.intervals.{{method}}'
  return default.result(label, f'{kind}.nre', f'{kind}.{{method}}', interval=interval)
