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
  c.rows = (
    row('{backbone.name}, {report.parameters:,} parameters, {train.steps:,} steps', 'model'),
    *(row(name, name) for name in ('gaussian', 'linear', 'nearest')),
  )
  c.columns = (
    *(
      default.result(label, f'{kind}.nre', f'{kind}.{{method}}')
      for kind, label in (('ir', 'IR NRE'), ('raman', 'Raman NRE'))
    ),
    {
      'label': 'wall time, restarts included (min)',
      'metric': 'wall_s_total',
      'of_method': '',
      'regime': '',
      'format': '{:.0f}',
      'scale': 1 / 60,
    },
  )
  return c
