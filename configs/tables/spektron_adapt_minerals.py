"""Minerals from raw Raman spectra with few labels: weights of computed molecules, and none.

python -m experiments.table --tables=spektron_adapt_minerals
"""

from ml_collections import ConfigDict

from configs.tables import default, rruff_labels


def get_config() -> ConfigDict:
  c = default.get_config()
  c.caption = (
    'Top-1 and top-3 accuracy (%) of 63 minerals on the published test side. The weights have seen '
    'computed spectra of organic molecules, no mineral and no measured spectrum.'
  )
  row = lambda label, runs, where: {
    'label': label,
    'runs': runs,
    'where': where,
    'method': 'model',
  }
  features = 'spektron_features/rruff_*/*'
  c.rows = (
    *rruff_labels.classical({'split.regime': 'given'}),
    *(row(label, features, {'features.name': name}) for label, name in default.FEATURES.items()),
    *(row(label, 'spektron_adapt/minerals/**', way) for label, way in default.ADAPTED.items()),
  )
  c.columns = tuple(rruff_labels.score(f'top-{k} (%)', f'top{k}') for k in (1, 3))
  c.sections = ('dataset.rruff_splits.labels',)
  c.against = 'network from scratch'
  return c
