"""Minerals of RRUFF's processed Raman spectra, specimens held out.

python -m experiments.table --tables=rruff_minerals
"""

from ml_collections import ConfigDict

from configs.tables import default, rruff_labels


def rows(regime: str) -> tuple[dict, ...]:
  """The networks and the nearest neighbours, of runs of one regime."""
  row = lambda label, more, method='model': {
    'label': label,
    'runs': 'rruff_minerals/**',
    'where': {'split.regime': regime, **more},
    'method': method,
  }
  cnn = {'encoder.name': 'compact_cnn'}
  return (
    row('strong CNN', cnn),
    row('D-LinOSS on tokens', {'encoder.name': 'tokens', 'backbone.name': 'linoss'}),
    row('nearest neighbour, differences', cnn, 'nearest_difference'),
    row('nearest neighbour', cnn, 'nearest'),
  )


def of_regime(regime: str) -> ConfigDict:
  """The table of one regime, without its caption."""
  c = default.get_config()
  c.rows = rows(regime)
  c.columns = (
    rruff_labels.score('top-1 (%)', 'top1', regime),
    rruff_labels.score('top-3 (%)', 'top3', regime),
    rruff_labels.score('balanced accuracy (%)', 'balanced_accuracy', regime),
    default.about('time (min)', 'wall_s_total', '{:.1f}', 1 / 60),
  )
  return c


def get_config() -> ConfigDict:
  c = of_regime('grouped')
  c.caption = (
    'Accuracy on specimens that were not trained on, of 108 minerals with at least 8 processed '
    'spectra; spectra of a mineral without a training specimen are left out.'
  )
  return c
