"""What keeps chemistry and instrument apart: the runs of configs/spektron_instruments.py.

python -m experiments.table --tables=spektron_disentangle
"""

from ml_collections import ConfigDict

from configs import spektron_instruments
from configs.tables import default

WORDS = {
  'swap_consistency': 'swap consistency',
  'contrastive': 'contrastive',
  'instrument': 'the classifier of z_inst',
  'adversary': 'adversary',
  'sinkhorn': 'transport',
  'view_consistency': 'consistency of views',
  'information_bottleneck': 'the price of information',
  'denoising': 'denoising',
  'non_negativity': 'non-negativity',
}
TOLD = {  # score -> what tells the instrument
  'instrument_chem': 'instrument from z_chem',
  'instrument_chem_sampled': 'from samples of it',
  'instrument_chem_erased': 'from z_chem, erased',
  'instrument_chem_erased_nonlinear': 'from z_chem, erased, by a nonlinear probe',
  'instrument_inst': 'from z_inst',
}
KINDS = (('ir', 'IR'), ('raman', 'Raman'))
AS_MEASURED = {'the spectrum itself, atoms': 'spectrum', 'the spectrum, not swapped': 'identity'}


def get_config() -> ConfigDict:
  c = default.get_config()
  c.caption = (
    'Latents of spectra from six simulated instruments a kind, of held-out molecules: how often a '
    'linear probe tells the instrument (chance 0.167), from the mean of q(z_chem | spectrum), from '
    'its samples, and from the mean without what training molecules show a linear reader; the '
    'error of what a probe tells of the atoms (over their deviation), and that of swapped latents '
    'and of hidden bands (1 = the mean spectrum).'
  )
  whole = _row('all losses', ())
  c.rows = (
    whole,
    _row('none that keeps apart', spektron_instruments.APART),
    *(_stronger(factor) for factor in spektron_instruments.STRONGER),
    *(_row(f'without {WORDS[term]}', (term,)) for term in spektron_instruments.ALONE),
    *({**whole, 'label': label, 'method': method} for label, method in AS_MEASURED.items()),
  )
  c.columns = tuple(
    _column(f'{label}, {name}', f'{kind}.{score}')
    for score, label in {
      **TOLD,
      'properties': 'atoms from z_chem',
      'properties_erased': 'atoms from z_chem, erased',
      'swap': 'swap',
    }.items()
    for kind, name in KINDS
  ) + (
    *(default.result(f'NRE, {name}', f'{kind}.nre', f'{kind}.{{method}}') for kind, name in KINDS),
    default.about('active units', 'results.units.active_chem', '{:.0f}'),
    default.about('wall time (min)', 'wall_s_total', '{:.0f}', 1 / 60),
  )
  told = [f'{label}, {name}' for label in TOLD.values() for _, name in KINDS]
  guessing = {'values': dict.fromkeys(told, 1 / 6), 'regime': 'grouped', 'source': 'one of six'}
  c.references = ({'label': 'guessing', **guessing},)
  shown = (
    *('instrument from z_chem', 'from z_chem, erased, by a nonlinear probe', 'atoms from z_chem'),
    *('atoms from z_chem, erased', 'swap', 'NRE'),
  )
  c.page = tuple(f'{label}, {name}' for label in shown for _, name in KINDS)
  c.seeds = (0,)
  c.against = 'all losses'
  return c


def _row(label: str, off: tuple[str, ...]) -> dict:
  """The runs in which these weights are 0 and the others what the config says."""
  study = spektron_instruments
  weight = lambda term: study.off(term) if term in off else study.WEIGHTS[term]
  where = {f'loss.weights.model.{term}': weight(term) for term in study.ALONE}
  return {
    'label': label,
    'runs': 'spektron_instruments/**',
    'where': {'task.name': 'foundation', **where},
    'method': 'model',
  }


def _stronger(factor: int) -> dict:
  row = _row(f'consistency of views x {factor}', ())
  weight = {'loss.weights.model.view_consistency': spektron_instruments.stronger(factor)}
  return row | {'where': row['where'] | weight}


def _column(label: str, score: str) -> dict:
  return default.of_model(label, score, 'grouped')
