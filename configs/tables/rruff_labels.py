"""Minerals from raw Raman spectra against the number of labels, on the published test side.

python -m experiments.table --tables=rruff_labels
"""

from ml_collections import ConfigDict

from configs import rruff
from configs.tables import default

PAPER = (
  'Soysal et al. 2025, arXiv:2509.25964: compact CNN, their 850 labels, of which 347 are published'
)
CLASSICAL = {  # label -> file in spectra_jax/chemometrics, preprocessing
  'SVM of aligned spectra': ('aligned_svm', 'raw'),  # it takes derivatives itself
  'SVM': ('svm', 'derivative_snv'),
  'random convolutions, ridge': ('random_convolutions', 'derivative_snv'),
  'ridge': ('ridge', 'derivative_snv'),
  'PLS-DA': ('pls_da', 'derivative_snv'),
  'nearest neighbours': ('neighbours', 'derivative_snv'),
}


def score(label: str, path: str, regime: str = 'given') -> dict:
  """A column of an accuracy, in per cent."""
  paths = (f'{path}.model', f'{path}.{{method}}', '{:.1f}', f'{path}.intervals.{{method}}')
  return default.result(label, *paths) | {'regime': regime, 'scale': 100.0}


def _row(label: str, variant: str, where: dict, method: str = 'model') -> dict:
  return {'label': label, 'runs': f'rruff/{variant}/**', 'where': where, 'method': method}


def convolutional(where: dict) -> tuple[dict, ...]:
  """Rows of the CNNs, of runs in rruff/VARIANT that match `where`."""
  pools = 'encoder.compact_cnn.pools'
  return (
    _row('strong CNN', 'strong', where),
    *(
      _row(f'compact CNN, last pool {m}', 'paper', {**where, pools: (2, 2, m)}) for m in rruff.POOLS
    ),
  )


def sequential(where: dict) -> tuple[dict, ...]:
  """Rows of our backbones on tokens, which have the fixed split alone."""
  return tuple(
    _row(f'tokens, {name}', 'tokens', {**where, 'backbone.name': name}) for name in rruff.BACKBONES
  )


def nearest(where: dict) -> tuple[dict, ...]:
  """Rows of the nearest training spectrum by cosine, which stands in the report of each run."""
  return tuple(
    _row(label, 'strong', where, method)
    for label, method in (
      ('nearest spectrum', 'nearest'),
      ('nearest difference spectrum', 'nearest_difference'),
    )
  )


def classical(where: dict) -> tuple[dict, ...]:
  """Rows of the classical methods, of the same sides."""
  return tuple(
    {
      'label': label,
      'runs': 'chemometrics/rruff_*/*',
      'where': {'method.name': name, 'preprocessing.name': preprocessing, **where},
      'method': 'model',
    }
    for label, (name, preprocessing) in CLASSICAL.items()
  )


def rows(where: dict) -> tuple[dict, ...]:
  """All of them that match `where`."""
  parts = (convolutional, sequential, nearest, classical)
  return tuple(row for part in parts for row in part(where))


def get_config() -> ConfigDict:
  c = default.get_config()
  c.caption = (
    'Accuracy on the 150 published test spectra of 63 minerals, for each number of labelled '
    'training spectra.'
  )
  c.rows = rows({'split.regime': 'given'})
  c.sections = ('dataset.rruff_splits.labels',)
  c.columns = (
    score('top-1 (%)', 'top1'),
    score('top-3 (%)', 'top3'),
    score('balanced accuracy (%)', 'balanced_accuracy'),
    score('macro-F1 (%)', 'macro_f1'),
    default.about('time (min)', 'wall_s_total', '{:.1f}', 1 / 60),
  )
  c.references = (
    {'label': 'published CNN', 'values': {'top-1 (%)': 83.0}, 'regime': 'given', 'source': PAPER},
  )
  return c
