"""Few labels of corn: pretrained features, fine-tuned networks and their controls, beside PLS.

python -m experiments.table --tables=spektron_adapt_corn
"""

from ml_collections import ConfigDict

from configs.tables import corn, default


def get_config() -> ConfigDict:
  columns = default.rmsep(corn.TARGETS, 'grouped')
  c = default.few_labels('corn_m5', 'corn', 'grouped', columns)
  c.page = tuple(corn.TARGETS[name][0] for name in ('moisture', 'protein'))
  return c
