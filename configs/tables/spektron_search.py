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
    'those of all molecules on another; nothing was trained on either of the two, and the 256 of '
    'training come from the same ranges. In the last row, how many points a slope is taken over '
    'was chosen on validation molecules and other instruments.'
  )
  row = lambda label, method: {
    'label': label,
    'runs': 'spektron_search/**',
    'where': {'task.name': 'spectrum_search'},
    'method': method,
  }
  c.rows = (
    row('embedding by D-LinOSS', 'model'),
    *(row(label, name) for name, label in METHODS.items()),
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
  shown = [f'{SCORES[name]}, {said}' for name in ('recall_1', 'mrr') for said in KINDS.values()]
  c.page = (*shown, 'wall time (min)')
  c.seeds = (0, 1, 2)
  c.against = 'raw cosine'
  return c
