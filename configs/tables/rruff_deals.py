"""Minerals from raw Raman spectra on five more deals of the 497 spectra there are.

python -m experiments.table --tables=rruff_deals
"""

from ml_collections import ConfigDict

from configs.tables import default, rruff_labels

DEALS = {'protocol.name': 'rruff_deals'}


def get_config() -> ConfigDict:
  c = default.get_config()
  c.caption = (
    'Accuracy on all test sides of five deals by class of the 497 published spectra, about 340 of '
    'them to learn from and 150 to test, as they are and moved by 15 and 30 cm^-1.'
  )
  parts = (rruff_labels.convolutional, rruff_labels.nearest, rruff_labels.classical)
  c.rows = tuple(row for part in parts for row in part(DEALS))
  c.columns = tuple(
    rruff_labels.score(label, path, 'iid')
    for label, path in (
      ('top-1 (%)', 'top1'),
      ('top-3 (%)', 'top3'),
      ('top-1, 15 cm⁻¹ (%)', 'shift_15.top1'),
      ('top-3, 15 cm⁻¹ (%)', 'shift_15.top3'),
      ('top-1, 30 cm⁻¹ (%)', 'shift_30.top1'),
      ('top-3, 30 cm⁻¹ (%)', 'shift_30.top3'),
    )
  )
  c.against = 'strong CNN'
  return c
