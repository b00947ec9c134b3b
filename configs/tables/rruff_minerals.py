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


def get_config() -> ConfigDict:
  c = default.get_config()
  c.caption = (
    'Accuracy on specimens that were not trained on, of 108 minerals with at least 8 processed '
    'spectra; spectra of a mineral without a training specimen are left out.'
  )
  c.rows = rows('grouped')
  c.columns = (
    rruff_labels.score('top-1 (%)', 'top1', 'grouped'),
    rruff_labels.score('top-3 (%)', 'top3', 'grouped'),
    rruff_labels.score('balanced accuracy (%)', 'balanced_accuracy', 'grouped'),
    default.about('time (min)', 'wall_s_total', '{:.0f}', 1 / 60),
  )
  return c
