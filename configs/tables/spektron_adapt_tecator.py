"""Few labels of Tecator: pretrained features, fine-tuned networks and their controls, beside PLS.

python -m experiments.table --tables=spektron_adapt_tecator
"""

from ml_collections import ConfigDict

from configs.tables import default, tecator


def get_config() -> ConfigDict:
  columns = default.rmsep(tecator.FAT, 'grouped')
  return default.few_labels('tecator_apart', 'tecator', 'grouped', columns)
