"""Fat of meat, Tecator, no spectrum on both sides: file order without duplicates, and 20 splits.

python -m experiments.table --tables=tecator_grouped
"""

from ml_collections import ConfigDict

from configs.tables import default, tecator


def get_config() -> ConfigDict:
  networks = (
    *(('cnn', name) for name in default.PREPROCESSED),
    ('linoss', 'second_derivative_snv'),
  )
  of = {'dataset.name': 'tecator', 'split.regime': 'grouped'}
  c = default.real('tecator_*', 'grouped', tecator.FAT, networks, of)
  c.caption = (
    'Error of prediction of fat in meat. tecator_apart: file order, training spectra that are test '
    'spectra left out (165 | 43). tecator_repeated: all test sides of 20 splits by sample.'
  )
  return c
