"""Minerals from raw Raman spectra against the number of labels, on the published test side.

python -m experiments.table --tables=rruff_labels
"""

from ml_collections import ConfigDict

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


def networks(where: dict) -> tuple[dict, ...]:
  """Rows of the networks and of nearest neighbours, of runs in rruff/VARIANT that match `where`."""
  row = lambda label, variant, more, method='model': {
    'label': label,
    'runs': f'rruff/{variant}/**',
    'where': {**where, **more},
    'method': method,
  }
  alone, pools = {'train.members': 1}, 'encoder.compact_cnn.pools'
  return (
    row('strong CNN', 'strong', alone),
    row('strong CNN, mean of three', 'strong', {'train.members': 3}),
    *(row(f'compact CNN, last pool {m}', 'paper', {pools: (2, 2, m)}) for m in (2, 16, 64)),
    row('tokens, {backbone.name}', 'tokens', {}),
    row('nearest spectrum, differences', 'strong', alone, 'nearest_difference'),
    row('nearest spectrum', 'strong', alone, 'nearest'),
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


def get_config() -> ConfigDict:
  c = default.get_config()
  c.caption = (
    'Accuracy on the 150 published test spectra of 63 minerals, for each number of labelled '
    'training spectra.'
  )
  c.rows = (*networks({'split.regime': 'given'}), *classical({}))
  c.sections = ('dataset.rruff_splits.labels',)
  c.columns = (
    score('top-1 (%)', 'top1'),
    score('top-3 (%)', 'top3'),
    score('balanced accuracy (%)', 'balanced_accuracy'),
    score('macro-F1 (%)', 'macro_f1'),
    default.about('time (min)', 'wall_s_total', '{:.0f}', 1 / 60),
  )
  c.references = (
    {'label': 'published CNN', 'values': {'top-1 (%)': 83.0}, 'regime': 'given', 'source': PAPER},
  )
  return c
