"""Masked reconstruction of computed IR and Raman spectra: the runs of configs/pretrain.py.

python -m experiments.table --tables=pretrain
"""

from ml_collections import ConfigDict

from configs.tables import default

VARIANTS = ('quick', 'full', 'long', 'wide')  # of configs/pretrain.py, and folders of their runs


def get_config() -> ConfigDict:
  c = default.get_config()
  c.caption = (
    'Normalised error on hidden bands of held-out molecules (1 = the mean spectrum). Rows: '
    'variants of configs/pretrain.py; wide has lines of 8 to 40 cm⁻¹ and noise in training.'
  )
  size = '{backbone.name}, {report.parameters:,} parameters, {train.steps:,} {optimizer.name} steps'
  c.rows = (
    *(_row(f'{variant}: {size}', f'pretrain/{variant}/**', 'model') for variant in VARIANTS),
    *(_row(name, 'pretrain/**', name) for name in ('gaussian', 'linear', 'nearest')),
  )
  c.columns = (
    *(_nre(label, kind) for kind, label in (('ir', 'IR NRE'), ('raman', 'Raman NRE'))),
    default.about('wall time of the last start (min)', 'wall_s', '{:.0f}', 1 / 60),
  )
  return c


def _row(label: str, runs: str, method: str) -> dict:
  return {'label': label, 'runs': runs, 'where': {}, 'method': method}


def _nre(label: str, kind: str) -> dict:
  interval = f'{kind}.intervals.{{method}}'
  return default.result(label, f'{kind}.nre', f'{kind}.{{method}}', interval=interval)
