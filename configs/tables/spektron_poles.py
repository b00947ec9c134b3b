"""Where poles went in training, of the reports of experiments.poles.

python -m experiments.table --tables=spektron_poles
"""

from ml_collections import ConfigDict

from configs.tables import default


def get_config() -> ConfigDict:
  c = default.get_config()
  c.caption = (
    'Poles of linear layers before and after training. Distances are means of |difference of log '
    'lambda| over the best pairing; p of exchanging before and after within seeds. Planted: the '
    'nearest pole of any layer to that of the data, before, after, and after training on the other '
    'period; p of these two one-sided. No p is corrected for how many there are.'
  )
  row = lambda label, runs: {'label': label, 'runs': runs, 'where': {}, 'method': 'model'}
  c.rows = (
    row(
      'planted, period {dataset.planted.period_cm} cm^-1, {backbone.name}',
      'spektron_pole_reports/planted*',
    ),
    row('computed molecules, {backbone.name}', 'spektron_pole_reports/computed*'),
  )
  number = lambda label, name, shown='{:.3f}': default.about(label, f'results.{name}', shown)
  c.columns = (
    number('moved (paired sets)', 'poles.moved'),
    number('moved (each pole)', 'poles.by_index'),
    number('between seeds, before', 'poles.initial'),
    number('between seeds, after', 'poles.trained'),
    number('excess', 'poles.excess'),
    number('p', 'poles.p'),
    number('planted, before', 'planted.nearest_before'),
    number('planted, after', 'planted.nearest_after'),
    number('p (nearer)', 'planted.p'),
    number('planted, trained on the other', 'planted.nearest_other'),
    number('p (own nearer)', 'planted.p_other'),
    number('NRE', 'nre'),
    number('NRE of the Gaussian', 'gaussian'),
  )
  c.page = (
    *('planted, before', 'planted, after', 'p (nearer)'),
    *('planted, trained on the other', 'p (own nearer)'),
    *('moved (paired sets)', 'between seeds, before', 'p', 'NRE', 'NRE of the Gaussian'),
  )
  return c
