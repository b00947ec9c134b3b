"""Backbones at matched parameters on masked reconstruction, by region of the spectrum.

python -m experiments.table --tables=spektron_backbones
"""

from ml_collections import ConfigDict

from configs.tables import default

NAMES = {
  'linoss': 'D-LinOSS',
  'interferogram': 'D-LinOSS on the interferogram',
  's5': 'S5',
  's4d': 'S4D',
  'mamba': 'Mamba',
  'hybrid': 'convolution, D-LinOSS, attention',
  'transformer': 'transformer',
  'conv': 'convolution',
}
KINDS = (('ir', 'IR'), ('raman', 'Raman'))
REGIONS = {
  'fingerprint': '400-1500 cm⁻¹',
  'double_bond': '1500-2000',
  'triple_bond': '2000-2600',
  'hydrogen_stretch': '2600-4000',
}


def get_config() -> ConfigDict:
  c = default.get_config()
  c.caption = (
    'Normalised error on hidden bands of held-out molecules (1 = the mean spectrum) of backbones '
    'of about as many parameters, after the same steps on the same masks.'
  )
  row = lambda label, backbone, method='model': {
    'label': label,
    'runs': 'spektron_backbones/**',
    'where': {'backbone.name': backbone},
    'method': method,
  }
  c.rows = (
    *(row(label, name) for name, label in NAMES.items()),
    row('conditional Gaussian', 'linoss', 'gaussian'),
    row('straight lines', 'linoss', 'linear'),
  )
  c.columns = (
    *(default.result(f'{said} NRE', f'{k}.nre', f'{k}.{{method}}') for k, said in KINDS),
    *(_region(kind, said, region) for kind, said in KINDS for region in REGIONS),
    default.about('parameters', 'parameters', '{:,.0f}'),
    default.about('wall time (min)', 'wall_s_total', '{:.1f}', 1 / 60),
  )
  shown = (REGIONS['fingerprint'], REGIONS['hydrogen_stretch'])
  c.page = (
    *(f'{said} NRE' for _, said in KINDS),
    *(f'{said}, {region}' for _, said in KINDS for region in shown),
    'wall time (min)',
  )
  c.sections = ('train.steps',)
  c.seeds = (0, 1, 2)
  c.against = 'D-LinOSS'
  return c


def _region(kind: str, said: str, region: str) -> dict:
  place = f'{kind}.regions.{region}'
  return default.result(f'{said}, {REGIONS[region]}', f'{place}.model', f'{place}.{{method}}')
