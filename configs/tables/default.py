"""Every key of a table, once. Rows, columns and references: spectra_jax/tables/spec.py."""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
  c = ConfigDict()
  c.caption = ''  # what the numbers are, in a sentence
  c.rows = ()  # dicts of label, runs, where, method
  c.columns = ()  # dicts of label, metric, of_method, regime, format, scale
  c.references = ()  # dicts of label, values, regime, source
  c.sections = ()  # config keys: rows of the same values form a section; () = one section
  c.seeds = ()  # that each row of a model must have; what lacks is counted as missing
  c.against = ''  # label of the row that the others are tested against; '' = no tests
  c.test = 'permutation'  # of rows, paired by test groups; or wilcoxon
  c.level = 0.95  # of intervals
  c.resamples = 2000  # of the bootstrap
  return c.lock()


def result(label: str, metric: str, of_method: str, shown: str = '{:.3f}') -> dict:
  """A column of `results` in report.json: of models `metric`, of other methods `of_method`."""
  return {
    'label': label,
    'metric': f'results.{metric}',
    'of_method': f'results.{of_method}',
    'regime': 'grouped',
    'format': shown,
    'scale': 1.0,
  }
