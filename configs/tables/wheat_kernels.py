"""Protein of single wheat kernels: the sides as published, 415 | 108.

python -m experiments.table --tables=wheat_kernels
"""

from ml_collections import ConfigDict

from configs.tables import default


def get_config() -> ConfigDict:
  networks = (
    *(('cnn', name) for name in default.PREPROCESSED),
    ('linoss', 'second_derivative_snv'),
  )
  of = {'protocol.name': 'wheat_kernels'}
  protein = {'protein': ('protein RMSEP (%)', '{:.3f}')}
  c = default.real('wheat_kernels', 'given', protein, networks, of)
  c.caption = 'Error of prediction of protein in single wheat kernels.'
  return c
