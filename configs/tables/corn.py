"""Corn within one instrument: four properties, 20 random splits of 60 and 20 samples.

python -m experiments.table --tables=corn
"""

from ml_collections import ConfigDict

from configs.tables import default

TARGETS = {
  'moisture': ('moisture RMSEP (%)', '{:.4f}'),
  **{name: (f'{name} RMSEP (%)', '{:.3f}') for name in ('oil', 'protein', 'starch')},
}
METHODS = ('pls', 'pcr', 'ridge', 'svm', 'gaussian_process')  # others take hours for 20 splits


def get_config() -> ConfigDict:
  networks = (('cnn', 'raw'), ('cnn', 'derivative_snv'))
  c = default.real('corn_*', 'grouped', TARGETS, networks, {'dataset.name': 'corn'}, METHODS)
  c.caption = (
    'Error of prediction of four properties of corn on the instrument of calibration, all test '
    'sides of 20 splits pooled; preprocessing as named, or as PLS chose it in each training side.'
  )
  return c
