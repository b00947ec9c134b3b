"""Masked reconstruction against the number of training molecules and of parameters.

python -m experiments.table --tables=spektron_scaling
"""

from ml_collections import ConfigDict

from configs.tables import default


def get_config() -> ConfigDict:
  c = default.get_config()
  c.caption = (
    'Normalised error on hidden bands of held-out molecules (1 = the mean spectrum) of D-LinOSS, '
    'with a share of the training molecules, another one for each seed, and with all. The mean is '
    'that of the share: with one molecule in a hundred its own error is some 2 % larger.'
  )
  row = lambda label, method: {
    'label': label,
    'runs': 'spektron_scaling/**',
    'where': {},
    'method': method,
  }
  c.rows = (
    row('{report.parameters:,} parameters', 'model'),
    row('conditional Gaussian', 'gaussian'),
  )
  c.columns = (
    default.result('IR NRE', 'ir.nre', 'ir.{method}'),
    default.result('Raman NRE', 'raman.nre', 'raman.{method}'),
    default.about('wall time (min)', 'wall_s_total', '{:.1f}', 1 / 60),
  )
  c.sections = ('train.steps', 'split.train_share')
  c.seeds = (0, 1, 2)
  return c
