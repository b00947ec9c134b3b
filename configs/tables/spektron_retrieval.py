"""Molecules by their spectra against what graphs say: the runs of configs/spektron_retrieval.py.

python -m experiments.table --tables=spektron_retrieval
"""

from ml_collections import ConfigDict

from configs.tables import default

PARTS = {
  'predicted spectra': ('spectrum',),
  'embeddings': ('embedding',),
  'both in one space': ('spectrum', 'embedding'),
}
MODES = {'ir': 'IR', 'raman': 'Raman', 'both': 'IR and Raman'}
MORE = {
  'both.recall_5': 'recall@5, IR and Raman',
  'both.recall_10': 'recall@10, IR and Raman',
  'both.mrr': 'mean reciprocal rank, IR and Raman',
  'both.among_own.recall_1': 'recall@1 among the test side alone, IR and Raman',
  'groups.f1': 'macro-F1 of functional groups',
  'ir.nre': 'error of predicted IR (1 = the mean)',
  'raman.nre': 'error of predicted Raman',
}


def get_config() -> ConfigDict:
  c = default.get_config()
  c.caption = (
    'Molecules of unseen formulas found by their spectra among all molecules that ship, whose '
    'points come from molecular graphs alone; functional groups told by ridge regression.'
  )
  row = lambda label, where, method='model': {
    'label': label,
    'runs': 'spektron_retrieval/**',
    'where': {'task.name': 'retrieval', **where},
    'method': method,
  }
  c.rows = (
    *(row(label, _parts(parts)) for label, parts in PARTS.items()),
    row('kernel ridge from graphs', _parts(('spectrum', 'embedding')), 'kernel_ridge'),
    row('ridge on spectra (groups)', _parts(('spectrum', 'embedding')), 'ridge'),
  )
  c.columns = (
    *(_score(f'recall@1, {said}', f'{mode}.recall_1') for mode, said in MODES.items()),
    *(_score(said, place) for place, said in MORE.items()),
    default.about('parameters', 'parameters', '{:,.0f}'),
    default.about('wall time (min)', 'wall_s_total', '{:.1f}', 1 / 60),
  )
  shown = ('both.recall_10', 'both.mrr', 'groups.f1')
  c.page = (
    *(f'recall@1, {said}' for said in MODES.values()),
    *(MORE[place] for place in shown),
    'wall time (min)',
  )
  c.seeds = (0,)
  c.against = 'both in one space'
  return c


def _parts(parts: tuple[str, ...]) -> dict:
  return {'task.retrieval.parts': parts}


def _score(label: str, place: str) -> dict:
  return default.of_model(label, place, 'grouped')
