"""What each part of the whole foundation model is for: the runs of configs/spektron.py.

python -m experiments.table --tables=spektron_parts
"""

from ml_collections import ConfigDict

from configs import spektron
from configs.tables import default

WORDS = {
  'wavelets': 'splines of 112 cm⁻¹ for wavelets of 448',
  'resolution': 'without the resolution of the instrument',
  'experts': 'without experts',
  'attention': 'without attention',
  'cross': 'without the other kind of spectrum',
  'physics': 'without n and k of a medium',
  'transferred': 'without the transfer operator',
  'properties': 'without properties',
  'embedding': 'without the embedding',
}
KINDS = (('ir', 'IR'), ('raman', 'Raman'))
AS_MEASURED = {'the spectrum itself, atoms': 'spectrum', 'the spectrum as measured': 'identity'}


def get_config() -> ConfigDict:
  c = default.get_config()
  c.caption = (
    'The foundation model and the same without one part: normalised error on hidden bands of '
    'held-out molecules, of the other kind of spectrum, of what a medium with the predicted n and '
    'k absorbs, of a spectrum moved to the reference instrument by the operator and to another '
    'one by swapped latents (1 = the mean spectrum; in the last row it stays as it was measured), '
    'and of atoms told from z_chem, or from the spectrum itself.'
  )
  whole = _row('all parts', {})
  c.rows = (
    whole,
    *(_row(WORDS[part], spektron.WITHOUT[part]) for part in WORDS),
    *({**whole, 'label': label, 'method': method} for label, method in AS_MEASURED.items()),
  )
  scores = (
    ('NRE', 'nre'),
    ('other kind', 'cross'),
    ('medium', 'physics'),
    ('to the reference', 'transfer'),
    ('swap', 'swap'),
    ('atoms from z_chem', 'properties'),
  )
  c.columns = (
    *(
      default.result(f'{label}, {name}', f'{kind}.nre', f'{kind}.{{method}}')
      if score == 'nre'
      else default.of_model(f'{label}, {name}', f'{kind}.{score}', 'grouped')
      for label, score in scores
      for kind, name in KINDS
    ),
    default.about('parameters', 'parameters', '{:,.0f}'),
    default.about('wall time (min)', 'wall_s_total', '{:.0f}', 1 / 60),
  )
  shown = ('NRE', 'other kind', 'to the reference', 'swap', 'atoms from z_chem')
  c.page = (*(f'{label}, {name}' for label in shown for _, name in KINDS), 'wall time (min)')
  c.seeds = (0,)
  c.against = 'all parts'
  return c


def _row(label: str, overrides: dict) -> dict:
  """The runs with these overrides, and all that others change as the whole model has it."""
  whole = spektron.get_config('quick')
  keys = [key for changes in spektron.WITHOUT.values() for key in changes]
  where = {key: _at(whole, key) for key in keys}
  return {
    'label': label,
    'runs': 'spektron/**',
    'where': {'task.name': 'foundation', **where, **overrides},
    'method': 'model',
  }


def _at(config: ConfigDict, key: str) -> str | float | bool:
  """The value of a dotted key."""
  for name in key.split('.'):
    config = config[name]
  return config
