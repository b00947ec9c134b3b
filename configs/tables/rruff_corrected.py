"""Minerals from Raman spectra as measured and corrected: models x preprocessing, the same spectra.

python -m experiments.table --tables=rruff_corrected
"""

from ml_collections import ConfigDict

from configs import rruff
from configs.tables import default, rruff_deals, rruff_labels

WORDS = {  # name in spectra_jax/chemometrics_report.py and configs/rruff.py -> words
  'raw': 'as measured',
  'snv': 'SNV',
  'derivative_snv': 'first derivative, SNV',
  'arpls': 'arPLS baseline taken off',
  'arpls_snv': 'arPLS baseline taken off, SNV',
}
METHODS = {
  'neighbours': 'nearest neighbours',
  'pls_da': 'PLS-DA',
  'ridge': 'ridge',
  'svm': 'SVM',
}


def networks() -> tuple[dict, ...]:
  """The paper's CNN; as measured it is one of those with several pools."""
  row = lambda name, variant, where: {
    'label': f'compact CNN, {WORDS[name]}',
    'runs': f'rruff/{variant}/**',
    'where': {**rruff_deals.DEALS, 'encoder.compact_cnn.pools': (2, 2, 16), **where},
    'method': 'model',
  }
  corrected = rruff.CORRECTIONS.items()
  return (
    row('raw', 'paper', {}),
    *(row(x, 'corrected', {'correct': how[0], 'preprocess': how[1]}) for x, how in corrected),
  )


def get_config() -> ConfigDict:
  c = default.get_config()
  c.caption = (
    'Accuracy on all test sides of five deals of the 497 published raw spectra, which each method '
    'gets as they were measured and corrected.'
  )
  classical = tuple(
    {
      'label': f'{label}, {words}',
      'runs': 'chemometrics/rruff_deals/*',
      'where': {'method.name': method, 'preprocessing.name': name},
      'method': 'model',
    }
    for method, label in METHODS.items()
    for name, words in WORDS.items()
  )
  c.rows = (*networks(), *classical)
  c.columns = (
    rruff_labels.score('top-1 (%)', 'top1', 'iid'),
    rruff_labels.score('top-3 (%)', 'top3', 'iid'),
  )
  c.against = 'compact CNN, as measured'
  return c
