"""Minerals from raw Raman spectra, trained on RRUFF's processed spectra of them as well.

python -m experiments.table --tables=rruff_archive
"""

from ml_collections import ConfigDict

from configs.tables import default, rruff_labels


def get_config() -> ConfigDict:
  c = default.get_config()
  c.caption = (
    'Accuracy on the 150 published test spectra, as they are and moved by 30 cm^-1, of networks '
    'that also train on 961 processed spectra of the same minerals from another archive. It may '
    'hold specimens of the test side, which the published splits do not name.'
  )
  c.rows = ({'label': 'strong CNN', 'runs': 'rruff/archive/**', 'where': {}, 'method': 'model'},)
  c.columns = tuple(
    rruff_labels.score(label, path)
    for label, path in (
      ('top-1 (%)', 'top1'),
      ('top-3 (%)', 'top3'),
      ('top-1, 30 cm⁻¹ (%)', 'shift_30.top1'),
      ('top-3, 30 cm⁻¹ (%)', 'shift_30.top3'),
    )
  )
  c.sections = ('dataset.rruff_splits.labels',)
  return c
