"""Minerals of RRUFF's processed Raman spectra: new specimens on a laser that is new.

python -m experiments.table --tables=rruff_minerals_lasers
"""

from ml_collections import ConfigDict

from configs.tables import rruff_minerals


def get_config() -> ConfigDict:
  c = rruff_minerals.of_regime('instrument')
  c.caption = (
    'Accuracy on specimens that were not trained on, measured at 780 and 785 nm; training has 532 '
    'and 514 nm. Spectra of a mineral without a training specimen are left out.'
  )
  return c
