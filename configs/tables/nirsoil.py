"""Nitrogen, carbon and exchange capacity of soils, NIRSoil: the sides of the challenge.

python -m experiments.table --tables=nirsoil
"""

from ml_collections import ConfigDict

from configs.tables import default

TARGETS = {
  'Nt': ('nitrogen RMSEP (g/kg)', '{:.3f}'),
  'Ciso': ('carbon RMSEP (g/100 g)', '{:.3f}'),
  'CEC': ('exchange capacity RMSEP (meq/100 g)', '{:.2f}'),
}


def get_config() -> ConfigDict:
  c = default.real('nirsoil', 'given', TARGETS, (('cnn', 'raw'),), {'protocol.name': 'nirsoil'})
  c.caption = (
    'Error of prediction of properties of soils; which soils come from one site is not known, so '
    'these sides may be kinder than new sites are.'
  )
  return c
