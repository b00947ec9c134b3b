"""Few labels of tablets: pretrained features, fine-tuned networks and their controls, beside PLS.

python -m experiments.table --tables=spektron_adapt_tablets
"""

from ml_collections import ConfigDict

from configs.tables import default


def get_config() -> ConfigDict:
  columns = default.rmsep({'assay': ('assay RMSEP (mg)', '{:.2f}')}, 'given')
  return default.few_labels('tablets_1', 'tablets', 'given', columns)
