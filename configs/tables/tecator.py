"""Fat of meat, Tecator, 172 | 43 in file order as published; seven test spectra are trained on.

python -m experiments.table --tables=tecator
"""

from ml_collections import ConfigDict

from configs.tables import default

FAT = {'fat': ('fat RMSEP (%)', '{:.2f}')}
SEP = 'fat SEP (%)'
NETWORKS = (('cnn', 'second_derivative_snv'), ('linoss', 'second_derivative_snv'))


def get_config() -> ConfigDict:
  c = default.real('tecator', 'given', FAT, NETWORKS, {'protocol.name': 'tecator'})
  c.columns = (*c.columns, default.of_model(SEP, 'fat.sep', 'given', '{:.2f}'))
  c.caption = (
    'Error of prediction of fat in meat, sides in file order; SEP is without the bias. Seven test '
    'spectra are duplicates of training spectra, as in all that was published on these sides.'
  )
  reference = lambda label, value: {
    'label': label,
    'values': {SEP: value},
    'regime': 'given',
    'source': 'Thodberg 1996, doi:10.1109/72.478392',
  }
  c.references = (
    reference('linear regression on principal components', 2.78),
    reference('neural network, stopped early', 0.65),
    reference('Bayesian neural network', 0.52),
    reference('Bayesian neural network with relevance of inputs', 0.36),
  )
  return c
