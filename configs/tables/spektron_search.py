"""Spectra found among those of another simulated instrument: configs/spektron_search.py.

python -m experiments.table --tables=spektron_search
"""

from ml_collections import ConfigDict

from configs.tables import default

KINDS = {'ir': 'IR', 'raman': 'Raman'}
SCORES = {'recall_1': 'recall@1', 'recall_10': 'recall@10', 'mrr': 'mean reciprocal rank'}
METHODS = {'cosine': 'raw cosine', 'slopes': 'cosine of smoothed slopes'}


def get_config() -> ConfigDict:
  c = default.get_config()
  c.caption = (
    'Spectra of molecules of unseen formulas, measured on a simulated instrument, found among '
    'those of all molecules on another; nothing was trained or chosen on either of the two. How '
    'many points a slope is taken over was chosen on validation molecules and other instruments.'
  )
  row = lambda label, method, slopes: {
    'label': label,
    'runs': 'spektron_search/**',
    'where': {'task.name': 'spectrum_search', 'task.spectrum_search.slopes': slopes},
    'method': method,
  }
  c.rows = (
    row('D-LinOSS, reads slopes', 'model', True),
    row('D-LinOSS, reads roots', 'model', False),
    *(row(label, name, True) for name, label in METHODS.items()),
  )
  c.columns = (
    *(
      default.of_model(f'{score}, {said}', f'{kind}.{name}', 'grouped')
      for kind, said in KINDS.items()
      for name, score in SCORES.items()
    ),
    default.about('parameters', 'parameters', '{:,.0f}'),
    default.about('wall time (min)', 'wall_s_total', '{:.1f}', 1 / 60),
  )
  c.seeds = (0, 1, 2)
  c.against = 'raw cosine'
  return c
